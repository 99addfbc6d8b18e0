// Gather and scatter against a naive reading of XLA's semantics.

#include <array>
#include <limits>
#include <numeric>
#include <utility>

#include "step_testing.h"

namespace ftrans::test {
namespace {

/// Random dimension numbers that gather and scatter share.
struct WindowCase {
  Dims operand_shape, window_shape, start_axes, missing_axes, operand_batching, indices_batching,
      indices_shape;
  Dims window_axes, updates_shape;  ///< of gather's output or scatter's updates

  explicit WindowCase(bool scatter) {
    const int ndim = static_cast<int>(random_integer(1, 4));
    operand_shape = random_shape(ndim);
    indices_shape = random_shape(static_cast<int>(random_integer(0, 2)), 1, 4);
    window_shape = Dims(ndim, 1);
    std::vector<int64_t> window_extents;
    for (int axis = 0; axis < ndim; ++axis) {
      const int64_t choice = random_integer(0, 4);
      if (choice == 0 && operand_batching.size() < indices_shape.size()) {
        indices_batching.push_back(operand_batching.size());
        indices_shape[operand_batching.size()] = operand_shape[axis];
        operand_batching.push_back(axis);
        continue;
      }
      if (choice <= 3) start_axes.push_back(axis);
      if (choice == 1) {
        missing_axes.push_back(axis);
      } else {
        window_shape[axis] =
            choice == 4 && !scatter ? operand_shape[axis] : random_integer(1, operand_shape[axis]);
        window_extents.push_back(window_shape[axis]);
      }
    }
    std::shuffle(start_axes.begin(), start_axes.end(), generator());
    const int total = indices_shape.size() + static_cast<int>(window_extents.size());
    std::vector<int64_t> axes(static_cast<size_t>(total));
    std::iota(axes.begin(), axes.end(), 0);
    std::shuffle(axes.begin(), axes.end(), generator());
    std::sort(axes.begin(), axes.begin() + static_cast<int64_t>(window_extents.size()));
    for (size_t i = 0; i < window_extents.size(); ++i) window_axes.push_back(axes[i]);
    int next_window = 0, next_batch = 0;
    for (int axis = 0; axis < total; ++axis) {
      const bool window = next_window < window_axes.size() && window_axes[next_window] == axis;
      updates_shape.push_back(window ? window_extents[static_cast<size_t>(next_window++)]
                                     : indices_shape[next_batch++]);
    }
    indices_shape.push_back(start_axes.size());
  }

  /// Calls function(coordinate of the window side, coordinate of the operand, whether the window is inside),
  /// window by window.
  template <typename Index, typename Function>
  void for_each_element(const Array<Index>& indices, int64_t mode, Function function) const {
    const Dims batch_shape(indices_shape.data(), indices_shape.size() - 1);
    Dims window_extents;
    for (int64_t axis : window_axes) window_extents.push_back(updates_shape[static_cast<int>(axis)]);
    for_each_coordinate(batch_shape, [&](const Dims& batch) {
      for_each_coordinate(window_extents, [&](const Dims& offset) {
        Dims at;
        for (int axis = 0, window = 0, batch_axis = 0; axis < updates_shape.size(); ++axis) {
          const bool in_window = window < window_axes.size() && window_axes[window] == axis;
          at.push_back(in_window ? offset[window++] : batch[batch_axis++]);
        }
        visit(indices, mode, batch, offset, at, function);
      });
    });
  }

  template <typename Index, typename Function>
  void visit(const Array<Index>& indices, int64_t mode, const Dims& batch, const Dims& offset, const Dims& at,
             Function function) const {
    Dims start(operand_shape.size());
    for (int i = 0; i < start_axes.size(); ++i) {
      Dims index_at = batch;
      index_at.push_back(i);
      start[static_cast<int>(start_axes[i])] =
          std::in_range<int64_t>(indices[index_at]) ? static_cast<int64_t>(indices[index_at]) : 1 << 30;
    }
    for (int i = 0; i < operand_batching.size(); ++i) {
      start[static_cast<int>(operand_batching[i])] = batch[static_cast<int>(indices_batching[i])];
    }
    bool inside = true;
    for (int axis = 0, next = 0; axis < start.size(); ++axis) {
      const int64_t limit = operand_shape[axis] - window_shape[axis];
      if (mode != 0) start[axis] = std::clamp<int64_t>(start[axis], 0, limit);
      inside &= start[axis] >= 0 && start[axis] <= limit;
      const auto has = [&](const Dims& axes) {
        return std::find(axes.begin(), axes.end(), axis) != axes.end();
      };
      if (!has(missing_axes) && !has(operand_batching)) start[axis] += offset[next++];
    }
    function(at, start, inside);
  }
};

template <typename T>
T expected_fill() {
  if constexpr (cpu::steps::is_complex<T>) {
    return T(std::numeric_limits<typename T::value_type>::quiet_NaN());
  } else if constexpr (std::is_integral_v<T>) {
    return std::is_signed_v<T> ? std::numeric_limits<T>::min() : std::numeric_limits<T>::max();
  } else {
    return from_value<T>(std::numeric_limits<double>::quiet_NaN());
  }
}

template <typename T, typename Index>
void check_gather(int64_t mode, Order order) {
  const WindowCase window(false);
  const Array<T> operand(window.operand_shape, order), output(window.updates_shape);
  const Array<Index> indices(window.indices_shape, order == Order::Broadcast ? Order::Dense : order);
  for_each_coordinate(indices.shape, [&](const Dims& at) {
    const int64_t axis = window.start_axes[static_cast<int>(at.back())];
    const int64_t limit =
        window.operand_shape[static_cast<int>(axis)] - window.window_shape[static_cast<int>(axis)];
    indices[at] = static_cast<Index>(mode == 2 ? random_integer(0, limit) : random_integer(-2, 6));
  });
  Parameters parameters{mode};
  for (const Dims* list : {&window.window_axes, &window.missing_axes, &window.start_axes,
                           &window.operand_batching, &window.indices_batching}) {
    append_list(parameters, *list);
  }
  append(parameters, window.window_shape);
  run(Opcode::Gather, {operand.view(), indices.view()}, {output.view()}, parameters);
  window.for_each_element(indices, mode, [&](const Dims& at, const Dims& from, bool inside) {
    CHECK(same(output[at], inside ? operand[from] : expected_fill<T>()));
  });
}

template <typename T, typename Index>
void check_scatter(int64_t mode, int64_t kind, Order order) {
  const WindowCase window(true);
  const Array<T> operand(window.operand_shape, order), output(window.operand_shape),
      expected(window.operand_shape);
  const Array<T> updates(window.updates_shape, order);
  const Array<Index> indices(window.indices_shape);
  for (int64_t i = 0; i < indices.size(); ++i) {
    const int axis = static_cast<int>(window.start_axes[static_cast<int>(i % window.start_axes.size())]);
    const int64_t limit = window.operand_shape[axis] - window.window_shape[axis];
    indices.origin[i] = static_cast<Index>(mode == 2 ? random_integer(0, limit) : random_integer(-2, 6));
  }
  Parameters parameters{mode, kind, 0};
  for (const Dims* list : {&window.window_axes, &window.missing_axes, &window.start_axes,
                           &window.operand_batching, &window.indices_batching}) {
    append_list(parameters, *list);
  }
  for_each_coordinate(operand.shape, [&](const Dims& at) { expected[at] = operand[at]; });
  window.for_each_element(indices, mode, [&](const Dims& at, const Dims& to, bool inside) {
    if (!inside) return;
    const Value old = to_value(expected[to]), update = to_value(updates[at]);
    const bool less =
        old.real() < update.real() || (old.real() == update.real() && old.imag() < update.imag());
    const Value results[] = {update, old + update, old * update, less ? old : update, less ? update : old};
    expected[to] = from_value<T>(results[kind]);
  });
  run(Opcode::Scatter, {operand.view(), indices.view(), updates.view()}, {output.view()}, parameters);
  check_same(output, expected);
  for_each_coordinate(operand.shape, [&](const Dims& at) { output[at] = operand[at]; });
  run(Opcode::Scatter, {output.view(), indices.view(), updates.view()}, {output.view()}, parameters, true);
  check_same(output, expected);
}

}  // namespace

void test_indexing() {
  for_each_dtype([]<typename T>(TypeTag<T>) {
    for (int repeat = 0; repeat < 60; ++repeat) {
      const Order order = kOrders[repeat % 5];
      const int64_t mode = repeat % 3;
      check_gather<T, int32_t>(mode, order);
      check_gather<T, int64_t>(mode, order);
      check_gather<T, uint32_t>(mode, order);
      check_gather<T, uint8_t>(mode, order);
      check_gather<T, uint64_t>(mode, order);
      for (int64_t kind = 0; kind < 5; ++kind) {
        check_scatter<T, int32_t>(mode, kind, order);
        check_scatter<T, uint64_t>(mode, kind, order);
      }
    }
  });
  // An embedding and its gradient, and a histogram: large enough for several threads.
  for (const auto& [rows, width, count] :
       std::initializer_list<std::array<int64_t, 3>>{{5000, 64, 3000}, {10, 1, 100000}}) {
    const Array<float> table({rows, width}), gathered({count, width}), result({rows, width});
    const Array<int32_t> indices({count, 1});
    for (int64_t i = 0; i < count; ++i) indices.origin[i] = static_cast<int32_t>(random_integer(0, rows - 1));
    run(Opcode::Gather, {table.view(), indices.view()}, {gathered.view()},
        {2, 1, 1, 1, 0, 1, 0, 0, 0, 1, width});
    std::vector<float> expected(table.origin, table.origin + table.size());
    for (int64_t i = 0; i < count * width; ++i) {
      const int64_t at = indices.origin[i / width] * width + i % width;
      CHECK(gathered.origin[i] == table.origin[at]);
      gathered.origin[i] = 1.0f / static_cast<float>(i + 1);
      expected[static_cast<size_t>(at)] += gathered.origin[i];
    }
    run(Opcode::Scatter, {table.view(), indices.view(), gathered.view()}, {result.view()},
        {0, 1, 0, 1, 1, 1, 0, 1, 0, 0, 0});
    CHECK(std::equal(expected.begin(), expected.end(), result.origin));
  }
}

}  // namespace ftrans::test
