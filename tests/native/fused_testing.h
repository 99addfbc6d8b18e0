#pragma once

// Helpers of the fused executor's tests: typed arrays, kernels of one operation, a check macro.

#include <cmath>
#include <complex>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "cpu/fused_executor.h"

namespace ftrans::testing {

inline int failures = 0;

/// Counts a failure and prints it (the first ones); true if `condition` holds.
inline bool check(bool condition, const char* file, int line, const std::string& message) {
  if (condition) return true;
  if (++failures <= 60) std::printf("%s:%d: %s\n", file, line, message.c_str());
  return false;
}

#define CHECK(condition, message) ::ftrans::testing::check((condition), __FILE__, __LINE__, (message))

inline Instruction input(int index, Dtype dtype) {
  return {Instruction::Kind::Input, Opcode::Add, dtype, {-1, -1, -1}, index, {}};
}

inline Instruction iota(int axis, Dtype dtype) {
  return {Instruction::Kind::Iota, Opcode::Iota, dtype, {-1, -1, -1}, axis, {}};
}

template <class T>
Instruction constant(T value, Dtype dtype) {
  Instruction instruction{Instruction::Kind::Constant, Opcode::Add, dtype, {-1, -1, -1}, -1, {}};
  std::memcpy(instruction.constant.bytes, &value, sizeof value);
  return instruction;
}

inline Instruction apply(Opcode opcode, Dtype dtype, int a, int b = -1, int c = -1) {
  return {Instruction::Kind::Apply,
          opcode,
          dtype,
          {static_cast<int16_t>(a), static_cast<int16_t>(b), static_cast<int16_t>(c)},
          0,
          {}};
}

inline KernelOutput stored(int instruction) { return {instruction, false, Opcode::ReduceSum}; }
inline KernelOutput reduced(int instruction, Opcode reduction) { return {instruction, true, reduction}; }

/// An operand: a base address (of element 0, …, 0) and strides in elements.
struct Operand {
  const void* data;
  std::vector<int64_t> strides;
};

inline std::vector<int64_t> row_major(const std::vector<int64_t>& shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t expected = 1;
  for (size_t axis = shape.size(); axis-- > 0; expected *= shape[axis]) strides[axis] = expected;
  return strides;
}

inline int64_t count(const std::vector<int64_t>& shape) {
  int64_t size = 1;
  for (const int64_t extent : shape) size *= extent;
  return size;
}

inline void run(const FusedKernel& kernel, const std::vector<int64_t>& shape,
                const std::vector<Operand>& operands, const std::vector<void*>& outputs) {
  std::vector<const void*> data;
  std::vector<const int64_t*> strides;
  for (const Operand& operand : operands) {
    data.push_back(operand.data);
    strides.push_back(operand.strides.data());
  }
  cpu::FusedExecutor(kernel).run(shape.data(), data.data(), strides.data(), outputs.data());
}

/// Distance in units of the last place of T, at the reference (of T's subnormal spacing near 0); 0 for two
/// NaN.
template <class T>
double ulps(T value, long double reference) {
  if (std::isnan(value) || std::isnan(reference))
    return std::isnan(value) && std::isnan(reference) ? 0 : 1e30;
  const T rounded = static_cast<T>(reference);
  if (value == rounded) return 0;
  if (std::isinf(value) || std::isinf(rounded)) {
    const T largest = std::copysign(std::numeric_limits<T>::max(), std::isinf(value) ? value : rounded);
    const T other = std::isinf(value) ? rounded : value;
    return other == largest ? 1 : 1e30;
  }
  int exponent;
  std::frexp(std::max(std::fabs(rounded), std::numeric_limits<T>::min()), &exponent);
  const long double unit = std::ldexp(1.0L, exponent - std::numeric_limits<T>::digits);
  return static_cast<double>(std::fabs(static_cast<long double>(value) - reference) / unit);
}

}  // namespace ftrans::testing
