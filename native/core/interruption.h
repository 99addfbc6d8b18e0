#pragma once

#include <atomic>
#include <chrono>
#include <exception>

namespace ftrans {

/// The work was given up by whoever asked for it.
class Interrupted : public std::exception {
 public:
  const char* what() const noexcept override { return "the evaluation was interrupted"; }
};

/// Told to the threads that work on something: that nobody wants it any more. In its scope, a thread asks
/// between steps and iterations.
class Interruption {
 public:
  /// Asked about every tenth of a second by the thread that waits for the work and does it itself; throws to
  /// give it up.
  using Ask = void (*)(void* context);

  void request() { requested_.store(true, std::memory_order_relaxed); }

  /// Between two pieces of work: throws if they should not go on. Next to free: the clock is looked at as
  /// often as the pieces are long, and the flag is a load.
  static void poll() {
    if (Scope* scope = Scope::current) scope->poll();
  }

  /// `poll` after a wait: the thread asks at once.
  static void poll_after_wait() {
    if (Scope* scope = Scope::current) {
      scope->remaining_ = 0;
      scope->poll();
    }
  }

  /// Makes this what the thread polls.
  class Scope {
   public:
    explicit Scope(const Interruption& interruption, Ask ask = nullptr, void* context = nullptr)
        : interruption_(interruption), ask_(ask), context_(context), previous_(current) {
      current = this;
    }
    ~Scope() { current = previous_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    friend class Interruption;
    using Clock = std::chrono::steady_clock;

    void poll() {
      if (interruption_.requested_.load(std::memory_order_relaxed)) throw Interrupted();
      if (ask_ && --remaining_ <= 0) look_at_clock();
    }

    void look_at_clock();

    static thread_local Scope* current;

    const Interruption& interruption_;
    const Ask ask_;
    void* const context_;
    Scope* const previous_;
    int remaining_ = 1;  ///< polls until the clock is looked at again
    int stride_ = 1;     ///< polls from one look at the clock to the next
    Clock::time_point looked_ = Clock::now();
    Clock::time_point asked_ = looked_;
  };

 private:
  std::atomic<bool> requested_{false};
};

/// How long a thread works or waits before it asks whether it should go on.
constexpr std::chrono::milliseconds kInterruptionInterval{100};

}  // namespace ftrans
