#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "step_testing.h"

/// Sorting: all dtypes and layouts, and rows of every length that a kernel may treat in its own way.
namespace ftrans::test {
namespace {

bool ordered_before(Value a, Value b) {
  const auto rank = [](Value v) { return v.real() != v.real() ? 2 : v.imag() != v.imag() ? 1 : 0; };
  if (rank(a) != rank(b)) return rank(a) < rank(b);
  if (a.real() == a.real() && a.real() != b.real()) return a.real() < b.real();
  return a.imag() < b.imag();
}

template <typename T>
void check_sort(const Dims& shape, int axis, int num_keys, Order order) {
  // Operands: keys of type T (many of them equal), an int16 key, and positions that show stability.
  const Array<T> keys(shape, order), sorted_keys(shape);
  const Array<int16_t> second(shape), sorted_second(shape);
  const Array<int32_t> payload(shape), sorted_payload(shape);
  if constexpr (std::is_floating_point_v<T> || cpu::steps::is_half<T> || cpu::steps::is_complex<T>) {
    for (int64_t i = 0; i < keys.size(); i += 7)
      keys.flat(i) = from_value<T>(std::numeric_limits<double>::quiet_NaN());
    for (int64_t i = 1; i < keys.size(); i += 5) keys.flat(i) = from_value<T>(-0.0);
  }
  Dims lines = shape;
  lines[axis] = 1;
  for_each_coordinate(shape, [&](const Dims& at) { payload[at] = static_cast<int32_t>(at[axis]); });
  run(Opcode::Sort, {keys.view(), second.view(), payload.view()},
      {sorted_keys.view(), sorted_second.view(), sorted_payload.view()}, {axis, num_keys});
  const Array<T> alone(shape);
  run(Opcode::Sort, {keys.view()}, {alone.view()}, {axis, 1});
  for_each_coordinate(lines, [&](Dims at) {
    const auto value = [&](const auto& array, int64_t i) {
      at[axis] = i;
      return to_value(array[at]);
    };
    std::vector<int64_t> expected(static_cast<size_t>(shape[axis]));
    std::iota(expected.begin(), expected.end(), 0);
    std::stable_sort(expected.begin(), expected.end(), [&](int64_t a, int64_t b) {
      const Value x = value(keys, a), y = value(keys, b);
      if (ordered_before(x, y) || ordered_before(y, x) || num_keys == 1) return ordered_before(x, y);
      return value(second, a).real() < value(second, b).real();
    });
    for (int64_t i = 0; i < shape[axis]; ++i) {
      Dims from = at;
      from[axis] = expected[static_cast<size_t>(i)];
      at[axis] = i;
      CHECK(sorted_payload[at] == from[axis]);
      CHECK(same(sorted_keys[at], keys[from]) && sorted_second[at] == second[from]);
      CHECK(std::signbit(to_value(sorted_keys[at]).real()) == std::signbit(to_value(keys[from]).real()) ||
            to_value(keys[from]).real() != to_value(keys[from]).real());
      if (num_keys == 1) CHECK(same(alone[at], keys[from]));
    }
  });
}

enum class Pattern { Random, FewValues, Ascending, Descending, Equal, Extremes };
constexpr Pattern kPatterns[] = {Pattern::Random,     Pattern::FewValues, Pattern::Ascending,
                                 Pattern::Descending, Pattern::Equal,     Pattern::Extremes};

/// The i-th of n values that follow a pattern; those of 8 bytes differ in either half of their bits.
template <typename T>
T patterned(Pattern pattern, int64_t i, int64_t n) {
  using Limits = std::numeric_limits<T>;
  const T step = sizeof(T) == 8 && i % 2 == 0 ? static_cast<T>(int64_t{1} << 35) : T{1};
  switch (pattern) {
    case Pattern::Random: return static_cast<T>(random_integer(-100000, 100000) * (step == 1 ? 1 : 1 << 20));
    case Pattern::FewValues: return static_cast<T>(random_integer(-2, 2)) * step;
    case Pattern::Ascending: return static_cast<T>(i - n / 2);
    case Pattern::Descending: return static_cast<T>(n / 2 - i);
    case Pattern::Equal: return T{7};
    case Pattern::Extremes: break;
  }
  if constexpr (std::is_floating_point_v<T>) {
    const T values[] = {Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity(), T{0}, -T{0},
                        Limits::min()};
    return values[random_integer(0, 5)];
  } else {
    const T values[] = {Limits::max(), Limits::min(), T{0}};
    return values[random_integer(0, 2)];
  }
}

/// Sorts a row alone, and with positions, and compares both with a stable sort.
template <typename T>
void check_row(const std::vector<T>& row) {
  const auto n = static_cast<int64_t>(row.size());
  const Array<T> keys({n}), alone({n}), sorted({n});
  const Array<int32_t> positions({n}), order({n});
  std::copy(row.begin(), row.end(), keys.origin);
  std::iota(positions.origin, positions.origin + n, 0);
  run(Opcode::Sort, {keys.view()}, {alone.view()}, {0, 1});
  run(Opcode::Sort, {keys.view(), positions.view()}, {sorted.view(), order.view()}, {0, 1});
  std::vector<int32_t> expected(positions.origin, positions.origin + n);
  std::stable_sort(expected.begin(), expected.end(), [&](int32_t a, int32_t b) {
    const bool a_is_nan = row[a] != row[a], b_is_nan = row[b] != row[b];
    return a_is_nan || b_is_nan ? b_is_nan && !a_is_nan : row[a] < row[b];
  });
  bool in_order = true;
  for (int64_t i = 0; i < n; ++i) {
    const T value = row[expected[i]];
    in_order &=
        order.origin[i] == expected[i] && same(sorted.origin[i], value) && same(alone.origin[i], value);
    if constexpr (std::is_floating_point_v<T>) {
      in_order &= value != value || std::signbit(alone.origin[i]) == std::signbit(value);
    }
  }
  check(in_order, "a row is not in order");
}

template <typename T>
void check_rows() {
  std::vector<int64_t> lengths(140);
  std::iota(lengths.begin(), lengths.end(), 0);
  for (int64_t boundary : {192, 256, 512, 1024, 2048, 1 << 14, 1 << 15, 1 << 16}) {
    for (int64_t offset : {-1, 0, 1}) lengths.push_back(boundary + offset);
  }
  lengths.push_back(300007);
  for (int64_t length : lengths) {
    for (Pattern pattern : kPatterns) {
      std::vector<T> row(static_cast<size_t>(length));
      for (int64_t i = 0; i < length; ++i) row[i] = patterned<T>(pattern, i, length);
      check_row(row);
    }
  }
}

/// A row whose every pivot, the middle one of a sample from all over the range, is among its least keys.
void check_worst_row() {
  constexpr int kLanes = 16, kSample = 64;
  std::vector<int32_t> row(6000, -1), range(row.size());
  std::iota(range.begin(), range.end(), 0);
  int32_t next = 0;
  while (range.size() > 1024) {
    const auto size = static_cast<int64_t>(range.size());
    std::vector<int32_t> sample;
    for (int64_t i = 0; i < kSample; ++i) sample.push_back(range[(2 * i + 1) * size / (2 * kSample)]);
    auto chosen = std::count_if(sample.begin(), sample.end(), [&](int32_t i) { return row[i] >= 0; });
    for (int32_t i : sample) {
      if (row[i] < 0 && chosen++ <= kSample / 2) row[i] = next++;
    }
    // The pivot and what is greater go to the end of the memory, register by register.
    std::vector<int32_t> rest;
    for (int64_t begin = (size - 1) / kLanes * kLanes; begin >= 0; begin -= kLanes) {
      for (int64_t i = begin; i < std::min(begin + kLanes, size); ++i) {
        if (row[range[i]] < 0 || row[range[i]] == next - 1) rest.push_back(range[i]);
      }
    }
    range = rest;
  }
  for (int32_t i : range) {
    if (row[i] < 0) row[i] = next++;
  }
  check_row(row);
}

}  // namespace

void test_sort() {
  for_each_dtype([]<typename T>(TypeTag<T>) {
    for (int repeat = 0; repeat < 20; ++repeat) {
      const int ndim = static_cast<int>(random_integer(1, 3));
      check_sort<T>(random_shape(ndim, 0, 6), static_cast<int>(random_integer(0, ndim - 1)), 1 + repeat % 2,
                    kOrders[repeat % 5]);
    }
    check_sort<T>({3, 500}, 1, 2, Order::Dense);
    check_sort<T>({500, 3}, 0, 1, Order::Dense);
    check_sort<T>({20000}, 0, 1, Order::Dense);
    check_sort<T>({100000}, 0, 2, Order::Reversed);
  });
  check_rows<float>();
  check_rows<double>();
  check_rows<int32_t>();
  check_rows<int64_t>();
  check_worst_row();
}

}  // namespace ftrans::test
