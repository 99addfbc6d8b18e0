// Step kernels against naive references over all dtypes and layouts, and the thread pool.
// Usage: ftrans_step_tests PATH_OF_LIBSCIPY_OPENBLAS

#include <array>
#include <bit>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <utility>

#include <sys/wait.h>
#include <unistd.h>

#include "core/thread_pool.h"
#include "cpu/blas.h"
#include "step_testing.h"

namespace ftrans::test {
namespace {

Array<int32_t> vector_of(const Dims& items) {
  Array<int32_t> result({items.size()});
  for (int i = 0; i < items.size(); ++i) result.origin[i] = static_cast<int32_t>(items[i]);
  return result;
}

Dims plus(const Dims& a, const Dims& b) {
  Dims sum = a;
  for (int i = 0; i < a.size(); ++i) sum[i] += b[i];
  return sum;
}

void test_copy() {
  for_each_dtype([]<typename T>(TypeTag<T>) {
    for (int ndim = 0; ndim <= 4; ++ndim) {
      for (Order order : kOrders) {
        const Array<T> input(random_shape(ndim, 0, 9), order), output(input.shape);
        run(Opcode::Copy, {input.view()}, {output.view()}, {});
        check_same(output, input);
      }
    }
    for (const Dims& shape : {Dims{300, 517}, Dims{3, 129, 257}, Dims{70000}}) {
      for (Order order : kOrders) {
        const Array<T> input(shape, order), output(shape);
        run(Opcode::Copy, {input.view()}, {output.view()}, {});
        check_same(output, input);
      }
    }
  });
}

void test_pad() {
  for_each_dtype([]<typename T>(TypeTag<T>) {
    for (int repeat = 0; repeat < 40; ++repeat) {
      const int ndim = static_cast<int>(random_integer(0, 3));
      const Array<T> operand(random_shape(ndim, 0, 5), kOrders[repeat % 5]), value(Dims{});
      Dims low(ndim), high(ndim), interior(ndim), shape(ndim);
      for (int axis = 0; axis < ndim; ++axis) {
        interior[axis] = repeat % 2 ? random_integer(0, 2) : 0;
        const int64_t extent =
            operand.shape[axis] + std::max<int64_t>(0, operand.shape[axis] - 1) * interior[axis];
        low[axis] = random_integer(-extent, 3);
        high[axis] = random_integer(-std::max<int64_t>(0, extent + low[axis]), 3);
        shape[axis] = extent + low[axis] + high[axis];
        if (shape[axis] < 0) shape[axis] = 0, high[axis] = -extent - low[axis];
      }
      const Array<T> output(shape), expected(shape);
      for_each_coordinate(shape, [&](const Dims& at) { expected[at] = value.flat(0); });
      for_each_coordinate(operand.shape, [&](const Dims& from) {
        Dims at(ndim);
        bool inside = true;
        for (int axis = 0; axis < ndim; ++axis) {
          at[axis] = low[axis] + from[axis] * (interior[axis] + 1);
          inside &= at[axis] >= 0 && at[axis] < shape[axis];
        }
        if (inside) expected[at] = operand[from];
      });
      Parameters parameters;
      append(parameters, low);
      append(parameters, high);
      append(parameters, interior);
      run(Opcode::Pad, {operand.view(), value.view()}, {output.view()}, parameters);
      check_same(output, expected);
    }
  });
}

void test_concatenate() {
  for_each_dtype([]<typename T>(TypeTag<T>) {
    for (int repeat = 0; repeat < 20; ++repeat) {
      const int ndim = static_cast<int>(random_integer(1, 3));
      const int axis = static_cast<int>(random_integer(0, ndim - 1));
      Dims shape = random_shape(ndim);
      shape[axis] = 0;
      std::vector<Array<T>> operands;
      std::vector<TensorView> views;
      for (int i = 0; i < 3; ++i) {
        Dims part = shape;
        part[axis] = random_integer(0, 4);
        operands.emplace_back(part, kOrders[(repeat + i) % 5]);
      }
      for (const Array<T>& operand : operands) {
        views.push_back(operand.view());
        shape[axis] += operand.shape[axis];
      }
      const Array<T> output(shape);
      run(Opcode::Concatenate, views, {output.view()}, {axis});
      for_each_coordinate(shape, [&](Dims at) {
        const T actual = output[at];
        size_t i = 0;
        while (at[axis] >= operands[i].shape[axis]) at[axis] -= operands[i++].shape[axis];
        CHECK(same(actual, operands[i][at]));
      });
    }
  });
}

void test_dynamic_slices() {
  for_each_dtype([]<typename T>(TypeTag<T>) {
    for (int repeat = 0; repeat < 20; ++repeat) {
      const int ndim = static_cast<int>(random_integer(0, 3));
      const Array<T> operand(random_shape(ndim), kOrders[repeat % 5]);
      Dims sizes(ndim), start(ndim), clamped(ndim);
      for (int axis = 0; axis < ndim; ++axis) {
        sizes[axis] = random_integer(0, operand.shape[axis]);
        start[axis] = random_integer(-3, 8);
        clamped[axis] = std::clamp<int64_t>(start[axis], 0, operand.shape[axis] - sizes[axis]);
      }
      const Array<int32_t> indices = vector_of(start);
      Parameters parameters;
      append(parameters, sizes);
      const Array<T> slice(sizes);
      run(Opcode::DynamicSlice, {operand.view(), indices.view()}, {slice.view()}, parameters);
      for_each_coordinate(sizes, [&](const Dims& at) { CHECK(same(slice[at], operand[plus(at, clamped)])); });

      const Array<T> update(sizes, kOrders[(repeat + 1) % 5]), output(operand.shape), expected(operand.shape);
      for_each_coordinate(operand.shape, [&](const Dims& at) { expected[at] = operand[at]; });
      for_each_coordinate(sizes, [&](const Dims& at) { expected[plus(at, clamped)] = update[at]; });
      run(Opcode::DynamicUpdateSlice, {operand.view(), update.view(), indices.view()}, {output.view()}, {});
      check_same(output, expected);
      for_each_coordinate(operand.shape, [&](const Dims& at) { output[at] = operand[at]; });
      run(Opcode::DynamicUpdateSlice, {output.view(), update.view(), indices.view()}, {output.view()}, {},
          true);
      check_same(output, expected);
    }
  });
}

template <typename T>
Value combine(Opcode opcode, Value a, Value b) {
  const bool less = a.real() < b.real() || (a.real() == b.real() && a.imag() < b.imag());
  switch (opcode) {
    case Opcode::Cumsum: return a + b;
    case Opcode::Cumprod: return a * b;
    case Opcode::Cummax: return a.real() != a.real() ? a : b.real() != b.real() ? b : less ? b : a;
    default: return a.real() != a.real() ? a : b.real() != b.real() ? b : less ? a : b;
  }
}

template <typename T>
void check_cumulative(Opcode opcode, const Array<T>& input, int axis, bool reverse) {
  const Array<T> output(input.shape);
  run(opcode, {input.view()}, {output.view()}, {axis, reverse});
  Dims lines = input.shape;
  lines[axis] = 1;
  const int64_t length = input.shape[axis];
  if (length == 0) return;
  for_each_coordinate(lines, [&](Dims at) {
    Value running;
    for (int64_t i = 0; i < length; ++i) {
      at[axis] = reverse ? length - 1 - i : i;
      running = i == 0 ? to_value(input[at]) : combine<T>(opcode, running, to_value(input[at]));
      CHECK(same(output[at], from_value<T>(running)));
    }
  });
}

constexpr Opcode kCumulative[] = {Opcode::Cumsum, Opcode::Cumprod, Opcode::Cummax, Opcode::Cummin};

void test_cumulative() {
  for_each_dtype([]<typename T>(TypeTag<T>) {
    for (Opcode opcode : kCumulative) {
      for (int repeat = 0; repeat < 30; ++repeat) {
        const int ndim = static_cast<int>(random_integer(1, 3));
        const Array<T> input(random_shape(ndim, 0, 6), kOrders[repeat % 5]);
        check_cumulative(opcode, input, static_cast<int>(random_integer(0, ndim - 1)), repeat % 2);
      }
    }
    // Values of 0 and ±1, so that sums over many blocks stay exact in half precision too.
    for (int64_t length : {1023, 1024, 5000, 200000}) {
      const Array<T> input({length});
      for (int64_t i = 0; i < length; ++i)
        input.origin[i] = from_value<T>(i % 3 == 0 ? 1 : i % 3 == 1 && !std::is_unsigned_v<T> ? -1 : 0);
      for (bool reverse : {false, true}) {
        for (Opcode opcode : kCumulative) check_cumulative(opcode, input, 0, reverse);
      }
    }
    if constexpr (std::is_floating_point_v<T> || cpu::steps::is_half<T>) {
      for (int64_t length : {7, 3000, 200000}) {
        const Array<T> input({length});
        input.origin[length / 3] = from_value<T>(std::numeric_limits<double>::quiet_NaN());
        for (Opcode opcode : {Opcode::Cummax, Opcode::Cummin}) check_cumulative(opcode, input, 0, false);
      }
    }
  });
  const Array<float> wide({40, 3000});
  check_cumulative(Opcode::Cumsum, wide, 0, true);
  check_cumulative(Opcode::Cumsum, wide, 1, false);
}

template <typename T>
void check_arg_reduce(const Array<T>& input, int axis) {
  Dims shape, lines = input.shape;
  for (int i = 0; i < input.shape.size(); ++i) {
    if (i != axis) shape.push_back(input.shape[i]);
  }
  lines[axis] = 1;
  for (bool minimum : {false, true}) {
    const Array<int32_t> output(shape);
    run(minimum ? Opcode::Argmin : Opcode::Argmax, {input.view()}, {output.view()}, {axis});
    int64_t line = 0;
    for_each_coordinate(lines, [&](Dims at) {
      int64_t best = 0;
      double value = to_value(input[at]).real();
      for (int64_t i = 0; i < input.shape[axis] && value == value; ++i) {
        at[axis] = i;
        const double candidate = to_value(input[at]).real();
        if (candidate != candidate || (minimum ? candidate < value : candidate > value)) {
          value = candidate;
          best = i;
        }
      }
      CHECK(output.origin[line++] == best);
    });
  }
}

void test_arg_reduce() {
  for_each_dtype([]<typename T>(TypeTag<T>) {
    if constexpr (!cpu::steps::is_complex<T>) {
      for (int repeat = 0; repeat < 30; ++repeat) {
        const int ndim = static_cast<int>(random_integer(1, 3));
        const Array<T> input(random_shape(ndim), kOrders[repeat % 5]);
        check_arg_reduce(input, static_cast<int>(random_integer(0, ndim - 1)));
      }
      const Array<T> large({3, 700, 600});
      for (int axis = 0; axis < 3; ++axis) check_arg_reduce(large, axis);
      if constexpr (std::is_floating_point_v<T> || cpu::steps::is_half<T>) {
        const Array<T> row({4000});
        row.origin[1234] = from_value<T>(std::numeric_limits<double>::quiet_NaN());
        row.origin[2345] = row.origin[1234];
        check_arg_reduce(row, 0);
        const Array<T> zeros({2});
        zeros.origin[0] = from_value<T>(0.0);
        zeros.origin[1] = from_value<T>(-0.0);
        check_arg_reduce(zeros, 0);
      } else if constexpr (std::is_integral_v<T>) {
        const Array<T> extremes({3});
        extremes.origin[0] = 1;
        extremes.origin[1] = std::numeric_limits<T>::max();
        extremes.origin[2] = std::numeric_limits<T>::min();
        check_arg_reduce(extremes, 0);
      }
    }
  });
}

uint32_t reference_threefry(uint32_t key0, uint32_t key1, uint32_t x0, uint32_t x1) {
  const uint32_t keys[3] = {key0, key1, key0 ^ key1 ^ 0x1BD11BDA};
  const int rotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
  x0 += keys[0];
  x1 += keys[1];
  for (uint32_t round = 0; round < 20; ++round) {
    x0 += x1;
    x1 = std::rotl(x1, rotations[round % 8]) ^ x0;
    if (round % 4 == 3) {
      x0 += keys[(round / 4 + 1) % 3];
      x1 += keys[(round / 4 + 2) % 3] + round / 4 + 1;
    }
  }
  return x0 ^ x1;
}

void test_random_bits() {
  // Known answers of the Random123 distribution.
  CHECK(reference_threefry(0, 0, 0, 0) == (0x6b200159u ^ 0x99ba4efeu));
  CHECK(reference_threefry(0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3) == (0xc4923a9cu ^ 0x483df7a0u));
  for (const auto& [key_shape, shape] : std::initializer_list<std::pair<Dims, Dims>>{{{2}, {}},
                                                                                     {{2}, {0}},
                                                                                     {{2}, {7}},
                                                                                     {{2}, {300, 500}},
                                                                                     {{5, 2}, {3, 4}},
                                                                                     {{3, 4, 2}, {5}},
                                                                                     {{0, 2}, {5}},
                                                                                     {{2, 2}, {70000}}}) {
    for (Order order : {Order::Dense, Order::Transposed, Order::Spread, Order::Reversed}) {
      const Array<uint32_t> keys(key_shape, order);
      for_each_coordinate(key_shape,
                          [&](const Dims& at) { keys[at] = static_cast<uint32_t>(generator()()); });
      Dims out_shape(key_shape.data(), key_shape.size() - 1);
      for (int64_t extent : shape) out_shape.push_back(extent);
      const Array<uint32_t> output(out_shape);
      run(Opcode::RandomBits, {keys.view()}, {output.view()}, {});
      const int64_t per_key = element_count(shape);
      for (int64_t i = 0; i < output.size(); ++i) {
        const uint32_t key0 = keys.flat(i / per_key * 2), key1 = keys.flat(i / per_key * 2 + 1);
        CHECK(output.origin[i] == reference_threefry(key0, key1, 0, static_cast<uint32_t>(i % per_key)));
      }
    }
  }
}

/// A random product: every axis of the operands is batch, contracting or free, in any order.
template <typename T>
void check_dot_general(int64_t highest, Order lhs_order, Order rhs_order) {
  struct Axis {
    int64_t extent;
    int number;  ///< among the batch, the contracting or the free axes
    int role;    ///< 0 batch, 1 contracting, 2 free
  };
  std::vector<Axis> sides[2];
  int counts[4] = {static_cast<int>(random_integer(0, 2)), static_cast<int>(random_integer(0, 2)),
                   static_cast<int>(random_integer(0, 2)), static_cast<int>(random_integer(0, 2))};
  Dims batch_shape, contracting_shape, free_shapes[2];
  for (int i = 0; i < counts[0]; ++i) batch_shape.push_back(random_integer(1, 3));
  for (int i = 0; i < counts[1]; ++i) contracting_shape.push_back(random_integer(0, highest));
  for (int side = 0; side < 2; ++side) {
    for (int i = 0; i < counts[2 + side]; ++i) free_shapes[side].push_back(random_integer(1, highest));
    for (int i = 0; i < counts[0]; ++i) sides[side].push_back({batch_shape[i], i, 0});
    for (int i = 0; i < counts[1]; ++i) sides[side].push_back({contracting_shape[i], i, 1});
    for (int i = 0; i < counts[2 + side]; ++i) sides[side].push_back({free_shapes[side][i], i, 2});
    if (random_integer(0, 1)) std::shuffle(sides[side].begin(), sides[side].end(), generator());
  }
  Dims shapes[2], batch_axes[2] = {Dims(counts[0]), Dims(counts[0])},
                  contracting_axes[2] = {Dims(counts[1]), Dims(counts[1])};
  for (int side = 0; side < 2; ++side) {
    int free = 0;
    for (size_t axis = 0; axis < sides[side].size(); ++axis) {
      Axis& item = sides[side][axis];
      if (item.role == 0) batch_axes[side][item.number] = static_cast<int64_t>(axis);
      if (item.role == 1) contracting_axes[side][item.number] = static_cast<int64_t>(axis);
      if (item.role == 2)
        free_shapes[side][item.number = free++] = item.extent;  // free axes keep their order
      shapes[side].push_back(item.extent);
    }
  }
  Dims out_shape = batch_shape;
  for (const Dims& shape : free_shapes) {
    for (int64_t extent : shape) out_shape.push_back(extent);
  }
  const Array<T> lhs(shapes[0], lhs_order), rhs(shapes[1], rhs_order), output(out_shape);
  if constexpr (std::is_floating_point_v<T>) {  // what was in the result must not matter
    std::fill_n(output.origin, output.size(), std::numeric_limits<T>::quiet_NaN());
  }
  Parameters parameters{counts[1], counts[0]};
  for (const Dims* list : {&contracting_axes[0], &contracting_axes[1], &batch_axes[0], &batch_axes[1]})
    append(parameters, *list);
  run(Opcode::DotGeneral, {lhs.view(), rhs.view()}, {output.view()}, parameters);
  for_each_coordinate(out_shape, [&](const Dims& at) {
    Value sum = 0;
    for_each_coordinate(contracting_shape, [&](const Dims& contracting) {
      Value factors[2];
      for (int side = 0; side < 2; ++side) {
        Dims from;
        for (const Axis& item : sides[side]) {
          const int free_begin = counts[0] + (side == 1 ? counts[2] : 0);
          from.push_back(item.role == 0   ? at[item.number]
                         : item.role == 1 ? contracting[item.number]
                                          : at[free_begin + item.number]);
        }
        factors[side] = to_value((side == 0 ? lhs : rhs)[from]);
      }
      sum += factors[0] * factors[1];
    });
    if (!cpu::steps::is_complex<T>) sum = sum.real();
    CHECK(same(output[at], from_value<T>(sum)));
  });
}

void test_dot_general() {
  for_each_dtype([]<typename T>(TypeTag<T>) {
    for (int repeat = 0; repeat < 150; ++repeat) {
      check_dot_general<T>(repeat < 100 ? 4 : 12, kOrders[repeat % 5], kOrders[repeat / 5 % 5]);
    }
    // Large enough for several threads and panels.
    for (const auto& [rows, columns, depth] : std::initializer_list<std::array<int64_t, 3>>{
             {150, 130, 70}, {1100, 40, 20}, {1, 700, 300}, {700, 1, 300}, {1, 1, 100000}, {3, 500, 600}}) {
      for (Order order : {Order::Dense, Order::Transposed, Order::Spread}) {
        const Array<T> lhs({rows, depth}, order), rhs({depth, columns}, order), output({rows, columns});
        // Mostly zeros, so that sums stay exact in half precision.
        for (int64_t i = 0; i < lhs.size(); ++i) {
          if (i % 13 != 0) lhs.flat(i) = T{};
        }
        run(Opcode::DotGeneral, {lhs.view(), rhs.view()}, {output.view()}, {1, 0, 1, 0});
        for (int64_t i = 0; i < rows; i += 7) {
          for (int64_t j = 0; j < columns; j += 3) {
            Value sum = 0;
            for (int64_t k = 0; k < depth; ++k) sum += to_value(lhs[{i, k}]) * to_value(rhs[{k, j}]);
            if (!cpu::steps::is_complex<T>) sum = sum.real();
            CHECK(same(output[{i, j}], from_value<T>(sum)));
          }
        }
      }
    }
  });
}

void test_thread_pool() {
  ThreadPool& pool = ThreadPool::instance();
  const auto loops = [&](int repeats) {
    for (int repeat = 0; repeat < repeats; ++repeat) {
      std::vector<int> visits(10007, 0);
      pool.parallel_for(10007, 16, [&](int64_t begin, int64_t end) {
        for (; begin < end; ++begin) {
          ++visits[static_cast<size_t>(begin)];
          if (begin % 5000 == 0) pool.parallel_for(100, 1, [](int64_t, int64_t) {});  // nested
        }
      });
      CHECK(std::all_of(visits.begin(), visits.end(), [](int count) { return count == 1; }));
    }
  };
  const int size = pool.size();
  for (int threads : {4, 1, 3}) {
    pool.resize(threads);
    CHECK(pool.size() == threads);
    loops(50);
    std::vector<std::thread> callers;
    for (int i = 0; i < 4; ++i) callers.emplace_back([&] { loops(30); });
    for (std::thread& caller : callers) caller.join();
    bool caught = false;
    try {
      pool.parallel_for(1000, 1, [](int64_t begin, int64_t) {
        if (begin > 300 || begin == 0) throw std::runtime_error("expected");
      });
    } catch (const std::runtime_error&) {
      caught = true;
    }
    CHECK(caught);
  }
#if !defined(__SANITIZE_THREAD__)
  const pid_t child = fork();
  if (child == 0) {
    loops(20);
    _exit(failures == 0 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
#endif
  pool.resize(size);
}

void run_all() {
  test_copy();
  test_pad();
  test_concatenate();
  test_dynamic_slices();
  test_cumulative();
  test_arg_reduce();
  test_sort();
  test_random_bits();
  test_indexing();
  test_windows();
  test_dot_general();
  test_linear_algebra();
}

}  // namespace
}  // namespace ftrans::test

int main(int argc, char** argv) {
  using namespace ftrans;
  if (argc != 2) {
    std::printf("usage: %s PATH_OF_LIBSCIPY_OPENBLAS\n", argv[0]);
    return 2;
  }
  cpu::set_blas_path(argv[1]);
  test::test_thread_pool();
  for (int threads : {1, 3}) {
    ThreadPool::instance().resize(threads);
    test::run_all();
  }
  std::printf("%s: %d failures\n", cpu::blas_description(), test::failures);
  return test::failures == 0 ? 0 : 1;
}
