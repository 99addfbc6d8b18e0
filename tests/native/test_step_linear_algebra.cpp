#include <functional>
#include <limits>

#include "cpu/lapack.h"
#include "step_testing.h"

namespace ftrans::test {
namespace {

using Matrix = std::function<Value(int64_t row, int64_t column)>;

/// The matrix of a batch index.
template <typename T>
Matrix matrix(const Array<T>& array, int64_t batch) {
  return [&array, batch](int64_t row, int64_t column) { return to_value(array[{batch, row, column}]); };
}

Matrix adjoint(Matrix x) {
  return [x](int64_t row, int64_t column) { return std::conj(x(column, row)); };
}

/// Whether x · y, with `depth` columns of x, is the matrix to within the rounding of T.
template <typename T>
bool multiplies_to(const Matrix& x, const Matrix& y, const Matrix& product, int64_t rows, int64_t columns,
                   int64_t depth) {
  constexpr double epsilon = std::numeric_limits<cpu::lapack::Real<T>>::epsilon();
  double error = 0, scale = 1;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      Value sum = 0;
      for (int64_t k = 0; k < depth; ++k) sum += x(i, k) * y(k, j);
      error = std::max(error, std::abs(sum - product(i, j)));
      scale = std::max(scale, std::abs(product(i, j)));
    }
  }
  return error <= 100 * static_cast<double>(depth) * epsilon * scale;
}

template <typename T>
void test_square(int64_t n, Order order) {
  constexpr int64_t kBatch = 3, kColumns = 2;
  const Array<T> a({kBatch, n, n}, order), b({kBatch, n, kColumns}, order);
  for (int64_t batch = 0; batch < kBatch; ++batch) {
    for (int64_t i = 0; i < n; ++i) a[{batch, i, i}] += T(static_cast<cpu::lapack::Real<T>>(4 * n));
  }
  const Array<T> x(b.shape), factor(a.shape), lu(a.shape), q(a.shape), r(a.shape), u(a.shape), vh(a.shape),
      v(a.shape);
  const Array<int32_t> pivots({kBatch, n}), permutation({kBatch, n});
  const Array<cpu::lapack::Real<T>> s({kBatch, n}), w({kBatch, n});
  run(Opcode::Cholesky, {a.view()}, {factor.view()}, {});
  run(Opcode::Lu, {a.view()}, {lu.view(), pivots.view(), permutation.view()}, {});
  run(Opcode::Qr, {a.view()}, {q.view(), r.view()}, {});
  run(Opcode::Svd, {a.view()}, {u.view(), s.view(), vh.view()}, {0});
  run(Opcode::Eigh, {a.view()}, {w.view(), v.view()}, {});
  const auto solves = [&](const Matrix& of_batch, int64_t batch) {
    return multiplies_to<T>(of_batch, matrix(x, batch), matrix(b, batch), n, kColumns, n);
  };
  run(Opcode::Solve, {a.view(), b.view()}, {x.view()}, {});
  for (int64_t batch = 0; batch < kBatch; ++batch) {
    const Matrix whole = matrix(a, batch), l = matrix(factor, batch), packed = matrix(lu, batch);
    CHECK(solves(whole, batch));
    const Matrix hermitian = [&](int64_t i, int64_t j) {
      return (whole(i, j) + std::conj(whole(j, i))) / 2.0;
    };
    CHECK(multiplies_to<T>(l, adjoint(l), hermitian, n, n, n));
    CHECK(multiplies_to<T>(matrix(q, batch), matrix(r, batch), whole, n, n, n));
    CHECK(multiplies_to<T>(
        [&](int64_t i, int64_t j) { return i == j  ? Value(1)
                                           : i > j ? packed(i, j)
                                                   : Value(0); },
        [&](int64_t i, int64_t j) { return i <= j ? packed(i, j) : Value(0); },
        [&](int64_t i, int64_t j) { return whole(permutation[{batch, i}], j); }, n, n, n));
    CHECK(multiplies_to<T>(
        [&](int64_t i, int64_t j) { return to_value(u[{batch, i, j}]) * to_value(s[{batch, j}]); },
        matrix(vh, batch), whole, n, n, n));
    CHECK(multiplies_to<T>(
        hermitian, matrix(v, batch),
        [&](int64_t i, int64_t j) { return to_value(v[{batch, i, j}]) * to_value(w[{batch, j}]); }, n, n, n));
  }
  for (bool lower : {false, true}) {
    for (bool unit : {false, true}) {
      if (unit && n > 2) continue;  // the solution grows beyond what rounding allows to check
      run(Opcode::TriangularSolve, {a.view(), b.view()}, {x.view()}, {lower, unit});
      for (int64_t batch = 0; batch < kBatch; ++batch) {
        CHECK(solves(
            [&](int64_t i, int64_t j) {
              if (i == j && unit) return Value(1);
              return (lower ? i >= j : i <= j) ? to_value(a[{batch, i, j}]) : Value(0);
            },
            batch));
      }
    }
  }
}

/// Enough matrices to be factored side by side, and some over.
template <typename T>
void test_many_cholesky_factors(int64_t n) {
  constexpr int64_t kBatch = 19;
  const Array<T> a({kBatch, n, n}), factor(a.shape);
  for (int64_t batch = 0; batch < kBatch; ++batch) {
    for (int64_t i = 0; i < n; ++i) a[{batch, i, i}] += T(static_cast<cpu::lapack::Real<T>>(4 * n));
  }
  run(Opcode::Cholesky, {a.view()}, {factor.view()}, {});
  for (int64_t batch = 0; batch < kBatch; ++batch) {
    const Matrix whole = matrix(a, batch), l = matrix(factor, batch);
    CHECK(multiplies_to<T>(
        l, adjoint(l), [&](int64_t i, int64_t j) { return (whole(i, j) + std::conj(whole(j, i))) / 2.0; }, n,
        n, n));
  }
}

/// Large enough for the stages that several threads share: two parts, or four where there are three threads.
template <typename T>
void test_large_eigensystem() {
  const int64_t n = cpu::steps::is_complex<T> ? 161 : 257;
  const Array<T> a({1, n, n}), v(a.shape);
  const Array<cpu::lapack::Real<T>> w({1, n});
  run(Opcode::Eigh, {a.view()}, {w.view(), v.view()}, {});
  const Matrix whole = matrix(a, 0), vectors = matrix(v, 0);
  CHECK(multiplies_to<T>([&](int64_t i, int64_t j) { return (whole(i, j) + std::conj(whole(j, i))) / 2.0; },
                         vectors, [&](int64_t i, int64_t j) { return vectors(i, j) * to_value(w[{0, j}]); },
                         n, n, n));
  CHECK(multiplies_to<T>(
      adjoint(vectors), vectors, [](int64_t i, int64_t j) { return Value(i == j); }, n, n, n));
}

/// Likewise.
template <typename T>
void test_large_svd(int64_t m, int64_t n) {
  const int64_t k = std::min(m, n);
  const Array<T> a({m, n}), u({m, k}), vh({k, n});
  const Array<cpu::lapack::Real<T>> s({k});
  run(Opcode::Svd, {a.view()}, {u.view(), s.view(), vh.view()}, {0});
  CHECK(multiplies_to<T>([&](int64_t i, int64_t j) { return to_value(u[{i, j}]) * to_value(s[{j}]); },
                         [&](int64_t i, int64_t j) { return to_value(vh[{i, j}]); },
                         [&](int64_t i, int64_t j) { return to_value(a[{i, j}]); }, m, n, k));
}

/// Zeros stay on their side, ones around their mean; what is distinct stays.
template <typename T>
void test_separated_values() {
  const Array<T> values({1, 5}), result(values.shape);
  const T given[] = {0, 0, 1, 1, 4};
  for (int64_t i = 0; i < 5; ++i) values[{0, i}] = given[i];
  run(Opcode::Separate, {values.view()}, {result.view()}, {2, 0});
  const T epsilon = std::numeric_limits<T>::epsilon();
  CHECK((result[{0, 0}] == 0) && (result[{0, 1}] > 100 * epsilon) && (result[{0, 1}] < T(0.01)));
  CHECK((result[{0, 2}] < 1 - 100 * epsilon) && (result[{0, 3}] > 1 + 100 * epsilon));
  CHECK(std::abs(result[{0, 2}] + result[{0, 3}] - 2) < 4 * epsilon);
  CHECK((result[{0, 4}] == 4));
}

template <typename T>
void test_rectangles() {
  for (const bool full : {false, true}) {
    const Array<T> a({2, 5, 3});
    const int64_t width = full ? 5 : 3;
    const Array<T> q({2, 5, width}), r({2, width, 3}), u({2, 5, width}), vh({2, 3, 3});
    const Array<cpu::lapack::Real<T>> s({2, 3});
    run(Opcode::Qr, {a.view()}, {q.view(), r.view()}, {});
    run(Opcode::Svd, {a.view()}, {u.view(), s.view(), vh.view()}, {full});
    for (int64_t batch = 0; batch < 2; ++batch) {
      const Matrix columns = matrix(q, batch);
      const Matrix unit = [](int64_t i, int64_t j) { return Value(i == j); };
      CHECK(multiplies_to<T>(columns, matrix(r, batch), matrix(a, batch), 5, 3, width));
      CHECK(multiplies_to<T>(adjoint(columns), columns, unit, width, width, 5));
      CHECK(multiplies_to<T>(
          [&](int64_t i, int64_t j) { return to_value(u[{batch, i, j}]) * to_value(s[{batch, j}]); },
          matrix(vh, batch), matrix(a, batch), 5, 3, 3));
      CHECK(multiplies_to<T>(adjoint(matrix(u, batch)), matrix(u, batch), unit, width, width, 5));
    }
  }
}

template <typename T>
void test_empty() {
  const Array<T> none({2, 0, 0}), column({2, 3, 0}), unit({2, 3, 3});
  const Array<cpu::lapack::Real<T>> values({2, 0});
  const Array<int32_t> pivots({2, 0}), permutation({2, 3});
  run(Opcode::Cholesky, {none.view()}, {none.view()}, {});
  run(Opcode::Expm, {none.view()}, {none.view()}, {});
  run(Opcode::Eigh, {none.view()}, {values.view(), none.view()}, {});
  run(Opcode::Lu, {column.view()}, {column.view(), pivots.view(), permutation.view()}, {});
  run(Opcode::Solve, {unit.view(), column.view()}, {column.view()}, {});
  run(Opcode::Svd, {column.view()}, {unit.view(), values.view(), none.view()}, {1});
  for (int64_t i = 0; i < 9; ++i) CHECK(to_value(unit.flat(i)) == Value(i % 4 == 0));
  CHECK(permutation.flat(4) == 1);
}

template <typename T>
void test_elements(const char* dtype) {
  current_dtype = dtype;
  for (const Order order : {Order::Dense, Order::Transposed, Order::Spread, Order::Reversed}) {
    for (const int64_t n : {1, 2, 5, 18}) test_square<T>(n, order);
  }
  for (const int64_t n : {1, 6, 17}) test_many_cholesky_factors<T>(n);
  test_large_eigensystem<T>();
  test_large_svd<T>(161, 170);
  test_large_svd<T>(170, 161);
  test_rectangles<T>();
  test_empty<T>();
  current_dtype = "";
}

}  // namespace

void test_linear_algebra() {
  test_elements<float>("float32");
  test_separated_values<float>();
  test_elements<double>("float64");
  test_separated_values<double>();
  test_elements<std::complex<float>>("complex64");
  test_elements<std::complex<double>>("complex128");
}

}  // namespace ftrans::test
