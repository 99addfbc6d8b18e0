#pragma once

#include <atomic>
#include <map>
#include <mutex>

#include "metal/host/compiler.h"

namespace ftrans::metal::host {

/// How strictly the host device runs, and what it shall let fail. Read at each use; tests change it.
struct Options {
  std::atomic<bool> checked{true};  ///< every access to memory is checked and counted
  std::atomic<uint64_t> seed{0};    ///< of the order of threads and threadgroups
  std::atomic<bool> overtaking{
      false};  ///< a grid's first threadgroup stays at a barrier until the others end
  std::atomic<int> milliseconds{60'000};     ///< a command buffer that takes longer is a time-out
  std::atomic<bool> held{false};             ///< command buffers do not begin
  std::atomic<int> failing_compilations{0};  ///< as many of the next compilations fail
  std::atomic<int> failing_allocations{0};
  std::atomic<int> failing_command_buffers{0};  ///< as many of the next whose dispatches begin
};
Options& options();

/// What has happened since the last reset.
struct Counters {
  std::atomic<uint64_t> compilations{0}, dispatches{0}, command_buffers{0};
  std::atomic<uint64_t> compiler_runs{0};                 ///< for compilations that the cache did not save
  std::atomic<uint64_t> bytes_read{0}, bytes_written{0};  ///< by kernels, in buffers; if checked
  std::atomic<uint64_t> matrix_products{0};               ///< of 8 × 8, by SIMD-groups
};
Counters& counters();

/// A device that runs MSL on this machine's processor: the text that Apple's GPUs would get, stricter than
/// they are.
class HostDevice : public Device {
 public:
  DeviceInfo info() const override;
  Ref<Library> compile(const std::string& source) override;
  Ref<Memory> allocate(size_t size) override;
  Ref<Memory> wrap(void* data, size_t size, void* owner, void (*free_owner)(void*)) override;
  Ref<Queue> new_queue() override;
  Ref<SharedEvent> new_event() override;
  void start_capture(const std::string& path) override;
  void stop_capture() override;
};

}  // namespace ftrans::metal::host
