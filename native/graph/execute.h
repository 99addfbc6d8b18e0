#pragma once

#include <exception>
#include <vector>

#include "graph/program.h"

namespace ftrans {

/// Starts the computation of what `roots` need. Pending values become Scheduled; on failure they are Pending
/// again. With `blocking`, returns when the roots are ready, and throws what went wrong. Called under the
/// interpreter's lock, which `unlock`/`relock` give up and take back around the work itself.
class Evaluation {
 public:
  virtual ~Evaluation() = default;
  virtual void unlock() {}
  virtual void relock() {}

  /// Between `unlock` and `relock`, about every tenth of a second: throws if the caller does not want the
  /// roots any more. The work for them is then given up, by other threads too; what is pending stays so.
  virtual void check_wanted() {}

  void run(const std::vector<Ref<Value>>& roots, bool blocking);

  /// `check_wanted`, between pieces of work that this thread does itself: what it throws is thrown by `run`.
  static void ask(void* evaluation);

  /// From now on every evaluation is blocking: the interpreter, which host functions need, is about to end.
  static void always_block();

 private:
  std::exception_ptr wait(const std::vector<Ref<Event>>& events);

  std::exception_ptr given_up_;  ///< what `ask` has caught
};

/// Whether the calling thread is in a host function, further up in its stack. It runs what it evaluates there
/// by itself: streams may stand still until the function returns.
bool in_host_call();

/// Around a call of a host function.
class HostCallScope {
 public:
  HostCallScope();
  ~HostCallScope();
};

}  // namespace ftrans
