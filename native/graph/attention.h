#pragma once

#include <memory>
#include <vector>

#include "graph/passes.h"
#include "kernel/attention_kernel.h"

namespace ftrans {

/// What a unit of attention consists of.
struct AttentionParts {
  int32_t queries, keys, values;  ///< operands of the products
  int32_t result;
  Unit scores;             ///< what makes scores of the first product; it may have no nodes
  int32_t score, product;  ///< what that unit computes, and what it reads of the product
  AttentionKernel kernel;  ///< but for `scores`
};

/// Makes single units of two products of matrices and the softmax between them, where nothing else needs the
/// scores or the weights and a GPU can do that without them.
void find_attention(const Graph& graph, std::vector<Unit>& units);

/// The kernel of the scores, with the values that it reads.
UnitKernel build_scores(const Graph& graph, const AttentionParts& parts);

}  // namespace ftrans
