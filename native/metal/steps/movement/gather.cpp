#include <cstring>

#include "core/shape.h"
#include "metal/kernels.h"
#include "metal/printer.h"
#include "metal/steps/movement/steps.h"
#include "metal/steps/movement/windows.h"

namespace ftrans::metal::movement {
namespace {

/// What is read outside: zero, or NaN, the lowest integer, the largest unsigned integer.
std::vector<unsigned char> fill_bytes(Dtype dtype, int64_t unit, int64_t mode) {
  if (mode == kZero) return std::vector<unsigned char>(static_cast<size_t>(unit), 0);
  const auto width = static_cast<size_t>(itemsize(dtype));
  uint64_t bits = ~uint64_t{0};
  switch (kind(dtype)) {
    case 'b': bits = 1; break;
    case 'i': bits = uint64_t{1} << (8 * width - 1); break;
    case 'u': break;
    default: bits = dtype == Dtype::Float16 ? 0x7e00 : dtype == Dtype::BFloat16 ? 0x7fc0 : 0x7fc00000;
  }
  std::vector<unsigned char> bytes(static_cast<size_t>(unit));
  for (size_t at = 0; at < bytes.size(); at += width) std::memcpy(bytes.data() + at, &bits, width);
  return bytes;
}

/// Expresses operand and result in wider units, where windows consist of whole ones; returns their size.
int64_t widen(int64_t itemsize, Axes<3>& axes, Windows& windows, Origin& operand, const Origin& output) {
  Axis<3>& inner = axes.back();
  if (inner.strides != std::array<int64_t, 3>{1, 1, 0}) return itemsize;
  std::vector<int64_t> numbers = {inner.extent};
  for (size_t i = 0; i + 1 < axes.size(); ++i)
    numbers.insert(numbers.end(), {axes[i].strides[0], axes[i].strides[1]});
  for (const Windows::Component& each : windows.components) numbers.push_back(each.stride);
  const int64_t unit = widest_unit(itemsize, numbers, {operand, output}), factor = unit / itemsize;
  inner.extent /= factor;
  for (size_t i = 0; i + 1 < axes.size(); ++i) {
    axes[i].strides[0] /= factor;
    axes[i].strides[1] /= factor;
  }
  for (Windows::Component& each : windows.components) each.stride /= factor;
  operand.base /= factor;
  return unit;
}

}  // namespace

void gather(Encoder& encoder, const StepArguments& arguments) {
  const Operand &operand = arguments.inputs[0], &indices = arguments.inputs[1],
                &output = arguments.outputs[0];
  if (size_of(output) == 0) return;
  const int64_t* parameters = arguments.parameters;
  const int64_t mode = *parameters++;
  const Windows::Dimensions numbers = Windows::read(parameters);
  Windows windows(numbers, operand.shape, operand.strides, operand.ndim, indices, parameters, output.ndim);
  const Dims strides = contiguous_strides(Dims(output.shape, output.ndim));
  Axes<3> axes;
  for (int i = 0; i < output.ndim; ++i) {
    const Windows::SideAxis& axis = windows.axes[static_cast<size_t>(i)];
    axes.push_back({output.shape[i], {axis.operand_stride, strides[i], axis.index_stride}});
  }
  axes = merged(axes);
  Origin from = origin_of(operand);
  // Without components there are no indices to bind.
  const Origin at = size_of(indices) == 0 ? Origin{operand.place} : origin_of(indices);
  const int64_t size = size_of(output);
  const int64_t unit = widen(itemsize(operand.dtype), axes, windows, from, {output.place});
  const bool wide = is_wide({from.span, at.span, size});
  Numbers layout(wide);
  layout.add(from.base, axes.size(), windows.components.size());
  add_axes(layout, axes);
  for (const Windows::Component& each : windows.components) layout.add(each.place, each.limit, each.stride);

  const std::string type = unit_type(unit), index = storage_type(indices.dtype), number = Numbers::type(wide);
  const KernelCall call{"movement::gather_windows",
                        {kBlocksSource, kGatherSource},
                        {type, index, number},
                        {"device const " + type + "*", "device const " + index + "*", "device " + type + "*",
                         "constant " + number + "*", "constant " + type + "&", "constant uint32_t&"}};
  Numbers clips(false);
  clips.add(mode == kClip || mode == kPromiseInBounds);
  const int64_t x = axes.back().extent;
  record(encoder, call.printed(), {from.lowest, at.lowest, output.place},
         {layout.bytes(), fill_bytes(operand.dtype, unit, mode), clips.bytes()},
         grid_of_rows(x, element_count(axes) / x, unit));
}

}  // namespace ftrans::metal::movement
