#include "cpu/steps/convolution.h"

#include <cstring>

#include "cpu/blas.h"
#include "cpu/steps/kernels.h"
#include "kernel/convolution_phase.h"

// A convolution is a product of two matrices, one of which is made of windows of the lhs (im2col), block by
// block in memory that stays in the cache:
//   out[(n, p), o] = Σ_(k, c) windows[(n, p), (k, c)] · rhs[o, (k, c)].
// A convolution that makes few outputs of much (the gradient of the weights) is summed block by block of
// (c, k) instead. Its blocks of windows are made by the same function, in which n and c change places, and p
// and k.
namespace ftrans::cpu::steps {
namespace {

constexpr int64_t kBlockBytes = 1 << 19;  // of windows: they and their packed copy stay in the L2 cache
constexpr int64_t kPartWork = 1 << 18;    // multiply-adds that a thread takes at least
constexpr int64_t kMostSums = 16;         // of a convolution summed in parts
constexpr int64_t kMostSumBytes = 1 << 26;
constexpr int64_t kColumnGrain = 64;
constexpr int64_t kMostPhases = 64;

/// result (+)= a · b on the calling thread; integers wrap around.
template <typename T>
void multiply(int64_t rows, int64_t columns, int64_t depth, BlasMatrix<T> a, BlasMatrix<T> b, bool accumulate,
              T* result, int64_t stride) {
  if constexpr (!std::is_integral_v<T>) {
    blas_gemm_serial(rows, columns, depth, a, b, accumulate, result, stride);
  } else {
    const int64_t a_row = a.transposed ? 1 : a.leading_dimension,
                  a_column = a.transposed ? a.leading_dimension : 1;
    const int64_t b_row = b.transposed ? 1 : b.leading_dimension,
                  b_column = b.transposed ? b.leading_dimension : 1;
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < columns; ++j) {
        T sum = accumulate ? result[i * stride + j] : T{};
        for (int64_t k = 0; k < depth; ++k) {
          sum = AddOperation::apply(
              sum, MulOperation::apply(a.data[i * a_row + k * a_column], b.data[k * b_row + j * b_column]));
        }
        result[i * stride + j] = sum;
      }
    }
  }
}

/// Moves the elements of `view` so that `axis` has no gaps, if it does not already.
std::optional<Scratch> copy_with_last(TensorView& view, Dims& strides, int axis) {
  strides = Dims(view.strides, view.ndim);
  if (view.shape[axis] == 1 || strides[axis] == 1) return std::nullopt;
  int64_t pitch = view.shape[axis];
  Dims packed(view.ndim);
  packed[axis] = 1;
  for (int i = view.ndim - 2; i >= 1; --i) {
    packed[i] = pitch;
    pitch *= view.shape[i];
  }
  packed[axis == 0 ? view.ndim - 1 : 0] = pitch;
  std::optional<Scratch> copy(std::in_place, view.size() * itemsize(view.dtype));
  copy_block(itemsize(view.dtype), view.shape, view.ndim, view.data, strides.data(), copy->data(),
             packed.data());
  strides = packed;
  view.data = copy->data();
  view.strides = strides.data();
  return copy;
}

/// Makes rows of the result, each thread a block of them at a time.
template <typename T>
void convolve_by_rows(const Convolution& c, const T* lhs, const T* rhs, T* output) {
  using Compute = ComputeType<T>;
  const int64_t rows = c.rows(), depth = c.depth(), width = c.outputs * c.groups;
  Dims shape{c.groups, c.outputs}, strides{c.rhs_group, c.rhs_output};
  for (int axis = 0; axis < c.spatial; ++axis) {
    shape.push_back(c.window[axis]);
    strides.push_back(c.rhs_strides[axis]);
  }
  shape.push_back(c.channels);
  strides.push_back(c.rhs_channel);
  const Rearranged<T> weights(rhs, shape, strides);

  // A window of one element is a row of the lhs itself.
  Dims row_shape{c.batch}, row_strides{c.lhs_batch};
  for (int axis = 0; axis < c.spatial; ++axis) {
    row_shape.push_back(c.extents[axis]);
    row_strides.push_back(c.lhs_strides[axis]);
  }
  Dims row_stride;
  const bool direct = !is_half<T> && c.is_matrix_product() &&
                      reshape_strides(row_shape, row_strides, {rows}, row_stride) && row_stride[0] >= depth;

  ThreadPool& pool = ThreadPool::instance();
  const int64_t fair = (rows + pool.size() - 1) / pool.size();
  const int64_t block_bytes = direct ? 4 * kBlockBytes : kBlockBytes;
  const int64_t block = std::clamp<int64_t>(block_bytes / (depth * static_cast<int64_t>(sizeof(Compute))), 16,
                                            std::max<int64_t>(16, fair));
  const int64_t row_blocks = (rows + block - 1) / block;
  const int64_t column_parts = std::clamp<int64_t>(pool.size() / (row_blocks * c.groups), 1,
                                                   (c.outputs + kColumnGrain - 1) / kColumnGrain);
  const int64_t part_width = (c.outputs + column_parts - 1) / column_parts;
  const int64_t task_work = std::max<int64_t>(1, std::min(block, rows) * depth * part_width);
  pool.parallel_for(
      c.groups * row_blocks * column_parts, std::max<int64_t>(1, kPartWork / task_work),
      [&](int64_t begin, int64_t end) {
        const std::optional<Scratch> patches =
            direct ? std::nullopt
                   : std::optional<Scratch>(std::in_place,
                                            block * depth * static_cast<int64_t>(sizeof(Compute)));
        const std::optional<Scratch> wide =
            is_half<T> ? std::optional<Scratch>(std::in_place,
                                                block * part_width * static_cast<int64_t>(sizeof(Compute)))
                       : std::nullopt;
        for (int64_t task = begin; task < end; ++task) {
          const int64_t group = task / (row_blocks * column_parts);
          const int64_t row = task / column_parts % row_blocks * block, count = std::min(block, rows - row);
          const int64_t column = task % column_parts * part_width,
                        columns = std::min(part_width, c.outputs - column);
          if (columns <= 0) continue;
          const T* part = lhs + group * c.lhs_group;
          BlasMatrix<Compute> a{nullptr, depth, false};
          if (direct) {
            if constexpr (!is_half<T>) a = {part + row * row_stride[0], row_stride[0], false};
          } else {
            const Windows<T> windows{part,  c.lhs_batch, c.channels, c.extents, c.lhs_strides, c.lhs_dilation,
                                     c.low, c.positions, c.stride,   c.window,  c.rhs_dilation};
            windows.fill(row, row + count, patches->template as<Compute>());
            a.data = patches->template as<Compute>();
          }
          const BlasMatrix<Compute> b{weights.data() + (group * c.outputs + column) * depth, depth, true};
          T* to = output + row * width + group * c.outputs + column;
          if constexpr (is_half<T>) {
            Compute* sums = wide->template as<Compute>();
            multiply(count, columns, depth, a, b, false, sums, columns);
            for (int64_t i = 0; i < count; ++i) {
              for (int64_t j = 0; j < columns; ++j) to[i * width + j] = store<T>(sums[i * columns + j]);
            }
          } else {
            multiply(count, columns, depth, a, b, false, to, width);
          }
        }
      });
}

/// Sums over parts of the depth, each by one thread, then adds the parts up: in an order that does not depend
/// on the number of threads.
template <typename T>
void convolve_by_depth(const Convolution& c, const T* lhs, const T* rhs, T* output) {
  using Compute = ComputeType<T>;
  const int64_t depth = c.depth();
  const int64_t rows = c.rows(), size = rows * c.outputs, width = c.outputs * c.groups;
  Dims shape{c.channels}, strides{c.rhs_channel};
  for (int axis = 0; axis < c.spatial; ++axis) {
    shape.push_back(c.window[axis]);
    strides.push_back(c.rhs_strides[axis]);
  }
  shape.push_back(width);
  strides.push_back(c.rhs_output);
  const Rearranged<T> weights(rhs, shape, strides);

  const int64_t bytes = static_cast<int64_t>(sizeof(Compute));
  const int64_t block = std::clamp<int64_t>(kBlockBytes / (rows * bytes), 1, depth);
  const int64_t most = std::clamp<int64_t>(kMostSumBytes / (c.groups * size * bytes), 1, kMostSums);
  const int64_t parts =
      std::clamp<int64_t>(depth * size / (4 * kPartWork), 1, std::min(most, (depth + block - 1) / block));
  const Scratch sums(c.groups * parts * size * bytes);
  const int64_t task_work = std::max<int64_t>(1, depth / parts * size);
  ThreadPool& pool = ThreadPool::instance();
  pool.parallel_for(
      c.groups * parts, std::max<int64_t>(1, kPartWork / task_work), [&](int64_t begin, int64_t end) {
        const Scratch patches(block * rows * bytes);
        for (int64_t task = begin; task < end; ++task) {
          const int64_t group = task / parts, part = task % parts;
          const Windows<T> windows{lhs + group * c.lhs_group,
                                   c.lhs_channel,
                                   c.batch,
                                   c.extents,
                                   c.lhs_strides,
                                   c.lhs_dilation,
                                   c.low,
                                   c.window,
                                   c.rhs_dilation,
                                   c.positions,
                                   c.stride};
          const int64_t first = depth * part / parts, last = depth * (part + 1) / parts;
          Compute* sum = sums.as<Compute>() + task * size;
          for (int64_t row = first; row < last; row += block) {
            const int64_t count = std::min(block, last - row);
            windows.fill(row, row + count, patches.as<Compute>());
            multiply(rows, c.outputs, count, BlasMatrix<Compute>{patches.as<Compute>(), rows, true},
                     BlasMatrix<Compute>{weights.data() + row * width + group * c.outputs, width, false},
                     row > first, sum, c.outputs);
          }
        }
      });

  // The sums are [position, batch, output].
  const int64_t positions = element_count(c.positions);
  pool.parallel_for(
      c.groups * rows, std::max<int64_t>(1, kPartWork / (parts * c.outputs)),
      [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t group = i / rows, position = i % rows / c.batch, item = i % rows % c.batch;
          const Compute* from = sums.as<Compute>() + group * parts * size + i % rows * c.outputs;
          T* to = output + (item * positions + position) * width + group * c.outputs;
          for (int64_t j = 0; j < c.outputs; ++j) {
            Compute sum = from[j];
            for (int64_t part = 1; part < parts; ++part)
              sum = AddOperation::apply(sum, from[part * size + j]);
            to[j] = store<T>(sum);
          }
        }
      });
}

/// The parameters of a convolution along one axis, as lists of them stand in StepArguments::parameters.
enum Parameter { kStride, kLow, kLhsDilation, kRhsDilation };

/// Whether the positions of a convolution of a dilated lhs are better divided into phases.
bool has_phases(const StepArguments& arguments) {
  const int spatial = arguments.inputs[0].ndim - 2;
  const int64_t* parameters = arguments.parameters + 2;
  int64_t phases = 1;
  for (int axis = 0; axis < spatial; ++axis) {
    const int64_t dilation = parameters[kLhsDilation * spatial + axis];
    if (dilation > 1 && parameters[kStride * spatial + axis] != 1) return false;
    phases *= std::min<int64_t>(dilation, kMostPhases + 1);
    if (phases > kMostPhases) return false;
  }
  return phases > 1;
}

/// A convolution of a dilated lhs (the gradient of one with strides) as some of an lhs without gaps.
void convolve_phases(const StepArguments& arguments) {
  const TensorView &rhs = arguments.inputs[1], &output = arguments.outputs[0];
  const int ndim = output.ndim, spatial = ndim - 2;
  const int64_t size = itemsize(output.dtype);
  const Dims phases(arguments.parameters + 2 + kLhsDilation * spatial, spatial);
  Dims phase(spatial);
  do {
    Dims parameters(arguments.parameters, arguments.parameter_count);
    Dims shape(output.shape, ndim), strides = row_major(output.shape, ndim);
    Dims rhs_shape(rhs.shape, ndim), rhs_strides(rhs.strides, ndim);
    int64_t offset = 0, rhs_offset = 0;
    for (int axis = 0; axis < spatial; ++axis) {
      const auto parameter = [&](Parameter which) -> int64_t& {
        return parameters[2 + which * spatial + axis];
      };
      const ConvolutionPhase part(phase[axis], output.shape[axis + 1], rhs.shape[axis + 1], parameter(kLow),
                                  parameter(kLhsDilation), parameter(kRhsDilation));
      parameter(kLow) = part.low;
      parameter(kLhsDilation) = 1;
      parameter(kRhsDilation) = part.rhs_dilation;
      offset += phase[axis] * strides[axis + 1];
      rhs_offset += part.first * rhs_strides[axis + 1];
      shape[axis + 1] = part.positions;
      strides[axis + 1] *= phases[axis];
      rhs_shape[axis + 1] = part.window;
      rhs_strides[axis + 1] *= part.step;
    }
    if (element_count(shape) == 0) continue;
    const Scratch memory(element_count(shape) * size);
    const Dims dense = contiguous_strides(shape);
    const TensorView part{memory.data(), output.dtype, ndim, shape.data(), dense.data()};
    const TensorView inputs[] = {
        arguments.inputs[0],
        {byte_offset(rhs.data, rhs_offset * size), rhs.dtype, ndim, rhs_shape.data(), rhs_strides.data()}};
    conv({inputs, 2, &part, 1, parameters.data(), parameters.size()});
    copy_block(size, shape.data(), ndim, memory.data(), dense.data(), byte_offset(output.data, offset * size),
               strides.data());
  } while (next_coordinate(phase, phases.data(), spatial));
}

}  // namespace

void conv(const StepArguments& arguments) {
  TensorView lhs = arguments.inputs[0];
  const TensorView &rhs = arguments.inputs[1], &output = arguments.outputs[0];
  if (output.size() == 0) return;
  if (lhs.size() == 0 || rhs.size() == 0) {
    std::memset(output.data, 0, static_cast<size_t>(output.size() * itemsize(output.dtype)));
    return;
  }
  if (has_phases(arguments)) return convolve_phases(arguments);
  const bool by_depth = Convolution(arguments).sums_much();
  Dims strides;
  const std::optional<Scratch> copy = copy_with_last(lhs, strides, by_depth ? 0 : lhs.ndim - 1);
  lhs.strides = strides.data();
  const TensorView inputs[] = {lhs, rhs};
  StepArguments rearranged = arguments;
  rearranged.inputs = inputs;
  const Convolution convolution(rearranged);
  dispatch(output.dtype, [&]<typename T>(TypeTag<T>) {
    if constexpr (!std::is_same_v<T, bool>) {
      if (convolve_channelwise(convolution, lhs.as<const T>(), rhs.as<const T>(), output.as<T>())) return;
      if constexpr (is_half<T> || std::is_floating_point_v<T>) {
        if (!by_depth && convolve_directly(convolution, lhs.as<const T>(), rhs.as<const T>(), output.as<T>()))
          return;
      }
      const auto run = by_depth ? convolve_by_depth<T> : convolve_by_rows<T>;
      run(convolution, lhs.as<const T>(), rhs.as<const T>(), output.as<T>());
    }
  });
}

}  // namespace ftrans::cpu::steps
