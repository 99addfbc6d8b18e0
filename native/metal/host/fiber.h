#pragma once

#include <ucontext.h>

#include <cstddef>
#include <functional>

namespace ftrans::metal::host {

/// A function with a stack of its own, which can stop in the middle and go on later. Used by one thread.
class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// The next `resume` starts `body`, which must not throw.
  void start(std::function<void()> body);

  /// Runs the body until it yields or ends.
  void resume();

  /// Called from the body: returns to whoever resumed it.
  void yield();

  /// Whether an address lies on the fiber's stack.
  bool owns(const void* address) const;

 private:
  static void enter(unsigned high, unsigned low);
  void switch_to_caller(bool ends);

  static constexpr size_t kStackSize = size_t{256} << 10;
  char* stack_;
  std::function<void()> body_;
  ucontext_t own_{}, caller_{};
  // What the sanitizers need to know of the stacks.
  void* fake_stack_ = nullptr;
  const void* caller_stack_ = nullptr;
  size_t caller_stack_size_ = 0;
  void* own_thread_ = nullptr;
  void* caller_thread_ = nullptr;
};

}  // namespace ftrans::metal::host
