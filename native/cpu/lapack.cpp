#include "cpu/lapack.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "cpu/blas_library.h"

namespace ftrans::cpu::lapack {
namespace {

template <typename T>
constexpr bool is_complex = !std::is_same_v<T, Real<T>>;

/// The routine for elements of type T, whose name may differ between real and complex elements.
template <typename T>
void* routine(const char* real_name, const char* complex_name) {
  constexpr bool is_double = std::is_same_v<Real<T>, double>;
  constexpr char letter = is_complex<T> ? (is_double ? 'z' : 'c') : (is_double ? 'd' : 's');
  return lapack_function(letter + std::string(is_complex<T> ? complex_name : real_name));
}

template <typename T>
void* routine(const char* name) {
  return routine<T>(name, name);
}

/// The hidden argument that Fortran expects after all others for the length of each string.
constexpr size_t kLength = 1;

template <typename... Arguments>
void call(void* function, Arguments... arguments) {
  reinterpret_cast<void (*)(Arguments...)>(function)(arguments...);
}

/// Fortran wants a positive leading dimension of empty matrices too.
Integer leading(Integer rows) { return std::max<Integer>(1, rows); }

/// A size that a routine has returned as a floating-point number, which single precision may have rounded.
template <typename T>
int64_t size_of(T reported) {
  const Real<T> size = std::real(reported);
  return std::max<int64_t>(1, static_cast<int64_t>(size * (1 + std::numeric_limits<Real<T>>::epsilon())));
}

constexpr Integer kQuery = -1;

}  // namespace

Integer dimension(int64_t extent) {
  if (extent > std::numeric_limits<Integer>::max())
    throw std::runtime_error("linear algebra: a dimension is too large for LAPACK (more than 2^31 - 1)");
  return static_cast<Integer>(extent);
}

template <typename T>
void trsm_right(bool upper, bool transposed, bool unit_diagonal, Integer rows, Integer n, const T* a,
                Integer a_leading_dimension, T* x, Integer x_leading_dimension) {
  static void* const function = routine<T>("trsm");
  const T one{1};
  call(function, "R", upper ? "U" : "L", transposed ? "T" : "N", unit_diagonal ? "U" : "N", &rows, &n, &one,
       a, &a_leading_dimension, x, &x_leading_dimension, kLength, kLength, kLength, kLength);
}

template <typename T>
bool potrf_upper(Integer n, T* a) {
  static void* const function = routine<T>("potrf");
  const Integer lda = leading(n);
  Integer info = 0;
  call(function, "U", &n, a, &lda, &info, kLength);
  return info == 0;
}

template <typename T>
void getrf(Integer m, Integer n, T* a, Integer* pivots) {
  static void* const function = routine<T>("getrf");
  const Integer lda = leading(m);
  Integer info = 0;  // a zero on the diagonal is no failure
  call(function, &m, &n, a, &lda, pivots, &info);
}

template <typename T>
int64_t gelqf_workspace(Integer m, Integer n, Integer leading_dimension) {
  T size{};
  T* const none = nullptr;
  static void* const function = routine<T>("gelqf");
  Integer info = 0;
  call(function, &m, &n, none, &leading_dimension, none, &size, &kQuery, &info);
  return size_of(size);
}

template <typename T>
void gelqf(Integer m, Integer n, T* a, Integer leading_dimension, T* factors, T* work, int64_t work_size) {
  static void* const function = routine<T>("gelqf");
  const Integer lwork = dimension(work_size);
  Integer info = 0;
  call(function, &m, &n, a, &leading_dimension, factors, work, &lwork, &info);
}

template <typename T>
int64_t unglq_workspace(Integer m, Integer n, Integer k, Integer leading_dimension) {
  static void* const function = routine<T>("orglq", "unglq");
  T size{};
  T* const none = nullptr;
  Integer info = 0;
  call(function, &m, &n, &k, none, &leading_dimension, none, &size, &kQuery, &info);
  return size_of(size);
}

template <typename T>
void unglq(Integer m, Integer n, Integer k, T* a, Integer leading_dimension, const T* factors, T* work,
           int64_t work_size) {
  static void* const function = routine<T>("orglq", "unglq");
  const Integer lwork = dimension(work_size);
  Integer info = 0;
  call(function, &m, &n, &k, a, &leading_dimension, factors, work, &lwork, &info);
}

namespace {

template <typename T>
Integer call_heevd(const char* job, Integer n, T* a, Real<T>* eigenvalues, T* work, Integer lwork,
                   Real<T>* rwork, Integer lrwork, Integer* iwork, Integer liwork) {
  static void* const function = routine<T>("syevd", "heevd");
  const Integer lda = leading(n);
  Integer info = 0;
  if constexpr (is_complex<T>) {
    call(function, job, "L", &n, a, &lda, eigenvalues, work, &lwork, rwork, &lrwork, iwork, &liwork, &info,
         kLength, kLength);
  } else {
    call(function, job, "L", &n, a, &lda, eigenvalues, work, &lwork, iwork, &liwork, &info, kLength, kLength);
  }
  return info;
}

template <typename T>
Integer call_gesdd(SingularVectors vectors, Integer m, Integer n, T* a, Real<T>* s, T* u, T* vt, T* work,
                   Integer lwork, Real<T>* rwork, Integer* iwork) {
  static void* const function = routine<T>("gesdd");
  const char job = static_cast<char>(vectors);
  const Integer lda = leading(m), ldvt = leading(vectors == SingularVectors::Full ? n : std::min(m, n));
  Integer info = 0;
  if constexpr (is_complex<T>) {
    call(function, &job, &m, &n, a, &lda, s, u, &lda, vt, &ldvt, work, &lwork, rwork, iwork, &info, kLength);
  } else {
    call(function, &job, &m, &n, a, &lda, s, u, &lda, vt, &ldvt, work, &lwork, iwork, &info, kLength);
  }
  return info;
}

/// The eigenvalues of a real matrix arrive as real and imaginary parts in `parts`.
template <typename T>
Integer call_geev(const char* job, Integer n, T* a, std::complex<Real<T>>* eigenvalues, Real<T>* parts,
                  T* vectors, T* work, Integer lwork, Real<T>* rwork) {
  static void* const function = routine<T>("geev");
  const Integer ld = leading(n);
  T* const none = nullptr;
  Integer info = 0;
  if constexpr (is_complex<T>) {
    call(function, "N", job, &n, a, &ld, eigenvalues, none, &ld, vectors, &ld, work, &lwork, rwork, &info,
         kLength, kLength);
  } else {
    call(function, "N", job, &n, a, &ld, parts, parts + n, none, &ld, vectors, &ld, work, &lwork, &info,
         kLength, kLength);
  }
  return info;
}

const char* vector_job(bool vectors) { return vectors ? "V" : "N"; }

}  // namespace

template <typename T>
WorkspaceSize heevd_workspace(bool vectors, Integer n) {
  T elements{};
  Real<T> reals{};
  Integer integers = 0;
  call_heevd<T>(vector_job(vectors), n, nullptr, nullptr, &elements, kQuery, &reals, kQuery, &integers,
                kQuery);
  return {size_of(elements), is_complex<T> ? size_of(reals) : 0, std::max<int64_t>(1, integers)};
}

template <typename T>
bool heevd(bool vectors, Integer n, T* a, Real<T>* eigenvalues, const Workspace<T>& w) {
  return call_heevd(vector_job(vectors), n, a, eigenvalues, w.elements, dimension(w.size.elements), w.reals,
                    dimension(w.size.reals), w.integers, dimension(w.size.integers)) == 0;
}

template <typename T>
int64_t hetrd_workspace(Integer n) {
  static void* const function = routine<T>("sytrd", "hetrd");
  T size{};
  T* const none = nullptr;
  Real<T>* const no_reals = nullptr;
  const Integer lda = leading(n);
  Integer info = 0;
  call(function, "L", &n, none, &lda, no_reals, no_reals, none, &size, &kQuery, &info, kLength);
  return size_of(size);
}

template <typename T>
void hetrd(Integer n, T* a, Real<T>* diagonal, Real<T>* below, T* factors, T* work, int64_t work_size) {
  static void* const function = routine<T>("sytrd", "hetrd");
  const Integer lda = leading(n), lwork = dimension(work_size);
  Integer info = 0;
  call(function, "L", &n, a, &lda, diagonal, below, factors, work, &lwork, &info, kLength);
}

template <typename T>
WorkspaceSize stedc_workspace(Integer n) {
  static void* const function = routine<T>("stedc");
  T elements{};
  T* const none = nullptr;
  Integer integers = 0, info = 0;
  const Integer ldz = leading(n);
  call(function, "I", &n, none, none, none, &ldz, &elements, &kQuery, &integers, &kQuery, &info, kLength);
  return {size_of(elements), 0, std::max<Integer>(1, integers)};
}

template <typename T>
bool stedc(Integer n, T* diagonal, T* below, T* eigenvectors, Integer leading_dimension,
           const Workspace<T>& w) {
  static void* const function = routine<T>("stedc");
  const Integer lwork = dimension(w.size.elements), liwork = dimension(w.size.integers);
  Integer info = 0;
  call(function, "I", &n, diagonal, below, eigenvectors, &leading_dimension, w.elements, &lwork, w.integers,
       &liwork, &info, kLength);
  return info == 0;
}

template <typename T>
WorkspaceSize laed1_workspace(Integer n) {
  const int64_t size = n;  // as its documentation says
  return {size * size + 4 * size, 0, 4 * size};
}

template <typename T>
bool laed1(Integer n, T* eigenvalues, T* eigenvectors, Integer leading_dimension, Integer* order, T at_cut,
           Integer cut, const Workspace<T>& w) {
  static void* const function = routine<T>("laed1");
  Integer info = 0;
  call(function, &n, eigenvalues, eigenvectors, &leading_dimension, order, &at_cut, &cut, w.elements,
       w.integers, &info);
  return info == 0;
}

namespace {

template <typename T>
void call_unmtr(Integer rows, Integer n, const T* a, const T* factors, T* x, Integer ldx, T* work,
                Integer lwork) {
  static void* const function = routine<T>("ormtr", "unmtr");
  const Integer lda = leading(n);
  Integer info = 0;
  call(function, "R", "L", is_complex<T> ? "C" : "T", &rows, &n, a, &lda, factors, x, &ldx, work, &lwork,
       &info, kLength, kLength, kLength);
}

}  // namespace

template <typename T>
int64_t unmtr_workspace(Integer rows, Integer n) {
  T size{};
  call_unmtr<T>(rows, n, nullptr, nullptr, nullptr, leading(rows), &size, kQuery);
  return size_of(size);
}

template <typename T>
void unmtr(Integer rows, Integer n, const T* a, const T* factors, T* x, Integer x_leading_dimension, T* work,
           int64_t work_size) {
  call_unmtr(rows, n, a, factors, x, x_leading_dimension, work, dimension(work_size));
}

template <typename T>
WorkspaceSize gesdd_workspace(SingularVectors vectors, Integer m, Integer n) {
  T elements{};
  Real<T> reals{};
  Integer integers = 0;
  call_gesdd<T>(vectors, m, n, nullptr, nullptr, nullptr, nullptr, &elements, kQuery, &reals, &integers);
  const int64_t small = std::min(m, n), large = std::max(m, n);
  // Of the real workspace the documentation of cgesdd gives the sizes, which a query does not return.
  const int64_t real_size =
      vectors == SingularVectors::None
          ? 7 * small
          : std::max(5 * small * small + 5 * small, 2 * large * small + 2 * small * small + small);
  return {size_of(elements), is_complex<T> ? std::max<int64_t>(1, real_size) : 0,
          std::max<int64_t>(1, 8 * small)};
}

template <typename T>
bool gesdd(SingularVectors vectors, Integer m, Integer n, T* a, Real<T>* s, T* u, T* vt,
           const Workspace<T>& w) {
  return call_gesdd(vectors, m, n, a, s, u, vt, w.elements, dimension(w.size.elements), w.reals,
                    w.integers) == 0;
}

namespace {

template <typename T>
void call_gebrd(Integer m, Integer n, T* a, Real<T>* diagonal, Real<T>* beside, T* q_factors, T* p_factors,
                T* work, Integer lwork) {
  static void* const function = routine<T>("gebrd");
  const Integer lda = leading(m);
  Integer info = 0;
  call(function, &m, &n, a, &lda, diagonal, beside, q_factors, p_factors, work, &lwork, &info);
}

template <typename T>
void call_unmbr(Basis basis, Integer m, Integer n, const T* a, const T* factors, T* x, Integer extent,
                Integer ldx, T* work, Integer lwork) {
  static void* const function = routine<T>("ormbr", "unmbr");
  const char vect = static_cast<char>(basis);
  const bool left = basis == Basis::Q;
  const Integer rows = left ? m : extent, columns = left ? extent : n, lda = leading(m);
  Integer info = 0;
  call(function, &vect, left ? "L" : "R",
       left            ? "N"
       : is_complex<T> ? "C"
                       : "T",
       &rows, &columns, left ? &n : &m, a, &lda, factors, x, &ldx, work, &lwork, &info, kLength, kLength,
       kLength);
}

}  // namespace

template <typename T>
int64_t gebrd_workspace(Integer m, Integer n) {
  T size{};
  call_gebrd<T>(m, n, nullptr, nullptr, nullptr, nullptr, nullptr, &size, kQuery);
  return size_of(size);
}

template <typename T>
void gebrd(Integer m, Integer n, T* a, Real<T>* diagonal, Real<T>* beside, T* q_factors, T* p_factors,
           T* work, int64_t work_size) {
  call_gebrd(m, n, a, diagonal, beside, q_factors, p_factors, work, dimension(work_size));
}

template <typename T>
WorkspaceSize bdsdc_workspace(Integer k) {
  const int64_t size = k;  // as its documentation says
  return {3 * size * size + 4 * size, 0, 8 * size};
}

template <typename T>
bool bdsdc(bool upper, Integer k, T* diagonal, T* beside, T* u, T* vt, const Workspace<T>& w) {
  static void* const function = routine<T>("bdsdc");
  const Integer ld = leading(k);
  T* const none = nullptr;
  Integer* const no_integers = nullptr;
  Integer info = 0;
  call(function, upper ? "U" : "L", "I", &k, diagonal, beside, u, &ld, vt, &ld, none, no_integers, w.elements,
       w.integers, &info, kLength, kLength);
  return info == 0;
}

template <typename T>
int64_t unmbr_workspace(Basis basis, Integer m, Integer n, Integer x_extent) {
  T size{};
  call_unmbr<T>(basis, m, n, nullptr, nullptr, nullptr, x_extent, leading(std::max(m, x_extent)), &size,
                kQuery);
  return size_of(size);
}

template <typename T>
void unmbr(Basis basis, Integer m, Integer n, const T* a, const T* factors, T* x, Integer x_extent,
           Integer x_leading_dimension, T* work, int64_t work_size) {
  call_unmbr(basis, m, n, a, factors, x, x_extent, x_leading_dimension, work, dimension(work_size));
}

template <typename T>
WorkspaceSize geev_workspace(bool vectors, Integer n) {
  T elements{};
  Real<T> reals{};
  call_geev<T>(vector_job(vectors), n, nullptr, nullptr, &reals, nullptr, &elements, kQuery, &reals);
  const int64_t size = n;
  // Behind LAPACK's own: the vectors of a real matrix, packed in pairs.
  return {size_of(elements) + (is_complex<T> || !vectors ? 0 : size * size), std::max<int64_t>(1, 2 * size),
          0};
}

template <typename T>
bool geev(bool vectors, Integer n, T* a, std::complex<Real<T>>* eigenvalues,
          std::complex<Real<T>>* eigenvectors, const Workspace<T>& w) {
  if constexpr (is_complex<T>) {
    return call_geev(vector_job(vectors), n, a, eigenvalues, w.reals, eigenvectors, w.elements,
                     dimension(w.size.elements), w.reals) == 0;
  } else {
    const int64_t size = n;
    const int64_t lwork = w.size.elements - (vectors ? size * size : 0);
    T* const packed = w.elements + lwork;
    if (call_geev(vector_job(vectors), n, a, eigenvalues, w.reals, packed, w.elements, dimension(lwork),
                  w.reals) != 0)
      return false;
    for (int64_t j = 0; j < size; ++j) eigenvalues[j] = {w.reals[j], w.reals[size + j]};
    if (!vectors) return true;
    for (int64_t j = 0; j < size; ++j) {
      const T* real = packed + j * size;
      std::complex<T>* to = eigenvectors + j * size;
      if (eigenvalues[j].imag() == 0) {
        for (int64_t i = 0; i < size; ++i) to[i] = real[i];
      } else {  // a conjugate pair: real parts in one column, imaginary ones in the next
        for (int64_t i = 0; i < size; ++i) {
          to[i] = {real[i], real[size + i]};
          to[size + i] = std::conj(to[i]);
        }
        ++j;
      }
    }
    return true;
  }
}

#define FTRANS_INSTANTIATE(T)                                                                             \
  template void trsm_right<T>(bool, bool, bool, Integer, Integer, const T*, Integer, T*, Integer);        \
  template bool potrf_upper<T>(Integer, T*);                                                              \
  template void getrf<T>(Integer, Integer, T*, Integer*);                                                 \
  template int64_t gelqf_workspace<T>(Integer, Integer, Integer);                                         \
  template void gelqf<T>(Integer, Integer, T*, Integer, T*, T*, int64_t);                                 \
  template int64_t unglq_workspace<T>(Integer, Integer, Integer, Integer);                                \
  template void unglq<T>(Integer, Integer, Integer, T*, Integer, const T*, T*, int64_t);                  \
  template WorkspaceSize heevd_workspace<T>(bool, Integer);                                               \
  template bool heevd<T>(bool, Integer, T*, Real<T>*, const Workspace<T>&);                               \
  template int64_t hetrd_workspace<T>(Integer);                                                           \
  template void hetrd<T>(Integer, T*, Real<T>*, Real<T>*, T*, T*, int64_t);                               \
  template int64_t unmtr_workspace<T>(Integer, Integer);                                                  \
  template void unmtr<T>(Integer, Integer, const T*, const T*, T*, Integer, T*, int64_t);                 \
  template WorkspaceSize gesdd_workspace<T>(SingularVectors, Integer, Integer);                           \
  template bool gesdd<T>(SingularVectors, Integer, Integer, T*, Real<T>*, T*, T*, const Workspace<T>&);   \
  template int64_t gebrd_workspace<T>(Integer, Integer);                                                  \
  template void gebrd<T>(Integer, Integer, T*, Real<T>*, Real<T>*, T*, T*, T*, int64_t);                  \
  template int64_t unmbr_workspace<T>(Basis, Integer, Integer, Integer);                                  \
  template void unmbr<T>(Basis, Integer, Integer, const T*, const T*, T*, Integer, Integer, T*, int64_t); \
  template WorkspaceSize geev_workspace<T>(bool, Integer);                                                \
  template bool geev<T>(bool, Integer, T*, std::complex<Real<T>>*, std::complex<Real<T>>*,                \
                        const Workspace<T>&);
FTRANS_INSTANTIATE(float)
FTRANS_INSTANTIATE(double)
FTRANS_INSTANTIATE(std::complex<float>)
FTRANS_INSTANTIATE(std::complex<double>)
#undef FTRANS_INSTANTIATE

#define FTRANS_INSTANTIATE_REAL(T)                                                             \
  template WorkspaceSize stedc_workspace<T>(Integer);                                          \
  template bool stedc<T>(Integer, T*, T*, T*, Integer, const Workspace<T>&);                   \
  template WorkspaceSize laed1_workspace<T>(Integer);                                          \
  template bool laed1<T>(Integer, T*, T*, Integer, Integer*, T, Integer, const Workspace<T>&); \
  template WorkspaceSize bdsdc_workspace<T>(Integer);                                          \
  template bool bdsdc<T>(bool, Integer, T*, T*, T*, T*, const Workspace<T>&);
FTRANS_INSTANTIATE_REAL(float)
FTRANS_INSTANTIATE_REAL(double)
#undef FTRANS_INSTANTIATE_REAL

}  // namespace ftrans::cpu::lapack
