#include <stdexcept>
#include <unordered_map>

#include "graph/passes.h"
#include "graph/rows.h"

namespace ftrans {
namespace {

class KernelBuilder {
 public:
  KernelBuilder(const Graph& graph, const Unit& unit) : graph_(graph), unit_(unit) {
    result_.space = unit.row_space;
    if (!result_.space)
      result_.space = graph.values[space_value(graph, graph.nodes[unit.nodes.front()])].shape;
    result_.kernel.ndim = result_.space->size();
    result_.kernel.reduced_axes.assign(result_.kernel.ndim, false);
  }

  UnitKernel build(const std::vector<char>& is_needed) {
    for (int32_t index : unit_.nodes) {
      const Graph::Node& node = graph_.nodes[index];
      const int32_t output = node.first_output;
      if (is_reduction(node.opcode)) {
        for (int64_t axis : *node.parameters) result_.kernel.reduced_axes[axis] = true;
      }
      if (is_reduction(node.opcode) && !unit_.row_space) {
        const int32_t source = register_of(graph_.node_inputs(node)[0]);
        result_.kernel.outputs.push_back({source, true, node.opcode});
        result_.outputs.push_back(output);
        continue;
      }
      const int32_t result = is_assembly(graph_, node) ? assemble(node) : apply(node);
      registers_[output] = result;
      if (is_needed[output]) {
        result_.kernel.outputs.push_back({result, has_one_a_row(output), Opcode{}});
        result_.outputs.push_back(output);
      }
    }
    return std::move(result_);
  }

 private:
  /// An instruction that reads an array.
  int32_t push(const Instruction& instruction, int32_t value) {
    const Graph::Value& operand = graph_.values[value];
    result_.inputs.push_back(value);
    result_.of_row.push_back(has_one_a_row(value) && !operand.shape->empty());  // a scalar is for all
    result_.kernel.inputs.push_back(operand.dtype);
    return push(instruction);
  }

  int32_t push(const Instruction& instruction) {
    if (result_.kernel.body.size() >= INT16_MAX) throw std::logic_error("fuse: a kernel is too long");
    result_.kernel.body.push_back(instruction);
    return static_cast<int32_t>(result_.kernel.body.size()) - 1;
  }

  int32_t apply(const Graph::Node& node) {
    Instruction instruction{};
    instruction.opcode = node.opcode;
    instruction.dtype = graph_.values[node.first_output].dtype;
    for (int i = 0; i < 3; ++i) {
      instruction.operands[i] =
          i < node.input_count ? static_cast<int16_t>(register_of(graph_.node_inputs(node)[i])) : int16_t{-1};
    }
    const bool is_iota = node.opcode == Opcode::Iota;
    instruction.kind = is_iota ? Instruction::Kind::Iota : Instruction::Kind::Apply;
    if (!node.parameters->empty() && !is_reduction(node.opcode))
      instruction.index = static_cast<int32_t>((*node.parameters)[0]);
    return push(instruction);
  }

  int32_t assemble(const Graph::Node& node) {
    int32_t result = node.opcode == Opcode::Pad ? register_of(graph_.node_inputs(node)[1]) : -1;
    for_each_piece(graph_, node, [&](int k, const Dims& start) {
      const int32_t value = graph_.node_inputs(node)[k];
      const Graph::Value& operand = graph_.values[value];
      Instruction instruction{};
      instruction.kind = Instruction::Kind::Piece;
      instruction.dtype = operand.dtype;
      instruction.operands[0] = static_cast<int16_t>(result);
      instruction.operands[1] = instruction.operands[2] = -1;
      instruction.index = static_cast<int32_t>(result_.kernel.pieces.size());
      result_.kernel.pieces.push_back({static_cast<int>(result_.inputs.size()), start, *operand.shape});
      result = push(instruction, value);
    });
    return result;
  }

  bool has_one_a_row(int32_t value) const {
    return unit_.row_space && !(*graph_.values[value].shape == *unit_.row_space);
  }

  int32_t register_of(int32_t value) {
    const int32_t inner = unit_.row_space ? inner_value(graph_, unit_, value) : -1;
    auto found = registers_.find(inner >= 0 ? inner : value);
    if (found != registers_.end()) return found->second;
    const Graph::Value& operand = graph_.values[value];
    Instruction instruction{};
    instruction.dtype = operand.dtype;
    instruction.operands[0] = instruction.operands[1] = instruction.operands[2] = -1;
    if (operand.is_constant) {
      instruction.kind = Instruction::Kind::Constant;
      instruction.constant = operand.constant;
      return registers_[value] = push(instruction);
    }
    instruction.kind = Instruction::Kind::Input;
    instruction.index = static_cast<int32_t>(result_.inputs.size());
    return registers_[value] = push(instruction, value);
  }

  const Graph& graph_;
  const Unit& unit_;
  UnitKernel result_;
  std::unordered_map<int32_t, int32_t> registers_;
};

}  // namespace

UnitKernel build_kernel(const Graph& graph, const Unit& unit, const std::vector<char>& is_needed) {
  return KernelBuilder(graph, unit).build(is_needed);
}

}  // namespace ftrans
