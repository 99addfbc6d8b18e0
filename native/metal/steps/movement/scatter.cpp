// Writing at indices. Where the order of updates does not matter they are applied all at once, atomically if
// two may meet. Where it does, they are sorted by where they go, and those that go to the same place are
// applied one after the other: results do not depend on the order of threads, and are the processor's.

#include <algorithm>

#include "core/shape.h"
#include "metal/kernels.h"
#include "metal/printer.h"
#include "metal/steps/movement/steps.h"
#include "metal/steps/movement/windows.h"

namespace ftrans::metal::movement {
namespace {

enum Kind : int64_t { kSet, kAdd, kMul, kMin, kMax };

class Scatter {
 public:
  Scatter(Encoder& encoder, const StepArguments& arguments)
      : encoder_(encoder),
        indices_(arguments.inputs[1]),
        updates_(arguments.inputs[2]),
        output_(arguments.outputs[0]) {
    const int64_t* parameters = arguments.parameters;
    mode_ = *parameters++;
    kind_ = *parameters++;
    unique_ = *parameters++ != 0;
    numbers_ = Windows::read(parameters);
  }

  void encode() {
    const Dims strides = contiguous_strides(Dims(output_.shape, output_.ndim));
    const Windows windows(numbers_, output_.shape, strides.data(), output_.ndim, indices_,
                          window_shape().data(), updates_.ndim);
    const int64_t windows_count = batch_count();
    const bool apart = windows_count == 1 || (unique_ && mode_ != kClip);  // clipping may bring them together
    const bool ordered = !apart && !is_atomic();
    split(windows, ordered);
    from_ = origin_of(updates_);
    wide_ = is_wide({size_of(output_), from_.span, indices_span(), size_of(updates_)});
    const int64_t width = wide_ ? 8 : 4, count = element_count(entry_keys_);
    const Place keys = encoder_.scratch(static_cast<size_t>(count * width));
    write_keys(windows, keys);
    encoder_.recording().barrier();
    if (!ordered)
      return apply("movement::scatter_each", keys, Numbers::type(wide_), apart ? "false" : "true");
    require_countable("scatter", "updates", count);
    const Entries entries = sort_keys(encoder_, wide_ ? Dtype::UInt64 : Dtype::UInt32, keys, count);
    encoder_.recording().barrier();
    apply(kind_ == kSet ? "movement::scatter_last" : "movement::scatter_in_order", entries.place,
          entries.type, nullptr);
  }

 private:
  int64_t batch_count() const {
    int64_t count = 1;
    for (int axis = 0; axis + 1 < indices_.ndim; ++axis) count *= indices_.shape[axis];
    return count;
  }

  int64_t indices_span() const { return size_of(indices_) == 0 ? 1 : origin_of(indices_).span; }

  Dims window_shape() const {
    Dims shape(output_.ndim, 1);
    int next = 0;
    for (int axis = 0; axis < output_.ndim; ++axis) {
      const auto& missing = numbers_.missing_axes;
      if (std::find(missing.begin(), missing.end(), axis) == missing.end())
        shape[axis] = updates_.shape[static_cast<int>(numbers_.window_axes[next++])];
    }
    return shape;
  }

  /// Whether the device has the operation atomically, with a result that no order changes.
  bool is_atomic() const {
    if (output_.dtype == Dtype::Float32) return kind_ == kMin || kind_ == kMax;
    return kind_ != kSet && (output_.dtype == Dtype::Int32 || output_.dtype == Dtype::UInt32);
  }

  /// Which axes of the updates tell entries apart, and which lie within one.
  void split(const Windows& windows, bool ordered) {
    const auto& starts = numbers_.start_axes;
    Axes<1> overlapping_updates;
    Axes<2> overlapping_keys;
    for (int i = 0; i < updates_.ndim; ++i) {
      const Windows::SideAxis& axis = windows.axes[static_cast<size_t>(i)];
      const int64_t extent = updates_.shape[i], stride = updates_.strides[i];
      const bool moves = std::find(starts.begin(), starts.end(), axis.operand_axis) != starts.end();
      if (axis.in_window && !(ordered && moves)) {
        inner_.push_back({extent, {axis.operand_stride, stride}});
      } else if (axis.in_window) {
        overlapping_updates.push_back({extent, {stride}});
        overlapping_keys.push_back({extent, {axis.operand_stride, 0}});
      } else {
        entry_updates_.push_back({extent, {stride}});
        entry_keys_.push_back({extent, {axis.operand_stride, axis.index_stride}});
      }
    }
    // The order of the updates is that of their windows.
    entry_updates_.insert(entry_updates_.end(), overlapping_updates.begin(), overlapping_updates.end());
    entry_keys_.insert(entry_keys_.end(), overlapping_keys.begin(), overlapping_keys.end());
    entry_updates_ = merged(entry_updates_);
    entry_keys_ = merged(entry_keys_);
    inner_ = merged(inner_);
  }

  void write_keys(const Windows& windows, const Place& keys) {
    const int64_t count = element_count(entry_keys_);
    Numbers layout(wide_), clips(false);
    layout.add(count, entry_keys_.size(), windows.components.size());
    add_axes(layout, entry_keys_);
    for (const Windows::Component& each : windows.components) layout.add(each.place, each.limit, each.stride);
    clips.add(mode_ != kFill);
    const std::string index = storage_type(indices_.dtype), number = Numbers::type(wide_);
    const KernelCall call{"movement::scatter_keys",
                          {kBlocksSource, kGatherSource, kScatterSource},
                          {index, number},
                          {"device const " + index + "*", "device " + number + "*",
                           "constant " + number + "*", "constant uint32_t&"}};
    // Without components there are no indices to bind.
    const Place at = size_of(indices_) == 0 ? keys : origin_of(indices_).lowest;
    record(encoder_, call.printed(), {at, keys}, {layout.bytes(), clips.bytes()},
           grid_of_rows(count, 1, itemsize(indices_.dtype)));
  }

  /// Elements that are only moved have the type of their size.
  std::string element_type() const {
    if (kind_ == kSet) return unit_type(itemsize(output_.dtype));
    return output_.dtype == Dtype::Bool ? "bool" : storage_type(output_.dtype);
  }

  void apply(const char* function, const Place& entries, const std::string& entry_type,
             const char* atomically) {
    static constexpr const char* kOperations[] = {"movement::set_update", "movement::add_update",
                                                  "movement::mul_update", "movement::min_update",
                                                  "movement::max_update"};
    const int64_t count = element_count(entry_updates_);
    Numbers layout(wide_);
    layout.add(from_.base, count, entry_updates_.size(), inner_.size());
    add_axes(layout, entry_updates_);
    add_axes(layout, inner_);
    const std::string type = element_type(), number = Numbers::type(wide_);
    std::vector<std::string> types = {type};
    if (atomically || kind_ != kSet) types.push_back(kOperations[kind_]);
    types.push_back(atomically ? atomically : entry_type);
    types.push_back(number);
    const KernelCall call{function,
                          {kBlocksSource, kGatherSource, kScatterSource},
                          types,
                          {"device " + type + "*", "device const " + type + "*",
                           "device const " + entry_type + "*", "constant " + number + "*"}};
    const int64_t x = inner_.back().extent;
    record(encoder_, call.printed(), {output_.place, from_.lowest, entries}, {layout.bytes()},
           grid_of_rows(x, count * (element_count(inner_) / x), itemsize(output_.dtype)));
  }

  Encoder& encoder_;
  const Operand &indices_, &updates_, &output_;
  int64_t mode_, kind_;
  bool unique_, wide_ = false;
  Windows::Dimensions numbers_;
  Origin from_{};
  Axes<2> entry_keys_;     ///< steps of target and indices
  Axes<1> entry_updates_;  ///< the same axes: steps of the updates
  Axes<2> inner_;          ///< steps of target and updates
};

}  // namespace

void scatter(Encoder& encoder, const StepArguments& arguments) {
  const Operand& output = arguments.outputs[0];
  if (size_of(output) == 0) return;
  if (!arguments.first_input_is_output) {
    copy_to_row_major(encoder, arguments.inputs[0], output.place);
    encoder.recording().barrier();
  }
  if (size_of(arguments.inputs[2]) > 0) Scatter(encoder, arguments).encode();
}

}  // namespace ftrans::metal::movement
