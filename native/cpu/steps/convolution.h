#pragma once

#include <cstring>
#include <optional>
#include <utility>

#include "cpu/step_kernels.h"
#include "cpu/steps/block_copy.h"
#include "cpu/steps/support.h"

/// What the ways to compute a convolution have in common.
namespace ftrans::cpu::steps {

constexpr int64_t kConvolutionPartWork = 1 << 18;  // multiply-adds that a thread takes at least

/// The convolution of one step: rhs and lhs as [group][batch, spatial…, channels] by strides.
struct Convolution {
  int spatial = 0;
  bool groups_batch;                         ///< the groups are of the batch, not of the channels
  int64_t groups, batch, outputs, channels;  ///< of a group
  int64_t lhs_group, lhs_batch, lhs_channel, rhs_group, rhs_output, rhs_channel;  ///< strides
  Dims extents{}, window{}, positions{};
  Dims lhs_strides{}, rhs_strides{};
  Dims stride{}, low{}, lhs_dilation{}, rhs_dilation{};

  explicit Convolution(const StepArguments& arguments) {
    const TensorView &lhs = arguments.inputs[0], &rhs = arguments.inputs[1], &output = arguments.outputs[0];
    const int last = lhs.ndim - 1;
    spatial = lhs.ndim - 2;
    const int64_t feature_groups = arguments.parameters[0], batch_groups = arguments.parameters[1];
    groups = feature_groups * batch_groups;
    groups_batch = batch_groups > 1;
    batch = lhs.shape[0] / batch_groups;
    outputs = rhs.shape[0] / groups;
    channels = rhs.shape[last];
    lhs_batch = lhs.strides[0];
    lhs_channel = lhs.strides[last];
    lhs_group = batch_groups > 1 ? lhs_batch * batch : lhs_channel * channels;
    rhs_output = rhs.strides[0];
    rhs_channel = rhs.strides[last];
    rhs_group = rhs_output * outputs;
    const int64_t* parameters = arguments.parameters + 2;
    const auto take = [&](Dims& dims) {
      dims = Dims(parameters, spatial);
      parameters += spatial;
    };
    take(stride);
    take(low);
    take(lhs_dilation);
    take(rhs_dilation);
    extents = Dims(lhs.shape + 1, spatial);
    window = Dims(rhs.shape + 1, spatial);
    positions = Dims(output.shape + 1, spatial);
    lhs_strides = Dims(lhs.strides + 1, spatial);
    rhs_strides = Dims(rhs.strides + 1, spatial);
    if (spatial > 0) return;
    spatial = 1;
    for (Dims* ones : {&extents, &window, &positions, &stride, &lhs_dilation, &rhs_dilation})
      ones->push_back(1);
    for (Dims* zeros : {&low, &lhs_strides, &rhs_strides}) zeros->push_back(0);
  }

  int64_t rows() const { return batch * element_count(positions); }
  int64_t depth() const { return element_count(window) * channels; }
  int64_t work() const { return rows() * depth() * outputs; }

  /// Whether it is better summed block by block of its depth.
  bool sums_much() const {
    const bool by_channel = channels == 1 || lhs_channel == 1, by_batch = batch == 1 || lhs_batch == 1;
    if (by_channel) return depth() > 64 * rows();
    return depth() > (by_batch ? 1 : 8) * rows();
  }

  bool is_matrix_product() const {
    for (int axis = 0; axis < spatial; ++axis) {
      if (window[axis] != 1 || stride[axis] != 1 || low[axis] != 0 || lhs_dilation[axis] != 1 ||
          positions[axis] != extents[axis])
        return false;
    }
    return true;
  }
};

/// A matrix of rows (i, u) and columns (v, c): the elements c of item i of an array at the place
/// u · u_step + v · v_step − low, zero outside and between the elements of a dilated array.
template <typename T>
struct Windows {
  const T* data;
  int64_t item_stride;
  int64_t channels;  ///< without gaps
  Dims extents, strides, dilation, low;
  Dims u_shape, u_step, v_shape, v_step;

  int64_t columns() const { return element_count(v_shape) * channels; }

  /// Writes rows [begin, end).
  void fill(int64_t begin, int64_t end, ComputeType<T>* to) const {
    const int axes = u_shape.size();
    const int64_t places = element_count(u_shape);
    Dims u = coordinate_of(begin % places, u_shape.data(), axes);
    int64_t item = begin / places;
    for (int64_t row = begin; row < end; ++row) {
      Dims base(axes);
      for (int axis = 0; axis < axes; ++axis) base[axis] = u[axis] * u_step[axis] - low[axis];
      to = fill_axes(0, base, data + item * item_stride, to);
      if (!next_coordinate(u, u_shape.data(), axes)) {
        std::fill(u.begin(), u.end(), 0);
        ++item;
      }
    }
  }

 private:
  static ComputeType<T>* zeros(int64_t count, ComputeType<T>* to) {
    std::fill_n(to, count, ComputeType<T>{});
    return to + count;
  }

  FTRANS_MULTIVERSION static void widen(int64_t count, const T* from, ComputeType<T>* to) {
    for (int64_t i = 0; i < count; ++i) to[i] = load(from[i]);
  }

  static ComputeType<T>* copy(int64_t count, const T* from, ComputeType<T>* to) {
    if constexpr (is_half<T>) {
      widen(count, from, to);
    } else {
      std::memcpy(to, from, static_cast<size_t>(count) * sizeof(T));
    }
    return to + count;
  }

  /// The part of a row along `axis` and those after it.
  ComputeType<T>* fill_axes(int axis, const Dims& base, const T* from, ComputeType<T>* to) const {
    const int64_t count = v_shape[axis], step = v_step[axis], start = base[axis];
    int64_t inner = channels;
    for (int i = axis + 1; i < v_shape.size(); ++i) inner *= v_shape[i];
    const bool last = axis == v_shape.size() - 1;
    if (last && step == 1 && dilation[axis] == 1 && strides[axis] == channels) {
      const int64_t first = std::clamp<int64_t>(-start, 0, count);
      const int64_t end = std::clamp<int64_t>(extents[axis] - start, first, count);
      to = zeros(first * channels, to);
      to = copy((end - first) * channels, from + (start + first) * channels, to);
      return zeros((count - end) * channels, to);
    }
    for (int64_t v = 0; v < count; ++v) {
      const int64_t place = start + v * step, index = place / dilation[axis];
      if (place < 0 || index * dilation[axis] != place || index >= extents[axis]) {
        to = zeros(inner, to);
      } else if (last) {
        to = copy(channels, from + index * strides[axis], to);
      } else {
        to = fill_axes(axis + 1, base, from + index * strides[axis], to);
      }
    }
    return to;
  }
};

/// The lines (along the last axis) of an array that the windows v of a line of places u reach, segment by
/// segment of that line: a row of `windows` holds those of one segment, with their padding.
template <typename T>
struct Lines {
  Windows<T> windows;
  int64_t length, segments, segment;  ///< places of a line, and of a segment at most
  int64_t line;                       ///< elements of a line in a row of `windows`

  Lines(Windows<T> of_all, int64_t most_places) : windows(std::move(of_all)) {
    const int last = windows.u_shape.size() - 1;
    length = windows.u_shape[last];
    segments = (length + most_places - 1) / most_places;
    segment = (length + segments - 1) / segments;
    const int64_t step = windows.u_step[last];
    windows.u_shape[last] = segments;
    windows.u_step[last] = segment * step;
    windows.v_shape[last] = (segment - 1) * step + (windows.v_shape[last] - 1) * windows.v_step[last] + 1;
    windows.v_step[last] = 1;
    line = windows.v_shape[last] * windows.channels;
  }

  int64_t first_place(int64_t row) const { return row % segments * segment; }
  int64_t places(int64_t row) const { return std::min(segment, length - first_place(row)); }

  /// Where, from its start, a window has its elements of the lines, `count` in each and `step` elements
  /// apart.
  Dims offsets(int64_t count, int64_t step) const {
    Dims result;
    const int64_t lines = windows.columns() / line;
    for (int64_t i = 0; i < lines * count; ++i) result.push_back(i / count * line + i % count * step);
    return result;
  }
};

/// An array in another order of axes and without gaps, as `Compute`: its own memory where it is that already.
template <typename T>
class Rearranged {
  using Compute = ComputeType<T>;

 public:
  Rearranged(const T* data, const Dims& shape, const Dims& strides) {
    if constexpr (!is_half<T>) {
      if (is_contiguous(shape, strides)) {
        data_ = data;
        return;
      }
    }
    const int64_t size = element_count(shape);
    const Dims dense = contiguous_strides(shape);
    copy_.emplace(size * static_cast<int64_t>(sizeof(T)));
    copy_block(sizeof(T), shape.data(), shape.size(), data, strides.data(), copy_->data(), dense.data());
    if constexpr (is_half<T>) {
      wide_.emplace(size * static_cast<int64_t>(sizeof(Compute)));
      const T* from = copy_->as<const T>();
      Compute* to = wide_->as<Compute>();
      for (int64_t i = 0; i < size; ++i) to[i] = load(from[i]);
      data_ = to;
    } else {
      data_ = copy_->as<const T>();
    }
  }

  const Compute* data() const { return data_; }

 private:
  const Compute* data_;
  std::optional<Scratch> copy_, wide_;
};

/// Makes the result line by line with tiles in registers, without a product of matrices. Takes float32,
/// float64 and the 16-bit floats; false, and nothing done, where it would not pay.
template <typename T>
bool convolve_directly(const Convolution& convolution, const T* lhs, const T* rhs, T* output);

/// Of groups of one channel and one output each (or of one item of the batch and one output): vector
/// instructions over the groups. False, and nothing done, for others.
template <typename T>
bool convolve_channelwise(const Convolution& convolution, const T* lhs, const T* rhs, T* output);

}  // namespace ftrans::cpu::steps
