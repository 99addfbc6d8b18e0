#include "cpu/tile_evaluator.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>

#include "cpu/strided_copy.h"

namespace ftrans::cpu {
namespace {

constexpr int64_t kAlignment = 64;

int64_t aligned(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

class Scratch {
 public:
  char* reserve(int64_t bytes) {
    if (bytes > size_) {
      release();
      data_ = static_cast<char*>(::operator new(bytes, std::align_val_t{kPage}));
      size_ = bytes;
    }
    return data_;
  }
  ~Scratch() { release(); }

 private:
  static constexpr size_t kPage = 4096;
  void release() {
    if (data_) ::operator delete(data_, std::align_val_t{kPage});
    data_ = nullptr;
    size_ = 0;
  }
  char* data_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace

char* thread_scratch(int64_t bytes) {
  thread_local Scratch scratch;
  return scratch.reserve(bytes);
}

namespace {

/// A register has room for a tile, which is no longer than the space: those of small arrays lie side by side,
/// and share neither pages nor the sets of a cache.
int64_t slot_bytes(const Plan& plan, const Layout& layout) {
  return aligned(std::min(plan.tile, layout.size) * plan.width);
}

/// Registers, three registers for splats, staging of 8 (16) bytes an element.
int64_t register_bytes(const Plan& plan, const Layout& layout) {
  return (plan.slot_count + 3) * slot_bytes(plan, layout) + aligned(std::min(plan.tile, layout.size) * 16);
}

}  // namespace

int64_t TileEvaluator::scratch_bytes(const Plan& plan, const Layout& layout) {
  return register_bytes(plan, layout) + aligned(plan.values.size() * sizeof(TileValue)) +
         2 * aligned(std::max(plan.ndim, 1) * sizeof(int64_t)) + aligned(plan.stores.size() * sizeof(bool)) +
         aligned(plan.values.size() * sizeof(bool)) + aligned(plan.longest_chain * sizeof(ChainLink));
}

TileEvaluator::TileEvaluator(const Plan& plan, const Layout& layout, const void* const* inputs,
                             void* const* outputs, char* scratch)
    : plan_(plan),
      layout_(layout),
      inputs_(inputs),
      outputs_(outputs),
      registers_(scratch),
      slot_bytes_(slot_bytes(plan, layout)) {
  char* next = scratch + register_bytes(plan, layout);
  values_ = reinterpret_cast<TileValue*>(next);
  next += aligned(plan.values.size() * sizeof(TileValue));
  coordinates_ = reinterpret_cast<int64_t*>(next);
  next += aligned(std::max(plan.ndim, 1) * sizeof(int64_t));
  corner_ = reinterpret_cast<int64_t*>(next);
  next += aligned(std::max(plan.ndim, 1) * sizeof(int64_t));
  direct_ = reinterpret_cast<bool*>(next);
  next += aligned(plan.stores.size() * sizeof(bool));
  copied_ = reinterpret_cast<bool*>(next);
  next += aligned(plan.values.size() * sizeof(bool));
  links_ = reinterpret_cast<ChainLink*>(next);

  for (size_t i = 0; i < plan.values.size(); ++i) {
    const int constant = plan.values[i].constant;
    if (constant >= 0) values_[i] = {reinterpret_cast<const char*>(plan.constants[constant].bytes), true};
  }

  int64_t stored = 0;
  for (const PlanStore& store : plan.stores) stored += layout.size * itemsize(store.storage);
  constexpr int64_t kStreamingBytes = int64_t{32} << 20;
  streaming_ = stored >= kStreamingBytes;

  for (size_t i = 0; i < plan.stores.size(); ++i) {
    direct_[i] = plan.values[plan.stores[i].value].store == static_cast<int>(i) && !streaming_;
  }
  std::fill_n(copied_, plan.values.size(), false);
  find_overwritten();
}

bool TileEvaluator::is_output(const void* memory) const {
  bool found = false;  // without an early end it is compiled to vectors
  for (const PlanStore& store : plan_.stores) found |= outputs_[store.output] == memory;
  return found;
}

/// Looks for inputs whose memory is an output's.
void TileEvaluator::find_overwritten() {
  const int end = static_cast<int>(plan_.steps.size());
  for (size_t i = 0; i < plan_.values.size(); ++i) {
    const PlanValue& value = plan_.values[i];
    const int input = value.source < 0 ? -1 : plan_.sources[value.source].input;
    if (input < 0 || !is_output(inputs_[input])) continue;
    // Stores come before reductions, and one after the other: an element that is read by them is not left
    // where an output is stored.
    copied_[i] = value.last_use == end;
    // A value may be computed in its output's memory unless an input there is still read afterwards.
    for (size_t k = 0; k < plan_.stores.size(); ++k) {
      const PlanStore& store = plan_.stores[k];
      if (outputs_[store.output] == inputs_[input] && value.last_use > plan_.values[store.value].definition)
        direct_[k] = false;
    }
  }
}

/// Non-temporal stores are not ordered by the release operations that end a parallel loop.
TileEvaluator::~TileEvaluator() {
  if (streaming_) std::atomic_thread_fence(std::memory_order_seq_cst);
}

void TileEvaluator::run(int64_t begin, int64_t count) {
  int64_t rest = begin;
  for (int axis = layout_.ndim - 1; axis > 0; --axis) {
    const int64_t extent = layout_.extent(axis);
    coordinates_[axis] = rest % extent;
    rest /= extent;
  }
  coordinates_[0] = rest;
  const bool within_row = coordinates_[layout_.ndim - 1] + count <= layout_.inner_extent();
  tile_ = {begin, count, within_row, -1, 1, count};
  run_steps();
}

void TileEvaluator::run_block(const int64_t* coordinates, int row_axis, int64_t rows, int64_t columns) {
  std::copy_n(coordinates, layout_.ndim, coordinates_);
  tile_ = {0, rows * columns, rows == 1, row_axis, rows, columns};
  run_steps();
}

void TileEvaluator::run_steps() {
  for (const PlanStep& step : plan_.steps) {
    if (step.places) {
      place(step);
    } else if (step.is_load()) {
      load(step);
    } else if (step.chain) {
      run_chain(step);
    } else {
      apply(step);
    }
  }
  int operand = static_cast<int>(plan_.sources.size());
  for (const PlanStore& each : plan_.stores) store(each, operand++);
}

/// Memory offset, in elements, of the tile's first element.
int64_t TileEvaluator::offset(int operand) const {
  if (tile_.row_axis < 0 && layout_.access(operand) == Access::Contiguous) return tile_.begin;
  int64_t sum = 0;
  for (int axis = 0; axis < layout_.ndim; ++axis) sum += coordinates_[axis] * layout_.stride(operand, axis);
  return sum;
}

/// Whether the tile's elements of an operand follow each other in memory.
bool TileEvaluator::lies_contiguous(int operand) const {
  if (tile_.within_row) return layout_.inner_stride(operand) == 1;
  return tile_.row_axis < 0 && layout_.access(operand) == Access::Contiguous;
}

/// Calls f(position in the tile, memory offset, rows, columns) for the pieces of the tile that are whole rows
/// of the last axis, one after the other along the axis before, or a part of one row.
template <class F>
void TileEvaluator::for_each_piece(int operand, F&& f) const {
  int64_t at = offset(operand);
  if (tile_.row_axis >= 0) return f(int64_t{0}, at, tile_.rows, tile_.columns);
  const int last = layout_.ndim - 1;
  if (last == 0) return f(int64_t{0}, at, int64_t{1}, tile_.count);
  const int64_t columns = layout_.inner_extent(), rows = layout_.extent(last - 1);
  const int64_t column_stride = layout_.stride(operand, last), row_stride = layout_.stride(operand, last - 1);
  int64_t column = coordinates_[last], row = coordinates_[last - 1];
  int64_t matrix = tile_.begin / columns / rows;  // its outer coordinates follow from its number
  for (int64_t position = 0; position < tile_.count;) {
    const int64_t left = tile_.count - position;
    if (column > 0 || left < columns) {
      const int64_t count = std::min(columns - column, left);
      f(position, at, int64_t{1}, count);
      at += row_stride - column * column_stride;
      position += count;
      column = 0;
      ++row;
    } else {
      const int64_t count = std::min(rows - row, left / columns);
      f(position, at, count, columns);
      at += count * row_stride;
      position += count * columns;
      row += count;
    }
    if (row < rows) continue;
    row = 0;
    at -= rows * row_stride;
    // Carry like an odometer.
    int64_t rest = ++matrix;
    for (int axis = last - 2; axis >= 0; --axis) {
      const int64_t stride = layout_.stride(operand, axis);
      at += stride;
      if (axis == 0 || rest % layout_.extent(axis) != 0) break;
      at -= stride * layout_.extent(axis);
      rest /= layout_.extent(axis);
    }
  }
}

/// Memory offset from one row of a piece to the next.
int64_t TileEvaluator::row_step(int operand) const {
  const int axis = tile_.row_axis >= 0 ? tile_.row_axis : layout_.ndim - 2;
  return axis < 0 ? 0 : layout_.stride(operand, axis);
}

/// Calls f(position in the tile, memory offset, elements) for the pieces of the tile along the last axis.
template <class F>
void TileEvaluator::for_each_row(int operand, F&& f) const {
  const int64_t step = row_step(operand);
  for_each_piece(operand, [&](int64_t position, int64_t at, int64_t rows, int64_t columns) {
    for (int64_t row = 0; row < rows; ++row) f(position + row * columns, at + row * step, columns);
  });
}

const char* TileEvaluator::splat(const char* element, int64_t itemsize, char* out) {
  kernel_set().splat(itemsize)(out, element, nullptr, nullptr, tile_.count);
  return out;
}

void TileEvaluator::load(const PlanStep& step) {
  const PlanValue& value = plan_.values[step.result];
  const PlanSource& source = plan_.sources[value.source];
  TileValue& result = values_[step.result];
  char* out = slot(value.slot);
  if (source.input < 0) return load_coordinates(source, value.source, out, result);

  const int64_t width = itemsize(source.storage);
  const char* base = static_cast<const char*>(inputs_[source.input]);
  const bool uniform = layout_.access(value.source) == Access::Uniform ||
                       (tile_.within_row && layout_.inner_stride(value.source) == 0);
  if (uniform || (lies_contiguous(value.source) && !copied_[step.result])) {
    result = {base + offset(value.source) * width, uniform};
    if (copied_[step.result] && !source.load) {
      std::memcpy(out, result.data, static_cast<size_t>(width));
      result.data = out;
    }
  } else {
    char* raw = source.load ? staging() : out;
    gather(value.source, base, width, raw);
    result = {raw, false};
  }
  if (source.load) {
    source.load(out, result.data, nullptr, nullptr, uniform ? 1 : tile_.count);
    result.data = out;
  }
}

void TileEvaluator::load_coordinates(const PlanSource& source, int operand, char* out, TileValue& result) {
  char* raw = source.load ? staging() : out;
  const int64_t step = layout_.inner_stride(operand);
  const bool uniform = layout_.access(operand) == Access::Uniform || (tile_.within_row && step == 0);
  if (uniform) {
    *reinterpret_cast<int64_t*>(raw) = offset(operand);
  } else {
    for_each_row(operand, [&](int64_t position, int64_t first, int64_t count) {
      kernel_set().ramp(raw + position * sizeof(int64_t), &first, &step, nullptr, count);
    });
  }
  if (source.load) source.load(out, raw, nullptr, nullptr, uniform ? 1 : tile_.count);
  result = {out, uniform};
}

void TileEvaluator::gather(int operand, const char* base, int64_t itemsize, char* out) {
  const int64_t stride = layout_.inner_stride(operand), row_stride = row_step(operand);
  if (tile_.row_axis >= 0 && (row_stride == 1 || row_stride == -1) && stride != 1) {
    gather_transposed(out, base + offset(operand) * itemsize, row_stride, stride, tile_.rows, tile_.columns,
                      itemsize);
    return;
  }
  for_each_piece(operand, [&](int64_t position, int64_t at, int64_t rows, int64_t columns) {
    gather_rows(out + position * itemsize, base + at * itemsize, row_stride, stride, rows, columns, itemsize);
  });
}

/// Where a computed value goes: its output's memory if that is possible, else its register.
char* TileEvaluator::destination(int index) {
  const PlanValue& value = plan_.values[index];
  if (value.store >= 0 && direct_[value.store]) {
    const int operand = static_cast<int>(plan_.sources.size()) + value.store;
    if (lies_contiguous(operand)) {
      return static_cast<char*>(outputs_[plan_.stores[value.store].output]) +
             offset(operand) * itemsize(value.dtype);
    }
  }
  return slot(value.slot);
}

void TileEvaluator::apply(const PlanStep& step) {
  const char* data[3] = {nullptr, nullptr, nullptr};
  unsigned uniform = 0;
  for (int i = 0; i < step.operand_count; ++i) {
    const TileValue& operand = values_[step.operands[i]];
    data[i] = operand.data;
    uniform |= static_cast<unsigned>(operand.uniform) << i;
  }
  if (uniform == (1u << step.operand_count) - 1) {  // one element stands for all
    char* out = slot(plan_.values[step.result].slot);
    step.kernels.by_scalars[0](out, data[0], data[1], data[2], 1);
    values_[step.result] = {out, true};
    return;
  }
  const bool swapped = step.kernels.commutative && (uniform & 3) == 1;
  if (swapped) {
    std::swap(data[0], data[1]);
    uniform ^= 3;
  }
  Kernel kernel = step.kernels.by_scalars[uniform];
  if (!kernel) {
    kernel = step.kernels.by_scalars[0];
    for (int i = 0; i < step.operand_count; ++i) {
      const int operand = step.operands[swapped && i < 2 ? 1 - i : i];
      if (uniform >> i & 1) data[i] = splat(data[i], itemsize(plan_.values[operand].dtype), spare(i));
    }
  }
  char* out = destination(step.result);
  kernel(out, data[0], data[1], data[2], tile_.count);
  values_[step.result] = {out, false};
}

void TileEvaluator::run_chain(const PlanStep& step) {
  const bool is_float32 = plan_.values[step.result].dtype == Dtype::Float32;
  ChainLink* next = links_;
  bool uniform = true;  // so far
  for (const PlanLink& link : step.links) {
    *next = {.operation = link.operation, .reversed = link.reversed, .uniform = 0, .operands = {}};
    for (int i = 0; i < 2 && link.operands[i] >= 0; ++i) {
      const TileValue& operand = values_[link.operands[i]];
      if (!operand.uniform) {
        next->operands[i].tile = operand.data;
        continue;
      }
      next->uniform |= 1 << i;
      if (is_float32) {
        next->operands[i].float32 = *reinterpret_cast<const float*>(operand.data);
      } else {
        next->operands[i].float64 = *reinterpret_cast<const double*>(operand.data);
      }
    }
    // One element for all goes to the right as in apply(): zeros of both signs show it.
    const bool is_extremum = link.operation == ChainOperation::Max || link.operation == ChainOperation::Min;
    if (is_extremum && uniform != (next->uniform == 1)) next->reversed = uniform;
    uniform &= link.operands[0] < 0 || next->uniform == (link.operands[1] < 0 ? 0b01 : 0b11);
    ++next;
  }
  char* out = uniform ? slot(plan_.values[step.result].slot) : destination(step.result);
  step.chain(out, links_, next - links_, uniform ? 1 : tile_.count);
  values_[step.result] = {out, uniform};
}

void TileEvaluator::store(const PlanStore& store, int operand) {
  const TileValue value = values_[store.value];
  const int64_t width = itemsize(store.storage);
  const bool contiguous = lies_contiguous(operand);
  char* base = static_cast<char*>(outputs_[store.output]);
  char* out = contiguous ? base + offset(operand) * width : nullptr;
  if (out && value.data == out && !value.uniform) return;

  const char* data = value.data;
  if (store.narrow) {
    char* raw = contiguous && !value.uniform && !streaming_ ? out : staging();
    store.narrow(raw, data, nullptr, nullptr, value.uniform ? 1 : tile_.count);
    data = raw;
    if (raw == out) return;
  }
  if (contiguous && value.uniform) {
    splat(data, width, out);
  } else if (contiguous && streaming_) {
    kernel_set().stream_copy(out, data, nullptr, nullptr, tile_.count * width);
  } else if (contiguous) {
    std::memmove(out, data, static_cast<size_t>(tile_.count * width));
  } else {
    if (value.uniform) data = splat(data, width, spare(0));
    for_each_row(operand, [&](int64_t position, int64_t at, int64_t count) {
      scatter_row(base + at * width, layout_.inner_stride(operand), data + position * width, count, width);
    });
  }
}

const char* TileEvaluator::materialized(int index) {
  const TileValue& value = values_[index];
  return value.uniform ? splat(value.data, itemsize(plan_.values[index].dtype), spare(0)) : value.data;
}

}  // namespace ftrans::cpu
