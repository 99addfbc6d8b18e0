#include "graph/rows.h"

#include <algorithm>

#include "core/gpu.h"
#include "core/shape.h"
#include "core/value.h"

namespace ftrans {
namespace {

bool is_view(const Graph::Node& node) { return info(node.opcode).category == OpcodeCategory::View; }

/// How the elements of what `value` looks at, without gaps, are found in it; false if it has to be copied.
bool layout_of(const Graph& graph, int32_t value, Dims& strides, int64_t& offset) {
  const int32_t producer = graph.values[value].producer;
  if (producer < 0 || !is_view(graph.nodes[producer])) {
    strides = contiguous_strides(*graph.values[value].shape);
    offset = 0;
    return true;
  }
  const Graph::Node& view = graph.nodes[producer];
  const int32_t from = graph.node_inputs(view)[0];
  Dims inner;
  int64_t inner_offset;
  return layout_of(graph, from, inner, inner_offset) &&
         view_layout(view.opcode, *view.parameters, *graph.values[from].shape, inner, inner_offset,
                     *graph.values[value].shape, strides, offset);
}

bool is_reduced(const Dims& axes, int axis) {
  return std::find(axes.begin(), axes.end(), axis) != axes.end();
}

/// Whether each element of `value` is the one of its row, where it looks at one element a row.
bool is_row_by_row(const Graph& graph, const Dims& space, const Dims& axes, int32_t value) {
  const Dims& shape = *graph.values[value].shape;
  const bool over_space = shape == space;
  const int64_t rows = element_count(kept_shape(space, axes));
  if (element_count(*graph.values[viewed(graph, value)].shape) != rows) return false;
  if (!over_space && element_count(shape) != rows) return false;
  Dims strides;
  int64_t offset;
  if (!layout_of(graph, value, strides, offset) || offset != 0) return false;
  int64_t row = 1;
  for (int axis = shape.size(); axis-- > 0;) {
    const bool repeats = over_space && is_reduced(axes, axis);
    if (shape[axis] != 1 && strides[axis] != (repeats ? 0 : row)) return false;
    if (!repeats) row *= shape[axis];
  }
  return true;
}

/// Joins units, and keeps an order in which they can run.
class RowMerging {
 public:
  RowMerging(const Graph& graph, std::vector<Unit> units)
      : graph_(graph),
        units_(std::move(units)),
        unit_of_(graph.nodes.size(), -1),
        readers_(graph.values.size()),
        position_(units_.size()),
        order_(units_.size()),
        seen_(units_.size(), 0) {
    for (size_t u = 0; u < units_.size(); ++u) {
      position_[u] = order_[u] = static_cast<int32_t>(u);
      for (const int32_t i : units_[u].nodes) {
        unit_of_[i] = static_cast<int32_t>(u);
        for_each_operand(i, [&](int32_t value) { readers_[value].push_back(i); });
      }
    }
  }

  std::vector<Unit> run() {
    for (int32_t u = 0; u < static_cast<int32_t>(units_.size()); ++u) {
      const std::vector<int32_t> nodes = units_[u].nodes;  // those that it began with
      if (!may_merge(units_[u])) continue;
      for (const int32_t i : nodes) {
        for_each_operand(i, [&](int32_t value) {
          const int32_t source = viewed(graph_, value);
          if (graph_.values[source].producer >= 0) try_merge(source, i);
        });
      }
    }
    drop_unread_views();
    std::vector<Unit> merged;
    for (const int32_t u : order_) {
      if (!units_[u].nodes.empty()) merged.push_back(std::move(units_[u]));
    }
    return merged;
  }

 private:
  static constexpr size_t kMostNodes = 192;
  static constexpr int kMostReductions = 32;  // their accumulators share the memory of a threadgroup
  // Longer rows are better divided among threadgroups, unless there are rows for all of these.
  static constexpr int64_t kLongRow = 16 * 1024, kManyRows = 64;
  static constexpr int32_t kFarApart = 256;  // units that would have to wait for each other

  template <class Visit>
  void for_each_operand(int32_t i, Visit visit) const {
    const Graph::Node& node = graph_.nodes[i];
    for (int k = 0; k < node.input_count; ++k) visit(graph_.node_inputs(node)[k]);
  }

  const Dims& space_of(const Unit& unit) const {
    if (unit.row_space) return *unit.row_space;
    return *graph_.values[space_value(graph_, graph_.nodes[unit.nodes.front()])].shape;
  }

  const Dims* axes_of(const Unit& unit) const {
    if (unit.row_axes) return unit.row_axes;
    for (const int32_t i : unit.nodes) {
      if (is_reduction(graph_.nodes[i].opcode)) return graph_.nodes[i].parameters;
    }
    return nullptr;
  }

  bool may_merge(const Unit& unit) const {
    return unit.fused && !unit.nodes.empty() && graph_.nodes[unit.nodes.front()].stream->queue();
  }

  /// Whether rows lie one behind the other, and are not too long.
  static bool are_rows(const Dims& space, const Dims& axes) {
    bool reduced = false;
    for (int axis = 0; axis < space.size(); ++axis) {
      if (space[axis] == 1) continue;
      if (reduced && !is_reduced(axes, axis)) return false;
      reduced |= is_reduced(axes, axis);
    }
    const int64_t rows = element_count(kept_shape(space, axes));
    return rows > 0 && (element_count(space) / rows <= kLongRow || rows >= kManyRows);
  }

  /// Joins the units of a value and of a node that reads it, if that has to do with rows.
  void try_merge(int32_t value, int32_t node) {
    int32_t left = unit_of_[graph_.values[value].producer], right = unit_of_[node];
    if (left == right || !may_merge(units_[left]) || !may_merge(units_[right])) return;
    const Unit &a = units_[left], &b = units_[right];
    if (graph_.nodes[a.nodes.front()].stream != graph_.nodes[b.nodes.front()].stream) return;
    const Dims *first = axes_of(a), *second = axes_of(b);
    if ((!first && !second) || (first && second && !(*first == *second))) return;
    const Dims& axes = first ? *first : *second;
    const Dims& space = first ? space_of(a) : space_of(b);
    if (*graph_.values[value].shape == space) return;
    if (!are_rows(space, axes) || position_[right] - position_[left] > kFarApart) return;

    Unit joint;
    std::merge(a.nodes.begin(), a.nodes.end(), b.nodes.begin(), b.nodes.end(),
               std::back_inserter(joint.nodes));
    joint.fused = true;
    joint.row_space = &space;
    joint.row_axes = &axes;
    std::vector<int32_t> behind;
    if (!is_possible(joint) || !is_free_between(left, right, behind)) return;
    for (const int32_t i : units_[right].nodes) unit_of_[i] = left;
    units_[right] = {};
    units_[left] = std::move(joint);
    reorder(left, right, behind);
  }

  /// Whether a kernel can have these nodes: each is over the space or has an element a row, what they read of
  /// each other is where they are themselves, and the rest can be bound.
  bool is_possible(const Unit& joint) {
    if (joint.nodes.size() > kMostNodes) return false;
    const int64_t rows = element_count(kept_shape(*joint.row_space, *joint.row_axes));
    std::vector<int32_t> bound;
    int reductions = 0;
    for (const int32_t i : joint.nodes) {
      const Graph::Node& node = graph_.nodes[i];
      const Dims& space = *graph_.values[space_value(graph_, node)].shape;
      reductions += is_reduction(node.opcode);
      if (!(space == *joint.row_space)) {
        const bool is_source = info(node.opcode).category == OpcodeCategory::Nullary;
        if (is_reduction(node.opcode) || is_source || element_count(space) != rows) return false;
      }
      bool good = true;
      for_each_operand(i, [&](int32_t value) {
        if (graph_.values[value].is_constant || inner_value(graph_, joint, value) >= 0) return;
        good &= !contains(joint, graph_.values[viewed(graph_, value)].producer);
        bound.push_back(value);
      });
      if (!good) return false;
      if (is_read_outside(joint, node.first_output)) bound.push_back(node.first_output);
    }
    std::sort(bound.begin(), bound.end());
    bound.erase(std::unique(bound.begin(), bound.end()), bound.end());
    return reductions <= kMostReductions && static_cast<int>(bound.size()) <= gpu()->most_operands();
  }

  static bool contains(const Unit& unit, int32_t node) {
    return std::binary_search(unit.nodes.begin(), unit.nodes.end(), node);
  }

  bool is_read_outside(const Unit& unit, int32_t value) const {
    if (graph_.values[value].is_output) return true;
    return std::any_of(readers_[value].begin(), readers_[value].end(), [&](int32_t i) {
      const Graph::Node& node = graph_.nodes[i];
      return is_view(node) ? is_read_outside(unit, node.first_output) : !contains(unit, i);
    });
  }

  /// Whether no unit needs `left` and is needed by `right`. `behind`: the units that come between them but
  /// need `left`.
  bool is_free_between(int32_t left, int32_t right, std::vector<int32_t>& behind) {
    ++visit_;
    seen_[left] = visit_;
    std::vector<int32_t> pending = {left};
    while (!pending.empty()) {
      const int32_t u = pending.back();
      pending.pop_back();
      for (const int32_t i : units_[u].nodes) {
        const Graph::Node& node = graph_.nodes[i];
        for (int k = 0; k < node.output_count; ++k) {
          if (!visit_readers(node.first_output + k, u == left, right, pending, behind)) return false;
        }
      }
    }
    return true;
  }

  bool visit_readers(int32_t value, bool of_left, int32_t right, std::vector<int32_t>& pending,
                     std::vector<int32_t>& behind) {
    for (const int32_t i : readers_[value]) {
      const int32_t u = unit_of_[i];
      if (u == right) {
        if (of_left) continue;
        return false;
      }
      if (is_view(graph_.nodes[i]) &&
          !visit_readers(graph_.nodes[i].first_output, of_left, right, pending, behind))
        return false;
      if (seen_[u] == visit_ || position_[u] > position_[right]) continue;
      seen_[u] = visit_;
      behind.push_back(u);
      if (!is_view(graph_.nodes[i])) pending.push_back(u);
    }
    return true;
  }

  /// Puts `right`, which is part of `left` now, and `left` in front of the units `behind`.
  void reorder(int32_t left, int32_t right, std::vector<int32_t>& behind) {
    const auto begin = order_.begin() + position_[left], end = order_.begin() + position_[right] + 1;
    std::vector<int32_t> moved;
    for (auto each = begin; each != end; ++each) {
      if (*each != left && *each != right && seen_[*each] != visit_) moved.push_back(*each);
    }
    moved.push_back(right);  // without nodes
    moved.push_back(left);
    std::sort(behind.begin(), behind.end(),
              [&](int32_t a, int32_t b) { return position_[a] < position_[b]; });
    moved.insert(moved.end(), behind.begin(), behind.end());
    int32_t place = position_[left];
    for (const int32_t u : moved) {
      order_[place] = u;
      position_[u] = place++;
    }
  }

  /// Views through which units of rows look at their own results.
  void drop_unread_views() {
    for (auto each = order_.rbegin(); each != order_.rend(); ++each) {
      Unit& unit = units_[*each];
      if (unit.nodes.size() != 1 || !is_view(graph_.nodes[unit.nodes.front()])) continue;
      const int32_t value = graph_.nodes[unit.nodes.front()].first_output;
      const bool is_read = std::any_of(readers_[value].begin(), readers_[value].end(), [&](int32_t i) {
        const Unit& reader = units_[unit_of_[i]];
        return contains(reader, i) && (!reader.row_space || inner_value(graph_, reader, value) < 0);
      });
      if (!is_read && !graph_.values[value].is_output) unit.nodes.clear();
    }
  }

  const Graph& graph_;
  std::vector<Unit> units_;                    ///< those that have become part of others have no nodes
  std::vector<int32_t> unit_of_;               ///< by node
  std::vector<std::vector<int32_t>> readers_;  ///< by value: nodes
  std::vector<int32_t> position_;              ///< by unit
  std::vector<int32_t> order_;                 ///< units by position
  std::vector<int32_t> seen_;                  ///< by unit: the last visit
  int32_t visit_ = 0;
};

}  // namespace

int32_t viewed(const Graph& graph, int32_t value) {
  for (;;) {
    const int32_t producer = graph.values[value].producer;
    if (producer < 0 || !is_view(graph.nodes[producer])) return value;
    value = graph.node_inputs(graph.nodes[producer])[0];
  }
}

bool is_reshaped(const Graph& graph, int32_t value) {
  const Dims& shape = *graph.values[value].shape;
  Dims strides;
  int64_t offset;
  return element_count(shape) == element_count(*graph.values[viewed(graph, value)].shape) &&
         layout_of(graph, value, strides, offset) && offset == 0 && is_contiguous(shape, strides);
}

Dims kept_shape(const Dims& space, const Dims& axes) {
  Dims kept;
  for (int axis = 0; axis < space.size(); ++axis) {
    if (!is_reduced(axes, axis)) kept.push_back(space[axis]);
  }
  return kept;
}

int32_t inner_value(const Graph& graph, const Unit& unit, int32_t value) {
  const int32_t source = viewed(graph, value);
  if (!std::binary_search(unit.nodes.begin(), unit.nodes.end(), graph.values[source].producer)) return -1;
  if (source == value) return source;
  return is_row_by_row(graph, *unit.row_space, *unit.row_axes, value) ? source : -1;
}

std::vector<Unit> merge_rows(const Graph& graph, std::vector<Unit> units) {
  const bool on_gpu = std::any_of(units.begin(), units.end(), [&](const Unit& unit) {
    return unit.fused && graph.nodes[unit.nodes.front()].stream->queue();
  });
  return on_gpu ? RowMerging(graph, std::move(units)).run() : units;
}

}  // namespace ftrans
