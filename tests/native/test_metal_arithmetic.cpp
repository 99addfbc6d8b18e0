// Hand-written kernels of scans, extremes, products, convolutions and windows on the host Metal device, against
// the CPU's step kernels.
// Usage: ftrans_metal_arithmetic_tests PATH_OF_LIBSCIPY_OPENBLAS

#include "cpu/blas.h"
#include "metal_step_testing.h"

using namespace ftrans;
using namespace ftrans::test;

namespace {

constexpr Opcode kScans[] = {Opcode::Cumsum, Opcode::Cumprod, Opcode::Cummax, Opcode::Cummin};

template <typename T>
constexpr bool is_float = cpu::steps::is_half<T> || std::is_floating_point_v<T>;

/// Numbers with infinities, NaN and zeros of both signs among them.
template <typename T>
Array<T> with_specials(const Dims& shape, Order order) {
  Array<T> array(shape, order);
  if constexpr (is_float<T>) {
    constexpr double kSpecial[] = {INFINITY, -INFINITY, NAN, 0.0, -0.0};
    for_each_coordinate(shape, [&](const Dims& at) {
      if (random_integer(0, 3) == 0) array[at] = from_value<T>(kSpecial[random_integer(0, 4)]);
    });
  }
  return array;
}

template <typename T>
Case scan_case(Opcode opcode, const Array<T>& array, int64_t axis, bool reverse, double tolerance = 0) {
  return {opcode, {Data(array)}, {dtype_of<T>(), array.shape}, {axis, reverse}, tolerance};
}

/// ±1 and ±0.5 with a few twos: products stay exact and small.
template <typename T>
Array<T> factors(const Dims& shape, Order order) {
  Array<T> array(shape, order);
  for_each_coordinate(shape, [&](const Dims& at) {
    array[at] = from_value<T>(Value(random_integer(0, 1) ? 1 : -1, 0));
  });
  return array;
}

void scans() {
  std::vector<Case> cases;
  for_each_metal_dtype([&]<typename T>(TypeTag<T>) {
    for (const Opcode opcode : kScans) {
      const bool orders = opcode == Opcode::Cummax || opcode == Opcode::Cummin;
      const auto make = [&](const Dims& shape, Order order) {
        if (orders) return with_specials<T>(shape, order);
        return opcode == Opcode::Cumprod ? factors<T>(shape, order) : Array<T>(shape, order);
      };
      for (const Order order : kOrders) {
        const bool reverse = random_integer(0, 1);
        cases.push_back(scan_case(opcode, make({3, 5, 4}, order), random_integer(0, 2), reverse));
        cases.push_back(scan_case(opcode, make({2, 150}, order), 1, !reverse));
      }
    }
  });
  run_cases(cases);
}

void searches() {
  std::vector<Case> cases;
  for_each_metal_dtype([&]<typename T>(TypeTag<T>) {
    if constexpr (!cpu::steps::is_complex<T>) {
      for (const Opcode opcode : {Opcode::Argmax, Opcode::Argmin}) {
        for (const Order order : kOrders) {
          for (const int64_t axis : {0, 1, 2}) {
            const Dims shape = axis == 2 ? Dims{2, 3, 70} : Dims{3, 5, 4};
            cases.push_back({opcode,
                             {Data(with_specials<T>(shape, order))},
                             {Dtype::Int32, axis == 0 ? Dims{5, 4} : axis == 1 ? Dims{3, 4} : Dims{2, 3}},
                             {axis}});
          }
        }
      }
    }
  });
  run_cases(cases);
}

/// A product of matrices lhs[batch…, rows, depth] and rhs[batch…, depth, columns].
template <typename T>
Case matmul(const Dims& batch, int64_t rows, int64_t depth, int64_t columns, Order left, Order right,
            double tolerance = 0) {
  Dims lhs = batch, rhs = batch, out = batch;
  lhs.push_back(rows);
  lhs.push_back(depth);
  rhs.push_back(depth);
  rhs.push_back(columns);
  out.push_back(rows);
  out.push_back(columns);
  const int64_t axes = batch.size();
  Parameters parameters = {1, axes, axes + 1, axes};
  for (int repeat = 0; repeat < 2; ++repeat) {
    for (int64_t axis = 0; axis < axes; ++axis) parameters.push_back(axis);
  }
  return {Opcode::DotGeneral,
          {Data(Array<T>(lhs, left)), Data(Array<T>(rhs, right))},
          {dtype_of<T>(), out},
          parameters,
          tolerance};
}

void products() {
  std::vector<Case> cases;
  for_each_metal_dtype([&]<typename T>(TypeTag<T>) {
    cases.push_back(matmul<T>({}, 35, 20, 40, Order::Dense, Order::Dense));
    cases.push_back(matmul<T>({2}, 9, 33, 10, Order::Transposed, Order::Spread));
    cases.push_back(matmul<T>({2, 3}, 5, 7, 3, Order::Reversed, Order::Transposed));
    cases.push_back(matmul<T>({2}, 40, 30, 1, Order::Dense, Order::Dense));
    cases.push_back(matmul<T>({2}, 1, 70, 40, Order::Dense, Order::Broadcast));
    cases.push_back(matmul<T>({2}, 40, 70, 1, Order::Transposed, Order::Reversed));
    cases.push_back(matmul<T>({}, 3, 0, 4, Order::Dense, Order::Dense));
    cases.push_back(matmul<T>({}, 0, 3, 4, Order::Dense, Order::Dense));
  });
  run_cases(cases);
}

/// A convolution: lhs [batch, spatial…, channels], rhs [outputs, window…, channels of a group].
struct Convolution {
  Dims lhs, rhs;
  Dims stride, low, high, lhs_dilation, rhs_dilation;
  int64_t feature_groups = 1, batch_groups = 1;

  template <typename T>
  Case make(Order left, Order right) const {
    const int spatial = lhs.size() - 2;
    Dims out = {lhs[0] / batch_groups};
    for (int i = 0; i < spatial; ++i) {
      const auto dilated = [](int64_t n, int64_t by) { return n == 0 ? 0 : (n - 1) * by + 1; };
      const int64_t padded = dilated(lhs[i + 1], lhs_dilation[i]) + low[i] + high[i];
      const int64_t window = dilated(rhs[i + 1], rhs_dilation[i]);
      out.push_back(padded < window ? 0 : (padded - window) / stride[i] + 1);
    }
    out.push_back(rhs[0]);
    Parameters parameters = {feature_groups, batch_groups};
    for (const Dims* each : {&stride, &low, &lhs_dilation, &rhs_dilation}) append(parameters, *each);
    return {Opcode::Conv,
            {Data(Array<T>(lhs, left)), Data(Array<T>(rhs, right))},
            {dtype_of<T>(), out},
            parameters};
  }
};

void convolutions() {
  const Convolution cases_of[] = {
      {{2, 6, 5, 3}, {6, 3, 2, 3}, {1, 1}, {1, 0}, {1, 1}, {1, 1}, {1, 1}},
      {{1, 9, 8, 4}, {6, 2, 3, 2}, {2, 1}, {0, 1}, {1, 2}, {1, 1}, {2, 1}, 2},
      {{2, 7, 4}, {4, 3, 1}, {2}, {1}, {1}, {1}, {1}, 4},
      {{4, 5, 4, 3}, {10, 2, 2, 3}, {1, 1}, {1, 1}, {1, -1}, {1, 1}, {1, 2}, 1, 2},
      {{2, 4, 3, 5}, {5, 3, 3, 5}, {1, 1}, {2, 1}, {1, 2}, {2, 3}, {1, 2}},
      {{2, 5, 3}, {5, 3, 3}, {2}, {3}, {2}, {2}, {1}},
      {{3, 2}, {7, 2}, {}, {}, {}, {}, {}},
      {{1, 3, 3, 2, 2}, {5, 2, 2, 2, 2}, {1, 1, 1}, {0, 1, 0}, {0, 0, 1}, {1, 1, 1}, {1, 1, 1}},
      {{2, 0, 3}, {5, 2, 3}, {1}, {2}, {2}, {1}, {1}},
  };
  std::vector<Case> cases;
  for_each_metal_dtype([&]<typename T>(TypeTag<T>) {
    if constexpr (!std::is_same_v<T, bool>) {
      int number = dtype_of<T>() == Dtype::Float32 ? 0 : static_cast<int>(dtype_of<T>());
      for (const Convolution& each : cases_of) {
        // All kernels of float32, some of the others.
        if (number++ % 3 != 0 && !std::is_same_v<T, float>) continue;
        cases.push_back(each.make<T>(kOrders[number % 5], kOrders[number / 2 % 5]));
      }
    }
  });
  run_cases(cases);
}

struct Window {
  Dims shape, window, stride, low, high, dilation;

  Dims positions() const {
    Dims out;
    for (int i = 0; i < shape.size(); ++i) {
      const int64_t padded = shape[i] + low[i] + high[i], reach = (window[i] - 1) * dilation[i] + 1;
      out.push_back(padded < reach ? 0 : (padded - reach) / stride[i] + 1);
    }
    return out;
  }
  Parameters parameters() const {
    Parameters result;
    for (const Dims* each : {&window, &stride, &low, &dilation}) append(result, *each);
    return result;
  }
};

void windows() {
  const Window windows_of[] = {
      {{2, 6, 5, 3}, {1, 2, 3, 1}, {1, 2, 1, 1}, {0, 1, 1, 0}, {0, 0, 1, 0}, {1, 1, 2, 1}},
      {{13}, {4}, {3}, {5}, {5}, {1}},
      {{4, 7}, {2, 3}, {1, 2}, {-1, 0}, {0, -2}, {1, 2}},
      {{}, {}, {}, {}, {}, {}},
      {{0, 3}, {1, 2}, {1, 1}, {2, 0}, {1, 0}, {1, 1}},
  };
  std::vector<Case> cases;
  for_each_metal_dtype([&]<typename T>(TypeTag<T>) {
    for (const Opcode opcode : {Opcode::ReduceWindowSum, Opcode::ReduceWindowProd, Opcode::ReduceWindowMax,
                                Opcode::ReduceWindowMin, Opcode::WindowArgmax, Opcode::WindowArgmin}) {
      const bool sums = opcode == Opcode::ReduceWindowSum || opcode == Opcode::ReduceWindowProd;
      if (cpu::steps::is_complex<T> && !sums) continue;
      const bool searches = opcode == Opcode::WindowArgmax || opcode == Opcode::WindowArgmin;
      for (const Window& each : windows_of) {
        const Order order = kOrders[random_integer(0, 4)];
        const Dtype result = searches ? random_integer(0, 1) ? Dtype::Int32 : Dtype::Int64 : dtype_of<T>();
        const Data input(sums ? Array<T>(each.shape, order) : with_specials<T>(each.shape, order));
        cases.push_back({opcode, {input}, {result, each.positions()}, each.parameters()});
      }
    }
  });
  run_cases(cases);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::printf("usage: %s PATH_OF_LIBSCIPY_OPENBLAS\n", argv[0]);
    return 2;
  }
  cpu::set_blas_path(argv[1]);
  setenv("FTRANS_METAL", "host", 1);
  scans();
  searches();
  products();
  convolutions();
  windows();
  if (failures == 0) std::printf("all checks passed\n");
  return failures == 0 ? 0 : 1;
}
