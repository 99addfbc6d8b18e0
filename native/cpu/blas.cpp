#include "cpu/blas.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <type_traits>

#include "core/thread_pool.h"
#include "cpu/blas_library.h"

namespace ftrans::cpu {
namespace {

constexpr int kRowMajor = 101, kNoTranspose = 111, kTranspose = 112;
constexpr int64_t kPartWork = 1 << 17;   // multiply-adds that a thread takes at least
constexpr int64_t kPartBytes = 1 << 17;  // of a matrix that is read once
constexpr int64_t kAlignment = 16;       // of the parts of a result, so that kernels run on whole registers
constexpr int64_t kPackingCost = 16;     // of an element, in multiply-adds

BlasInteger narrow(int64_t value) {
  if (value > std::numeric_limits<BlasInteger>::max())
    throw std::runtime_error("dot_general: a dimension is too large for BLAS (more than 2^31 - 1)");
  return static_cast<BlasInteger>(value);
}

template <typename T>
void call_gemm(const BlasLibrary& library, int64_t rows, int64_t columns, int64_t depth, BlasMatrix<T> a,
               BlasMatrix<T> b, bool accumulate, T* result, int64_t result_leading_dimension) {
  const auto call = [&](auto function, auto alpha, auto beta) {
    function(kRowMajor, a.transposed ? kTranspose : kNoTranspose, b.transposed ? kTranspose : kNoTranspose,
             narrow(rows), narrow(columns), narrow(depth), alpha, a.data, narrow(a.leading_dimension), b.data,
             narrow(b.leading_dimension), beta, result, narrow(result_leading_dimension));
  };
  const T one{1}, beta{accumulate ? T{1} : T{0}};
  if constexpr (std::is_same_v<T, float>) {
    call(library.sgemm, one, beta);
  } else if constexpr (std::is_same_v<T, double>) {
    call(library.dgemm, one, beta);
  } else if constexpr (std::is_same_v<T, std::complex<float>>) {
    call(library.cgemm, &one, &beta);
  } else {
    call(library.zgemm, &one, &beta);
  }
}

template <typename T>
void call_gemv(const BlasLibrary& library, int64_t rows, int64_t columns, BlasMatrix<T> a, const T* x,
               int64_t x_stride, T* result) {
  const auto call = [&](auto function, auto alpha, auto beta) {
    function(kRowMajor, a.transposed ? kTranspose : kNoTranspose, narrow(a.transposed ? columns : rows),
             narrow(a.transposed ? rows : columns), alpha, a.data, narrow(a.leading_dimension), x,
             narrow(x_stride), beta, result, BlasInteger{1});
  };
  const T one{1}, zero{0};
  if constexpr (std::is_same_v<T, float>) {
    call(library.sgemv, one, zero);
  } else if constexpr (std::is_same_v<T, double>) {
    call(library.dgemv, one, zero);
  } else if constexpr (std::is_same_v<T, std::complex<float>>) {
    call(library.cgemv, &one, &zero);
  } else {
    call(library.zgemv, &one, &zero);
  }
}

int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

/// How the result of a product is divided among threads: into row_parts × column_parts blocks.
struct Grid {
  int64_t row_parts = 1, column_parts = 1;
};

/// The time of a block is that of its multiply-adds, and of packing its rows of a and columns of b.
Grid choose_grid(int64_t rows, int64_t columns, int64_t parts) {
  Grid best;
  int64_t best_cost = std::numeric_limits<int64_t>::max();
  for (int64_t row_parts = 1; row_parts <= parts; ++row_parts) {
    const int64_t column_parts = parts / row_parts;
    const int64_t block_rows = round_up((rows + row_parts - 1) / row_parts, kAlignment);
    const int64_t block_columns = round_up((columns + column_parts - 1) / column_parts, kAlignment);
    const int64_t cost = block_rows * block_columns + kPackingCost * (block_rows + block_columns);
    if (cost < best_cost) {
      best_cost = cost;
      best = {row_parts, column_parts};
    }
  }
  return best;
}

}  // namespace

const char* blas_description() { return blas_library().description.c_str(); }

template <typename T>
void blas_gemm(int64_t rows, int64_t columns, int64_t depth, BlasMatrix<T> a, BlasMatrix<T> b, T* result,
               int64_t result_leading_dimension) {
  const BlasLibrary& library = blas_library();
  ThreadPool& pool = ThreadPool::instance();
  const double work = static_cast<double>(rows) * static_cast<double>(columns) * static_cast<double>(depth);
  const int64_t parts = static_cast<int64_t>(std::min<double>(pool.size(), work / kPartWork));
  if (library.runs_own_threads || parts < 2) {
    return call_gemm(library, rows, columns, depth, a, b, false, result, result_leading_dimension);
  }
  const Grid grid = choose_grid(rows, columns, parts);
  const int64_t block_rows = round_up((rows + grid.row_parts - 1) / grid.row_parts, kAlignment);
  const int64_t block_columns = round_up((columns + grid.column_parts - 1) / grid.column_parts, kAlignment);
  pool.parallel_for(grid.row_parts * grid.column_parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i / grid.column_parts * block_rows, column = i % grid.column_parts * block_columns;
      if (row >= rows || column >= columns) continue;
      BlasMatrix<T> a_part = a, b_part = b;
      a_part.data += a.transposed ? row : row * a.leading_dimension;
      b_part.data += b.transposed ? column * b.leading_dimension : column;
      call_gemm(library, std::min(block_rows, rows - row), std::min(block_columns, columns - column), depth,
                a_part, b_part, false, result + row * result_leading_dimension + column,
                result_leading_dimension);
    }
  });
}

template <typename T>
void blas_gemm_serial(int64_t rows, int64_t columns, int64_t depth, BlasMatrix<T> a, BlasMatrix<T> b,
                      bool accumulate, T* result, int64_t result_leading_dimension) {
  call_gemm(blas_library(), rows, columns, depth, a, b, accumulate, result, result_leading_dimension);
}

template <typename T>
void blas_gemv(int64_t rows, int64_t columns, BlasMatrix<T> a, const T* x, int64_t x_stride, T* result) {
  const BlasLibrary& library = blas_library();
  if (library.runs_own_threads) return call_gemv(library, rows, columns, a, x, x_stride, result);
  const int64_t row_bytes = columns * static_cast<int64_t>(sizeof(T));
  const int64_t grain = round_up(std::max<int64_t>(1, kPartBytes / row_bytes), kAlignment);
  ThreadPool::instance().parallel_for(rows, grain, [&](int64_t begin, int64_t end) {
    BlasMatrix<T> part = a;
    part.data += a.transposed ? begin : begin * a.leading_dimension;
    call_gemv(library, end - begin, columns, part, x, x_stride, result + begin);
  });
}

#define FTRANS_INSTANTIATE(T)                                                                          \
  template void blas_gemm<T>(int64_t, int64_t, int64_t, BlasMatrix<T>, BlasMatrix<T>, T*, int64_t);    \
  template void blas_gemm_serial<T>(int64_t, int64_t, int64_t, BlasMatrix<T>, BlasMatrix<T>, bool, T*, \
                                    int64_t);                                                          \
  template void blas_gemv<T>(int64_t, int64_t, BlasMatrix<T>, const T*, int64_t, T*);
FTRANS_INSTANTIATE(float)
FTRANS_INSTANTIATE(double)
FTRANS_INSTANTIATE(std::complex<float>)
FTRANS_INSTANTIATE(std::complex<double>)
#undef FTRANS_INSTANTIATE

}  // namespace ftrans::cpu
