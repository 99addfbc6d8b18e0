#pragma once

#include <complex>
#include <cstdint>

/// The part of LAPACK (and BLAS's trsm) that the step kernels use, over column-major matrices whose leading
/// dimension is their number of rows unless said otherwise: Accelerate on macOS, OpenBLAS elsewhere. A call
/// runs on its thread. T is float, double, std::complex<float> or std::complex<double>. Where a routine
/// returns a bool, false means that it failed on these values: not positive definite, or not converged.
namespace ftrans::cpu::lapack {

template <typename T>
struct RealOf {
  using type = T;
};
template <typename T>
struct RealOf<std::complex<T>> {
  using type = T;
};
/// The type of real parts, norms and singular values.
template <typename T>
using Real = typename RealOf<T>::type;

/// A dimension as LAPACK takes it. Throws std::runtime_error if it is too large.
int dimension(int64_t extent);

/// The memory that a routine needs besides its operands.
struct WorkspaceSize {
  int64_t elements = 0, reals = 0, integers = 0;

  template <typename T>
  int64_t bytes() const {
    return elements * static_cast<int64_t>(sizeof(T)) + reals * static_cast<int64_t>(sizeof(Real<T>)) +
           integers * static_cast<int64_t>(sizeof(int));
  }
};

/// Such memory, cut into its parts.
template <typename T>
struct Workspace {
  WorkspaceSize size;
  T* elements;
  Real<T>* reals;
  int* integers;

  Workspace(const WorkspaceSize& size, void* memory)
      : size(size),
        elements(static_cast<T*>(memory)),
        reals(reinterpret_cast<Real<T>*>(elements + size.elements)),
        integers(reinterpret_cast<int*>(reals + size.reals)) {}
};

/// x = x · op(a)⁻¹ for a triangular a of shape [n, n] and x of shape [rows, n].
template <typename T>
void trsm_right(bool upper, bool transposed, bool unit_diagonal, int rows, int n, const T* a,
                int a_leading_dimension, T* x, int x_leading_dimension);

/// The factor of a = uᴴ·u in its upper triangle; the strictly lower one is neither read nor written.
template <typename T>
bool potrf_upper(int n, T* a);

/// a = p·l·u of an [m, n] matrix; row i was exchanged with row pivots[i] − 1.
template <typename T>
void getrf(int m, int n, T* a, int* pivots);

/// a = l·q of an [m, n] matrix: l in the lower triangle, q as reflectors above it and in `factors`.
template <typename T>
int64_t gelqf_workspace(int m, int n, int leading_dimension);
template <typename T>
void gelqf(int m, int n, T* a, int leading_dimension, T* factors, T* work, int64_t work_size);

/// The first m rows of the q that gelqf's first k rows stand for; the matrix is [m, n].
template <typename T>
int64_t unglq_workspace(int m, int n, int k, int leading_dimension);
template <typename T>
void unglq(int m, int n, int k, T* a, int leading_dimension, const T* factors, T* work, int64_t work_size);

/// Eigenvalues in ascending order of the Hermitian matrix in the lower triangle of a, which the eigenvectors
/// replace.
template <typename T>
WorkspaceSize heevd_workspace(bool vectors, int n);
template <typename T>
bool heevd(bool vectors, int n, T* a, Real<T>* eigenvalues, const Workspace<T>& workspace);

/// The stages of heevd. First a = q·t·qᴴ with a real tridiagonal t, of which `below` has n − 1 elements; q is
/// left as reflectors below the diagonal of a and in the n − 1 `factors`.
template <typename T>
int64_t hetrd_workspace(int n);
template <typename T>
void hetrd(int n, T* a, Real<T>* diagonal, Real<T>* below, T* factors, T* work, int64_t work_size);

/// Then the eigenvalues of t, which replace the diagonal, and its eigenvectors. T is float or double.
template <typename T>
WorkspaceSize stedc_workspace(int n);
template <typename T>
bool stedc(int n, T* diagonal, T* below, T* eigenvectors, const Workspace<T>& workspace);

/// Last x = q·x for an x of n rows.
template <typename T>
int64_t unmtr_workspace(int n, int columns);
template <typename T>
void unmtr(int n, int columns, const T* a, const T* factors, T* x, T* work, int64_t work_size);

enum class SingularVectors : char { None = 'N', Reduced = 'S', Full = 'A' };

/// a = u·diag(s)·vt of an [m, n] matrix, which is overwritten. u is [m, m] or [m, min(m, n)].
template <typename T>
WorkspaceSize gesdd_workspace(SingularVectors vectors, int m, int n);
template <typename T>
bool gesdd(SingularVectors vectors, int m, int n, T* a, Real<T>* s, T* u, T* vt,
           const Workspace<T>& workspace);

/// Eigenvalues and right eigenvectors of a, which is overwritten. Those of a real matrix are complex.
template <typename T>
WorkspaceSize geev_workspace(bool vectors, int n);
template <typename T>
bool geev(bool vectors, int n, T* a, std::complex<Real<T>>* eigenvalues, std::complex<Real<T>>* eigenvectors,
          const Workspace<T>& workspace);

}  // namespace ftrans::cpu::lapack
