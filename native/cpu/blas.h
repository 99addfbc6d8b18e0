#pragma once

#include <complex>
#include <cstdint>
#include <string>

/// The part of BLAS that the step kernels use, over row-major matrices: Accelerate on macOS, OpenBLAS
/// elsewhere.
namespace ftrans::cpu {

/// Where OpenBLAS is (the library file of the scipy-openblas32 wheel). It is loaded at first use.
void set_blas_path(std::string path);

/// Library, version and core name, such as "OpenBLAS 0.3.31 SkylakeX"; loads the library.
const char* blas_description();

/// A row-major matrix, or the transpose of one.
template <typename T>
struct BlasMatrix {
  const T* data;
  int64_t leading_dimension;
  bool transposed;  ///< element (i, j) is at data[j · leading_dimension + i]
};

/// result = a · b, with a of shape [rows, depth], b of shape [depth, columns]; on all threads where it is
/// worth it. T is float, double, std::complex<float> or std::complex<double>. All extents must be at least 1.
/// Throws std::runtime_error if the library cannot be loaded.
template <typename T>
void blas_gemm(int64_t rows, int64_t columns, int64_t depth, BlasMatrix<T> a, BlasMatrix<T> b, T* result,
               int64_t result_leading_dimension);

/// result = a · b, or result += a · b, on the calling thread alone.
template <typename T>
void blas_gemm_serial(int64_t rows, int64_t columns, int64_t depth, BlasMatrix<T> a, BlasMatrix<T> b,
                      bool accumulate, T* result, int64_t result_leading_dimension);

/// result = a · x, with a of shape [rows, columns] and x with elements `x_stride` (≥ 1) apart.
template <typename T>
void blas_gemv(int64_t rows, int64_t columns, BlasMatrix<T> a, const T* x, int64_t x_stride, T* result);

}  // namespace ftrans::cpu
