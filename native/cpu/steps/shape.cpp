#include "cpu/steps/block_copy.h"
#include "cpu/steps/kernels.h"

namespace ftrans::cpu::steps {
namespace {

int64_t read_integer(const TensorView& vector, int64_t index) {
  int64_t result = 0;
  dispatch(vector.dtype, [&]<typename T>(TypeTag<T>) {
    if constexpr (std::is_integral_v<T>)
      result = static_cast<int64_t>(vector.as<T>()[index * vector.strides[0]]);
  });
  return result;
}

/// Offset in elements of the block of `sizes` at the given start of `whole`, moved so that it lies inside.
int64_t clamped_offset(const TensorView& whole, const int64_t* sizes, const TensorView& start) {
  int64_t offset = 0;
  for (int axis = 0; axis < whole.ndim; ++axis) {
    const int64_t last = whole.shape[axis] - sizes[axis];
    offset += std::clamp<int64_t>(read_integer(start, axis), 0, last) * whole.strides[axis];
  }
  return offset;
}

}  // namespace

void copy(const StepArguments& arguments) { copy_view(arguments.inputs[0], arguments.outputs[0]); }

void dynamic_slice(const StepArguments& arguments) {
  const TensorView& operand = arguments.inputs[0];
  const TensorView& output = arguments.outputs[0];
  const int64_t size = itemsize(operand.dtype);
  const int64_t offset = clamped_offset(operand, arguments.parameters, arguments.inputs[1]);
  copy_block(size, output.shape, output.ndim, byte_offset(operand.data, offset * size), operand.strides,
             output.data, output.strides);
}

void dynamic_update_slice(const StepArguments& arguments) {
  const TensorView& update = arguments.inputs[1];
  const TensorView& output = arguments.outputs[0];
  const int64_t size = itemsize(output.dtype);
  if (!arguments.first_input_is_output) copy_view(arguments.inputs[0], output);
  const int64_t offset = clamped_offset(output, update.shape, arguments.inputs[2]);
  copy_block(size, update.shape, update.ndim, update.data, update.strides,
             byte_offset(output.data, offset * size), output.strides);
}

void concatenate(const StepArguments& arguments) {
  const TensorView& output = arguments.outputs[0];
  const int axis = static_cast<int>(arguments.parameters[0]);
  const int64_t size = itemsize(output.dtype);
  const Dims strides = row_major(output.shape, output.ndim);
  char* destination = output.as<char>();
  for (int i = 0; i < arguments.input_count; ++i) {
    const TensorView& input = arguments.inputs[i];
    copy_block(size, input.shape, input.ndim, input.data, input.strides, destination, strides.data());
    destination += input.shape[axis] * strides[axis] * size;
  }
}

void pad(const StepArguments& arguments) {
  const TensorView& operand = arguments.inputs[0];
  const TensorView& value = arguments.inputs[1];
  const TensorView& output = arguments.outputs[0];
  const int ndim = operand.ndim;
  const int64_t* low = arguments.parameters;
  const int64_t* interior = arguments.parameters + 2 * ndim;
  const int64_t size = itemsize(operand.dtype);
  if (output.size() == 0) return;

  // Per axis, the elements [first, first + count) of the operand land in the output, from position `start`
  // on.
  const Dims output_strides = row_major(output.shape, ndim);
  Dims count(ndim), start(ndim), step_strides(ndim), zeros(ndim);
  const char* source = operand.as<const char>();
  char* destination = output.as<char>();
  bool dense = true;
  for (int axis = 0; axis < ndim; ++axis) {
    const int64_t step = interior[axis] + 1;
    const int64_t first = low[axis] < 0 ? (-low[axis] + step - 1) / step : 0;
    start[axis] = low[axis] + first * step;
    const int64_t room = (output.shape[axis] - start[axis] + step - 1) / step;
    count[axis] = std::max<int64_t>(0, std::min(operand.shape[axis] - first, room));
    step_strides[axis] = step * output_strides[axis];
    source += first * operand.strides[axis] * size;
    destination += start[axis] * step_strides[axis] / step * size;
    dense &= step == 1 && count[axis] > 0;
  }

  const auto fill = [&](const Dims& shape, char* block) {
    copy_block(size, shape.data(), ndim, value.data, zeros.data(), block, output_strides.data());
  };
  if (dense) {  // only the borders: on both sides of one axis after another, within what the earlier axes
                // left
    Dims shape(output.shape, ndim);
    char* block = output.as<char>();
    for (int axis = 0; axis < ndim; ++axis) {
      const int64_t pitch = output_strides[axis] * size;
      const int64_t end = start[axis] + count[axis];
      shape[axis] = start[axis];
      fill(shape, block);
      shape[axis] = output.shape[axis] - end;
      fill(shape, block + end * pitch);
      shape[axis] = count[axis];
      block += start[axis] * pitch;
    }
  } else {
    fill(Dims(output.shape, ndim), output.as<char>());
  }
  for (int axis = 0; axis < ndim; ++axis) {
    if (count[axis] == 0) return;
  }
  copy_block(size, count.data(), ndim, source, operand.strides, destination, step_strides.data());
}

}  // namespace ftrans::cpu::steps
