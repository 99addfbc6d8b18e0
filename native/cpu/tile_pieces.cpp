// How a tile of a concatenated or padded array comes about: see PlanStep::places.

#include <algorithm>
#include <cstring>

#include "cpu/strided_copy.h"
#include "cpu/tile_evaluator.h"

namespace ftrans::cpu {

/// What a piece has of whole rows of the last axis, or of a part of one row, the first element of which has
/// the coordinates `corner_`.
TileEvaluator::Part TileEvaluator::part_of_rows(int operand, int piece, int64_t position, int64_t rows,
                                                int64_t columns) const {
  const int last = layout_.ndim - 1, row_axis = tile_.row_axis >= 0 ? tile_.row_axis : last - 1;
  Part part{position, columns, 0, 1, 1};
  int64_t pitch = columns;
  for (int axis = last; axis >= 0; --axis) {
    const Span span = layout_.span(piece, axis);
    const int64_t count = axis == last ? columns : axis == row_axis ? rows : 1;
    const int64_t begin = std::max(corner_[axis], span.start);
    const int64_t inside = std::min(corner_[axis] + count, span.start + span.extent) - begin;
    if (inside <= 0) return {position, pitch, 0, 0, 0};
    part.at += (begin - span.start) * layout_.stride(operand, axis);
    if (axis == last) part.columns = inside, part.position += begin - corner_[axis];
    if (axis == row_axis) part.rows = inside, part.position += (begin - corner_[axis]) * pitch;
  }
  return part;
}

/// Calls f for the parts of the tile that a piece has, which may be empty.
template <class F>
void TileEvaluator::for_each_part(int operand, int piece, F&& f) const {
  std::copy_n(coordinates_, layout_.ndim, corner_);
  if (tile_.row_axis >= 0) return f(part_of_rows(operand, piece, 0, tile_.rows, tile_.columns));
  const int last = layout_.ndim - 1;
  const int64_t columns = layout_.inner_extent();
  for (int64_t position = 0; position < tile_.count;) {
    const int64_t left = tile_.count - position;
    int64_t rows = 1, count = std::min(columns - corner_[last], left);
    if (count == columns && last > 0) {
      rows = std::min(layout_.extent(last - 1) - corner_[last - 1], left / columns);
    }
    f(part_of_rows(operand, piece, position, rows, count));
    position += rows * count;
    corner_[last] = 0;
    if (last == 0) return;
    corner_[last - 1] += rows;
    for (int axis = last - 1; axis > 0 && corner_[axis] == layout_.extent(axis); --axis) {
      corner_[axis] = 0;
      ++corner_[axis - 1];
    }
  }
}

void TileEvaluator::copy_part(const PlanSource& source, int operand, const Part& part, char* out) {
  const int last = layout_.ndim - 1, row_axis = tile_.row_axis >= 0 ? tile_.row_axis : last - 1;
  const int64_t width = itemsize(source.storage);
  const int64_t row_stride = row_axis < 0 ? 0 : layout_.stride(operand, row_axis);
  const int64_t stride = layout_.inner_stride(operand);
  const char* from = static_cast<const char*>(inputs_[source.input]) + part.at * width;
  if (!source.load) {
    gather_into_rows(out + part.position * width, part.pitch, from, row_stride, stride, part.rows,
                     part.columns, width);
    return;
  }
  const int64_t held = itemsize(register_dtype(source.storage));
  for (int64_t row = 0; row < part.rows; ++row, from += row_stride * width) {
    const char* elements = from;
    if (stride != 1) {
      gather_rows(staging(), from, 0, stride, 1, part.columns, width);
      elements = staging();
    }
    source.load(out + (part.position + row * part.pitch) * held, elements, nullptr, nullptr, part.columns);
  }
}

/// The operand where the piece is not, without a copy of either where the tile has just one of them.
void TileEvaluator::place(const PlanStep& step) {
  const PlanValue& value = plan_.values[step.result];
  const PlanSource& source = plan_.sources[value.source];
  const int64_t width = itemsize(value.dtype);
  char* out = slot(value.slot);
  TileValue& result = values_[step.result];
  const TileValue below = step.operand_count > 0 ? values_[step.operands[0]] : TileValue{out, false};
  const auto in_part_only = [&](const Part& part) { return part.rows * part.columns == tile_.count; };
  int64_t covered = 0;
  Part whole{};
  for_each_part(value.source, source.piece, [&](const Part& part) {
    covered += part.rows * part.columns;
    if (in_part_only(part)) whole = part;
  });
  const bool rests_in_register =
      step.operand_count > 0 && below.data == slot(plan_.values[step.operands[0]].slot) && below.data != out;
  if (covered == 0 && !rests_in_register) {
    result = below;
    return;
  }
  if (whole.rows == 1 && layout_.inner_stride(value.source) == 1 && !source.load && !copied_[step.result]) {
    result = {static_cast<const char*>(inputs_[source.input]) + whole.at * width, false};
    return;
  }
  if (below.uniform && covered < tile_.count) {
    splat(below.data, width, out);
  } else if (below.data != out && covered < tile_.count) {
    std::memcpy(out, below.data, static_cast<size_t>(tile_.count * width));
  }
  for_each_part(value.source, source.piece, [&](const Part& part) {
    if (part.rows > 0) copy_part(source, value.source, part, out);
  });
  result = {out, false};
}

}  // namespace ftrans::cpu
