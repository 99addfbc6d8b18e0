// Unit tests of the graph compiler: what each pass makes of small graphs, and that programs compute the right
// numbers.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <stdexcept>

#include "core/shape.h"
#include "graph/execute.h"
#include "graph/host_function.h"
#include "graph/passes.h"
#include "graph/program.h"

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

Ref<Value> constant(double number) {
  return Value::scalar(Dtype::Float32, scalar_from_double(Dtype::Float32, number), true);
}

Ref<Value> apply(Opcode opcode, std::initializer_list<Ref<Value>> inputs, Stream* on = stream()) {
  const Ref<Value>* operands = inputs.begin();
  const Ref<Value>& widest = inputs.size() > 1 && operands[0]->shape.empty() ? operands[1] : operands[0];
  return make_node(opcode, operands, static_cast<int>(inputs.size()), Dims{}, widest->dtype, widest->shape,
                   on);
}

Ref<Value> reduce_sum(const Ref<Value>& value, const Dims& axes) {
  Dims shape;
  for (int axis = 0; axis < value->shape.size(); ++axis) {
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) shape.push_back(value->shape[axis]);
  }
  return make_node(Opcode::ReduceSum, &value, 1, axes, value->dtype, shape, stream());
}

Ref<Program> compiled(const std::vector<Ref<Value>>& inputs, const std::vector<Ref<Value>>& outputs) {
  CapturedGraph captured = capture(inputs, outputs);
  return compile(captured.graph);
}

float first(const Ref<Value>& value) {
  Evaluation().run({value}, true);
  value->materialize_immediate();
  return *static_cast<const float*>(value->data());
}

void test_elementwise_chain_is_one_step() {
  Ref<Value> x = placeholder({8});
  Ref<Value> y = apply(Opcode::Sin, {apply(Opcode::Mul, {apply(Opcode::Add, {x, constant(1)}), x})});
  CHECK(compiled({x}, {y})->steps.size() == 1);
}

void test_reduction_joins_its_producer() {
  Ref<Value> x = placeholder({4, 8});
  Ref<Value> square = apply(Opcode::Mul, {x, x});
  CHECK(compiled({x}, {reduce_sum(square, {1})})->steps.size() == 1);
  // Two reductions over the same axes share a kernel, and so does the stored array.
  Ref<Value> cube = apply(Opcode::Mul, {square, x});
  CHECK(compiled({x}, {reduce_sum(square, {0}), reduce_sum(cube, {0}), square})->steps.size() == 1);
  // Different axes don't.
  CHECK(compiled({x}, {reduce_sum(square, {0}), reduce_sum(square, {1})})->steps.size() == 2);
}

void test_consumers_of_a_reduction_come_later() {
  Ref<Value> x = placeholder({8});
  Ref<Value> total = reduce_sum(x, {0});
  Ref<Value> scaled = apply(Opcode::Mul, {x, total});
  CHECK(compiled({x}, {scaled})->steps.size() == 2);
}

void test_common_subexpressions_merge() {
  Ref<Value> x = placeholder({4, 4});
  Ref<Value> left = reduce_sum(apply(Opcode::Exp, {x}), {0});
  Ref<Value> right = reduce_sum(apply(Opcode::Exp, {x}), {0});
  Ref<Program> program = compiled({x}, {left, right});
  CHECK(program->steps.size() == 1);
  CHECK(program->outputs[0] == program->outputs[1]);
  // Constants are told apart by their values alone.
  const auto shifted = [&x](double by) {
    return apply(Opcode::Exp, {apply(Opcode::Add, {x, constant(by)})});
  };
  program = compiled({x}, {shifted(0.1), shifted(0.1), shifted(0.2)});
  CHECK(program->outputs[0] == program->outputs[1]);
  CHECK(program->outputs[0] != program->outputs[2]);
}

std::pair<Ref<Value>, Ref<Value>> barrier(const Ref<Value>& x, const Ref<Value>& y) {
  const Ref<Value> operands[] = {x, y};
  const Dtype dtypes[] = {x->dtype, y->dtype};
  const Dims shapes[] = {x->shape, y->shape};
  Ref<Value> results[2];
  make_node(Opcode::OptimizationBarrier, operands, 2, Dims{}, dtypes, shapes, 2, stream(), nullptr, results);
  return {results[0], results[1]};
}

void test_nothing_merges_across_a_barrier() {
  Ref<Value> x = placeholder({8}), y = placeholder({8});
  auto cumsum = [](const Ref<Value>& value) {
    return make_node(Opcode::Cumsum, &value, 1, Dims{0, 0}, Dtype::Float32, {8}, stream());
  };
  CHECK(compiled({x, y}, {cumsum(x), cumsum(x), y})->steps.size() == 1);
  // Nor behind two equal ones, each of which has its own recomputation.
  CHECK(
      compiled({x, y}, {cumsum(x), cumsum(barrier(x, y).first), cumsum(barrier(x, y).first)})->steps.size() ==
      5);
}

void test_barrier_passes_its_operands_on() {
  Ref<Value> x = filled({8}, 2), y = apply(Opcode::Sin, {filled({8}, 0)});
  const auto [same_x, same_y] = barrier(x, y);
  CHECK(first(apply(Opcode::Add, {same_x, same_y})) == 2);
  CHECK(first(x) == 2);  // its memory is not written over while it is in use
  CHECK(same_x->buffer.get() == x->buffer.get());
}

void test_outputs_are_computed_in_the_order_of_creation() {
  Ref<Value> x = placeholder({8});
  Ref<Value> early = reduce_sum(x, {0});
  Ref<Value> late = reduce_sum(apply(Opcode::Sort, {x}), {0});
  CapturedGraph captured = capture({x}, {late, early});
  CHECK(captured.graph.nodes.front().opcode == Opcode::ReduceSum);
  CHECK(captured.graph.outputs.front() == captured.graph.nodes.back().first_output);
}

Ref<Value> concatenate(const Ref<Value>& left, const Ref<Value>& right) {
  const Ref<Value> operands[] = {left, right};
  Dims shape = left->shape;
  shape[0] += right->shape[0];
  return make_node(Opcode::Concatenate, operands, 2, Dims{0}, left->dtype, shape, stream());
}

Ref<Value> pad(const Ref<Value>& value, int64_t low, int64_t high) {
  const Ref<Value> operands[] = {value, constant(0)};
  return make_node(Opcode::Pad, operands, 2, Dims{low, high, 0}, value->dtype, {value->shape[0] + low + high},
                   stream());
}

Ref<Value> slice(const Ref<Value>& value, int64_t start, int64_t count) {
  return make_node(Opcode::Slice, &value, 1, Dims{start, 1}, value->dtype, {count}, stream());
}

Ref<Value> reshape(const Ref<Value>& value, const Dims& shape) {
  return make_node(Opcode::Reshape, &value, 1, Dims{}, value->dtype, shape, stream());
}

void test_assemblies_are_read_in_place() {
  const Ref<Value> x = placeholder({2000}), y = placeholder({1000});
  CHECK(compiled({x, y}, {apply(Opcode::Exp, {concatenate(x, y)})})->steps.size() == 1);
  const Ref<Value> framed = apply(Opcode::Add, {pad(x, 1, 2), pad(x, 2, 1)});
  CHECK(compiled({x}, {reduce_sum(framed, {0}), framed})->steps.size() == 1);
  // Alone it is copied; what it is made of is computed before.
  const Ref<Program> alone = compiled({x, y}, {concatenate(x, y)});
  CHECK(alone->steps.size() == 1 && alone->steps[0].opcode == Opcode::Concatenate && !alone->steps[0].fused);
  CHECK(compiled({x, y}, {apply(Opcode::Exp, {concatenate(apply(Opcode::Sin, {x}), y)})})->steps.size() == 2);
  const Ref<Value> both = apply(Opcode::Add, {pad(filled({1500}, 3), 1, 0), pad(filled({1500}, 4), 0, 1)});
  CHECK(first(slice(both, 0, 1)) == 4 && first(slice(both, 700, 1)) == 7 && first(slice(both, 1500, 1)) == 3);
}

void test_slices_move_to_the_operands() {
  const Ref<Value> x = placeholder({2000}), y = placeholder({2000});
  // Both halves of the result, each made of one operand alone.
  const Ref<Value> square = apply(Opcode::Exp, {concatenate(x, y)});
  const Ref<Program> halves =
      compiled({x, y}, {apply(Opcode::Add, {slice(square, 0, 2000), slice(square, 2000, 2000)})});
  CHECK(halves->steps.size() == 1);
  const Ref<Program> core = compiled({x}, {slice(apply(Opcode::Exp, {pad(x, 3, 4)}), 3, 2000)});
  CHECK(core->steps.size() == 1);
  // Not where the whole result is needed too, nor where slices overlap.
  CHECK(compiled({x, y}, {square, apply(Opcode::Neg, {slice(square, 0, 2000)})})->steps.size() == 3);
  const Ref<Value> exponential = apply(Opcode::Exp, {x});
  const auto part = [&](int64_t start) { return apply(Opcode::Neg, {slice(exponential, start, 1100)}); };
  CHECK(compiled({x}, {apply(Opcode::Mul, {part(0), part(5)})})->steps.size() == 4);
  const Ref<Value> ones = filled({1500}, 1), twos = filled({1500}, 2);
  const Ref<Value> joined = apply(Opcode::Neg, {concatenate(ones, twos)});
  CHECK(first(apply(Opcode::Mul, {slice(joined, 0, 1200), slice(joined, 1700, 1200)})) == 2);
}

void test_reshapes_undo_each_other() {
  const Ref<Value> x = placeholder({40, 50}), y = placeholder({2000});
  const Ref<Value> flat = apply(Opcode::Mul, {apply(Opcode::Exp, {reshape(x, {2000})}), y});
  const Ref<Program> program = compiled({x, y}, {reduce_sum(reshape(flat, {40, 50}), {0})});
  CHECK(program->steps.size() == 2);  // a view of y, and one kernel
  CHECK(compiled({x, y}, {flat, reduce_sum(reshape(flat, {40, 50}), {0})})->steps.size() > 2);
  const Ref<Value> three = filled({6}, 3);
  CHECK(first(reduce_sum(reshape(apply(Opcode::Neg, {reshape(three, {2, 3})}), {6}), {0})) == -18);
}

void test_dead_nodes_go() {
  Ref<Value> x = placeholder({8});
  Ref<Value> unused = reduce_sum(x, {0});
  Ref<Value> y = apply(Opcode::Neg, {x});
  CHECK(compiled({x}, {y})->steps.size() == 1);
}

void test_constants_fold() {
  Ref<Value> three = apply(Opcode::Add, {constant(1), constant(2)});
  CapturedGraph captured = capture({three});
  Ref<Program> program = compile(captured.graph);
  CHECK(program->steps.empty());
  CHECK(*static_cast<const float*>(program->slots[program->outputs[0]].constant->data()) == 3.0f);
}

void test_identities_cost_nothing() {
  Ref<Value> x = placeholder({8});
  CHECK(compiled({x}, {apply(Opcode::Mul, {x, constant(1)})})->steps.empty());
  CHECK(compiled({x}, {apply(Opcode::Neg, {apply(Opcode::Neg, {x})})})->steps.empty());
  // x + 0.0 turns −0.0 into 0.0, so it stays.
  CHECK(compiled({x}, {apply(Opcode::Add, {x, constant(0)})})->steps.size() == 1);
}

void test_cheap_producer_sinks_to_its_consumer() {
  // m · 0.9 is needed only together with the result of the reduction: it should not make a trip through
  // memory.
  Ref<Value> m = placeholder({64}), x = placeholder({64, 64});
  Ref<Value> scaled = apply(Opcode::Mul, {m, constant(0.9)});
  Ref<Value> updated = apply(Opcode::Add, {scaled, apply(Opcode::Sin, {reduce_sum(x, {0})})});
  CHECK(compiled({m, x}, {updated})->steps.size() == 2);
}

void test_long_chains_are_cut_and_right() {
  Ref<Value> x = filled({4}, 0);
  for (int i = 0; i < 1000; ++i) x = apply(Opcode::Add, {x, constant(1)});
  CHECK(first(x) == 1000.0f);
}

void test_memory_is_released_after_the_last_use() {
  Ref<Value> x = placeholder({8, 8});
  Ref<Value> total = reduce_sum(apply(Opcode::Exp, {x}), {0});
  Ref<Value> result = reduce_sum(apply(Opcode::Mul, {total, total}), {0});
  Ref<Program> program = compiled({x}, {result});
  size_t releases = 0;
  for (const Program::Step& step : program->steps) releases += step.releases.size();
  CHECK(releases == 2);  // the input and `total`; the result stays
}

void test_values_in_use_are_kept() {
  Ref<Value> x = filled({4}, 2);
  Ref<Value> square = apply(Opcode::Mul, {x, x});
  Ref<Value> cube = apply(Opcode::Mul, {square, x});
  CHECK(first(cube) == 8.0f);
  CHECK(square->is_ready());
}

void test_streams_are_ordered() {
  Stream* one = StreamRegistry::instance().new_stream(Device{});
  Stream* two = StreamRegistry::instance().new_stream(Device{});
  Ref<Value> x = filled({1000}, 1);
  for (int round = 0; round < 50; ++round) {
    Ref<Value> a = apply(Opcode::Add, {x, constant(1)}, one);
    Ref<Value> b = apply(Opcode::Mul, {a, constant(3)}, two);
    Ref<Value> c = apply(Opcode::Sub, {b, a}, one);
    CHECK(first(c) == 4.0f);
  }
}

void test_async_errors_surface_and_nothing_is_lost() {
  Ref<Value> x = filled({1000}, 1);
  Ref<Value> y = apply(Opcode::Add, {x, constant(1)}, StreamRegistry::instance().new_stream(Device{}));
  Allocator& allocator = Allocator::instance();
  allocator.clear_cache();
  const size_t limit = allocator.set_memory_limit(1);
  Evaluation().run({y}, false);
  bool failed = false;
  try {
    first(y);
  } catch (const std::exception&) {
    failed = true;
  }
  CHECK(failed);
  allocator.set_memory_limit(limit);
  CHECK(first(y) == 2.0f);
}

Ref<Value> cumsum(const Ref<Value>& value) {
  return make_node(Opcode::Cumsum, &value, 1, Dims{0, 0}, value->dtype, value->shape, stream());
}

void test_cost_is_counted() {
  Ref<Value> x = placeholder({1024});
  Ref<Value> y = apply(Opcode::Sin, {apply(Opcode::Add, {x, x})});
  Ref<Value> view = make_node(Opcode::Reshape, &y, 1, Dims{}, y->dtype, Dims{32, 32}, stream());
  const Cost cost = estimate_cost(*compiled({x}, {reduce_sum(y, {0}), view}));
  CHECK(cost.flops == 3 * 1024);  // add, sin, and the sum's additions
  CHECK(cost.bytes_accessed == 4 * 1024 + 4 * 1024 + 4);
}

void test_memory_need_is_what_a_run_takes() {
  constexpr int64_t kBytes = 4 << 12;
  Ref<Value> x = placeholder({1 << 12});
  // Two results of kernels at a time, and the second overwrites nothing.
  Ref<Program> program = compiled({x}, {cumsum(cumsum(cumsum(x)))});
  MemoryNeed need = plan_need(*program);
  CHECK(need.inputs == kBytes && need.outputs == kBytes && need.temporaries == kBytes);
  CHECK(need.peak == 3 * kBytes && need.constants == 0);
  // An elementwise result takes the memory of what ends there: of an argument only if it is given up.
  program = compiled({x}, {apply(Opcode::Sin, {x})});
  CHECK(plan_need(*program).peak == 2 * kBytes);
  program->donated = {1};
  CHECK(plan_need(*program).peak == kBytes);
  CHECK(plan_need(*compiled({x}, {apply(Opcode::Sin, {cumsum(x)})})).peak == 2 * kBytes);
}

void test_million_nodes_are_freed_without_recursion() {
  Ref<Value> x = filled({2}, 0);
  for (int i = 0; i < 1000000; ++i) x = apply(Opcode::Add, {x, constant(1)});
  x = nullptr;
  Ref<Value> y = filled({2}, 0);
  for (int i = 0; i < 1000000; ++i) y = apply(Opcode::Add, {y, constant(1)});
  CHECK(first(y) == 1000000.0f);
}

/// Adds one to its first input; counts the calls.
class Increment : public HostFunction {
 public:
  void call(const std::vector<Ref<Value>>& inputs, const std::vector<Ref<Value>>& outputs) const override {
    ++calls;
    if (fails) throw std::runtime_error("increment failed");
    if (inside) inside();
    for (int64_t i = 0; i < outputs[0]->size; ++i) {
      static_cast<float*>(outputs[0]->data())[i] = static_cast<const float*>(inputs[0]->data())[i] + 1;
    }
  }
  std::string name() const override { return "increment"; }

  mutable int calls = 0;
  bool fails = false;
  std::function<void()> inside;
};

Ref<Value> host_call(const Ref<Increment>& function, const Ref<Value>& input, Stream* on = stream()) {
  Ref<Value> result;
  make_node(Opcode::HostCall, &input, 1, Dims{}, &input->dtype, &input->shape, 1, on,
            Ref<RefCounted>(function.get()), &result);
  return result;
}

void test_host_calls() {
  Ref<Increment> function(new Increment);
  {
    const Ref<Value> x = filled({4}, 1), once = host_call(function, x), again = host_call(function, x);
    host_call(function, x);
    CHECK(first(apply(Opcode::Add, {once, again})) == 4);
    CHECK(function->calls == 1);  // equal calls are one, and nobody asked for the third
  }
  CHECK(function->reference_count() == 1);  // no cache keeps it
  {
    const Ref<Value> x = placeholder({4});
    const Ref<Program> program = compiled({x}, {host_call(function, x)});
    CHECK(program->to_string().find("increment") != std::string::npos);
    CHECK(program->steps.size() == 1 && program->steps[0].kind == Program::Step::Kind::Host);
  }
  {
    function->fails = true;
    const Ref<Value> y = host_call(function, filled({4}, 1));
    bool caught = false;
    try {
      first(y);
    } catch (const std::runtime_error&) {
      caught = true;
    }
    CHECK(caught && y->state.load() == Value::State::Pending && !y->event);
    function->fails = false;
    CHECK(first(y) == 2);
  }
  {
    // Evaluating on the stream that runs the call, from within it.
    function->inside = [] { CHECK(first(apply(Opcode::Neg, {filled({4}, 3)})) == -3); };
    CHECK(first(host_call(function, filled({4}, 1))) == 2);
    const Ref<Value> y = host_call(function, filled({4}, 1));
    Evaluation().run({y}, false);
    CHECK(first(y) == 2);
    while (!stream()->synchronize_for(std::chrono::milliseconds{100})) {
    }
  }
}

}  // namespace

int main() {
  test_elementwise_chain_is_one_step();
  test_reduction_joins_its_producer();
  test_consumers_of_a_reduction_come_later();
  test_common_subexpressions_merge();
  test_nothing_merges_across_a_barrier();
  test_barrier_passes_its_operands_on();
  test_outputs_are_computed_in_the_order_of_creation();
  test_assemblies_are_read_in_place();
  test_slices_move_to_the_operands();
  test_reshapes_undo_each_other();
  test_dead_nodes_go();
  test_constants_fold();
  test_identities_cost_nothing();
  test_cheap_producer_sinks_to_its_consumer();
  test_long_chains_are_cut_and_right();
  test_memory_is_released_after_the_last_use();
  test_values_in_use_are_kept();
  test_streams_are_ordered();
  test_async_errors_surface_and_nothing_is_lost();
  test_cost_is_counted();
  test_memory_need_is_what_a_run_takes();
  test_host_calls();
  test_million_nodes_are_freed_without_recursion();
  if (failures) std::printf("%d checks failed\n", failures);
  std::printf("graph tests done\n");
  return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
