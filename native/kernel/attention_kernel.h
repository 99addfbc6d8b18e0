#pragma once

#include "core/inline_vector.h"
#include "kernel/fused_kernel.h"

namespace ftrans {

/// Attention: softmax(scores) · values, where scores are made of a product of queries and keys, without an
/// array of the scores.
struct AttentionKernel {
  FusedKernel scores;          ///< over (…, queries, keys), with one output and without reductions
  int32_t product = 0;         ///< the input of `scores` that is the product of queries and keys
  Dims first, second;          ///< native parameters of the two products (dot_general)
  bool blind_is_zero = false;  ///< a query whose scores are all −inf weighs nothing, not all keys alike
  bool no_sum_is_one = false;  ///< and 0 is not divided by 0
};

/// Of its products: the longest contraction and the longest row of a result.
inline constexpr int64_t kWidestAttention = 128;

}  // namespace ftrans
