#include "metal/steps/side.h"

namespace ftrans::metal {
namespace {

/// Copies the axes in this order into memory without gaps.
Side copied_side(Encoder& encoder, const Operand& operand, const SideAxes& axes) {
  std::vector<int64_t> shape, strides;
  for (const Dims* part : {&axes.batch, &axes.free, &axes.contracting}) {
    for (const int64_t axis : *part) {
      shape.push_back(operand.shape[axis]);
      strides.push_back(operand.strides[axis]);
    }
  }
  const int64_t size = element_count(operand), depth = extent_of(operand, axes.contracting);
  const Place copy = encoder.scratch(static_cast<size_t>(size * itemsize(operand.dtype)));
  const Instruction element{Instruction::Kind::Input, Opcode::Add, operand.dtype, {-1, -1, -1}, 0, {}};
  const FusedKernel kernel{.ndim = static_cast<int>(shape.size()),
                           .inputs = {operand.dtype},
                           .body = {element},
                           .outputs = {{0, false, Opcode::Add}},
                           .reduced_axes = std::vector<bool>(shape.size())};
  const int64_t* const input_strides[] = {strides.data()};
  FusedFunction(encoder.pipelines(), kernel)
      .encode(encoder.recording(), shape.data(), &operand.place, input_strides, &copy);
  encoder.recording().barrier();
  Side side{copy, 0, size, depth, 1, {}};
  int64_t stride = extent_of(operand, axes.free) * depth;
  side.batch_strides.resize(axes.batch.size());
  for (int i = axes.batch.size() - 1; i >= 0; --i) {
    side.batch_strides[i] = stride;
    stride *= operand.shape[axes.batch[i]];
  }
  return side;
}

}  // namespace

Side side_of(Encoder& encoder, const Operand& operand, const SideAxes& axes) {
  int64_t row_stride = 0, depth_stride = 0;
  if (!merged_stride(operand, axes.free, row_stride) ||
      !merged_stride(operand, axes.contracting, depth_stride))
    return copied_side(encoder, operand, axes);
  const Bound bound(operand);
  Side side{bound.place, bound.first, bound.span, row_stride, depth_stride, {}};
  for (const int64_t axis : axes.batch) side.batch_strides.push_back(operand.strides[axis]);
  return side;
}

}  // namespace ftrans::metal
