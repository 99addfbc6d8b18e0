#pragma once

#include "metal/steps/layout_call.h"

// What matrix products and convolutions have in common (kernels/product.metal).
namespace ftrans::metal {

/// Which axis of a side of a product threads walk along side by side, since neighbours in memory lie there.
enum class Along { Depth, Rows };

/// The tiles of a product: one threadgroup each.
struct Tiling {
  std::string type;  ///< of product.metal
  int64_t rows, columns;
  int64_t threads;
  std::vector<KernelCall::Shared> memory;

  int64_t count(int64_t all_rows, int64_t all_columns) const {
    return divide_up(all_rows, rows) * divide_up(all_columns, columns);
  }
};

/// Tiles for a product of this size: matrices of SIMD-groups for floats, plain ones for the other dtypes.
Tiling tiling(Dtype dtype, int64_t rows, int64_t columns, Along left, Along right);

/// How the depth is divided for want of other work: into parts of at least `least`, so that about `wanted`
/// work items become of `items`.
struct Splits {
  int64_t count, length;
  Splits(int64_t depth, int64_t items, int64_t wanted, int64_t least);
};

/// Where the sums of a product of `count` elements go: the output, or memory for those of all splits.
class ProductOutput {
 public:
  ProductOutput(Encoder& encoder, Dtype dtype, int64_t count, int64_t splits, Place output);

  LayoutCall::Array array() const { return {written(dtype_of_sums()), sums_}; }
  /// The type of an element in memory.
  std::string type() const { return storage_type(dtype_of_sums()); }
  /// Adds up the splits.
  void finish(Encoder& encoder) const;

 private:
  Dtype dtype_of_sums() const { return splits_ > 1 ? register_dtype(dtype_) : dtype_; }

  Dtype dtype_;
  int64_t count_, splits_;
  Place output_, sums_;
};

}  // namespace ftrans::metal
