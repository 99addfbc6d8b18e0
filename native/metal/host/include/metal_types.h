#pragma once

// Scalar and vector types, address spaces, and conversions between bit patterns.

#define kernel extern "C"
#define device
#define constant
#define threadgroup
#define thread

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

constexpr half operator""h(long double value) { return static_cast<half>(value); }

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

/// Two to four elements. A vector of three takes the memory of four.
template <class T, int size>
struct alignas(sizeof(T) * (size == 3 ? 4 : size)) vec;

template <class T, int size, class V>
struct vec_operations {
  T& operator[](int i) { return static_cast<V*>(this)->elements()[i]; }
  const T& operator[](int i) const { return static_cast<const V*>(this)->elements()[i]; }

  template <class F>
  static V generate(F f) {
    V result;
    for (int i = 0; i < size; ++i) result[i] = f(i);
    return result;
  }
#define FTRANS_VECTOR_OPERATOR(op)                                        \
  friend V operator op(const V& a, const V& b) {                          \
    return generate([&](int i) { return static_cast<T>(a[i] op b[i]); }); \
  }                                                                       \
  friend V operator op(const V& a, T b) {                                 \
    return generate([&](int i) { return static_cast<T>(a[i] op b); });    \
  }                                                                       \
  friend V operator op(T a, const V& b) {                                 \
    return generate([&](int i) { return static_cast<T>(a op b[i]); });    \
  }                                                                       \
  friend V& operator op## = (V & a, const V& b) { return a = a op b; }    \
  friend V& operator op## = (V & a, T b) { return a = a op b; }
  FTRANS_VECTOR_OPERATOR(+)
  FTRANS_VECTOR_OPERATOR(-)
  FTRANS_VECTOR_OPERATOR(*)
  FTRANS_VECTOR_OPERATOR(/)
  FTRANS_VECTOR_OPERATOR(%)
  FTRANS_VECTOR_OPERATOR(&)
  FTRANS_VECTOR_OPERATOR(|)
  FTRANS_VECTOR_OPERATOR(^)
  FTRANS_VECTOR_OPERATOR(<<)
  FTRANS_VECTOR_OPERATOR(>>)
#undef FTRANS_VECTOR_OPERATOR
#define FTRANS_VECTOR_COMPARISON(op)                           \
  friend vec<bool, size> operator op(const V& a, const V& b) { \
    vec<bool, size> result;                                    \
    for (int i = 0; i < size; ++i) result[i] = a[i] op b[i];   \
    return result;                                             \
  }
  FTRANS_VECTOR_COMPARISON(==)
  FTRANS_VECTOR_COMPARISON(!=)
  FTRANS_VECTOR_COMPARISON(<)
  FTRANS_VECTOR_COMPARISON(<=)
  FTRANS_VECTOR_COMPARISON(>)
  FTRANS_VECTOR_COMPARISON(>=)
#undef FTRANS_VECTOR_COMPARISON
  friend V operator-(const V& a) {
    return generate([&](int i) { return static_cast<T>(-a[i]); });
  }
  friend V operator~(const V& a) {
    return generate([&](int i) { return static_cast<T>(~a[i]); });
  }
};

template <class T>
struct alignas(2 * sizeof(T)) vec<T, 2> : vec_operations<T, 2, vec<T, 2>> {
  T x, y;
  vec() = default;
  vec(T all) : x(all), y(all) {}
  vec(T a, T b) : x(a), y(b) {}
  template <class U>
  explicit vec(const vec<U, 2>& v) : x(static_cast<T>(v.x)), y(static_cast<T>(v.y)) {}
  T* elements() { return &x; }
  const T* elements() const { return &x; }
};

template <class T>
struct alignas(4 * sizeof(T)) vec<T, 3> : vec_operations<T, 3, vec<T, 3>> {
  T x, y, z;
  vec() = default;
  vec(T all) : x(all), y(all), z(all) {}
  vec(T a, T b, T c) : x(a), y(b), z(c) {}
  vec(const vec<T, 2>& v, T c) : x(v.x), y(v.y), z(c) {}
  template <class U>
  explicit vec(const vec<U, 3>& v) : x(static_cast<T>(v.x)), y(static_cast<T>(v.y)), z(static_cast<T>(v.z)) {}
  T* elements() { return &x; }
  const T* elements() const { return &x; }
};

template <class T>
struct alignas(4 * sizeof(T)) vec<T, 4> : vec_operations<T, 4, vec<T, 4>> {
  T x, y, z, w;
  vec() = default;
  vec(T all) : x(all), y(all), z(all), w(all) {}
  vec(T a, T b, T c, T d) : x(a), y(b), z(c), w(d) {}
  vec(const vec<T, 2>& v, const vec<T, 2>& u) : x(v.x), y(v.y), z(u.x), w(u.y) {}
  vec(const vec<T, 3>& v, T d) : x(v.x), y(v.y), z(v.z), w(d) {}
  template <class U>
  explicit vec(const vec<U, 4>& v)
      : x(static_cast<T>(v.x)), y(static_cast<T>(v.y)), z(static_cast<T>(v.z)), w(static_cast<T>(v.w)) {}
  T* elements() { return &x; }
  const T* elements() const { return &x; }
};

template <int size>
bool any(const vec<bool, size>& v) {
  for (int i = 0; i < size; ++i) {
    if (v[i]) return true;
  }
  return false;
}
template <int size>
bool all(const vec<bool, size>& v) {
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
