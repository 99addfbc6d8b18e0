#pragma once

// Functions of numbers. half computes in float, and bfloat is converted to it.

#include "metal_types.h"

namespace metal {

#define FTRANS_UNARY(name, function)                                                      \
  inline float name(float x) { return function(x); }                                      \
  inline half name(half x) { return static_cast<half>(function(static_cast<float>(x))); } \
  template <class T, int size>                                                            \
  vec<T, size> name(const vec<T, size>& x) {                                              \
    return generate<vec<T, size>>([&](int i) { return name(x[i]); });                     \
  }
#define FTRANS_BINARY(name, function)                                                 \
  inline float name(float x, float y) { return function(x, y); }                      \
  inline half name(half x, half y) {                                                  \
    return static_cast<half>(function(static_cast<float>(x), static_cast<float>(y))); \
  }                                                                                   \
  template <class T, int size>                                                        \
  vec<T, size> name(const vec<T, size>& x, const vec<T, size>& y) {                   \
    return generate<vec<T, size>>([&](int i) { return name(x[i], y[i]); });           \
  }

#define FTRANS_FLOATING_FUNCTIONS              \
  FTRANS_UNARY(acos, __builtin_acosf)          \
  FTRANS_UNARY(acosh, __builtin_acoshf)        \
  FTRANS_UNARY(asin, __builtin_asinf)          \
  FTRANS_UNARY(asinh, __builtin_asinhf)        \
  FTRANS_UNARY(atan, __builtin_atanf)          \
  FTRANS_UNARY(atanh, __builtin_atanhf)        \
  FTRANS_UNARY(ceil, __builtin_ceilf)          \
  FTRANS_UNARY(cos, __builtin_cosf)            \
  FTRANS_UNARY(cosh, __builtin_coshf)          \
  FTRANS_UNARY(exp, __builtin_expf)            \
  FTRANS_UNARY(exp2, __builtin_exp2f)          \
  FTRANS_UNARY(exp10, __builtin_exp10f)        \
  FTRANS_UNARY(fabs, __builtin_fabsf)          \
  FTRANS_UNARY(floor, __builtin_floorf)        \
  FTRANS_UNARY(log, __builtin_logf)            \
  FTRANS_UNARY(log2, __builtin_log2f)          \
  FTRANS_UNARY(log10, __builtin_log10f)        \
  FTRANS_UNARY(rint, __builtin_rintf)          \
  FTRANS_UNARY(round, __builtin_roundf)        \
  FTRANS_UNARY(sin, __builtin_sinf)            \
  FTRANS_UNARY(sinh, __builtin_sinhf)          \
  FTRANS_UNARY(sqrt, __builtin_sqrtf)          \
  FTRANS_UNARY(tan, __builtin_tanf)            \
  FTRANS_UNARY(tanh, __builtin_tanhf)          \
  FTRANS_UNARY(trunc, __builtin_truncf)        \
  FTRANS_UNARY(rsqrt, 1.0f / __builtin_sqrtf)  \
  FTRANS_BINARY(atan2, __builtin_atan2f)       \
  FTRANS_BINARY(copysign, __builtin_copysignf) \
  FTRANS_BINARY(fmod, __builtin_fmodf)         \
  FTRANS_BINARY(fmax, __builtin_fmaxf)         \
  FTRANS_BINARY(fmin, __builtin_fminf)         \
  FTRANS_BINARY(pow, __builtin_powf)           \
  FTRANS_BINARY(powr, __builtin_powf)

FTRANS_FLOATING_FUNCTIONS
namespace precise {
FTRANS_FLOATING_FUNCTIONS
}
namespace fast {
FTRANS_FLOATING_FUNCTIONS
}
#undef FTRANS_FLOATING_FUNCTIONS
#undef FTRANS_UNARY
#undef FTRANS_BINARY

inline float nextafter(float x, float y) { return __builtin_nextafterf(x, y); }
inline float ldexp(float x, int exponent) { return __builtin_ldexpf(x, exponent); }
inline float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline half fma(half a, half b, half c) {
  return static_cast<half>(
      __builtin_fmaf(static_cast<float>(a), static_cast<float>(b), static_cast<float>(c)));
}
template <class T, int size>
vec<T, size> fma(const vec<T, size>& a, const vec<T, size>& b, const vec<T, size>& c) {
  return generate<vec<T, size>>([&](int i) { return fma(a[i], b[i], c[i]); });
}
inline float fract(float x) { return x - __builtin_floorf(x); }
inline float sign(float x) { return x > 0 ? 1.0f : x < 0 ? -1.0f : x == x ? x : 0.0f; }
inline float mix(float x, float y, float a) { return x + (y - x) * a; }

inline bool isnan(float x) { return x != x; }
inline bool isinf(float x) { return __builtin_fabsf(x) == __builtin_inff(); }
inline bool isfinite(float x) { return __builtin_fabsf(x) < __builtin_inff(); }
inline bool signbit(float x) { return as_type<int>(x) < 0; }

#define FTRANS_ORDERED(T)                          \
  inline T max(T a, T b) { return a > b ? a : b; } \
  inline T min(T a, T b) { return a < b ? a : b; } \
  inline T clamp(T x, T low, T high) { return min(max(x, low), high); }
FTRANS_ORDERED(char)
FTRANS_ORDERED(signed char)
FTRANS_ORDERED(uchar)
FTRANS_ORDERED(short)
FTRANS_ORDERED(ushort)
FTRANS_ORDERED(int)
FTRANS_ORDERED(uint)
FTRANS_ORDERED(long)
FTRANS_ORDERED(ulong)
#undef FTRANS_ORDERED
// Of a number and NaN, the number.
inline float max(float a, float b) { return __builtin_fmaxf(a, b); }
inline float min(float a, float b) { return __builtin_fminf(a, b); }
inline float clamp(float x, float low, float high) { return min(max(x, low), high); }
inline half max(half a, half b) {
  return static_cast<half>(max(static_cast<float>(a), static_cast<float>(b)));
}
inline half min(half a, half b) {
  return static_cast<half>(min(static_cast<float>(a), static_cast<float>(b)));
}
template <class T, int size>
vec<T, size> max(const vec<T, size>& a, const vec<T, size>& b) {
  return generate<vec<T, size>>([&](int i) { return max(a[i], b[i]); });
}
template <class T, int size>
vec<T, size> min(const vec<T, size>& a, const vec<T, size>& b) {
  return generate<vec<T, size>>([&](int i) { return min(a[i], b[i]); });
}

inline float abs(float x) { return __builtin_fabsf(x); }
inline half abs(half x) { return static_cast<half>(__builtin_fabsf(static_cast<float>(x))); }
inline int abs(int x) { return x < 0 ? static_cast<int>(0u - static_cast<uint>(x)) : x; }
inline long abs(long x) { return x < 0 ? static_cast<long>(0ul - static_cast<ulong>(x)) : x; }
inline short abs(short x) { return static_cast<short>(x < 0 ? -x : x); }
inline signed char abs(signed char x) { return static_cast<signed char>(x < 0 ? -x : x); }

template <class T>
T select(T if_false, T if_true, bool condition) {
  return condition ? if_true : if_false;
}
template <class T, class C, int size>
vec<T, size> select(const vec<T, size>& if_false, const vec<T, size>& if_true,
                    const vec<C, size>& condition) {
  return generate<vec<T, size>>([&](int i) { return condition[i] ? if_true[i] : if_false[i]; });
}
template <class T, int size>
T dot(const vec<T, size>& a, const vec<T, size>& b) {
  T sum = a[0] * b[0];
  for (int i = 1; i < size; ++i) sum += a[i] * b[i];
  return sum;
}

inline uint popcount(uint x) { return static_cast<uint>(__builtin_popcount(x)); }
inline int popcount(int x) { return __builtin_popcount(static_cast<uint>(x)); }
inline ulong popcount(ulong x) { return static_cast<ulong>(__builtin_popcountl(x)); }
inline long popcount(long x) { return __builtin_popcountl(static_cast<ulong>(x)); }
inline uint clz(uint x) { return x ? static_cast<uint>(__builtin_clz(x)) : 32u; }
inline uint ctz(uint x) { return x ? static_cast<uint>(__builtin_ctz(x)) : 32u; }
inline uint rotate(uint x, uint places) { return x << (places & 31) | x >> (-places & 31); }
inline uint mulhi(uint a, uint b) { return static_cast<uint>(static_cast<ulong>(a) * b >> 32); }
inline uint reverse_bits(uint x) {
  x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
  x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
  x = (x >> 4 & 0x0f0f0f0fu) | (x & 0x0f0f0f0fu) << 4;
  return __builtin_bswap32(x);
}

}  // namespace metal
