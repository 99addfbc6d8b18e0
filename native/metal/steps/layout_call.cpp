#include "metal/steps/layout_call.h"

#include <algorithm>
#include <limits>

#include "metal/kernels.h"

namespace ftrans::metal {
namespace {

/// The bytes of numbers, or of one if there are none: a buffer must not be empty.
std::vector<unsigned char> bytes_of(const std::vector<int64_t>& list, bool wide) {
  Numbers numbers(wide);
  for (const int64_t each : list) numbers.add(each);
  if (list.empty()) numbers.add(0);
  return numbers.bytes();
}

/// A grid of `count` threadgroups; what is too long goes on along y.
Size grid_of(int64_t count) {
  constexpr int64_t kLongest = int64_t{1} << 20;
  const int64_t x = std::min(count, kLongest);
  return {static_cast<uint32_t>(x), static_cast<uint32_t>(divide_up(count, x)), 1};
}

}  // namespace

void Axes::add(int64_t extent, int64_t first_stride, int64_t second_stride) {
  if (extent == 1) return;
  if (count() > 0) {
    int64_t* last = numbers_.data() + numbers_.size() - 3;
    if (last[1] == first_stride * extent && last[2] == second_stride * extent) {
      last[0] *= extent;
      last[1] = first_stride;
      last[2] = second_stride;
      return;
    }
  }
  numbers_.insert(numbers_.end(), {extent, first_stride, second_stride});
}

Axes Axes::swapped() const {
  Axes result = *this;
  for (size_t i = 0; i < numbers_.size(); i += 3) std::swap(result.numbers_[i + 1], result.numbers_[i + 2]);
  return result;
}

Bound::Bound(const Operand& operand) : place(operand.place), first(0), span(1) {
  for (int axis = 0; axis < operand.ndim; ++axis) {
    const int64_t reach = operand.strides[axis] * (operand.shape[axis] - 1);
    if (reach < 0) first -= reach;
    span += std::abs(reach);
  }
  place.offset -= static_cast<size_t>(first * itemsize(operand.dtype));
}

int64_t element_count(const Operand& operand) {
  int64_t count = 1;
  for (int axis = 0; axis < operand.ndim; ++axis) count *= operand.shape[axis];
  return count;
}

std::string elements(Dtype dtype) { return std::string("device const ") + storage_type(dtype) + "*"; }
std::string written(Dtype dtype) { return std::string("device ") + storage_type(dtype) + "*"; }

bool LayoutCall::is_wide(int64_t threads) const {
  constexpr int64_t kSlack = 1 << 20;  // of the last threadgroups, and of the last part of an axis
  return std::max(threads, largest) > std::numeric_limits<int32_t>::max() - kSlack;
}

PrintedKernel LayoutCall::printed(bool wide) const {
  const std::string index = wide ? "int64_t" : "int32_t";
  KernelCall call{.function = function,
                  .sources = {kStepsSource},
                  .types = types,
                  .buffers = {},
                  .form = KernelCall::Form::Place,
                  .shared = shared,
                  .literal = literal,
                  .index = index};
  call.sources.insert(call.sources.end(), sources.begin(), sources.end());
  std::replace(call.types.begin(), call.types.end(), std::string("Index"), index);
  for (const Array& array : arrays) call.buffers.push_back(array.type);
  call.buffers.push_back("constant " + layout_type + "<" + index + layout_arguments + ">&");
  call.buffers.push_back("constant Axis<" + index + ">*");
  PrintedKernel kernel = call.printed();
  kernel.uses_functions = kernel.uses_complex = kernel.text.find("float2") != std::string::npos;
  return kernel;
}

void LayoutCall::dispatch(Encoder& encoder, int64_t threadgroups, uint32_t threads) const {
  const bool wide = is_wide(threadgroups * threads);
  std::vector<Place> memory;
  for (const Array& array : arrays) memory.push_back(array.place);
  record(encoder, printed(wide), memory, {bytes_of(layout, wide), bytes_of(axes.numbers(), wide)},
         {grid_of(threadgroups), {threads}});
}

void LayoutCall::dispatch_threads(Encoder& encoder, int64_t count) const {
  const int64_t threads = std::min<int64_t>(divide_up(count, 32) * 32, kThreadsPerGroup);
  dispatch(encoder, divide_up(count, threads), static_cast<uint32_t>(threads));
}

}  // namespace ftrans::metal
