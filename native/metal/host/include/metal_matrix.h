#pragma once

// Matrices of 8 by 8 that a SIMD-group holds together: two elements a lane.

#include "metal_threads.h"

namespace metal {

template <class T, int columns, int rows>
struct simdgroup_matrix {
  static_assert(columns == 8 && rows == 8, "simdgroup_matrix: only 8 by 8");
  vec<T, 2> pair;  ///< elements 2·lane and 2·lane + 1, row by row

  simdgroup_matrix() = default;
  /// `value` on the diagonal.
  explicit simdgroup_matrix(T value) {
    for (int i = 0; i < 2; ++i) {
      const unsigned element = 2 * ftrans::metal::host::thread_context()->lane + i;
      pair[i] = element / 8 == element % 8 ? value : T(0);
    }
  }
  vec<T, 2>& thread_elements() { return pair; }
};

template <class T>
simdgroup_matrix<T, 8, 8> make_filled_simdgroup_matrix(T value) {
  simdgroup_matrix<T, 8, 8> result;
  result.pair = vec<T, 2>(value);
  return result;
}

/// The memory offset of an element whose row and column are given.
inline ulong simdgroup_offset(uint row, uint column, ulong elements_per_row, vec<ulong, 2> origin,
                              bool transpose) {
  return transpose ? (origin.y + column) * elements_per_row + origin.x + row
                   : (origin.y + row) * elements_per_row + origin.x + column;
}
#define FTRANS_MATRIX_MEMORY(space)                                                                          \
  template <class T>                                                                                         \
  void simdgroup_load(simdgroup_matrix<T, 8, 8>& matrix, const space T* source, ulong elements_per_row = 8,  \
                      vec<ulong, 2> origin = vec<ulong, 2>(0), bool transpose = false,                       \
                      unsigned line = __builtin_LINE()) {                                                    \
    namespace host = ftrans::metal::host;                                                                    \
    host::thread_context()->barrier(host::thread_context(), true, line);                                     \
    const unsigned first = 2 * host::thread_context()->lane;                                                 \
    for (unsigned i = 0; i < 2; ++i) {                                                                       \
      matrix.pair[i] =                                                                                       \
          source[simdgroup_offset((first + i) / 8, (first + i) % 8, elements_per_row, origin, transpose)];   \
    }                                                                                                        \
  }                                                                                                          \
  template <class T>                                                                                         \
  void simdgroup_store(const simdgroup_matrix<T, 8, 8>& matrix, space T* destination,                        \
                       ulong elements_per_row = 8, vec<ulong, 2> origin = vec<ulong, 2>(0),                  \
                       bool transpose = false, unsigned line = __builtin_LINE()) {                           \
    namespace host = ftrans::metal::host;                                                                    \
    const unsigned first = 2 * host::thread_context()->lane;                                                 \
    for (unsigned i = 0; i < 2; ++i) {                                                                       \
      destination[simdgroup_offset((first + i) / 8, (first + i) % 8, elements_per_row, origin, transpose)] = \
          matrix.pair[i];                                                                                    \
    }                                                                                                        \
    host::thread_context()->barrier(host::thread_context(), true, line);                                     \
  }
FTRANS_SHARED_SPACES(FTRANS_MATRIX_MEMORY)
#undef FTRANS_MATRIX_MEMORY

/// result = a · b + c.
template <class R, class A, class B, class C>
void simdgroup_multiply_accumulate(simdgroup_matrix<R, 8, 8>& result, const simdgroup_matrix<A, 8, 8>& a,
                                   const simdgroup_matrix<B, 8, 8>& b, const simdgroup_matrix<C, 8, 8>& c,
                                   unsigned line = __builtin_LINE()) {
  struct Pairs {
    vec<A, 2> a;
    vec<B, 2> b;
  };
  ftrans::metal::host::ThreadContext* context = ftrans::metal::host::thread_context();
  if (context->lane == 0) context->matrix_product(context);
  const Pairs mine{a.pair, b.pair};
  const ftrans::metal::host::Lanes<Pairs> lanes(mine, line);
  const unsigned first = 2 * context->lane, row = first / 8, column = first % 8;
  float sums[2] = {static_cast<float>(c.pair[0]), static_cast<float>(c.pair[1])};
  for (unsigned k = 0; k < 8; ++k) {
    const unsigned left = 8 * row + k, right = 8 * k + column;  // `column` is even: both are one lane's
    const float factor = static_cast<float>(lanes[left / 2].a[left % 2]);
    const Pairs other = lanes[right / 2];
    for (int i = 0; i < 2; ++i) sums[i] += factor * static_cast<float>(other.b[i]);
  }
  for (int i = 0; i < 2; ++i) result.pair[i] = static_cast<R>(sums[i]);
}
template <class R, class A, class B>
void simdgroup_multiply(simdgroup_matrix<R, 8, 8>& result, const simdgroup_matrix<A, 8, 8>& a,
                        const simdgroup_matrix<B, 8, 8>& b, unsigned line = __builtin_LINE()) {
  simdgroup_multiply_accumulate(result, a, b, make_filled_simdgroup_matrix<R>(R(0)), line);
}

}  // namespace metal

using simdgroup_float8x8 = metal::simdgroup_matrix<float, 8, 8>;
using simdgroup_half8x8 = metal::simdgroup_matrix<half, 8, 8>;
using simdgroup_bfloat8x8 = metal::simdgroup_matrix<bfloat, 8, 8>;
