#include <cstdlib>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>

#include <dlfcn.h>

#include "cpu/blas.h"
#include "cpu/blas_library.h"

namespace ftrans::cpu {
namespace {

std::mutex mutex;
std::string library_path;  // guarded by `mutex`

/// Sets an environment variable for a while.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const char* value) : name_(name) {
    if (const char* previous = std::getenv(name)) previous_ = previous;
    setenv(name, value, 1);
  }
  ~ScopedVariable() {
    if (previous_) {
      setenv(name_, previous_->c_str(), 1);
    } else {
      unsetenv(name_);
    }
  }
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> previous_;
};

/// The core type to ask OpenBLAS for; nullptr leaves it the choice. On AMD processors newer than itself it
/// falls back to kernels for Haswell, at half of the speed of those for AVX-512.
const char* core_type() {
#if defined(__x86_64__)
  if (std::getenv("OPENBLAS_CORETYPE") != nullptr) return nullptr;
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512cd");
  if (__builtin_cpu_is("amd") && avx512)
    return __builtin_cpu_supports("avx512bf16") ? "Cooperlake" : "SkylakeX";
#endif
  return nullptr;
}

void* open_library(const std::string& path) {
  // The work is divided among the threads of our own pool. OpenBLAS' threads callback would not do: the
  // threads of one of its matrix products wait for each other, so all of them must run at once, which a pool
  // shared by several callers cannot promise.
  const ScopedVariable threads("OPENBLAS_NUM_THREADS", "1");
  std::optional<ScopedVariable> core;
  if (const char* type = core_type()) core.emplace("OPENBLAS_CORETYPE", type);
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr)
    throw std::runtime_error("cannot load the BLAS library '" + path + "': " + dlerror());
  return handle;
}

template <typename Function>
void resolve(void* handle, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(dlsym(handle, name));
  if (function == nullptr)
    throw std::runtime_error(std::string("the BLAS library lacks the function ") + name);
}

/// "OpenBLAS 0.3.31  DYNAMIC_ARCH …" → "OpenBLAS 0.3.31"
std::string name_and_version(const std::string& configuration) {
  const size_t space = configuration.find(' ');
  return configuration.substr(0, space == std::string::npos ? space : configuration.find(' ', space + 1));
}

void* library_handle = nullptr;  // written once, while `blas_library` loads

BlasLibrary load(const std::string& path) {
  if (path.empty()) throw std::runtime_error("the path of the BLAS library is not set (set_blas_path)");
  void* handle = library_handle = open_library(path);
  void (*set_num_threads)(int);
  char* (*get_config)();
  char* (*get_corename)();
  resolve(handle, "scipy_openblas_set_num_threads", set_num_threads);
  resolve(handle, "scipy_openblas_get_config", get_config);
  resolve(handle, "scipy_openblas_get_corename", get_corename);
  set_num_threads(1);  // somebody else may have loaded the library before

  BlasLibrary library{};
  resolve(handle, "scipy_cblas_sgemm", library.sgemm);
  resolve(handle, "scipy_cblas_dgemm", library.dgemm);
  resolve(handle, "scipy_cblas_cgemm", library.cgemm);
  resolve(handle, "scipy_cblas_zgemm", library.zgemm);
  resolve(handle, "scipy_cblas_sgemv", library.sgemv);
  resolve(handle, "scipy_cblas_dgemv", library.dgemv);
  resolve(handle, "scipy_cblas_cgemv", library.cgemv);
  resolve(handle, "scipy_cblas_zgemv", library.zgemv);
  library.description = name_and_version(get_config()) + " " + get_corename();
  return library;
}

}  // namespace

void set_blas_path(std::string path) {
  std::lock_guard lock(mutex);
  library_path = std::move(path);
}

const BlasLibrary& blas_library() {
  static const BlasLibrary library = [] {
    std::lock_guard lock(mutex);
    return load(library_path);
  }();
  return library;
}

void* lapack_function(const std::string& name) {
  blas_library();
  void (*function)();
  resolve(library_handle, ("scipy_" + name + "_").c_str(), function);
  return reinterpret_cast<void*>(function);
}

}  // namespace ftrans::cpu
