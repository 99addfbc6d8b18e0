#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "kernel/fused_kernel.h"

namespace ftrans {

/// Constant folding, identities that don't change a bit of the result, and common-subexpression elimination,
/// in one forward walk. Values that became equal to others are replaced where they are read; dead nodes stay
/// for `eliminate_dead`.
void simplify(Graph& graph);

/// Marks the nodes that no output depends on as not live.
void eliminate_dead(Graph& graph);

/// Moves slices and reshapes of elementwise results in front of the operations, where that spares arrays.
void lift_views(Graph& graph);

/// Moves live nodes of a GPU's streams that it has no kernel for to the processor's default stream.
void place(Graph& graph);

/// What `place` has moved since the last call: a line for each operation and dtype, once in the process.
std::vector<std::string> take_placement_notes();

/// The dtype that chooses a node's kernel: of the operand (of a Select, the second), or of the result where
/// there is none.
Dtype operand_dtype(const Graph& graph, const Graph::Node& node);

/// Whether a node puts arrays together, or into a frame, in a way that a kernel of the processor can read
/// them where they are: a concatenation of a few arrays, or padding that neither crops nor has gaps.
bool is_assembly(const Graph& graph, const Graph::Node& node);

/// Calls f(k, start) for the non-empty operands of an assembly, each with where it lies in the result.
template <typename F>
void for_each_piece(const Graph& graph, const Graph::Node& node, F&& f) {
  const int ndim = graph.values[node.first_output].shape->size();
  Dims start(ndim, 0);
  if (node.opcode == Opcode::Pad) {
    for (int axis = 0; axis < ndim; ++axis) start[axis] = (*node.parameters)[axis];
    return f(0, start);
  }
  const int axis = static_cast<int>((*node.parameters)[0]);
  for (int k = 0; k < node.input_count; ++k) {
    const int64_t extent = (*graph.values[graph.node_inputs(node)[k]].shape)[axis];
    if (extent > 0) f(k, start);
    start[axis] += extent;
  }
}

struct AttentionParts;

/// One unit of execution: a group of fused nodes, or a single node.
struct Unit {
  std::vector<int32_t> nodes;  ///< ascending, hence in topological order
  bool fused = false;
  /// Of fused nodes that go on with the results of their own reductions: the iteration space, and the axes
  /// over which they reduce. Else null.
  const Dims* row_space = nullptr;
  const Dims* row_axes = nullptr;
  std::shared_ptr<const AttentionParts> attention = nullptr;  ///< of a unit that is attention; else null
};

/// Partitions the live nodes into units: elementwise nodes over one iteration space, with the reductions of
/// their results, are fused; on a GPU also with what goes on with these row by row. The units are in an order
/// in which they can run. Views that no unit reads are left out.
std::vector<Unit> fuse(const Graph& graph);

/// The kernel of a fused unit, with the graph values that it reads and writes.
struct UnitKernel {
  FusedKernel kernel;
  std::vector<int32_t> inputs;   ///< graph values, in the order of kernel.inputs
  std::vector<char> of_row;      ///< by input: it has an element a row, and must be broadcast to the space
  std::vector<int32_t> outputs;  ///< graph values, in the order of kernel.outputs
  const Dims* space;             ///< the iteration space
};

/// `is_needed[value]` tells which values something outside of the unit reads.
UnitKernel build_kernel(const Graph& graph, const Unit& unit, const std::vector<char>& is_needed);

}  // namespace ftrans
