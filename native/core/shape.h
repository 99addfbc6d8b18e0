#pragma once

#include <string>

#include "core/inline_vector.h"

namespace ftrans {

inline int64_t element_count(const Dims& shape) {
  int64_t count = 1;
  for (int64_t extent : shape) count *= extent;
  return count;
}

/// Strides, in elements, of a row-major array without gaps.
Dims contiguous_strides(const Dims& shape);

bool is_contiguous(const Dims& shape, const Dims& strides);

/// No array can have more: sixteen bytes each must be countable.
inline constexpr int64_t kMostElements = int64_t{1} << 58;

/// NumPy's broadcasting of two shapes; false where they don't fit, or the result would be too large.
bool broadcast_shapes(const Dims& left, const Dims& right, Dims& result);

/// Strides with which an array of `shape` and `strides` can be read as `new_shape`; false if it has to be
/// copied.
bool reshape_strides(const Dims& shape, const Dims& strides, const Dims& new_shape, Dims& result);

/// "(2, 3)"
std::string to_string(const Dims& shape);

}  // namespace ftrans
