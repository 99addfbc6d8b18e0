#include "cpu/scalar_program.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include "cpu/scalar_kernels.h"

namespace ftrans::cpu {

// clang-format off: one line a dtype
/// The operations of counters and simple recurrences have codes of their own; everything else is a Call.
enum class ScalarProgram::Code : uint8_t {
  Call, Copy,
  AddFloat32, SubFloat32, MulFloat32, LtFloat32, GtFloat32, MulAddFloat32,
  AddFloat64, SubFloat64, MulFloat64, LtFloat64, GtFloat64, MulAddFloat64,
  AddInt32, SubInt32, MulInt32, LtInt32, GtInt32,
  AddInt64, SubInt64, MulInt64, LtInt64, GtInt64,
};
// clang-format on

bool ScalarProgram::add(const FusedKernel& kernel, const std::vector<int>& inputs,
                        std::vector<int>& outputs) {
  for (const KernelOutput& output : kernel.outputs) {
    if (output.reduced) return false;
  }
  std::vector<int> cell_of;
  for (const Instruction& instruction : kernel.body) {
    if (kind(instruction.dtype) == 'c' ||
        (kind(instruction.dtype) == 'f' && itemsize(instruction.dtype) == 2))
      return false;
    const bool is_input = instruction.kind == Instruction::Kind::Input;
    cell_of.push_back(is_input ? inputs[instruction.index] : add_cell());
    if (instruction.kind == Instruction::Kind::Constant) {
      std::memcpy(&cells_[cell_of.back()], instruction.constant.bytes, itemsize(instruction.dtype));
    } else if (instruction.kind == Instruction::Kind::Apply) {
      if (!apply(kernel, instruction, cell_of, cell_of.back())) return false;
    }  // the only coordinate of an Iota is 0
  }
  outputs.clear();
  for (const KernelOutput& output : kernel.outputs) outputs.push_back(cell_of[output.instruction]);
  return true;
}

bool ScalarProgram::apply(const FusedKernel& kernel, const Instruction& instruction,
                          const std::vector<int>& cell_of, int out) {
  Operation operation{Code::Call, out, {out, out, out}, nullptr};
  for (int i = 0; i < 3 && instruction.operands[i] >= 0; ++i)
    operation.operands[i] = cell_of[instruction.operands[i]];
  const Dtype to = instruction.dtype, from = kernel.body[instruction.operands[0]].dtype;
  if (instruction.opcode == Opcode::Bitcast) {
    operation.code = Code::Copy;
  } else if (instruction.opcode == Opcode::Convert) {
    const bool same_bits =
        kind(from) != 'f' && kind(to) != 'f' && to != Dtype::Bool && itemsize(from) == itemsize(to);
    if (from == to || same_bits) {
      operation.code = Code::Copy;
    } else {
      operation.kernel = kernel_set().convert(from, to);
    }
  } else {
    const bool is_select = instruction.opcode == Opcode::Select;
    const Dtype dtype = is_select ? kernel.body[instruction.operands[1]].dtype : from;
    operation.code = own_code(instruction.opcode, dtype);
    KernelVariants kernels = kernel_set().elementwise(instruction.opcode, dtype);
    if (!kernels) kernels = scalar_kernels(instruction.opcode, dtype);
    operation.kernel = kernels.by_scalars[0];
  }
  if (operation.code == Code::Call && !operation.kernel) return false;
  if (!append_to_product(kernel, instruction, operation)) operations_.push_back(operation);
  return true;
}

/// Makes one operation, each part of it rounded, of a sum and the product just before that nothing else
/// reads.
bool ScalarProgram::append_to_product(const FusedKernel& kernel, const Instruction& instruction,
                                      const Operation& addition) {
  if (operations_.empty()) return false;
  Operation& product = operations_.back();
  const bool is_float32 = addition.code == Code::AddFloat32 && product.code == Code::MulFloat32;
  const bool is_float64 = addition.code == Code::AddFloat64 && product.code == Code::MulFloat64;
  if (!is_float32 && !is_float64) return false;
  const int side = addition.operands[0] == product.out ? 0 : 1;
  if (addition.operands[side] != product.out) return false;
  const int16_t number = instruction.operands[side];
  int64_t uses = 0;
  for (const Instruction& other : kernel.body) {
    if (other.kind == Instruction::Kind::Apply)
      uses += std::count(other.operands, other.operands + 3, number);
  }
  for (const KernelOutput& output : kernel.outputs) uses += output.instruction == number;
  if (uses != 1) return false;
  product.code = is_float32 ? Code::MulAddFloat32 : Code::MulAddFloat64;
  product.operands[2] = addition.operands[1 - side];
  product.out = addition.out;
  return true;
}

bool ScalarProgram::merge(int input, int result) {
  const auto writer = std::find_if(operations_.begin(), operations_.end(),
                                   [result](const Operation& operation) { return operation.out == result; });
  if (writer == operations_.end()) return false;
  const bool is_read_later = std::any_of(writer + 1, operations_.end(), [input](const Operation& later) {
    return std::find(later.operands, later.operands + 3, input) != later.operands + 3;
  });
  if (is_read_later) return false;
  writer->out = input;
  for (auto later = writer + 1; later != operations_.end(); ++later)
    std::replace(later->operands, later->operands + 3, result, input);
  return true;
}

ScalarProgram::Code ScalarProgram::own_code(Opcode opcode, Dtype dtype) {
  const auto code = [dtype](Code float32, Code float64, Code int32, Code int64) {
    switch (dtype) {
      case Dtype::Float32: return float32;
      case Dtype::Float64: return float64;
      case Dtype::Int32: return int32;
      case Dtype::Int64: return int64;
      default: return Code::Call;
    }
  };
  switch (opcode) {
    case Opcode::Add: return code(Code::AddFloat32, Code::AddFloat64, Code::AddInt32, Code::AddInt64);
    case Opcode::Sub: return code(Code::SubFloat32, Code::SubFloat64, Code::SubInt32, Code::SubInt64);
    case Opcode::Mul: return code(Code::MulFloat32, Code::MulFloat64, Code::MulInt32, Code::MulInt64);
    case Opcode::Lt: return code(Code::LtFloat32, Code::LtFloat64, Code::LtInt32, Code::LtInt64);
    case Opcode::Gt: return code(Code::GtFloat32, Code::GtFloat64, Code::GtInt32, Code::GtInt64);
    default: return Code::Call;
  }
}

namespace {

/// *out = f(a, b), in T; integers wrap around.
template <typename T, typename F>
void binary(ScalarProgram::Cell* out, const ScalarProgram::Cell* a, const ScalarProgram::Cell* b, F f) {
  T left, right;
  std::memcpy(&left, a, sizeof left);
  std::memcpy(&right, b, sizeof right);
  const auto result = f(left, right);
  std::memcpy(out, &result, sizeof result);
}

/// *out = a·b + c, each operation rounded.
template <typename T>
void multiply_add(ScalarProgram::Cell* out, const ScalarProgram::Cell* a, const ScalarProgram::Cell* b,
                  const ScalarProgram::Cell* c) {
  T left, right, sum;
  std::memcpy(&left, a, sizeof left);
  std::memcpy(&right, b, sizeof right);
  std::memcpy(&sum, c, sizeof sum);
  sum = left * right + sum;
  std::memcpy(out, &sum, sizeof sum);
}

}  // namespace

inline void ScalarProgram::run(const Operation* operation, const Operation* end, Cell* cells) {
  constexpr auto add = [](auto a, auto b) { return a + b; };
  constexpr auto sub = [](auto a, auto b) { return a - b; };
  constexpr auto mul = [](auto a, auto b) { return a * b; };
  constexpr auto lt = [](auto a, auto b) { return a < b; };
  constexpr auto gt = [](auto a, auto b) { return a > b; };
  for (; operation != end; ++operation) {
    Cell* const out = cells + operation->out;
    const Cell* const a = cells + operation->operands[0];
    const Cell* const b = cells + operation->operands[1];
    const Cell* const c = cells + operation->operands[2];
    switch (operation->code) {
      case Code::Call: operation->kernel(out, a, b, c, 1); break;
      case Code::Copy: *out = *a; break;
      case Code::AddFloat32: binary<float>(out, a, b, add); break;
      case Code::SubFloat32: binary<float>(out, a, b, sub); break;
      case Code::MulFloat32: binary<float>(out, a, b, mul); break;
      case Code::LtFloat32: binary<float>(out, a, b, lt); break;
      case Code::GtFloat32: binary<float>(out, a, b, gt); break;
      case Code::AddFloat64: binary<double>(out, a, b, add); break;
      case Code::SubFloat64: binary<double>(out, a, b, sub); break;
      case Code::MulFloat64: binary<double>(out, a, b, mul); break;
      case Code::LtFloat64: binary<double>(out, a, b, lt); break;
      case Code::GtFloat64: binary<double>(out, a, b, gt); break;
      case Code::MulAddFloat32: multiply_add<float>(out, a, b, c); break;
      case Code::MulAddFloat64: multiply_add<double>(out, a, b, c); break;
      case Code::AddInt32: binary<uint32_t>(out, a, b, add); break;
      case Code::SubInt32: binary<uint32_t>(out, a, b, sub); break;
      case Code::MulInt32: binary<uint32_t>(out, a, b, mul); break;
      case Code::LtInt32: binary<int32_t>(out, a, b, lt); break;
      case Code::GtInt32: binary<int32_t>(out, a, b, gt); break;
      case Code::AddInt64: binary<uint64_t>(out, a, b, add); break;
      case Code::SubInt64: binary<uint64_t>(out, a, b, sub); break;
      case Code::MulInt64: binary<uint64_t>(out, a, b, mul); break;
      case Code::LtInt64: binary<int64_t>(out, a, b, lt); break;
      case Code::GtInt64: binary<int64_t>(out, a, b, gt); break;
    }
  }
}

bool ScalarProgram::computes(int cell) const {
  return std::any_of(operations_.begin(), operations_.end(),
                     [cell](const Operation& operation) { return operation.out == cell; });
}

void ScalarProgram::split() {
  // By cell, the group that writes it.
  std::vector<int> group_of(cells_.size(), -1);
  std::vector<std::vector<Operation>> groups;
  for (const Operation& operation : operations_) {
    group_of[operation.out] = static_cast<int>(groups.size());
    groups.push_back({operation});
  }
  for (size_t i = 0; i < operations_.size(); ++i) {
    const int mine = group_of[operations_[i].out];
    for (const int cell : operations_[i].operands) {
      const int theirs = group_of[cell];
      if (theirs < 0 || theirs == mine) continue;
      groups[mine].insert(groups[mine].end(), groups[theirs].begin(), groups[theirs].end());
      groups[theirs].clear();
      std::replace(group_of.begin(), group_of.end(), theirs, mine);
    }
  }
  groups_.clear();
  for (size_t g = 0; g < groups.size(); ++g) {
    std::vector<Operation> in_order;
    for (const Operation& operation : operations_) {
      if (group_of[operation.out] == static_cast<int>(g)) in_order.push_back(operation);
    }
    if (!in_order.empty()) groups_.push_back(std::move(in_order));
  }
}

/// A recurrence of one operation on its own result, `count` times. False for other operations.
bool ScalarProgram::repeat(const Operation& operation, Cell* cells, int64_t count) {
  const int out = operation.out, *operands = operation.operands;
  const auto iterate = [&]<typename T>(T value, const auto& f) {
    std::memcpy(&value, cells + out, sizeof value);
    for (int64_t i = 0; i < count; ++i) value = static_cast<T>(f(value));
    std::memcpy(cells + out, &value, sizeof value);
    return true;
  };
  const auto constant = [&]<typename T>(T value, int operand) {
    std::memcpy(&value, cells + operands[operand], sizeof value);
    return value;
  };
  const bool left = operands[0] == out, right = operands[1] == out, third = operands[2] == out;
  const bool multiplies_and_adds =
      operation.code == Code::MulAddFloat32 || operation.code == Code::MulAddFloat64;
  if (left == right || (multiplies_and_adds && third)) return false;
  const int other = left ? 1 : 0;
  switch (operation.code) {
    case Code::AddFloat32: return iterate(0.0f, [y = constant(0.0f, other)](float x) { return x + y; });
    case Code::MulFloat32: return iterate(0.0f, [y = constant(0.0f, other)](float x) { return x * y; });
    case Code::AddFloat64: return iterate(0.0, [y = constant(0.0, other)](double x) { return x + y; });
    case Code::MulFloat64: return iterate(0.0, [y = constant(0.0, other)](double x) { return x * y; });
    case Code::MulAddFloat32:
      return iterate(0.0f, [y = constant(0.0f, other), z = constant(0.0f, 2)](float x) { return x * y + z; });
    case Code::MulAddFloat64:
      return iterate(0.0, [y = constant(0.0, other), z = constant(0.0, 2)](double x) { return x * y + z; });
    case Code::AddInt32:
      return iterate(uint32_t{}, [y = constant(uint32_t{}, other)](uint32_t x) { return x + y; });
    case Code::AddInt64:
      return iterate(uint64_t{}, [y = constant(uint64_t{}, other)](uint64_t x) { return x + y; });
    default: return false;
  }
}

/// i = i + step; predicate = i < limit, until it does not hold, at most `count` times. `count` becomes the
/// number of times. False for other groups.
bool ScalarProgram::count_up(const std::vector<Operation>& group, Cell* cells, int predicate,
                             int64_t& count) {
  if (group.size() != 2 || group[1].out != predicate) return false;
  const Operation &addition = group[0], &comparison = group[1];
  const int i = addition.out;
  if (comparison.operands[0] != i || comparison.operands[1] == i) return false;
  const bool left = addition.operands[0] == i;
  const bool is_int32 = addition.code == Code::AddInt32 && comparison.code == Code::LtInt32;
  const bool is_int64 = addition.code == Code::AddInt64 && comparison.code == Code::LtInt64;
  if (left == (addition.operands[1] == i) || (!is_int32 && !is_int64)) return false;
  const int64_t most = std::exchange(count, 0);
  if ((cells[predicate] & 0xff) == 0) return true;
  const auto run = [&]<typename T>(T value) {
    T step, limit;
    std::memcpy(&value, cells + i, sizeof value);
    std::memcpy(&step, cells + addition.operands[left ? 1 : 0], sizeof step);
    std::memcpy(&limit, cells + comparison.operands[1], sizeof limit);
    using Unsigned = std::make_unsigned_t<T>;
    do {
      value = static_cast<T>(static_cast<Unsigned>(value) + static_cast<Unsigned>(step));
      ++count;
    } while (value < limit && count < most);
    std::memcpy(cells + i, &value, sizeof value);
    cells[predicate] = value < limit;
    return true;
  };
  return is_int32 ? run(int32_t{}) : run(int64_t{});
}

/// The group of the predicate first: it tells how often the others run.
void ScalarProgram::loop_over_groups(Cell* cells, int64_t count, int predicate) const {
  const auto decides = [predicate](const std::vector<Operation>& group) {
    return std::any_of(group.begin(), group.end(),
                       [predicate](const Operation& operation) { return operation.out == predicate; });
  };
  if (predicate >= 0) {
    const auto deciding = std::find_if(groups_.begin(), groups_.end(), decides);
    if (!count_up(*deciding, cells, predicate, count)) {
      const Operation *const begin = deciding->data(), *const end = begin + deciding->size();
      const int64_t most = std::exchange(count, 0);
      for (; count < most && (cells[predicate] & 0xff) != 0; ++count) run(begin, end, cells);
    }
  }
  for (const std::vector<Operation>& group : groups_) {
    if (predicate >= 0 && decides(group)) continue;
    if (group.size() == 1 && repeat(group.front(), cells, count)) continue;
    for (int64_t i = 0; i < count; ++i) run(group.data(), group.data() + group.size(), cells);
  }
}

void ScalarProgram::loop(Cell* cells, const std::vector<std::pair<int, int>>& moves, int64_t count,
                         int predicate) const {
  const bool is_counted = predicate < 0;
  if (moves.empty()) return loop_over_groups(cells, count, predicate);
  const bool in_turn = std::none_of(moves.begin(), moves.end(), [&](const auto& move) {
    return std::any_of(moves.begin(), moves.end(),
                       [&](const auto& other) { return other.first == move.second; });
  });
  std::vector<Cell> moved(moves.size());
  const Operation *const begin = operations_.data(), *const end = begin + operations_.size();
  // A predicate is a bool: one byte of its cell.
  for (int64_t i = 0; i < count && (is_counted || (cells[predicate] & 0xff) != 0); ++i) {
    run(begin, end, cells);
    if (in_turn) {
      for (const auto& [to, from] : moves) cells[to] = cells[from];
    } else {
      for (size_t m = 0; m < moves.size(); ++m) moved[m] = cells[moves[m].second];
      for (size_t m = 0; m < moves.size(); ++m) cells[moves[m].first] = moved[m];
    }
  }
}

}  // namespace ftrans::cpu
