#include "metal/lasting_queue.h"

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

namespace ftrans::metal {

void LastingQueue::run(Make make, Done done) {
  std::lock_guard lock(mutex_);
  Work work{++given_, std::move(make), std::move(done), false};
  if (has_failed_) {
    const uint64_t number = work.number;
    waiting_.emplace(number, std::move(work));
  } else {
    give(std::move(work));
  }
}

void LastingQueue::give(Work work) {
  work.is_first = std::exchange(is_new_, false);
  const Ref<CommandBuffer> buffer = work.make(*queue_);
  ++under_way_;
  buffer->commit([this, work = std::move(work)](const Outcome& outcome) { take_back(work, outcome); });
}

/// What a new queue refuses at once is refused for good: it is not for what came before.
void LastingQueue::take_back(const Work& work, const Outcome& outcome) {
  const bool is_refused = !outcome.has_begun && !work.is_first;
  bool goes_on = false;
  {
    std::lock_guard lock(mutex_);
    --under_way_;
    has_failed_ |= !outcome.error.empty();
    if (outcome.has_begun) last_begun_ = std::max(last_begun_, work.number);
    if (is_refused) waiting_.emplace(work.number, work);
    if (has_failed_ && under_way_ == 0) {
      goes_on = !waiting_.empty();
      if (!goes_on) renew();
    }
  }
  if (!is_refused) work.done(outcome.error);  // the last of all: nothing of this queue may be there any more
  if (goes_on) go_on();                       // unless something waits for it
}

void LastingQueue::renew() {
  try {
    queue_ = device_.new_queue();
  } catch (const std::exception&) {
    // Then the old one says what it refuses, and why.
  }
  has_failed_ = false;
  is_new_ = true;
}

/// Gives what waits to a new queue. What was overtaken cannot be made up for: others rely on the order.
void LastingQueue::go_on() {
  std::vector<Done> overtaken;
  {
    std::lock_guard lock(mutex_);
    renew();
    for (auto& [number, work] : std::exchange(waiting_, {})) {
      if (number < last_begun_) {
        overtaken.push_back(std::move(work.done));
      } else {
        give(std::move(work));
      }
    }
  }
  for (const Done& done : overtaken) done("the device did not begin it after an earlier error");
}

}  // namespace ftrans::metal
