#include "metal/hazards.h"

#include <algorithm>

namespace ftrans::metal {
namespace {

struct Range {
  uintptr_t begin, end;
};

/// The addresses between the lowest and the highest element.
Range range_of(const GpuOperand& operand) {
  int64_t low = 0, high = 0;
  for (int axis = 0; axis < operand.ndim; ++axis) {
    const int64_t reach = (operand.shape[axis] - 1) * operand.strides[axis];
    if (operand.shape[axis] == 0) return {0, 0};
    low += std::min<int64_t>(reach, 0);
    high += std::max<int64_t>(reach, 0);
  }
  const int64_t width = itemsize(operand.dtype);
  const uintptr_t first =
      reinterpret_cast<uintptr_t>(operand.buffer->data()) + static_cast<uintptr_t>(operand.offset);
  return {first + static_cast<uintptr_t>(low * width), first + static_cast<uintptr_t>((high + 1) * width)};
}

bool overlaps(const std::map<uintptr_t, uintptr_t>& ranges, Range range) {
  auto next = ranges.lower_bound(range.end);
  return next != ranges.begin() && std::prev(next)->second > range.begin;
}

void merge(std::map<uintptr_t, uintptr_t>& ranges, Range range) {
  if (range.begin == range.end) return;
  auto next = ranges.lower_bound(range.begin);
  if (next != ranges.begin() && std::prev(next)->second >= range.begin) --next;
  while (next != ranges.end() && next->first <= range.end) {
    range = {std::min(range.begin, next->first), std::max(range.end, next->second)};
    next = ranges.erase(next);
  }
  ranges.emplace(range.begin, range.end);
}

}  // namespace

bool Hazards::conflict_with(const GpuArguments& arguments) const {
  for (int i = 0; i < arguments.input_count; ++i) {
    if (overlaps(written_, range_of(arguments.inputs[i]))) return true;
  }
  for (int i = 0; i < arguments.output_count; ++i) {
    const Range range = range_of(arguments.outputs[i]);
    if (overlaps(written_, range) || overlaps(read_, range)) return true;
  }
  return false;
}

void Hazards::add(const GpuArguments& arguments) {
  for (int i = 0; i < arguments.input_count; ++i) merge(read_, range_of(arguments.inputs[i]));
  for (int i = 0; i < arguments.output_count; ++i) merge(written_, range_of(arguments.outputs[i]));
}

}  // namespace ftrans::metal
