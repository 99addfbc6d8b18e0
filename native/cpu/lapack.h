#pragma once

#include <complex>
#include <cstdint>

#include "cpu/blas_library.h"

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

using Integer = BlasInteger;

/// A dimension as LAPACK takes it. Throws std::runtime_error if it is too large.
Integer dimension(int64_t extent);

/// The memory that a routine needs besides its operands.
struct WorkspaceSize {
  int64_t elements = 0, reals = 0, integers = 0;

  /// Where the integers begin, behind the elements and the reals.
  template <typename T>
  int64_t integers_offset() const {
    constexpr auto kAlignment = static_cast<int64_t>(alignof(Integer));
    const int64_t end =
        elements * static_cast<int64_t>(sizeof(T)) + reals * static_cast<int64_t>(sizeof(Real<T>));
    return (end + kAlignment - 1) / kAlignment * kAlignment;
  }
  template <typename T>
  int64_t bytes() const {
    return integers_offset<T>() + integers * static_cast<int64_t>(sizeof(Integer));
  }
};

/// Such memory, cut into its parts.
template <typename T>
struct Workspace {
  WorkspaceSize size;
  T* elements;
  Real<T>* reals;
  Integer* integers;

  Workspace(const WorkspaceSize& size, void* memory)
      : size(size),
        elements(static_cast<T*>(memory)),
        reals(reinterpret_cast<Real<T>*>(elements + size.elements)),
        integers(reinterpret_cast<Integer*>(static_cast<char*>(memory) + size.integers_offset<T>())) {}
};

/// x = x · op(a)⁻¹ for a triangular a of shape [n, n] and x of shape [rows, n].
template <typename T>
void trsm_right(bool upper, bool transposed, bool unit_diagonal, Integer rows, Integer n, const T* a,
                Integer a_leading_dimension, T* x, Integer x_leading_dimension);

/// The factor of a = uᴴ·u in its upper triangle; the strictly lower one is neither read nor written.
template <typename T>
bool potrf_upper(Integer n, T* a);

/// a = p·l·u of an [m, n] matrix; row i was exchanged with row pivots[i] − 1.
template <typename T>
void getrf(Integer m, Integer n, T* a, Integer* pivots);

/// a = l·q of an [m, n] matrix: l in the lower triangle, q as reflectors above it and in `factors`.
template <typename T>
int64_t gelqf_workspace(Integer m, Integer n, Integer leading_dimension);
template <typename T>
void gelqf(Integer m, Integer n, T* a, Integer leading_dimension, T* factors, T* work, int64_t work_size);

/// The first m rows of the q that gelqf's first k rows stand for; the matrix is [m, n].
template <typename T>
int64_t unglq_workspace(Integer m, Integer n, Integer k, Integer leading_dimension);
template <typename T>
void unglq(Integer m, Integer n, Integer k, T* a, Integer leading_dimension, const T* factors, T* work,
           int64_t work_size);

/// Eigenvalues in ascending order of the Hermitian matrix in the lower triangle of a, which the eigenvectors
/// replace.
template <typename T>
WorkspaceSize heevd_workspace(bool vectors, Integer n);
template <typename T>
bool heevd(bool vectors, Integer n, T* a, Real<T>* eigenvalues, const Workspace<T>& workspace);

/// The stages of heevd. First a = q·t·qᴴ with a real tridiagonal t, of which `below` has n − 1 elements; q is
/// left as reflectors below the diagonal of a and in the n − 1 `factors`.
template <typename T>
int64_t hetrd_workspace(Integer n);
template <typename T>
void hetrd(Integer n, T* a, Real<T>* diagonal, Real<T>* below, T* factors, T* work, int64_t work_size);

/// Then the eigenvalues of t in ascending order, which replace the diagonal, and its eigenvectors. T is float
/// or double.
template <typename T>
WorkspaceSize stedc_workspace(Integer n);
template <typename T>
bool stedc(Integer n, T* diagonal, T* below, T* eigenvectors, Integer leading_dimension,
           const Workspace<T>& workspace);

/// Or first those of two parts of t, its first `cut` rows and the others, where the modulus of the element
/// below the diagonal at the cut is subtracted from the two diagonal elements beside it; then those of all,
/// from the two systems in the blocks of `eigenvectors`, which has zeros elsewhere. `order` gives the
/// positions, from 1, of ascending eigenvalues: of each part, and in the end of all.
template <typename T>
WorkspaceSize laed1_workspace(Integer n);
template <typename T>
bool laed1(Integer n, T* eigenvalues, T* eigenvectors, Integer leading_dimension, Integer* order, T at_cut,
           Integer cut, const Workspace<T>& workspace);

/// Last x = x·qᴴ for an x of n columns.
template <typename T>
int64_t unmtr_workspace(Integer rows, Integer n);
template <typename T>
void unmtr(Integer rows, Integer n, const T* a, const T* factors, T* x, Integer x_leading_dimension, T* work,
           int64_t work_size);

enum class SingularVectors : char { None = 'N', Reduced = 'S', Full = 'A' };

/// a = u·diag(s)·vt of an [m, n] matrix, which is overwritten. u is [m, m] or [m, min(m, n)].
template <typename T>
WorkspaceSize gesdd_workspace(SingularVectors vectors, Integer m, Integer n);
template <typename T>
bool gesdd(SingularVectors vectors, Integer m, Integer n, T* a, Real<T>* s, T* u, T* vt,
           const Workspace<T>& workspace);

/// The stages of gesdd. First a = q·b·pᴴ of an [m, n] matrix with a real bidiagonal b, whose other diagonal,
/// `beside`, is above the main one if m ≥ n, else below it; q and p are left as reflectors in a and in
/// `q_factors` and `p_factors`, min(m, n) of each.
template <typename T>
int64_t gebrd_workspace(Integer m, Integer n);
template <typename T>
void gebrd(Integer m, Integer n, T* a, Real<T>* diagonal, Real<T>* beside, T* q_factors, T* p_factors,
           T* work, int64_t work_size);

/// Then b = u·diag(s)·vt with s in descending order in the place of its diagonal; all are [k, k]. T is float
/// or double.
template <typename T>
WorkspaceSize bdsdc_workspace(Integer k);
template <typename T>
bool bdsdc(bool upper, Integer k, T* diagonal, T* beside, T* u, T* vt, const Workspace<T>& workspace);

/// Last x = q·x for an x of m rows, or x = x·pᴴ for one of n columns, where the [m, n] matrix a is what gebrd
/// left.
enum class Basis : char { Q = 'Q', P = 'P' };
template <typename T>
int64_t unmbr_workspace(Basis basis, Integer m, Integer n, Integer x_extent);
template <typename T>
void unmbr(Basis basis, Integer m, Integer n, const T* a, const T* factors, T* x, Integer x_extent,
           Integer x_leading_dimension, T* work, int64_t work_size);

/// Eigenvalues and right eigenvectors of a, which is overwritten. Those of a real matrix are complex.
template <typename T>
WorkspaceSize geev_workspace(bool vectors, Integer n);
template <typename T>
bool geev(bool vectors, Integer n, T* a, std::complex<Real<T>>* eigenvalues,
          std::complex<Real<T>>* eigenvectors, const Workspace<T>& workspace);

}  // namespace ftrans::cpu::lapack
