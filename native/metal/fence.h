#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "core/gpu.h"
#include "metal/api.h"

namespace ftrans::metal {

/// The end of work, which the device can wait for by an event, and the processor as well. When the event has
/// come so far, the fence need not have ended yet: it ends behind all that the work depends on.
class EventFence : public Fence {
 public:
  EventFence(Ref<SharedEvent> event, uint64_t value) : event_(std::move(event)), value_(value) {}

  void wait() override {
    std::unique_lock lock(mutex_);
    condition_.wait(lock, [this] { return ended_; });
    if (error_) std::rethrow_exception(error_);
  }

  bool wait_for(std::chrono::milliseconds longest) override {
    std::unique_lock lock(mutex_);
    return condition_.wait_for(lock, longest, [this] { return ended_; });
  }

  void end(std::exception_ptr error) {
    std::vector<std::function<void()>> followers;
    {
      std::lock_guard lock(mutex_);
      ended_ = true;
      error_ = std::move(error);
      followers.swap(followers_);
    }
    condition_.notify_all();
    for (const auto& each : followers) each();
  }

  /// Calls `follower` when the work has ended, however it did.
  void then(std::function<void()> follower) {
    {
      std::lock_guard lock(mutex_);
      if (!ended_) return followers_.push_back(std::move(follower));
    }
    follower();
  }

  /// What went wrong with the work, as far as it has ended.
  std::exception_ptr error() {
    std::lock_guard lock(mutex_);
    return error_;
  }

  bool has_succeeded() {
    std::lock_guard lock(mutex_);
    return ended_ && !error_;
  }

  const Ref<SharedEvent>& event() const { return event_; }
  uint64_t value() const { return value_; }

 private:
  const Ref<SharedEvent> event_;
  const uint64_t value_;
  std::mutex mutex_;
  std::condition_variable condition_;
  std::vector<std::function<void()>> followers_;
  bool ended_ = false;
  std::exception_ptr error_;
};

/// Calls `follower` when all of the work has ended, with `error`, or else its first error in this order.
inline void after_all(std::vector<Ref<EventFence>> fences, std::function<void(std::exception_ptr)> follower,
                      std::exception_ptr error = nullptr) {
  if (fences.empty()) return follower(std::move(error));
  const Ref<EventFence> first = std::move(fences.front());
  fences.erase(fences.begin());
  first->then(
      [first = first.get(), rest = std::move(fences), follower = std::move(follower), error]() mutable {
        after_all(std::move(rest), std::move(follower), error ? error : first->error());
      });
}

}  // namespace ftrans::metal
