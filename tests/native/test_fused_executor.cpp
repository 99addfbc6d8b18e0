// Layouts, aliasing and reductions of the fused executor. FTRANS_ISA chooses the instruction set.

#include <cstdlib>
#include <limits>
#include <random>
#include <stdexcept>

#include "core/thread_pool.h"
#include "fused_opcode_testing.h"

namespace ftrans::testing {
namespace {

using Shape = std::vector<int64_t>;

std::string text(const Shape& shape) {
  std::string result = "shape (";
  for (const int64_t extent : shape) result += std::to_string(extent) + " ";
  return result + ")";
}

/// Calls f(row-major number, coordinates) for every element.
template <class F>
void for_each(const Shape& shape, F&& f) {
  Shape at(shape.size(), 0);
  const int64_t size = count(shape);
  for (int64_t i = 0; i < size; ++i) {
    f(i, at);
    for (size_t axis = shape.size(); axis-- > 0;) {
      if (++at[axis] < shape[axis]) break;
      at[axis] = 0;
    }
  }
}

int64_t dot(const Shape& a, const Shape& b) {
  int64_t sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// A view with some layout on memory of its own.
struct View {
  std::vector<float> memory;
  Shape strides;
  int64_t origin = 0;

  float at(const Shape& coordinates) const { return memory[origin + dot(coordinates, strides)]; }
  Operand operand() const { return {memory.data() + origin, strides}; }
};

enum class Style { Plain, Reversed, Transposed, BroadcastLast, BroadcastFirst, Scalar, Gapped };
constexpr Style kStyles[] = {Style::Plain,          Style::Reversed, Style::Transposed, Style::BroadcastLast,
                             Style::BroadcastFirst, Style::Scalar,   Style::Gapped};

View make_view(const Shape& shape, Style style) {
  View view;
  Shape extents = shape;
  if (style == Style::BroadcastLast && !shape.empty()) extents.back() = 1;
  if (style == Style::BroadcastFirst && !shape.empty()) extents.front() = 1;
  if (style == Style::Scalar) extents.assign(shape.size(), 1);
  if (style == Style::Transposed) {
    Shape backwards(extents.rbegin(), extents.rend());
    view.strides = row_major(backwards);
    view.strides = Shape(view.strides.rbegin(), view.strides.rend());
  } else {
    view.strides = row_major(extents);
  }
  const int64_t gap = style == Style::Gapped ? 3 : 1;
  view.memory.resize(std::max<int64_t>(1, count(extents) * gap));
  for (float& x : view.memory) x = static_cast<float>(generator() % 1000) / 8;
  for (size_t axis = 0; axis < shape.size(); ++axis) {
    view.strides[axis] *= gap;
    if (extents[axis] != shape[axis]) view.strides[axis] = 0;
    if (style == Style::Reversed && shape[axis] > 0) {
      view.origin += (shape[axis] - 1) * view.strides[axis];
      view.strides[axis] = -view.strides[axis];
    }
  }
  return view;
}

const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = {{},
                                         {1},
                                         {0},
                                         {5},
                                         {1023},
                                         {1024},
                                         {1025},
                                         {100003},
                                         {3, 4},
                                         {70, 90},
                                         {4, 0, 3},
                                         {2, 3, 4, 5},
                                         {1, 700, 1},
                                         {300, 5},
                                         {5, 3000},
                                         {33, 2, 65},
                                         {64, 128, 3},
                                         {2, 2, 2, 2, 2, 2, 2},
                                         {5, 2, 40, 2},
                                         {30, 3, 7, 3, 18}};
  return all;
}

/// (x − y)·y + coordinate, over every pair of layouts.
void test_layouts() {
  for (const Shape& shape : shapes()) {
    const int ndim = static_cast<int>(shape.size());
    FusedKernel kernel{
        .ndim = ndim,
        .inputs = {Dtype::Float32, Dtype::Float32},
        .body = {input(0, Dtype::Float32), input(1, Dtype::Float32), apply(Opcode::Sub, Dtype::Float32, 0, 1),
                 apply(Opcode::Mul, Dtype::Float32, 2, 1)},
        .outputs = {stored(3)},
        .reduced_axes = std::vector<bool>(ndim, false)};
    if (ndim > 0) {
      kernel.body.push_back(iota(ndim - 1, Dtype::Float32));
      kernel.body.push_back(iota(0, Dtype::Int32));
      kernel.body.push_back(apply(Opcode::Add, Dtype::Float32, 3, 4));
      kernel.outputs = {stored(6), stored(5), stored(2), stored(0)};
    }
    for (const Style a : kStyles) {
      for (const Style b : kStyles) {
        const View x = make_view(shape, a), y = make_view(shape, b);
        const int64_t size = count(shape);
        std::vector<float> out(size), difference(size), copy(size);
        std::vector<int32_t> coordinate(size);
        std::vector<void*> outputs = {out.data()};
        if (ndim > 0) outputs = {out.data(), coordinate.data(), difference.data(), copy.data()};
        run(kernel, shape, {x.operand(), y.operand()}, outputs);
        bool good = true;
        for_each(shape, [&](int64_t i, const Shape& at) {
          const float u = x.at(at), v = y.at(at);
          good &= out[i] == (u - v) * v + (ndim > 0 ? static_cast<float>(at[ndim - 1]) : 0.0f);
          if (ndim > 0) good &= coordinate[i] == at[0] && difference[i] == u - v && copy[i] == u;
        });
        CHECK(good, text(shape) + " layouts " + std::to_string(int(a)) + ", " + std::to_string(int(b)));
      }
    }
  }
}

void test_constants_and_scalars() {
  const int64_t n = 2500;
  std::vector<float> x(n), out(n), constant_out(n), folded(n);
  for (int64_t i = 0; i < n; ++i) x[i] = static_cast<float>(i);
  const float scale = 0.5f;
  const FusedKernel kernel{
      .ndim = 1,
      .inputs = {Dtype::Float32, Dtype::Float32},
      .body = {input(0, Dtype::Float32), input(1, Dtype::Float32), constant(3.0f, Dtype::Float32),
               apply(Opcode::Mul, Dtype::Float32, 1, 2), apply(Opcode::Sub, Dtype::Float32, 3, 0),
               apply(Opcode::Pow, Dtype::Float32, 4, 2)},
      .outputs = {stored(5), stored(2), stored(3)},
      .reduced_axes = {false}};
  run(kernel, {n}, {{x.data(), {1}}, {&scale, {0}}}, {out.data(), constant_out.data(), folded.data()});
  bool good = true;
  for (int64_t i = 0; i < n; ++i) {
    const float base = 1.5f - x[i];
    good &= out[i] == base * base * base || std::fabs(out[i] / (base * base * base) - 1) < 1e-6f;
    good &= constant_out[i] == 3 && folded[i] == 1.5f;
  }
  CHECK(good, "constants and scalar inputs");
}

/// The output is the memory of an input, which is read before and after the output could be written.
void test_in_place() {
  const int64_t n = 5000;
  std::vector<float> x(n), y(n), expected(n);
  for (int64_t i = 0; i < n; ++i) x[i] = static_cast<float>(i % 97), y[i] = static_cast<float>(i % 89);
  for (int64_t i = 0; i < n; ++i) expected[i] = (x[i] + y[i]) * x[i];
  std::vector<float> sums(n), expected_sums(n);
  for (int64_t i = 0; i < n; ++i) expected_sums[i] = x[i] + y[i];
  const FusedKernel kernel{
      .ndim = 1,
      .inputs = {Dtype::Float32, Dtype::Float32},
      .body = {input(0, Dtype::Float32), input(1, Dtype::Float32), apply(Opcode::Add, Dtype::Float32, 0, 1),
               apply(Opcode::Mul, Dtype::Float32, 2, 0)},
      .outputs = {stored(2), stored(3)},
      .reduced_axes = {false}};
  run(kernel, {n}, {{x.data(), {1}}, {y.data(), {1}}}, {x.data(), y.data()});
  CHECK(x == expected_sums && y == expected, "in place");
}

template <class T>
T reduce(Opcode opcode, T a, T b) {
  switch (opcode) {
    case Opcode::ReduceSum: return static_cast<T>(a + b);
    case Opcode::ReduceProd: return static_cast<T>(a * b);
    case Opcode::ReduceMax: return a != a || b != b ? a + b : std::max(a, b);
    default: return a != a || b != b ? a + b : std::min(a, b);
  }
}

/// Sum, maximum and product of x·y over every choice of axes, alone or with the elements stored too.
/// Two arrays one after the other along an axis, in a frame of sevens: (assembly + x)·2, and its sum over
/// the first axis.
void test_pieces_of(const Shape& shape, size_t axis, Style style) {
  const size_t ndim = shape.size();
  Shape start(ndim, 0), first = shape;
  for (size_t i = 0; i < ndim; ++i) {
    start[i] = shape[i] > 4 ? 1 : 0;
    first[i] -= 2 * start[i];
  }
  Shape second = first, second_start = start;
  first[axis] = (first[axis] + 1) / 2;
  second[axis] -= first[axis];
  second_start[axis] += first[axis];
  if (second[axis] == 0) return;
  const View a = make_view(first, style), b = make_view(second, style), x = make_view(shape, Style::Plain);
  const auto dims = [](const Shape& s) { return Dims(s.data(), static_cast<int>(s.size())); };
  const auto piece = [](int index, int below) {
    return Instruction{Instruction::Kind::Piece,
                       Opcode::Add,
                       Dtype::Float32,
                       {static_cast<int16_t>(below), -1, -1},
                       index,
                       {}};
  };
  FusedKernel kernel{
      .ndim = static_cast<int>(ndim),
      .inputs = {Dtype::Float32, Dtype::Float32, Dtype::Float32},
      .pieces = {{0, dims(start), dims(first)}, {1, dims(second_start), dims(second)}},
      .body = {constant(7.0f, Dtype::Float32), piece(0, 0), piece(1, 1), input(2, Dtype::Float32),
               apply(Opcode::Add, Dtype::Float32, 2, 3), apply(Opcode::Add, Dtype::Float32, 4, 4)},
      .outputs = {stored(5), stored(2)},
      .reduced_axes = std::vector<bool>(ndim, false)};
  const int64_t size = count(shape);
  std::vector<float> out(size), assembled(size), expected(size), sums(size / shape[0]);
  std::vector<double> totals(sums.size());
  run(kernel, shape, {a.operand(), b.operand(), x.operand()}, {out.data(), assembled.data()});
  bool good = true;
  for_each(shape, [&](int64_t i, const Shape& at) {
    const auto within = [&](const View& view, const Shape& from, const Shape& extent, float otherwise) {
      Shape moved(at);
      for (size_t k = 0; k < ndim; ++k) {
        moved[k] -= from[k];
        if (moved[k] < 0 || moved[k] >= extent[k]) return otherwise;
      }
      return view.at(moved);
    };
    const float value = within(b, second_start, second, within(a, start, first, 7));
    expected[i] = 2 * (value + x.at(at));
    totals[i % totals.size()] += expected[i];  // multiples of 1/8: exact
    good &= assembled[i] == value && out[i] == expected[i];
  });
  CHECK(good, text(shape) + " pieces along " + std::to_string(axis) + ", " + std::to_string(int(style)));
  kernel.outputs = {reduced(5, Opcode::ReduceSum)};
  kernel.reduced_axes[0] = true;
  run(kernel, shape, {a.operand(), b.operand(), x.operand()}, {sums.data()});
  for (size_t i = 0; i < sums.size(); ++i) good &= sums[i] == static_cast<float>(totals[i]);
  CHECK(good, text(shape) + " sum of pieces along " + std::to_string(axis));
}

void test_pieces() {
  for (const Shape& shape : shapes()) {
    if (count(shape) == 0) continue;
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      for (const Style style : kStyles) test_pieces_of(shape, axis, style);
    }
  }
}

void test_reductions(bool with_store) {
  for (const Shape& shape : shapes()) {
    const int ndim = static_cast<int>(shape.size());
    for (int axes = 0; axes < 1 << ndim; ++axes) {
      if (ndim > 4 && axes % 11 != 0) continue;
      FusedKernel kernel{.ndim = ndim,
                         .inputs = {Dtype::Float32, Dtype::Float32},
                         .body = {input(0, Dtype::Float32), input(1, Dtype::Float32),
                                  apply(Opcode::Mul, Dtype::Float32, 0, 1)},
                         .outputs = {reduced(2, Opcode::ReduceSum), reduced(0, Opcode::ReduceMax),
                                     reduced(2, Opcode::ReduceMin)},
                         .reduced_axes = {}};
      Shape kept;
      for (int axis = 0; axis < ndim; ++axis) {
        kernel.reduced_axes.push_back(axes >> axis & 1);
        if (!(axes >> axis & 1)) kept.push_back(shape[axis]);
      }
      if (with_store) kernel.outputs.push_back(stored(2));
      for (const Style style :
           {Style::Plain, Style::Transposed, Style::BroadcastLast, Style::BroadcastFirst, Style::Reversed}) {
        const View x = make_view(shape, style), y = make_view(shape, Style::Plain);
        const int64_t results = count(kept), size = count(shape);
        constexpr float kInfinity = std::numeric_limits<float>::infinity();
        std::vector<float> sum(results), high(results), low(results), products(size);
        std::vector<double> expected_sum(results, 0);
        std::vector<float> expected_high(results, -kInfinity), expected_low(results, kInfinity),
            expected_products(size);
        const Shape kept_strides = row_major(kept);
        for_each(shape, [&](int64_t i, const Shape& at) {
          int64_t target = 0;
          for (int axis = 0, k = 0; axis < ndim; ++axis) {
            if (!(axes >> axis & 1)) target += at[axis] * kept_strides[k++];
          }
          const float product = x.at(at) * y.at(at);
          expected_sum[target] += product;
          expected_high[target] = std::max(expected_high[target], x.at(at));
          expected_low[target] = std::min(expected_low[target], product);
          expected_products[i] = product;
        });
        run(kernel, shape, {x.operand(), y.operand()},
            {sum.data(), high.data(), low.data(), products.data()});
        bool sums = true;
        for (int64_t i = 0; i < results; ++i)
          sums &= std::fabs(sum[i] - expected_sum[i]) <= 1e-6 * expected_sum[i];
        const std::string where =
            text(shape) + " axes " + std::to_string(axes) + " layout " + std::to_string(int(style));
        CHECK(sums, "sum, " + where);
        CHECK(high == expected_high, "max, " + where);
        CHECK(low == expected_low, "min, " + where);
        if (with_store) CHECK(products == expected_products, "stored, " + where);
      }
    }
  }
}

template <class T>
void test_reduction_dtype(Dtype dtype, std::initializer_list<Opcode> reductions) {
  for (const Shape& shape : {Shape{3000}, Shape{7, 11}, Shape{50, 300}, Shape{0}}) {
    for (const int axes : {1, 2, 3}) {
      if (axes >= 1 << shape.size()) continue;
      const int64_t columns = shape.size() > 1 ? shape[1] : 1;
      for (const Opcode opcode : reductions) {
        std::vector<T> x(count(shape));
        for (T& v : x)
          v = opcode == Opcode::ReduceProd ? static_cast<T>(1 + generator() % 2)
                                           : static_cast<T>(generator() % 100);
        FusedKernel kernel{.ndim = static_cast<int>(shape.size()),
                           .inputs = {dtype},
                           .body = {input(0, dtype)},
                           .outputs = {reduced(0, opcode)},
                           .reduced_axes = {}};
        int64_t results = 1;
        for (size_t axis = 0; axis < shape.size(); ++axis) {
          kernel.reduced_axes.push_back(axes >> axis & 1);
          if (!(axes >> axis & 1)) results *= shape[axis];
        }
        std::vector<T> out(results), expected(results);
        std::vector<bool> begun(results, false);
        for (int64_t i = 0; i < count(shape); ++i) {
          const int64_t target = axes == 3 || shape.size() == 1 ? 0 : axes == 1 ? i % columns : i / columns;
          T value = x[i];
          if (begun[target]) {
            switch (opcode) {
              case Opcode::ReduceOr:
                value = static_cast<T>(static_cast<int64_t>(expected[target]) | static_cast<int64_t>(x[i]));
                break;
              case Opcode::ReduceAnd:
                value = static_cast<T>(static_cast<int64_t>(expected[target]) & static_cast<int64_t>(x[i]));
                break;
              default: value = reduce(opcode, expected[target], x[i]);
            }
          }
          expected[target] = value;
          begun[target] = true;
        }
        if (count(shape) == 0) {
          using Limits = std::numeric_limits<T>;
          const bool real = std::is_floating_point_v<T>;
          expected[0] = opcode == Opcode::ReduceProd  ? T{1}
                        : opcode == Opcode::ReduceMax ? (real ? -Limits::infinity() : Limits::lowest())
                        : opcode == Opcode::ReduceMin ? (real ? Limits::infinity() : Limits::max())
                        : opcode == Opcode::ReduceAnd ? static_cast<T>(-1)
                                                      : T{0};
        }
        run(kernel, shape, {{x.data(), row_major(shape)}}, {out.data()});
        CHECK(out == expected, std::string(info(opcode).name) + " of " + name(dtype) + ", " + text(shape) +
                                   " axes " + std::to_string(axes));
      }
    }
  }
}

void test_reduction_specials() {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  for (const int64_t n : {3, 40, 200, 5000}) {
    for (const int64_t where : {int64_t{0}, n / 2, n - 1}) {
      std::vector<float> x(n, 1.0f);
      x[where] = kNan;
      float high = 0, low = 0;
      const FusedKernel kernel{.ndim = 1,
                               .inputs = {Dtype::Float32},
                               .body = {input(0, Dtype::Float32)},
                               .outputs = {reduced(0, Opcode::ReduceMax), reduced(0, Opcode::ReduceMin)},
                               .reduced_axes = {true}};
      run(kernel, {n}, {{x.data(), {1}}}, {&high, &low});
      CHECK(std::isnan(high) && std::isnan(low), "NaN in max and min of " + std::to_string(n));
    }
  }
  // A float32 sum that plain accumulation gets wrong; a float16 one that overflows it; the same with any
  // thread count.
  const int64_t n = int64_t{1} << 22;
  const std::vector<float> tenth(n, 0.1f);
  const std::vector<uint16_t> ones(100000, 0x3c00);  // 1.0 in float16
  float sum = 0;
  FusedKernel kernel{.ndim = 1,
                     .inputs = {Dtype::Float32},
                     .body = {input(0, Dtype::Float32)},
                     .outputs = {reduced(0, Opcode::ReduceSum)},
                     .reduced_axes = {true}};
  run(kernel, {n}, {{tenth.data(), {1}}}, {&sum});
  CHECK(std::fabs(sum / (n * 0.1) - 1) < 1e-6, "sum of many: " + std::to_string(sum));
  const float first = sum;
  ThreadPool::instance().resize(1);
  run(kernel, {n}, {{tenth.data(), {1}}}, {&sum});
  CHECK(sum == first, "the number of threads changes a sum");
  ThreadPool::instance().resize(2);
  uint16_t half = 0;
  kernel.inputs = {Dtype::Float16};
  kernel.body = {input(0, Dtype::Float16)};
  run(kernel, {1000}, {{ones.data(), {1}}}, {&half});
  CHECK(half == 0x63d0, "float16 sum of 1000 ones");
  run(kernel, {100000}, {{ones.data(), {1}}}, {&half});
  CHECK(half == 0x7c00, "float16 sum overflows to infinity");
  std::complex<float> z[3] = {{1, 2}, {3, -1}, {0, 1}}, product;
  kernel.inputs = {Dtype::Complex64};
  kernel.body = {input(0, Dtype::Complex64)};
  kernel.outputs = {reduced(0, Opcode::ReduceProd)};
  run(kernel, {3}, {{z, {1}}}, {&product});
  CHECK(product == std::complex<float>(-5, 5), "complex product");
}

void test_bool_reductions() {
  for (const int64_t columns : {3, 1000}) {
    const int64_t rows = 20;
    std::vector<uint8_t> x(rows * columns, 0);
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c)
        x[r * columns + c] = r % 3 == 0 ? 0 : r % 3 == 1 ? 1 : c == columns / 2;
    }
    std::vector<uint8_t> any(rows), all(rows);
    const FusedKernel kernel{.ndim = 2,
                             .inputs = {Dtype::Bool},
                             .body = {input(0, Dtype::Bool)},
                             .outputs = {reduced(0, Opcode::ReduceOr), reduced(0, Opcode::ReduceAnd)},
                             .reduced_axes = {false, true}};
    run(kernel, {rows, columns}, {{x.data(), {columns, 1}}}, {any.data(), all.data()});
    bool good = true;
    for (int64_t r = 0; r < rows; ++r) good &= any[r] == (r % 3 != 0) && all[r] == (r % 3 == 1);
    CHECK(good, "bool reductions");
  }
}

void test_errors_and_text() {
  const FusedKernel kernel{.ndim = 1,
                           .inputs = {Dtype::Bool},
                           .body = {input(0, Dtype::Bool), apply(Opcode::Sin, Dtype::Bool, 0)},
                           .outputs = {stored(1)},
                           .reduced_axes = {false}};
  bool thrown = false;
  try {
    cpu::FusedExecutor executor(kernel);
  } catch (const std::runtime_error& error) {
    thrown = std::string(error.what()).find("sin of bool") != std::string::npos;
  }
  CHECK(thrown, "sin of bool should have no kernel");
  CHECK(to_string(kernel) == "%0:bool = input 0\n%1:bool = sin %0\noutput 0 = %1\n", to_string(kernel));
}

}  // namespace
}  // namespace ftrans::testing

int main() {
  using namespace ftrans::testing;
  using ftrans::Dtype, ftrans::Opcode;
  std::printf("instruction set: %s\n", ftrans::cpu::instruction_set());
  test_layouts();
  test_constants_and_scalars();
  test_in_place();
  test_pieces();
  test_reductions(false);
  test_reductions(true);
  const auto numbers = {Opcode::ReduceSum, Opcode::ReduceProd, Opcode::ReduceMax, Opcode::ReduceMin};
  const auto integers = {Opcode::ReduceSum, Opcode::ReduceProd, Opcode::ReduceMax,
                         Opcode::ReduceMin, Opcode::ReduceOr,   Opcode::ReduceAnd};
  test_reduction_dtype<int8_t>(Dtype::Int8, integers);
  test_reduction_dtype<int16_t>(Dtype::Int16, integers);
  test_reduction_dtype<int32_t>(Dtype::Int32, {Opcode::ReduceSum, Opcode::ReduceMax, Opcode::ReduceMin,
                                               Opcode::ReduceOr, Opcode::ReduceAnd});
  test_reduction_dtype<int64_t>(Dtype::Int64, {Opcode::ReduceSum, Opcode::ReduceMax, Opcode::ReduceMin,
                                               Opcode::ReduceOr, Opcode::ReduceAnd});
  test_reduction_dtype<uint8_t>(Dtype::UInt8, integers);
  test_reduction_dtype<uint16_t>(Dtype::UInt16, integers);
  test_reduction_dtype<uint32_t>(Dtype::UInt32, integers);
  test_reduction_dtype<uint64_t>(Dtype::UInt64, integers);
  test_reduction_dtype<double>(Dtype::Float64, numbers);
  test_reduction_specials();
  test_bool_reductions();
  test_errors_and_text();
  test_float_opcodes();
  test_integer_opcodes();
  test_chains();
  std::printf("%d failures\n", failures);
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
