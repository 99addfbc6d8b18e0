#include <algorithm>
#include <bit>
#include <functional>
#include <stdexcept>

#include "core/shape.h"
#include "metal/kernels.h"
#include "metal/printer.h"
#include "metal/steps/movement/steps.h"

namespace ftrans::metal::movement {
namespace {

constexpr int64_t kItems = 4, kTile = 1024;  // those of sort.metal

const std::vector<const char*>& sources() {
  static const std::vector<const char*> sources = {kSortSource};
  return sources;
}

/// Rows of items, one behind the other.
struct Rows {
  int64_t count, length;

  int64_t tiles() const { return (length + kTile - 1) / kTile; }
  int64_t bytes(int64_t item) const { return count * length * item; }
  /// Every thread holds kItems; short rows share a threadgroup.
  Grid grid() const {
    const auto width = static_cast<int64_t>(
        std::bit_ceil(static_cast<uint64_t>((std::min(length, kTile) + kItems - 1) / kItems)));
    const int64_t height = kTile / kItems / width;
    return {{static_cast<uint32_t>(tiles()), static_cast<uint32_t>((count + height - 1) / height)},
            {static_cast<uint32_t>(width), static_cast<uint32_t>(height)}};
  }
  std::vector<unsigned char> layout(int64_t number = 0) const {
    Numbers numbers(false);
    numbers.add(length, count, number);
    return numbers.bytes();
  }
};

/// Merges the sorted tiles that `sort_tiles` writes to the place that it is given, until rows are sorted.
/// They end up in `result` or, if that is null, in memory of their own.
Place merge_tiles(Encoder& encoder, const std::string& item, int64_t item_bytes, const Rows& rows,
                  const Place* result, const std::function<void(const Place&)>& sort_tiles) {
  int passes = 0;
  for (int64_t run = kTile; run < rows.length; run *= 2) ++passes;
  const auto scratch = [&] { return encoder.scratch(static_cast<size_t>(rows.bytes(item_bytes))); };
  Place current = result ? *result : scratch(), other = passes > 0 ? scratch() : current;
  if (passes % 2 == 1) std::swap(current, other);
  sort_tiles(current);
  const KernelCall call{"movement::merge_runs",
                        sources(),
                        {item},
                        {"device const " + item + "*", "device " + item + "*", "constant uint32_t*"},
                        KernelCall::Form::Groups,
                        {{item, kTile}, {"uint", 2}}};
  const Grid grid{{static_cast<uint32_t>(rows.tiles()), static_cast<uint32_t>(rows.count)},
                  {static_cast<uint32_t>(kTile / kItems)}};
  for (int64_t run = kTile; run < rows.length; run *= 2) {
    encoder.recording().barrier();
    record(encoder, call.printed(), {current, other}, {rows.layout(run)}, grid);
    std::swap(current, other);
  }
  return current;
}

void sort_values(Encoder& encoder, Dtype dtype, const Rows& rows, const Place& source, const Place& result) {
  const std::string type = storage_type(dtype);
  const KernelCall call{"movement::sort_values",
                        sources(),
                        {type},
                        {"device const " + type + "*", "device " + type + "*", "constant uint32_t*"},
                        KernelCall::Form::Groups,
                        {{type, kTile}}};
  merge_tiles(encoder, type, itemsize(dtype), rows, &result, [&](const Place& place) {
    record(encoder, call.printed(), {source, place}, {rows.layout()}, rows.grid());
  });
}

/// Entries in the order of the keys; those of equal keys in the order of `before`, if there is one.
Entries sort_entries(Encoder& encoder, Dtype dtype, bool wide, const Rows& rows, const Place& keys,
                     const Place* before) {
  const std::string type = storage_type(dtype), entry = wide ? "ulong2" : "uint2";
  const KernelCall call{"movement::sort_entries",
                        sources(),
                        {type, entry},
                        {"device const " + type + "*", "device const " + entry + "*", "device " + entry + "*",
                         "constant uint32_t*"},
                        KernelCall::Form::Groups,
                        {{entry, kTile}}};
  const Place sorted = merge_tiles(encoder, entry, wide ? 16 : 8, rows, nullptr, [&](const Place& place) {
    record(encoder, call.printed(), {keys, before ? *before : place, place}, {rows.layout(before != nullptr)},
           rows.grid());
  });
  return {sorted, wide, wide ? "ulong2" : "uint2"};
}

void take(Encoder& encoder, Dtype dtype, const Rows& rows, const Place& source, const Entries& entries,
          const Place& result) {
  const std::string type = unit_type(itemsize(dtype)), entry = entries.type;
  const KernelCall call{"movement::take_sorted",
                        sources(),
                        {type, entry},
                        {"device const " + type + "*", "device const " + entry + "*", "device " + type + "*",
                         "constant uint32_t*"}};
  record(encoder, call.printed(), {source, entries.place, result}, {rows.layout()},
         grid_of_rows(rows.length, rows.count, itemsize(dtype)));
}

/// An array with the axis of the rows moved to the end, and the same memory.
struct Moved {
  Dims shape, strides;

  Moved(const int64_t* extents, const int64_t* steps, int ndim, int axis)
      : shape(extents, ndim), strides(steps, ndim) {
    std::rotate(shape.begin() + axis, shape.begin() + axis + 1, shape.end());
    std::rotate(strides.begin() + axis, strides.begin() + axis + 1, strides.end());
  }

  Axes<2> to_rows() const { return axes(strides, contiguous_strides(shape)); }
  Axes<2> from_rows() const { return axes(contiguous_strides(shape), strides); }

 private:
  Axes<2> axes(const Dims& source, const Dims& destination) const {
    Axes<2> axes;
    for (int i = 0; i < shape.size(); ++i) axes.push_back({shape[i], {source[i], destination[i]}});
    return axes;
  }
};

/// Sorts along an axis: brings every operand into rows, and back.
class Sort {
 public:
  Sort(Encoder& encoder, const StepArguments& arguments)
      : encoder_(encoder), arguments_(arguments), axis_(static_cast<int>(arguments.parameters[0])) {
    const Operand& first = arguments.inputs[0];
    rows_.length = first.shape[axis_];
    rows_.count = size_of(first) / rows_.length;
    require_countable("sort", "elements along the axis", rows_.length);
    require_countable("sort", "rows", rows_.count);
  }

  void encode() {
    for (int i = 0; i < arguments_.input_count; ++i) {
      sources_.push_back(rows_of(arguments_.inputs[i]));
      results_.push_back(is_last() ? arguments_.outputs[i].place : scratch_for(arguments_.outputs[i]));
    }
    encoder_.recording().barrier();
    if (arguments_.input_count == 1) {
      sort_values(encoder_, arguments_.inputs[0].dtype, rows_, sources_[0], results_[0]);
    } else {
      sort_together();
    }
    if (is_last()) return;
    encoder_.recording().barrier();
    for (int i = 0; i < arguments_.input_count; ++i) {
      const Operand& output = arguments_.outputs[i];
      const Dims strides = contiguous_strides(Dims(output.shape, output.ndim));
      const Moved moved(output.shape, strides.data(), output.ndim, axis_);
      const int64_t size = size_of(output);
      copy_block(encoder_, itemsize(output.dtype), moved.from_rows(),
                 {results_[static_cast<size_t>(i)], 0, size}, {output.place, 0, size});
    }
  }

 private:
  bool is_last() const { return axis_ == arguments_.inputs[0].ndim - 1; }

  Place scratch_for(const Operand& operand) {
    return encoder_.scratch(static_cast<size_t>(size_of(operand) * itemsize(operand.dtype)));
  }

  Place rows_of(const Operand& input) {
    const Moved moved(input.shape, input.strides, input.ndim, axis_);
    if (is_contiguous(moved.shape, moved.strides)) return input.place;
    const Place place = scratch_for(input);
    copy_block(encoder_, itemsize(input.dtype), moved.to_rows(), origin_of(input),
               {place, 0, size_of(input)});
    return place;
  }

  /// By the last key first: later sorts keep the order of what is equal for them.
  void sort_together() {
    const auto keys = static_cast<int>(arguments_.parameters[1]);
    bool wide = false;
    for (int i = 0; i < keys; ++i) {
      const Dtype dtype = arguments_.inputs[i].dtype;
      if (dtype == Dtype::Float64 || dtype == Dtype::Complex128)
        throw std::invalid_argument(std::string("sort: keys of ") + name(dtype) +
                                    " are not possible on this device; use stream=ft.cpu");
      wide |= itemsize(dtype) == 8;
    }
    Entries entries{};
    for (int i = keys - 1; i >= 0; --i) {
      const Place before = entries.place;
      entries = sort_entries(encoder_, arguments_.inputs[i].dtype, wide, rows_,
                             sources_[static_cast<size_t>(i)], i < keys - 1 ? &before : nullptr);
      encoder_.recording().barrier();
    }
    for (int i = 0; i < arguments_.input_count; ++i) {
      take(encoder_, arguments_.inputs[i].dtype, rows_, sources_[static_cast<size_t>(i)], entries,
           results_[static_cast<size_t>(i)]);
    }
  }

  Encoder& encoder_;
  const StepArguments& arguments_;
  int axis_;
  Rows rows_{};
  std::vector<Place> sources_, results_;
};

}  // namespace

Entries sort_keys(Encoder& encoder, Dtype dtype, const Place& keys, int64_t length) {
  return sort_entries(encoder, dtype, dtype == Dtype::UInt64, {1, length}, keys, nullptr);
}

void sort(Encoder& encoder, const StepArguments& arguments) {
  if (size_of(arguments.inputs[0]) > 0) Sort(encoder, arguments).encode();
}

}  // namespace ftrans::metal::movement
