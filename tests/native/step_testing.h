#pragma once

#include <cmath>
#include <complex>
#include <cstdio>
#include <memory>
#include <random>
#include <vector>

#include "cpu/step_kernels.h"
#include "cpu/steps/support.h"

/// Arrays, a check macro and a caller for the tests of step kernels.
namespace ftrans::test {

using cpu::steps::TypeTag;

inline int failures = 0;
inline const char* current_dtype = "";

/// Counts a failure, and says where the first ones are.
inline void check(bool condition, const char* text, int line = __builtin_LINE()) {
  if (condition || ++failures > 20) return;
  std::printf("line %d: %s %s\n", line, text, current_dtype);
}

#define CHECK(condition) ftrans::test::check((condition), #condition)

inline std::mt19937& generator() {
  static std::mt19937 engine(7);
  return engine;
}

inline int64_t random_integer(int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(generator());
}

/// Every element of the tests has a value of this type, exactly.
using Value = std::complex<double>;

template <typename T>
Value to_value(T element) {
  if constexpr (cpu::steps::is_complex<T>) {
    return {element.real(), element.imag()};
  } else {
    return static_cast<double>(cpu::steps::load(element));
  }
}

template <typename T>
T from_value(Value value) {
  if constexpr (cpu::steps::is_complex<T>) {
    return T(static_cast<typename T::value_type>(value.real()),
             static_cast<typename T::value_type>(value.imag()));
  } else if constexpr (std::is_same_v<T, bool>) {
    return value.real() != 0;
  } else if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<int64_t>(value.real()));
  } else {
    return cpu::steps::store<T>(static_cast<cpu::steps::ComputeType<T>>(value.real()));
  }
}

template <typename T>
bool same(T a, T b) {
  const Value x = to_value(a), y = to_value(b);
  const auto equal = [](double p, double q) { return p == q || (p != p && q != q); };
  return equal(x.real(), y.real()) && equal(x.imag(), y.imag());
}

enum class Order { Dense, Transposed, Spread, Reversed, Broadcast };
inline constexpr Order kOrders[] = {Order::Dense, Order::Transposed, Order::Spread, Order::Reversed,
                                    Order::Broadcast};

template <typename T>
constexpr Dtype dtype_of() {
  for (int i = 0; i < kDtypeCount; ++i) {
    bool matches = false;
    cpu::steps::dispatch(static_cast<Dtype>(i),
                         [&]<typename U>(TypeTag<U>) { matches = std::is_same_v<T, U>; });
    if (matches) return static_cast<Dtype>(i);
  }
  return Dtype::Bool;
}

/// An array with strides of a given kind, filled with small random values (of which halves compute exactly).
template <typename T>
struct Array {
  Dims shape, strides;
  std::shared_ptr<T[]> memory;
  T* origin = nullptr;

  explicit Array(const Dims& extents, Order order = Order::Dense) : shape(extents), strides(extents.size()) {
    int64_t pitch = order == Order::Spread ? 2 : 1;
    int64_t start = 0;
    for (int i = 0; i < shape.size(); ++i) {
      const int axis = order == Order::Transposed ? i : shape.size() - 1 - i;
      strides[axis] = pitch;
      pitch *= order == Order::Spread ? shape[axis] + 1 : shape[axis];
      if (order == Order::Reversed) {
        start += strides[axis] * std::max<int64_t>(0, shape[axis] - 1);
        strides[axis] = -strides[axis];
      }
    }
    if (order == Order::Broadcast && !shape.empty()) strides[random_integer(0, shape.size() - 1)] = 0;
    memory = std::shared_ptr<T[]>(new T[std::max<int64_t>(1, pitch)]);
    const int64_t lowest = std::is_unsigned_v<T> ? 0 : -2;
    for (int64_t i = 0; i < pitch; ++i) {
      memory[i] = from_value<T>(
          Value(static_cast<double>(random_integer(lowest, 3)), static_cast<double>(random_integer(-2, 2))));
    }
    origin = memory.get() + start;
  }

  int64_t size() const { return element_count(shape); }

  T& operator[](const Dims& coordinate) const {
    int64_t offset = 0;
    for (int axis = 0; axis < shape.size(); ++axis) offset += coordinate[axis] * strides[axis];
    return origin[offset];
  }

  /// The `index`-th element in row-major order.
  T& flat(int64_t index) const {
    return (*this)[cpu::steps::coordinate_of(index, shape.data(), shape.size())];
  }

  TensorView view() const { return {origin, dtype_of<T>(), shape.size(), shape.data(), strides.data()}; }
};

inline Dims random_shape(int ndim, int64_t low = 1, int64_t high = 5) {
  Dims shape(ndim);
  for (int64_t& extent : shape) extent = random_integer(low, high);
  return shape;
}

template <typename Function>
void for_each_coordinate(const Dims& shape, Function function) {
  if (element_count(shape) == 0) return;
  Dims coordinate(shape.size());
  do {
    function(coordinate);
  } while (cpu::steps::next_coordinate(coordinate, shape.data(), shape.size()));
}

inline void run(Opcode opcode, std::vector<TensorView> inputs, std::vector<TensorView> outputs,
                std::vector<int64_t> parameters, bool first_input_is_output = false) {
  cpu::step_kernel(opcode)({inputs.data(), static_cast<int>(inputs.size()), outputs.data(),
                            static_cast<int>(outputs.size()), parameters.data(),
                            static_cast<int>(parameters.size()), first_input_is_output});
}

template <typename Function>
void for_each_dtype(Function function) {
  for (int i = 0; i < kDtypeCount; ++i) {
    current_dtype = name(static_cast<Dtype>(i));
    cpu::steps::dispatch(static_cast<Dtype>(i), function);
  }
  current_dtype = "";
}

using Parameters = std::vector<int64_t>;

inline void append(Parameters& parameters, const Dims& items) {
  parameters.insert(parameters.end(), items.begin(), items.end());
}

inline void append_list(Parameters& parameters, const Dims& items) {
  parameters.push_back(items.size());
  append(parameters, items);
}

template <typename T>
void check_same(const Array<T>& actual, const Array<T>& expected, int line = __builtin_LINE()) {
  bool all_same = true;
  for_each_coordinate(expected.shape, [&](const Dims& at) { all_same &= same(actual[at], expected[at]); });
  check(all_same, "arrays differ", line);
}

/// Gather and scatter (test_step_indexing.cpp).
void test_indexing();

/// Factorizations, solvers and spectra (test_step_linear_algebra.cpp).
void test_linear_algebra();

/// Sorting (test_step_sort.cpp).
void test_sort();

/// Convolutions and reductions of windows (test_step_windows.cpp).
void test_windows();

}  // namespace ftrans::test
