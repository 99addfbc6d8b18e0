#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "cpu/blas_library.h"
#include "cpu/lapack.h"
#include "cpu/steps/block_copy.h"
#include "cpu/steps/support.h"

/// What the kernels of linear algebra have in common: batches of matrices, which several threads take.
namespace ftrans::cpu::steps {

/// The matrices in the last two axes of an operand (or the vectors in its last one), for each index of the
/// axes before.
class Matrices {
 public:
  explicit Matrices(const TensorView& view, int matrix_axes = 2)
      : view_(view), batch_axes_(view.ndim - matrix_axes) {}

  int64_t rows() const { return view_.shape[batch_axes_]; }
  int64_t columns() const { return view_.shape[view_.ndim - 1]; }
  int64_t row_stride() const { return view_.strides[batch_axes_]; }
  int64_t column_stride() const { return view_.strides[view_.ndim - 1]; }

  int64_t count() const {
    int64_t count = 1;
    for (int axis = 0; axis < batch_axes_; ++axis) count *= view_.shape[axis];
    return count;
  }

  template <typename T>
  T* at(int64_t index) const {
    int64_t offset = 0;
    for (int axis = batch_axes_ - 1; axis >= 0; --axis) {
      offset += index % view_.shape[axis] * view_.strides[axis];
      index /= view_.shape[axis];
    }
    return view_.as<T>() + offset;
  }

  /// A copy of one of them to memory with these strides.
  BlockCopy copy_to(int64_t row_stride, int64_t column_stride) const {
    const int64_t to[] = {row_stride, column_stride};
    return {itemsize(view_.dtype), view_.shape + batch_axes_, 2, view_.strides + batch_axes_, to};
  }

  /// The same from such memory into one of them.
  BlockCopy copy_from(int64_t row_stride, int64_t column_stride) const {
    const int64_t from[] = {row_stride, column_stride};
    return {itemsize(view_.dtype), view_.shape + batch_axes_, 2, from, view_.strides + batch_axes_};
  }

 private:
  const TensorView& view_;
  int batch_axes_;
};

/// Calls body(begin, end) for parts of a batch: one part a thread if there is enough work. `work` is the
/// number of multiply-adds of a matrix. A body allocates its memory once.
template <typename Body>
void for_each_matrix(int64_t count, int64_t work, Body&& body) {
  constexpr int64_t kPartWork = 1 << 16;
  ThreadPool::instance().parallel_for(count, std::max<int64_t>(1, kPartWork / std::max<int64_t>(1, work)),
                                      body);
}

/// function(TypeTag<T>) for the element types that LAPACK has.
template <typename Function>
void dispatch_lapack(Dtype dtype, Function&& function) {
  switch (dtype) {
    case Dtype::Float32: return function(TypeTag<float>{});
    case Dtype::Float64: return function(TypeTag<double>{});
    case Dtype::Complex64: return function(TypeTag<std::complex<float>>{});
    case Dtype::Complex128: return function(TypeTag<std::complex<double>>{});
    default: throw std::runtime_error("linear algebra: the dtype has no LAPACK routines");
  }
}

/// What the results are where a routine fails.
template <typename T>
constexpr T not_a_number() {
  using Part = lapack::Real<T>;
  constexpr Part nan = std::numeric_limits<Part>::quiet_NaN();
  if constexpr (is_complex<T>) {
    return {nan, nan};
  } else {
    return nan;
  }
}

template <typename T>
bool all_finite(const T* data, int64_t size) {
  lapack::Real<T> sum{};  // x − x is 0, or NaN for infinities and NaN
  for (int64_t i = 0; i < size; ++i) {
    if constexpr (is_complex<T>) {
      sum += (data[i].real() - data[i].real()) + (data[i].imag() - data[i].imag());
    } else {
      sum += data[i] - data[i];
    }
  }
  return sum == 0;
}

/// Whether the elements are finite, and such that their squares neither overflow nor vanish.
template <typename T>
bool has_moderate_elements(const T* a, int64_t size) {
  using Part = lapack::Real<T>;
  using Bits = std::conditional_t<sizeof(Part) == 8, uint64_t, uint32_t>;
  const Part least = std::sqrt(std::numeric_limits<Part>::min() / std::numeric_limits<Part>::epsilon());
  const auto* parts = reinterpret_cast<const Part*>(a);
  Bits largest = 0;  // of the moduli, which are ordered as their bits are; infinities and NaN come last
  for (int64_t i = 0; i < size * static_cast<int64_t>(sizeof(T) / sizeof(Part)); ++i) {
    largest = std::max(largest, std::bit_cast<Bits>(parts[i]) << 1 >> 1);
  }
  return largest == 0 || (largest >= std::bit_cast<Bits>(least) && largest <= std::bit_cast<Bits>(1 / least));
}

/// Whether the stages of a decomposition of `count` matrices, the smaller extent of which is n, are to be
/// called one by one, so that several threads share them. They could also take one matrix each.
inline bool pays_in_stages(int64_t n, int64_t count) {
  // Below this size LAPACK may apply reflectors one by one, and writes to them meanwhile.
  constexpr int64_t kMinRows = 160;
  return n >= kMinRows && count < ThreadPool::instance().size() && !blas_library().runs_own_threads;
}

/// Memory that a routine of LAPACK works in.
template <typename T>
struct WorkMemory {
  explicit WorkMemory(const lapack::WorkspaceSize& size)
      : memory(size.bytes<T>()), workspace(size, memory.data()) {}
  Scratch memory;
  lapack::Workspace<T> workspace;
};

/// x = x · op(a)⁻¹, the rows of x divided among the threads where it is worth it.
template <typename T>
void solve_right(bool upper, bool transposed, bool unit_diagonal, int64_t rows, int64_t n, const T* a,
                 int64_t a_leading_dimension, T* x, int64_t x_leading_dimension) {
  constexpr int64_t kGrain = 16, kPartWork = 1 << 17;
  ThreadPool::instance().parallel_for(
      rows, std::max<int64_t>(kGrain, kPartWork / std::max<int64_t>(1, n * n)),
      [&](int64_t begin, int64_t end) {
        lapack::trsm_right(upper, transposed, unit_diagonal, lapack::dimension(end - begin),
                           lapack::dimension(n), a, lapack::dimension(a_leading_dimension), x + begin,
                           lapack::dimension(x_leading_dimension));
      });
}

/// x = a⁻¹ · x for a row-major x of shape [n, columns]. The row-major a of shape [n, n] is overwritten by its
/// factors, and `pivots` has n elements.
template <typename T>
void solve_in_place(int64_t n, int64_t columns, T* a, lapack::Integer* pivots, T* x) {
  // In column-major terms a is given as aᵀ = p·l·u, and xᵀ is to become xᵀ·(p·l·u)⁻¹.
  const lapack::Integer size = lapack::dimension(n);
  lapack::getrf(size, size, a, pivots);
  solve_right(true, false, false, columns, n, a, n, x, columns);
  solve_right(false, false, true, columns, n, a, n, x, columns);
  for (int64_t i = n - 1; i >= 0; --i) {
    const int64_t j = pivots[i] - 1;
    if (j != i) std::swap_ranges(x + i * columns, x + (i + 1) * columns, x + j * columns);
  }
}

}  // namespace ftrans::cpu::steps
