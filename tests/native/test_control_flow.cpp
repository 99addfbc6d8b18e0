// Unit tests of the steps that run programs: loops hand their carry over, write stacked results in place, and
// fail without harm.

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "core/shape.h"
#include "graph/execute.h"
#include "graph/passes.h"
#include "graph/program.h"
#include "graph/while_vjp.h"

using namespace ftrans;

namespace {

int failures = 0;

#define CHECK(condition)                                                  \
  do {                                                                    \
    if (!(condition)) {                                                   \
      std::printf("%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
      ++failures;                                                         \
    }                                                                     \
  } while (false)

using Values = std::vector<Ref<Value>>;

Stream* stream() { return StreamRegistry::instance().default_stream(Device{}); }

Ref<Value> placeholder(const Dims& shape, Dtype dtype = Dtype::Float32) {
  Ref<Value> value(new Value(dtype, shape));
  value->state.store(Value::State::Placeholder);
  return value;
}

Ref<Value> filled(const Dims& shape, float number) {
  Ref<Value> value = Value::allocate(Dtype::Float32, shape);
  for (int64_t i = 0; i < value->size; ++i) static_cast<float*>(value->data())[i] = number;
  return value;
}

Ref<Value> scalar(Dtype dtype, double number) {
  return Value::scalar(dtype, scalar_from_double(dtype, number), false);
}

Ref<Value> apply(Opcode opcode, const Ref<Value>& left, const Ref<Value>& right,
                 Dtype dtype = Dtype::Float32) {
  const Ref<Value> operands[2] = {left, right};
  return make_node(opcode, operands, 2, Dims{}, dtype, left->shape, stream());
}

SubProgram inner(const Values& inputs, const Values& outputs, const std::vector<int32_t>& kept = {}) {
  CapturedGraph captured = capture(inputs, outputs);
  return {compile(captured.graph, kept), {}};
}

Values control(Opcode opcode, const Values& inputs, const Dims& parameters, std::vector<SubProgram> programs,
               const std::vector<Dims>& shapes, Dtype dtype = Dtype::Float32) {
  const std::vector<Dtype> dtypes(shapes.size(), dtype);
  Values outputs(shapes.size());
  make_node(opcode, inputs.data(), static_cast<int>(inputs.size()), parameters, dtypes.data(), shapes.data(),
            static_cast<int>(shapes.size()), stream(), Ref<RefCounted>(new SubPrograms(std::move(programs))),
            outputs.data());
  return outputs;
}

float at(const Ref<Value>& value, int64_t index) {
  Evaluation().run({value}, true);
  value->materialize_immediate();
  return static_cast<const float*>(value->data())[index * (value->shape.empty() ? 1 : value->strides[0])];
}

/// carry' = carry · constant + x, stacked too.
SubProgram recurrence(const Dims& shape) {
  Ref<Value> constant = placeholder(shape), carry = placeholder(shape), x = placeholder(shape);
  Ref<Value> next = apply(Opcode::Add, apply(Opcode::Mul, carry, constant), x);
  return inner({constant, carry, x}, {next, next}, {0, 2});
}

void test_scan_goes_both_ways() {
  Ref<Value> xs = Value::allocate(Dtype::Float32, {3, 2});
  for (int i = 0; i < 6; ++i) static_cast<float*>(xs->data())[i] = static_cast<float>(i / 2);
  for (const bool reverse : {false, true}) {
    const Values results = control(Opcode::Scan, {filled({2}, 2), filled({2}, 1), xs}, {1, 1, 3, reverse},
                                   {recurrence({2})}, {{2}, {3, 2}});
    // 1 → 2 → 5 → 12, and 1 → 4 → 9 → 18.
    CHECK(at(results[0], 0) == (reverse ? 18.0f : 12.0f));
    CHECK(at(results[1], 0) == (reverse ? 18.0f : 2.0f));
    CHECK(at(results[1], 1) == (reverse ? 9.0f : 5.0f));
    CHECK(at(results[1], 2) == (reverse ? 4.0f : 12.0f));
  }
}

void test_scan_of_no_steps_returns_its_carry() {
  const Values results =
      control(Opcode::Scan, {filled({2}, 2), filled({2}, 7), Value::allocate(Dtype::Float32, {0, 2})},
              {1, 1, 0, 0}, {recurrence({2})}, {{2}, {0, 2}});
  CHECK(at(results[0], 1) == 7.0f);
}

/// (a, b) → (b, a + b), then whether a + b is less than a bound: one element or many.
SubProgram fibonacci(const Dims& shape) {
  Ref<Value> bound = placeholder({}), a = placeholder(shape), b = placeholder(shape);
  Ref<Value> sum = apply(Opcode::Add, a, b);
  const Dims axes = shape.empty() ? Dims{} : Dims{0};
  Ref<Value> largest =
      shape.empty() ? sum : make_node(Opcode::ReduceMax, &sum, 1, axes, sum->dtype, Dims{}, stream());
  return inner({bound, a, b}, {b, sum, apply(Opcode::Lt, largest, bound, Dtype::Bool)}, {0});
}

void test_while_of_numbers_and_of_arrays_agree() {
  for (const Dims& shape : {Dims{}, Dims{3}}) {
    const Values results =
        control(Opcode::While, {filled({}, 100), filled(shape, 1), filled(shape, 1), scalar(Dtype::Bool, 1)},
                {1, 2}, {fibonacci(shape)}, {shape, shape});
    CHECK(at(results[0], 0) == 89.0f);
    CHECK(at(results[1], 0) == 144.0f);
  }
}

void test_while_may_not_start() {
  const Values results =
      control(Opcode::While, {filled({}, 0), filled({}, 3), filled({}, 4), scalar(Dtype::Bool, 0)}, {1, 2},
              {fibonacci({})}, {{}, {}});
  CHECK(at(results[0], 0) == 3.0f);
  CHECK(at(results[1], 0) == 4.0f);
}

void test_pull_back_of_a_while_keeps_as_many_steps_as_there_are() {
  // v → v² from 1.01 until 10⁶: the derivative is the product of 2·v over all steps.
  Ref<Value> v = placeholder({2});
  Ref<Value> square = apply(Opcode::Mul, v, v);
  Ref<Value> largest = make_node(Opcode::ReduceMax, &square, 1, Dims{0}, v->dtype, Dims{}, stream());
  SubProgram forward =
      inner({v}, {square, apply(Opcode::Lt, largest, scalar(Dtype::Float32, 1e6), Dtype::Bool), v});
  Ref<Value> cotangent = placeholder({2}), residual = placeholder({2});
  SubProgram backward =
      inner({cotangent, residual},
            {apply(Opcode::Mul, apply(Opcode::Mul, cotangent, residual), scalar(Dtype::Float32, 2))}, {1});
  float expected = 1;
  for (float value = 1.01f; value < 1e6f; value *= value) expected *= 2 * value;
  for (const bool checkpointed : {false, true}) {
    const Values results =
        control(Opcode::WhileVjp, {filled({2}, 1.01f), scalar(Dtype::Bool, 1), filled({2}, 1)},
                {0, 1, 0, checkpointed}, {forward, backward}, {{2}});
    CHECK(at(results[0], 1) > 0.999f * expected && at(results[0], 1) < 1.001f * expected);
  }
}

/// How often a unit runs at most before its last time, when all are gone through from the end.
int64_t runs_of(int64_t count, int snapshots) {
  if (count <= 1) return 0;
  const int64_t ahead = units_before_snapshot(count, snapshots);
  CHECK(snapshots > 0 && ahead > 0 && ahead < count);
  return std::max(runs_of(count - ahead, snapshots - 1), 1 + runs_of(ahead, snapshots));
}

void test_snapshots_suffice() {
  for (int64_t count = 1; count < 300; ++count) {
    const int snapshots = std::bit_width(static_cast<uint64_t>(count));
    CHECK(runs_of(count, snapshots) <= (snapshots + 1) / 2);
  }
  CHECK(units_before_snapshot(2, 1) == 1);
  CHECK(units_before_snapshot(10, 1) == 9);
  CHECK(units_before_snapshot(int64_t{1} << 40, 41) > 0);
}

void test_cond_clamps_and_runs_one_branch() {
  Ref<Value> x = placeholder({2}), y = placeholder({2});
  const SubProgram identity = inner({x}, {x});
  const SubProgram twice = inner({y}, {apply(Opcode::Add, y, y)});
  for (const int index : {-5, 0, 1, 7}) {
    const Values results =
        control(Opcode::Cond, {scalar(Dtype::Int32, index), filled({2}, 3)}, {}, {identity, twice}, {{2}});
    CHECK(at(results[0], 0) == (index > 0 ? 6.0f : 3.0f));
  }
}

void test_a_loop_that_fails_can_be_tried_again() {
  const int64_t size = 1 << 20;
  Ref<Value> constant = filled({size}, 1), carry = filled({size}, 0), xs = filled({2, size}, 1);
  const Values results =
      control(Opcode::Scan, {constant, carry, xs}, {1, 1, 2, 0}, {recurrence({size})}, {{size}, {2, size}});
  Allocator& allocator = Allocator::instance();
  allocator.clear_cache();
  const size_t limit = allocator.set_memory_limit(1);
  bool failed = false;
  try {
    at(results[0], 0);
  } catch (const std::exception&) {
    failed = true;
  }
  CHECK(failed);
  allocator.set_memory_limit(limit);
  CHECK(at(results[0], size - 1) == 2.0f);
}

}  // namespace

int main() {
  test_scan_goes_both_ways();
  test_scan_of_no_steps_returns_its_carry();
  test_while_of_numbers_and_of_arrays_agree();
  test_while_may_not_start();
  test_pull_back_of_a_while_keeps_as_many_steps_as_there_are();
  test_snapshots_suffice();
  test_cond_clamps_and_runs_one_branch();
  test_a_loop_that_fails_can_be_tried_again();
  if (failures) std::printf("%d checks failed\n", failures);
  std::printf("control-flow tests done\n");
  return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
