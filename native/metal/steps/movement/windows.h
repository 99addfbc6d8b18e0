#pragma once

#include "core/inline_vector.h"
#include "metal/steps/movement/axes.h"

namespace ftrans::metal::movement {

/// What gather and scatter do with an index out of range: read what there is not or drop, move inside, trust,
/// read zero.
enum Mode : int64_t { kFill, kClip, kPromiseInBounds, kZero };

/// The dimension numbers that gather and scatter share, and where an index vector's window begins.
struct Windows {
  /// `indices`: of an index; `window_axes`: the axes of gather's result or scatter's updates that lie within
  /// windows; `missing_axes`: those of the operand that have none there.
  struct Dimensions {
    Dims window_axes, missing_axes, start_axes, operand_batching, indices_batching;
  };
  /// What one component of an index vector means.
  struct Component {
    int64_t place;   ///< among the indices, in elements
    int64_t limit;   ///< the greatest index with the window inside
    int64_t stride;  ///< of the operand, for a step of 1
  };
  /// An axis of the array on the windows' side.
  struct SideAxis {
    bool in_window;
    int64_t operand_axis;  ///< -1: a batch axis that is none of the operand's
    int64_t operand_stride, index_stride;
  };

  /// Reads the five lists, each behind its length, and moves `parameters` past them.
  static Dimensions read(const int64_t*& parameters);

  Windows(const Dimensions& numbers, const int64_t* shape, const int64_t* strides, int ndim,
          const Operand& indices, const int64_t* window_shape, int side_ndim);

  std::vector<Component> components;
  std::vector<SideAxis> axes;  ///< of gather's result, or of scatter's updates
};

}  // namespace ftrans::metal::movement
