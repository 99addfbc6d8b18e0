#include <algorithm>
#include <map>

#include "core/shape.h"
#include "graph/passes.h"

namespace ftrans {
namespace {

bool runs_on_processor(const Graph::Node& node) { return !node.stream->queue(); }

bool computes(const Graph::Node& node) {
  return is_elementwise(node.opcode) && info(node.opcode).category != OpcodeCategory::Nullary &&
         runs_on_processor(node);
}

/// A slice or a reshape, of any value whose shape allows it.
struct View {
  Opcode opcode;
  int32_t shape_id;  ///< of its results
  Dims parameters;
};

/// Moves views of one kind from the results of elementwise operations to their operands, where that spares
/// an array: slices to concatenations and padding, reshapes to other reshapes.
class Lifting {
 public:
  Lifting(Graph& graph, Opcode opcode)
      : graph_(graph),
        opcode_(opcode),
        replacement_(graph.values.size()),
        requests_(graph.values.size()),
        lifted_(graph.values.size(), 0) {
    for (size_t i = 0; i < replacement_.size(); ++i) replacement_[i] = static_cast<int32_t>(i);
  }

  void run() {
    find_consumers();
    if (opcode_ == Opcode::Slice) {
      find_what_slices_feed();
      find_assemblies_below();
    } else {
      find_reshapes_below();
    }
    collect_requests();
    rebuild();
  }

 private:
  static constexpr size_t kMostViews = 16;  // of one value

  const Graph::Value& value(int32_t i) const { return graph_.values[i]; }
  const Graph::Node* producer(int32_t i) const {
    return value(i).producer < 0 ? nullptr : &graph_.nodes[value(i).producer];
  }
  int64_t volume(int32_t shape_id) const { return element_count(*graph_.shapes[shape_id]); }
  bool is_view(const Graph::Node& node) const { return node.opcode == opcode_ && runs_on_processor(node); }

  void find_consumers() {
    first_consumer_.assign(graph_.values.size() + 1, 0);
    const auto for_each_use = [&](auto&& f) {
      for (size_t i = 0; i < graph_.nodes.size(); ++i) {
        const Graph::Node& node = graph_.nodes[i];
        if (!node.live) continue;
        for (int k = 0; k < node.input_count; ++k) f(graph_.node_inputs(node)[k], static_cast<int32_t>(i));
      }
    };
    for_each_use([&](int32_t used, int32_t) { ++first_consumer_[used + 1]; });
    for (size_t i = 1; i < first_consumer_.size(); ++i) first_consumer_[i] += first_consumer_[i - 1];
    consumers_.resize(first_consumer_.back());
    std::vector<int32_t> next(first_consumer_.begin(), first_consumer_.end() - 1);
    for_each_use([&](int32_t used, int32_t by) { consumers_[next[used]++] = by; });
  }

  /// Whether f(node) holds for all nodes that read a value.
  template <typename F>
  bool all_consumers(int32_t of, F&& f) const {
    return std::all_of(consumers_.begin() + first_consumer_[of], consumers_.begin() + first_consumer_[of + 1],
                       [&](int32_t node) { return f(graph_.nodes[node]); });
  }
  int consumer_count(int32_t of) const { return first_consumer_[of + 1] - first_consumer_[of]; }

  /// A slice is worth lifting if something is computed with it (as an array it costs nothing where it is), or
  /// if it may leave out parts of an assembly.
  void find_what_slices_feed() {
    pays_.assign(graph_.values.size(), 0);
    for (size_t i = graph_.nodes.size(); i-- > 0;) {
      const Graph::Node& node = graph_.nodes[i];
      if (!node.live) continue;
      const OpcodeCategory category = info(node.opcode).category;
      const bool feeds = is_elementwise(node.opcode) || category == OpcodeCategory::Reduction ||
                         (category == OpcodeCategory::View && pays_[node.first_output]);
      for (int k = 0; feeds && k < node.input_count; ++k) pays_[graph_.node_inputs(node)[k]] = 1;
    }
  }

  void find_assemblies_below() {
    meets_.assign(graph_.values.size(), 0);
    for (const Graph::Node& node : graph_.nodes) {
      if (!node.live) continue;
      bool found = is_assembly(graph_, node);
      for (int k = 0; computes(node) && k < node.input_count; ++k)
        found |= meets_[graph_.node_inputs(node)[k]] != 0;
      if (found) meets_[node.first_output] = 1;
    }
  }

  /// A reshape is worth lifting if it meets another one that it undoes; not if it meets another view, which
  /// it would make a copy of.
  void find_reshapes_below() {
    pays_.assign(graph_.values.size(), 0);
    blocked_.assign(graph_.values.size(), 0);
    undone_.assign(graph_.values.size(), -1);
    for (const Graph::Node& node : graph_.nodes) {
      if (!node.live || !runs_on_processor(node)) continue;
      const int32_t output = node.first_output;
      if (node.opcode == Opcode::Reshape) {
        pays_[output] = 1;
        undone_[output] = value(graph_.node_inputs(node)[0]).shape_id;
      } else if (info(node.opcode).category == OpcodeCategory::View) {
        blocked_[output] = 1;
      }
      if (!computes(node)) continue;
      for (int k = 0; k < node.input_count; ++k) {
        const int32_t operand = graph_.node_inputs(node)[k];
        if (value(operand).shape_id != value(output).shape_id) continue;
        blocked_[output] |= blocked_[operand];
        if (!pays_[operand]) continue;
        blocked_[output] |= pays_[output] && undone_[output] != undone_[operand];
        pays_[output] = 1;
        undone_[output] = undone_[operand];
      }
    }
  }

  bool is_worthwhile(const Graph::Node& view) const {
    const int32_t operand = graph_.node_inputs(view)[0];
    if (opcode_ == Opcode::Slice) return pays_[view.first_output] || meets_[operand];
    return pays_[operand] && !blocked_[operand] && undone_[operand] == value(view.first_output).shape_id;
  }

  /// Decides which values are computed as their views alone, from the last to the first.
  void collect_requests() {
    for (size_t i = graph_.nodes.size(); i-- > 0;) {
      const Graph::Node& node = graph_.nodes[i];
      if (!node.live || !computes(node)) continue;
      const int32_t output = node.first_output;
      if (value(output).is_output || consumer_count(output) == 0) continue;
      std::vector<int32_t>& requests = requests_[output];
      const bool all = all_consumers(output, [&](const Graph::Node& consumer) {
        if (consumer.stream != node.stream || consumer.output_count != 1) return false;
        if (requests.size() > kMostViews) return false;
        if (is_view(consumer) && is_worthwhile(consumer)) {
          add(requests, number_of(view_of(consumer)));
          return true;
        }
        if (!lifted_[consumer.first_output] ||
            value(consumer.first_output).shape_id != value(output).shape_id)
          return false;
        for (int32_t request : requests_[consumer.first_output]) add(requests, request);
        return true;
      });
      lifted_[output] = all && is_cheap(node, requests);
      if (!lifted_[output]) requests.clear();
    }
  }

  static void add(std::vector<int32_t>& requests, int32_t request) {
    if (std::find(requests.begin(), requests.end(), request) == requests.end()) requests.push_back(request);
  }

  /// Whether the views of a node's result are no more work than the result, and ask for at most one more
  /// array to be kept.
  bool is_cheap(const Graph::Node& node, const std::vector<int32_t>& requests) const {
    constexpr int64_t kLeastSlice = 1024;  // below, another kernel costs more than an array
    int64_t total = 0;
    for (int32_t request : requests) {
      const int64_t each = volume(views_[request].shape_id);
      if (opcode_ == Opcode::Slice && each < kLeastSlice) return false;
      total += each;
    }
    int shared = 0;
    for (int k = 0; k < node.input_count; ++k) {
      const int32_t operand = graph_.node_inputs(node)[k];
      const Graph::Node* made_by = producer(operand);
      shared += made_by && computes(*made_by) && consumer_count(operand) > 1;
    }
    return requests.size() <= kMostViews && total <= volume(value(node.first_output).shape_id) && shared < 2;
  }

  View view_of(const Graph::Node& node) const {
    return {node.opcode, value(node.first_output).shape_id, *node.parameters};
  }

  int32_t number_of(const View& view) {
    std::vector<int64_t> key(view.parameters.begin(), view.parameters.end());
    key.push_back(view.shape_id);
    const auto [found, inserted] = view_numbers_.try_emplace(key, static_cast<int32_t>(views_.size()));
    if (inserted) views_.push_back(view);
    return found->second;
  }

  /// The nodes anew, without those whose results are computed as views, with what takes their places.
  void rebuild() {
    const std::vector<Graph::Node> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    for (const Graph::Node& node : nodes) {
      for (int k = 0; k < node.input_count; ++k) {
        int32_t& operand = graph_.operands[node.first_input + k];
        operand = replacement_[operand];
      }
      const int32_t output = node.first_output;
      if (!node.live) continue;
      if (node.output_count == 1 && lifted_[output]) {
        lifted_nodes_.emplace(output, node);
        continue;
      }
      if (is_view(node)) {
        stream_ = node.stream;
        const int32_t request = number_of(view_of(node));
        const int32_t same = resolve(graph_.node_inputs(node)[0], request);
        if (same >= 0) {
          replacement_[output] = same;
          continue;
        }
      }
      append(node);
    }
    for (int32_t& output : graph_.outputs) {
      output = replacement_[output];
      graph_.values[output].is_output = true;
    }
  }

  void append(const Graph::Node& node) {
    for (int k = 0; k < node.output_count; ++k) {
      Graph::Value& made = graph_.values[node.first_output + k];
      if (!made.is_constant) made.producer = static_cast<int32_t>(graph_.nodes.size());
    }
    graph_.nodes.push_back(node);
  }

  /// The view of a value as something else than a view of that value, or −1.
  int32_t resolve(int32_t of, int32_t request) {
    const auto found = made_.find({of, request});
    if (found != made_.end()) return found->second;
    const View view = views_[request];
    const Graph::Value whole = value(of);
    if (whole.is_constant) return new_value(whole, view.shape_id);
    const auto lifted = lifted_nodes_.find(of);
    if (lifted != lifted_nodes_.end())
      return made_[{of, request}] = apply_to_views(lifted->second, of, request);
    if (whole.shape_id == view.shape_id) return of;
    const Graph::Node* made_by = producer(of);
    if (!made_by || !runs_on_processor(*made_by)) return -1;
    if (view.opcode == Opcode::Reshape) {
      return made_by->opcode == Opcode::Reshape ? view_value(graph_.node_inputs(*made_by)[0], request) : -1;
    }
    return is_assembly(graph_, *made_by) ? slice_of_assembly(Graph::Node(*made_by), view) : -1;
  }

  /// The view of a value, by all means.
  int32_t view_value(int32_t of, int32_t request) {
    const int32_t result = resolve(of, request);
    if (result >= 0) return result;
    Graph::Node node{};
    node.opcode = opcode_;
    graph_.made_parameters.push_back(views_[request].parameters);
    node.parameters = &graph_.made_parameters.back();
    return made_[{of, request}] = new_node(node, {of}, of, request);
  }

  int32_t apply_to_views(const Graph::Node& node, int32_t of, int32_t request) {
    std::vector<int32_t> operands;
    for (int k = 0; k < node.input_count; ++k) {
      const int32_t operand = graph_.node_inputs(node)[k];
      // An elementwise operand of another shape is a scalar.
      const bool is_scalar = value(operand).shape_id != value(of).shape_id;
      operands.push_back(is_scalar ? operand : view_value(operand, request));
    }
    return new_node(node, operands, of, request);
  }

  /// A slice of a concatenation or of padding that lies within one piece of it, or within the padding.
  int32_t slice_of_assembly(const Graph::Node node, const View& view) {
    const Dims& extents = *graph_.shapes[view.shape_id];
    const int ndim = extents.size();
    int32_t result = -1;
    bool touches = false;
    std::vector<std::pair<int32_t, Dims>> containing;
    for_each_piece(graph_, node, [&](int k, const Dims& start) {
      const int32_t piece = graph_.node_inputs(node)[k];
      bool inside = true, meets = true;
      Dims moved = view.parameters;
      for (int axis = 0; axis < ndim; ++axis) {
        const int64_t first = view.parameters[axis] - start[axis];
        const int64_t end = first + (extents[axis] - 1) * view.parameters[ndim + axis] + 1;
        inside &= first >= 0 && end <= (*value(piece).shape)[axis];
        meets &= first < (*value(piece).shape)[axis] && end > 0;
        moved[axis] = first;
      }
      touches |= meets;
      if (inside) containing.emplace_back(piece, moved);
    });
    if (containing.size() == 1) {
      const auto& [piece, moved] = containing.front();
      const bool is_all = value(piece).shape_id == view.shape_id;
      result = is_all ? piece : view_value(piece, number_of({Opcode::Slice, view.shape_id, moved}));
    } else if (node.opcode == Opcode::Pad && !touches) {
      const Graph::Value padding = value(graph_.node_inputs(node)[1]);
      if (padding.is_constant) result = new_value(padding, view.shape_id);
    }
    return result;
  }

  int32_t new_value(const Graph::Value& like, int32_t shape_id) {
    Graph::Value made = like;
    made.is_output = false;
    made.producer = made.input = -1;
    made.shape_id = shape_id;
    made.shape = graph_.shapes[shape_id];
    graph_.values.push_back(made);
    replacement_.push_back(static_cast<int32_t>(graph_.values.size()) - 1);
    return replacement_.back();
  }

  /// A node like `node` whose result is the view of value `of`.
  int32_t new_node(Graph::Node node, const std::vector<int32_t>& operands, int32_t of, int32_t request) {
    node.live = true;
    node.stream = stream_;
    node.input_count = static_cast<int32_t>(operands.size());
    node.first_input = static_cast<int32_t>(graph_.operands.size());
    graph_.operands.insert(graph_.operands.end(), operands.begin(), operands.end());
    node.output_count = 1;
    node.first_output = new_value(value(of), views_[request].shape_id);
    append(node);
    return node.first_output;
  }

  Graph& graph_;
  const Opcode opcode_;
  std::vector<int32_t> replacement_;
  std::vector<int32_t> first_consumer_, consumers_;  ///< by value; nodes
  std::vector<char> pays_, blocked_;                 ///< by value: lifting a view of it helps, or does harm
  std::vector<char> meets_;                          ///< by value: it is computed from an assembly
  std::vector<int32_t> undone_;                      ///< by value: shape in front of the reshapes below it
  std::vector<std::vector<int32_t>> requests_;       ///< by value: the views that are asked for
  std::vector<char> lifted_;                         ///< by value: only views of it are computed
  std::vector<View> views_;
  std::map<std::vector<int64_t>, int32_t> view_numbers_;
  std::map<int32_t, Graph::Node> lifted_nodes_;          ///< by their results
  std::map<std::pair<int32_t, int32_t>, int32_t> made_;  ///< (value, view) → what is there already
  Stream* stream_ = nullptr;                             ///< of the view that is being moved
};

bool has_live(const Graph& graph, Opcode opcode) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(), [opcode](const Graph::Node& node) {
    return node.live && node.opcode == opcode && runs_on_processor(node);
  });
}

}  // namespace

void lift_views(Graph& graph) {
  for (const Opcode opcode : {Opcode::Slice, Opcode::Reshape}) {
    if (!has_live(graph, opcode)) continue;
    Lifting(graph, opcode).run();
    eliminate_dead(graph);
  }
}

}  // namespace ftrans
