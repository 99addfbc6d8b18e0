// Convolutions as products of matrices that are not in memory: tiles by threadgroups, or, where a group has
// few outputs, an element by a thread.

#include <algorithm>
#include <iterator>
#include <numeric>

#include "kernel/convolution_phase.h"
#include "metal/kernels.h"
#include "metal/steps/arithmetic.h"
#include "metal/steps/product.h"

namespace ftrans::metal {
namespace {

/// What a convolution is along one spatial axis.
struct SpatialAxis {
  int64_t extent = 1, window = 1, positions = 1;
  int64_t lhs_stride = 0, rhs_stride = 0, out_stride = 0;
  int64_t stride = 1, low = 0, lhs_dilation = 1, rhs_dilation = 1;
};

struct Convolution {
  Dtype dtype;
  Bound lhs, rhs;
  Place out;
  int64_t groups, batch, outputs, channels;  ///< of a group
  int64_t lhs_group, lhs_batch, lhs_channel, rhs_group, rhs_output, rhs_channel;
  int64_t out_first = 0, out_batch, out_size;
  std::vector<SpatialAxis> axes;
  bool whole = true;  ///< all of the output is written, not a phase

  int64_t product_of(int64_t SpatialAxis::* member) const {
    return std::accumulate(axes.begin(), axes.end(), int64_t{1},
                           [=](int64_t n, const SpatialAxis& axis) { return n * (axis.*member); });
  }
  int64_t rows() const { return batch * product_of(&SpatialAxis::positions); }
  int64_t depth() const { return channels * product_of(&SpatialAxis::window); }

  explicit Convolution(const StepArguments& arguments)
      : dtype(arguments.inputs[0].dtype),
        lhs(arguments.inputs[0]),
        rhs(arguments.inputs[1]),
        out(arguments.outputs[0].place),
        out_size(element_count(arguments.outputs[0])) {
    const Operand &left = arguments.inputs[0], &right = arguments.inputs[1], &output = arguments.outputs[0];
    const int last = left.ndim - 1, spatial = left.ndim - 2;
    const int64_t feature_groups = arguments.parameters[0], batch_groups = arguments.parameters[1];
    groups = feature_groups * batch_groups;
    batch = left.shape[0] / batch_groups;
    outputs = right.shape[0] / groups;
    channels = right.shape[last];
    lhs_batch = left.strides[0];
    lhs_channel = left.strides[last];
    lhs_group = batch_groups > 1 ? lhs_batch * batch : lhs_channel * channels;
    rhs_output = right.strides[0];
    rhs_channel = right.strides[last];
    rhs_group = rhs_output * outputs;
    out_batch = output.strides[0];
    const int64_t* parameters = arguments.parameters + 2;
    for (int i = 0; i < spatial; ++i) {
      axes.push_back({left.shape[i + 1], right.shape[i + 1], output.shape[i + 1], left.strides[i + 1],
                      right.strides[i + 1], output.strides[i + 1], parameters[i], parameters[spatial + i],
                      parameters[2 * spatial + i], parameters[3 * spatial + i]});
    }
    if (axes.empty()) axes.push_back({});
  }

  /// Whether the positions along dilated axes are better divided into phases.
  bool has_phases() const {
    constexpr int64_t kMostPhases = 64;
    int64_t phases = 1;
    for (const SpatialAxis& axis : axes) {
      if (axis.lhs_dilation > 1 && axis.stride != 1) return false;
      phases *= std::min(axis.lhs_dilation, kMostPhases + 1);
      if (phases > kMostPhases) return false;
    }
    return phases > 1;
  }

  /// Leaves one phase of an axis.
  void take_phase(size_t number, int64_t phase) {
    SpatialAxis& axis = axes[number];
    const ConvolutionPhase part(phase, axis.positions, axis.window, axis.low, axis.lhs_dilation,
                                axis.rhs_dilation);
    out_first += phase * axis.out_stride;
    axis.out_stride *= axis.lhs_dilation;
    if (part.window > 0) rhs.first += part.first * axis.rhs_stride;
    axis.rhs_stride *= part.step;
    axis.positions = part.positions;
    axis.window = part.window;
    axis.low = part.low;
    axis.rhs_dilation = part.rhs_dilation;
    axis.lhs_dilation = 1;
    whole = false;
  }

  /// The largest number that a kernel computes with.
  int64_t largest(int64_t splits) const {
    int64_t result = std::max({lhs.span, rhs.span, out_size * splits, depth()});
    for (const SpatialAxis& axis : axes) {
      const int64_t reach =
          axis.positions * axis.stride + axis.window * axis.rhs_dilation + std::abs(axis.low);
      result = std::max(result, reach * std::max<int64_t>(std::abs(axis.lhs_stride), 1) + lhs.span);
    }
    return result;
  }

  std::vector<int64_t> layout(const Splits& splits) const {
    std::vector<int64_t> numbers = {rows(),      outputs,     depth(),   splits.count, splits.length,
                                    groups,      outputs,     channels,  lhs.first,    lhs_group,
                                    lhs_batch,   lhs_channel, rhs.first, rhs_group,    rhs_output,
                                    rhs_channel, out_first,   out_batch, out_size};
    for (int64_t SpatialAxis::* const member :
         {&SpatialAxis::extent, &SpatialAxis::window, &SpatialAxis::positions, &SpatialAxis::lhs_stride,
          &SpatialAxis::rhs_stride, &SpatialAxis::out_stride, &SpatialAxis::stride, &SpatialAxis::low,
          &SpatialAxis::lhs_dilation, &SpatialAxis::rhs_dilation}) {
      std::transform(axes.begin(), axes.end(), std::back_inserter(numbers),
                     [member](const SpatialAxis& axis) { return axis.*member; });
    }
    return numbers;
  }

  LayoutCall call(const char* function, const Splits& splits, const ProductOutput& output) const {
    const std::string spatial = std::to_string(axes.size());
    return {.sources = {kProductSource, kConvolutionSource},
            .function = function,
            .types = {storage_type(dtype), register_type(dtype), output.type(), "Index", spatial},
            .arrays = {{elements(dtype), lhs.place}, {elements(dtype), rhs.place}, output.array()},
            .layout_type = "ConvolutionLayout",
            .layout_arguments = ", " + spatial,
            .layout = layout(splits),
            .largest = largest(splits.count)};
  }
};

void convolve(Encoder& encoder, const Convolution& convolution) {
  constexpr int64_t kFewOutputs = 4, kLeast = 256;
  const int64_t rows = convolution.rows(), depth = convolution.depth();
  const bool by_elements = convolution.outputs <= kFewOutputs || depth == 0;
  const Tiling tiles = tiling(
      convolution.dtype, rows, convolution.outputs, Along::Depth,
      std::abs(convolution.rhs_channel) <= std::abs(convolution.rhs_output) ? Along::Depth : Along::Rows);
  const int64_t items = by_elements ? rows * convolution.groups * convolution.outputs
                                    : tiles.count(rows, convolution.outputs) * convolution.groups;
  const int64_t wanted = convolution.whole ? (by_elements ? 128 * 1024 : 128) : 1;
  const Splits splits(depth, items, wanted, kLeast);
  const ProductOutput output(encoder, convolution.dtype, convolution.out_size, splits.count, convolution.out);
  if (by_elements) {
    convolution.call("convolve_elements", splits, output).dispatch_threads(encoder, items * splits.count);
  } else {
    LayoutCall call = convolution.call("convolve_tiles", splits, output);
    call.types.insert(call.types.begin(), tiles.type);
    call.shared = tiles.memory;
    call.dispatch(encoder, items * splits.count, static_cast<uint32_t>(tiles.threads));
  }
  output.finish(encoder);
}

/// All phases of the axes from `axis` on.
void convolve_phases(Encoder& encoder, const Convolution& convolution, size_t axis) {
  if (axis == convolution.axes.size()) {
    if (convolution.rows() > 0) convolve(encoder, convolution);
    return;
  }
  for (int64_t phase = 0; phase < convolution.axes[axis].lhs_dilation; ++phase) {
    Convolution part = convolution;
    part.take_phase(axis, phase);
    convolve_phases(encoder, part, axis + 1);
  }
}

}  // namespace

void conv(Encoder& encoder, const StepArguments& arguments) {
  if (element_count(arguments.outputs[0]) == 0) return;
  Convolution convolution(arguments);
  if (element_count(arguments.inputs[0]) == 0 || element_count(arguments.inputs[1]) == 0) {
    convolution.lhs.place = convolution.rhs.place = convolution.out;  // sums of nothing
    convolution.channels = 0;
    return convolve(encoder, convolution);
  }
  if (convolution.has_phases()) return convolve_phases(encoder, convolution, 0);
  convolve(encoder, convolution);
}

}  // namespace ftrans::metal
