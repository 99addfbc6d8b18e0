#pragma once

#include <algorithm>
#include <utility>

#include "core/inline_vector.h"

// What the axes of a dot_general amount to, for the kernels of every backend. A View has ndim, shape and
// strides.
namespace ftrans {

/// The axes of one side of a product.
struct SideAxes {
  Dims batch, contracting, free;

  template <typename View>
  SideAxes(const View& view, const int64_t* contracting_axes, int contracting_count,
           const int64_t* batch_axes, int batch_count)
      : batch(batch_axes, batch_count), contracting(contracting_axes, contracting_count) {
    const auto contains = [](const Dims& axes, int axis) {
      return std::find(axes.begin(), axes.end(), axis) != axes.end();
    };
    for (int axis = 0; axis < view.ndim; ++axis) {
      if (!contains(batch, axis) && !contains(contracting, axis)) free.push_back(axis);
    }
  }
};

template <typename View>
int64_t extent_of(const View& view, const Dims& axes) {
  int64_t extent = 1;
  for (int64_t axis : axes) extent *= view.shape[axis];
  return extent;
}

/// Stride of the one axis that `axes` of the view amount to; false if they don't amount to one.
template <typename View>
bool merged_stride(const View& view, const Dims& axes, int64_t& stride) {
  stride = 1;
  int64_t extent = 1;
  for (int i = axes.size() - 1; i >= 0; --i) {
    const int64_t axis = axes[i];
    if (view.shape[axis] == 1) continue;
    if (extent == 1) {
      stride = view.strides[axis];
    } else if (view.strides[axis] != stride * extent) {
      return false;
    }
    extent *= view.shape[axis];
  }
  return true;
}

/// Brings the pairs of contracted axes into the order of the left side's memory, in which they may amount to
/// one axis.
template <typename View>
void order_contraction(const View& lhs, Dims& lhs_axes, Dims& rhs_axes) {
  for (int i = 1; i < lhs_axes.size(); ++i) {
    for (int j = i; j > 0 && lhs.strides[lhs_axes[j - 1]] < lhs.strides[lhs_axes[j]]; --j) {
      std::swap(lhs_axes[j - 1], lhs_axes[j]);
      std::swap(rhs_axes[j - 1], rhs_axes[j]);
    }
  }
}

}  // namespace ftrans
