#pragma once

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

  void run(const std::vector<Ref<Value>>& roots, bool blocking);

  /// From now on every evaluation is blocking: the interpreter, which host functions need, is about to end.
  static void always_block();
};

/// Whether the calling thread is in a host function, further up in its stack. It runs what it evaluates there
/// by itself: streams may stand still until the function returns.
bool in_host_call();

}  // namespace ftrans
