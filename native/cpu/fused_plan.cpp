#include "cpu/fused_plan.h"

#include <algorithm>
#include <complex>
#include <cstring>
#include <limits>
#include <optional>
#include <stdexcept>

#include "cpu/scalar_kernels.h"

namespace ftrans::cpu {
namespace {

constexpr bool is_half(Dtype dtype) { return register_dtype(dtype) != dtype; }
constexpr bool is_complex(Dtype dtype) { return kind(dtype) == 'c'; }
constexpr Dtype real_part(Dtype dtype) { return dtype == Dtype::Complex64 ? Dtype::Float32 : Dtype::Float64; }

[[noreturn]] void no_kernel(Opcode opcode, Dtype dtype) {
  throw std::runtime_error(std::string("FusedExecutor: no CPU kernel for ") + info(opcode).name + " of " +
                           name(dtype));
}

KernelVariants find_kernels(Opcode opcode, Dtype dtype, int variant = 0) {
  if (auto kernels = kernel_set().elementwise(opcode, dtype)) return kernels;
  if (auto kernels = scalar_kernels(opcode, dtype)) return kernels;
  if (auto kernels = special_kernels(opcode, dtype, variant)) return kernels;
  return complex_kernels(opcode, dtype);
}

Kernel find_convert(Dtype from, Dtype to) {
  if (Kernel kernel = kernel_set().convert(from, to)) return kernel;
  if (Kernel kernel = complex_convert_kernel(from, to)) return kernel;
  throw std::runtime_error(std::string("FusedExecutor: no CPU kernel to convert ") + name(from) + " to " +
                           name(to));
}

ReductionKernels find_reduction(Opcode opcode, Dtype dtype) {
  ReductionKernels kernels = kernel_set().reduction(opcode, dtype);
  if (!kernels.rows) kernels = complex_reduction_kernels(opcode, dtype);
  if (!kernels.rows) no_kernel(opcode, dtype);
  return kernels;
}

/// Start if chains do not offer the operation.
ChainOperation chain_operation(Opcode opcode) {
  switch (opcode) {
    case Opcode::Add: return ChainOperation::Add;
    case Opcode::Sub: return ChainOperation::Sub;
    case Opcode::Mul: return ChainOperation::Mul;
    case Opcode::Div: return ChainOperation::Div;
    case Opcode::SafeMul: return ChainOperation::SafeMul;
    case Opcode::Max: return ChainOperation::Max;
    case Opcode::Min: return ChainOperation::Min;
    case Opcode::Neg: return ChainOperation::Neg;
    case Opcode::Square: return ChainOperation::Square;
    default: return ChainOperation::Start;
  }
}

ChainOperation product_operation(MulAdd form) {
  switch (form) {
    case MulAdd::Add: return ChainOperation::AddProduct;
    case MulAdd::Subtract: return ChainOperation::SubtractFromProduct;
    default: return ChainOperation::SubtractProduct;
  }
}

template <class T>
ScalarStorage scalar(T value) {
  ScalarStorage storage{};
  std::memcpy(storage.bytes, &value, sizeof value);
  return storage;
}

/// `value` (exact in every dtype asked for) as an element of `dtype`.
ScalarStorage small_constant(int value, Dtype dtype) {
  switch (dtype) {
    case Dtype::Float32: return scalar(static_cast<float>(value));
    case Dtype::Float64: return scalar(static_cast<double>(value));
    case Dtype::Complex64: return scalar(std::complex<float>(static_cast<float>(value)));
    case Dtype::Complex128: return scalar(std::complex<double>(value));
    default: return scalar(static_cast<int64_t>(value));  // little endian: the low bytes serve every integer
  }
}

/// The lowest (highest) value of a real dtype, infinite where it can be.
ScalarStorage extreme(Dtype dtype, bool highest) {
  const bool is_signed = kind(dtype) == 'i';
  const int bits = static_cast<int>(itemsize(dtype)) * 8;
  switch (dtype) {
    case Dtype::Bool: return scalar(highest);
    case Dtype::Float32: return scalar((highest ? 1 : -1) * std::numeric_limits<float>::infinity());
    case Dtype::Float64: return scalar((highest ? 1 : -1) * std::numeric_limits<double>::infinity());
    default: {
      const uint64_t top = uint64_t{1} << (bits - 1);
      if (is_signed) return scalar(highest ? top - 1 : top);
      return scalar(highest ? (top - 1) | top : uint64_t{0});
    }
  }
}

ScalarStorage identity_of(Opcode reduction, Dtype dtype) {
  switch (reduction) {
    case Opcode::ReduceProd: return small_constant(1, dtype);
    case Opcode::ReduceMax: return extreme(dtype, false);
    case Opcode::ReduceMin: return extreme(dtype, true);
    case Opcode::ReduceAnd: return dtype == Dtype::Bool ? scalar(true) : small_constant(-1, dtype);
    default: return small_constant(0, dtype);
  }
}

/// Translates instructions into steps; then lifetimes give the registers.
class Planner {
 public:
  Planner(Plan& plan, const FusedKernel& kernel)
      : plan_(plan),
        kernel_(kernel),
        value_of_(kernel.body.size(), -1),
        joins_sum_(kernel.body.size(), false) {}

  void translate() {
    std::vector<bool> needed(kernel_.body.size(), false);
    for (const KernelOutput& output : kernel_.outputs) needed[output.instruction] = true;
    for (int i = static_cast<int>(kernel_.body.size()) - 1; i >= 0; --i) {
      if (!needed[i]) continue;
      for (const int operand : kernel_.body[i].operands) {
        if (operand >= 0) needed[operand] = true;
      }
    }
    find_products(needed);
    for (size_t i = 0; i < kernel_.body.size(); ++i) {
      if (needed[i] && !joins_sum_[i]) value_of_[i] = translate(kernel_.body[i]);
    }
    for (size_t i = 0; i < kernel_.outputs.size(); ++i) add_output(static_cast<int>(i), kernel_.outputs[i]);
  }

  /// Joins runs of arithmetic in which each step alone uses the result of the one before it.
  void find_chains() {
    constexpr int kMaxLoads = 8;  // that a run may bring forward: each holds a register
    const std::vector<int> uses = count_uses();
    std::vector<PlanStep> steps;
    std::optional<PlanStep> run;
    int loads = 0;
    const auto finish = [&] {
      if (run) steps.push_back(std::move(*run));
      run.reset();
      loads = 0;
    };
    for (PlanStep& step : plan_.steps) {
      if (step.is_load()) {
        if (++loads > kMaxLoads) finish();
        steps.push_back(std::move(step));
      } else if (!run || !join(*run, step, uses)) {
        finish();
        run = std::move(step);
      }
    }
    finish();
    plan_.steps = std::move(steps);
  }

  void assign_registers() {
    const int end = static_cast<int>(plan_.steps.size());
    for (int step = 0; step < end; ++step) {
      value(plan_.steps[step].result).definition = step;
      plan_.steps[step].for_each_operand([&](int operand) { value(operand).last_use = step; });
    }
    for (const PlanStore& store : plan_.stores) value(store.value).last_use = end;
    for (const PlanReduction& reduction : plan_.reductions) value(reduction.value).last_use = end;

    std::vector<int> free;
    for (int index = 0; index < end; ++index) {
      const PlanStep& step = plan_.steps[index];
      const int64_t width = itemsize(value(step.result).dtype);
      // A register is overwritten in place only by elements of the same size.
      release_operands(step, index, free, [&](const PlanValue& v) { return itemsize(v.dtype) == width; });
      if (free.empty()) free.push_back(plan_.slot_count++);
      value(step.result).slot = free.back();
      free.pop_back();
      release_operands(step, index, free, [&](const PlanValue& v) { return itemsize(v.dtype) != width; });
    }
  }

  /// About 4 KB a register, less where many are alive, so that all fit in the first-level cache; more where
  /// nothing is computed and a tile is only reduced (or copied).
  void choose_tile() {
    int64_t width = 4;
    for (const PlanValue& v : plan_.values) width = std::max(width, itemsize(v.dtype));
    constexpr int64_t kRegisterBytes = 4096, kPassingBytes = 4 * kRegisterBytes, kCacheBytes = 48 * 1024,
                      kSmallestTile = 256;
    const bool computes =
        std::any_of(plan_.steps.begin(), plan_.steps.end(), [](const PlanStep& s) { return !s.is_load(); });
    plan_.tile = (computes ? kRegisterBytes : kPassingBytes) / width;
    while (plan_.tile > kSmallestTile && plan_.slot_count * plan_.tile * width > kCacheBytes) plan_.tile /= 2;
    plan_.width = width;
  }

 private:
  PlanValue& value(int index) { return plan_.values[index]; }

  template <class Predicate>
  void release_operands(const PlanStep& step, int index, std::vector<int>& free, Predicate predicate) {
    step.for_each_operand([&](int i) {
      const PlanValue& operand = value(i);
      const bool repeated = std::find(free.begin(), free.end(), operand.slot) != free.end();
      if (!repeated && operand.slot >= 0 && operand.last_use == index && predicate(operand))
        free.push_back(operand.slot);
    });
  }

  /// Of each value, as an operand and as an output.
  std::vector<int> count_uses() const {
    std::vector<int> uses(plan_.values.size(), 0);
    for (const PlanStep& step : plan_.steps) step.for_each_operand([&](int operand) { ++uses[operand]; });
    for (const PlanStore& store : plan_.stores) ++uses[store.value];
    for (const PlanReduction& reduction : plan_.reductions) ++uses[reduction.value];
    return uses;
  }

  /// Makes `step` the end of the chain `run` (or of one that begins with the single step `run`) if it can be;
  /// returns whether.
  bool join(PlanStep& run, const PlanStep& step, const std::vector<int>& uses) {
    if (run.operation == ChainOperation::Start || step.operation == ChainOperation::Start) return false;
    const int* const end = step.operands + step.operand_count;
    const int* const operand = std::find(step.operands, end, run.result);
    if (operand == end) return false;
    const int expected =
        multiplies(step) && step.operands[0] == step.operands[1] && operand == step.operands ? 2 : 1;
    if (uses[run.result] != expected) return false;
    if (!run.chain) begin_chain(run);
    append_links(run.links, step, static_cast<int>(operand - step.operands));
    run.result = step.result;
    plan_.longest_chain = std::max(plan_.longest_chain, static_cast<int64_t>(run.links.size()));
    return true;
  }

  void begin_chain(PlanStep& step) {
    step.chain = kernel_set().chain(value(step.result).dtype);
    // Better a tile than a constant.
    const bool second = step.operand_count > 1 && value(step.operands[0]).constant >= 0;
    step.links.push_back({.operation = ChainOperation::Start, .operands = {step.operands[second], -1}});
    append_links(step.links, step, second);
    step.operand_count = 0;
  }

  static bool multiplies(const PlanStep& step) {
    return step.operation == ChainOperation::Mul || step.operation >= ChainOperation::AddProduct;
  }

  /// Adds the links of a step; the chain so far is its operand number `accumulator`.
  static void append_links(std::vector<PlanLink>& links, const PlanStep& step, int accumulator) {
    if (accumulator == 2) {
      links.push_back({.operation = step.operation, .operands = {step.operands[0], step.operands[1]}});
      return;
    }
    const int other = step.operand_count > 1 ? step.operands[1 - accumulator] : -1;
    if (!multiplies(step)) {
      links.push_back({.operation = step.operation, .reversed = accumulator == 1, .operands = {other, -1}});
    } else if (step.operands[0] == step.operands[1]) {
      links.push_back({.operation = ChainOperation::Square});
    } else {
      links.push_back({.operation = ChainOperation::Mul, .operands = {other, -1}});
    }
    if (step.operation >= ChainOperation::AddProduct) {
      links.push_back({.operation = step.operation == ChainOperation::AddProduct ? ChainOperation::Add
                                                                                 : ChainOperation::Sub,
                       .reversed = step.operation == ChainOperation::SubtractProduct,
                       .operands = {step.operands[2], -1}});
    }
  }

  bool is_apply(int index, Opcode opcode) const {
    return index >= 0 && kernel_.body[index].kind == Instruction::Kind::Apply &&
           kernel_.body[index].opcode == opcode;
  }

  /// Marks the floating-point products that only one sum or difference uses: they are computed in one pass
  /// with it.
  void find_products(const std::vector<bool>& needed) {
    std::vector<int> uses(kernel_.body.size(), 0);
    for (const KernelOutput& output : kernel_.outputs) ++uses[output.instruction];
    for (size_t i = 0; i < kernel_.body.size(); ++i) {
      if (!needed[i]) continue;
      for (const int operand : kernel_.body[i].operands) {
        if (operand >= 0) ++uses[operand];
      }
    }
    for (int i = 0; i < static_cast<int>(kernel_.body.size()); ++i) {
      if (!needed[i] || kind(kernel_.body[i].dtype) != 'f') continue;
      if (!is_apply(i, Opcode::Add) && !is_apply(i, Opcode::Sub)) continue;
      for (const int operand : {kernel_.body[i].operands[0], kernel_.body[i].operands[1]}) {
        if (!is_apply(operand, Opcode::Mul) || uses[operand] != 1) continue;
        joins_sum_[operand] = true;
        break;
      }
    }
  }

  /// The sum or difference of a marked product and another value.
  int mul_add(const Instruction& sum, bool product_first) {
    const Instruction& product = kernel_.body[sum.operands[product_first ? 0 : 1]];
    const MulAdd form = sum.opcode == Opcode::Add ? MulAdd::Add
                        : product_first           ? MulAdd::Subtract
                                                  : MulAdd::SubtractProduct;
    const Dtype dtype = register_dtype(sum.dtype);
    return apply(kernel_set().mul_add(form, dtype), dtype,
                 {value_of_[product.operands[0]], value_of_[product.operands[1]],
                  value_of_[sum.operands[product_first ? 1 : 0]]},
                 product_operation(form));
  }

  int new_value(Dtype dtype) {
    plan_.values.push_back({.dtype = dtype});
    return static_cast<int>(plan_.values.size()) - 1;
  }

  int apply(const KernelVariants& kernels, Dtype dtype, std::initializer_list<int> operands,
            ChainOperation operation = ChainOperation::Start) {
    for (const int operand : operands) load(operand);
    const int result = new_value(dtype);
    PlanStep step{.kernels = kernels, .result = result};
    if (kernel_set().chain(dtype)) step.operation = operation;
    for (const int operand : operands) step.operands[step.operand_count++] = operand;
    plan_.steps.push_back(step);
    plan_.cost += kernels.cost;
    return result;
  }

  int apply(Kernel kernel, Dtype dtype, int operand) {
    return apply(KernelVariants{{kernel}, false, 2}, dtype, {operand});
  }

  /// Sources are loaded just before their first use.
  void load(int operand) {
    PlanValue& v = value(operand);
    if (v.source < 0 || v.definition >= 0) return;
    v.definition = static_cast<int>(plan_.steps.size());
    plan_.steps.push_back({.kernels = {}, .result = operand});
    plan_.cost += 1;
  }

  int translate(const Instruction& instruction) {
    const Dtype dtype = instruction.dtype;
    switch (instruction.kind) {
      case Instruction::Kind::Input:
        return source({.input = instruction.index, .storage = dtype}, register_dtype(dtype));
      case Instruction::Kind::Constant: return constant(instruction);
      case Instruction::Kind::Iota: return iota(instruction);
      case Instruction::Kind::Piece: return place(instruction);
      case Instruction::Kind::Apply: break;
    }
    for (const int i : {0, 1}) {
      if (instruction.operands[i] >= 0 && joins_sum_[instruction.operands[i]])
        return mul_add(instruction, i == 0);
    }
    const auto operand = [&](int i) { return value_of_[instruction.operands[i]]; };
    const Dtype from = kernel_.body[instruction.operands[0]].dtype;
    if (instruction.opcode == Opcode::Convert) return convert(operand(0), from, dtype);
    if (instruction.opcode == Opcode::Bitcast) return bitcast(operand(0), from, dtype);
    if (instruction.opcode == Opcode::Nextafter && is_half(from)) {
      const Kernel narrow = find_convert(Dtype::Float32, from);
      const int a = apply(narrow, Dtype::UInt16, operand(0)), b = apply(narrow, Dtype::UInt16, operand(1));
      const int next = apply(find_kernels(Opcode::Nextafter, from), Dtype::UInt16, {a, b});
      return apply(find_convert(from, Dtype::Float32), Dtype::Float32, next);
    }
    const bool is_select = instruction.opcode == Opcode::Select;
    const Dtype operand_dtype =
        register_dtype(is_select ? kernel_.body[instruction.operands[1]].dtype : from);
    const KernelVariants kernels = find_kernels(instruction.opcode, operand_dtype, instruction.index);
    if (!kernels) no_kernel(instruction.opcode, from);
    const ChainOperation operation = chain_operation(instruction.opcode);
    switch (info(instruction.opcode).category) {
      case OpcodeCategory::Unary: return apply(kernels, register_dtype(dtype), {operand(0)}, operation);
      case OpcodeCategory::Binary:
        return apply(kernels, register_dtype(dtype), {operand(0), operand(1)}, operation);
      default: return apply(kernels, register_dtype(dtype), {operand(0), operand(1), operand(2)});
    }
  }

  int source(PlanSource source, Dtype dtype) {
    if (source.storage != dtype) source.load = find_convert(source.storage, dtype);
    const int result = new_value(dtype);
    value(result).source = static_cast<int>(plan_.sources.size());
    plan_.sources.push_back(source);
    return result;
  }

  int place(const Instruction& instruction) {
    const int below = instruction.operands[0] < 0 ? -1 : value_of_[instruction.operands[0]];
    if (below >= 0) load(below);
    const int input = kernel_.pieces[instruction.index].input;
    const int result = source({.input = input, .piece = instruction.index, .storage = instruction.dtype},
                              register_dtype(instruction.dtype));
    value(result).definition = static_cast<int>(plan_.steps.size());
    PlanStep step{.kernels = {}, .result = result, .places = true};
    if (below >= 0) step.operands[step.operand_count++] = below;
    plan_.steps.push_back(step);
    plan_.cost += 1;
    return result;
  }

  int constant(const Instruction& instruction) {
    const Dtype dtype = register_dtype(instruction.dtype);
    const int result = new_value(dtype);
    value(result).constant = static_cast<int>(plan_.constants.size());
    ScalarStorage stored = instruction.constant;
    if (dtype != instruction.dtype) {
      find_convert(instruction.dtype, dtype)(&stored.as_float32, instruction.constant.bytes, nullptr, nullptr,
                                             1);
    }
    plan_.constants.push_back(stored);
    return result;
  }

  int iota(const Instruction& instruction) {
    const PlanSource coordinate{.axis = instruction.index, .storage = Dtype::Int64};
    if (is_half(instruction.dtype) || is_complex(instruction.dtype)) {
      return convert(source(coordinate, Dtype::Int64), Dtype::Int64, instruction.dtype);
    }
    return source(coordinate, instruction.dtype);
  }

  int convert(int operand, Dtype from, Dtype to) {
    if (from == to) return operand;
    const Dtype held = register_dtype(from);
    if (is_complex(from) && !is_complex(to) && to != Dtype::Bool) {
      const int real = apply(find_kernels(Opcode::Real, from), real_part(from), {operand});
      return convert(real, real_part(from), to);
    }
    if (is_complex(to) && !is_complex(from)) {
      const int real = convert(operand, from, real_part(to));
      return apply(find_convert(real_part(to), to), to, real);
    }
    if (is_half(to)) {
      if (held == Dtype::Float32 || held == Dtype::Float64) {
        return apply(kernel_set().round_to_half(held, to), Dtype::Float32, operand);
      }
      const int wide = apply(find_convert(held, Dtype::Float64), Dtype::Float64, operand);
      return apply(kernel_set().round_to_half(Dtype::Float64, to), Dtype::Float32, wide);
    }
    if (held == to) return operand;
    const bool integers = kind(held) != 'f' && kind(to) != 'f' && !is_complex(to) && to != Dtype::Bool;
    if (integers && itemsize(held) == itemsize(to)) return operand;
    return apply(find_convert(held, to), to, operand);
  }

  int bitcast(int operand, Dtype from, Dtype to) {
    if (from == to) return operand;
    if (is_half(from)) operand = apply(find_convert(Dtype::Float32, from), Dtype::UInt16, operand);
    if (is_half(to)) operand = apply(find_convert(to, Dtype::Float32), Dtype::Float32, operand);
    return operand;
  }

  void add_output(int number, const KernelOutput& output) {
    const int result = value_of_[output.instruction];
    const Dtype storage = kernel_.body[output.instruction].dtype, held = register_dtype(storage);
    load(result);
    if (output.reduced) {
      add_reduction(number, output.reduction, result, storage);
      return;
    }
    PlanStore store{.output = number, .value = result, .storage = storage};
    if (held != storage) {
      store.narrow = find_convert(held, storage);
    } else if (value(result).store < 0 && value(result).source < 0 && value(result).constant < 0) {
      value(result).store = static_cast<int>(plan_.stores.size());
    }
    plan_.stores.push_back(store);
  }

  void add_reduction(int number, Opcode opcode, int result, Dtype storage) {
    const Dtype held = register_dtype(storage);
    PlanReduction reduction{.output = number,
                            .value = result,
                            .storage = storage,
                            .kernels = find_reduction(opcode, held),
                            .merge = {},
                            .identity = {},
                            .finish = {}};
    const Dtype accumulator = reduction.kernels.accumulator;
    reduction.merge = find_reduction(opcode, accumulator);
    reduction.identity = identity_of(opcode, accumulator);
    if (is_half(storage) && accumulator == Dtype::Float64) {
      reduction.finish[0] = kernel_set().round_to_half(accumulator, storage);
      reduction.finish[1] = find_convert(held, storage);
    } else if (accumulator != storage) {
      reduction.finish[0] = find_convert(accumulator, storage);
    }
    plan_.reductions.push_back(reduction);
    plan_.cost += 1;
  }

  Plan& plan_;
  const FusedKernel& kernel_;
  std::vector<int> value_of_;    ///< planned value of each instruction
  std::vector<bool> joins_sum_;  ///< products that find_products marked
};

}  // namespace

Plan::Plan(const FusedKernel& kernel)
    : ndim(kernel.ndim), reduced_axes(kernel.reduced_axes), pieces(kernel.pieces) {
  Planner planner(*this, kernel);
  planner.translate();
  planner.find_chains();
  planner.assign_registers();
  planner.choose_tile();
}

}  // namespace ftrans::cpu
