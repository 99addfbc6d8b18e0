#include "cpu/simd/kernel_set.h"
#include "cpu/steps/convolution.h"

// A line of the result (positions along the last axis) is made of the lines of the lhs that its windows
// reach, which are copied, with their padding, into memory that stays in the cache. There a window is a few
// runs of elements, at the same offsets from its start for every position, so that nothing else has to be
// copied.
namespace ftrans::cpu::steps {
namespace {

constexpr int64_t kMostPositions = 128;        // of a line
constexpr int64_t kMostWeightBytes = 3 << 18;  // of the weights of a tile: they are read from the L2 cache
constexpr int64_t kMostLineBytes = 1 << 18;

/// The weights as tiles take them: [group][block of outputs][window, channel][output], filled up with zeros.
template <typename T>
class TileWeights {
  using Compute = ComputeType<T>;

 public:
  TileWeights(const Convolution& c, const T* rhs, int64_t columns)
      : blocks_((c.outputs + columns - 1) / columns),
        block_size_(c.depth() * columns),
        memory_(c.groups * blocks_ * block_size_ * static_cast<int64_t>(sizeof(Compute))) {
    Dims shape{c.groups}, strides{c.rhs_group};
    for (int axis = 0; axis < c.spatial; ++axis) {
      shape.push_back(c.window[axis]);
      strides.push_back(c.rhs_strides[axis]);
    }
    shape.push_back(c.channels);
    strides.push_back(c.rhs_channel);
    shape.push_back(c.outputs);
    strides.push_back(c.rhs_output);
    const Rearranged<T> dense(rhs, shape, strides);
    const int64_t depth = c.depth();
    Compute* to = memory_.as<Compute>();
    for (int64_t group = 0; group < c.groups; ++group) {
      for (int64_t column = 0; column < c.outputs; column += columns) {
        const int64_t count = std::min(columns, c.outputs - column);
        for (int64_t k = 0; k < depth; ++k) {
          const Compute* from = dense.data() + (group * depth + k) * c.outputs + column;
          std::copy_n(from, count, to);
          std::fill_n(to + count, columns - count, Compute{});
          to += columns;
        }
      }
    }
  }

  int64_t blocks() const { return blocks_; }
  const Compute* block(int64_t group, int64_t index) const {
    return memory_.as<const Compute>() + (group * blocks_ + index) * block_size_;
  }

 private:
  int64_t blocks_, block_size_;
  Scratch memory_;
};

}  // namespace

template <typename T>
bool convolve_directly(const Convolution& c, const T* lhs, const T* rhs, T* output) {
  using Compute = ComputeType<T>;
  constexpr int64_t kBytes = sizeof(Compute);
  const TileProduct tile =
      kernel_set().tile_product(std::is_same_v<Compute, double> ? Dtype::Float64 : Dtype::Float32);
  const int last = c.spatial - 1;
  const int64_t length = c.positions[last];
  if (c.is_matrix_product() || 2 * c.outputs < tile.columns || 2 * length < tile.rows ||
      c.depth() * tile.columns * kBytes > kMostWeightBytes)
    return false;

  // Lines are divided into segments, and these into tiles, as evenly as may be.
  const Lines<T> lines({lhs, c.lhs_batch, c.channels, c.extents, c.lhs_strides, c.lhs_dilation, c.low,
                        c.positions, c.stride, c.window, c.rhs_dilation},
                       kMostPositions);
  if (lines.windows.columns() * kBytes > kMostLineBytes) return false;
  const bool merged = c.rhs_dilation[last] == 1;  // a window is a run in each line
  const Dims offsets = lines.offsets(merged ? 1 : c.window[last], c.rhs_dilation[last] * c.channels);
  const TileWeights<T> weights(c, rhs, tile.columns);
  const int64_t width = c.outputs * c.groups;
  const int64_t count = c.batch * element_count(lines.windows.u_shape);
  const int64_t work = lines.segment * c.depth() * c.outputs;

  const auto run = [&](int64_t begin, int64_t end) {
    const Scratch memory(lines.windows.columns() * kBytes), tile_memory(tile.rows * tile.columns * kBytes);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t group = task / count, row = task % count;
      Windows<T> of_group = lines.windows;
      of_group.data += group * c.lhs_group;
      of_group.fill(row, row + 1, memory.as<Compute>());
      const int64_t positions = lines.places(row);
      T* to = output + (row / lines.segments * length + lines.first_place(row)) * width + group * c.outputs;
      const int64_t tiles = (positions + tile.rows - 1) / tile.rows;
      for (int64_t block = 0; block < weights.blocks(); ++block) {
        const int64_t column = block * tile.columns, columns = std::min(tile.columns, c.outputs - column);
        const bool in_place = !is_half<T> && columns == tile.columns;
        for (int64_t i = 0; i < tiles; ++i) {
          const int64_t position = positions * i / tiles, rows = positions * (i + 1) / tiles - position;
          T* target = to + position * width + column;
          const Compute* left = memory.as<Compute>() + position * c.stride[last] * c.channels;
          Compute* sums = tile_memory.as<Compute>();
          tile.run(rows, {left, c.stride[last] * c.channels, offsets.data(), offsets.size(),
                          merged ? c.window[last] * c.channels : c.channels, weights.block(group, block),
                          in_place ? static_cast<void*>(target) : sums, in_place ? width : tile.columns});
          for (int64_t r = 0; !in_place && r < rows; ++r) {
            for (int64_t j = 0; j < columns; ++j)
              target[r * width + j] = store<T>(sums[r * tile.columns + j]);
          }
        }
      }
    }
  };
  ThreadPool::instance().parallel_for(c.groups * count, std::max<int64_t>(1, kConvolutionPartWork / work),
                                      run);
  return true;
}

template bool convolve_directly(const Convolution&, const float*, const float*, float*);
template bool convolve_directly(const Convolution&, const double*, const double*, double*);
template bool convolve_directly(const Convolution&, const Float16*, const Float16*, Float16*);
template bool convolve_directly(const Convolution&, const BFloat16*, const BFloat16*, BFloat16*);

}  // namespace ftrans::cpu::steps
