#include "core/stream.h"

#include <unistd.h>

#include <thread>

#include "core/gpu.h"

namespace ftrans {

void Event::signal(std::exception_ptr error) {
  {
    std::lock_guard lock(mutex_);
    error_ = std::move(error);
    work_ = nullptr;
    signalled_.store(true, std::memory_order_release);
  }
  condition_.notify_all();
}

void Event::wait() {
  if (!is_signalled()) {
    std::unique_lock lock(mutex_);
    condition_.wait(lock, [this] { return is_signalled(); });
  }
  if (error_) std::rethrow_exception(error_);
}

Stream::Stream(Device device, int index)
    : device_(device), index_(index), queue_(device.kind == DeviceKind::Gpu ? gpu()->new_queue() : nullptr) {}

Stream::~Stream() = default;

bool Event::wait_for(std::chrono::milliseconds longest) {
  if (is_signalled()) return true;
  std::unique_lock lock(mutex_);
  return condition_.wait_for(lock, longest, [this] { return is_signalled(); });
}

void Stream::submit(std::function<void()> task) {
  {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    if (thread_owner_ != getpid()) {
      thread_owner_ = getpid();
      std::thread(&Stream::work, this).detach();
    }
  }
  condition_.notify_all();
}

void Stream::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    condition_.wait(lock, [this] { return !busy_ && !tasks_.empty(); });
    std::function<void()> task = std::move(tasks_.front());
    tasks_.pop_front();
    busy_ = true;
    lock.unlock();
    task();
    task = nullptr;  // what it holds goes before the stream counts as idle
    lock.lock();
    busy_ = false;
    condition_.notify_all();
  }
}

bool Stream::try_begin_inline() {
  std::lock_guard lock(mutex_);
  if (busy_ || !tasks_.empty()) return false;
  busy_ = true;
  return true;
}

void Stream::finish_inline() {
  bool waiting;
  {
    std::lock_guard lock(mutex_);
    busy_ = false;
    waiting = thread_owner_ != 0;
  }
  if (waiting) condition_.notify_all();
}

bool Stream::synchronize_for(std::chrono::milliseconds longest) {
  {
    std::unique_lock lock(mutex_);
    if (!condition_.wait_for(lock, longest, [this] { return !busy_ && tasks_.empty(); })) return false;
  }
  return !queue_ || queue_->synchronize_for(longest);
}

/// The first stream is that of the default device.
StreamRegistry::StreamRegistry() {
  if (gpu()) defaults_[1] = new_stream(Device{DeviceKind::Gpu, 0});
  defaults_[0] = new_stream(Device{DeviceKind::Cpu, 0});
}

StreamRegistry& StreamRegistry::instance() {
  static StreamRegistry* registry = new StreamRegistry;  // never destroyed: stream threads may outlive main
  return *registry;
}

Stream* StreamRegistry::new_stream(Device device) {
  std::lock_guard lock(mutex_);
  streams_.push_back(std::make_unique<Stream>(device, static_cast<int>(streams_.size())));
  return streams_.back().get();
}

Stream* StreamRegistry::default_stream(Device device) {
  std::lock_guard lock(mutex_);
  return defaults_[static_cast<int>(device.kind)];
}

void StreamRegistry::set_default_stream(Stream* stream) {
  std::lock_guard lock(mutex_);
  defaults_[static_cast<int>(stream->device().kind)] = stream;
}

Stream* StreamRegistry::stream(int index) {
  std::lock_guard lock(mutex_);
  return index >= 0 && index < static_cast<int>(streams_.size()) ? streams_[index].get() : nullptr;
}

int StreamRegistry::count() {
  std::lock_guard lock(mutex_);
  return static_cast<int>(streams_.size());
}

}  // namespace ftrans
