#include "cpu/steps/convolution.h"

// Convolutions of each channel with weights of its own (depthwise), and the gradients of such weights.
// Products of matrices would have one column; here the elements of all groups at a place are one vector.
namespace ftrans::cpu::steps {
namespace {

constexpr int64_t kMostPlaces = 64;  // of a line
constexpr int64_t kGroups = 64;      // whose sums are held at a time
constexpr int64_t kMostSums = 16;    // of a sum in parts

/// sums[j] = start[j] + Σ_i x[i][j] · y[i][j] of `count` ≤ kGroups groups.
template <typename T, typename Offset>
FTRANS_MULTIVERSION void sum_products(int64_t count, int64_t terms, const T* x, Offset x_offset, const T* y,
                                      int64_t y_stride, T* sums) {
  if (count == kGroups) {
    T held[kGroups];
    for (int64_t j = 0; j < kGroups; ++j) held[j] = sums[j];
    for (int64_t i = 0; i < terms; ++i) {
      const T *left = x + x_offset(i), *right = y + i * y_stride;
      for (int64_t j = 0; j < kGroups; ++j)
        held[j] = AddOperation::apply(held[j], MulOperation::apply(left[j], right[j]));
    }
    for (int64_t j = 0; j < kGroups; ++j) sums[j] = held[j];
    return;
  }
  for (int64_t i = 0; i < terms; ++i) {
    const T *left = x + x_offset(i), *right = y + i * y_stride;
    for (int64_t j = 0; j < count; ++j)
      sums[j] = AddOperation::apply(sums[j], MulOperation::apply(left[j], right[j]));
  }
}

/// The rhs with its groups last, the channel (if there are several) first.
template <typename T>
Rearranged<T> groups_last(const Convolution& c, const T* rhs) {
  Dims shape{c.channels}, strides{c.rhs_channel};
  for (int axis = 0; axis < c.spatial; ++axis) {
    shape.push_back(c.window[axis]);
    strides.push_back(c.rhs_strides[axis]);
  }
  shape.push_back(c.groups);
  strides.push_back(c.rhs_group);
  return Rearranged<T>(rhs, shape, strides);
}

template <typename T>
void convolve_channels(const Convolution& c, const T* lhs, const T* rhs, T* output) {
  using Compute = ComputeType<T>;
  const int last = c.spatial - 1;
  const Rearranged<T> weights = groups_last(c, rhs);
  const Lines<T> lines({lhs, c.lhs_batch, c.groups, c.extents, c.lhs_strides, c.lhs_dilation, c.low,
                        c.positions, c.stride, c.window, c.rhs_dilation},
                       kMostPlaces);
  const Dims offsets = lines.offsets(c.window[last], c.rhs_dilation[last] * c.groups);
  const int64_t work = lines.segment * offsets.size() * c.groups;
  ThreadPool::instance().parallel_for(
      c.batch * element_count(lines.windows.u_shape), std::max<int64_t>(1, kConvolutionPartWork / work),
      [&](int64_t begin, int64_t end) {
        const Scratch memory(lines.windows.columns() * static_cast<int64_t>(sizeof(Compute)));
        for (int64_t row = begin; row < end; ++row) {
          lines.windows.fill(row, row + 1, memory.as<Compute>());
          T* to = output + (row / lines.segments * lines.length + lines.first_place(row)) * c.groups;
          for (int64_t place = 0; place < lines.places(row); ++place) {
            const Compute* from = memory.as<const Compute>() + place * c.stride[last] * c.groups;
            for (int64_t group = 0; group < c.groups; group += kGroups) {
              const int64_t count = std::min(kGroups, c.groups - group);
              Compute sums[kGroups] = {};
              sum_products(
                  count, offsets.size(), from + group, [&](int64_t i) { return offsets[i]; },
                  weights.data() + group, c.groups, sums);
              for (int64_t j = 0; j < count; ++j) to[place * c.groups + group + j] = store<T>(sums[j]);
            }
          }
        }
      });
}

/// The sums are made in parts, always the same, and then added up in order.
template <typename T>
void sum_channels(const Convolution& c, const T* lhs, const T* rhs, T* output) {
  using Compute = ComputeType<T>;
  const int last = c.spatial - 1;
  const Rearranged<T> weights = groups_last(c, rhs);
  const Lines<T> lines({lhs, c.lhs_channel, c.groups, c.extents, c.lhs_strides, c.lhs_dilation, c.low,
                        c.window, c.rhs_dilation, c.positions, c.stride},
                       kMostPlaces);
  const Dims offsets = lines.offsets(c.positions[last], c.stride[last] * c.groups);
  const int64_t size = offsets.size() * c.groups, rows = c.channels * element_count(lines.windows.u_shape);
  const int64_t work = lines.segment * size;
  const int64_t parts = std::clamp<int64_t>(rows * work / kConvolutionPartWork, 1, std::min(rows, kMostSums));
  const Scratch sums(parts * size * static_cast<int64_t>(sizeof(Compute)));
  ThreadPool& pool = ThreadPool::instance();
  pool.parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
    const Scratch memory(lines.windows.columns() * static_cast<int64_t>(sizeof(Compute)));
    for (int64_t part = begin; part < end; ++part) {
      Compute* sum = sums.as<Compute>() + part * size;
      std::fill_n(sum, size, Compute{});
      for (int64_t row = rows * part / parts; row < rows * (part + 1) / parts; ++row) {
        lines.windows.fill(row, row + 1, memory.as<Compute>());
        const int64_t first = row / lines.segments * lines.length + lines.first_place(row);
        for (int64_t i = 0; i < offsets.size(); ++i) {
          for (int64_t group = 0; group < c.groups; group += kGroups) {
            const int64_t step = c.rhs_dilation[last] * c.groups;
            sum_products(
                std::min(kGroups, c.groups - group), lines.places(row),
                memory.as<const Compute>() + offsets[i] + group,
                [step](int64_t place) { return place * step; }, weights.data() + first * c.groups + group,
                c.groups, sum + i * c.groups + group);
          }
        }
      }
    }
  });
  for (int64_t i = 0; i < size; ++i) {
    Compute sum = sums.as<Compute>()[i];
    for (int64_t part = 1; part < parts; ++part)
      sum = AddOperation::apply(sum, sums.as<Compute>()[part * size + i]);
    output[i] = store<T>(sum);
  }
}

}  // namespace

template <typename T>
bool convolve_channelwise(const Convolution& c, const T* lhs, const T* rhs, T* output) {
  if (c.groups == 1 || c.outputs != 1 || c.lhs_group != 1 || (c.groups_batch ? c.batch : c.channels) != 1)
    return false;
  if (c.groups_batch) {
    sum_channels(c, lhs, rhs, output);
  } else {
    convolve_channels(c, lhs, rhs, output);
  }
  return true;
}

#define FTRANS_INSTANTIATE(T) template bool convolve_channelwise(const Convolution&, const T*, const T*, T*);
FTRANS_INSTANTIATE(int8_t)
FTRANS_INSTANTIATE(int16_t)
FTRANS_INSTANTIATE(int32_t)
FTRANS_INSTANTIATE(int64_t)
FTRANS_INSTANTIATE(uint8_t)
FTRANS_INSTANTIATE(uint16_t)
FTRANS_INSTANTIATE(uint32_t)
FTRANS_INSTANTIATE(uint64_t)
FTRANS_INSTANTIATE(Float16)
FTRANS_INSTANTIATE(BFloat16)
FTRANS_INSTANTIATE(float)
FTRANS_INSTANTIATE(double)
FTRANS_INSTANTIATE(std::complex<float>)
FTRANS_INSTANTIATE(std::complex<double>)
#undef FTRANS_INSTANTIATE

}  // namespace ftrans::cpu::steps
