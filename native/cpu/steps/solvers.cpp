#include <cmath>

#include "cpu/blas.h"
#include "cpu/steps/kernels.h"
#include "cpu/steps/matrices.h"

namespace ftrans::cpu::steps {
namespace {

/// Whether the matrices have rows without gaps, that do not overlap.
bool has_dense_rows(int64_t rows, int64_t columns, int64_t row_stride, int64_t column_stride) {
  return (columns == 1 || column_stride == 1) && (rows == 1 || row_stride >= columns);
}

}  // namespace

void triangular_solve(const StepArguments& arguments) {
  const Matrices input(arguments.inputs[0]), rhs(arguments.inputs[1]), output(arguments.outputs[0]);
  const int64_t n = input.rows(), columns = output.columns();
  const bool lower = arguments.parameters[0] != 0, unit_diagonal = arguments.parameters[1] != 0;
  if (n == 0 || columns == 0) return;
  const bool row_major = has_dense_rows(n, n, input.row_stride(), input.column_stride());
  const bool dense = row_major || has_dense_rows(n, n, input.column_stride(), input.row_stride());
  const int64_t stride = row_major ? input.row_stride() : input.column_stride();
  const bool transposed = dense && !row_major;
  const int64_t ld = dense && n > 1 ? stride : n;
  const BlockCopy load = input.copy_to(n, 1), load_rhs = rhs.copy_to(columns, 1);
  dispatch_lapack(arguments.inputs[0].dtype, [&]<typename T>(TypeTag<T>) {
    for_each_matrix(input.count(), n * n * columns, [&](int64_t begin, int64_t end) {
      const Scratch scratch(dense ? 0 : n * n * static_cast<int64_t>(sizeof(T)));
      for (int64_t index = begin; index < end; ++index) {
        const T* a = input.at<const T>(index);
        T* x = output.at<T>(index);
        if (!dense) {
          load.run(a, scratch.data());
          a = scratch.as<T>();
        }
        load_rhs.run(rhs.at<const T>(index), x);
        // Column-major, row-major rows are aᵀ, which is upper triangular where a is lower, and x is xᵀ.
        solve_right(lower != transposed, transposed, unit_diagonal, columns, n, a, ld, x, columns);
      }
    });
  });
}

void solve(const StepArguments& arguments) {
  const Matrices input(arguments.inputs[0]), rhs(arguments.inputs[1]), output(arguments.outputs[0]);
  const int64_t n = input.rows(), columns = output.columns();
  if (n == 0 || columns == 0) return;
  const BlockCopy load = input.copy_to(n, 1), load_rhs = rhs.copy_to(columns, 1);
  dispatch_lapack(arguments.inputs[0].dtype, [&]<typename T>(TypeTag<T>) {
    for_each_matrix(input.count(), n * n * (n / 3 + columns), [&](int64_t begin, int64_t end) {
      const Scratch scratch(n * n * static_cast<int64_t>(sizeof(T)));
      const Scratch pivots(n * static_cast<int64_t>(sizeof(lapack::Integer)));
      for (int64_t index = begin; index < end; ++index) {
        T* x = output.at<T>(index);
        load.run(input.at<const T>(index), scratch.data());
        load_rhs.run(rhs.at<const T>(index), x);
        solve_in_place(n, columns, scratch.as<T>(), pivots.as<lapack::Integer>(), x);
      }
    });
  });
}

void diagonal_sylvester(const StepArguments& arguments) {
  constexpr int kUlps = 4;  // by which LAPACK may miss an eigenvalue, for each row
  const Matrices input(arguments.inputs[0]), rhs(arguments.inputs[1]), output(arguments.outputs[0]);
  const int64_t rows = output.rows(), n = output.columns(), sign = arguments.parameters[0];
  if (rows == 0 || n == 0) return;
  dispatch_lapack(arguments.inputs[0].dtype, [&]<typename T>(TypeTag<T>) {
    using Part = lapack::Real<T>;
    for_each_matrix(input.count(), rows * n, [&](int64_t begin, int64_t end) {
      const Scratch scratch(n * static_cast<int64_t>(sizeof(T)));
      T* diagonal = scratch.as<T>();
      for (int64_t index = begin; index < end; ++index) {
        const T *m = input.at<const T>(index), *p = rhs.at<const T>(index);
        T* x = output.at<T>(index);
        Part largest{};
        for (int64_t j = 0; j < n; ++j) {
          diagonal[j] = m[j * (input.row_stride() + input.column_stride())];
          largest = std::max(largest, static_cast<Part>(std::abs(diagonal[j])));
        }
        const Part negligible = kUlps * std::numeric_limits<Part>::epsilon() * static_cast<Part>(n) * largest;
        for (int64_t i = 0; i < rows; ++i) {
          const T other = sign == 0 ? T{} : static_cast<Part>(sign) * diagonal[i];
          for (int64_t j = 0; j < n; ++j) {
            const T divisor = diagonal[j] + other;
            x[i * n + j] = std::abs(divisor) <= negligible
                               ? T{}
                               : p[i * rhs.row_stride() + j * rhs.column_stride()] / divisor;
          }
        }
      }
    });
  });
}

namespace {

/// exp of one matrix by scaling and squaring: Higham, "The scaling and squaring method for the matrix
/// exponential revisited", SIAM J. Matrix Anal. Appl. 26 (2005), algorithm 2.3 with degree 13 throughout.
template <typename T>
class MatrixExponential {
  using Part = lapack::Real<T>;
  static constexpr int kMatrices = 7;
  static constexpr Part kRadius{5.371920351148152};  // of norms for which the approximant is as good as exact

 public:
  explicit MatrixExponential(int64_t n)
      : n_(n),
        size_(n * n),
        memory_(kMatrices * size_ * static_cast<int64_t>(sizeof(T))),
        pivots_(n * static_cast<int64_t>(sizeof(lapack::Integer))) {}

  /// Where the matrix is to be put, row-major.
  T* input() const { return matrix(0); }

  void run(T* result) const {
    const int squarings = scale();
    if (squarings < 0) return std::fill(result, result + size_, not_a_number<T>());
    T *a = matrix(0), *a2 = matrix(1), *a4 = matrix(2), *a6 = matrix(3);
    T *work = matrix(4), *even = matrix(5), *odd = matrix(6);
    multiply(a, a, a2);
    multiply(a2, a2, a4);
    multiply(a4, a2, a6);
    // The approximant is (even − odd)⁻¹·(even + odd).
    combine(0, 40840800, 16380, 1, even);
    multiply(a6, even, work);
    combine(32382376266240000, 1187353796428800, 10559470521600, 33522128640, even);
    for (int64_t i = 0; i < size_; ++i) work[i] += even[i];
    multiply(a, work, odd);
    combine(0, 1323241920, 960960, 182, even);
    multiply(a6, even, work);
    combine(64764752532480000, 7771770303897600, 129060195264000, 670442572800, even);
    for (int64_t i = 0; i < size_; ++i) {
      const T sum = even[i] + work[i];
      work[i] = sum - odd[i];
      result[i] = sum + odd[i];
    }
    solve_in_place(n_, n_, work, pivots_.as<lapack::Integer>(), result);
    for (int i = 0; i < squarings; ++i) {
      std::copy(result, result + size_, work);
      multiply(work, work, result);
    }
  }

 private:
  T* matrix(int i) const { return memory_.as<T>() + i * size_; }

  /// Divides the input by 2ˢ so that its norm is within the radius, and returns s; −1 if it is not finite.
  int scale() const {
    T* a = input();
    Part norm{};
    if (!all_finite(a, size_)) return -1;
    for (int64_t i = 0; i < n_; ++i) {
      Part sum{};
      for (int64_t j = 0; j < n_; ++j) sum += std::abs(a[i * n_ + j]);
      norm = std::max(norm, sum);
    }
    if (!std::isfinite(norm)) return -1;
    if (norm <= kRadius) return 0;
    const int squarings = std::ilogb(norm / kRadius) + 1;
    const Part factor = std::ldexp(Part{1}, -squarings);
    for (int64_t i = 0; i < size_; ++i) a[i] *= factor;
    return squarings;
  }

  void multiply(const T* x, const T* y, T* product) const {
    blas_gemm<T>(n_, n_, n_, {x, n_, false}, {y, n_, false}, product, n_);
  }

  /// result = c0·1 + c2·a² + c4·a⁴ + c6·a⁶
  void combine(double c0, double c2, double c4, double c6, T* result) const {
    const T *a2 = matrix(1), *a4 = matrix(2), *a6 = matrix(3);
    const Part p0 = static_cast<Part>(c0), p2 = static_cast<Part>(c2), p4 = static_cast<Part>(c4),
               p6 = static_cast<Part>(c6);
    for (int64_t i = 0; i < size_; ++i) result[i] = p2 * a2[i] + p4 * a4[i] + p6 * a6[i];
    for (int64_t i = 0; i < n_; ++i) result[i * n_ + i] += p0;
  }

  int64_t n_, size_;
  Scratch memory_, pivots_;
};

}  // namespace

void expm(const StepArguments& arguments) {
  const Matrices input(arguments.inputs[0]), output(arguments.outputs[0]);
  const int64_t n = input.rows();
  if (n == 0) return;
  const BlockCopy load = input.copy_to(n, 1);
  dispatch_lapack(arguments.inputs[0].dtype, [&]<typename T>(TypeTag<T>) {
    for_each_matrix(input.count(), 8 * n * n * n, [&](int64_t begin, int64_t end) {
      const MatrixExponential<T> exponential(n);
      for (int64_t index = begin; index < end; ++index) {
        load.run(input.at<const T>(index), exponential.input());
        exponential.run(output.at<T>(index));
      }
    });
  });
}

}  // namespace ftrans::cpu::steps
