// The innermost part of a convolution: a tile of the result, held in registers.

#include <cstddef>

#include "cpu/simd/kernel_parts.h"

namespace ftrans::cpu::FTRANS_ISA_NAMESPACE {
namespace {

// Accumulators fill the registers, but for a row of the right side and one element of the left.
#if defined(__AVX512F__)
constexpr int kVectorBytes = 64, kRows = 7, kVectors = 4;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32, kRows = 6, kVectors = 2;
#elif defined(__aarch64__)
constexpr int kVectorBytes = 16, kRows = 6, kVectors = 4;
#else
constexpr int kVectorBytes = 16, kRows = 6, kVectors = 2;
#endif

template <class T, int rows>
void run_tile(const TileOperands& operands) {
  typedef T Vector __attribute__((vector_size(kVectorBytes), aligned(alignof(T)), may_alias));
  constexpr int kLanes = kVectorBytes / sizeof(T);
  const int64_t run = operands.run, stride = operands.row_stride;
  const T* right = static_cast<const T*>(operands.right);
  Vector sums[rows][kVectors] = {};
  for (int64_t i = 0; i < operands.run_count; ++i) {
    const T* left = static_cast<const T*>(operands.left) + operands.run_offsets[i];
    for (int64_t k = 0; k < run; ++k) {
      Vector factors[kVectors];
#pragma GCC unroll 8
      for (int j = 0; j < kVectors; ++j) factors[j] = *reinterpret_cast<const Vector*>(right + j * kLanes);
      right += kVectors * kLanes;
#pragma GCC unroll 8
      for (int row = 0; row < rows; ++row) {
#pragma GCC unroll 8
        for (int j = 0; j < kVectors; ++j) sums[row][j] += left[row * stride + k] * factors[j];
      }
    }
  }
#pragma GCC unroll 8
  for (int row = 0; row < rows; ++row) {
    T* result = static_cast<T*>(operands.result) + row * operands.result_stride;
#pragma GCC unroll 8
    for (int j = 0; j < kVectors; ++j) *reinterpret_cast<Vector*>(result + j * kLanes) = sums[row][j];
  }
}

template <class T>
void run(int64_t rows, const TileOperands& operands) {
  switch (rows) {
    case 1: return run_tile<T, 1>(operands);
    case 2: return run_tile<T, 2>(operands);
    case 3: return run_tile<T, 3>(operands);
    case 4: return run_tile<T, 4>(operands);
    case 5: return run_tile<T, 5>(operands);
    case 6: return run_tile<T, 6>(operands);
    default: return run_tile<T, kRows>(operands);
  }
}

}  // namespace

TileProduct tile_product_kernel(Dtype dtype) {
  if (dtype == Dtype::Float32) return {run<float>, kRows, kVectors * kVectorBytes / 4};
  if (dtype == Dtype::Float64) return {run<double>, kRows, kVectors * kVectorBytes / 8};
  return {};
}

}  // namespace ftrans::cpu::FTRANS_ISA_NAMESPACE
