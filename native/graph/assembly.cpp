#include "core/shape.h"
#include "graph/passes.h"

namespace ftrans {

bool is_assembly(const Graph& graph, const Graph::Node& node) {
  constexpr int kMostPieces = 16;
  if (node.opcode != Opcode::Concatenate && node.opcode != Opcode::Pad) return false;
  const Graph::Value& result = graph.values[node.first_output];
  if (node.stream->queue() || element_count(*result.shape) == 0) return false;
  if (node.opcode == Opcode::Concatenate) return node.input_count <= kMostPieces;
  const int ndim = result.shape->size();
  for (int i = 0; i < 3 * ndim; ++i) {
    const int64_t width = (*node.parameters)[i];
    if (width < 0 || (i >= 2 * ndim && width > 0)) return false;
  }
  return element_count(*graph.values[graph.node_inputs(node)[0]].shape) > 0;
}

}  // namespace ftrans
