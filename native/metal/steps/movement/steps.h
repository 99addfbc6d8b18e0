#pragma once

#include "metal/steps/movement/axes.h"

/// The steps that move elements, one function an operation, and what they share.
namespace ftrans::metal::movement {

// copy.cpp
void copy(Encoder& encoder, const StepArguments& arguments);
void concatenate(Encoder& encoder, const StepArguments& arguments);
void dynamic_slice(Encoder& encoder, const StepArguments& arguments);
void dynamic_update_slice(Encoder& encoder, const StepArguments& arguments);

/// Copies elements of `itemsize` bytes; the strides are those of the source and the destination.
void copy_block(Encoder& encoder, int64_t itemsize, const Axes<2>& axes, const Origin& source,
                const Origin& destination);
/// Copies `source` to memory of the same shape, row-major without gaps.
void copy_to_row_major(Encoder& encoder, const Operand& source, const Place& destination);

// pad.cpp
void pad(Encoder& encoder, const StepArguments& arguments);

// gather.cpp
void gather(Encoder& encoder, const StepArguments& arguments);

// scatter.cpp
void scatter(Encoder& encoder, const StepArguments& arguments);

// sort.cpp
void sort(Encoder& encoder, const StepArguments& arguments);

/// Sorted keys with the places that they came from: struct Entry of kernels/sort.metal.
struct Entries {
  Place place;
  bool wide;         ///< keys and places have 64 bits, not 32
  const char* type;  ///< in MSL
};
/// Sorts a row of `length` keys, uint32 or uint64, keeping the order of equal ones.
Entries sort_keys(Encoder& encoder, Dtype dtype, const Place& keys, int64_t length);

// random.cpp
void random_bits(Encoder& encoder, const StepArguments& arguments);

}  // namespace ftrans::metal::movement
