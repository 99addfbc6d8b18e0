#include "metal/steps/movement/axes.h"

#include <algorithm>

namespace ftrans::metal::movement {

Origin origin_of(const Operand& operand) {
  int64_t below = 0, span = 1;
  for (int axis = 0; axis < operand.ndim; ++axis) {
    const int64_t reach = (operand.shape[axis] - 1) * operand.strides[axis];
    below -= std::min<int64_t>(reach, 0);
    span += std::abs(reach);
  }
  const auto bytes = static_cast<size_t>(below * itemsize(operand.dtype));
  return {{operand.place.memory, operand.place.offset - bytes}, below, span};
}

int64_t size_of(const Operand& operand) {
  int64_t size = 1;
  for (int axis = 0; axis < operand.ndim; ++axis) size *= operand.shape[axis];
  return size;
}

bool is_wide(std::initializer_list<int64_t> spans) {
  return std::any_of(spans.begin(), spans.end(), [](int64_t span) { return span >= int64_t{1} << 31; });
}

int64_t widest_unit(int64_t itemsize, const std::vector<int64_t>& numbers,
                    const std::vector<Origin>& arrays) {
  uint64_t bits = 16;
  for (const int64_t number : numbers) bits |= static_cast<uint64_t>(number * itemsize);
  for (const Origin& array : arrays)
    bits |= array.lowest.offset | static_cast<uint64_t>(array.base * itemsize);
  return std::max(itemsize, static_cast<int64_t>(bits & -bits));
}

}  // namespace ftrans::metal::movement
