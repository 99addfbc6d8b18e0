// The queue of a GPU's stream, on the host Metal device: order, bounds, lifetimes and errors of what is
// recorded.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <future>
#include <string>
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

void record(GpuQueue& queue, const Ref<Buffer>& from, const Ref<Buffer>& to) {
  const GpuOperand input = whole(from), output = whole(to);
  queue.record(increment(), {&input, 1, &output, 1, kShape});
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
std::string submitted(GpuQueue& queue) {
  std::promise<std::string> ended;
  queue.submit([&](std::exception_ptr error) { ended.set_value(error_of(error)); });
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
    const Ref<Buffer> a = zeros(), b = zeros(), c = zeros();
    for (int i = 0; i < 10; ++i) {
      record(*queue, a, b);  // b = a + 1
      record(*queue, a, c);  // independent
      record(*queue, b, a);  // a = b + 1, after both
    }
    CHECK(submitted(*queue).empty());
    CHECK(holds(a, 20) && holds(b, 19) && holds(c, 19));
  }
  metal::host::options().seed = 0;
}

void test_queues_wait_for_each_other() {
  const auto first = gpu()->new_queue(), second = gpu()->new_queue();
  const Ref<Buffer> a = zeros(), b = zeros();
  for (int i = 0; i < 10; ++i) {
    record(*first, a, b);
    second->wait_for(*first->submit(nullptr));
    record(*second, b, a);
    first->wait_for(*second->submit(nullptr));
  }
  second->synchronize();
  CHECK(holds(a, 20));
}

void test_bounds_and_lifetimes() {
  const auto queue = gpu()->new_queue();
  const size_t before = Allocator::instance().active_memory();
  const uint64_t buffers = metal::counters().command_buffers;
  Ref<Buffer> last = zeros();
  const Ref<Buffer> start = last;
  for (int i = 0; i < 300; ++i) {
    const Ref<Buffer> next = zeros();
    record(*queue, last, next);
    last = next;  // the one before has no reference any more, but the GPU may not have read it
  }
  CHECK(submitted(*queue).empty());
  CHECK(holds(last, 300));
  CHECK(metal::counters().command_buffers - buffers > 2);
  CHECK(metal::counters().command_buffers - buffers < 30);
  queue->synchronize();
  CHECK(Allocator::instance().active_memory() <= before + 2 * kSize * sizeof(int32_t));
}

void test_errors() {
  const auto queue = gpu()->new_queue(), other = gpu()->new_queue();
  const Ref<Buffer> a = zeros(), b = zeros();
  for (int steps : {2, 64, 65, 128, 200}) {  // also where the first of several command buffers fails
    metal::host::options().failing_command_buffers = 1;
    for (int i = 0; i < steps; ++i) record(*queue, a, b);
    const std::string error = submitted(*queue);
    CHECK(contains(error, "Device(gpu, 0)") && contains(error, "add (") && contains(error, "times)"));
    CHECK(submitted(*queue).empty());  // told once
  }
  const Ref<Buffer> c = zeros();
  record(*queue, a, b);
  CHECK(submitted(*queue).empty());
  CHECK(holds(b, 1));

  metal::host::options().failing_command_buffers = 1;
  record(*queue, a, b);
  const Ref<Fence> fence = queue->submit(nullptr);
  bool thrown = false;
  try {
    fence->wait();
  } catch (const std::runtime_error&) {
    thrown = true;
  }
  CHECK(thrown);
  for (GpuQueue* each :
       {other.get(), queue.get()}) {  // what failed keeps nobody waiting, but fails whoever waits
    each->wait_for(*fence);
    record(*each, a, c);
    CHECK(contains(submitted(*each), "the command buffer held add"));
    record(*each, a, c);
    CHECK(submitted(*each).empty());
    CHECK(holds(c, 1));
  }
  queue->submit(nullptr)->wait();  // nothing was recorded since
}

}  // namespace

int main() {
  setenv("FTRANS_METAL", "host", 1);
  test_hazards();
  test_order();
  test_queues_wait_for_each_other();
  test_bounds_and_lifetimes();
  test_errors();
  return ftrans::checking::outcome();
}
