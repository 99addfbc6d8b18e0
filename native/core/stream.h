#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>

#include "core/ref.h"

namespace ftrans {

enum class DeviceKind : uint8_t { Cpu, Gpu };

struct Device {
  DeviceKind kind = DeviceKind::Cpu;
  int index = 0;
  bool operator==(const Device&) const = default;
};

class GpuQueue;

/// What an event tells the end of.
class Work : public RefCounted {
 public:
  /// Does what no thread has begun, on the calling one; returns at once if there is nothing.
  virtual void take_over() = 0;

  /// Nobody wants it any more: it fails soon.
  virtual void interrupt() = 0;
};

/// Signalled once, when work is done or has failed; waited for from any thread.
class Event : public RefCounted {
 public:
  /// `work` lives until the event is signalled.
  explicit Event(Work* work) : work_(work) {}

  void signal(std::exception_ptr error = nullptr);
  bool is_signalled() const { return signalled_.load(std::memory_order_acquire); }
  bool has_failed() const { return is_signalled() && error_; }

  /// What went wrong with work that has failed.
  std::exception_ptr error() const { return error_; }

  /// Null once it is done.
  Ref<Work> work() {
    std::lock_guard lock(mutex_);
    return work_;
  }

  /// Blocks until signalled; rethrows the error of the work, if it failed.
  void wait();

  /// Blocks until signalled, but not longer than this; whether it is.
  bool wait_for(std::chrono::milliseconds longest);

 private:
  std::atomic<bool> signalled_{false};
  std::exception_ptr error_;
  std::mutex mutex_;
  std::condition_variable condition_;
  Work* work_;  ///< not owned: it owns the event
};

/// A queue of work whose items run one after the other, in the order in which they were submitted.
class Stream {
 public:
  Stream(Device device, int index);
  ~Stream();

  Device device() const { return device_; }
  int index() const { return index_; }

  /// Of a stream of a GPU: where its work is recorded, by whoever does the stream's work. Else null.
  GpuQueue* queue() const { return queue_.get(); }

  /// Appends a task for the stream's own thread (started at the first use). Tasks don't throw.
  void submit(std::function<void()> task);

  /// If nothing is queued or running, claims the stream for the calling thread, which runs its work itself
  /// and then calls `finish_inline`.
  bool try_begin_inline();
  void finish_inline();

  /// Blocks until everything submitted so far is done, but not much longer than this; whether it is.
  bool synchronize_for(std::chrono::milliseconds longest);

 private:
  void work();

  const Device device_;
  const int index_;
  const std::unique_ptr<GpuQueue> queue_;
  std::mutex mutex_;
  std::condition_variable condition_;
  std::deque<std::function<void()>> tasks_;
  bool busy_ = false;         ///< a task runs, on the stream's thread or on a caller's
  int64_t thread_owner_ = 0;  ///< the process whose thread serves the queue (a fork leaves it behind)
};

/// All streams of the process; they live as long as it does.
class StreamRegistry {
 public:
  static StreamRegistry& instance();

  Stream* new_stream(Device device);
  Stream* default_stream(Device device);
  void set_default_stream(Stream* stream);
  Stream* stream(int index);
  int count();

 private:
  StreamRegistry();
  std::mutex mutex_;
  std::deque<std::unique_ptr<Stream>> streams_;
  Stream* defaults_[2] = {nullptr, nullptr};
};

}  // namespace ftrans
