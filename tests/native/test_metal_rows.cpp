// Kernels with reductions inside on the host Metal device, against passes of the CPU executor.

#include <cstdlib>

#include "metal/row_plan.h"
#include "metal_testing.h"

using namespace ftrans;
using namespace ftrans::metal;
using namespace ftrans::testing;

namespace {

using Shape = std::vector<int64_t>;

std::vector<bool> axes_of(const Shape& shape, unsigned axes) {
  std::vector<bool> reduced;
  for (size_t axis = 0; axis < shape.size(); ++axis) reduced.push_back(axes >> axis & 1);
  return reduced;
}

std::string text_of(const std::string& what, const Shape& shape, unsigned axes) {
  std::string text = what + " over " + std::to_string(axes) + " of";
  for (const int64_t extent : shape) text += " " + std::to_string(extent);
  return text;
}

/// exp(x - max) / sum, stored twice, with the maximum and the sum of each row.
Case softmax(Dtype dtype, const Shape& shape, unsigned axes, bool plain = true) {
  // Half types are rounded where they are stored, and where a reduction ends.
  const Tolerance close{dtype == Dtype::Float32 ? 200.0 : 4.0, 1e-7};
  const Tolerance logarithm{close.ulps, 1e-6};  // of sums near 1
  return {.name = text_of(std::string("softmax of ") + name(dtype), shape, axes),
          .kernel = {.ndim = static_cast<int>(shape.size()),
                     .inputs = {dtype},
                     .body = {input(0, dtype), apply(Opcode::ReduceMax, dtype, 0),
                              apply(Opcode::Excess, dtype, 0, 1), apply(Opcode::Exp, dtype, 2),
                              apply(Opcode::ReduceSum, dtype, 3), apply(Opcode::Div, dtype, 3, 4),
                              apply(Opcode::Log, dtype, 4)},
                     .outputs = {stored(5), reduced(1, Opcode{}), reduced(6, Opcode{}), stored(3)},
                     .reduced_axes = axes_of(shape, axes)},
          .shape = shape,
          .inputs = {strided(dtype, shape, plain)},
          .tolerances = {close, {}, logarithm, close}};
}

/// (x - mean) / sqrt(variance + 1) of rows.
Case layer_norm(const Shape& shape) {
  const Dtype dtype = Dtype::Float32;
  return {.name = text_of("layer_norm", shape, 2),
          .kernel = {.ndim = 2,
                     .inputs = {dtype},
                     .body = {input(0, dtype), constant(static_cast<float>(shape[1]), dtype),
                              constant(1.0f, dtype), apply(Opcode::ReduceSum, dtype, 0),
                              apply(Opcode::Div, dtype, 3, 1), apply(Opcode::Sub, dtype, 0, 4),
                              apply(Opcode::Square, dtype, 5), apply(Opcode::ReduceSum, dtype, 6),
                              apply(Opcode::Div, dtype, 7, 1), apply(Opcode::Add, dtype, 8, 2),
                              apply(Opcode::Rsqrt, dtype, 9), apply(Opcode::Mul, dtype, 5, 10)},
                     .outputs = {stored(11)},
                     .reduced_axes = {false, true}},
          .shape = shape,
          .inputs = {strided(dtype, shape, true)},
          .tolerances = {{200, 1e-5}}};
}

/// Exact in every dtype: maxima and ranks, coordinates, an operand with an element a row and one a column.
Case exact(Dtype dtype, const Shape& shape, unsigned axes, bool plain = true) {
  const int last = static_cast<int>(shape.size()) - 1;
  Case test{.name = text_of(std::string("exact ") + name(dtype), shape, axes),
            .kernel = {.ndim = last + 1,
                       .inputs = {dtype, dtype, dtype},
                       .body = {input(0, dtype), input(1, dtype), input(2, dtype), iota(last, Dtype::Int32),
                                iota(0, Dtype::Int32)},
                       .outputs = {},
                       .reduced_axes = axes_of(shape, axes)},
            .shape = shape,
            .inputs = {strided(dtype, shape, plain), strided(dtype, shape), strided(dtype, shape)},
            .tolerances = {}};
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    if (test.kernel.reduced_axes[axis]) test.inputs[1].strides[axis] = 0;
    if (!test.kernel.reduced_axes[axis]) test.inputs[2].strides[axis] = 0;
  }
  auto& body = test.kernel.body;
  const auto push = [&body](const Instruction& instruction) {
    body.push_back(instruction);
    return static_cast<int>(body.size()) - 1;
  };
  const bool is_complex = kind(dtype) == 'c';
  const int both = push(apply(Opcode::Eq, Dtype::Bool, 0, 1)),
            third = push(apply(Opcode::Eq, Dtype::Bool, 0, 2));
  const int real = is_complex ? push(apply(Opcode::Real, Dtype::Float32, 0)) : 0;
  const int most = push(apply(Opcode::ReduceMax, body[real].dtype, real));
  const int is_most = push(apply(Opcode::Eq, Dtype::Bool, real, most));
  const int any =
      push(apply(Opcode::ReduceOr, Dtype::Bool, push(apply(Opcode::Or, Dtype::Bool, both, third))));
  const int number = push(apply(Opcode::Convert, Dtype::Int32, is_most));
  const int ranked =
      push(apply(Opcode::Add, Dtype::Int32, 3, push(apply(Opcode::Mul, Dtype::Int32, number, 4))));
  const int total = push(apply(Opcode::ReduceSum, Dtype::Int32, ranked));
  const int least =
      push(apply(Opcode::ReduceMin, Dtype::Int32, push(apply(Opcode::Sub, Dtype::Int32, ranked, total))));
  const int chosen = push(apply(Opcode::Select, dtype, is_most, 0, 1));
  const int last_sum =
      push(apply(Opcode::ReduceProd, Dtype::Int32, push(apply(Opcode::Add, Dtype::Int32, least, ranked))));
  test.kernel.outputs = {stored(chosen),
                         reduced(most, Opcode{}),
                         reduced(any, Opcode{}),
                         reduced(total, Opcode{}),
                         stored(push(apply(Opcode::Sub, Dtype::Int32, ranked, last_sum))),
                         reduced(push(apply(Opcode::Add, Dtype::Int32, least, total)), Opcode{})};
  return test;
}

/// Sums of complex numbers, and a row that is divided by them.
Case complex_rows(const Shape& shape, unsigned axes) {
  const Dtype dtype = Dtype::Complex64;
  return {.name = text_of("complex", shape, axes),
          .kernel = {.ndim = static_cast<int>(shape.size()),
                     .inputs = {dtype},
                     .body = {input(0, dtype), apply(Opcode::Square, dtype, 0),
                              apply(Opcode::ReduceSum, dtype, 1), apply(Opcode::Mul, dtype, 0, 2),
                              apply(Opcode::ReduceSum, dtype, 3)},
                     .outputs = {stored(3), reduced(2, Opcode{}), reduced(4, Opcode{})},
                     .reduced_axes = axes_of(shape, axes)},
          .shape = shape,
          .inputs = {strided(dtype, shape, true)},
          // Sums cancel: relative to what they are made of.
          .tolerances = {{64, 1}, {64, 1}, {64, 1000}}};
}

/// Rows of every length: parts of SIMD-groups, threadgroups, and too long to be kept.
void lengths() {
  std::vector<Case> cases;
  for (const Shape& shape : {Shape{5, 1},
                             {300, 3},
                             {40, 8},
                             {9, 31},
                             {9, 33},
                             {3, 100},
                             {4, 257},
                             {2, 1025},
                             {1, 2049},
                             {2, 5000},
                             {1, 9000},
                             {1, 16500},
                             {0, 5},
                             {5, 0}}) {
    cases.push_back(softmax(Dtype::Float32, shape, 2));
    cases.push_back(exact(Dtype::Int32, shape, 2));
  }
  run_cases(std::move(cases));
}

/// Rows that are several axes, not the last, or everything; strides of every sort.
void layouts() {
  std::vector<Case> cases;
  for (const Shape& shape : {Shape{70}, {40, 6}, {6, 40}, {5, 1, 7}, {3, 4, 5, 6}, {2, 3, 2, 1, 3, 2}}) {
    for (unsigned axes = 1; axes < 1u << shape.size(); axes += shape.size() > 3 ? 5 : 1) {
      cases.push_back(softmax(Dtype::Float32, shape, axes, axes % 2));
      cases.push_back(exact(Dtype::Float32, shape, axes, axes % 2 == 0));
    }
  }
  for (const Shape& shape : {Shape{40, 50}, {4100, 9}, {4100, 20}}) {
    Case across = softmax(Dtype::Float32, shape, 2);
    across.inputs[0].strides = {1, shape[0]};
    cases.push_back(across);
  }
  run_cases(std::move(cases));
}

void dtypes() {
  std::vector<Case> cases;
  for (const Dtype dtype : metal_dtypes()) {
    for (const Shape& shape : {Shape{40, 6}, {3, 200}}) {
      cases.push_back(exact(dtype, shape, 2));
      if (kind(dtype) == 'f') cases.push_back(softmax(dtype, shape, 2));
    }
  }
  cases.push_back(complex_rows({40, 6}, 2));
  cases.push_back(complex_rows({3, 200}, 2));
  run_cases(std::move(cases));
}

/// Infinite maxima and NaN as the CPU has them, wherever in a row they are.
void special_numbers() {
  std::vector<Case> cases;
  for (const int64_t length : {7, 40, 300}) {
    Case test = softmax(Dtype::Float32, {6, length}, 2);
    const float numbers[] = {NAN, INFINITY, -INFINITY, -0.0f, 3e38f};
    for (int64_t row = 0; row < 5; ++row) {
      const int64_t at = row * length + (37 * row + 5) % length;
      std::memcpy(test.inputs[0].bytes.data() + 4 * at, &numbers[row], 4);
    }
    const float least = -INFINITY;
    for (int64_t i = 0; i < length; ++i)
      std::memcpy(test.inputs[0].bytes.data() + 4 * (5 * length + i), &least, 4);
    cases.push_back(std::move(test));
  }
  run_cases(std::move(cases), 1);
}

/// What a kernel leaves in the memory of its input.
void in_place() {
  for (const Shape& shape : {Shape{40, 6}, {3, 200}, {2, 17000}}) {
    Case test = softmax(Dtype::Float32, shape, 2);
    test.kernel.outputs = {stored(5)};
    const FusedFunction function(pipelines(), test.kernel);
    const auto strides = strides_of(test);
    std::vector<unsigned char> expected(test.inputs[0].bytes.size());
    run_on_cpu(test.kernel, shape, {test.inputs[0].bytes.data()}, strides, {expected.data()});
    const Ref<Memory> memory = memory_of(test.inputs[0].bytes);
    const Place place{memory.get(), 0};
    Recording recording;
    function.encode(recording, shape.data(), &place, strides.data(), &place);
    recording.compile(pipelines());
    const Ref<CommandBuffer> buffer = device()->new_queue()->command_buffer();
    recording.play(*buffer);
    std::promise<std::string> ended;
    buffer->commit([&](const Outcome& outcome) { ended.set_value(outcome.error); });
    CHECK(ended.get_future().get().empty(), "a kernel runs in place");
    test.name += " in place";
    check_output(test, 0, static_cast<const unsigned char*>(memory->data()), expected.data(), count(shape));
  }
}

/// Each element is read once and written once; those that are not kept are read by each of the three loops.
void traffic() {
  const auto measure = [](Case test, double reads) {
    test.kernel.outputs.resize(1);
    run_cases({test}, 1);
    test.function = std::make_shared<FusedFunction>(pipelines(), test.kernel);
    auto& counters = host::counters();
    counters.bytes_read = counters.bytes_written = counters.dispatches = 0;
    run_case(test);
    const double bytes = 4.0 * static_cast<double>(count(test.shape));
    CHECK(counters.dispatches == 1, test.name + " is one dispatch");
    CHECK(counters.bytes_read >= bytes && counters.bytes_read <= 1.1 * reads * bytes,
          test.name + " reads " + std::to_string(counters.bytes_read));
    CHECK(counters.bytes_written == bytes, test.name + " writes " + std::to_string(counters.bytes_written));
  };
  for (const Shape& shape : {Shape{1000, 3}, {100, 31}, {30, 300}, {3, 5000}, {2, 16000}}) {
    measure(softmax(Dtype::Float32, shape, 2), 1);
    measure(layer_norm(shape), 1);
  }
  measure(softmax(Dtype::Float32, {2, 17000}, 2), 3);
}

/// Kept elements fit into the registers that so many threads have.
void lanes() {
  const Case test = softmax(Dtype::Float32, {4, 4}, 2);
  const std::vector<Source> sources = sources_of(test.kernel);
  for (const int64_t length : {0, 1, 4, 5, 100, 129, 2048, 5000, 16384, 16385, 1 << 20}) {
    Variant variant{.access = {Variant::Access::Strided, Variant::Access::Strided}};
    choose_lanes(test.kernel, sources, length, false, variant);
    const std::string text =
        std::to_string(length) + " elements, " + std::to_string(variant.lanes) + " lanes";
    CHECK(variant.held == 0 || variant.held * variant.lanes >= length, text);
    CHECK((variant.held > 0) == (length <= 16384), text);
    CHECK(length == 0 || variant.lanes < 2 * length, text);
    CHECK(variant.lanes <= 1024 && variant.held <= 16, text);
  }
  Variant across{.access = {Variant::Access::Strided, Variant::Access::Strided}};
  choose_lanes(test.kernel, sources, 1000, true, across);
  CHECK(across.lanes == 1 && across.held == 0, "neighbours in memory are those of different threads");
}

/// A row that needs what two loops before it have found has three; what a loop needs again is kept.
void plans() {
  const FusedKernel kernel = softmax(Dtype::Float32, {4, 4}, 2).kernel;
  const std::vector<Source> sources = sources_of(kernel);
  const std::vector<Variant::Access> access(sources.size(), Variant::Access::Strided);
  const RowPlan plan(kernel, sources, access, true);
  using List = std::vector<int>;
  CHECK(plan.loops.size() == 3, "three loops");
  CHECK(plan.loops[0].computed == List{0} && plan.loops[0].reduced == List{1}, "the maximum");
  CHECK((plan.loops[1].kept == List{0} && plan.loops[1].computed == List{2, 3}), "the powers");
  CHECK(plan.loops[2].kept == List{3} && plan.loops[2].computed == List{5}, "the quotients");
  CHECK(plan.of_row[1] && plan.of_row[6] && !plan.of_row[3], "rows");
  CHECK(plan.most_words(kernel) == 1, "one number is kept at a time");
  const RowPlan again(kernel, sources, access, false);
  CHECK((again.loops[2].kept.empty() && again.loops[2].computed == List{0, 2, 3, 5}), "computed again");
}

/// Iteration spaces beyond 32 bits, made small.
void wide_offsets() {
  for (const Shape& shape : {Shape{300, 6}, {7, 100}}) {
    Case test = softmax(Dtype::Float32, shape, 2);
    test.kernel.outputs = {stored(5)};
    const std::vector<Source> sources = sources_of(test.kernel);
    const auto strides = strides_of(test);
    Layout layout(test.kernel, sources, shape.data(), strides.data());
    layout.variant.wide = true;
    std::vector<uint64_t> parameters;
    for (const int64_t each : layout.parameters(1)) parameters.push_back(static_cast<uint64_t>(each));
    const Ref<Memory> in = memory_of(test.inputs[0].bytes),
                      out = device()->allocate(test.inputs[0].bytes.size());
    Recording recording;
    recording.set_pipeline(pipelines().get(print(test.kernel, sources, layout.variant)));
    recording.set_memory(0, *in, 0);
    recording.set_memory(1, *out, 0);
    recording.set_bytes(2, parameters.data(), parameters.size() * 8);
    const auto rows = static_cast<uint32_t>(layout.rows_per_group());
    const uint32_t groups = (static_cast<uint32_t>(shape[0]) + rows - 1) / rows;
    recording.dispatch({2, 1, (groups + 1) / 2}, {rows * static_cast<uint32_t>(layout.variant.lanes)});
    recording.compile(pipelines());
    const Ref<CommandBuffer> buffer = device()->new_queue()->command_buffer();
    recording.play(*buffer);
    std::promise<std::string> ended;
    buffer->commit([&](const Outcome& outcome) { ended.set_value(outcome.error); });
    CHECK(ended.get_future().get().empty(), "a wide kernel runs");
    std::vector<unsigned char> expected(test.inputs[0].bytes.size());
    run_on_cpu(test.kernel, shape, {test.inputs[0].bytes.data()}, strides, {expected.data()});
    check_output(test, 0, static_cast<const unsigned char*>(out->data()), expected.data(), count(shape));
  }
}

void refusals() {
  FusedKernel kernel = complex_rows({4, 4}, 2).kernel;
  kernel.body[2].opcode = Opcode::ReduceMax;
  std::string message;
  try {
    FusedFunction function(pipelines(), kernel);
  } catch (const std::invalid_argument& error) {
    message = error.what();
  }
  CHECK(message.find("reduce_max of complex64") != std::string::npos, message);
}

}  // namespace

int main() {
  setenv("FTRANS_METAL", "host", 1);
  plans();
  lanes();
  lengths();
  layouts();
  dtypes();
  special_numbers();
  in_place();
  traffic();
  wide_offsets();
  refusals();
  if (failures == 0) std::printf("all passed\n");
  return failures != 0;
}
