#include "cpu/steps/large_eigensystem.h"

#include <cmath>

#include "cpu/blas.h"
#include "cpu/blas_library.h"

namespace ftrans::cpu::steps {

using lapack::Real;

bool is_for_large_eigensystem(int64_t n, int64_t count) {
  // Below this size LAPACK may apply reflectors one by one, and writes to them meanwhile.
  constexpr int64_t kMinRows = 160;
  return n >= kMinRows && count < ThreadPool::instance().size() && !blas_library().runs_own_threads;
}

template <typename T>
LargeEigensystem<T>::LargeEigensystem(int64_t n)
    : n_(lapack::dimension(n)),
      reduction_size_(lapack::hetrd_workspace<T>(n_)),
      rotation_size_(lapack::unmtr_workspace<T>(n_, n_)),
      solver_size_(lapack::stedc_workspace<Real<T>>(n_)) {}

template <typename T>
bool LargeEigensystem<T>::accepts(const T* a) const {
  // Squares neither overflow nor vanish.
  using Limits = std::numeric_limits<Real<T>>;
  const Real<T> least = std::sqrt(Limits::min() / Limits::epsilon());
  Real<T> largest{};
  for (int64_t i = 0; i < int64_t{n_} * n_; ++i) largest = std::max(largest, std::abs(a[i]));
  return largest == 0 || (largest >= least && largest <= 1 / least);
}

template <typename T>
bool LargeEigensystem<T>::run(T* a, Real<T>* eigenvalues) const {
  constexpr int64_t kColumns = 64;  // of a part, at least
  const int64_t n = n_;
  const Scratch factors(n * static_cast<int64_t>(sizeof(T))),
      below(n * static_cast<int64_t>(sizeof(Real<T>)));
  const Scratch vectors(n * n * static_cast<int64_t>(sizeof(T)));
  {
    const Scratch work(reduction_size_ * static_cast<int64_t>(sizeof(T)));
    lapack::hetrd(n_, a, eigenvalues, below.as<Real<T>>(), factors.as<T>(), work.as<T>(), reduction_size_);
  }
  {
    const Scratch work(solver_size_.bytes<Real<T>>());
    const Scratch real_vectors(is_complex<T> ? n * n * static_cast<int64_t>(sizeof(Real<T>)) : 0);
    Real<T>* found = reinterpret_cast<Real<T>*>(is_complex<T> ? real_vectors.data() : vectors.data());
    if (!lapack::stedc(n_, eigenvalues, below.as<Real<T>>(), found, {solver_size_, work.data()}))
      return false;
    if constexpr (is_complex<T>) std::copy(found, found + n * n, vectors.as<T>());
  }
  ThreadPool::instance().parallel_for(n, kColumns, [&](int64_t begin, int64_t end) {
    const Scratch work(rotation_size_ * static_cast<int64_t>(sizeof(T)));
    lapack::unmtr(n_, lapack::dimension(end - begin), a, factors.as<T>(), vectors.as<T>() + begin * n,
                  work.as<T>(), rotation_size_);
  });
  std::copy(vectors.as<T>(), vectors.as<T>() + n * n, a);
  return true;
}

template class LargeEigensystem<float>;
template class LargeEigensystem<double>;
template class LargeEigensystem<std::complex<float>>;
template class LargeEigensystem<std::complex<double>>;

}  // namespace ftrans::cpu::steps
