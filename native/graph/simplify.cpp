#include <cstring>
#include <stdexcept>

#include "core/backend.h"
#include "core/shape.h"
#include "graph/passes.h"

namespace ftrans {
namespace {

bool equals_integer(const Graph::Value& value, int64_t number) {
  if (!value.is_constant) return false;
  const ScalarStorage expected = scalar_from_int64(value.dtype, number);
  return std::memcmp(value.constant.bytes, expected.bytes, itemsize(value.dtype)) == 0;
}

/// Applies an elementwise operation to constants, with the kernel that would do it at run time.
ScalarStorage evaluate(const Graph& graph, const Graph::Node& node) {
  FusedKernel kernel;
  Instruction apply{};
  apply.kind = Instruction::Kind::Apply;
  apply.opcode = node.opcode;
  if (!node.parameters->empty()) apply.index = static_cast<int32_t>((*node.parameters)[0]);
  apply.dtype = graph.values[node.first_output].dtype;
  apply.operands[0] = apply.operands[1] = apply.operands[2] = -1;
  const void* inputs[3];
  const int64_t* strides[3];
  for (int i = 0; i < node.input_count; ++i) {
    const Graph::Value& operand = graph.values[graph.node_inputs(node)[i]];
    Instruction load{};
    load.kind = Instruction::Kind::Input;
    load.dtype = operand.dtype;
    load.index = i;
    kernel.body.push_back(load);
    kernel.inputs.push_back(operand.dtype);
    apply.operands[i] = static_cast<int16_t>(i);
    inputs[i] = operand.constant.bytes;
    strides[i] = nullptr;
  }
  kernel.body.push_back(apply);
  kernel.outputs.push_back({node.input_count, false, Opcode{}});
  ScalarStorage result{};
  void* outputs[1] = {result.bytes};
  backend().compile(kernel)->run(nullptr, inputs, strides, outputs);
  return result;
}

class Simplifier {
 public:
  explicit Simplifier(Graph& graph) : graph_(graph), replacement_(graph.values.size()) {
    for (size_t i = 0; i < replacement_.size(); ++i) replacement_[i] = static_cast<int32_t>(i);
    size_t capacity = 16;
    while (capacity < 2 * graph.nodes.size()) capacity *= 2;
    table_.assign(capacity, -1);
  }

  void run() {
    for (size_t index = 0; index < graph_.nodes.size(); ++index) {
      Graph::Node& node = graph_.nodes[index];
      for (int i = 0; i < node.input_count; ++i) {
        int32_t& operand = graph_.operands[node.first_input + i];
        operand = replacement_[operand];
      }
      if (node.output_count == 1) {
        if (fold(node)) continue;
        const int32_t same = identity(node);
        if (same >= 0) {
          replacement_[node.first_output] = same;
          continue;
        }
      }
      // What is behind a barrier is computed again, not taken from what is in front of it.
      if (node.opcode != Opcode::OptimizationBarrier) merge_with_equal(static_cast<int32_t>(index));
    }
    for (int32_t& output : graph_.outputs) {
      const int32_t replaced = replacement_[output];
      if (replaced != output) {
        graph_.values[replaced].is_output = true;
        output = replaced;
      }
    }
  }

 private:
  const Graph::Value& operand(const Graph::Node& node, int i) const {
    return graph_.values[graph_.node_inputs(node)[i]];
  }

  /// Makes the result a constant, if all operands are.
  bool fold(const Graph::Node& node) {
    const OpcodeCategory category = info(node.opcode).category;
    if (category == OpcodeCategory::View) {
      if (!operand(node, 0).is_constant) return false;
      make_constant(node, operand(node, 0).constant);
      return true;
    }
    if (!is_elementwise(node.opcode) || category == OpcodeCategory::Nullary) return false;
    for (int i = 0; i < node.input_count; ++i) {
      if (!operand(node, i).is_constant) return false;
    }
    make_constant(node, evaluate(graph_, node));
    return true;
  }

  void make_constant(const Graph::Node& node, ScalarStorage constant) {
    Graph::Value& value = graph_.values[node.first_output];
    value.is_constant = true;
    value.constant = constant;
    value.producer = -1;
  }

  /// The operand that the result is equal to, bit for bit, or −1.
  int32_t identity(const Graph::Node& node) {
    const int32_t* inputs = graph_.node_inputs(node);
    const Graph::Value& result = graph_.values[node.first_output];
    auto if_same_type = [&](int i) {
      const Graph::Value& value = graph_.values[inputs[i]];
      return value.shape_id == result.shape_id && value.dtype == result.dtype ? inputs[i] : -1;
    };
    switch (node.opcode) {
      case Opcode::Convert:
      case Opcode::Reshape:
      case Opcode::BroadcastInDim: return if_same_type(0);
      case Opcode::Transpose:
        for (int axis = 0; axis < node.parameters->size(); ++axis) {
          if ((*node.parameters)[axis] != axis) return -1;
        }
        return inputs[0];
      case Opcode::Mul:
      case Opcode::SafeMul:
        if (kind(result.dtype) == 'c') return -1;
        if (equals_integer(operand(node, 1), 1)) return if_same_type(0);
        if (equals_integer(operand(node, 0), 1)) return if_same_type(1);
        return -1;
      case Opcode::Div:
        return kind(result.dtype) != 'c' && equals_integer(operand(node, 1), 1) ? if_same_type(0) : -1;
      case Opcode::Sub:
        return kind(result.dtype) != 'c' && equals_integer(operand(node, 1), 0) ? if_same_type(0) : -1;
      case Opcode::Add:
        if (kind(result.dtype) != 'i' && kind(result.dtype) != 'u') return -1;  // −0.0 + 0.0 is 0.0
        if (equals_integer(operand(node, 1), 0)) return if_same_type(0);
        if (equals_integer(operand(node, 0), 0)) return if_same_type(1);
        return -1;
      case Opcode::Neg: {
        const int32_t producer = graph_.values[inputs[0]].producer;
        if (producer < 0 || graph_.nodes[producer].opcode != Opcode::Neg) return -1;
        return graph_.node_inputs(graph_.nodes[producer])[0];
      }
      case Opcode::Select:
        if (!operand(node, 0).is_constant) return -1;
        return if_same_type(operand(node, 0).constant.as_bool ? 1 : 2);
      default: return -1;
    }
  }

  uint64_t hash(const Graph::Node& node) const {
    uint64_t hash = static_cast<uint64_t>(node.opcode);
    auto mix = [&hash](uint64_t item) {
      hash = (hash ^ item) * 0x9e3779b97f4a7c15u;
      hash ^= hash >> 32;
    };
    for (int i = 0; i < node.input_count; ++i) {
      const Graph::Value& value = operand(node, i);
      uint64_t bits[2] = {static_cast<uint64_t>(graph_.node_inputs(node)[i]), 0};
      if (value.is_constant) {  // each constant is a value of its own
        bits[0] = 0;
        std::memcpy(bits, value.constant.bytes, itemsize(value.dtype));
        mix(bits[1]);
      }
      mix(bits[0]);
    }
    for (int64_t parameter : *node.parameters) mix(static_cast<uint64_t>(parameter));
    mix(reinterpret_cast<uintptr_t>(node.payload) ^
        static_cast<uint64_t>(graph_.values[node.first_output].dtype));
    mix(static_cast<uint64_t>(graph_.values[node.first_output].shape_id));
    return hash;
  }

  bool equal(const Graph::Node& left, const Graph::Node& right) const {
    if (left.opcode != right.opcode || left.stream != right.stream || left.input_count != right.input_count ||
        left.output_count != right.output_count || left.payload != right.payload) {
      return false;
    }
    for (int i = 0; i < left.input_count; ++i) {
      const int32_t a = graph_.node_inputs(left)[i], b = graph_.node_inputs(right)[i];
      if (a != b && !equal_constants(graph_.values[a], graph_.values[b])) return false;
    }
    for (int i = 0; i < left.output_count; ++i) {
      const Graph::Value& a = graph_.values[left.first_output + i];
      const Graph::Value& b = graph_.values[right.first_output + i];
      if (a.dtype != b.dtype || a.shape_id != b.shape_id) return false;
    }
    return *left.parameters == *right.parameters;
  }

  static bool equal_constants(const Graph::Value& a, const Graph::Value& b) {
    return a.is_constant && b.is_constant && a.dtype == b.dtype && a.shape_id == b.shape_id &&
           std::memcmp(a.constant.bytes, b.constant.bytes, itemsize(a.dtype)) == 0;
  }

  void merge_with_equal(int32_t index) {
    const Graph::Node& node = graph_.nodes[index];
    const size_t mask = table_.size() - 1;
    size_t place = hash(node) & mask;
    for (; table_[place] >= 0; place = (place + 1) & mask) {
      const Graph::Node& other = graph_.nodes[table_[place]];
      if (!equal(other, node)) continue;
      for (int i = 0; i < node.output_count; ++i)
        replacement_[node.first_output + i] = other.first_output + i;
      return;
    }
    table_[place] = index;
  }

  Graph& graph_;
  std::vector<int32_t> replacement_;
  std::vector<int32_t> table_;
};

}  // namespace

void simplify(Graph& graph) { Simplifier(graph).run(); }

void eliminate_dead(Graph& graph) {
  std::vector<char> needed(graph.values.size(), 0);
  for (int32_t output : graph.outputs) needed[output] = 1;
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    Graph::Node& node = graph.nodes[i];
    bool live = false;
    for (int k = 0; k < node.output_count; ++k) {
      live |= needed[node.first_output + k] && graph.values[node.first_output + k].producer >= 0;
    }
    node.live = live;
    if (!live) continue;
    for (int k = 0; k < node.input_count; ++k) needed[graph.node_inputs(node)[k]] = 1;
  }
}

}  // namespace ftrans
