// Copies, concatenation, slices at places that are only known on the device.

#include <algorithm>

#include "core/shape.h"
#include "metal/kernels.h"
#include "metal/printer.h"
#include "metal/steps/movement/steps.h"

namespace ftrans::metal::movement {
namespace {

/// A block's place along an axis is an element of the indices, clamped.
struct Move {
  int64_t component;  ///< where the index is, in elements
  int64_t limit;
  int64_t source, destination;  ///< what a step of 1 moves
};

Axes<2> axes_of(const int64_t* shape, int ndim, const int64_t* source, const int64_t* destination) {
  Axes<2> axes;
  for (int i = 0; i < ndim; ++i) axes.push_back({shape[i], {source[i], destination[i]}});
  return axes;
}

/// Brings the axis along which the source has no gaps next to the one along which the destination has none,
/// if they are different and long enough for squares.
bool pair_for_transposition(Axes<2>& axes) {
  constexpr int64_t kShortest = 16, kMostRows = int64_t{1} << 31;
  const Axis<2> last = axes.back();
  if (last.extent < kShortest || last.strides[1] != 1 || std::abs(last.strides[0]) <= 1) return false;
  const auto found = std::find_if(axes.begin(), axes.end(), [](const Axis<2>& axis) {
    return axis.extent >= kShortest && std::abs(axis.strides[0]) == 1;
  });
  if (found == axes.end() || element_count(axes) / last.extent / found->extent >= kMostRows) return false;
  std::rotate(found, found + 1, axes.end() - 1);
  return true;
}

/// Expresses everything in wider units, where whole ones are moved; returns their size in bytes.
int64_t widen(int64_t itemsize, Axes<2>& axes, Origin& source, Origin& destination,
              std::vector<Move>& moves) {
  if (axes.back().strides != std::array<int64_t, 2>{1, 1}) return itemsize;
  std::vector<int64_t> numbers = {axes.back().extent};
  for (size_t i = 0; i + 1 < axes.size(); ++i)
    numbers.insert(numbers.end(), axes[i].strides.begin(), axes[i].strides.end());
  for (const Move& move : moves) numbers.insert(numbers.end(), {move.source, move.destination});
  const int64_t unit = widest_unit(itemsize, numbers, {source, destination}), factor = unit / itemsize;
  axes.back().extent /= factor;
  for (size_t i = 0; i + 1 < axes.size(); ++i) {
    for (int64_t& stride : axes[i].strides) stride /= factor;
  }
  for (Move& move : moves) {
    move.source /= factor;
    move.destination /= factor;
  }
  source.base /= factor;
  destination.base /= factor;
  return unit;
}

void copy_moved_block(Encoder& encoder, int64_t itemsize, Axes<2> axes, Origin source, Origin destination,
                      const Operand* indices, std::vector<Move> moves) {
  if (element_count(axes) == 0) return;
  std::stable_sort(axes.begin(), axes.end(), [](const Axis<2>& a, const Axis<2>& b) {
    return std::abs(a.strides[1]) > std::abs(b.strides[1]);
  });
  axes = merged(axes);
  const int64_t unit = widen(itemsize, axes, source, destination, moves);
  const bool transposed = moves.empty() && pair_for_transposition(axes);
  const bool wide = is_wide({source.span, destination.span, element_count(axes)});
  Numbers layout(wide);
  layout.add(source.base, destination.base, axes.size());
  add_axes(layout, axes);

  const std::string type = unit_type(unit), index = Numbers::type(wide);
  const std::string from = "device const " + type + "*", to = "device " + type + "*",
                    numbers = "constant " + index + "*";
  const int64_t x = axes.back().extent, rows = element_count(axes) / x;
  KernelCall call{"movement::copy_block", {kBlocksSource, kCopySource}, {type, index}, {from, to, numbers}};
  std::vector<Place> memory = {source.lowest, destination.lowest};
  constexpr int64_t kPerIndices = 64;  // bytes that each reader of the indices moves
  Grid grid = grid_of_rows(x, rows, unit, moves.empty() ? 0 : kPerIndices);
  if (transposed) {
    constexpr int64_t kSide = 32;
    const int64_t across = axes[axes.size() - 2].extent;
    call.function = "movement::copy_transposed";
    call.sources = {kBlocksSource, kTransposeSource};
    call.form = KernelCall::Form::Groups;
    call.shared = {{type, kSide * (kSide + 1)}};
    grid = {{static_cast<uint32_t>((x + kSide - 1) / kSide),
             static_cast<uint32_t>((across + kSide - 1) / kSide), static_cast<uint32_t>(rows / across)},
            {32, 8}};
  } else if (!moves.empty()) {
    layout.add(moves.size());
    for (const Move& move : moves) layout.add(move.component, move.limit, move.source, move.destination);
    call.function = "movement::copy_block_at";
    call.types = {type, storage_type(indices->dtype), index};
    call.buffers = {from, std::string("device const ") + storage_type(indices->dtype) + "*", to, numbers};
    memory.insert(memory.begin() + 1, origin_of(*indices).lowest);
  }
  record(encoder, call.printed(), memory, {layout.bytes()}, grid);
}

/// The moves of a block of `sizes` within `whole`, along the axes where there is room.
std::vector<Move> moves_of(const Operand& whole, const int64_t* whole_strides, const int64_t* sizes,
                           const Operand& starts, bool of_source) {
  std::vector<Move> moves;
  for (int axis = 0; axis < whole.ndim; ++axis) {
    const int64_t room = whole.shape[axis] - sizes[axis], stride = whole_strides[axis];
    if (room == 0) continue;
    moves.push_back({origin_of(starts).base + axis * starts.strides[0], room, of_source ? stride : 0,
                     of_source ? 0 : stride});
  }
  return moves;
}

}  // namespace

void copy_block(Encoder& encoder, int64_t itemsize, const Axes<2>& axes, const Origin& source,
                const Origin& destination) {
  copy_moved_block(encoder, itemsize, axes, source, destination, nullptr, {});
}

void copy_to_row_major(Encoder& encoder, const Operand& source, const Place& destination) {
  const Dims strides = contiguous_strides(Dims(source.shape, source.ndim));
  copy_block(encoder, itemsize(source.dtype),
             axes_of(source.shape, source.ndim, source.strides, strides.data()), origin_of(source),
             {destination, 0, size_of(source)});
}

void copy(Encoder& encoder, const StepArguments& arguments) {
  copy_to_row_major(encoder, arguments.inputs[0], arguments.outputs[0].place);
}

void concatenate(Encoder& encoder, const StepArguments& arguments) {
  const Operand& output = arguments.outputs[0];
  const auto axis = static_cast<int>(arguments.parameters[0]);
  const Dims strides = contiguous_strides(Dims(output.shape, output.ndim));
  Origin destination{output.place, 0, size_of(output)};
  for (int i = 0; i < arguments.input_count; ++i) {
    const Operand& input = arguments.inputs[i];
    copy_block(encoder, itemsize(output.dtype),
               axes_of(input.shape, input.ndim, input.strides, strides.data()), origin_of(input),
               destination);
    destination.lowest.offset +=
        static_cast<size_t>(input.shape[axis] * strides[axis] * itemsize(output.dtype));
  }
}

void dynamic_slice(Encoder& encoder, const StepArguments& arguments) {
  const Operand &operand = arguments.inputs[0], &starts = arguments.inputs[1], &output = arguments.outputs[0];
  const Dims strides = contiguous_strides(Dims(output.shape, output.ndim));
  copy_moved_block(encoder, itemsize(operand.dtype),
                   axes_of(output.shape, output.ndim, operand.strides, strides.data()), origin_of(operand),
                   {output.place, 0, size_of(output)}, &starts,
                   moves_of(operand, operand.strides, output.shape, starts, true));
}

void dynamic_update_slice(Encoder& encoder, const StepArguments& arguments) {
  const Operand &update = arguments.inputs[1], &starts = arguments.inputs[2], &output = arguments.outputs[0];
  if (!arguments.first_input_is_output) {
    copy_to_row_major(encoder, arguments.inputs[0], output.place);
    encoder.recording().barrier();
  }
  const Dims strides = contiguous_strides(Dims(output.shape, output.ndim));
  copy_moved_block(encoder, itemsize(output.dtype),
                   axes_of(update.shape, update.ndim, update.strides, strides.data()), origin_of(update),
                   {output.place, 0, size_of(output)}, &starts,
                   moves_of(output, strides.data(), update.shape, starts, false));
}

}  // namespace ftrans::metal::movement
