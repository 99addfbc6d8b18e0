#include "cpu/steps/large_svd.h"

namespace ftrans::cpu::steps {

using lapack::Basis;
using lapack::Integer;
using lapack::Real;

namespace {

/// A bidiagonal matrix and the reflectors that lead to it.
template <typename T>
struct Bidiagonal {
  using Part = Real<T>;

  Bidiagonal(int64_t m, int64_t n, T* a, Part* diagonal)
      : m(lapack::dimension(m)),
        n(lapack::dimension(n)),
        k(std::min(m, n)),
        reflectors(a),
        memory(2 * k * static_cast<int64_t>(sizeof(T))),
        beside(k * static_cast<int64_t>(sizeof(Part))) {
    const int64_t work_size = lapack::gebrd_workspace<T>(this->m, this->n);
    const Scratch work(work_size * static_cast<int64_t>(sizeof(T)));
    lapack::gebrd(this->m, this->n, a, diagonal, beside.as<Part>(), factors(Basis::Q), factors(Basis::P),
                  work.as<T>(), work_size);
  }

  T* factors(Basis basis) const { return memory.as<T>() + (basis == Basis::Q ? 0 : k); }

  /// Turns [begin, end) of the columns of u, or of the rows of vt.
  void turn(Basis basis, T* x, int64_t begin, int64_t end) const {
    const Integer extent = lapack::dimension(end - begin);
    const int64_t work_size = lapack::unmbr_workspace<T>(basis, m, n, extent);
    const Scratch work(work_size * static_cast<int64_t>(sizeof(T)));
    const bool is_q = basis == Basis::Q;
    lapack::unmbr(basis, m, n, reflectors, factors(basis), x + (is_q ? begin * m : begin), extent,
                  is_q ? m : lapack::dimension(k), work.as<T>(), work_size);
  }

  Integer m, n;
  int64_t k;
  const T* reflectors;
  Scratch memory, beside;
};

/// Writes columns [begin, end) of u: those of a square matrix, and zeros below them.
template <typename T>
void write_left(const Real<T>* square, int64_t k, int64_t m, int64_t begin, int64_t end, T* u) {
  for (int64_t j = begin; j < end; ++j) {
    std::copy(square + j * k, square + (j + 1) * k, u + j * m);
    std::fill(u + j * m + k, u + (j + 1) * m, T{});
  }
}

/// Writes rows [begin, end) of vt: those of a square matrix, and zeros beside them.
template <typename T>
void write_right(const Real<T>* square, int64_t k, int64_t n, int64_t begin, int64_t end, T* vt) {
  for (int64_t j = 0; j < n; ++j) {
    if (j < k) {
      std::copy(square + j * k + begin, square + j * k + end, vt + j * k + begin);
    } else {
      std::fill(vt + j * k + begin, vt + j * k + end, T{});
    }
  }
}

}  // namespace

template <typename T>
bool large_svd(int64_t m, int64_t n, T* a, Real<T>* singular_values, T* u, T* vt) {
  using Part = Real<T>;
  const Bidiagonal<T> bidiagonal(m, n, a, singular_values);
  const int64_t k = bidiagonal.k;
  const Scratch squares(2 * k * k * static_cast<int64_t>(sizeof(Part)));
  Part* const left = squares.as<Part>();
  Part* const right = left + k * k;
  {
    const Integer size = lapack::dimension(k);
    const WorkMemory<Part> work(lapack::bdsdc_workspace<Part>(size));
    if (!lapack::bdsdc(m >= n, size, singular_values, bidiagonal.beside.template as<Part>(), left, right,
                       work.workspace))
      return false;
  }
  // Half of the parts are of u, half of vt.
  ThreadPool& pool = ThreadPool::instance();
  const int64_t parts = (pool.size() + 1) / 2;
  pool.parallel_for(2 * parts, 1, [&](int64_t first, int64_t last) {
    for (int64_t part = first; part < last; ++part) {
      const int64_t begin = part / 2 * k / parts, end = (part / 2 + 1) * k / parts;
      if (part % 2 == 0) {
        write_left<T>(left, k, m, begin, end, u);
        bidiagonal.turn(Basis::Q, u, begin, end);
      } else {
        write_right<T>(right, k, n, begin, end, vt);
        bidiagonal.turn(Basis::P, vt, begin, end);
      }
    }
  });
  return true;
}

#define FTRANS_INSTANTIATE(T) template bool large_svd<T>(int64_t, int64_t, T*, Real<T>*, T*, T*);
FTRANS_INSTANTIATE(float)
FTRANS_INSTANTIATE(double)
FTRANS_INSTANTIATE(std::complex<float>)
FTRANS_INSTANTIATE(std::complex<double>)
#undef FTRANS_INSTANTIATE

}  // namespace ftrans::cpu::steps
