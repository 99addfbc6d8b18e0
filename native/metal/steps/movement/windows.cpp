#include "metal/steps/movement/windows.h"

#include <algorithm>

namespace ftrans::metal::movement {
namespace {

bool contains(const Dims& axes, int64_t axis) {
  return std::find(axes.begin(), axes.end(), axis) != axes.end();
}

}  // namespace

Windows::Dimensions Windows::read(const int64_t*& parameters) {
  const auto list = [&] {
    const int count = static_cast<int>(*parameters++);
    Dims result(parameters, count);
    parameters += count;
    return result;
  };
  Dimensions numbers;
  numbers.window_axes = list();
  numbers.missing_axes = list();
  numbers.start_axes = list();
  numbers.operand_batching = list();
  numbers.indices_batching = list();
  for (const int64_t axis : numbers.operand_batching) numbers.missing_axes.push_back(axis);
  return numbers;
}

Windows::Windows(const Dimensions& numbers, const int64_t* shape, const int64_t* strides, int ndim,
                 const Operand& indices, const int64_t* window_shape, int side_ndim) {
  const int batch_axes = indices.ndim - 1;
  const int64_t base = size_of(indices) == 0 ? 0 : origin_of(indices).base;
  for (int i = 0; i < numbers.start_axes.size(); ++i) {
    const int64_t axis = numbers.start_axes[i];
    components.push_back(
        {base + i * indices.strides[batch_axes], shape[axis] - window_shape[axis], strides[axis]});
  }
  std::vector<int64_t> window_axes;  // of the operand
  for (int axis = 0; axis < ndim; ++axis) {
    if (!contains(numbers.missing_axes, axis)) window_axes.push_back(axis);
  }
  int next_window = 0, next_batch = 0;
  for (int axis = 0; axis < side_ndim; ++axis) {
    if (contains(numbers.window_axes, axis)) {
      const int64_t of_operand = window_axes[static_cast<size_t>(next_window++)];
      axes.push_back({true, of_operand, strides[of_operand], 0});
      continue;
    }
    const int batch = next_batch++;
    const auto at = std::find(numbers.indices_batching.begin(), numbers.indices_batching.end(), batch);
    const bool shared = at != numbers.indices_batching.end();
    const int64_t of_operand =
        shared ? numbers.operand_batching[static_cast<int>(at - numbers.indices_batching.begin())] : -1;
    axes.push_back({false, of_operand, shared ? strides[of_operand] : 0, indices.strides[batch]});
  }
}

}  // namespace ftrans::metal::movement
