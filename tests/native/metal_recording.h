#pragma once

// Finds out which kernels steps use without compiling any, so that those of many cases can be compiled
// together.

#include <cstring>
#include <vector>

#include "metal/step_kernel.h"

namespace ftrans::test {

/// Remembers kernels instead of compiling them.
class RecordingDevice : public metal::Device {
 public:
  explicit RecordingDevice(metal::Device& device) : device_(device) {}

  metal::DeviceInfo info() const override { return device_.info(); }
  Ref<metal::Library> compile(const std::string& source) override {
    const size_t begin = source.rfind("\nkernel void ") + 1, name = begin + std::strlen("kernel void ");
    metal::PrintedKernel kernel;
    kernel.name = source.substr(name, source.find('(', name) - name);
    kernel.text = source.substr(begin);
    kernels.push_back(kernel);
    return new NoLibrary;
  }
  Ref<metal::Memory> allocate(size_t size) override { return device_.allocate(size); }
  Ref<metal::Memory> wrap(void* data, size_t size, void* owner, void (*free_owner)(void*)) override {
    return device_.wrap(data, size, owner, free_owner);
  }
  Ref<metal::Queue> new_queue() override { return device_.new_queue(); }
  Ref<metal::SharedEvent> new_event() override { return device_.new_event(); }
  void start_capture(const std::string& path) override { device_.start_capture(path); }
  void stop_capture() override { device_.stop_capture(); }

  std::vector<metal::PrintedKernel> kernels;  ///< name and text

 private:
  class NoFunction : public metal::Function {
   public:
    uint32_t most_threads_per_threadgroup() const override { return 1024; }
  };
  class NoLibrary : public metal::Library {
   public:
    Ref<metal::Function> function(const std::string&) override { return new NoFunction; }
  };

  metal::Device& device_;
};

/// Takes commands and forgets them.
class ForgetfulBuffer : public metal::CommandBuffer {
 public:
  void wait(metal::SharedEvent&, uint64_t) override {}
  void signal(metal::SharedEvent&, uint64_t) override {}
  void set_function(metal::Function&) override {}
  void set_memory(int, metal::Memory&, size_t) override {}
  void set_bytes(int, const void*, size_t) override {}
  void set_threadgroup_memory(int, size_t) override {}
  void dispatch(metal::Size, metal::Size) override {}
  void barrier() override {}
  void commit(std::function<void(const std::string&)>) override {}
};

}  // namespace ftrans::test
