#include <algorithm>

#include "metal/kernels.h"
#include "metal/steps/movement/steps.h"

namespace ftrans::metal::movement {
namespace {

struct PaddedAxis {
  int64_t extent;     ///< of the result
  int64_t low, step;  ///< where the operand's elements lie; low may be below 0
  int64_t operand_extent, operand_stride;

  bool is_plain() const { return low == 0 && step == 1 && extent == operand_extent; }
  int64_t front() const { return std::max<int64_t>(low, 0); }
  int64_t cut() const { return std::max<int64_t>(-low, 0); }
};

/// The outermost axis first. An axis without padding becomes part of the one around it, where both sides step
/// through them as through one.
std::vector<PaddedAxis> padded_axes(const Operand& operand, const Operand& output,
                                    const int64_t* parameters) {
  std::vector<PaddedAxis> axes;
  for (int i = 0; i < operand.ndim; ++i) {
    const PaddedAxis axis{output.shape[i], parameters[i], parameters[2 * operand.ndim + i] + 1,
                          operand.shape[i], operand.strides[i]};
    if (axis.is_plain() && axis.extent == 1) continue;
    const bool joins =
        !axes.empty() && axis.is_plain() && axes.back().step == 1 &&
        (axes.back().operand_extent == 1 || axes.back().operand_stride == axis.operand_stride * axis.extent);
    if (joins) {
      const PaddedAxis outer = axes.back();
      axes.back() = {outer.extent * axis.extent, outer.low * axis.extent, 1,
                     outer.operand_extent * axis.extent, axis.operand_stride};
    } else {
      axes.push_back(axis);
    }
  }
  if (axes.empty()) axes.push_back({1, 0, 1, 1, 1});
  return axes;
}

int64_t widen(int64_t itemsize, std::vector<PaddedAxis>& axes, Origin& operand, const Origin& output) {
  PaddedAxis& inner = axes.back();
  if (inner.step != 1 || inner.operand_stride != 1) return itemsize;
  std::vector<int64_t> numbers = {inner.extent, inner.low, inner.operand_extent};
  for (size_t i = 0; i + 1 < axes.size(); ++i) numbers.push_back(axes[i].operand_stride);
  const int64_t unit = widest_unit(itemsize, numbers, {operand, output}), factor = unit / itemsize;
  inner = {inner.extent / factor, inner.low / factor, 1, inner.operand_extent / factor, 1};
  for (size_t i = 0; i + 1 < axes.size(); ++i) axes[i].operand_stride /= factor;
  operand.base /= factor;
  return unit;
}

}  // namespace

void pad(Encoder& encoder, const StepArguments& arguments) {
  const Operand &operand = arguments.inputs[0], &output = arguments.outputs[0];
  const int64_t size = size_of(output), width = itemsize(operand.dtype);
  if (size == 0) return;
  std::vector<PaddedAxis> axes = padded_axes(operand, output, arguments.parameters);
  // Of an operand without elements nothing is read.
  Origin from = size_of(operand) == 0 ? Origin{output.place} : origin_of(operand);
  const int64_t unit = widen(width, axes, from, {output.place});
  const bool wide = is_wide({from.span, size});
  Numbers layout(wide);
  layout.add(from.base, axes.size());
  int64_t pitch = 1;
  for (auto axis = axes.rbegin(); axis != axes.rend(); pitch *= axis->extent, ++axis) {
    layout.add(axis->extent, axis->front(), axis->cut(), axis->step, axis->operand_extent,
               axis->operand_stride, pitch);
  }
  const std::string type = unit_type(unit), value = unit_type(width), index = Numbers::type(wide);
  const KernelCall call{"movement::pad_block",
                        {kBlocksSource, kPadSource},
                        {type, value, index},
                        {"device const " + type + "*", "device const " + value + "*", "device " + type + "*",
                         "constant " + index + "*"}};
  record(encoder, call.printed(), {from.lowest, arguments.inputs[1].place, output.place}, {layout.bytes()},
         grid_of_rows(axes.back().extent, pitch / axes.back().extent, unit, 64));
}

}  // namespace ftrans::metal::movement
