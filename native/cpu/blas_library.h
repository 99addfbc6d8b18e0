#pragma once

#include <complex>
#include <cstdint>
#include <string>

namespace ftrans::cpu {

/// The integers of BLAS and LAPACK. Accelerate has an interface with 64 bits (ILP64), so that no dimension or
/// workspace is too large there; the scipy-openblas32 wheel has 32 bits.
#if defined(__APPLE__) || defined(FTRANS_BLAS_ILP64)
using BlasInteger = int64_t;
#else
using BlasInteger = int;
#endif

/// The CBLAS functions in use. Enumerations are passed as their standard integer values.
struct BlasLibrary {
  template <typename Scalar, typename Pointer>
  using Gemm = void (*)(int order, int transpose_a, int transpose_b, BlasInteger m, BlasInteger n,
                        BlasInteger k, Scalar alpha, const Pointer* a, BlasInteger lda, const Pointer* b,
                        BlasInteger ldb, Scalar beta, Pointer* c, BlasInteger ldc);
  template <typename Scalar, typename Pointer>
  using Gemv = void (*)(int order, int transpose, BlasInteger m, BlasInteger n, Scalar alpha,
                        const Pointer* a, BlasInteger lda, const Pointer* x, BlasInteger incx, Scalar beta,
                        Pointer* y, BlasInteger incy);

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
