#include <limits>
#include <utility>

#include "cpu/steps/kernels.h"
#include "cpu/steps/support.h"

// Reductions of windows. A part of a row of the result (positions along the last axis) is reduced at a time:
// for each element of the window, in row-major order, the elements that it has at all these positions.
namespace ftrans::cpu::steps {
namespace {

constexpr int64_t kPart = 512;          // elements of a row
constexpr int64_t kPartWork = 1 << 15;  // operations that a thread takes at least

/// What a window is along one axis.
struct WindowAxis {
  int64_t extent, source_stride, flat_stride;  ///< of the operand; the last one as if it had no gaps
  int64_t positions, window, stride, low, dilation;

  /// Those of the positions [begin, end) at which element `k` of the window is inside.
  std::pair<int64_t, int64_t> inside(int64_t k, int64_t begin, int64_t end) const {
    const int64_t offset = k * dilation - low;
    const int64_t first = offset < 0 ? (-offset + stride - 1) / stride : 0;
    const int64_t last = extent > offset ? (extent - offset - 1) / stride + 1 : 0;
    const int64_t from = std::clamp(first, begin, end);
    return {from, std::clamp(last, from, end)};
  }
};

class WindowReduction {
 public:
  explicit WindowReduction(const StepArguments& arguments) {
    const TensorView &operand = arguments.inputs[0], &output = arguments.outputs[0];
    const int ndim = operand.ndim;
    const Dims flat = row_major(operand.shape, ndim);
    const int64_t* parameters = arguments.parameters;
    for (int i = 0; i < ndim; ++i) {
      axes_.push_back({operand.shape[i], operand.strides[i], flat[i], output.shape[i], parameters[i],
                       parameters[ndim + i], parameters[2 * ndim + i], parameters[3 * ndim + i]});
    }
    if (ndim == 0) axes_.push_back({1, 0, 0, 1, 1, 1, 0, 1});
  }

  /// part(offset in the result, count, for_each_tap), on all threads, for the parts of all rows.
  /// for_each_tap(tap) calls tap(first, end, source, flat, step, flat_step) with the positions [first, end)
  /// of the part at which an element of the window is inside, where it is in the operand at the first of
  /// them, by its strides and counted without gaps, and the steps to the next.
  template <typename Part>
  void run(Part part) const {
    const int last = axes_.size() - 1;
    const int64_t length = axes_[last].positions;
    const int64_t parts = (length + kPart - 1) / kPart;
    Dims shape;
    int64_t work = std::min(length, kPart) * axes_[last].window;
    for (int i = 0; i < last; ++i) {
      shape.push_back(axes_[i].positions);
      work *= axes_[i].window;
    }
    ThreadPool::instance().parallel_for(
        element_count(shape) * parts, std::max<int64_t>(1, kPartWork / std::max<int64_t>(1, work)),
        [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            const Dims row = coordinate_of(i / parts, shape.data(), last);
            const int64_t first = i % parts * kPart, count = std::min(kPart, length - first);
            part(i / parts * length + first, count,
                 [&](auto tap) { visit(0, row, first, count, 0, 0, tap); });
          }
        });
  }

 private:
  template <typename Tap>
  void visit(int i, const Dims& row, int64_t begin, int64_t count, int64_t source, int64_t flat,
             Tap& tap) const {
    const WindowAxis& axis = axes_[i];
    const bool last = i == axes_.size() - 1;
    for (int64_t k = 0; k < axis.window; ++k) {
      const auto [first, end] =
          last ? axis.inside(k, begin, begin + count) : axis.inside(k, row[i], row[i] + 1);
      if (first == end) continue;
      const int64_t place = first * axis.stride + k * axis.dilation - axis.low;
      const int64_t from = source + place * axis.source_stride, index = flat + place * axis.flat_stride;
      if (last) {
        tap(first - begin, end - begin, from, index, axis.stride * axis.source_stride,
            axis.stride * axis.flat_stride);
      } else {
        visit(i + 1, row, begin, count, from, index, tap);
      }
    }
  }

  InlineVector<WindowAxis, 6> axes_;
};

/// What leaves the other operand as it is.
template <typename Operation, typename T>
T neutral() {
  using Limits = std::numeric_limits<T>;
  if constexpr (std::is_same_v<Operation, MulOperation>) {
    return T{1};
  } else if constexpr (std::is_same_v<Operation, MaxOperation>) {
    return Limits::has_infinity ? static_cast<T>(-Limits::infinity()) : Limits::lowest();
  } else if constexpr (std::is_same_v<Operation, MinOperation>) {
    return Limits::has_infinity ? Limits::infinity() : Limits::max();
  } else {
    return T{};
  }
}

template <typename Operation, typename T>
FTRANS_MULTIVERSION void combine(int64_t count, const T* from, int64_t step, ComputeType<T>* to) {
  if (step == 1) {
    for (int64_t j = 0; j < count; ++j) to[j] = Operation::apply(to[j], load(from[j]));
  } else {
    for (int64_t j = 0; j < count; ++j) to[j] = Operation::apply(to[j], load(from[j * step]));
  }
}

template <typename Operation>
void reduce_window(const StepArguments& arguments) {
  constexpr bool kOrders = std::is_same_v<Operation, MaxOperation> || std::is_same_v<Operation, MinOperation>;
  const TensorView& output = arguments.outputs[0];
  if (output.size() == 0) return;
  const WindowReduction reduction(arguments);
  dispatch(output.dtype, [&]<typename T>(TypeTag<T>) {
    if constexpr (!(is_complex<T> && kOrders)) {
      using Compute = ComputeType<T>;
      const T* source = arguments.inputs[0].as<const T>();
      reduction.run([&](int64_t offset, int64_t count, auto for_each_tap) {
        Compute sums[kPart];
        std::fill_n(sums, count, neutral<Operation, Compute>());
        for_each_tap([&](int64_t first, int64_t end, int64_t from, int64_t, int64_t step, int64_t) {
          combine<Operation>(end - first, source + from, step, sums + first);
        });
        T* to = output.as<T>() + offset;
        for (int64_t j = 0; j < count; ++j) to[j] = store<T>(sums[j]);
      });
    }
  });
}

/// Keeps the first of the best elements, and where it is; a NaN is better than all others.
template <bool maximum, typename T, typename Index>
FTRANS_MULTIVERSION void keep_best(int64_t count, const T* from, int64_t step, Index flat, Index flat_step,
                                   ComputeType<T>* best, Index* where) {
  for (int64_t j = 0; j < count; ++j) {
    const ComputeType<T> value = load(from[j * step]), current = best[j];
    const bool better = maximum ? value > current : value < current;
    const bool wins = (where[j] < 0) | better | (is_nan(value) > is_nan(current));
    best[j] = wins ? value : current;
    where[j] = wins ? static_cast<Index>(flat + j * flat_step) : where[j];
  }
}

template <bool maximum, typename T, typename Index>
void window_argument_as(const StepArguments& arguments) {
  const T* source = arguments.inputs[0].as<const T>();
  Index* output = arguments.outputs[0].as<Index>();
  WindowReduction(arguments).run([&](int64_t offset, int64_t count, auto for_each_tap) {
    ComputeType<T> best[kPart] = {};
    Index* where = output + offset;
    std::fill_n(where, count, Index{-1});
    for_each_tap(
        [&](int64_t first, int64_t end, int64_t from, int64_t flat, int64_t step, int64_t flat_step) {
          keep_best<maximum>(end - first, source + from, step, static_cast<Index>(flat),
                             static_cast<Index>(flat_step), best + first, where + first);
        });
  });
}

template <bool maximum>
void window_argument(const StepArguments& arguments) {
  if (arguments.outputs[0].size() == 0) return;
  dispatch(arguments.inputs[0].dtype, [&]<typename T>(TypeTag<T>) {
    if constexpr (!is_complex<T>) {
      if (arguments.outputs[0].dtype == Dtype::Int64) {
        window_argument_as<maximum, T, int64_t>(arguments);
      } else {
        window_argument_as<maximum, T, int32_t>(arguments);
      }
    }
  });
}

}  // namespace

void reduce_window_sum(const StepArguments& arguments) { reduce_window<AddOperation>(arguments); }
void reduce_window_prod(const StepArguments& arguments) { reduce_window<MulOperation>(arguments); }
void reduce_window_max(const StepArguments& arguments) { reduce_window<MaxOperation>(arguments); }
void reduce_window_min(const StepArguments& arguments) { reduce_window<MinOperation>(arguments); }
void window_argmax(const StepArguments& arguments) { window_argument<true>(arguments); }
void window_argmin(const StepArguments& arguments) { window_argument<false>(arguments); }

}  // namespace ftrans::cpu::steps
