#pragma once

#include <cstdint>

#include "core/dtype.h"

namespace ftrans {

/// A strided window on memory. Borrowed: shape and strides live as long as the call that receives it.
struct TensorView {
  void* data;  ///< address of element (0, …, 0)
  Dtype dtype;
  int ndim;
  const int64_t* shape;
  const int64_t* strides;  ///< in elements; may be 0 (broadcast) or negative (reversed)

  int64_t size() const {
    int64_t count = 1;
    for (int axis = 0; axis < ndim; ++axis) count *= shape[axis];
    return count;
  }

  /// Row-major without gaps (axes of extent 1 may have any stride).
  bool is_contiguous() const {
    int64_t expected = 1;
    for (int axis = ndim - 1; axis >= 0; --axis) {
      if (shape[axis] != 1 && strides[axis] != expected) return size() == 0;
      expected *= shape[axis];
    }
    return true;
  }

  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

}  // namespace ftrans
