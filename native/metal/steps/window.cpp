// Reductions of windows.

#include <algorithm>
#include <iterator>

#include "metal/kernels.h"
#include "metal/steps/arithmetic.h"
#include "metal/steps/layout_call.h"

namespace ftrans::metal {
namespace {

/// What windows are along an axis.
struct WindowAxis {
  int64_t extent, inner, flat;  ///< of the operand: its strides, in memory and as if it had no gaps
  int64_t positions, window, stride, low, dilation;

  bool is_walked_through() const { return window == 1 && stride == 1 && low == 0 && positions == extent; }
};

/// The axes, with neighbours joined along which the windows have one element each and leave none out.
std::vector<WindowAxis> window_axes(const StepArguments& arguments) {
  const Operand &operand = arguments.inputs[0], &output = arguments.outputs[0];
  const int ndim = operand.ndim;
  const int64_t* parameters = arguments.parameters;
  std::vector<WindowAxis> axes;
  int64_t flat = element_count(operand);
  for (int i = 0; i < ndim; ++i) {
    flat /= std::max<int64_t>(operand.shape[i], 1);
    const WindowAxis axis{operand.shape[i],         operand.strides[i],      flat,
                          output.shape[i],          parameters[i],           parameters[ndim + i],
                          parameters[2 * ndim + i], parameters[3 * ndim + i]};
    if (axis.is_walked_through() && axis.extent == 1) continue;
    if (axis.is_walked_through() && !axes.empty() && axes.back().is_walked_through() &&
        axes.back().inner == axis.inner * axis.extent) {
      axes.back().extent *= axis.extent;
      axes.back().positions *= axis.extent;
      axes.back().inner = axis.inner;
      axes.back().flat = axis.flat;
    } else {
      axes.push_back(axis);
    }
  }
  if (axes.empty()) axes.push_back({1, 0, 0, 1, 1, 1, 0, 1});
  return axes;
}

/// A call of `function` for all windows of the first input.
LayoutCall window_call(const StepArguments& arguments, const char* function, const char* operation) {
  const Operand& operand = arguments.inputs[0];
  const std::vector<WindowAxis> axes = window_axes(arguments);
  const Bound in(operand);
  const std::string count = std::to_string(axes.size());
  LayoutCall call{
      .sources = {kWindowSource},
      .function = function,
      .types = {operation, storage_type(operand.dtype), register_type(operand.dtype), "Index", count},
      .arrays = {{elements(operand.dtype), in.place},
                 {written(arguments.outputs[0].dtype), arguments.outputs[0].place}},
      .layout_type = "WindowLayout",
      .layout_arguments = ", " + count,
      .layout = {element_count(arguments.outputs[0]), in.first},
      .largest = std::max({in.span, element_count(operand), element_count(arguments.outputs[0])}),
  };
  for (int64_t WindowAxis::* const member :
       {&WindowAxis::extent, &WindowAxis::inner, &WindowAxis::flat, &WindowAxis::positions,
        &WindowAxis::window, &WindowAxis::stride, &WindowAxis::low, &WindowAxis::dilation}) {
    std::transform(axes.begin(), axes.end(), std::back_inserter(call.layout),
                   [member](const WindowAxis& axis) { return axis.*member; });
  }
  for (const WindowAxis& axis : axes) {  // where windows begin and end, padding too
    const int64_t reach = axis.positions * axis.stride + axis.window * axis.dilation + std::abs(axis.low);
    call.largest = std::max(call.largest, reach);
  }
  return call;
}

/// A thread a window; where the operand is empty, the buffers of both are the output's.
void run(Encoder& encoder, const StepArguments& arguments, LayoutCall call) {
  if (element_count(arguments.inputs[0]) == 0) call.arrays[0].place = arguments.outputs[0].place;
  call.dispatch_threads(encoder, element_count(arguments.outputs[0]));
}

void reduce_window(Encoder& encoder, const StepArguments& arguments, const char* operation,
                   Opcode reduction) {
  if (element_count(arguments.outputs[0]) == 0) return;
  LayoutCall call = window_call(arguments, "reduce_windows", operation);
  call.literal = identity(reduction, arguments.inputs[0].dtype);
  run(encoder, arguments, std::move(call));
}

void window_argument(Encoder& encoder, const StepArguments& arguments, const char* order) {
  if (element_count(arguments.outputs[0]) == 0) return;
  LayoutCall call = window_call(arguments, "search_windows", order);
  call.types.push_back(storage_type(arguments.outputs[0].dtype));
  run(encoder, arguments, std::move(call));
}

}  // namespace

void reduce_window_sum(Encoder& encoder, const StepArguments& arguments) {
  reduce_window(encoder, arguments, "Sum", Opcode::ReduceSum);
}
void reduce_window_prod(Encoder& encoder, const StepArguments& arguments) {
  reduce_window(encoder, arguments, "Product", Opcode::ReduceProd);
}
void reduce_window_max(Encoder& encoder, const StepArguments& arguments) {
  reduce_window(encoder, arguments, "Maximum", Opcode::ReduceMax);
}
void reduce_window_min(Encoder& encoder, const StepArguments& arguments) {
  reduce_window(encoder, arguments, "Minimum", Opcode::ReduceMin);
}
void window_argmax(Encoder& encoder, const StepArguments& arguments) {
  window_argument(encoder, arguments, "Maximum");
}
void window_argmin(Encoder& encoder, const StepArguments& arguments) {
  window_argument(encoder, arguments, "Minimum");
}

}  // namespace ftrans::metal
