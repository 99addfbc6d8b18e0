#pragma once

#include <memory>
#include <string>

#include "metal/disk_cache.h"
#include "metal/host/threadgroup.h"

namespace ftrans::metal::host {

/// The kernels of a library, as loaded machine code.
class Image {
 public:
  ~Image();
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

  /// Compiles MSL with the machine's C++ compiler (`CXX`, or the first of c++, g++ and clang++ that is
  /// there), unless the cache has the result. Throws CompileError.
  static std::unique_ptr<Image> compile(const std::string& msl, bool checked, const DiskCache& cache);

  const LoadedKernel* kernel(const std::string& name) const;

 private:
  Image() = default;
  void* handle_ = nullptr;
  std::vector<LoadedKernel> kernels_;
};

}  // namespace ftrans::metal::host
