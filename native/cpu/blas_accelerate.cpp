#include <dlfcn.h>

#include <stdexcept>

#include "cpu/blas.h"
#include "cpu/blas_library.h"

namespace ftrans::cpu {
namespace {

/// Of the interface that Accelerate has since macOS 13.3 (BLAS and LAPACK 3.9 and later), with integers of 64
/// bits. Its header only renames the functions so (ACCELERATE_NEW_LAPACK, ACCELERATE_LAPACK_ILP64); asking
/// for the names does without it.
void* accelerate_function(const std::string& name) {
  static void* const accelerate =
      dlopen("/System/Library/Frameworks/Accelerate.framework/Accelerate", RTLD_NOW | RTLD_LOCAL);
  if (accelerate == nullptr) throw std::runtime_error(std::string("cannot load Accelerate: ") + dlerror());
  void* function = dlsym(accelerate, (name + "$NEWLAPACK$ILP64").c_str());
  if (function == nullptr)
    throw std::runtime_error("Accelerate lacks the function " + name + "; ftrans needs macOS 14 or later");
  return function;
}

template <typename Function>
void resolve(const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(accelerate_function(name));
}

BlasLibrary load() {
  BlasLibrary library{};
  resolve("cblas_sgemm", library.sgemm);
  resolve("cblas_dgemm", library.dgemm);
  resolve("cblas_cgemm", library.cgemm);
  resolve("cblas_zgemm", library.zgemm);
  resolve("cblas_sgemv", library.sgemv);
  resolve("cblas_dgemv", library.dgemv);
  resolve("cblas_cgemv", library.cgemv);
  resolve("cblas_zgemv", library.zgemv);
  library.runs_own_threads = true;
  library.description = "Accelerate";
  return library;
}

}  // namespace

void set_blas_path(std::string) {}  // Accelerate is part of the system

const BlasLibrary& blas_library() {
  static const BlasLibrary library = load();
  return library;
}

void* lapack_function(const std::string& name) { return accelerate_function(name); }

}  // namespace ftrans::cpu
