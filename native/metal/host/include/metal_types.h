#pragma once

// Scalar and vector types, address spaces, and conversions between bit patterns.
//
// These headers have two modes. Kernels that run are compiled without address spaces, by any C++ compiler.
// With FTRANS_METAL_CHECK they are only checked, by Clang: address spaces cannot be converted into each
// other, and vectors and the half types are the compiler's own, since a class could not be assigned to
// outside of `thread`.

#ifdef FTRANS_METAL_CHECK
#define kernel __attribute__((annotate("kernel")))
#define device __attribute__((address_space(1)))
#define constant __attribute__((address_space(2)))
#define threadgroup __attribute__((address_space(3)))
#else
#define kernel extern "C"
#define device
#define constant
#define threadgroup
#endif
#define thread  // Clang's default address space

/// Defines a function for memory that threads share.
#ifdef FTRANS_METAL_CHECK
#define FTRANS_SHARED_SPACES(DEFINITION) DEFINITION(device) DEFINITION(threadgroup)
#else
#define FTRANS_SHARED_SPACES(DEFINITION) DEFINITION(device)
#endif

using uchar = unsigned char;
using ushort = unsigned short;
using uint = unsigned int;
using ulong = unsigned long;
using size_t = unsigned long;
using ptrdiff_t = long;
using int8_t = signed char;
using uint8_t = unsigned char;
using int16_t = short;
using uint16_t = unsigned short;
using int32_t = int;
using uint32_t = unsigned int;
using int64_t = long;
using uint64_t = unsigned long;
using half = _Float16;

#ifdef FTRANS_METAL_CHECK
template <char...>
constexpr half operator""h() {
  return half();
}
#else
constexpr half operator""h(long double value) { return static_cast<half>(value); }
#endif

#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")
#define HUGE_VALF __builtin_inff()
#define MAXFLOAT __FLT_MAX__
#define FLT_MAX __FLT_MAX__
#define FLT_MIN __FLT_MIN__
#define FLT_EPSILON __FLT_EPSILON__
#define INT_MAX __INT_MAX__
#define INT_MIN (-__INT_MAX__ - 1)
#define UINT_MAX (__INT_MAX__ * 2U + 1U)
#define LONG_MAX __LONG_MAX__
#define LONG_MIN (-__LONG_MAX__ - 1L)
#define ULONG_MAX (__LONG_MAX__ * 2UL + 1UL)
#define M_PI_F 3.14159265358979323846f

#ifdef FTRANS_METAL_CHECK
using bfloat = __bf16;
#else
/// A float whose lower half is cut off; sums and products are float32's, rounded to the nearest.
struct bfloat {
  bfloat() = default;
  bfloat(float value) {
    const unsigned u = __builtin_bit_cast(unsigned, value);
    bits_ = static_cast<unsigned short>(value != value ? u >> 16 | 0x40 : (u + 0x7fff + (u >> 16 & 1)) >> 16);
  }
  operator float() const { return __builtin_bit_cast(float, static_cast<unsigned>(bits_) << 16); }
  bfloat& operator+=(float x) { return *this = bfloat(*this + x); }
  bfloat& operator-=(float x) { return *this = bfloat(*this - x); }
  bfloat& operator*=(float x) { return *this = bfloat(*this * x); }
  bfloat& operator/=(float x) { return *this = bfloat(*this / x); }

 private:
  unsigned short bits_;
};
#endif

namespace metal {

template <class T, class U>
struct is_same {
  static constexpr bool value = false;
};
template <class T>
struct is_same<T, T> {
  static constexpr bool value = true;
};
template <class T, class U>
inline constexpr bool is_same_v = is_same<T, U>::value;

template <bool condition, class T, class F>
struct conditional {
  using type = T;
};
template <class T, class F>
struct conditional<false, T, F> {
  using type = F;
};
template <bool condition, class T, class F>
using conditional_t = typename conditional<condition, T, F>::type;

template <class T>
inline constexpr bool is_floating_point_v = is_same_v<T, float> || is_same_v<T, half> || is_same_v<T, bfloat>;

/// A vector from a function of the place.
template <class V, class F>
V generate(F f);

}  // namespace metal

#ifdef FTRANS_METAL_CHECK
#include "vectors_of_clang.h"
#else
#include "vectors.h"
#endif

namespace metal {

template <class V>
inline constexpr int element_count_v = 1;
template <class T, int size>
inline constexpr int element_count_v<vec<T, size>> = size;

template <class V, class F>
V generate(F f) {
  V result;
  for (int i = 0; i < element_count_v<V>; ++i) result[i] = f(i);
  return result;
}

template <class T, int size>
bool any(const vec<T, size>& v) {
  for (int i = 0; i < size; ++i) {
    if (v[i]) return true;
  }
  return false;
}
template <class T, int size>
bool all(const vec<T, size>& v) {
  for (int i = 0; i < size; ++i) {
    if (!v[i]) return false;
  }
  return true;
}

}  // namespace metal

#define FTRANS_VECTORS(T)        \
  using T##2 = metal::vec<T, 2>; \
  using T##3 = metal::vec<T, 3>; \
  using T##4 = metal::vec<T, 4>;
FTRANS_VECTORS(bool)
FTRANS_VECTORS(char)
FTRANS_VECTORS(uchar)
FTRANS_VECTORS(short)
FTRANS_VECTORS(ushort)
FTRANS_VECTORS(int)
FTRANS_VECTORS(uint)
FTRANS_VECTORS(long)
FTRANS_VECTORS(ulong)
FTRANS_VECTORS(half)
FTRANS_VECTORS(bfloat)
FTRANS_VECTORS(float)
#undef FTRANS_VECTORS

#ifdef FTRANS_METAL_CHECK
#include "vector_constructors.h"
#endif

template <class To, class From>
To as_type(From value) {
  static_assert(sizeof(To) == sizeof(From), "as_type: the types have different sizes");
  return __builtin_bit_cast(To, value);
}

namespace metal {

template <class T>
struct numeric_limits;
template <>
struct numeric_limits<float> {
  static constexpr float infinity() { return __builtin_inff(); }
  static constexpr float quiet_NaN() { return __builtin_nanf(""); }
  static constexpr float max() { return __FLT_MAX__; }
  static constexpr float lowest() { return -__FLT_MAX__; }
  static constexpr float min() { return __FLT_MIN__; }
  static constexpr float epsilon() { return __FLT_EPSILON__; }
};
#define FTRANS_INTEGER_LIMITS(T, least, most)     \
  template <>                                     \
  struct numeric_limits<T> {                      \
    static constexpr T min() { return least; }    \
    static constexpr T lowest() { return least; } \
    static constexpr T max() { return most; }     \
  };
FTRANS_INTEGER_LIMITS(char, -128, 127)
FTRANS_INTEGER_LIMITS(signed char, -128, 127)
FTRANS_INTEGER_LIMITS(uchar, 0, 255)
FTRANS_INTEGER_LIMITS(short, -32768, 32767)
FTRANS_INTEGER_LIMITS(ushort, 0, 65535)
FTRANS_INTEGER_LIMITS(int, INT_MIN, INT_MAX)
FTRANS_INTEGER_LIMITS(uint, 0, UINT_MAX)
FTRANS_INTEGER_LIMITS(long, LONG_MIN, LONG_MAX)
FTRANS_INTEGER_LIMITS(ulong, 0, ULONG_MAX)
#undef FTRANS_INTEGER_LIMITS

}  // namespace metal
