#include <algorithm>
#include <numeric>
#include <queue>
#include <stdexcept>
#include <unordered_map>

#include "core/shape.h"
#include "graph/attention.h"
#include "graph/passes.h"
#include "graph/rows.h"

namespace ftrans {
namespace {

// A kernel with more instructions than this gains nothing from more fusion, but where arrays are so small
// that what a step costs by itself outweighs all.
constexpr int kMostNodes = 192, kMostNodesOfFewElements = 4096;
constexpr int64_t kFewElements = 64;

/// Fusion by levels. Every edge between nodes that can't share a kernel goes to a higher level, and nodes
/// joined by an edge within a level do share one; so no path leaves a group and comes back, and groups can be
/// formed in linear time.
class Fusion {
 public:
  explicit Fusion(const Graph& graph)
      : graph_(graph),
        level_(graph.nodes.size(), 0),
        group_(graph.nodes.size()),
        size_(graph.nodes.size(), 1),
        axes_(graph.nodes.size(), nullptr) {
    std::iota(group_.begin(), group_.end(), 0);
  }

  std::vector<Unit> run() {
    assign_earliest_levels();
    sink_to_consumers();
    form_groups();
    return order_units();
  }

 private:
  int32_t node_count() const { return static_cast<int32_t>(graph_.nodes.size()); }

  bool is_fusable(const Graph::Node& node) const {
    return is_reduction(node.opcode) || can_feed_kernel(node);
  }

  bool can_feed_kernel(const Graph::Node& node) const {
    return is_elementwise(node.opcode) || is_assembly(graph_, node);
  }

  int32_t space(const Graph::Node& node) const { return graph_.values[space_value(graph_, node)].shape_id; }

  /// Whether an edge can lie inside of a kernel.
  bool is_fusable_edge(const Graph::Node& producer, const Graph::Node& consumer) const {
    return can_feed_kernel(producer) && is_fusable(consumer) && !is_assembly(graph_, consumer) &&
           producer.stream == consumer.stream && space(producer) == space(consumer);
  }

  template <typename Visit>
  void for_each_producer(const Graph::Node& node, Visit visit) const {
    for (int i = 0; i < node.input_count; ++i) {
      const int32_t producer = graph_.values[graph_.node_inputs(node)[i]].producer;
      if (producer >= 0) visit(producer);
    }
  }

  int32_t required_level(const Graph::Node& node) const {
    int32_t level = 0;
    for_each_producer(node, [&](int32_t producer) {
      level = std::max(level, level_[producer] + (is_fusable_edge(graph_.nodes[producer], node) ? 0 : 1));
    });
    return level;
  }

  void assign_earliest_levels() {
    for (int32_t i = 0; i < node_count(); ++i) {
      if (graph_.nodes[i].live) level_[i] = required_level(graph_.nodes[i]);
    }
  }

  /// Moves an elementwise node up to the level of its first consumer when that spares a round trip through
  /// memory and does not keep more bytes alive than it saves.
  void sink_to_consumers() {
    constexpr int32_t kNever = INT32_MAX;
    constexpr int64_t kFewBytes = 4096;  // cost less than one more kernel
    std::vector<int32_t> latest(graph_.nodes.size(), kNever);
    std::vector<int32_t> joins(graph_.nodes.size(),
                               kNever);  // smallest level of a consumer that could share a kernel
    std::vector<int32_t> last_use(graph_.values.size(), -1);
    for (int32_t output : graph_.outputs) {
      last_use[output] = kNever;
      if (graph_.values[output].producer >= 0) latest[graph_.values[output].producer] = -1;
    }
    for (int32_t i = node_count() - 1; i >= 0; --i) {
      const Graph::Node& node = graph_.nodes[i];
      if (!node.live) continue;
      if (can_feed_kernel(node) && joins[i] != kNever && latest[i] >= joins[i] && joins[i] > level_[i] &&
          bytes_kept_alive(node, joins[i], last_use) <= std::max(bytes(node.first_output), kFewBytes)) {
        level_[i] = joins[i];
      }
      for (int k = 0; k < node.input_count; ++k) {
        const int32_t value = graph_.node_inputs(node)[k];
        last_use[value] = std::max(last_use[value], level_[i]);
        const int32_t producer = graph_.values[value].producer;
        if (producer < 0) continue;
        const bool fusable = is_fusable_edge(graph_.nodes[producer], node);
        latest[producer] = std::min(latest[producer], fusable ? level_[i] : level_[i] - 1);
        if (fusable) joins[producer] = std::min(joins[producer], level_[i]);
      }
    }
  }

  int64_t bytes(int32_t value) const {
    int64_t count = itemsize(graph_.values[value].dtype);
    for (int64_t extent : *graph_.values[value].shape) count *= extent;
    return count;
  }

  int64_t bytes_kept_alive(const Graph::Node& node, int32_t level,
                           const std::vector<int32_t>& last_use) const {
    int64_t total = 0;
    for (int k = 0; k < node.input_count; ++k) {
      const int32_t value = graph_.node_inputs(node)[k];
      if (graph_.values[value].producer >= 0 && last_use[value] < level) total += bytes(value);
    }
    return total;
  }

  int32_t root(int32_t node) {
    while (group_[node] != node) node = group_[node] = group_[group_[node]];
    return node;
  }

  /// How many nodes a kernel with this one may have.
  int most_nodes(int32_t i) const {
    const Graph::Node& node = graph_.nodes[i];
    const bool is_small = element_count(*graph_.shapes[space(node)]) <= kFewElements;
    return is_small && !node.stream->queue() ? kMostNodesOfFewElements : kMostNodes;
  }

  bool can_unite(int32_t left, int32_t right) {
    if (left == right) return true;
    return size_[left] + size_[right] <= most_nodes(left) &&
           (!axes_[left] || !axes_[right] || *axes_[left] == *axes_[right]);
  }

  void unite(int32_t left, int32_t right) {
    if (left == right) return;
    if (size_[left] < size_[right]) std::swap(left, right);
    group_[right] = left;
    size_[left] += size_[right];
    if (!axes_[left]) axes_[left] = axes_[right];
  }

  void form_groups() {
    std::unordered_map<uint64_t, int32_t> readers;  // (value, level) → a node that reads the value there
    for (int32_t i = 0; i < node_count(); ++i) {
      const Graph::Node& node = graph_.nodes[i];
      if (!node.live) continue;
      level_[i] = std::max(level_[i], required_level(node));
      if (!is_fusable(node)) continue;
      if (is_reduction(node.opcode)) axes_[i] = node.parameters;
      if (!unite_with_producers(i)) ++level_[i];
      unite_with_readers(i, readers);
    }
  }

  bool unite_with_producers(int32_t i) {
    const Graph::Node& node = graph_.nodes[i];
    // The union of all the producers' groups has to be possible, since each of these edges lies within the
    // level.
    int32_t groups[3];
    int count = 0;
    for_each_producer(node, [&](int32_t producer) {
      if (level_[producer] == level_[i] && is_fusable_edge(graph_.nodes[producer], node))
        groups[count++] = root(producer);
    });
    int32_t size = 1;
    const Dims* axes = axes_[i];
    for (int k = 0; k < count; ++k) {
      if (std::find(groups, groups + k, groups[k]) != groups + k) continue;
      size += size_[groups[k]];
      if (axes && axes_[groups[k]] && !(*axes == *axes_[groups[k]])) return false;
      if (!axes) axes = axes_[groups[k]];
    }
    if (size > most_nodes(i)) return false;
    for (int k = 0; k < count; ++k) unite(root(groups[k]), root(i));
    return true;
  }

  /// Kernels that read the same array over the same space read it once.
  void unite_with_readers(int32_t i, std::unordered_map<uint64_t, int32_t>& readers) {
    const Graph::Node& node = graph_.nodes[i];
    for (int k = 0; k < node.input_count; ++k) {
      const int32_t value = graph_.node_inputs(node)[k];
      const Graph::Value& operand = graph_.values[value];
      if (operand.is_constant || operand.shape_id != space(node) || operand.shape->empty()) continue;
      if (is_assembly(graph_, node)) continue;
      if (operand.producer >= 0 && level_[operand.producer] == level_[i]) continue;  // inside of the kernel
      auto [found, inserted] =
          readers.try_emplace(static_cast<uint64_t>(value) << 32 | static_cast<uint32_t>(level_[i]), i);
      if (inserted) continue;
      if (graph_.nodes[found->second].stream != node.stream) continue;
      const int32_t left = root(found->second), right = root(i);
      if (can_unite(left, right)) unite(left, right);
    }
  }

  /// What the units say about their order.
  struct Dependencies {
    std::vector<int32_t> blockers;                ///< per unit: edges from units that have to run before it
    std::vector<std::vector<int32_t>> followers;  ///< per unit: the other ends of such edges
    std::vector<char> only_reduces;               ///< per unit: it is fused, and results are reductions
  };

  std::vector<Unit> collect_units(std::vector<int32_t>& unit_of) {
    std::vector<Unit> units;
    for (int32_t i = 0; i < node_count(); ++i) {
      if (!graph_.nodes[i].live) continue;
      const int32_t leader = root(i);
      if (unit_of[leader] < 0) {
        unit_of[leader] = static_cast<int32_t>(units.size());
        units.emplace_back();
        units.back().fused = is_fusable(graph_.nodes[i]);
      }
      unit_of[i] = unit_of[leader];
      units[unit_of[i]].nodes.push_back(i);
    }
    for (Unit& unit : units) {  // alone, an assembly has a kernel of its own
      if (unit.nodes.size() == 1) unit.fused &= !is_assembly(graph_, graph_.nodes[unit.nodes.front()]);
    }
    return units;
  }

  Dependencies dependencies(const std::vector<Unit>& units, const std::vector<int32_t>& unit_of) const {
    const int32_t count = static_cast<int32_t>(units.size());
    Dependencies found{std::vector<int32_t>(count, 0), std::vector<std::vector<int32_t>>(count),
                       std::vector<char>(count, 1)};
    for (int32_t u = 0; u < count; ++u) {
      if (!units[u].fused) found.only_reduces[u] = false;
      for (int32_t i : units[u].nodes) {
        const Graph::Node& node = graph_.nodes[i];
        if (!is_reduction(node.opcode) && graph_.values[node.first_output].is_output)
          found.only_reduces[u] = false;
        for_each_producer(node, [&](int32_t producer) {
          const int32_t source = unit_of[producer];
          if (source == u) return;
          found.followers[source].push_back(u);
          ++found.blockers[u];
          if (!is_reduction(graph_.nodes[producer].opcode)) found.only_reduces[source] = false;
        });
      }
    }
    return found;
  }

  /// Units in topological order, close to the order of creation, which is kind to memory. What only reduces
  /// comes as soon as it can, while the caches still hold what it reads.
  std::vector<Unit> order_units() {
    std::vector<int32_t> unit_of(graph_.nodes.size(), -1);
    std::vector<Unit> units = collect_units(unit_of);
    auto [blockers, followers, only_reduces] = dependencies(units, unit_of);
    auto later = [&](int32_t a, int32_t b) { return units[a].nodes.back() > units[b].nodes.back(); };
    std::priority_queue<int32_t, std::vector<int32_t>, decltype(later)> ready(later);
    const int32_t count = static_cast<int32_t>(units.size());
    for (int32_t u = 0; u < count; ++u) {
      if (blockers[u] == 0) ready.push(u);
    }
    std::vector<int32_t> at_once;
    std::vector<Unit> ordered;
    ordered.reserve(count);
    while (!ready.empty() || !at_once.empty()) {
      int32_t u;
      if (at_once.empty()) {
        u = ready.top();
        ready.pop();
      } else {
        u = at_once.back();
        at_once.pop_back();
      }
      for (int32_t follower : followers[u]) {
        if (--blockers[follower] > 0) continue;
        if (only_reduces[follower]) {
          at_once.push_back(follower);
        } else {
          ready.push(follower);
        }
      }
      ordered.push_back(std::move(units[u]));
    }
    if (static_cast<int32_t>(ordered.size()) != count) throw std::logic_error("fuse: the units form a cycle");
    return ordered;
  }

  const Graph& graph_;
  std::vector<int32_t> level_;
  std::vector<int32_t> group_;
  std::vector<int32_t> size_;
  std::vector<const Dims*> axes_;
};

}  // namespace

std::vector<Unit> fuse(const Graph& graph) {
  std::vector<Unit> units = merge_rows(graph, Fusion(graph).run());
  find_attention(graph, units);
  return units;
}

}  // namespace ftrans
