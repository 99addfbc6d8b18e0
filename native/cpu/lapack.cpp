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
int leading(int rows) { return std::max(1, rows); }

/// A size that a routine has returned as a floating-point number, which single precision may have rounded.
template <typename T>
int64_t size_of(T reported) {
  const Real<T> size = std::real(reported);
  return std::max<int64_t>(1, static_cast<int64_t>(size * (1 + std::numeric_limits<Real<T>>::epsilon())));
}

constexpr int kQuery = -1;

}  // namespace

int dimension(int64_t extent) {
  if (extent > std::numeric_limits<int>::max())
    throw std::runtime_error("linear algebra: a dimension is too large for LAPACK (more than 2^31 - 1)");
  return static_cast<int>(extent);
}

template <typename T>
void trsm_right(bool upper, bool transposed, bool unit_diagonal, int rows, int n, const T* a,
                int a_leading_dimension, T* x, int x_leading_dimension) {
  static void* const function = routine<T>("trsm");
  const T one{1};
  call(function, "R", upper ? "U" : "L", transposed ? "T" : "N", unit_diagonal ? "U" : "N", &rows, &n, &one,
       a, &a_leading_dimension, x, &x_leading_dimension, kLength, kLength, kLength, kLength);
}

template <typename T>
bool potrf_upper(int n, T* a) {
  static void* const function = routine<T>("potrf");
  const int lda = leading(n);
  int info = 0;
  call(function, "U", &n, a, &lda, &info, kLength);
  return info == 0;
}

template <typename T>
void getrf(int m, int n, T* a, int* pivots) {
  static void* const function = routine<T>("getrf");
  const int lda = leading(m);
  int info = 0;  // a zero on the diagonal is no failure
  call(function, &m, &n, a, &lda, pivots, &info);
}

template <typename T>
int64_t gelqf_workspace(int m, int n, int leading_dimension) {
  T size{};
  T* const none = nullptr;
  static void* const function = routine<T>("gelqf");
  int info = 0;
  call(function, &m, &n, none, &leading_dimension, none, &size, &kQuery, &info);
  return size_of(size);
}

template <typename T>
void gelqf(int m, int n, T* a, int leading_dimension, T* factors, T* work, int64_t work_size) {
  static void* const function = routine<T>("gelqf");
  const int lwork = dimension(work_size);
  int info = 0;
  call(function, &m, &n, a, &leading_dimension, factors, work, &lwork, &info);
}

template <typename T>
int64_t unglq_workspace(int m, int n, int k, int leading_dimension) {
  static void* const function = routine<T>("orglq", "unglq");
  T size{};
  T* const none = nullptr;
  int info = 0;
  call(function, &m, &n, &k, none, &leading_dimension, none, &size, &kQuery, &info);
  return size_of(size);
}

template <typename T>
void unglq(int m, int n, int k, T* a, int leading_dimension, const T* factors, T* work, int64_t work_size) {
  static void* const function = routine<T>("orglq", "unglq");
  const int lwork = dimension(work_size);
  int info = 0;
  call(function, &m, &n, &k, a, &leading_dimension, factors, work, &lwork, &info);
}

namespace {

template <typename T>
int call_heevd(const char* job, int n, T* a, Real<T>* eigenvalues, T* work, int lwork, Real<T>* rwork,
               int lrwork, int* iwork, int liwork) {
  static void* const function = routine<T>("syevd", "heevd");
  const int lda = leading(n);
  int info = 0;
  if constexpr (is_complex<T>) {
    call(function, job, "L", &n, a, &lda, eigenvalues, work, &lwork, rwork, &lrwork, iwork, &liwork, &info,
         kLength, kLength);
  } else {
    call(function, job, "L", &n, a, &lda, eigenvalues, work, &lwork, iwork, &liwork, &info, kLength, kLength);
  }
  return info;
}

template <typename T>
int call_gesdd(SingularVectors vectors, int m, int n, T* a, Real<T>* s, T* u, T* vt, T* work, int lwork,
               Real<T>* rwork, int* iwork) {
  static void* const function = routine<T>("gesdd");
  const char job = static_cast<char>(vectors);
  const int lda = leading(m), ldvt = leading(vectors == SingularVectors::Full ? n : std::min(m, n));
  int info = 0;
  if constexpr (is_complex<T>) {
    call(function, &job, &m, &n, a, &lda, s, u, &lda, vt, &ldvt, work, &lwork, rwork, iwork, &info, kLength);
  } else {
    call(function, &job, &m, &n, a, &lda, s, u, &lda, vt, &ldvt, work, &lwork, iwork, &info, kLength);
  }
  return info;
}

/// The eigenvalues of a real matrix arrive as real and imaginary parts in `parts`.
template <typename T>
int call_geev(const char* job, int n, T* a, std::complex<Real<T>>* eigenvalues, Real<T>* parts, T* vectors,
              T* work, int lwork, Real<T>* rwork) {
  static void* const function = routine<T>("geev");
  const int ld = leading(n);
  T* const none = nullptr;
  int info = 0;
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
WorkspaceSize heevd_workspace(bool vectors, int n) {
  T elements{};
  Real<T> reals{};
  int integers = 0;
  call_heevd<T>(vector_job(vectors), n, nullptr, nullptr, &elements, kQuery, &reals, kQuery, &integers,
                kQuery);
  return {size_of(elements), is_complex<T> ? size_of(reals) : 0, std::max(1, integers)};
}

template <typename T>
bool heevd(bool vectors, int n, T* a, Real<T>* eigenvalues, const Workspace<T>& w) {
  return call_heevd(vector_job(vectors), n, a, eigenvalues, w.elements, dimension(w.size.elements), w.reals,
                    dimension(w.size.reals), w.integers, dimension(w.size.integers)) == 0;
}

template <typename T>
int64_t hetrd_workspace(int n) {
  static void* const function = routine<T>("sytrd", "hetrd");
  T size{};
  T* const none = nullptr;
  Real<T>* const no_reals = nullptr;
  const int lda = leading(n);
  int info = 0;
  call(function, "L", &n, none, &lda, no_reals, no_reals, none, &size, &kQuery, &info, kLength);
  return size_of(size);
}

template <typename T>
void hetrd(int n, T* a, Real<T>* diagonal, Real<T>* below, T* factors, T* work, int64_t work_size) {
  static void* const function = routine<T>("sytrd", "hetrd");
  const int lda = leading(n), lwork = dimension(work_size);
  int info = 0;
  call(function, "L", &n, a, &lda, diagonal, below, factors, work, &lwork, &info, kLength);
}

template <typename T>
WorkspaceSize stedc_workspace(int n) {
  static void* const function = routine<T>("stedc");
  T elements{};
  T* const none = nullptr;
  int integers = 0, info = 0;
  const int ldz = leading(n);
  call(function, "I", &n, none, none, none, &ldz, &elements, &kQuery, &integers, &kQuery, &info, kLength);
  return {size_of(elements), 0, std::max(1, integers)};
}

template <typename T>
bool stedc(int n, T* diagonal, T* below, T* eigenvectors, const Workspace<T>& w) {
  static void* const function = routine<T>("stedc");
  const int ldz = leading(n), lwork = dimension(w.size.elements), liwork = dimension(w.size.integers);
  int info = 0;
  call(function, "I", &n, diagonal, below, eigenvectors, &ldz, w.elements, &lwork, w.integers, &liwork, &info,
       kLength);
  return info == 0;
}

template <typename T>
int64_t unmtr_workspace(int n, int columns) {
  static void* const function = routine<T>("ormtr", "unmtr");
  T size{};
  T* const none = nullptr;
  const int ld = leading(n);
  int info = 0;
  call(function, "L", "L", "N", &n, &columns, none, &ld, none, none, &ld, &size, &kQuery, &info, kLength,
       kLength, kLength);
  return size_of(size);
}

template <typename T>
void unmtr(int n, int columns, const T* a, const T* factors, T* x, T* work, int64_t work_size) {
  static void* const function = routine<T>("ormtr", "unmtr");
  const int ld = leading(n), lwork = dimension(work_size);
  int info = 0;
  call(function, "L", "L", "N", &n, &columns, a, &ld, factors, x, &ld, work, &lwork, &info, kLength, kLength,
       kLength);
}

template <typename T>
WorkspaceSize gesdd_workspace(SingularVectors vectors, int m, int n) {
  T elements{};
  Real<T> reals{};
  int integers = 0;
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
bool gesdd(SingularVectors vectors, int m, int n, T* a, Real<T>* s, T* u, T* vt, const Workspace<T>& w) {
  return call_gesdd(vectors, m, n, a, s, u, vt, w.elements, dimension(w.size.elements), w.reals,
                    w.integers) == 0;
}

template <typename T>
WorkspaceSize geev_workspace(bool vectors, int n) {
  T elements{};
  Real<T> reals{};
  call_geev<T>(vector_job(vectors), n, nullptr, nullptr, &reals, nullptr, &elements, kQuery, &reals);
  const int64_t size = n;
  // Behind LAPACK's own: the vectors of a real matrix, packed in pairs.
  return {size_of(elements) + (is_complex<T> || !vectors ? 0 : size * size), std::max<int64_t>(1, 2 * size),
          0};
}

template <typename T>
bool geev(bool vectors, int n, T* a, std::complex<Real<T>>* eigenvalues, std::complex<Real<T>>* eigenvectors,
          const Workspace<T>& w) {
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

#define FTRANS_INSTANTIATE(T)                                                                   \
  template void trsm_right<T>(bool, bool, bool, int, int, const T*, int, T*, int);              \
  template bool potrf_upper<T>(int, T*);                                                        \
  template void getrf<T>(int, int, T*, int*);                                                   \
  template int64_t gelqf_workspace<T>(int, int, int);                                           \
  template void gelqf<T>(int, int, T*, int, T*, T*, int64_t);                                   \
  template int64_t unglq_workspace<T>(int, int, int, int);                                      \
  template void unglq<T>(int, int, int, T*, int, const T*, T*, int64_t);                        \
  template WorkspaceSize heevd_workspace<T>(bool, int);                                         \
  template bool heevd<T>(bool, int, T*, Real<T>*, const Workspace<T>&);                         \
  template int64_t hetrd_workspace<T>(int);                                                     \
  template void hetrd<T>(int, T*, Real<T>*, Real<T>*, T*, T*, int64_t);                         \
  template int64_t unmtr_workspace<T>(int, int);                                                \
  template void unmtr<T>(int, int, const T*, const T*, T*, T*, int64_t);                        \
  template WorkspaceSize gesdd_workspace<T>(SingularVectors, int, int);                         \
  template bool gesdd<T>(SingularVectors, int, int, T*, Real<T>*, T*, T*, const Workspace<T>&); \
  template WorkspaceSize geev_workspace<T>(bool, int);                                          \
  template bool geev<T>(bool, int, T*, std::complex<Real<T>>*, std::complex<Real<T>>*, const Workspace<T>&);
FTRANS_INSTANTIATE(float)
FTRANS_INSTANTIATE(double)
FTRANS_INSTANTIATE(std::complex<float>)
FTRANS_INSTANTIATE(std::complex<double>)
#undef FTRANS_INSTANTIATE
template WorkspaceSize stedc_workspace<float>(int);
template WorkspaceSize stedc_workspace<double>(int);
template bool stedc<float>(int, float*, float*, float*, const Workspace<float>&);
template bool stedc<double>(int, double*, double*, double*, const Workspace<double>&);

}  // namespace ftrans::cpu::lapack
