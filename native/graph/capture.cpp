#include <algorithm>
#include <stdexcept>
#include <unordered_map>

#include "graph/graph.h"

namespace ftrans {
namespace {

/// Marks of earlier captures are below the base of this one, so they need not be erased.
int64_t next_mark = 0;

struct ShapeHash {
  size_t operator()(const Dims* shape) const {
    uint64_t hash = shape->size();
    for (int64_t extent : *shape) hash = (hash ^ static_cast<uint64_t>(extent)) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 29);
  }
};

struct ShapeEqual {
  bool operator()(const Dims* left, const Dims* right) const { return *left == *right; }
};

class Capture {
 public:
  explicit Capture(bool keep_live) : keep_live_(keep_live), value_base_(next_mark) {}

  ~Capture() { next_mark = value_base_ + static_cast<int64_t>(sources_.size()) + 1; }

  void add_placeholder(Value& value) {
    if (is_known(value)) throw std::invalid_argument("compile: a placeholder is given twice");
    add_input(value);
  }

  /// Visits the values in the order of their creation, in which the fewest are alive at once: the gradient of
  /// the last layer is done before that of the first, which depends on more.
  void visit_all(const std::vector<Ref<Value>>& roots) {
    if (roots.size() == 1) return visit(*roots.front());
    std::vector<Value*> order;
    order.reserve(roots.size());
    for (const Ref<Value>& root : roots) order.push_back(root.get());
    // Only a pending value's node is there to look at; others need no order, being inputs.
    auto sequence = [this](const Value* value) { return is_pending(*value) ? value->node->sequence : 0; };
    std::stable_sort(order.begin(), order.end(),
                     [&](const Value* a, const Value* b) { return sequence(a) < sequence(b); });
    for (Value* root : order) visit(*root);
  }

  /// Visits what a value depends on, without recursion: a node is emitted after its inputs.
  void visit(Value& root) {
    if (is_known(root)) return;
    if (!is_pending(root)) {
      add_leaf(root);
      return;
    }
    root.tell_failure();
    push(*root.node);
    while (!stack_.empty()) {
      Frame& frame = stack_.back();
      Node& node = *frame.node;
      if (frame.next == node.inputs.size()) {
        stack_.pop_back();
        emit(node);
        continue;
      }
      Value& input = *node.inputs[frame.next++];
      if (is_known(input)) continue;
      if (!is_pending(input)) {
        add_leaf(input);
      } else if (!node_is_known(*input.node)) {
        input.tell_failure();
        push(*input.node);
      }
    }
  }

  CapturedGraph finish(const std::vector<Ref<Value>>& roots) {
    Graph& graph = result_.graph;
    for (const Ref<Value>& root : roots) mark_output(index_of(*root));
    if (keep_live_) {
      for (size_t i = 0; i < result_.inputs.size(); ++i) {
        Value& input = *result_.inputs[i];
        const uint32_t internal = static_cast<uint32_t>(internal_references_[graph.inputs[i]]);
        result_.donatable.push_back(input.is_ready() && input.reference_count() == internal && input.buffer &&
                                    input.buffer->reference_count() == 1);
      }
      for (size_t i = 0; i < graph.values.size(); ++i) {
        Value* value = sources_[i];
        if (!value || graph.values[i].producer < 0 || graph.values[i].is_output) continue;
        if (value->reference_count() > static_cast<uint32_t>(internal_references_[i])) mark_output(i);
      }
    }
    return std::move(result_);
  }

 private:
  struct Frame {
    Node* node;
    size_t next;
  };

  bool is_known(const Value& value) const { return value.mark >= value_base_; }
  bool node_is_known(const Node& node) const { return node.mark >= value_base_; }
  int32_t index_of(const Value& value) const { return static_cast<int32_t>(value.mark - value_base_); }

  /// Whether to go on to what computes the value. A compiled function takes what doesn't depend on its
  /// placeholders as an input, so that it is computed once.
  bool is_pending(const Value& value) const {
    return value.state.load(std::memory_order_acquire) == Value::State::Pending &&
           (keep_live_ || value.node->symbolic);
  }

  void push(Node& node) {
    node.mark = value_base_;
    stack_.push_back({&node, 0});
  }

  int32_t add_value(Value* source, Dtype dtype, const Dims& shape) {
    Graph& graph = result_.graph;
    const int32_t index = static_cast<int32_t>(graph.values.size());
    Graph::Value value{};
    value.dtype = dtype;
    value.producer = -1;
    value.input = -1;
    value.shape = &shape;
    auto [found, inserted] = shape_ids_.try_emplace(&shape, static_cast<int32_t>(graph.shapes.size()));
    if (inserted) graph.shapes.push_back(&shape);
    value.shape_id = found->second;
    graph.values.push_back(value);
    sources_.push_back(source);
    internal_references_.push_back(0);
    if (source) source->mark = value_base_ + index;
    return index;
  }

  void add_input(Value& value) {
    const int32_t index = add_value(&value, value.dtype, value.shape);
    result_.graph.values[index].input = static_cast<int32_t>(result_.inputs.size());
    result_.graph.inputs.push_back(index);
    result_.inputs.push_back(&value);
  }

  void add_leaf(Value& value) {
    if (value.state.load(std::memory_order_acquire) == Value::State::Placeholder) {
      throw std::invalid_argument("compile: an output depends on a placeholder that was not given");
    }
    if (value.is_immediate) {
      const int32_t index = add_value(&value, value.dtype, value.shape);
      result_.graph.values[index].is_constant = true;
      result_.graph.values[index].constant = value.immediate;
    } else {
      add_input(value);
    }
  }

  void emit(Node& node) {
    Graph& graph = result_.graph;
    Graph::Node entry{};
    entry.opcode = node.opcode;
    entry.live = true;
    entry.stream = node.stream;
    entry.first_input = static_cast<int32_t>(graph.operands.size());
    entry.input_count = static_cast<int32_t>(node.inputs.size());
    for (const Ref<Value>& input : node.inputs) {
      const int32_t index = index_of(*input);
      graph.operands.push_back(index);
      ++internal_references_[index];
    }
    entry.first_output = static_cast<int32_t>(graph.values.size());
    entry.output_count = node.outputs.size();
    entry.parameters = &node.parameters;
    entry.payload = node.payload.get();
    const int32_t node_index = static_cast<int32_t>(graph.nodes.size());
    for (int i = 0; i < node.outputs.size(); ++i) {
      Value* output = node.outputs[i];
      const int32_t index = output
                                ? add_value(output, output->dtype, output->shape)
                                : add_value(nullptr, node.output_types[i].dtype, node.output_types[i].shape);
      graph.values[index].producer = node_index;
    }
    graph.nodes.push_back(entry);
  }

  void mark_output(int32_t index) {
    Graph::Value& value = result_.graph.values[index];
    if (value.is_output && keep_live_) return;
    value.is_output = true;
    result_.graph.outputs.push_back(index);
    result_.outputs.push_back(Ref<Value>(sources_[index]));
  }

  const bool keep_live_;
  const int64_t value_base_;
  CapturedGraph result_;
  std::vector<Frame> stack_;
  std::vector<Value*> sources_;
  std::vector<int32_t> internal_references_;
  std::unordered_map<const Dims*, int32_t, ShapeHash, ShapeEqual> shape_ids_;
};

}  // namespace

CapturedGraph capture(const std::vector<Ref<Value>>& roots) {
  Capture capture(true);
  capture.visit_all(roots);
  return capture.finish(roots);
}

CapturedGraph capture(const std::vector<Ref<Value>>& placeholders, const std::vector<Ref<Value>>& outputs) {
  Capture capture(false);
  for (const Ref<Value>& placeholder : placeholders) capture.add_placeholder(*placeholder);
  capture.visit_all(outputs);
  return capture.finish(outputs);
}

}  // namespace ftrans
