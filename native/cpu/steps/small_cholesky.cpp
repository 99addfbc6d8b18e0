#include "cpu/steps/small_cholesky.h"

#include <cmath>

namespace ftrans::cpu::steps {
namespace {

constexpr int kVectorBytes = 64;
constexpr int64_t kMaxRows = 32;  // beyond it the matrices of all lanes leave the cache

template <typename T>
struct Lanes {
  typedef T Vector __attribute__((vector_size(kVectorBytes), may_alias));
  static constexpr int64_t kCount = kVectorBytes / static_cast<int64_t>(sizeof(T));
};

/// Replaces the lower triangles by the factors, column by column: l holds n·n vectors, row-major, of which
/// lane k belongs to matrix k. A pivot that is not positive leaves its sign (or NaN) in `smallest`.
template <typename T>
[[gnu::always_inline]] inline void factor(int64_t n, typename Lanes<T>::Vector* l, T* smallest) {
  using Vector = typename Lanes<T>::Vector;
  constexpr int64_t kLanes = Lanes<T>::kCount;
  for (int64_t lane = 0; lane < kLanes; ++lane) smallest[lane] = 1;
  for (int64_t j = 0; j < n; ++j) {
    const Vector* pivot_row = l + j * n;
    Vector pivot = pivot_row[j];
    for (int64_t k = 0; k < j; ++k) pivot -= pivot_row[k] * pivot_row[k];
    Vector reciprocal;
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      if (!(pivot[lane] > 0)) smallest[lane] = 0;
      pivot[lane] = std::sqrt(pivot[lane]);
      reciprocal[lane] = 1 / pivot[lane];
    }
    l[j * n + j] = pivot;
    int64_t i = j + 1;
    for (; i + 4 <= n; i += 4) {
      Vector *r0 = l + i * n, *r1 = r0 + n, *r2 = r1 + n, *r3 = r2 + n;
      Vector s0 = r0[j], s1 = r1[j], s2 = r2[j], s3 = r3[j];
      for (int64_t k = 0; k < j; ++k) {
        const Vector factor = pivot_row[k];
        s0 -= r0[k] * factor;
        s1 -= r1[k] * factor;
        s2 -= r2[k] * factor;
        s3 -= r3[k] * factor;
      }
      r0[j] = s0 * reciprocal;
      r1[j] = s1 * reciprocal;
      r2[j] = s2 * reciprocal;
      r3[j] = s3 * reciprocal;
    }
    for (; i < n; ++i) {
      Vector sum = l[i * n + j];
      for (int64_t k = 0; k < j; ++k) sum -= l[i * n + k] * pivot_row[k];
      l[i * n + j] = sum * reciprocal;
    }
  }
}

FTRANS_MULTIVERSION void factor_float32(int64_t n, void* l, float* smallest) {
  factor<float>(n, static_cast<Lanes<float>::Vector*>(l), smallest);
}

FTRANS_MULTIVERSION void factor_float64(int64_t n, void* l, double* smallest) {
  factor<double>(n, static_cast<Lanes<double>::Vector*>(l), smallest);
}

template <typename T>
void factor_all(const Matrices& input, const Matrices& output) {
  constexpr int64_t kLanes = Lanes<T>::kCount, kGroupsOfThread = 4;
  const int64_t n = input.rows(), row = input.row_stride(), column = input.column_stride();
  const int64_t count = input.count(), groups = (count + kLanes - 1) / kLanes;
  ThreadPool::instance().parallel_for(groups, kGroupsOfThread, [&](int64_t begin, int64_t end) {
    const Scratch scratch(n * n * kVectorBytes + kVectorBytes);
    // Vectors are aligned to their size.
    T* l = reinterpret_cast<T*>((reinterpret_cast<uintptr_t>(scratch.data()) + kVectorBytes - 1) &
                                ~static_cast<uintptr_t>(kVectorBytes - 1));
    T smallest[kLanes];
    for (int64_t group = begin; group < end; ++group) {
      const int64_t first = group * kLanes;
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        const T* a = input.at<const T>(std::min(first + lane, count - 1));  // the last fills up the lanes
        for (int64_t i = 0; i < n; ++i) {
          for (int64_t j = 0; j <= i; ++j) {
            l[(i * n + j) * kLanes + lane] = a[i * row + j * column] / 2 + a[j * row + i * column] / 2;
          }
        }
      }
      if constexpr (std::is_same_v<T, float>) {
        factor_float32(n, l, smallest);
      } else {
        factor_float64(n, l, smallest);
      }
      for (int64_t lane = 0; lane < kLanes && first + lane < count; ++lane) {
        T* result = output.at<T>(first + lane);
        for (int64_t i = 0; i < n; ++i) {
          for (int64_t j = 0; j < n; ++j) {
            const T element = smallest[lane] > 0 ? l[(i * n + j) * kLanes + lane] : not_a_number<T>();
            result[i * n + j] = j <= i ? element : 0;
          }
        }
      }
    }
  });
}

}  // namespace

bool is_for_small_cholesky(Dtype dtype, int64_t n, int64_t count) {
  if (n > kMaxRows) return false;
  return (dtype == Dtype::Float32 && count >= Lanes<float>::kCount) ||
         (dtype == Dtype::Float64 && count >= Lanes<double>::kCount);
}

void small_cholesky(Dtype dtype, const Matrices& input, const Matrices& output) {
  if (dtype == Dtype::Float32) return factor_all<float>(input, output);
  factor_all<double>(input, output);
}

}  // namespace ftrans::cpu::steps
