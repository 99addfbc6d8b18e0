#pragma once

#include <cstdint>
#include <string>

#include "core/dtype.h"
#include "kernel/opcode.h"

// Expressions of MSL, by dtype.

namespace ftrans::metal {

inline bool is_half(Dtype dtype) { return dtype == Dtype::Float16 || dtype == Dtype::BFloat16; }

/// The dtype in which results are computed and accumulated: float32 for the half types.
Dtype register_dtype(Dtype dtype);

/// The type of an element in a register, and in memory.
const char* register_type(Dtype dtype);
const char* storage_type(Dtype dtype);

std::string numbered(std::string prefix, int64_t number);
std::string hexadecimal(uint64_t bits, const char* suffix);
std::string call(const std::string& function, const std::string& a);

/// A register's value as it is in memory, and back.
std::string to_storage(const std::string& value, Dtype dtype);
std::string from_storage(const std::string& value, Dtype dtype);

/// A constant by its bits, so that every value arrives, NaN too.
std::string literal(const void* bytes, Dtype dtype);

/// Where a reduction (ReduceSum, …) begins, as a literal; and the operation that joins two accumulators.
std::string identity(Opcode reduction, Dtype dtype);
Opcode joining(Opcode reduction);

/// The function that computes an operation.
std::string function_of(Opcode opcode);

std::string converted(const std::string& x, Dtype from, Dtype to);
std::string bit_cast(const std::string& x, Dtype from, Dtype to);

}  // namespace ftrans::metal
