#include "cpu/scalar_program.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include "cpu/scalar_kernels.h"

namespace ftrans::cpu {

namespace {

/// Calls f(number, coordinates) for the elements of a space in row-major order.
template <typename F>
void for_each_element(const Dims& space, F&& f) {
  Dims at(space.size(), 0);
  int64_t count = 1;
  for (int64_t extent : space) count *= extent;
  for (int64_t i = 0; i < count; ++i) {
    f(i, at);
    for (int axis = space.size() - 1; axis >= 0 && ++at[axis] == space[axis]; --axis) at[axis] = 0;
  }
}

int element(const ScalarProgram::Cells& cells, size_t i) { return cells[cells.size() == 1 ? 0 : i]; }

}  // namespace

bool ScalarProgram::add(const FusedKernel& kernel, const Dims& space, const std::vector<Cells>& inputs,
                        std::vector<Cells>& outputs) {
  int64_t count = 1;
  for (int64_t extent : space) count *= extent;
  if (count == 0) return false;
  std::vector<Cells> cells_of;
  for (const Instruction& instruction : kernel.body) {
    if (kind(instruction.dtype) == 'c' ||
        (kind(instruction.dtype) == 'f' && itemsize(instruction.dtype) == 2))
      return false;
    switch (instruction.kind) {
      case Instruction::Kind::Input: cells_of.push_back(inputs[instruction.index]); break;
      case Instruction::Kind::Constant:
        cells_of.push_back(add_cells(1));
        std::memcpy(&cells_[cells_of.back()[0]], instruction.constant.bytes, itemsize(instruction.dtype));
        break;
      case Instruction::Kind::Iota:
        cells_of.push_back(coordinates(space, instruction.index, instruction.dtype));
        break;
      case Instruction::Kind::Piece: {
        const int16_t below = instruction.operands[0];
        cells_of.push_back(place(kernel, instruction, space, inputs[kernel.pieces[instruction.index].input],
                                 below < 0 ? Cells{0} : cells_of[below]));
        break;
      }
      case Instruction::Kind::Apply:
        cells_of.push_back(add_cells(count));
        if (!apply(kernel, instruction, cells_of, cells_of.back())) return false;
    }
  }
  outputs.clear();
  for (const KernelOutput& output : kernel.outputs) {
    const Cells& elements = cells_of[output.instruction];
    outputs.emplace_back();
    if (output.reduced) {
      if (!reduce(kernel, output, space, elements, outputs.back())) return false;
    } else {
      for (int64_t i = 0; i < count; ++i) outputs.back().push_back(element(elements, i));
    }
  }
  return true;
}

ScalarProgram::Cells ScalarProgram::coordinates(const Dims& space, int axis, Dtype dtype) {
  Cells cells;
  for_each_element(space, [&](int64_t, const Dims& at) {
    cells.push_back(add_cell());
    const int64_t coordinate = at[axis];
    if (dtype == Dtype::Int64) {
      std::memcpy(&cells_.back(), &coordinate, sizeof coordinate);
    } else {
      kernel_set().convert(Dtype::Int64, dtype)(&cells_.back(), &coordinate, nullptr, nullptr, 1);
    }
  });
  return cells;
}

/// The cells of a piece inside of its box, else those below: nothing is computed.
ScalarProgram::Cells ScalarProgram::place(const FusedKernel& kernel, const Instruction& instruction,
                                          const Dims& space, const Cells& piece, const Cells& below) {
  const InputPiece& box = kernel.pieces[instruction.index];
  Cells cells;
  for_each_element(space, [&](int64_t i, const Dims& at) {
    bool inside = true;
    size_t number = 0;
    for (int axis = 0; axis < space.size(); ++axis) {
      const int64_t moved = at[axis] - box.start[axis];
      inside &= moved >= 0 && moved < box.extent[axis];
      number = number * static_cast<size_t>(box.extent[axis]) + static_cast<size_t>(moved);
    }
    cells.push_back(inside ? element(piece, number) : element(below, static_cast<size_t>(i)));
  });
  return cells;
}

bool ScalarProgram::apply(const FusedKernel& kernel, const Instruction& instruction,
                          const std::vector<Cells>& cells_of, const Cells& out) {
  Operation operation{};
  if (!operation_of(kernel, instruction, operation)) return false;
  constexpr int kDear = 4;  // more than it costs to bring an element to the others and back
  const int64_t width = itemsize(instruction.dtype);
  if (operation.code == Code::Call && operation.cost >= kDear && out.size() > 1 && width >= 4 &&
      width == itemsize(kernel.body[instruction.operands[0]].dtype)) {
    apply_to_lanes(instruction, operation, width, cells_of, out);
    return true;
  }
  std::vector<Operation> each(out.size(), operation);
  for (size_t e = 0; e < out.size(); ++e) {
    each[e].out = each[e].operands[0] = each[e].operands[1] = each[e].operands[2] = out[e];
    for (int i = 0; i < 3 && instruction.operands[i] >= 0; ++i)
      each[e].operands[i] = element(cells_of[instruction.operands[i]], e);
    if (instruction.opcode == Opcode::Square) each[e].operands[1] = each[e].operands[0];
  }
  if (!append_to_products(kernel, instruction, each))
    operations_.insert(operations_.end(), each.begin(), each.end());
  return true;
}

/// One call for all elements, which lie side by side for it.
void ScalarProgram::apply_to_lanes(const Instruction& instruction, const Operation& operation, int64_t width,
                                   const std::vector<Cells>& cells_of, const Cells& out) {
  const int count = static_cast<int>(out.size());
  const int64_t per_cell = static_cast<int64_t>(sizeof(Cell)) / width;
  const auto lanes = [&] { return add_cells((count + per_cell - 1) / per_cell)[0]; };
  Operation call = operation;
  call.out = call.operands[0] = call.operands[1] = call.operands[2] = lanes();
  call.lane = count - 1;
  for (int i = 0; i < 3 && instruction.operands[i] >= 0; ++i) {
    const int packed = call.operands[i] = lanes();
    for (int e = 0; e < count; ++e) {
      const int from = element(cells_of[instruction.operands[i]], static_cast<size_t>(e));
      operations_.push_back(
          {width == 4 ? Code::Pack32 : Code::Pack64, packed, {from, from, from}, nullptr, e});
    }
  }
  operations_.push_back(call);
  for (int e = 0; e < count; ++e) {
    operations_.push_back({width == 4 ? Code::Unpack32 : Code::Unpack64,
                           out[static_cast<size_t>(e)],
                           {call.out, call.out, call.out},
                           nullptr,
                           e});
  }
}

/// What an instruction does to an element; false if there is nothing that does it.
bool ScalarProgram::operation_of(const FusedKernel& kernel, const Instruction& instruction,
                                 Operation& operation) const {
  operation.code = Code::Call;
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
    operation.cost = kernels.cost;  // none, where a call for several elements would be as many
    if (!kernels) kernels = scalar_kernels(instruction.opcode, dtype);
    operation.kernel = kernels.by_scalars[0];
  }
  return operation.code != Code::Call || operation.kernel;
}

/// Makes one operation, each part of it rounded, of each sum and the product just before that nothing else
/// reads.
bool ScalarProgram::append_to_products(const FusedKernel& kernel, const Instruction& instruction,
                                       const std::vector<Operation>& additions) {
  if (operations_.size() < additions.size()) return false;
  Operation* const products = operations_.data() + operations_.size() - additions.size();
  const Code code = additions[0].code;
  if (code != Code::AddFloat32 && code != Code::AddFloat64) return false;
  const int side = additions[0].operands[0] == products[0].out ? 0 : 1;
  for (size_t e = 0; e < additions.size(); ++e) {
    if (products[e].code != (code == Code::AddFloat32 ? Code::MulFloat32 : Code::MulFloat64) ||
        additions[e].operands[side] != products[e].out)
      return false;
  }
  const int16_t number = instruction.operands[side];
  int64_t uses = 0;
  for (const Instruction& other : kernel.body) uses += std::count(other.operands, other.operands + 3, number);
  for (const KernelOutput& output : kernel.outputs) uses += output.instruction == number;
  if (uses != 1) return false;
  for (size_t e = 0; e < additions.size(); ++e) {
    products[e].code = code == Code::AddFloat32 ? Code::MulAddFloat32 : Code::MulAddFloat64;
    products[e].operands[2] = additions[e].operands[1 - side];
    products[e].out = additions[e].out;
  }
  return true;
}

/// Adds the operations that combine elements, in their order, to one result for each place of the kept axes.
bool ScalarProgram::reduce(const FusedKernel& kernel, const KernelOutput& output, const Dims& space,
                           const Cells& elements, Cells& results) {
  const auto combination = [&] {
    switch (output.reduction) {
      case Opcode::ReduceSum: return Opcode::Add;
      case Opcode::ReduceProd: return Opcode::Mul;
      case Opcode::ReduceMax: return Opcode::Max;
      case Opcode::ReduceMin: return Opcode::Min;
      case Opcode::ReduceOr: return Opcode::Or;
      default: return Opcode::And;
    }
  };
  const Dtype dtype = kernel.body[output.instruction].dtype;
  Operation operation{own_code(combination(), dtype), 0, {}, nullptr};
  operation.kernel = kernel_set().elementwise(combination(), dtype).by_scalars[0];
  if (operation.code == Code::Call && !operation.kernel) return false;
  for_each_element(space, [&](int64_t i, const Dims& at) {
    size_t place = 0;
    bool is_first = true;
    for (int axis = 0; axis < space.size(); ++axis) {
      if (!kernel.reduced_axes[axis]) {
        place = place * static_cast<size_t>(space[axis]) + static_cast<size_t>(at[axis]);
      } else {
        is_first &= at[axis] == 0;
      }
    }
    const int cell = element(elements, static_cast<size_t>(i));
    if (is_first) {
      results.push_back(cell);
      return;
    }
    operation.out = add_cell();
    operation.operands[0] = operation.operands[2] = results[place];
    operation.operands[1] = cell;
    operations_.push_back(operation);
    results[place] = operation.out;
  });
  return true;
}

int ScalarProgram::add_sum_of_products(Dtype dtype, const Cells& left, const Cells& right) {
  const bool is_float32 = dtype == Dtype::Float32;
  int sum = -1;
  for (size_t i = 0; i < left.size(); ++i) {
    const int out = add_cell();
    const Code code = i == 0       ? is_float32 ? Code::MulFloat32 : Code::MulFloat64
                      : is_float32 ? Code::MulAddFloat32
                                   : Code::MulAddFloat64;
    operations_.push_back({code, out, {left[i], right[i], i == 0 ? out : sum}, nullptr});
    sum = out;
  }
  return sum;
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
    case Opcode::Square:
    case Opcode::Mul: return code(Code::MulFloat32, Code::MulFloat64, Code::MulInt32, Code::MulInt64);
    case Opcode::Div: return code(Code::DivFloat32, Code::DivFloat64, Code::Call, Code::Call);
    case Opcode::SafeMul: return code(Code::SafeMulFloat32, Code::SafeMulFloat64, Code::Call, Code::Call);
    case Opcode::Lt: return code(Code::LtFloat32, Code::LtFloat64, Code::LtInt32, Code::LtInt64);
    case Opcode::Gt: return code(Code::GtFloat32, Code::GtFloat64, Code::GtInt32, Code::GtInt64);
    default: return Code::Call;
  }
}

}  // namespace ftrans::cpu
