#include "cpu/steps/large_eigensystem.h"

#include <atomic>
#include <cmath>
#include <numeric>
#include <vector>

namespace ftrans::cpu::steps {

using lapack::Integer;
using lapack::Real;

namespace {

/// The eigensystem of a real tridiagonal matrix by divide and conquer: the systems of as many parts as there
/// are threads, then of pairs of them, until it is that of the whole.
template <typename T>
class TridiagonalSystem {
 public:
  /// Eigenvalues replace the diagonal.
  TridiagonalSystem(int64_t n, T* diagonal, T* below)
      : n_(n),
        diagonal_(diagonal),
        below_(below),
        order_(static_cast<size_t>(n)),
        vectors_(n * n * static_cast<int64_t>(sizeof(T))) {}

  /// Whether the iterations have converged.
  bool solve() {
    constexpr int64_t kMinRows = 64;  // of a part
    const T scale = power_of_two();   // laed1 takes it for granted that numbers are about 1
    scale_by(1 / scale);
    int64_t parts = 1;
    while (parts < ThreadPool::instance().size() && n_ >= 2 * parts * kMinRows) parts *= 2;
    for (int64_t part = 1; part < parts; ++part) {
      const int64_t at = begin_of(part, parts);
      diagonal_[at - 1] -= std::abs(below_[at - 1]);
      diagonal_[at] -= std::abs(below_[at - 1]);
    }
    bool converged = for_all(parts, [&](int64_t part) { return solve_part(part, parts); });
    for (; parts > 1 && converged; parts /= 2) {
      converged = for_all(parts / 2, [&](int64_t pair) { return join(2 * pair, parts); });
    }
    scale_by(scale);
    return converged;
  }

  /// The position of the i-th smallest eigenvalue and its eigenvector.
  int64_t position(int64_t i) const { return order_[i] - 1; }
  const T* vector(int64_t position) const { return vectors_.as<T>() + position * n_; }

 private:
  int64_t begin_of(int64_t part, int64_t parts) const { return n_ * part / parts; }

  template <typename Body>
  static bool for_all(int64_t count, Body body) {
    std::atomic<bool> all{true};
    ThreadPool::instance().parallel_for(count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        if (!body(i)) all = false;
      }
    });
    return all;
  }

  /// Next to the largest element.
  T power_of_two() const {
    T largest{};
    for (int64_t i = 0; i < n_; ++i) largest = std::max(largest, std::abs(diagonal_[i]));
    for (int64_t i = 0; i < n_ - 1; ++i) largest = std::max(largest, std::abs(below_[i]));
    return largest == 0 ? T{1} : std::ldexp(T{1}, std::ilogb(largest));
  }

  void scale_by(T factor) {
    for (int64_t i = 0; i < n_; ++i) diagonal_[i] *= factor;
    for (int64_t i = 0; i < n_ - 1; ++i) below_[i] *= factor;
  }

  bool solve_part(int64_t part, int64_t parts) {
    const int64_t begin = begin_of(part, parts), end = begin_of(part + 1, parts);
    const Integer rows = lapack::dimension(end - begin);
    std::iota(&order_[begin], &order_[begin] + rows, 1);
    T* const vectors = vectors_.as<T>();
    std::fill(vectors + begin * n_, vectors + end * n_, T{0});
    const WorkMemory<T> work(lapack::stedc_workspace<T>(rows));
    return lapack::stedc(rows, diagonal_ + begin, below_ + begin, vectors + begin * n_ + begin,
                         lapack::dimension(n_), work.workspace);
  }

  /// Joins a part and the next one.
  bool join(int64_t part, int64_t parts) {
    const int64_t begin = begin_of(part, parts), middle = begin_of(part + 1, parts);
    const Integer rows = lapack::dimension(begin_of(part + 2, parts) - begin);
    const WorkMemory<T> work(lapack::laed1_workspace<T>(rows));
    return lapack::laed1(rows, diagonal_ + begin, vectors_.as<T>() + begin * n_ + begin,
                         lapack::dimension(n_), &order_[begin], below_[middle - 1],
                         lapack::dimension(middle - begin), work.workspace);
  }

  int64_t n_;
  T *diagonal_, *below_;
  std::vector<Integer> order_;
  Scratch vectors_;
};

/// Makes the eigenvectors the columns of a row-major matrix with n columns, of which [begin, end) are
/// written.
template <typename T>
void write_columns(const TridiagonalSystem<Real<T>>& system, int64_t n, int64_t begin, int64_t end,
                   T* matrix) {
  constexpr int64_t kRows = 16;  // of which lines stay in the cache
  for (int64_t first = 0; first < n; first += kRows) {
    const int64_t last = std::min(first + kRows, n);
    for (int64_t i = begin; i < end; ++i) {
      const Real<T>* vector = system.vector(system.position(i));
      for (int64_t row = first; row < last; ++row) matrix[row * n + i] = vector[row];
    }
  }
}

}  // namespace

template <typename T>
bool large_eigensystem(int64_t n, T* conjugate, Real<T>* eigenvalues, T* eigenvectors) {
  constexpr int64_t kRows = 64;  // of a part, at least
  using Part = Real<T>;
  const Integer size = lapack::dimension(n);
  const Scratch factors(n * static_cast<int64_t>(sizeof(T))), values(n * static_cast<int64_t>(sizeof(Part))),
      below(n * static_cast<int64_t>(sizeof(Part)));
  {
    const int64_t work_size = lapack::hetrd_workspace<T>(size);
    const Scratch work(work_size * static_cast<int64_t>(sizeof(T)));
    lapack::hetrd(size, conjugate, values.as<Part>(), below.as<Part>(), factors.as<T>(), work.as<T>(),
                  work_size);
  }
  TridiagonalSystem<Part> system(n, values.as<Part>(), below.as<Part>());
  if (!system.solve()) return false;
  for (int64_t i = 0; i < n; ++i) eigenvalues[i] = values.as<Part>()[system.position(i)];

  // conj(a) = q·t·qᴴ and t = z·d·zᵀ, so that the eigenvectors of a are conj(q)·z: in column-major terms,
  // zᵀ·qᴴ.
  const int64_t threads = ThreadPool::instance().size();
  ThreadPool::instance().parallel_for(n, std::max(kRows, (n + threads - 1) / threads),
                                      [&](int64_t begin, int64_t end) {
                                        write_columns<T>(system, n, begin, end, eigenvectors);
                                        const Integer rows = lapack::dimension(end - begin);
                                        const int64_t work_size = lapack::unmtr_workspace<T>(rows, size);
                                        const Scratch work(work_size * static_cast<int64_t>(sizeof(T)));
                                        lapack::unmtr(rows, size, conjugate, factors.as<T>(),
                                                      eigenvectors + begin, size, work.as<T>(), work_size);
                                      });
  return true;
}

#define FTRANS_INSTANTIATE(T) template bool large_eigensystem<T>(int64_t, T*, Real<T>*, T*);
FTRANS_INSTANTIATE(float)
FTRANS_INSTANTIATE(double)
FTRANS_INSTANTIATE(std::complex<float>)
FTRANS_INSTANTIATE(std::complex<double>)
#undef FTRANS_INSTANTIATE

}  // namespace ftrans::cpu::steps
