#include "core/shape.h"

namespace ftrans {

Dims contiguous_strides(const Dims& shape) {
  Dims strides(shape.size());
  int64_t stride = 1;
  for (int axis = shape.size() - 1; axis >= 0; --axis) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

bool is_contiguous(const Dims& shape, const Dims& strides) {
  int64_t expected = 1;
  for (int axis = shape.size() - 1; axis >= 0; --axis) {
    if (shape[axis] != 1 && strides[axis] != expected) return element_count(shape) == 0;
    expected *= shape[axis];
  }
  return true;
}

bool broadcast_shapes(const Dims& left, const Dims& right, Dims& result) {
  const int ndim = std::max(left.size(), right.size());
  result.resize(ndim);
  int64_t count = 1;
  for (int i = 1; i <= ndim; ++i) {
    const int64_t l = i <= left.size() ? left[left.size() - i] : 1;
    const int64_t r = i <= right.size() ? right[right.size() - i] : 1;
    if (l != r && l != 1 && r != 1) return false;
    result[ndim - i] = l == 1 ? r : l;
    if (__builtin_mul_overflow(count, result[ndim - i], &count) || count > kMostElements) return false;
  }
  return true;
}

bool reshape_strides(const Dims& shape, const Dims& strides, const Dims& new_shape, Dims& result) {
  if (is_contiguous(shape, strides)) {
    result = contiguous_strides(new_shape);
    return true;
  }
  // Match runs of old axes with runs of new axes of the same element count; a run of old axes must be
  // gap-free.
  result.resize(new_shape.size());
  Dims old_shape, old_strides;
  for (int axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == 1) continue;
    old_shape.push_back(shape[axis]);
    old_strides.push_back(strides[axis]);
  }
  int old_axis = 0, new_axis = 0;
  while (old_axis < old_shape.size() && new_axis < new_shape.size()) {
    int old_end = old_axis + 1, new_end = new_axis + 1;
    int64_t old_count = old_shape[old_axis], new_count = new_shape[new_axis];
    while (old_count != new_count) {
      if (new_count < old_count) {
        if (new_end == new_shape.size()) return false;
        new_count *= new_shape[new_end++];
      } else {
        if (old_end == old_shape.size()) return false;
        old_count *= old_shape[old_end++];
      }
    }
    for (int axis = old_axis; axis + 1 < old_end; ++axis) {
      if (old_strides[axis] != old_shape[axis + 1] * old_strides[axis + 1]) return false;
    }
    int64_t stride = old_strides[old_end - 1];
    for (int axis = new_end - 1; axis >= new_axis; --axis) {
      result[axis] = stride;
      stride *= new_shape[axis];
    }
    old_axis = old_end;
    new_axis = new_end;
  }
  for (; new_axis < new_shape.size(); ++new_axis) result[new_axis] = 1;  // trailing extents of 1
  return true;
}

std::string to_string(const Dims& shape) {
  std::string text = "(";
  for (int axis = 0; axis < shape.size(); ++axis) {
    if (axis) text += ", ";
    text += std::to_string(shape[axis]);
  }
  if (shape.size() == 1) text += ",";
  return text + ")";
}

}  // namespace ftrans
