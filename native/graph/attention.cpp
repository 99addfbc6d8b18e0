#include "graph/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/gpu.h"
#include "core/shape.h"
#include "core/value.h"
#include "graph/rows.h"

namespace ftrans {
namespace {

/// A product of matrices whose right side has rows of one axis.
struct MatrixProduct {
  Dims parameters;
  int64_t batches = 1, depth = 0, columns = 0;
  bool left_is_in_order = true;  ///< its axes are: batch, rows, depth
  bool good = false;

  MatrixProduct(const Graph& graph, const Graph::Node& node) : parameters(*node.parameters) {
    const Dims& left = *graph.values[graph.node_inputs(node)[0]].shape;
    const Dims& right = *graph.values[graph.node_inputs(node)[1]].shape;
    const int batch = static_cast<int>(parameters[1]);
    if (parameters[0] != 1 || right.size() != batch + 2) return;
    depth = left[static_cast<int>(parameters[2])];
    columns = element_count(right) / std::max<int64_t>(depth, 1);
    left_is_in_order = parameters[2] == left.size() - 1;
    for (int i = 0; i < batch; ++i) {
      const int64_t axis = parameters[4 + i];
      batches *= left[static_cast<int>(axis)];
      left_is_in_order &= axis == i;
    }
    if (batches > 0) columns /= batches;
    good = batches > 0 && columns > 0 && columns <= INT32_MAX && depth > 0;
  }
};

class Finder {
 public:
  Finder(const Graph& graph, std::vector<Unit>& units)
      : graph_(graph), units_(units), unit_of_(graph.nodes.size(), -1), readers_(graph.values.size()) {
    for (size_t u = 0; u < units.size(); ++u) {
      for (const int32_t i : units[u].nodes) {
        unit_of_[i] = static_cast<int32_t>(u);
        const Graph::Node& node = graph.nodes[i];
        for (int k = 0; k < node.input_count; ++k) readers_[graph.node_inputs(node)[k]].push_back(i);
      }
    }
  }

  void run() {
    for (size_t u = 0; u < units_.size(); ++u) {
      if (units_[u].row_space) try_unit(static_cast<int32_t>(u));
    }
    units_.erase(
        std::remove_if(units_.begin(), units_.end(), [](const Unit& unit) { return unit.nodes.empty(); }),
        units_.end());
  }

 private:
  const Graph::Node* producer(int32_t value) const {
    return graph_.values[value].producer < 0 ? nullptr : &graph_.nodes[graph_.values[value].producer];
  }
  int32_t operand(const Graph::Node& node, int i) const { return graph_.node_inputs(node)[i]; }

  bool is_number(int32_t value, double number) const {
    const Graph::Value& constant = graph_.values[value];
    if (!constant.is_constant) return false;
    const ScalarStorage expected = scalar_from_double(constant.dtype, number);
    return std::memcmp(constant.constant.bytes, expected.bytes, itemsize(constant.dtype)) == 0;
  }

  /// The node of a unit that computes what one of its nodes reads as `value`, if it is one of this kind; and
  /// it is noted as part of the softmax.
  const Graph::Node* part(const Unit& unit, int32_t value, Opcode opcode) {
    const int32_t inner = inner_value(graph_, unit, value);
    if (inner < 0) return nullptr;
    const int32_t number = graph_.values[inner].producer;
    if (graph_.nodes[number].opcode != opcode) return nullptr;
    matched_.push_back(number);
    return &graph_.nodes[number];
  }

  /// select(x == number, replacement, …): the node, if `value` is one.
  const Graph::Node* replacing(const Unit& unit, int32_t value, double number, double replacement,
                               int32_t& compared) {
    const size_t before = matched_.size();
    const Graph::Node* select = part(unit, value, Opcode::Select);
    if (select && is_number(operand(*select, 1), replacement)) {
      const Graph::Node* equal = part(unit, operand(*select, 0), Opcode::Eq);
      if (equal && is_number(operand(*equal, 1), number)) {
        compared = inner_value(graph_, unit, operand(*equal, 0));
        return select;
      }
    }
    matched_.resize(before);
    return nullptr;
  }

  /// Matches exp(score - max) / sum against what computes `weights` in the unit; −1 or the score.
  int32_t match_softmax(const Unit& unit, int32_t weights, AttentionKernel& kernel) {
    matched_.clear();
    const Graph::Node* converted = part(unit, weights, Opcode::Convert);
    const Graph::Node* quotient = part(unit, converted ? operand(*converted, 0) : weights, Opcode::Div);
    if (!quotient) return -1;
    const int32_t powers = operand(*quotient, 0);
    int32_t total = operand(*quotient, 1), compared = -1;
    if (const Graph::Node* select = replacing(unit, total, 0, 1, compared)) {
      total = operand(*select, 2);
      if (compared != inner_value(graph_, unit, total)) return -1;
      kernel.no_sum_is_one = true;
    }
    const Graph::Node* sum = part(unit, total, Opcode::ReduceSum);
    if (!sum || operand(*sum, 0) != powers) return -1;
    int32_t exponential = powers, blind = -1;
    if (const Graph::Node* select = replacing(unit, powers, -INFINITY, 0, blind)) {
      exponential = operand(*select, 2);
      kernel.blind_is_zero = true;
    }
    const Graph::Node* exp = part(unit, exponential, Opcode::Exp);
    const Graph::Node* excess = exp ? part(unit, operand(*exp, 0), Opcode::Excess) : nullptr;
    const Graph::Node* top = excess ? part(unit, operand(*excess, 1), Opcode::ReduceMax) : nullptr;
    if (!top || operand(*top, 0) != operand(*excess, 0)) return -1;
    if (kernel.blind_is_zero && blind != top->first_output) return -1;
    return operand(*excess, 0);
  }

  /// Nodes that read a value, through views that nobody else needs; and these views. False if it is an
  /// output.
  bool collect_readers(int32_t value, std::vector<int32_t>& nodes, std::vector<int32_t>& views) const {
    if (graph_.values[value].is_output) return false;
    for (const int32_t i : readers_[value]) {
      if (info(graph_.nodes[i].opcode).category != OpcodeCategory::View) {
        nodes.push_back(i);
        continue;
      }
      views.push_back(i);
      if (!collect_readers(graph_.nodes[i].first_output, nodes, views)) return false;
    }
    return true;
  }

  /// The one result of a unit that others need, or −1.
  int32_t only_result(const Unit& unit) const {
    int32_t result = -1;
    for (const int32_t i : unit.nodes) {
      const int32_t value = graph_.nodes[i].first_output;
      std::vector<int32_t> nodes, views;
      const bool stays = collect_readers(value, nodes, views) &&
                         std::all_of(nodes.begin(), nodes.end(), [&](int32_t reader) {
                           return std::binary_search(unit.nodes.begin(), unit.nodes.end(), reader);
                         });
      if (stays) continue;
      if (result >= 0) return -1;
      result = value;
    }
    return result;
  }

  /// Whether a node is a product that attention can have, and has not been taken for another.
  bool can_multiply(const Graph::Node& node, const Unit& rows) const {
    if (node.opcode != Opcode::DotGeneral) return false;
    const Dtype dtype = graph_.values[operand(node, 0)].dtype;
    return kind(dtype) == 'f' && itemsize(dtype) <= 4 &&
           node.stream == graph_.nodes[rows.nodes.front()].stream &&
           !units_[unit_of_[graph_.values[node.first_output].producer]].attention;
  }

  void try_unit(int32_t u) {
    const Unit& rows = units_[u];
    const Dims &space = *rows.row_space, &axes = *rows.row_axes;
    if (axes.size() != 1 || axes[0] != space.size() - 1) return;
    const int32_t weights = only_result(rows);
    if (weights < 0 || !(*graph_.values[weights].shape == space)) return;
    auto parts = std::make_shared<AttentionParts>();
    parts->score = match_softmax(rows, weights, parts->kernel);
    if (parts->score < 0) return;
    std::sort(matched_.begin(), matched_.end());
    parts->scores = rows;
    parts->scores.nodes.clear();
    std::set_difference(rows.nodes.begin(), rows.nodes.end(), matched_.begin(), matched_.end(),
                        std::back_inserter(parts->scores.nodes));
    std::vector<int32_t> nodes, views;
    if (!collect_readers(weights, nodes, views) || nodes.size() != 1) return;
    const int32_t second = nodes[0];
    if (!find_first(*parts, rows, views)) return;
    const int32_t first = graph_.values[viewed(graph_, parts->product)].producer;
    if (!fits(*parts, first, second, weights)) return;
    become_one(u, first, second, views, std::move(parts));
  }

  /// The product that the scores are made of, which nobody else needs.
  bool find_first(AttentionParts& parts, const Unit& rows, std::vector<int32_t>& views) const {
    std::vector<int32_t> read = {parts.score};
    for (const int32_t i : parts.scores.nodes) {
      const Graph::Node& node = graph_.nodes[i];
      if (is_reduction(node.opcode)) return false;
      for (int k = 0; k < node.input_count; ++k) read.push_back(operand(node, k));
    }
    for (const int32_t value : read) {
      const int32_t source = viewed(graph_, value);
      const Graph::Node* node = producer(source);
      std::vector<int32_t> nodes, own_views;
      if (!node || !can_multiply(*node, rows) || !collect_readers(source, nodes, own_views)) continue;
      const auto reads_it = [&](int32_t reader) {
        const int32_t* inputs = graph_.node_inputs(graph_.nodes[reader]);
        const int count = graph_.nodes[reader].input_count;
        return std::binary_search(rows.nodes.begin(), rows.nodes.end(), reader) &&
               std::all_of(inputs, inputs + count,
                           [&](int32_t input) { return viewed(graph_, input) != source || input == value; });
      };
      if (!std::all_of(nodes.begin(), nodes.end(), reads_it)) continue;
      if (!(*graph_.values[value].shape == *rows.row_space) || !is_reshaped(graph_, value)) continue;
      parts.product = value;
      views.insert(views.end(), own_views.begin(), own_views.end());
      return true;
    }
    return false;
  }

  bool fits(AttentionParts& parts, int32_t first, int32_t second, int32_t weights) const {
    const Graph::Node &left = graph_.nodes[first], &right = graph_.nodes[second];
    const int32_t viewed_weights = operand(right, 0);
    if (!can_multiply(right, units_[unit_of_[graph_.values[weights].producer]])) return false;
    if (viewed(graph_, viewed_weights) != weights || viewed(graph_, operand(right, 1)) == weights)
      return false;
    if (!is_reshaped(graph_, viewed_weights)) return false;
    const MatrixProduct a(graph_, left), b(graph_, right);
    const int64_t keys = (*parts.scores.row_space)[parts.scores.row_space->size() - 1];
    parts.queries = operand(left, 0);
    parts.keys = widened(operand(left, 1), first);
    parts.values = widened(operand(right, 1), second);
    parts.result = right.first_output;
    parts.kernel.first = a.parameters;
    parts.kernel.second = b.parameters;
    constexpr int64_t kFewQueries = 8;  // for fewer, products of vectors divide the keys
    return a.good && b.good && b.left_is_in_order && a.columns == keys && b.depth == keys &&
           a.batches == b.batches && a.depth <= kWidestAttention && b.columns <= kWidestAttention &&
           element_count(*parts.scores.row_space) / keys / a.batches >= kFewQueries &&
           static_cast<int>(build_scores(graph_, parts).inputs.size()) + kOtherOperands <=
               gpu()->most_operands();
  }

  /// Of an operand that is a half type, widened for this node alone: what it was before; else itself.
  int32_t widened(int32_t value, int32_t reader) const {
    const Graph::Node* node = producer(value);
    if (!node || node->opcode != Opcode::Convert || graph_.values[value].is_output) return value;
    const Dtype from = graph_.values[operand(*node, 0)].dtype;
    const bool alone = units_[unit_of_[graph_.values[value].producer]].nodes.size() == 1 &&
                       readers_[value] == std::vector<int32_t>{reader};
    return alone && (from == Dtype::Float16 || from == Dtype::BFloat16) ? operand(*node, 0) : value;
  }

  void become_one(int32_t rows, int32_t first, int32_t second, const std::vector<int32_t>& views,
                  std::shared_ptr<AttentionParts> parts) {
    Unit joint;
    joint.nodes = units_[rows].nodes;
    joint.nodes.push_back(first);
    joint.nodes.push_back(second);
    std::sort(joint.nodes.begin(), joint.nodes.end());
    for (const int32_t view : views) units_[unit_of_[view]].nodes.clear();
    for (const auto& [whole, node] : {std::pair{parts->keys, first}, std::pair{parts->values, second}}) {
      const int32_t read = operand(graph_.nodes[node], 1);
      if (read != whole) units_[unit_of_[graph_.values[read].producer]].nodes.clear();
    }
    units_[rows].nodes.clear();
    units_[unit_of_[first]].nodes.clear();
    joint.attention = std::move(parts);
    units_[unit_of_[second]] = std::move(joint);
  }

  static constexpr int kOtherOperands = 6;  // of a kernel, besides inputs of the scores

  const Graph& graph_;
  std::vector<Unit>& units_;
  std::vector<int32_t> unit_of_;               ///< by node
  std::vector<std::vector<int32_t>> readers_;  ///< by value: nodes
  std::vector<int32_t> matched_;               ///< nodes of the softmax
};

}  // namespace

void find_attention(const Graph& graph, std::vector<Unit>& units) {
  const bool any = std::any_of(units.begin(), units.end(), [](const Unit& unit) { return unit.row_space; });
  if (any) Finder(graph, units).run();
}

UnitKernel build_scores(const Graph& graph, const AttentionParts& parts) {
  if (!parts.scores.nodes.empty()) {
    std::vector<char> is_needed(graph.values.size(), 0);
    is_needed[parts.score] = 1;
    return build_kernel(graph, parts.scores, is_needed);
  }
  const Dtype dtype = graph.values[parts.product].dtype;
  UnitKernel built;
  built.space = parts.scores.row_space;
  built.kernel.ndim = built.space->size();
  built.kernel.reduced_axes.assign(built.kernel.ndim, false);
  built.kernel.inputs = {dtype};
  built.kernel.body = {{Instruction::Kind::Input, Opcode{}, dtype, {-1, -1, -1}, 0, {}}};
  built.kernel.outputs = {{0, false, Opcode{}}};
  built.inputs = {parts.product};
  built.of_row = {0};
  return built;
}

}  // namespace ftrans
