#include "core/interruption.h"

#include <algorithm>

namespace ftrans {

thread_local Interruption::Scope* Interruption::Scope::current = nullptr;

void Interruption::Scope::look_at_clock() {
  constexpr std::chrono::milliseconds kSoon{1}, kLate{20};
  constexpr int kLargestStride = 1 << 12;
  const Clock::time_point now = Clock::now();
  if (now - looked_ < kSoon) {
    stride_ = std::min(2 * stride_, kLargestStride);
  } else if (now - looked_ > kLate) {
    stride_ = 1;
  }
  looked_ = now;
  remaining_ = stride_;
  if (now - asked_ < kInterruptionInterval) return;
  asked_ = now;
  ask_(context_);
}

}  // namespace ftrans
