#pragma once

#include "kernel/contraction.h"
#include "metal/steps/product.h"

namespace ftrans::metal {

/// One side of a product: a batch of matrices of rows by depth.
struct Side {
  Place place;
  int64_t first, span;
  int64_t row_stride, depth_stride;
  Dims batch_strides;

  /// The largest offset that is computed, where a tile goes on beyond the depth.
  int64_t reach() const { return span + 32 * std::abs(depth_stride); }
  Along along() const { return std::abs(depth_stride) <= std::abs(row_stride) ? Along::Depth : Along::Rows; }
};

/// A side of a product, copied if its axes do not amount to one row and one depth.
Side side_of(Encoder& encoder, const Operand& operand, const SideAxes& axes);

}  // namespace ftrans::metal
