// Unit tests of the host Metal device: MSL runs as on a GPU, and what a GPU would not forgive is an error.

#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <future>
#include <string>
#include <vector>

#include "checking.h"
#include "metal/host/device.h"

using namespace ftrans;
using namespace ftrans::metal;

namespace {

constexpr const char* kPreamble = "#include <metal_stdlib>\nusing namespace metal;\n";

Device& gpu() { return *device(); }

Ref<Memory> floats(const std::vector<float>& values) {
  Ref<Memory> memory = gpu().allocate(values.size() * sizeof(float));
  std::memcpy(memory->data(), values.data(), values.size() * sizeof(float));
  return memory;
}

float at(const Ref<Memory>& memory, size_t i) { return static_cast<const float*>(memory->data())[i]; }

Ref<Function> compiled(const std::string& source, const std::string& name = "f") {
  return gpu().compile(kPreamble + source)->function(name);
}

/// Commits, waits, and returns what went wrong.
std::string run(CommandBuffer& buffer) {
  std::promise<std::string> ended;
  buffer.commit([&](const Outcome& outcome) { ended.set_value(outcome.error); });
  return ended.get_future().get();
}

std::string run(const Ref<Function>& function, const std::vector<Ref<Memory>>& memory, Size groups,
                Size threads, size_t threadgroup_bytes = 0) {
  Ref<Queue> queue = gpu().new_queue();
  Ref<CommandBuffer> buffer = queue->command_buffer();
  buffer->set_function(*function);
  for (size_t i = 0; i < memory.size(); ++i) buffer->set_memory(static_cast<int>(i), *memory[i], 0);
  if (threadgroup_bytes) buffer->set_threadgroup_memory(0, threadgroup_bytes);
  buffer->dispatch(groups, threads);
  return run(*buffer);
}

std::string compile_error(const std::string& source) {
  try {
    gpu().compile(source);
  } catch (const CompileError& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void elementwise() {
  const Ref<Function> f = compiled(
      "kernel void f(device const float* a [[buffer(0)]], device float* out [[buffer(1)]],\n"
      "              uint i [[thread_position_in_grid]]) { out[i] = a[i] * 2.0f + exp(0.0f); }\n");
  const Ref<Memory> a = floats({1, 2, 3, 4, 5, 6, 7, 8}), out = gpu().allocate(32);
  CHECK(std::isnan(at(out, 0)));  // poisoned
  host::counters().bytes_read = host::counters().bytes_written = 0;
  CHECK(run(f, {a, out}, {2}, {4}) == "");
  for (size_t i = 0; i < 8; ++i) CHECK(at(out, i) == 2.0f * at(a, i) + 1.0f);
  CHECK(host::counters().bytes_read == 32 && host::counters().bytes_written == 32);
}

void threadgroups_share_memory() {
  const Ref<Function> f = compiled(
      "kernel void f(device const float* a [[buffer(0)]], device float* out [[buffer(1)]],\n"
      "              threadgroup float* scratch [[threadgroup(0)]],\n"
      "              uint i [[thread_position_in_threadgroup]], uint n [[threads_per_threadgroup]],\n"
      "              uint group [[threadgroup_position_in_grid]]) {\n"
      "  threadgroup float tile[64];\n"
      "  tile[i] = a[group * n + i];\n"
      "  threadgroup_barrier(mem_flags::mem_threadgroup);\n"
      "  scratch[i] = tile[n - 1 - i];\n"
      "  threadgroup_barrier(mem_flags::mem_threadgroup);\n"
      "  float sum = simd_sum(scratch[i]);\n"
      "  out[group * n + i] = scratch[i] + 1000.0f * sum;\n"
      "}\n");
  std::vector<float> values(256);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 7);
  for (const uint64_t seed : {1, 2, 3}) {
    host::options().seed = seed;
    const Ref<Memory> a = floats(values), out = gpu().allocate(1024);
    CHECK(run(f, {a, out}, {4}, {64}, 256) == "");
    for (size_t group = 0; group < 4; ++group) {
      for (size_t i = 0; i < 64; ++i) {
        float sum = 0;
        for (size_t lane = 0; lane < 32; ++lane) sum += values[group * 64 + 63 - (i / 32 * 32 + lane)];
        CHECK(at(out, group * 64 + i) == values[group * 64 + 63 - i] + 1000.0f * sum);
      }
    }
  }
}

void simd_groups_multiply_matrices() {
  const Ref<Function> f = compiled(
      "kernel void f(device const float* a [[buffer(0)]], device const float* b [[buffer(1)]],\n"
      "              device float* out [[buffer(2)]]) {\n"
      "  simdgroup_float8x8 x, y, sum(0.0f);\n"
      "  simdgroup_load(x, a, 8);\n"
      "  simdgroup_load(y, b, 8, ulong2(0, 0), true);\n"
      "  simdgroup_multiply_accumulate(sum, x, y, sum);\n"
      "  simdgroup_store(sum, out, 8);\n"
      "}\n");
  std::vector<float> a(64), b(64);
  for (size_t i = 0; i < 64; ++i) {
    a[i] = static_cast<float>(i % 5);
    b[i] = static_cast<float>(i % 3) - 1.0f;
  }
  const Ref<Memory> out = gpu().allocate(256);
  CHECK(run(f, {floats(a), floats(b), out}, {1}, {32}) == "");
  for (size_t i = 0; i < 8; ++i) {
    for (size_t j = 0; j < 8; ++j) {
      float sum = 0;
      for (size_t k = 0; k < 8; ++k) sum += a[8 * i + k] * b[8 * j + k];
      CHECK(at(out, 8 * i + j) == sum);
    }
  }
}

void atomics_count() {
  const Ref<Function> f = compiled(
      "kernel void f(device atomic_uint* count [[buffer(0)]], device atomic_float* sum [[buffer(1)]]) {\n"
      "  atomic_fetch_add_explicit(count, 1u, memory_order_relaxed);\n"
      "  atomic_fetch_add_explicit(sum, 0.5f, memory_order_relaxed);\n"
      "}\n");
  const Ref<Memory> count = floats({0}), sum = floats({0});
  CHECK(run(f, {count, sum}, {16}, {64}) == "");
  CHECK(*static_cast<const uint32_t*>(count->data()) == 1024);
  CHECK(at(sum, 0) == 512.0f);
}

void bytes_reach_the_kernel() {
  const Ref<Function> f = compiled(
      "kernel void f(device float* out [[buffer(0)]], constant uint3& n [[buffer(1)]],\n"
      "              uint2 place [[thread_position_in_grid]]) {\n"
      "  out[place.y * n.x + place.x] = float(n.z) + half(0.5h) + float(bfloat(1.0f));\n"
      "}\n");
  const Ref<Memory> out = gpu().allocate(6 * 4);
  const uint32_t n[4] = {3, 2, 7, 0};
  Ref<Queue> queue = gpu().new_queue();
  Ref<CommandBuffer> buffer = queue->command_buffer();
  buffer->set_function(*f);
  buffer->set_memory(0, *out, 0);
  buffer->set_bytes(1, n, sizeof n);
  buffer->dispatch({3, 2}, {1, 1});
  CHECK(run(*buffer) == "");
  for (size_t i = 0; i < 6; ++i) CHECK(at(out, i) == 8.5f);
}

void faults_are_errors() {
  const Ref<Function> beyond = compiled(
      "kernel void f(device float* a [[buffer(0)]], uint i [[thread_position_in_grid]]) { a[i + 1] = 1.0f; "
      "}\n");
  const std::string error = run(beyond, {floats({0, 0, 0, 0})}, {1}, {4});
  CHECK(contains(error, "kernel 'f'") && contains(error, "writes byte 16 of buffer 0, which has 16 bytes"));

  const Ref<Function> divergent = compiled(
      "kernel void f(device float* a [[buffer(0)]], uint i [[thread_position_in_grid]]) {\n"
      "  if (i < 2) threadgroup_barrier(mem_flags::mem_none);\n"
      "  a[i] = 1.0f;\n"
      "}\n");
  CHECK(contains(run(divergent, {floats({0, 0, 0, 0})}, {1}, {4}), "barrier of line 4"));

  const Ref<Function> diverging_sums = compiled(
      "kernel void f(device float* a [[buffer(0)]], uint i [[thread_position_in_grid]]) {\n"
      "  if (i < 2) a[i] = simd_sum(1.0f);\n"
      "  else a[i] = simd_sum(2.0f);\n"
      "}\n");
  CHECK(contains(run(diverging_sums, {floats({0, 0, 0, 0})}, {1}, {4}), "diverged"));

  const Ref<Function> beyond_after_barrier = compiled(
      "kernel void f(device float* a [[buffer(0)]], uint i [[thread_position_in_grid]]) {\n"
      "  threadgroup_barrier(mem_flags::mem_none);\n"
      "  a[i + 1] = 1.0f;\n"
      "}\n");
  CHECK(contains(run(beyond_after_barrier, {floats({0, 0, 0, 0})}, {1}, {4}), "writes byte 16 of buffer 0"));

  const Ref<Function> large = compiled(
      "kernel void f(device float* a [[buffer(0)]]) {\n"
      "  threadgroup float tile[10000];\n"
      "  tile[0] = 1.0f;\n"
      "  a[0] = tile[0];\n"
      "}\n");
  CHECK(contains(run(large, {floats({0})}, {1}, {1}), "threadgroup memory"));

  host::options().milliseconds = 50;
  const Ref<Function> endless =
      compiled("kernel void f(device float* a [[buffer(0)]]) { while (a[0] == 0.0f) a[1] += 1.0f; }\n");
  CHECK(contains(run(endless, {floats({0, 0})}, {1}, {1}), "time-out"));
  host::options().milliseconds = 60'000;

  CHECK(run(beyond, {floats({0, 0, 0, 0, 0})}, {1}, {4}) == "");  // life goes on
}

void bad_source_is_explained() {
  const std::string error = compile_error(
      std::string(kPreamble) + "kernel void f(device float* a [[buffer(0)]]) {\n  b[0] = 1.0f;\n}\n");
  CHECK(contains(error, "'b' was not declared") && contains(error, "   4    b[0] = 1.0f;"));
  CHECK(contains(compile_error("kernel void f(device float* a) {}"), "needs one [[attribute]]"));
  CHECK(contains(compile_error("kernel void f(device float* a [[buffer(31)]]) {}"), "above 30"));
  CHECK(contains(compile_error("kernel void f(uint i [[no_such_place]]) {}"), "no_such_place"));
  bool refused = false;
  try {
    compiled("kernel void f(device float* a [[buffer(0)]]) { a[0] = 0; }\n", "g");
  } catch (const std::invalid_argument&) {
    refused = true;
  }
  CHECK(refused);
}

void failures_on_demand() {
  const Ref<Function> f = compiled("kernel void f(device float* a [[buffer(0)]]) { a[0] = 2.0f; }\n");
  host::options().failing_compilations = 1;
  CHECK(contains(compile_error(kPreamble), "a test asked for it"));
  CHECK(compile_error(kPreamble) == "");
  host::options().failing_allocations = 1;
  CHECK(!gpu().allocate(16));
  const Ref<Memory> a = floats({0});
  host::options().failing_command_buffers = 1;
  CHECK(contains(run(f, {a}, {1}, {1}), "a test asked for it"));
  CHECK(at(a, 0) == 0.0f);
  CHECK(run(f, {a}, {1}, {1}) == "" && at(a, 0) == 2.0f);
}

void grids_may_come_from_memory() {
  const Ref<Function> f = compiled(
      "kernel void f(device float* a [[buffer(0)]], uint i [[thread_position_in_grid]]) { a[i] = float(i); "
      "}\n");
  const Ref<Memory> a = floats({-1, -1, -1, -1, -1, -1}), grids = gpu().allocate(7 * sizeof(uint32_t));
  const Ref<Queue> queue = gpu().new_queue();
  const auto run_with = [&](const std::vector<uint32_t>& words, size_t offset) {
    std::memcpy(grids->data(), words.data(), words.size() * sizeof(uint32_t));
    const Ref<CommandBuffer> buffer = queue->command_buffer();
    buffer->set_function(*f);
    buffer->set_memory(0, *a, 0);
    buffer->dispatch_indirectly(*grids, offset, {2});
    return run(*buffer);
  };
  CHECK(run_with({9, 0, 1, 1}, 4) == "" && at(a, 0) == -1.0f);  // no threadgroups
  CHECK(run_with({9, 2, 1, 1}, 4) == "" && at(a, 3) == 3.0f && at(a, 4) == -1.0f);
  for (const size_t offset : {size_t{2}, size_t{20}}) {
    bool is_refused = false;
    try {
      run_with({9, 2, 1, 1}, offset);
    } catch (const std::invalid_argument&) {
      is_refused = true;
    }
    CHECK(is_refused);
  }
}

/// As Metal may do.
void a_queue_begins_nothing_after_an_error() {
  const Ref<Function> f = compiled("kernel void f(device float* a [[buffer(0)]]) { a[0] += 1.0f; }\n");
  const Ref<Memory> a = floats({0});
  const Ref<Queue> queue = gpu().new_queue();
  const Ref<SharedEvent> event = gpu().new_event();
  host::options().failing_command_buffers = 1;
  for (const bool begins : {true, false, false}) {
    const Ref<CommandBuffer> buffer = queue->command_buffer();
    buffer->set_function(*f);
    buffer->set_memory(0, *a, 0);
    buffer->dispatch({1}, {1});
    buffer->signal(*event, 1);
    std::promise<Outcome> ended;
    buffer->commit([&](const Outcome& outcome) { ended.set_value(outcome); });
    const Outcome outcome = ended.get_future().get();
    CHECK(!outcome.error.empty() && outcome.has_begun == begins);
  }
  CHECK(at(a, 0) == 0.0f && event->value() == 0);
  CHECK(run(f, {a}, {1}, {1}) == "" && at(a, 0) == 1.0f);  // in another queue
}

void queues_wait_for_events() {
  const Ref<Function> add = compiled(
      "kernel void f(device float* a [[buffer(0)]], constant float& b [[buffer(1)]]) { a[0] = a[0] * 2.0f + "
      "b; }\n");
  const Ref<Memory> a = floats({1});
  const Ref<Queue> first = gpu().new_queue(), second = gpu().new_queue();
  const Ref<SharedEvent> event = gpu().new_event();
  const auto record = [&](const Ref<Queue>& queue, float b, uint64_t waits, uint64_t signals) {
    Ref<CommandBuffer> buffer = queue->command_buffer();
    buffer->wait(*event, waits);
    buffer->set_function(*add);
    buffer->set_memory(0, *a, 0);
    buffer->set_bytes(1, &b, sizeof b);
    buffer->dispatch({1}, {1});
    buffer->signal(*event, signals);
    return buffer;
  };
  const Ref<CommandBuffer> later = record(second, 5.0f, 2, 3), earlier = record(first, 3.0f, 1, 2);
  std::atomic<int> done{0};
  later->commit([&](const Outcome& outcome) { done += outcome.error.empty(); });
  earlier->commit([&](const Outcome& outcome) { done += outcome.error.empty(); });
  CHECK(at(a, 0) == 1.0f);
  event->signal(1);
  event->wait(3);
  CHECK(at(a, 0) == 15.0f);  // (1·2 + 3)·2 + 5
}

}  // namespace

int main() {
  setenv("FTRANS_METAL", "host", 1);
  elementwise();
  threadgroups_share_memory();
  simd_groups_multiply_matrices();
  atomics_count();
  bytes_reach_the_kernel();
  faults_are_errors();
  bad_source_is_explained();
  failures_on_demand();
  grids_may_come_from_memory();
  a_queue_begins_nothing_after_an_error();
  queues_wait_for_events();
  return ftrans::checking::outcome();
}
