#include <algorithm>
#include <cmath>

#include "cpu/steps/kernels.h"
#include "cpu/steps/large_eigensystem.h"
#include "cpu/steps/large_svd.h"
#include "cpu/steps/matrices.h"

// The iterations of LAPACK may not end on values that are not finite: such matrices do not get there.
namespace ftrans::cpu::steps {

using lapack::Real;
using lapack::Workspace;
using lapack::WorkspaceSize;

namespace {

/// The lower triangle of the Hermitian part, column-major, block by block; zeros above it.
template <typename T>
void load_hermitian_part(const T* from, int64_t n, int64_t row, int64_t column, T* a) {
  constexpr int64_t kBlock = 32;
  for (int64_t first = 0; first < n; first += kBlock) {
    const int64_t end_column = std::min(first + kBlock, n);
    for (int64_t j = first; j < end_column; ++j) std::fill(a + j * n, a + j * n + j, T{});
    for (int64_t start = first; start < n; start += kBlock) {
      for (int64_t j = first; j < end_column; ++j) {
        const int64_t end_row = std::min(start + kBlock, n);
        for (int64_t i = std::max(j, start); i < end_row; ++i) {
          const T below = from[i * row + j * column], above = from[j * row + i * column];
          if constexpr (is_complex<T>) {
            a[j * n + i] = below / Real<T>{2} + std::conj(above) / Real<T>{2};
          } else {
            a[j * n + i] = below / 2 + above / 2;
          }
        }
      }
    }
  }
}

}  // namespace

void eigh(const StepArguments& arguments) {
  const bool vectors = arguments.output_count > 1;
  const Matrices input(arguments.inputs[0]), eigenvalues(arguments.outputs[0], 1);
  const Matrices eigenvectors(arguments.outputs[vectors ? 1 : 0], vectors ? 2 : 1);
  const int64_t n = input.rows(), row = input.row_stride(), column = input.column_stride();
  if (n == 0) return;
  const lapack::Integer size = lapack::dimension(n);
  dispatch_lapack(arguments.inputs[0].dtype, [&]<typename T>(TypeTag<T>) {
    const WorkspaceSize need = lapack::heevd_workspace<T>(vectors, size);
    const bool is_large = vectors && pays_in_stages(n, input.count());
    for_each_matrix(input.count(), 8 * n * n * n, [&](int64_t begin, int64_t end) {
      const Scratch matrix(n * n * static_cast<int64_t>(sizeof(T))), scratch(need.bytes<T>());
      const Workspace<T> workspace(need, scratch.data());
      T* a = matrix.as<T>();
      for (int64_t index = begin; index < end; ++index) {
        const T* from = input.at<const T>(index);
        Real<T>* values = eigenvalues.at<Real<T>>(index);
        if (is_large) {
          load_hermitian_part(from, n, column, row, a);  // the conjugate, which is the transpose
          if (has_moderate_elements(a, n * n) && large_eigensystem(n, a, values, eigenvectors.at<T>(index)))
            continue;
        }
        load_hermitian_part(from, n, row, column, a);
        if (!all_finite(a, n * n) || !lapack::heevd(vectors, size, a, values, workspace)) {
          std::fill(values, values + n, not_a_number<Real<T>>());
          std::fill(a, a + n * n, not_a_number<T>());
        }
        if (vectors) eigenvectors.copy_from(1, n).run(a, eigenvectors.at<T>(index));
      }
    });
  });
}

void svd(const StepArguments& arguments) {
  const bool vectors = arguments.output_count > 1;
  const bool full = arguments.parameters[0] != 0;
  const Matrices input(arguments.inputs[0]), singular_values(arguments.outputs[vectors ? 1 : 0], 1);
  const Matrices left(arguments.outputs[0], vectors ? 2 : 1);
  const Matrices right(arguments.outputs[vectors ? 2 : 0], vectors ? 2 : 1);
  const int64_t m = input.rows(), n = input.columns(), k = std::min(m, n);
  const lapack::Integer rows = lapack::dimension(n), columns = lapack::dimension(m);
  const auto job = !vectors ? lapack::SingularVectors::None
                   : full   ? lapack::SingularVectors::Full
                            : lapack::SingularVectors::Reduced;
  const BlockCopy load = input.copy_to(n, 1);
  dispatch_lapack(arguments.inputs[0].dtype, [&]<typename T>(TypeTag<T>) {
    const auto fill = [](const Matrices& matrices, int64_t index, T on_diagonal, T elsewhere) {
      T* to = matrices.at<T>(index);
      const int64_t width = matrices.columns();
      std::fill(to, to + matrices.rows() * width, elsewhere);
      for (int64_t i = 0; i < std::min(matrices.rows(), width); ++i) to[i * width + i] = on_diagonal;
    };
    // Of a matrix with one long side the driver reduces a triangular factor.
    const bool is_large = vectors && pays_in_stages(k, input.count()) && 2 * std::max(m, n) <= 3 * k &&
                          (job == lapack::SingularVectors::Reduced || m == n);
    const WorkspaceSize need = k > 0 ? lapack::gesdd_workspace<T>(job, rows, columns) : WorkspaceSize{};
    for_each_matrix(input.count(), 16 * m * n * k, [&](int64_t begin, int64_t end) {
      const Scratch matrix(m * n * static_cast<int64_t>(sizeof(T))), scratch(need.bytes<T>());
      const Workspace<T> workspace(need, scratch.data());
      T* a = matrix.as<T>();
      for (int64_t index = begin; index < end; ++index) {
        if (k == 0) {  // of which full bases are left
          if (vectors) fill(left, index, T{1}, T{});
          if (vectors) fill(right, index, T{1}, T{});
          continue;
        }
        load.run(input.at<const T>(index), a);
        Real<T>* values = singular_values.at<Real<T>>(index);
        // Row-major a = u·s·vᴴ is column-major aᵀ = (vᴴ)ᵀ·s·uᵀ, and the factors come out row-major too.
        T* u = vectors ? left.at<T>(index) : nullptr;
        T* vh = vectors ? right.at<T>(index) : nullptr;
        if (is_large && has_moderate_elements(a, m * n)) {
          if (large_svd(n, m, a, values, vh, u)) continue;
          load.run(input.at<const T>(index), a);
        }
        if (!all_finite(a, m * n) || !lapack::gesdd(job, rows, columns, a, values, vh, u, workspace)) {
          std::fill(values, values + k, not_a_number<Real<T>>());
          if (vectors) fill(left, index, not_a_number<T>(), not_a_number<T>());
          if (vectors) fill(right, index, not_a_number<T>(), not_a_number<T>());
        }
      }
    });
  });
}

namespace {

/// Turns a vector so that its component of largest modulus is positive.
template <typename T>
void normalize_phase(T* vector, int64_t n) {
  const T largest = *std::max_element(vector, vector + n,
                                      [](const T& a, const T& b) { return std::norm(a) < std::norm(b); });
  const Real<T> modulus = std::abs(largest);
  if (modulus == 0) return;
  const T factor = std::conj(largest) / modulus;
  for (int64_t i = 0; i < n; ++i) vector[i] *= factor;
}

}  // namespace

void eig(const StepArguments& arguments) {
  const bool vectors = arguments.output_count > 1;
  const Matrices input(arguments.inputs[0]), eigenvalues(arguments.outputs[0], 1);
  const Matrices eigenvectors(arguments.outputs[vectors ? 1 : 0], vectors ? 2 : 1);
  const int64_t n = input.rows();
  if (n == 0) return;
  const lapack::Integer size = lapack::dimension(n);
  const BlockCopy load = input.copy_to(1, n);
  dispatch_lapack(arguments.inputs[0].dtype, [&]<typename T>(TypeTag<T>) {
    using Result = std::complex<Real<T>>;
    const WorkspaceSize need = lapack::geev_workspace<T>(vectors, size);
    for_each_matrix(input.count(), 32 * n * n * n, [&](int64_t begin, int64_t end) {
      const Scratch matrix(n * n * static_cast<int64_t>(sizeof(T))), scratch(need.bytes<T>());
      const Scratch columns(vectors ? n * n * static_cast<int64_t>(sizeof(Result)) : 0);
      const Workspace<T> workspace(need, scratch.data());
      T* a = matrix.as<T>();
      Result* v = columns.as<Result>();
      for (int64_t index = begin; index < end; ++index) {
        Result* values = eigenvalues.at<Result>(index);
        load.run(input.at<const T>(index), a);
        if (!all_finite(a, n * n) || !lapack::geev(vectors, size, a, values, v, workspace)) {
          std::fill(values, values + n, not_a_number<Result>());
          if (vectors) std::fill(v, v + n * n, not_a_number<Result>());
        } else if (vectors) {
          for (int64_t j = 0; j < n; ++j) normalize_phase(v + j * n, n);
        }
        if (vectors) eigenvectors.copy_from(1, n).run(v, eigenvectors.at<Result>(index));
      }
    });
  });
}

namespace {

/// Moves groups of values that are equal but for rounding apart; primitives/separation.py says why.
template <typename Part>
class Separation {
 public:
  Separation(const Part* values, int64_t n, int64_t stride, int64_t root, bool singular)
      : values_(values), n_(n), stride_(stride), root_(static_cast<double>(root)), singular_(singular) {
    for (int64_t i = 0; i < n; ++i) largest_ = std::max(largest_, std::abs(at(i)));
    negligible_ = kUlps * static_cast<double>(n) * kEpsilon * largest_;
  }

  void run(Part* result) const {
    for (int64_t begin = 0, end = 0; begin < n_; begin = end) {
      end = begin + 1;
      while (end < n_ && std::abs(at(end) - at(end - 1)) <= negligible_) ++end;
      separate_group(begin, end, result);
    }
  }

 private:
  static constexpr int kUlps = 4;
  static constexpr double kEpsilon = std::numeric_limits<Part>::epsilon();

  double at(int64_t i) const { return values_[i * stride_]; }

  void separate_group(int64_t begin, int64_t end, Part* result) const {
    const double size = static_cast<double>(end - begin);
    double mean = 0;
    for (int64_t i = begin; i < end; ++i) mean += at(i) / size;
    const bool at_zero = std::abs(mean) <= negligible_;
    if (size == 1 && !(singular_ && at_zero)) {
      result[begin] = values_[begin * stride_];
      return;
    }
    // Steps from the mean to the first value of the group: no value may change its sign.
    double first = (1 - size) / 2;
    if (at_zero && singular_) {
      first = -size;
    } else if (at_zero && begin == 0) {
      first = 0;
    } else if (at_zero && end == n_) {
      first = 1 - size;
    }
    const double step = (singular_ ? -1 : 1) * distance(begin, end, mean, at_zero);
    for (int64_t i = begin; i < end; ++i) {
      result[i] = static_cast<Part>(mean + (first + static_cast<double>(i - begin)) * step);
    }
  }

  /// By which the values of a group are to differ.
  double distance(int64_t begin, int64_t end, double mean, bool at_zero) const {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const double before = begin > 0 ? std::abs(mean - at(begin - 1)) : kInfinity;
    const double after = end < n_ ? std::abs(at(end) - mean) : kInfinity;
    const double size = static_cast<double>(end - begin), scale = largest_ > 0 ? largest_ : 1;
    const double magnitude = at_zero ? scale : std::abs(mean);
    const double step = std::pow(kEpsilon * scale / (magnitude * size), 1 / root_) * magnitude;
    return std::min({std::max(step, 2 * negligible_), std::min(before, after) / (2 * size),
                     at_zero ? kInfinity : magnitude / size});
  }

  const Part* values_;
  int64_t n_, stride_;
  double root_, largest_ = 0, negligible_ = 0;
  bool singular_;
};

}  // namespace

void separate(const StepArguments& arguments) {
  const Matrices input(arguments.inputs[0], 1), output(arguments.outputs[0], 1);
  const int64_t n = input.columns(), root = arguments.parameters[0];
  const bool singular = arguments.parameters[1] != 0;
  const auto separate_all = [&]<typename Part>(TypeTag<Part>) {
    for_each_matrix(input.count(), 4 * n, [&](int64_t begin, int64_t end) {
      for (int64_t index = begin; index < end; ++index) {
        Separation<Part>(input.at<const Part>(index), n, input.column_stride(), root, singular)
            .run(output.at<Part>(index));
      }
    });
  };
  if (n == 0) return;
  if (arguments.inputs[0].dtype == Dtype::Float32) return separate_all(TypeTag<float>{});
  separate_all(TypeTag<double>{});
}

}  // namespace ftrans::cpu::steps
