#pragma once

#include <complex>
#include <string>

namespace ftrans::cpu {

/// The CBLAS functions in use. Enumerations are passed as their standard integer values.
struct BlasLibrary {
  template <typename Scalar, typename Pointer>
  using Gemm = void (*)(int order, int transpose_a, int transpose_b, int m, int n, int k, Scalar alpha,
                        const Pointer* a, int lda, const Pointer* b, int ldb, Scalar beta, Pointer* c,
                        int ldc);
  template <typename Scalar, typename Pointer>
  using Gemv = void (*)(int order, int transpose, int m, int n, Scalar alpha, const Pointer* a, int lda,
                        const Pointer* x, int incx, Scalar beta, Pointer* y, int incy);

  Gemm<float, float> sgemm;
  Gemm<double, double> dgemm;
  Gemm<const void*, void> cgemm;
  Gemm<const void*, void> zgemm;
  Gemv<float, float> sgemv;
  Gemv<double, double> dgemv;
  Gemv<const void*, void> cgemv;
  Gemv<const void*, void> zgemv;
  bool runs_own_threads;  ///< false: a call runs on its thread, and the work is to be divided by the caller
  std::string description;
};

/// The library, loaded at the first call. Throws std::runtime_error if that fails; a later call tries again.
const BlasLibrary& blas_library();

/// The address of a Fortran routine of LAPACK or BLAS, such as "dpotrf". Loads the library.
/// Throws std::runtime_error if that fails or there is no such routine.
void* lapack_function(const std::string& name);

}  // namespace ftrans::cpu
