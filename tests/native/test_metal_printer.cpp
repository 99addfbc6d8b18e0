// Printed kernels on the host Metal device, against the CPU executor.

#include <cstdlib>

#include "metal/supported.h"
#include "metal_testing.h"

using namespace ftrans;
using namespace ftrans::metal;
using namespace ftrans::testing;

namespace {

bool accepts(const FusedKernel& kernel) {
  try {
    print(kernel, sources_of(kernel),
          {.kept = 1, .access = std::vector<Variant::Access>(sources_of(kernel).size())});
    return true;
  } catch (const std::invalid_argument&) {
    return false;
  }
}

bool cpu_accepts(const FusedKernel& kernel) {
  try {
    cpu::FusedExecutor executor(kernel);
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }
}

Dtype result_dtype(Opcode opcode, Dtype dtype) {
  switch (opcode) {
    case Opcode::Eq:
    case Opcode::Ne:
    case Opcode::Lt:
    case Opcode::Le:
    case Opcode::Gt:
    case Opcode::Ge:
    case Opcode::IsNan:
    case Opcode::IsInf:
    case Opcode::IsFinite: return Dtype::Bool;
    case Opcode::Abs:
    case Opcode::Real:
    case Opcode::Imag: return dtype == Dtype::Complex64 ? Dtype::Float32 : dtype;
    case Opcode::Complex: return Dtype::Complex64;
    default: return dtype;
  }
}

/// What float32 may differ by: both sides round; the CPU computes most functions in float64.
Tolerance tolerance_of(Opcode opcode, Dtype dtype) {
  if (dtype == Dtype::Complex64) {
    switch (opcode) {
      case Opcode::Add:
      case Opcode::Sub:
      case Opcode::Neg:
      case Opcode::Conj:
      case Opcode::Real:
      case Opcode::Imag:
      case Opcode::Select: return {};
      // A complex product of 20 and 20 in float32 keeps eps·|z|; powers multiply the error by |b·log a|.
      case Opcode::Pow: return {2000, 1e-30};
      default: return {24, 2e-6};
    }
  }
  switch (opcode) {
    case Opcode::Exp:
    case Opcode::Exp2:
    case Opcode::Expm1:
    case Opcode::Log:
    case Opcode::Log2:
    case Opcode::Log10:
    case Opcode::Log1p:
    case Opcode::Sin:
    case Opcode::Cos:
    case Opcode::Tan:
    case Opcode::Asin:
    case Opcode::Acos:
    case Opcode::Atan:
    case Opcode::Sinh:
    case Opcode::Cosh:
    case Opcode::Tanh:
    case Opcode::Asinh:
    case Opcode::Acosh:
    case Opcode::Atanh:
    case Opcode::Atan2:
    case Opcode::Pow:
    case Opcode::Cbrt:
    case Opcode::Hypot:
    case Opcode::Logistic: return {3, 0};
    case Opcode::FloorDivide: return {1, 0};
    case Opcode::Logaddexp: return {2, 3e-7};  // sums of opposite signs cancel
    case Opcode::Erf:
    case Opcode::Erfc:
    case Opcode::ErfInv:
    case Opcode::ErfInvGiles:
    case Opcode::Erfcx:
    case Opcode::Ndtr:
    case Opcode::Ndtri:
    case Opcode::LogNdtr:
    case Opcode::BesselI0:
    case Opcode::BesselI1:
    case Opcode::BesselI0e:
    case Opcode::BesselI1e:
    case Opcode::LambertW: return {8, 0};
    // Exponents of some tens, whose error counts relatively; differences of log Γ.
    case Opcode::Zeta:
    case Opcode::Polygamma: return {64, 0};
    case Opcode::GammaP:
    case Opcode::GammaQ:
    case Opcode::GammaDensity: return {256, 1e-30};
    // Below 0, beside a pole, even the rounding of a + b counts.
    case Opcode::Beta: return {1024, 1e-30};
    case Opcode::LogBeta: return {16, 1e-4};
    case Opcode::Lgamma:
    case Opcode::Digamma: return {8, 2e-6};  // about their roots below 0
    default: return {};
  }
}

/// The samples of an operation keep to where float32 can give an answer that the tolerance describes.
bool wants_ordinary(Opcode opcode, Dtype dtype) {
  return (kind(dtype) == 'c' || is_gamma(opcode)) && tolerance_of(opcode, dtype).ulps > 0;
}

/// Every operation of every dtype that both sides have; two are the CPU's alone.
void opcodes() {
  std::vector<Case> cases;
  constexpr int64_t kCount = 400;
  for (const Dtype dtype : metal_dtypes()) {
    for (const bool ordinary : {false, true}) {
      Case current;
      const auto flush = [&] {
        if (current.kernel.outputs.empty()) return;
        cases.push_back(current);
        current = {};
      };
      for (int number = 0; number < kOpcodeCount; ++number) {
        const auto opcode = static_cast<Opcode>(number);
        if (!is_elementwise(opcode) || info(opcode).category == OpcodeCategory::Nullary) continue;
        if (wants_ordinary(opcode, dtype) != ordinary) continue;
        const int operands =
            static_cast<int>(info(opcode).category) - static_cast<int>(OpcodeCategory::Unary) + 1;
        std::vector<Dtype> results = {result_dtype(opcode, dtype)};
        if (opcode == Opcode::Convert) results = metal_dtypes();
        if (opcode == Opcode::Bitcast) {
          results.clear();
          for (const Dtype to : metal_dtypes()) {
            if (itemsize(to) == itemsize(dtype) && kind(to) != 'b' && kind(to) != 'c') results.push_back(to);
          }
        }
        for (const Dtype result : results) {
          if (current.kernel.body.empty()) {
            current.name = name(dtype);
            current.kernel = {
                .ndim = 1,
                .inputs = {dtype, dtype, dtype, Dtype::Bool},
                .body = {input(0, dtype), input(1, dtype), input(2, dtype), input(3, Dtype::Bool)},
                .outputs = {},
                .reduced_axes = {false}};
            current.shape = {kCount};
            for (const Dtype each : current.kernel.inputs)
              current.inputs.push_back(samples(each, kCount, ordinary));
          }
          Instruction instruction = apply(opcode, result, 0, operands > 1 ? 1 : -1, operands > 2 ? 2 : -1);
          if (opcode == Opcode::Select) instruction.operands[0] = 3;
          FusedKernel single = current.kernel;
          single.body.resize(4);
          single.body.push_back(instruction);
          single.outputs = {stored(4)};
          if (!cpu_accepts(single)) {
            CHECK(!accepts(single),
                  std::string(info(opcode).name) + " of " + name(dtype) + ": the CPU has it not");
            continue;
          }
          if (!accepts(single)) {
            CHECK(opcode == Opcode::BetaInc || opcode == Opcode::BetaDensity,
                  std::string(info(opcode).name) + " of " + name(dtype) + ": only the CPU has it");
            continue;
          }
          current.kernel.outputs.push_back(stored(static_cast<int>(current.kernel.body.size())));
          current.kernel.body.push_back(instruction);
          Tolerance tolerance = tolerance_of(opcode, dtype);
          if (tolerance.ulps > 0 && kind(dtype) == 'f' && itemsize(dtype) == 2)
            tolerance.ulps = 1;  // it rounds
          current.tolerances.push_back(tolerance);
          if (current.kernel.outputs.size() == 24) flush();
        }
      }
      flush();
    }
  }
  run_cases(std::move(cases));
}

const std::vector<std::vector<int64_t>>& some_shapes() {
  static const std::vector<std::vector<int64_t>> shapes = {
      {}, {1}, {7}, {0}, {1000}, {3, 0, 2}, {5, 300}, {4, 1, 6}, {3, 4, 5, 2}, {2, 3, 2, 1, 3, 2, 2, 3}};
  return shapes;
}

/// Strides of every sort, coordinates, constants, several outputs.
void layouts() {
  std::vector<Case> cases;
  for (const auto& shape : some_shapes()) {
    const int ndim = static_cast<int>(shape.size());
    for (const bool plain : {true, false, false}) {
      Case test{
          .name = "layouts",
          .kernel =
              {.ndim = ndim,
               .inputs = {Dtype::Float32, Dtype::Int16, Dtype::Bool, Dtype::BFloat16, Dtype::Complex64},
               .body = {input(0, Dtype::Float32), input(1, Dtype::Int16), input(2, Dtype::Bool),
                        input(3, Dtype::BFloat16), input(4, Dtype::Complex64), constant(1.5f, Dtype::Float32),
                        constant(int16_t{-7}, Dtype::Int16), constant(uint16_t{0x3fc0}, Dtype::BFloat16),
                        apply(Opcode::Add, Dtype::Float32, 0, 5), apply(Opcode::Mul, Dtype::Int16, 1, 6),
                        apply(Opcode::Select, Dtype::Float32, 2, 8, 5),
                        apply(Opcode::Sub, Dtype::BFloat16, 3, 7), apply(Opcode::Neg, Dtype::Complex64, 4)},
               .outputs = {stored(10), stored(9), stored(11), stored(12), stored(10)},
               .reduced_axes = std::vector<bool>(ndim, false)},
          .shape = shape,
          .inputs = {},
          .tolerances = {}};
      for (int axis = 0; axis < ndim; ++axis) {
        for (const Dtype dtype : {Dtype::Int64, Dtype::Float16, Dtype::Complex64, Dtype::UInt8}) {
          test.kernel.outputs.push_back(stored(static_cast<int>(test.kernel.body.size())));
          test.kernel.body.push_back(iota(axis, dtype));
          if (axis > 1) break;
        }
      }
      for (const Dtype dtype : test.kernel.inputs) test.inputs.push_back(strided(dtype, shape, plain));
      cases.push_back(std::move(test));
    }
  }
  run_cases(std::move(cases), 1);
}

/// A kernel that reduces one input in every way that its dtype allows, and stores it.
Case reduction(Dtype dtype, const std::vector<int64_t>& shape, unsigned axes, bool plain) {
  const int ndim = static_cast<int>(shape.size());
  Case test{.name = std::string("reduction of ") + name(dtype) + " over " + std::to_string(axes) + " of " +
                    std::to_string(count(shape)),
            .kernel = {.ndim = ndim,
                       .inputs = {dtype},
                       .body = {input(0, dtype)},
                       .outputs = {stored(0)},
                       .reduced_axes = {}},
            .shape = shape,
            .inputs = {strided(dtype, shape, plain)},
            .tolerances = {{}}};
  for (int axis = 0; axis < ndim; ++axis) test.kernel.reduced_axes.push_back(axes >> axis & 1);
  const bool is_float = is_floating(dtype);
  // Numbers of one sign, so that the error of a sum is relative.
  if (is_float) {
    Array& array = test.inputs[0];
    const auto size = array.bytes.size() / (kind(dtype) == 'c' ? 4 : itemsize(dtype));
    array.bytes.clear();
    std::uniform_real_distribution<double> near_one(0.99, 1.01);
    for (size_t i = 0; i < size; ++i) put_float(array.bytes, near_one(generator), dtype);
  }
  // A random walk of as many roundings as there are numbers.
  const double rounding = itemsize(dtype) == 2 ? 1 : 40 + 2 * std::sqrt(static_cast<double>(count(shape)));
  for (const Opcode opcode : {Opcode::ReduceSum, Opcode::ReduceProd, Opcode::ReduceMax, Opcode::ReduceMin,
                              Opcode::ReduceOr, Opcode::ReduceAnd}) {
    FusedKernel single = test.kernel;
    single.outputs = {reduced(0, opcode)};
    if (!cpu_accepts(single)) continue;
    // A long product of complex numbers near 1 + i overflows.
    if (opcode == Opcode::ReduceProd && kind(dtype) == 'c' && count(shape) > 100) continue;
    test.kernel.outputs.push_back(reduced(0, opcode));
    const bool rounds = is_float && (opcode == Opcode::ReduceSum || opcode == Opcode::ReduceProd);
    test.tolerances.push_back(rounds ? Tolerance{rounding, 0} : Tolerance{});
  }
  return test;
}

void reductions() {
  std::vector<Case> cases;
  for (const auto& shape : some_shapes()) {
    if (shape.size() > 4) continue;
    for (unsigned axes = 1; axes < 1u << shape.size(); ++axes) {
      for (const Dtype dtype : {Dtype::Float32, Dtype::Int32})
        cases.push_back(reduction(dtype, shape, axes, axes % 2));
    }
  }
  for (const Dtype dtype : metal_dtypes()) {
    for (const unsigned axes : {1u, 2u, 3u}) cases.push_back(reduction(dtype, {40, 50}, axes, true));
  }
  // In parts, whose accumulators a second pass joins: few long rows, few long columns, everything.
  for (const Dtype dtype : {Dtype::Float32, Dtype::BFloat16, Dtype::Int8, Dtype::Bool}) {
    cases.push_back(reduction(dtype, {2, 40000}, 2, true));
    cases.push_back(reduction(dtype, {1200, 33}, 1, true));
  }
  cases.push_back(reduction(Dtype::Int64, {50000}, 1, false));
  run_cases(std::move(cases));
}

/// A maximum or minimum with a NaN is NaN, in each form of reduction.
void reductions_keep_nan() {
  std::vector<Case> cases;
  for (const unsigned axes : {1u, 2u}) {
    Case test = reduction(Dtype::Float32, {40, 64}, axes, true);
    const float nan = NAN;
    std::memcpy(test.inputs[0].bytes.data() + 4 * 77, &nan, sizeof nan);
    cases.push_back(std::move(test));
  }
  run_cases(std::move(cases), 1);
}

/// Threads move what has to move, once.
void traffic() {
  constexpr int64_t kCount = 1 << 15;
  const auto measure = [](Case test, uint64_t least_read, uint64_t least_written) {
    run_cases({test}, 1);
    auto& counters = host::counters();
    counters.bytes_read = counters.bytes_written = 0;
    run_cases({test}, 1);
    CHECK(counters.bytes_read <= 1.1 * static_cast<double>(least_read) && counters.bytes_read >= least_read,
          test.name + " reads " + std::to_string(counters.bytes_read));
    CHECK(counters.bytes_written <= 1.1 * static_cast<double>(least_written) &&
              counters.bytes_written >= least_written,
          test.name + " writes " + std::to_string(counters.bytes_written));
  };
  Case sum{.name = "the traffic of a sum",
           .kernel = {.ndim = 2,
                      .inputs = {Dtype::Float32, Dtype::Float32},
                      .body = {input(0, Dtype::Float32), input(1, Dtype::Float32),
                               apply(Opcode::Add, Dtype::Float32, 0, 1)},
                      .outputs = {stored(2)},
                      .reduced_axes = {false, false}},
           .shape = {32, kCount / 32},
           .inputs = {},
           .tolerances = {}};
  for (int i = 0; i < 2; ++i) sum.inputs.push_back(strided(Dtype::Float32, sum.shape, true));
  sum.inputs[1].strides = {1, 32};
  measure(sum, 8 * kCount, 4 * kCount);
  for (const unsigned axes : {1u, 2u, 3u}) {
    Case test = reduction(Dtype::Float32, {64, kCount / 64}, axes, true);
    test.name = "the traffic of a " + test.name;
    test.kernel.outputs = {reduced(0, Opcode::ReduceSum)};
    test.tolerances = {{40, 0}};
    const uint64_t results = axes == 1 ? kCount / 64 : axes == 2 ? 64 : 1;
    // A sum of everything has a part from each of a few threadgroups.
    const uint64_t parts = axes == 3 ? 2 : 0;
    measure(test, 4 * kCount + 4 * parts, 4 * (results + parts));
  }
}

/// Iteration spaces beyond 32 bits, made small: the grid goes on along z.
void wide_offsets() {
  Case test{.name = "wide",
            .kernel = {.ndim = 2,
                       .inputs = {Dtype::Int32},
                       .body = {input(0, Dtype::Int32), iota(1, Dtype::Int32),
                                apply(Opcode::Add, Dtype::Int32, 0, 1)},
                       .outputs = {stored(2)},
                       .reduced_axes = {false, false}},
            .shape = {10, 20},
            .inputs = {samples(Dtype::Int32, 200, true)},
            .tolerances = {}};
  const int64_t reversed[] = {1, -10};
  const int64_t* const strides[] = {reversed};
  const std::vector<Source> sources = sources_of(test.kernel);
  Layout layout(test.kernel, sources, test.shape.data(), strides);
  CHECK(!layout.variant.wide, "a small space is not wide");
  layout.variant.wide = true;
  std::vector<uint64_t> parameters;
  for (const int64_t each : layout.parameters(1)) parameters.push_back(static_cast<uint64_t>(each));
  const Ref<Memory> in = memory_of(test.inputs[0].bytes), out = device()->allocate(800);
  const Ref<Queue> queue = device()->new_queue();
  const Ref<CommandBuffer> buffer = queue->command_buffer();
  Recording recording;
  recording.set_pipeline(pipelines().get(print(test.kernel, sources, layout.variant)));
  recording.set_memory(0, *in, 0);
  recording.set_memory(1, *out, 0);
  recording.set_bytes(2, parameters.data(), parameters.size() * 8);
  recording.dispatch({3, 1, 3}, {32});
  recording.compile(pipelines());
  recording.play(*buffer);
  std::promise<std::string> ended;
  buffer->commit([&](const Outcome& outcome) { ended.set_value(outcome.error); });
  CHECK(ended.get_future().get().empty(), "a wide kernel runs");
  const auto* x = static_cast<const int32_t*>(in->data());
  const auto* y = static_cast<const int32_t*>(out->data());
  bool good = true;
  for (int i = 0; i < 10; ++i) {
    for (int j = 0; j < 20; ++j) {
      const uint32_t expected = static_cast<uint32_t>(x[i + 10 * (19 - j)]) + static_cast<uint32_t>(j);
      good &= static_cast<uint32_t>(y[20 * i + j]) == expected;
    }
  }
  CHECK(good, "a wide kernel computes the same");

  const int64_t large[] = {int64_t{1} << 33, 1}, broadcast[] = {0, 0};
  const int64_t* const none[] = {broadcast};
  CHECK(Layout(test.kernel, sources, large, none).variant.wide, "a large space is wide");
}

void refusals() {
  const auto message = [](const FusedKernel& kernel) {
    try {
      FusedFunction function(pipelines(), kernel);
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const auto contains = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  const auto of = [](Dtype in, Instruction instruction, bool reduces) {
    return FusedKernel{.ndim = 1,
                       .inputs = {in},
                       .body = {input(0, in), instruction},
                       .outputs = {reduces ? reduced(1, Opcode::ReduceMax) : stored(1)},
                       .reduced_axes = {reduces}};
  };
  const std::string wide = message(of(Dtype::Float32, apply(Opcode::Convert, Dtype::Float64, 0), false));
  CHECK(contains(wide, "convert") && contains(wide, "float64") && contains(wide, "float32") &&
            contains(wide, "ft.cpu"),
        wide);
  const std::string complex = message(of(Dtype::Complex128, apply(Opcode::Neg, Dtype::Complex128, 0), false));
  CHECK(contains(complex, "complex128") && contains(complex, "complex64"), complex);
  const std::string floor = message(of(Dtype::Complex64, apply(Opcode::Floor, Dtype::Complex64, 0), false));
  CHECK(contains(floor, "floor of complex64") && contains(floor, "ft.cpu"), floor);
  const std::string max = message(of(Dtype::Complex64, apply(Opcode::Neg, Dtype::Complex64, 0), true));
  CHECK(contains(max, "reduce_max of complex64"), max);
  FusedKernel slope = of(Dtype::Float32, apply(Opcode::GammaP, Dtype::Float32, 0, 0), false);
  CHECK(message(slope).empty(), "gamma_p of float32 is possible");
  slope.body[1].index = 1;
  CHECK(contains(message(slope), "a derivative of gamma_p"), message(slope));
  CHECK(message(of(Dtype::Float32, apply(Opcode::Neg, Dtype::Float32, 0), true)).empty(),
        "float32 is possible");
}

/// The text depends on the kernel and on how the inputs lie, not on the extents.
void pipelines_are_shared() {
  Case test{.name = "shared",
            .kernel = {.ndim = 1,
                       .inputs = {Dtype::Float32},
                       .body = {input(0, Dtype::Float32), apply(Opcode::Sqrt, Dtype::Float32, 0)},
                       .outputs = {stored(1)},
                       .reduced_axes = {false}},
            .shape = {5},
            .inputs = {samples(Dtype::Float32, 900, true)},
            .tolerances = {}};
  run_cases({test}, 1);
  const uint64_t before = host::counters().compilations;
  test.shape = {900};
  run_cases({test}, 1);
  CHECK(host::counters().compilations == before, "another extent needs no new pipeline");
}

}  // namespace

int main() {
  setenv("FTRANS_METAL", "host", 1);
  opcodes();
  layouts();
  reductions();
  reductions_keep_nan();
  traffic();
  wide_offsets();
  refusals();
  pipelines_are_shared();
  if (failures == 0) std::printf("all passed\n");
  return failures != 0;
}
