#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "kernel/opcode.h"

namespace ftrans::cpu {

/// Computes n elements of `out` from up to three operands. `out` may be the very memory of an operand of its
/// item size.
using Kernel = void (*)(void* out, const void* a, const void* b, const void* c, int64_t n);

/// The kernels of one operation on one dtype, by which operands are a single element: bit i of the index
/// stands for operand i. Entry 0 (no scalars) exists if the operation does; the executor splats where a
/// better one is missing.
struct KernelVariants {
  Kernel by_scalars[8] = {};
  bool commutative = false;  ///< operands 0 and 1 may be swapped; bit 0 without bit 1 is not provided then
  int cost = 1;              ///< rough time an element, in units of an addition

  explicit operator bool() const { return by_scalars[0] != nullptr; }
};

/// One reduction on one dtype, over a rows × columns tile without gaps. A float32 sum accumulates in float64.
struct ReductionKernels {
  Dtype accumulator = Dtype::Bool;
  void (*rows)(void* accumulators, const void* tile, int64_t rows,
               int64_t columns) = nullptr;  ///< one per row
  void (*columns)(void* accumulators, const void* tile, int64_t rows,
                  int64_t columns) = nullptr;  ///< one per column
};

/// A product and a sum in one pass over memory, each rounded: the results are those of the two operations.
enum class MulAdd : uint8_t {
  Add,              ///< a·b + c
  Subtract,         ///< a·b − c
  SubtractProduct,  ///< c − a·b
};

/// An operation on the accumulators of a chain.
enum class ChainOperation : uint8_t {
  Start,  ///< the accumulators become the operand
  Add,
  Sub,
  Mul,
  Div,
  SafeMul,
  Max,
  Min,
  Neg,
  Square,
  AddProduct,           ///< accumulator + a·b
  SubtractProduct,      ///< accumulator − a·b
  SubtractFromProduct,  ///< a·b − accumulator
};

/// A step of a chain: accumulator = operation(accumulator, operands).
struct ChainLink {
  ChainOperation operation;
  bool reversed;    ///< of a binary operation: the accumulator is its right operand
  uint8_t uniform;  ///< bit i: operand i is one element, held here; else a tile
  union {
    const void* tile;
    float float32;
    double float64;
  } operands[2];
};

/// Computes n elements of `out` through `count` links, the first of them a Start. `out` may be the very
/// memory of a tile.
using ChainKernel = void (*)(void* out, const ChainLink* links, int64_t count, int64_t n);

/// The operands of a tile of a product of matrices. A row of the left one is made of runs of elements, which
/// are at the same offsets from the row's start in every row.
struct TileOperands {
  const void* left;
  int64_t row_stride;          ///< between the starts of rows; strides and offsets are in elements
  const int64_t* run_offsets;  ///< `run_count` of them
  int64_t run_count, run;      ///< how many runs, and of how many elements each
  const void* right;           ///< run_count · run rows of TileProduct::columns elements, without gaps
  void* result;
  int64_t result_stride;
};

/// result[rows, columns] = left · right.
struct TileProduct {
  void (*run)(int64_t rows, const TileOperands& operands) = nullptr;
  int64_t rows = 0;     ///< at most
  int64_t columns = 0;  ///< exactly
};

/// Sorts unsigned integers, of which equal ones cannot be told apart.
struct KeySort {
  /// Sorts n keys in place; `spare` has room for as many.
  void (*sort)(void* keys, void* spare, int64_t n) = nullptr;
  /// Moves the keys that are less than *pivot to `below`, the others to the memory that ends at `end`.
  void (*partition)(const void* keys, int64_t n, const void* pivot, void* below, void* end) = nullptr;
};

/// What one instruction set offers. float16 and bfloat16 are storage only here: registers hold them as
/// float32.
struct KernelSet {
  const char* name;
  /// `dtype` is that of the operands (of the last operand for Select). Empty if there is no such kernel.
  KernelVariants (*elementwise)(Opcode opcode, Dtype dtype);
  /// float32 and float64; empty for other dtypes. Operands 0 and 1 may be swapped: bit 0 is not provided
  /// alone.
  KernelVariants (*mul_add)(MulAdd form, Dtype dtype);
  /// float32 and float64; null for other dtypes.
  ChainKernel (*chain)(Dtype dtype);
  /// Conversions among bool, integers, float32 and float64; float32 to and from the 16-bit storage dtypes.
  Kernel (*convert)(Dtype from, Dtype to);
  /// Rounds float32 or float64 to a 16-bit dtype, kept as float32.
  Kernel (*round_to_half)(Dtype from, Dtype half);
  /// float32 and float64; empty for other dtypes.
  TileProduct (*tile_product)(Dtype dtype);
  ReductionKernels (*reduction)(Opcode opcode, Dtype dtype);
  /// Fills `out` with the element `a`.
  Kernel (*splat)(int64_t itemsize);
  /// out[i] = i·*b + *a as int64, for iota.
  Kernel ramp;
  /// Copies n bytes past the caches (`out` is written, not read back soon).
  Kernel stream_copy;
  /// Keys of 4 or 8 bytes; empty where registers do not help.
  KeySort (*key_sort)(int64_t itemsize);
};

/// The set chosen at load.
const KernelSet& kernel_set();

}  // namespace ftrans::cpu
