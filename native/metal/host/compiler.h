#pragma once

#include <memory>
#include <string>

#include "metal/api.h"
#include "metal/host/threadgroup.h"

namespace ftrans::metal::host {

/// The kernels of a library, as loaded machine code.
class Image {
 public:
  ~Image();
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

  /// Compiles MSL with the machine's C++ compiler (`CXX`, or the first of c++, g++ and clang++ that is
  /// there). The result is kept in `cache_folder` under a hash of everything that it depends on, unless that
  /// is empty. Throws CompileError.
  static std::unique_ptr<Image> compile(const std::string& msl, bool checked,
                                        const std::string& cache_folder);

  const LoadedKernel* kernel(const std::string& name) const;

 private:
  Image() = default;
  void* handle_ = nullptr;
  std::vector<LoadedKernel> kernels_;
};

}  // namespace ftrans::metal::host
