#pragma once

#include <array>
#include <cstdlib>
#include <initializer_list>
#include <vector>

#include "metal/steps/movement/grid.h"

namespace ftrans::metal::movement {

/// An axis of an iteration space, and the steps in elements that some arrays make along it.
template <size_t arrays>
struct Axis {
  int64_t extent;
  std::array<int64_t, arrays> strides;
};

/// The outermost axis first.
template <size_t arrays>
using Axes = std::vector<Axis<arrays>>;

/// The same space with fewer axes: those of extent 1 go, and neighbours become one where every array steps
/// through them as through one. At least one axis remains.
template <size_t arrays>
Axes<arrays> merged(const Axes<arrays>& axes) {
  Axes<arrays> result;
  for (const Axis<arrays>& axis : axes) {
    if (axis.extent == 1) continue;
    bool joins = !result.empty();
    for (size_t a = 0; joins && a < arrays; ++a)
      joins = result.back().strides[a] == axis.strides[a] * axis.extent;
    if (joins) {
      result.back() = {result.back().extent * axis.extent, axis.strides};
    } else {
      result.push_back(axis);
    }
  }
  if (result.empty()) result.push_back({1, {}});
  return result;
}

template <size_t arrays>
int64_t element_count(const Axes<arrays>& axes) {
  int64_t count = 1;
  for (const Axis<arrays>& axis : axes) count *= axis.extent;
  return count;
}

/// How many elements lie between the lowest and the highest one, plus one.
template <size_t arrays>
int64_t span(const Axes<arrays>& axes, size_t array) {
  int64_t result = 1;
  for (const Axis<arrays>& axis : axes) result += (axis.extent - 1) * std::abs(axis.strides[array]);
  return result;
}

/// Extents and strides, the innermost axis first, as kernels read them.
template <size_t arrays>
void add_axes(Numbers& numbers, const Axes<arrays>& axes) {
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
    numbers.add(axis->extent);
    for (const int64_t stride : axis->strides) numbers.add(stride);
  }
}

/// Where an array lies: its lowest address, and how many elements its element (0, …, 0) lies above that.
struct Origin {
  Place lowest;
  int64_t base = 0;
  int64_t span = 1;  ///< elements from the lowest to the highest
};

/// Of an array that is not empty.
Origin origin_of(const Operand& operand);

int64_t size_of(const Operand& operand);

/// Whether offsets into arrays of these spans need 64 bits.
bool is_wide(std::initializer_list<int64_t> spans);

/// The widest unit, a power of two from `itemsize` to 16 bytes, of which all these numbers (of elements) are
/// multiples and at which all these places are aligned.
int64_t widest_unit(int64_t itemsize, const std::vector<int64_t>& numbers, const std::vector<Origin>& arrays);

}  // namespace ftrans::metal::movement
