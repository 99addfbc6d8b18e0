// Hand-written kernels of scans, extremes, products, convolutions and windows on the host Metal device,
// against the CPU's step kernels. Usage: ftrans_metal_arithmetic_tests PATH_OF_LIBSCIPY_OPENBLAS

#include "core/thread_pool.h"
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
  for_each_coordinate(
      shape, [&](const Dims& at) { array[at] = from_value<T>(Value(random_integer(0, 1) ? 1 : -1, 0)); });
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
      // Both forms of float32, one of the others.
      const int form = static_cast<int>(dtype_of<T>()) + static_cast<int>(opcode);
      for (const Order order : kOrders) {
        const bool reverse = random_integer(0, 1), all = std::is_same_v<T, float>;
        if (all || form % 2 == 0)
          cases.push_back(scan_case(opcode, make({3, 5, 4}, order), random_integer(0, 2), reverse));
        if (all || form % 2 == 1) cases.push_back(scan_case(opcode, make({2, 150}, order), 1, !reverse));
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
        const int form = static_cast<int>(dtype_of<T>()) + static_cast<int>(opcode);
        for (const Order order : kOrders) {
          for (const int64_t axis : {0, 1, 2}) {
            if ((axis == 2) != (form % 2 == 1) && !std::is_same_v<T, float>) continue;
            const Dims shape = axis == 2 ? Dims{2, 3, 70} : Dims{3, 5, 4};
            cases.push_back({opcode,
                             {Data(with_specials<T>(shape, order))},
                             {Dtype::Int32, axis == 0   ? Dims{5, 4}
                                            : axis == 1 ? Dims{3, 4}
                                                        : Dims{2, 3}},
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

/// A product over several axes, in an order that no strides describe: lhs[i, a, j, b] · rhs[b, k, a] → [i, j,
/// k].
template <typename T>
Case contraction(Order left, Order right) {
  return {Opcode::DotGeneral,
          {Data(Array<T>({3, 4, 2, 5}, left)), Data(Array<T>({5, 6, 4}, right))},
          {dtype_of<T>(), {3, 2, 6}},
          {2, 0, 1, 3, 2, 0}};
}

void products() {
  std::vector<Case> cases;
  for_each_metal_dtype([&]<typename T>(TypeTag<T>) {
    int number = static_cast<int>(dtype_of<T>());
    const auto add = [&](const Case& test) {  // all kernels of float32, half of the others
      if (number++ % 2 == 0 || std::is_same_v<T, float>) cases.push_back(test);
    };
    add(matmul<T>({}, 35, 20, 40, Order::Dense, Order::Dense));
    add(matmul<T>({2}, 9, 33, 10, Order::Transposed, Order::Spread));
    add(matmul<T>({2, 3}, 5, 7, 3, Order::Reversed, Order::Transposed));
    add(matmul<T>({2}, 40, 30, 1, Order::Dense, Order::Dense));
    add(matmul<T>({2}, 1, 70, 40, Order::Dense, Order::Broadcast));
    add(matmul<T>({2}, 40, 70, 1, Order::Transposed, Order::Reversed));
    add(matmul<T>({}, 3, 0, 4, Order::Dense, Order::Dense));
    add(matmul<T>({}, 0, 3, 4, Order::Dense, Order::Dense));
    add(contraction<T>(kOrders[random_integer(0, 4)], Order::Dense));
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
      int number = static_cast<int>(dtype_of<T>()) + static_cast<int>(opcode);
      for (const Window& each : windows_of) {
        // All kernels of float32, some of the others.
        if (number++ % 5 != 0 && !std::is_same_v<T, float>) continue;
        const Order order = kOrders[random_integer(0, 4)];
        const Dtype result = searches ? random_integer(0, 1) ? Dtype::Int32 : Dtype::Int64 : dtype_of<T>();
        const Data input(sums ? Array<T>(each.shape, order) : with_specials<T>(each.shape, order));
        cases.push_back({opcode, {input}, {result, each.positions()}, each.parameters()});
      }
    }
  });
  run_cases(cases);
}

/// Bytes to read and to write.
struct Traffic {
  int64_t read, written;
};

/// What a case moves, at most 1.1 times what it has to: `read` and `written` bytes.
void check_traffic(const Case& test, int64_t read, int64_t written) {
  const Results traffic = run_case(test);
  const bool good = traffic.read + traffic.written <= 1.1 * static_cast<double>(read + written);
  if (good && traffic.written >= written) return;
  check(false, (description(test) + ": reads " + std::to_string(traffic.read) + ", writes " +
                std::to_string(traffic.written) + " bytes, not " + std::to_string(read) + " and " +
                std::to_string(written))
                   .c_str());
}

/// Scans and searches: all is read and written once, also where one long row or few long columns are divided.
std::vector<std::pair<Case, Traffic>> long_axes() {
  std::vector<std::pair<Case, Traffic>> cases;
  const auto add = [&]<typename T>(TypeTag<T>, const Dims& shape, int64_t axis) {
    const Array<T> array = with_specials<T>(shape, Order::Dense), plain(shape, Order::Dense);
    const int64_t bytes = array.size() * static_cast<int64_t>(sizeof(T));
    const bool reverse = random_integer(0, 1);
    cases.push_back(
        {scan_case(Opcode::Cumsum, plain, axis, reverse, sizeof(T) == 2 ? 1e-2 : 0), {bytes, bytes}});
    cases.push_back({scan_case(Opcode::Cummax, array, axis, !reverse), {bytes, bytes}});
    if constexpr (cpu::steps::is_complex<T>) return;
    const int64_t results = array.size() / shape[static_cast<int>(axis)];
    cases.push_back({{Opcode::Argmin, {Data(array)}, {Dtype::Int32, {results}}, {axis}},
                     {bytes, results * static_cast<int64_t>(sizeof(int32_t))}});
  };
  add(TypeTag<float>{}, {5, 3000}, 1);
  add(TypeTag<float>{}, {1, 70'001}, 1);
  add(TypeTag<float>{}, {300, 40}, 0);
  add(TypeTag<Float16>{}, {5000, 3}, 0);
  add(TypeTag<int8_t>{}, {3, 9000}, 1);
  add(TypeTag<uint64_t>{}, {700, 33}, 0);
  add(TypeTag<std::complex<float>>{}, {1, 9000}, 1);
  return cases;
}

void traffic() {
  std::vector<std::pair<Case, Traffic>> cases = long_axes();
  // Products: a tile reads its rows and columns once, so each side is read as often as it meets tiles.
  const auto product = [&](const Case& test, int64_t rows, int64_t depth, int64_t columns, int64_t side) {
    const auto tiles = [&](int64_t extent) { return (extent + side - 1) / side; };
    const int64_t bytes = itemsize(test.outputs[0].dtype);
    cases.push_back(
        {test,
         {(rows * depth * tiles(columns) + depth * columns * tiles(rows)) * bytes, rows * columns * bytes}});
  };
  product(matmul<float>({}, 130, 40, 70, Order::Dense, Order::Transposed), 130, 40, 70, 64);
  product(matmul<Float16>({}, 70, 33, 65, Order::Transposed, Order::Dense), 70, 33, 65, 64);
  product(matmul<int32_t>({}, 33, 40, 70, Order::Dense, Order::Dense), 33, 40, 70, 32);
  // A long depth is divided: the sums of the parts are little beside the sides.
  product(matmul<float>({}, 12, 1200, 10, Order::Dense, Order::Dense), 12, 1200, 10, 32);
  product(matmul<std::complex<float>>({}, 10, 600, 12, Order::Dense, Order::Dense), 10, 600, 12, 32);
  // A matrix times a vector reads the matrix once; a row of threads shares the vector's elements in caches.
  const auto vector = [&](const Case& test, int64_t rows, int64_t depth, int64_t vectors) {
    const int64_t bytes = itemsize(test.outputs[0].dtype);
    cases.push_back({test, {(rows * depth + vectors * depth) * bytes, rows * bytes}});
  };
  vector(matmul<float>({}, 50, 3000, 1, Order::Dense, Order::Dense), 50, 3000, 50);
  vector(matmul<float>({}, 1, 3000, 64, Order::Dense, Order::Dense), 64, 3000, 64);
  vector(matmul<BFloat16>({}, 1, 5000, 1, Order::Dense, Order::Dense), 1, 5000, 1);
  // A convolution is a product whose left side is read window by window.
  const Convolution inside{{2, 8, 9, 4}, {5, 3, 2, 4}, {1, 1}, {0, 0}, {0, 0}, {1, 1}, {1, 1}};
  const int64_t windows = 2 * 6 * 8, depth = 3 * 2 * 4;
  cases.push_back({inside.make<float>(Order::Dense, Order::Dense),
                   {(windows * depth + depth * 5 * (windows / 32)) * 4, windows * 5 * 4}});
  // Windows side by side, of which each element is in one.
  const Window pooling{{4, 12, 12, 3}, {1, 2, 3, 1}, {1, 2, 3, 1}, {0, 0, 0, 0}, {0, 0, 0, 0}, {1, 1, 1, 1}};
  const Array<float> image(pooling.shape);
  cases.push_back(
      {{Opcode::ReduceWindowMax, {Data(image)}, {Dtype::Float32, pooling.positions()}, pooling.parameters()},
       {image.size() * 4, element_count(pooling.positions()) * 4}});
  std::vector<Case> all;
  for (const auto& [test, bytes] : cases) all.push_back(test);
  compile(all);
  // One after the other, so that no threadgroup waits for another: looks at memory count, too.
  const int threads = ThreadPool::instance().size();
  ThreadPool::instance().resize(1);
  for (const auto& [test, bytes] : cases) check_traffic(test, bytes.read, bytes.written);
  ThreadPool::instance().resize(threads);
}

/// SIMD-groups multiply no more than what fills the tiles.
void work_of_products() {
  const std::vector<Case> cases = {matmul<float>({}, 64, 24, 128, Order::Dense, Order::Dense),
                                   matmul<Float16>({2}, 40, 16, 20, Order::Dense, Order::Transposed)};
  constexpr uint64_t kProducts[] = {8 * 4 * 16, 2 * 8 * 2 * 4};  // a depth of 16 at a time
  compile(cases);
  for (size_t i = 0; i < cases.size(); ++i) {
    metal::host::counters().matrix_products = 0;
    run_case(cases[i]);
    CHECK(metal::host::counters().matrix_products == kProducts[i]);
  }
}

/// Strides that do not fit in 32 bits.
void wide_offsets() {
  constexpr int64_t kRows = 3, kColumns = 70;
  const Data input = Data::far_apart({kRows, kColumns});
  Data square = input;
  std::swap(square.shape[0], square.shape[1]);
  std::swap(square.strides[0], square.strides[1]);
  std::vector<Case> cases = {
      {Opcode::Cumsum, {input}, {Dtype::Int8, {kRows, kColumns}}, {1, 1}},
      {Opcode::Argmin, {input}, {Dtype::Int32, {kRows}}, {1}},
      {Opcode::Cumsum, {input}, {Dtype::Int8, {kRows, kColumns}}, {0, 0}},
      {Opcode::Argmax, {input}, {Dtype::Int32, {kColumns}}, {0}},
      {Opcode::DotGeneral, {input, square}, {Dtype::Int8, {kRows, kRows}}, {1, 0, 1, 0}},
      {Opcode::ReduceWindowSum, {input}, {Dtype::Int8, {2, kColumns - 1}}, {2, 2, 1, 1, 0, 0, 1, 1}},
      {Opcode::Conv, {input, input}, {Dtype::Int8, {kRows, kRows}}, {1, 1}},  // without spatial axes
  };
  run_cases(cases);
}

/// Whatever order threads and threadgroups run in, results are the same bits.
void thread_orders() {
  const Array<float> row({2, 20'000}, Order::Dense);
  for (int64_t i = 0; i < 40'000; ++i)
    row.origin[i] = static_cast<float>(random_integer(-1000, 1000)) * 1e-3f;
  std::vector<Case> cases = {
      scan_case(Opcode::Cumsum, row, 1, true, 1e-3),
      {Opcode::Argmax, {Data(row)}, {Dtype::Int32, {2}}, {1}},
      matmul<float>({}, 40, 600, 5, Order::Dense, Order::Dense),
      {Opcode::DotGeneral, {Data(row), Data(row)}, {Dtype::Float32, {2}}, {1, 1, 1, 1, 0, 0}, 1e-3},
      Convolution{{2, 9, 7, 5}, {7, 3, 3, 5}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}}.make<float>(
          Order::Dense, Order::Dense),
  };
  compile(cases);
  for (const Case& test : cases) run_case_in_orders(test);
}

/// Rows and columns that are divided into tiles, of every dtype. Their results are the same bits, too, where
/// a threadgroup stands still until those that wait for it have ended.
void tiles() {
  std::vector<Case> cases;
  for_each_metal_dtype([&]<typename T>(TypeTag<T>) {
    const Dims rows = {2, 1, 4100}, columns = {2, 1050, 3}, wide = {400, 35};
    for (const Opcode opcode : kScans) {
      const int number = static_cast<int>(dtype_of<T>()) + static_cast<int>(opcode);
      const Dims& shape = number % 3 == 0 ? rows : number % 3 == 1 ? columns : wide;
      const Order order = kOrders[static_cast<size_t>(number) % std::size(kOrders)];
      const int64_t axis = number % 3 == 0 ? 2 : number % 3 == 1 ? 1 : 0;
      const bool orders = opcode == Opcode::Cummax || opcode == Opcode::Cummin;
      const Array<T> array = orders                      ? with_specials<T>(shape, order)
                             : opcode == Opcode::Cumprod ? factors<T>(shape, order)
                                                         : Array<T>(shape, order);
      // Sums of thousands of half-precision numbers are rounded in parts.
      const double tolerance = opcode == Opcode::Cumsum && cpu::steps::is_half<T> ? 2e-2 : 0;
      cases.push_back(scan_case(opcode, array, axis, number % 2 == 0, tolerance));
    }
  });
  const Array<float> fractions({9000}, Order::Dense);
  for (int64_t i = 0; i < 9000; ++i)
    fractions.origin[i] = static_cast<float>(random_integer(-1000, 1000)) * 1e-3f;
  cases.push_back(scan_case(Opcode::Cumsum, fractions, 0, false, 1e-3));
  compile(cases);
  for (const Case& test : cases) {
    const Results plain = run_case(test);
    metal::host::options().overtaking = true;
    const Results overtaken = run_on_device(test);
    metal::host::options().overtaking = false;
    check(overtaken.outputs == plain.outputs, (description(test) + ": depends on who waits").c_str());
    check(overtaken.read > plain.written, (description(test) + ": nothing was computed twice").c_str());
  }
}

/// Results without elements, and axes of one.
void small_shapes() {
  const Array<float> none({0, 3}), one({1, 1}), row({1, 5});
  std::vector<Case> cases = {
      scan_case(Opcode::Cumsum, none, 0, false),
      scan_case(Opcode::Cumprod, none, 1, false),
      scan_case(Opcode::Cummin, one, 0, true),
      scan_case(Opcode::Cummax, row, 0, true),
      {Opcode::Argmax, {Data(none)}, {Dtype::Int32, {0}}, {1}},
      {Opcode::Argmin, {Data(one)}, {Dtype::Int32, {1}}, {0}},
      {Opcode::DotGeneral, {Data(Array<float>({})), Data(row)}, {Dtype::Float32, {1, 5}}, {0, 0}},
      matmul<float>({0}, 2, 3, 4, Order::Dense, Order::Dense),
      matmul<float>({1}, 1, 1, 1, Order::Dense, Order::Dense),
  };
  run_cases(cases);
}

/// What has no kernel is left to the processor.
void refusals() {
  for (const Dtype dtype : {Dtype::Float64, Dtype::Complex128}) {
    for (const Opcode opcode : {Opcode::Cumsum, Opcode::Argmax, Opcode::DotGeneral, Opcode::Conv,
                                Opcode::ReduceWindowSum, Opcode::WindowArgmin})
      CHECK(!metal::step_kernel(opcode, dtype));
  }
  CHECK(!metal::step_kernel(Opcode::Argmax, Dtype::Complex64));
  CHECK(!metal::step_kernel(Opcode::ReduceWindowMin, Dtype::Complex64));
  CHECK(!metal::step_kernel(Opcode::Conv, Dtype::Bool));
  CHECK(metal::step_kernel(Opcode::Cummax, Dtype::Complex64));
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
  traffic();
  work_of_products();
  wide_offsets();
  thread_orders();
  tiles();
  small_shapes();
  refusals();
  if (failures == 0) std::printf("all checks passed\n");
  return failures == 0 ? 0 : 1;
}
