#include "metal/host/threadgroup.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace ftrans::metal::host {
namespace {

/// The runner whose threadgroup runs on this thread.
thread_local ThreadgroupRunner* running = nullptr;

/// Set whenever it goes on with one of its threads.
thread_local ThreadContext* current = nullptr;

}  // namespace

ThreadContext* running_thread() { return current; }

void ThreadgroupRunner::run(const Dispatch& dispatch, Size position, std::function<void()> meanwhile) {
  dispatch_ = &dispatch;
  error_ = nullptr;
  meanwhile_ = std::move(meanwhile);
  running = this;
  prepare(dispatch, position);
  if (dispatch.kernel->cooperative) {
    run_together();
  } else {
    run_alone();
  }
  if (error_) std::rethrow_exception(error_);
}

void ThreadgroupRunner::prepare(const Dispatch& dispatch, Size position) {
  const Size grid = dispatch.threadgroups, size = dispatch.threads;
  count_ = size.x * size.y * size.z;
  const unsigned groups = (count_ + kSimdWidth - 1) / kSimdWidth;
  if (threads_.size() < count_) threads_.resize(count_);
  if (simdgroups_.size() < groups) simdgroups_.resize(groups);
  for (unsigned group = 0; group < groups; ++group) {
    simdgroups_[group].next.fill(0);
    for (Exchange& exchange : simdgroups_[group].exchanges) exchange.active = 0;
  }
  const uint64_t number = position.x + uint64_t{grid.x} * (position.y + uint64_t{grid.y} * position.z);
  random_.seed(dispatch.seed ^ (number * 0x9E3779B97F4A7C15u));

  // What nobody has written yet must not look like a number.
  threadgroup_memory_.assign(kMostThreadgroupMemory + 64, static_cast<char>(0xff));
  threadgroup_memory_used_ = 0;
  threadgroup_variables_.clear();
  for (unsigned i = 0; i < kMostBindings; ++i) {
    buffers_[i] = dispatch.buffers[i].data;
    const size_t bytes = dispatch.threadgroup_sizes[i];
    threadgroup_arguments_[i] = bytes ? allocate_threadgroup_memory(bytes) : nullptr;
  }

  for (unsigned i = 0; i < count_; ++i) {
    Thread& thread = threads_[i];
    thread.state = State::Ready;
    ThreadContext& c = thread.context;
    const unsigned within[3] = {i % size.x, i / size.x % size.y, i / (size.x * size.y)};
    const unsigned place[3] = {position.x, position.y, position.z};
    const unsigned threads[3] = {size.x, size.y, size.z}, groups_in_grid[3] = {grid.x, grid.y, grid.z};
    for (int axis = 0; axis < 3; ++axis) {
      c.position_in_threadgroup[axis] = within[axis];
      c.threadgroup_position[axis] = place[axis];
      c.position_in_grid[axis] = place[axis] * threads[axis] + within[axis];
      c.threads_per_threadgroup[axis] = threads[axis];
      c.threadgroups_per_grid[axis] = groups_in_grid[axis];
      c.threads_per_grid[axis] = groups_in_grid[axis] * threads[axis];
    }
    c.index_in_threadgroup = i;
    c.lane = i % kSimdWidth;
    c.simdgroup = i / kSimdWidth;
    c.simdgroups = groups;
    c.blocks = &blocks_;
    c.buffers = buffers_.data();
    c.threadgroup_arguments = threadgroup_arguments_.data();
    c.barrier = [](ThreadContext* context, bool simdgroup_only, unsigned line) {
      running->wait(context, simdgroup_only ? State::AtSimdBarrier : State::AtBarrier, line);
    };
    c.exchange = [](ThreadContext* context, const void* value, unsigned bytes, unsigned line) {
      SimdGroup& group = running->simdgroups_[context->simdgroup];
      Exchange& exchange = group.exchanges[group.next[context->lane] ^= 1];
      std::memcpy(exchange.values[context->lane], value, bytes);
      running->wait(context, State::AtExchange, line);
      return static_cast<const Exchange*>(&exchange);
    };
    c.threadgroup_variable = [](ThreadContext* context, unsigned variable, unsigned long bytes) {
      return running->threadgroup_variable(context, variable, bytes);
    };
    c.access = [](ThreadContext* context, const void* address, unsigned long bytes, bool writes) {
      running->check_access(context, address, bytes, writes);
    };
    c.matrix_product = [](ThreadContext*) {
      running->dispatch_->traffic->matrix_products.fetch_add(1, std::memory_order_relaxed);
    };
    c.look_at_clock = [](ThreadContext* context) {
      if (std::chrono::steady_clock::now() > running->dispatch_->deadline)
        running->fault(*context, "runs for too long (time-out)");
    };
  }
}

/// Nobody waits for anybody: one thread after the other, on this stack.
void ThreadgroupRunner::run_alone() {
  std::vector<unsigned>& order = ready_;
  order.resize(count_);
  for (unsigned i = 0; i < count_; ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), random_);
  for (const unsigned i : order) {
    current = &threads_[i].context;
    dispatch_->kernel->run(current);
  }
}

void ThreadgroupRunner::run_together() {
  ready_.clear();
  for (unsigned i = 0; i < count_; ++i) {
    Thread& thread = threads_[i];
    if (!thread.fiber) thread.fiber = std::make_unique<Fiber>();
    thread.fiber->start([this, &thread] {
      try {
        dispatch_->kernel->run(&thread.context);
      } catch (...) {
        if (!error_) error_ = std::current_exception();
      }
      thread.state = State::Ended;
    });
    ready_.push_back(i);
  }
  unsigned alive = count_;
  while (alive > 0 && !error_) {
    if (ready_.empty()) explain_standstill();
    const size_t choice = random_() % ready_.size();
    Thread& thread = threads_[ready_[choice]];
    ready_[choice] = ready_.back();
    ready_.pop_back();
    current = &thread.context;
    thread.fiber->resume();
    if (thread.state == State::Ended) --alive;
    release_what_is_complete(thread);
  }
  for (unsigned i = 0; i < count_; ++i) {
    if (threads_[i].state != State::Ended) threads_[i].fiber.reset();  // stopped in the middle by an error
  }
}

/// Whoever waited for `last` to arrive (or to end) can go on.
void ThreadgroupRunner::release_what_is_complete(Thread& last) {
  const auto all_wait = [&](unsigned begin, unsigned end, State state) {
    unsigned waiting = 0, line = 0;
    for (unsigned i = begin; i < end; ++i) {
      const Thread& thread = threads_[i];
      if (thread.state == State::Ended) continue;
      if (thread.state != state || (waiting > 0 && thread.line != line)) return false;
      line = thread.line;
      ++waiting;
    }
    return waiting > 0;
  };
  if (last.state == State::AtBarrier) {
    if (!all_wait(0, count_, State::AtBarrier)) return;
    for (unsigned i = 0; i < count_; ++i) {
      if (threads_[i].state == State::Ended)
        fault(threads_[i].context,
              "has ended, but others wait at the barrier of line " + std::to_string(last.line));
    }
    if (const auto meanwhile = std::exchange(meanwhile_, nullptr)) {
      try {
        meanwhile();
      } catch (...) {
        error_ = std::current_exception();
      }
      running = this;
    }
    return release(0, count_, State::AtBarrier);
  }
  const unsigned begin = last.context.simdgroup * kSimdWidth, end = std::min(begin + kSimdWidth, count_);
  for (const State state : {State::AtSimdBarrier, State::AtExchange}) {
    if (!all_wait(begin, end, state)) continue;
    if (state == State::AtExchange) {
      SimdGroup& group = simdgroups_[last.context.simdgroup];
      unsigned active = 0, turn = 0;
      for (unsigned i = begin; i < end; ++i) {
        if (threads_[i].state == State::Ended) continue;
        active |= 1u << (i - begin);
        turn = group.next[i - begin];
      }
      group.exchanges[turn].active = active;
    }
    release(begin, end, state);
  }
}

void ThreadgroupRunner::release(unsigned begin, unsigned end, State state) {
  for (unsigned i = begin; i < end; ++i) {
    if (threads_[i].state != state) continue;
    threads_[i].state = State::Ready;
    ready_.push_back(i);
  }
}

void ThreadgroupRunner::explain_standstill() {
  std::string places;
  std::vector<unsigned> lines;
  const Thread* someone = nullptr;
  for (unsigned i = 0; i < count_; ++i) {
    const Thread& thread = threads_[i];
    if (thread.state == State::Ended || std::find(lines.begin(), lines.end(), thread.line) != lines.end())
      continue;
    lines.push_back(thread.line);
    places += (places.empty() ? "" : " and ") + std::to_string(thread.line);
    someone = &thread;
  }
  fault(
      someone->context,
      "waits for ever: the threads diverged before the barriers or SIMD-group operations of line " + places);
}

void ThreadgroupRunner::wait(ThreadContext* context, State state, unsigned line) {
  if (!dispatch_->kernel->cooperative) fault(*context, "waits in a kernel without barriers");
  Thread& thread = thread_of(context);
  thread.state = state;
  thread.line = line;
  thread.fiber->yield();
}

char* ThreadgroupRunner::allocate_threadgroup_memory(size_t bytes) {
  const auto base = reinterpret_cast<uintptr_t>(threadgroup_memory_.data());
  const size_t padding = (64 - base % 64) % 64;
  const size_t begin = threadgroup_memory_used_;
  threadgroup_memory_used_ += (bytes + 15) / 16 * 16;
  if (threadgroup_memory_used_ > kMostThreadgroupMemory) {
    throw std::runtime_error(
        "kernel '" + dispatch_->kernel->name + "' needs " + std::to_string(threadgroup_memory_used_) +
        " bytes of threadgroup memory; there are " + std::to_string(kMostThreadgroupMemory));
  }
  return threadgroup_memory_.data() + padding + begin;
}

void* ThreadgroupRunner::threadgroup_variable(ThreadContext*, unsigned number, size_t bytes) {
  if (threadgroup_variables_.size() <= number) threadgroup_variables_.resize(number + 1, nullptr);
  void*& variable = threadgroup_variables_[number];
  if (!variable) variable = allocate_threadgroup_memory(bytes);
  return variable;
}

void ThreadgroupRunner::fault(const ThreadContext& context, const std::string& what) const {
  const auto triple = [](const unsigned (&v)[3]) {
    return "(" + std::to_string(v[0]) + ", " + std::to_string(v[1]) + ", " + std::to_string(v[2]) + ")";
  };
  throw std::runtime_error("kernel '" + dispatch_->kernel->name + "': thread " +
                           triple(context.position_in_threadgroup) + " of threadgroup " +
                           triple(context.threadgroup_position) + " " + what);
}

void ThreadgroupRunner::check_access(ThreadContext* context, const void* address, size_t bytes, bool writes) {
  const char* at = static_cast<const char*>(address);
  const auto within = [&](const void* begin, size_t size) {
    const char* first = static_cast<const char*>(begin);
    return at >= first && at + bytes <= first + size;
  };
  for (unsigned i = 0; i < kMostBindings; ++i) {
    const Dispatch::Binding& buffer = dispatch_->buffers[i];
    if (!buffer.data || !within(buffer.data, buffer.size)) continue;
    if (!buffer.counted) return;
    auto& counters = writes ? dispatch_->traffic->written : dispatch_->traffic->read;
    counters[i].fetch_add(bytes, std::memory_order_relaxed);
    return;
  }
  if (within(threadgroup_memory_.data(), threadgroup_memory_.size())) {
    const size_t end = static_cast<size_t>(at + bytes - threadgroup_memory_.data());
    if (end <= threadgroup_memory_used_ + 64) return;
    fault(*context, "uses threadgroup memory beyond what it declares");
  }
  if (!dispatch_->kernel->cooperative) {
    // Its stack is this thread's.
    constexpr uintptr_t kReach = 1 << 20;
    const auto here = reinterpret_cast<uintptr_t>(&writes), there = reinterpret_cast<uintptr_t>(at);
    if (there + kReach > here && there < here + kReach) return;
  } else if (thread_of(context).fiber->owns(address)) {
    return;
  }
  if (within(threads_.data(), threads_.size() * sizeof(Thread)) ||
      within(simdgroups_.data(), simdgroups_.size() * sizeof(SimdGroup)) ||
      within(buffers_.data(), sizeof buffers_) ||
      within(threadgroup_arguments_.data(), sizeof threadgroup_arguments_) ||
      (at >= dispatch_->kernel->image_begin && at < dispatch_->kernel->image_end)) {
    return;
  }
  // The nearest buffer below tells best what went wrong.
  std::string nearest = "an address that belongs to no buffer";
  size_t least = SIZE_MAX;
  for (unsigned i = 0; i < kMostBindings; ++i) {
    const Dispatch::Binding& buffer = dispatch_->buffers[i];
    if (!buffer.data) continue;
    const bool after = at >= buffer.data;
    const size_t distance = static_cast<size_t>(after ? at - buffer.data : buffer.data - at);
    if (distance >= least) continue;
    least = distance;
    nearest = "byte " + std::string(after ? "" : "-") + std::to_string(distance) + " of buffer " +
              std::to_string(i) + ", which has " + std::to_string(buffer.size) + " bytes";
  }
  fault(*context, std::string(writes ? "writes " : "reads ") + nearest);
}

}  // namespace ftrans::metal::host
