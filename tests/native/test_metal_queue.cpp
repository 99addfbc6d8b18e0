// The queue of a GPU's stream, on the host Metal device: order, bounds, lifetimes and errors of what is
// recorded.

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "checking.h"
#include "core/gpu.h"
#include "core/shape.h"
#include "metal/counters.h"
#include "metal/hazards.h"
#include "metal/host/device.h"

using namespace ftrans;

namespace {

constexpr int64_t kSize = 64;
const int64_t kShape[] = {kSize}, kStrides[] = {1}, kReversed[] = {-1};

/// out = in + 1
const GpuKernel& increment() {
  static const std::shared_ptr<const GpuKernel> kernel = [] {
    Instruction input{Instruction::Kind::Input, Opcode{}, Dtype::Int32, {-1, -1, -1}, 0, {}};
    Instruction one{Instruction::Kind::Constant, Opcode{}, Dtype::Int32, {-1, -1, -1}, 0, {}};
    const int32_t value = 1;
    std::memcpy(one.constant.bytes, &value, sizeof value);
    const Instruction sum{Instruction::Kind::Apply, Opcode::Add, Dtype::Int32, {0, 1, -1}, 0, {}};
    return gpu()->fused({.ndim = 1,
                         .inputs = {Dtype::Int32},
                         .body = {input, one, sum},
                         .outputs = {{2, false, Opcode{}}},
                         .reduced_axes = {false}});
  }();
  return *kernel;
}

Ref<Buffer> zeros() {
  Ref<Buffer> buffer = Allocator::instance().allocate(kSize * sizeof(int32_t));
  std::memset(buffer->data(), 0, kSize * sizeof(int32_t));
  return buffer;
}

GpuOperand whole(const Ref<Buffer>& buffer) { return {buffer.get(), 0, Dtype::Int32, 1, kShape, kStrides}; }

void record(GpuRecorder& recorder, const Ref<Buffer>& from, const Ref<Buffer>& to) {
  const GpuOperand input = whole(from), output = whole(to);
  recorder.record(increment(), {&input, 1, &output, 1, kShape});
}

bool holds(const Ref<Buffer>& buffer, int32_t expected) {
  const auto* values = static_cast<const int32_t*>(buffer->data());
  for (int64_t i = 0; i < kSize; ++i) {
    if (values[i] != expected) return false;
  }
  return true;
}

std::string error_of(const std::exception_ptr& error) {
  if (!error) return "";
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& caught) {
    return caught.what();
  }
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Submits, waits, and returns what went wrong.
std::string submitted(GpuRecorder& recorder) {
  std::promise<std::string> ended;
  recorder.submit([&](std::exception_ptr error) { ended.set_value(error_of(error)); });
  return ended.get_future().get();
}

void test_hazards() {
  const Ref<Buffer> a = zeros(), b = zeros(), c = zeros();
  const auto arguments = [](const GpuOperand& input, const GpuOperand& output) {
    return GpuArguments{&input, 1, &output, 1};
  };
  const int64_t half[] = {kSize / 2}, none[] = {0};
  const GpuOperand first{a.get(), 0, Dtype::Int32, 1, half, kStrides};
  const GpuOperand second{a.get(), kSize * 2, Dtype::Int32, 1, half, kStrides};
  const GpuOperand second_reversed{a.get(), (kSize - 1) * 4, Dtype::Int32, 1, half, kReversed};
  const GpuOperand empty{a.get(), 0, Dtype::Int32, 1, none, kStrides};
  const GpuOperand whole_a = whole(a), whole_b = whole(b), whole_c = whole(c);
  metal::Hazards hazards;
  CHECK(!hazards.conflict_with(arguments(whole_a, whole_b)));
  hazards.add(arguments(whole_b, first));
  CHECK(hazards.conflict_with(arguments(whole_a, whole_c)));   // reads what was written
  CHECK(hazards.conflict_with(arguments(whole_c, whole_b)));   // writes what was read
  CHECK(hazards.conflict_with(arguments(whole_c, whole_a)));   // writes what was written
  CHECK(!hazards.conflict_with(arguments(whole_b, whole_c)));  // reads what was read
  CHECK(!hazards.conflict_with(arguments(second, whole_c)));
  CHECK(!hazards.conflict_with(arguments(second_reversed, second)));
  CHECK(!hazards.conflict_with(arguments(empty, whole_c)));
  hazards.add(arguments(whole_c, second));  // the two halves are one range now
  CHECK(hazards.conflict_with(arguments(second_reversed, whole_b)));
  hazards.clear();
  CHECK(!hazards.conflict_with(arguments(whole_a, whole_b)));
}

/// Dispatches that no barrier separates come in a random order on the host device.
void test_order() {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    metal::host::options().seed = seed;
    const auto queue = gpu()->new_queue();
    const auto run = queue->new_recorder();
    const Ref<Buffer> a = zeros(), b = zeros(), c = zeros();
    for (int i = 0; i < 10; ++i) {
      record(*run, a, b);  // b = a + 1
      record(*run, a, c);  // independent
      record(*run, b, a);  // a = b + 1, after both
    }
    CHECK(submitted(*run).empty());
    CHECK(holds(a, 20) && holds(b, 19) && holds(c, 19));
  }
  metal::host::options().seed = 0;
}

void test_queues_wait_for_each_other() {
  const auto first_queue = gpu()->new_queue(), second_queue = gpu()->new_queue();
  const auto first = first_queue->new_recorder(), second = second_queue->new_recorder();
  const Ref<Buffer> a = zeros(), b = zeros();
  for (int i = 0; i < 10; ++i) {
    record(*first, a, b);
    second->wait_for(*first->submit(nullptr));
    record(*second, b, a);
    first->wait_for(*second->submit(nullptr));
  }
  CHECK(second_queue->synchronize_for(std::chrono::minutes(1)));
  CHECK(holds(a, 20));
}

void test_bounds_and_lifetimes() {
  const auto queue = gpu()->new_queue();
  const auto run = queue->new_recorder();
  const size_t before = Allocator::instance().active_memory();
  const uint64_t buffers = metal::counters().command_buffers;
  Ref<Buffer> last = zeros();
  const Ref<Buffer> start = last;
  for (int i = 0; i < 300; ++i) {
    const Ref<Buffer> next = zeros();
    record(*run, last, next);
    last = next;  // the one before has no reference any more, but the GPU may not have read it
  }
  CHECK(submitted(*run).empty());
  CHECK(holds(last, 300));
  CHECK(metal::counters().command_buffers - buffers > 2);
  CHECK(metal::counters().command_buffers - buffers < 30);
  CHECK(queue->synchronize_for(std::chrono::minutes(1)));
  CHECK(Allocator::instance().active_memory() <= before + 2 * kSize * sizeof(int32_t));
}

void test_what_nobody_submits_is_handed_over() {
  const auto queue = gpu()->new_queue();
  const Ref<Buffer> a = zeros(), b = zeros(), c = zeros();
  record(*queue->new_recorder(), a, b);
  const auto run = queue->new_recorder();
  record(*run, b, c);
  CHECK(queue->synchronize_for(std::chrono::minutes(1)));
  CHECK(holds(b, 1) && holds(c, 2));
}

/// The steps of `turns` turns, of which `wanted` are done, in several command buffers; and some of another
/// run.
void test_conditions(int turns, int wanted, int steps) {
  const auto queue = gpu()->new_queue();
  const auto run = queue->new_recorder(), other = queue->new_recorder();
  const Ref<Buffer> a = zeros(), b = zeros(), predicates = zeros();
  for (int i = 0; i < turns; ++i) static_cast<bool*>(predicates->data())[i] = i < wanted;
  static_cast<bool*>(predicates->data())[turns - 1] = true;  // behind one that does not hold
  const Ref<GpuCondition> condition = gpu()->new_condition();
  for (int i = 0; i < turns; ++i) {
    const GpuOperand predicate{predicates.get(), i, Dtype::Bool, 0, nullptr, nullptr};
    run->require(*condition, predicate);
    for (int step = 0; step < steps; ++step) {
      record(*run, a, a);
      if (step % 16 == 0) record(*other, b, b);
    }
  }
  run->require_nothing();
  record(*run, b, b);
  CHECK(submitted(*other).empty() && submitted(*run).empty());
  CHECK(condition->count() == wanted);
  CHECK(holds(a, wanted * steps) && holds(b, turns * ((steps + 15) / 16) + 1));
}

void test_errors() {
  const auto queue = gpu()->new_queue();
  const Ref<Buffer> a = zeros(), b = zeros();
  for (int steps : {2, 64, 65, 128, 200}) {  // also where the first of several command buffers fails
    metal::host::options().failing_command_buffers = 1;
    const auto run = queue->new_recorder();
    for (int i = 0; i < steps; ++i) record(*run, a, b);
    const std::string error = submitted(*run);
    CHECK(contains(error, "Device(gpu, 0)") && contains(error, "add (") && contains(error, "times)"));
    CHECK(submitted(*run) == error);  // what comes behind it in the same run has failed, too
    CHECK(submitted(*queue->new_recorder()).empty());
  }
  const auto next = queue->new_recorder();
  record(*next, a, b);
  CHECK(submitted(*next).empty());
  CHECK(holds(b, 1));
}

bool throws(Fence& fence) {
  try {
    fence.wait();
  } catch (const std::runtime_error&) {
    return true;
  }
  return false;
}

/// What failed keeps nobody waiting, but fails whoever waits.
void test_errors_reach_those_who_wait() {
  const auto queue = gpu()->new_queue(), other = gpu()->new_queue();
  const Ref<Buffer> a = zeros(), b = zeros(), c = zeros();
  metal::host::options().failing_command_buffers = 1;
  const auto run = queue->new_recorder();
  record(*run, a, b);
  const Ref<Fence> fence = run->submit(nullptr);
  CHECK(throws(*fence));
  for (GpuQueue* each : {other.get(), queue.get()}) {
    const auto behind = each->new_recorder(), independent = each->new_recorder();
    behind->wait_for(*fence);
    CHECK(contains(submitted(*behind), "the command buffer held add"));
    record(*behind, a, c);
    CHECK(throws(*behind->submit(nullptr)));
    record(*independent, a, c);
    CHECK(submitted(*independent).empty());
    CHECK(holds(c, 1));
  }
}

/// Each run is told the errors of the command buffers that its steps were in, whoever handed them over.
void test_runs_that_share_a_queue() {
  const auto queue = gpu()->new_queue();
  const Ref<Buffer> a = zeros(), b = zeros(), c = zeros();
  const auto first = queue->new_recorder(), second = queue->new_recorder(), third = queue->new_recorder();
  metal::host::options().failing_command_buffers = 1;
  record(*first, a, b);
  record(*second, a, c);
  CHECK(contains(submitted(*second), "the command buffer held add (2 times)"));
  record(*third, a, c);
  CHECK(submitted(*third).empty());
  CHECK(contains(submitted(*first), "the command buffer held add (2 times)"));
}

/// After an error the device's queue refuses what it has: that runs in another, in the same order.
void test_independent_work_behind_an_error() {
  for (int failures : {1, 2, 5}) {
    const auto queue = gpu()->new_queue(), other = gpu()->new_queue();
    const Ref<Buffer> a = zeros();
    metal::host::options().held = true;
    metal::host::options().failing_command_buffers = failures;
    std::vector<std::unique_ptr<GpuRecorder>> runs;
    std::vector<Ref<Fence>> fences;
    for (int i = 0; i < 7; ++i) {
      runs.push_back(queue->new_recorder());
      record(*runs.back(), a, a);
      fences.push_back(runs.back()->submit(nullptr));
    }
    const auto behind = other->new_recorder();
    behind->wait_for(*fences.back());
    record(*behind, a, a);
    const Ref<Fence> last = behind->submit(nullptr);
    metal::host::options().held = false;
    for (int i = 0; i < 7; ++i) CHECK(throws(*fences[i]) == (i < failures));
    last->wait();
    CHECK(holds(a, 8 - failures));
    record(*behind, a, a);
    CHECK(submitted(*behind).empty());
    CHECK(queue->synchronize_for(std::chrono::minutes(1)));
  }
}

/// Queues are remade while threads go on recording.
void test_errors_among_threads() {
  const auto queue = gpu()->new_queue();
  metal::host::options().failing_command_buffers = 20;
  std::atomic<int> failed{0};
  const auto work = [&] {
    const Ref<Buffer> a = zeros();
    for (int i = 0, good = 0; i < 100; ++i) {
      const auto run = queue->new_recorder();
      record(*run, a, a);
      const bool has_failed = !submitted(*run).empty();
      failed += has_failed;
      good += !has_failed;
      CHECK(holds(a, good));
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(work);
  for (std::thread& each : threads) each.join();
  CHECK(failed >= 20 && metal::host::options().failing_command_buffers == 0);
}

}  // namespace

int main() {
  setenv("FTRANS_METAL", "host", 1);
  test_hazards();
  test_order();
  test_queues_wait_for_each_other();
  test_bounds_and_lifetimes();
  test_what_nobody_submits_is_handed_over();
  for (const int wanted : {0, 1, 4}) {
    for (const int steps : {1, 3, 100}) test_conditions(6, wanted, steps);
  }
  test_errors();
  test_errors_reach_those_who_wait();
  test_runs_that_share_a_queue();
  test_independent_work_behind_an_error();
  test_errors_among_threads();
  return ftrans::checking::outcome();
}
