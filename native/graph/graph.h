#pragma once

#include <deque>
#include <vector>

#include "core/value.h"

namespace ftrans {

/// The graph that the passes work on: flat, in topological order, addressed by index. It borrows shapes and
/// parameters from the pending values and nodes that it was built from, which outlive it, so it is not
/// copied.
struct Graph {
  struct Node {
    Opcode opcode;
    bool live = true;
    Stream* stream;
    int32_t first_input;  ///< into `operands`
    int32_t input_count;
    int32_t first_output;  ///< into `values`; outputs are adjacent
    int32_t output_count;
    const Dims* parameters;
    RefCounted* payload;
  };

  struct Value {
    Dtype dtype;
    bool is_constant = false;  ///< every element is `constant`
    bool is_output = false;
    int32_t producer = -1;  ///< node; −1 for inputs and constants
    int32_t input = -1;     ///< position among the graph's inputs
    int32_t shape_id = -1;  ///< equal exactly for equal shapes
    const Dims* shape;
    ScalarStorage constant;
  };

  std::vector<Node> nodes;
  std::vector<Value> values;
  std::vector<int32_t> operands;
  std::vector<int32_t> inputs;       ///< values
  std::vector<int32_t> outputs;      ///< values
  std::vector<const Dims*> shapes;   ///< by shape_id
  std::deque<Dims> made_parameters;  ///< of nodes that passes have added

  int32_t* node_inputs(const Node& node) { return operands.data() + node.first_input; }
  const int32_t* node_inputs(const Node& node) const { return operands.data() + node.first_input; }
};

/// A graph with the arrays that it came from.
struct CapturedGraph {
  Graph graph;
  std::vector<ftrans::Value*> inputs;       ///< in the order of graph.inputs
  std::vector<Ref<ftrans::Value>> outputs;  ///< in the order of graph.outputs
  std::vector<char> donatable;  ///< per input: nobody but this graph refers to it, so it may be overwritten
};

/// Collects what `roots` depend on, down to values that are ready or scheduled. Every value on the way that
/// somebody else still refers to becomes an output too.
CapturedGraph capture(const std::vector<Ref<Value>>& roots);

/// The same between placeholders and outputs, for a compiled function. Ready values become inputs after the
/// placeholders.
CapturedGraph capture(const std::vector<Ref<Value>>& placeholders, const std::vector<Ref<Value>>& outputs);

}  // namespace ftrans
