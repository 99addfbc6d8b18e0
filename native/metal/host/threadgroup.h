#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "metal/api.h"
#include "metal/host/fiber.h"
#include "metal/host/include/thread_context.h"
#include "metal/host/source.h"

namespace ftrans::metal::host {

/// Bytes that a kernel read and wrote, by buffer index (in checked kernels), and products of 8 × 8 matrices.
struct Traffic {
  std::array<std::atomic<uint64_t>, kMostBindings> read{}, written{};
  std::atomic<uint64_t> matrix_products{0};
};

/// One kernel, loaded.
struct LoadedKernel {
  std::string name;
  ThreadFunction run;
  bool cooperative;
  KernelSignature signature;
  const char* image_begin;  ///< where its machine code and constants lie
  const char* image_end;
};

/// What a dispatch runs with.
struct Dispatch {
  struct Binding {
    char* data = nullptr;
    size_t size = 0;
    bool counted = true;  ///< in the traffic; constants of a dispatch, which hardware keeps at hand, are not
  };
  const LoadedKernel* kernel;
  std::array<Binding, kMostBindings> buffers{};
  std::array<size_t, kMostBindings> threadgroup_sizes{};
  Size threadgroups, threads;
  uint64_t seed;
  std::chrono::steady_clock::time_point deadline;
  Traffic* traffic;
};

/// The thread of a kernel that runs on the calling thread.
ThreadContext* running_thread();

/// Runs threadgroups on the calling thread, one after the other. Each of their threads is a fiber when the
/// kernel has barriers or SIMD-group operations; between these, threads run in a random order that the seed
/// gives.
class ThreadgroupRunner {
 public:
  /// Throws std::runtime_error for what would be a fault of the device. `meanwhile` is called when all
  /// threads are at a barrier for the first time; other runners may run then.
  void run(const Dispatch& dispatch, Size position, std::function<void()> meanwhile = nullptr);

 private:
  enum class State : uint8_t { Ready, AtBarrier, AtSimdBarrier, AtExchange, Ended };
  struct Thread {
    ThreadContext context;
    State state;
    unsigned line;
    std::unique_ptr<Fiber> fiber;
  };
  /// What the lanes of a SIMD-group show each other: one may be a step ahead of the others.
  struct SimdGroup {
    Exchange exchanges[2];
    unsigned turn;
    std::array<unsigned, kSimdWidth> next;  ///< which of the two each lane takes
  };

  void prepare(const Dispatch& dispatch, Size position);
  void run_alone();
  void run_together();
  void go_on_with(Thread& thread);
  void release(unsigned begin, unsigned end, State state);
  void release_what_is_complete(Thread& last);
  [[noreturn]] void explain_standstill();
  [[noreturn]] void fault(const ThreadContext& context, const std::string& what) const;
  void wait(ThreadContext* context, State state, unsigned line);
  void check_access(ThreadContext* context, const void* address, size_t bytes, bool writes);
  void* threadgroup_variable(ThreadContext* context, unsigned number, size_t bytes);

  Thread& thread_of(ThreadContext* context) { return threads_[context->index_in_threadgroup]; }
  char* allocate_threadgroup_memory(size_t bytes);

  const Dispatch* dispatch_ = nullptr;
  unsigned count_ = 0;
  std::vector<Thread> threads_;
  std::vector<SimdGroup> simdgroups_;
  std::vector<unsigned> ready_;
  std::mt19937_64 random_;
  std::vector<char> threadgroup_memory_;
  size_t threadgroup_memory_used_ = 0;
  std::array<void*, kMostBindings> buffers_{};
  std::array<void*, kMostBindings> threadgroup_arguments_{};
  std::vector<void*> threadgroup_variables_;
  unsigned blocks_ = 0;  ///< that its threads have begun
  std::function<void()> meanwhile_;
  std::exception_ptr error_;
};

constexpr size_t kMostThreadgroupMemory = 32 << 10;
constexpr unsigned kMostThreads = 1024;

}  // namespace ftrans::metal::host
