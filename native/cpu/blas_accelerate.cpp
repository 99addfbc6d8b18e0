#include <Accelerate/Accelerate.h>
#include <dlfcn.h>

#include <stdexcept>

#include "cpu/blas.h"
#include "cpu/blas_library.h"

namespace ftrans::cpu {

void set_blas_path(std::string) {}  // Accelerate is part of the system

const BlasLibrary& blas_library() {
  // CBLAS enumerations have the representation of int.
  static const BlasLibrary library{
      .sgemm = reinterpret_cast<BlasLibrary::Gemm<float, float>>(&cblas_sgemm),
      .dgemm = reinterpret_cast<BlasLibrary::Gemm<double, double>>(&cblas_dgemm),
      .cgemm = reinterpret_cast<BlasLibrary::Gemm<const void*, void>>(&cblas_cgemm),
      .zgemm = reinterpret_cast<BlasLibrary::Gemm<const void*, void>>(&cblas_zgemm),
      .sgemv = reinterpret_cast<BlasLibrary::Gemv<float, float>>(&cblas_sgemv),
      .dgemv = reinterpret_cast<BlasLibrary::Gemv<double, double>>(&cblas_dgemv),
      .cgemv = reinterpret_cast<BlasLibrary::Gemv<const void*, void>>(&cblas_cgemv),
      .zgemv = reinterpret_cast<BlasLibrary::Gemv<const void*, void>>(&cblas_zgemv),
      .runs_own_threads = true,
      .description = "Accelerate",
  };
  return library;
}

void* lapack_function(const std::string& name) {
  // The interface of LAPACK 3.9 and later carries a suffix; systems before macOS 13.3 have the old one only.
  void* function = dlsym(RTLD_DEFAULT, (name + "$NEWLAPACK").c_str());
  if (function == nullptr) function = dlsym(RTLD_DEFAULT, (name + "_").c_str());
  if (function == nullptr) throw std::runtime_error("Accelerate lacks the function " + name);
  return function;
}

}  // namespace ftrans::cpu
