#pragma once

#include <vector>

#include "graph/passes.h"

// A softmax reduces rows, and goes on with their elements and what it has found: values of two kinds, those
// with an element for each of the iteration space, and those with one a row. Between them are views. Where a
// GPU does this, it is one kernel (FusedKernel with reductions in its body).

namespace ftrans {

inline bool is_reduction(Opcode opcode) { return info(opcode).category == OpcodeCategory::Reduction; }

/// The value whose shape is the iteration space of a fusable node.
inline int32_t space_value(const Graph& graph, const Graph::Node& node) {
  return is_reduction(node.opcode) ? graph.node_inputs(node)[0] : node.first_output;
}

/// The value that others look at through views.
int32_t viewed(const Graph& graph, int32_t value);

/// Whether a value has the elements of the one that it looks at, in the same order.
bool is_reshaped(const Graph& graph, int32_t value);

/// The extents of `space` along the axes that are not reduced.
Dims kept_shape(const Dims& space, const Dims& axes);

/// The result in a unit of rows that one of its nodes reads as `value`: itself, or the one that it views row
/// by row; −1 if it comes from outside.
int32_t inner_value(const Graph& graph, const Unit& unit, int32_t value);

/// Joins fused units of a GPU where one reads what another has reduced along the last axes, row by row: units
/// in an order in which they can run, and the same again.
std::vector<Unit> merge_rows(const Graph& graph, std::vector<Unit> units);

}  // namespace ftrans
