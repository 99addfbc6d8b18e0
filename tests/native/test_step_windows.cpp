// Convolutions and reductions of windows against naive loops, over dtypes, layouts and parameters.

#include "step_testing.h"

namespace ftrans::test {
namespace {

constexpr int64_t dilated(int64_t extent, int64_t dilation) { return (extent - 1) * dilation + 1; }

/// A window along one axis, that fits at one position at least.
struct Axis {
  int64_t extent, window, stride, low, dilation, window_dilation, positions;

  static Axis random(int64_t highest, bool dilates) {
    Axis axis{random_integer(1, highest),
              random_integer(1, 3),
              random_integer(1, 3),
              random_integer(-1, 3),
              dilates ? random_integer(1, 2) : 1,
              random_integer(1, 2),
              0};
    const int64_t extent = dilated(axis.extent, axis.dilation);
    axis.low = std::max(axis.low, 1 - extent);
    const int64_t missing = dilated(axis.window, axis.window_dilation) - extent - axis.low;
    const int64_t high = std::max(missing, random_integer(0, 3));
    axis.positions =
        (extent + axis.low + high - dilated(axis.window, axis.window_dilation)) / axis.stride + 1;
    return axis;
  }

  /// Where element `k` of the window at `position` is; −1 if it is padding.
  int64_t place(int64_t position, int64_t k) const {
    const int64_t at = position * stride + k * window_dilation - low;
    if (at < 0 || at % dilation != 0 || at / dilation >= extent) return -1;
    return at / dilation;
  }
};

template <typename T>
void check_convolution(int axes, int64_t extent, int64_t channels, int64_t outputs, bool by_batch,
                       Order order) {
  std::vector<Axis> window;
  for (int i = 0; i < axes; ++i) window.push_back(Axis::random(extent, true));
  const int64_t groups = random_integer(1, 3), batch = random_integer(1, 3);
  const int64_t feature_groups = by_batch ? 1 : groups, batch_groups = by_batch ? groups : 1;
  Dims lhs_shape{batch * batch_groups}, rhs_shape{outputs * groups}, out_shape{batch}, taps;
  Parameters parameters{feature_groups, batch_groups};
  for (const Axis& axis : window) {
    lhs_shape.push_back(axis.extent);
    rhs_shape.push_back(axis.window);
    taps.push_back(axis.window);
    out_shape.push_back(axis.positions);
  }
  lhs_shape.push_back(channels * feature_groups);
  rhs_shape.push_back(channels);
  out_shape.push_back(outputs * groups);
  for (int64_t Axis::* member : {&Axis::stride, &Axis::low, &Axis::dilation, &Axis::window_dilation}) {
    for (const Axis& axis : window) parameters.push_back(axis.*member);
  }
  const Array<T> lhs(lhs_shape, order), rhs(rhs_shape, order), output(out_shape), expected(out_shape);
  for_each_coordinate(out_shape, [&](const Dims& at) {
    Value sum = 0;
    const int64_t group = at[axes + 1] / outputs;
    for_each_coordinate(taps, [&](const Dims& tap) {
      Dims from{at[0] + (by_batch ? group * batch : 0)}, weight{at[axes + 1]};
      for (int i = 0; i < axes; ++i) {
        from.push_back(window[i].place(at[i + 1], tap[i]));
        if (from[i + 1] < 0) return;
        weight.push_back(tap[i]);
      }
      from.push_back(0);
      weight.push_back(0);
      for (int64_t c = 0; c < channels; ++c) {
        from[axes + 1] = c + (by_batch ? 0 : group * channels);
        weight[axes + 1] = c;
        sum += to_value(lhs[from]) * to_value(rhs[weight]);
      }
    });
    if (!cpu::steps::is_complex<T>) sum = sum.real();
    expected[at] = from_value<T>(sum);
  });
  run(Opcode::Conv, {lhs.view(), rhs.view()}, {output.view()}, parameters);
  check_same(output, expected);
}

void test_convolution() {
  for_each_dtype([]<typename T>(TypeTag<T>) {
    if constexpr (!std::is_same_v<T, bool> && sizeof(T) > 1) {  // sums of bytes would wrap around
      for (int repeat = 0; repeat < 60; ++repeat) {
        check_convolution<T>(repeat % 4, 6, random_integer(1, 3), random_integer(1, 3), repeat % 2,
                             kOrders[repeat % 5]);
      }
      for (int repeat = 0; repeat < 10; ++repeat) {  // large enough for tiles
        check_convolution<T>(1 + repeat % 2, 40, 5, random_integer(30, 70), false, kOrders[repeat % 5]);
      }
      for (int repeat = 0; repeat < 5; ++repeat)
        check_convolution<T>(1, 3, 400, 2, repeat % 2, kOrders[repeat]);
    }
  });
}

/// The first of the best elements of a window, or their sum.
template <typename T>
void check_window(Opcode opcode, int axes, int64_t extent, Order order) {
  std::vector<Axis> window;
  Dims shape, out_shape, taps;
  Parameters parameters;
  for (int i = 0; i < axes; ++i) {
    window.push_back(Axis::random(extent, false));
    shape.push_back(window[i].extent);
    out_shape.push_back(window[i].positions);
    taps.push_back(window[i].window);
  }
  for (int64_t Axis::* member : {&Axis::window, &Axis::stride, &Axis::low, &Axis::window_dilation}) {
    for (const Axis& axis : window) parameters.push_back(axis.*member);
  }
  const Array<T> operand(shape, order), output(out_shape);
  const Array<int32_t> where(out_shape);
  const bool argument = opcode == Opcode::WindowArgmax || opcode == Opcode::WindowArgmin;
  const bool smallest = opcode == Opcode::WindowArgmin || opcode == Opcode::ReduceWindowMin;
  run(opcode, {operand.view()}, {argument ? where.view() : output.view()}, parameters);
  for_each_coordinate(out_shape, [&](const Dims& at) {
    Value sum = 0, product = 1, best = 0;
    int64_t index = -1;
    for_each_coordinate(taps, [&](const Dims& tap) {
      Dims from;
      int64_t flat = 0;
      for (int i = 0; i < axes; ++i) {
        from.push_back(window[i].place(at[i], tap[i]));
        if (from[i] < 0) return;
        flat = flat * shape[i] + from[i];
      }
      const Value value = to_value(operand[from]);
      sum += value;
      product *= value;
      if (index < 0 || (smallest ? value.real() < best.real() : value.real() > best.real())) {
        index = flat;
        best = value;
      }
    });
    if (argument) {
      CHECK(where[at] == index);
    } else if (opcode == Opcode::ReduceWindowSum) {
      CHECK(same(output[at], from_value<T>(sum)));
    } else if (opcode == Opcode::ReduceWindowProd) {
      CHECK(same(output[at], from_value<T>(product)));
    } else if (index >= 0) {
      CHECK(same(output[at], from_value<T>(best)));
    }
  });
}

void test_window_reductions() {
  for_each_dtype([]<typename T>(TypeTag<T>) {
    constexpr bool kOrdered = !cpu::steps::is_complex<T>, kCounts = !std::is_same_v<T, bool> && sizeof(T) > 1;
    for (int repeat = 0; repeat < 40; ++repeat) {
      const int axes = repeat % 4;
      const int64_t extent = axes == 1 ? 1200 : 5;
      const Order order = kOrders[repeat % 5];
      if constexpr (kCounts) check_window<T>(Opcode::ReduceWindowSum, axes, extent, order);
      if constexpr (kCounts && kOrdered)
        check_window<T>(Opcode::ReduceWindowProd, std::min(axes, 2), extent, order);
      if constexpr (kOrdered) {
        for (Opcode opcode :
             {Opcode::ReduceWindowMax, Opcode::ReduceWindowMin, Opcode::WindowArgmax, Opcode::WindowArgmin})
          check_window<T>(opcode, axes, extent, order);
      }
    }
  });
}

}  // namespace

void test_windows() {
  test_convolution();
  test_window_reductions();
}

}  // namespace ftrans::test
