// Arithmetic, comparisons and conversions of bools, integers and float32. An operation of a fused kernel is
// the function op_<name>; float16 and bfloat16 are float32 here, and are rounded where they are stored or
// converted.

/// The unsigned type in which arithmetic of T wraps, and the one of T's own width.
template <class T>
struct integer;
template <>
struct integer<int8_t> {
  typedef uint32_t wide;
  typedef uint8_t bits;
};
template <>
struct integer<int16_t> {
  typedef uint32_t wide;
  typedef uint16_t bits;
};
template <>
struct integer<int32_t> {
  typedef uint32_t wide;
  typedef uint32_t bits;
};
template <>
struct integer<int64_t> {
  typedef uint64_t wide;
  typedef uint64_t bits;
};
template <>
struct integer<uint8_t> {
  typedef uint32_t wide;
  typedef uint8_t bits;
};
template <>
struct integer<uint16_t> {
  typedef uint32_t wide;
  typedef uint16_t bits;
};
template <>
struct integer<uint32_t> {
  typedef uint32_t wide;
  typedef uint32_t bits;
};
template <>
struct integer<uint64_t> {
  typedef uint64_t wide;
  typedef uint64_t bits;
};

template <class T>
inline T op_add(T a, T b) {
  typedef typename integer<T>::wide W;
  return T(W(a) + W(b));
}
template <class T>
inline T op_sub(T a, T b) {
  typedef typename integer<T>::wide W;
  return T(W(a) - W(b));
}
template <class T>
inline T op_mul(T a, T b) {
  typedef typename integer<T>::wide W;
  return T(W(a) * W(b));
}
template <class T>
inline T op_safe_mul(T a, T b) {
  return op_mul(a, b);
}
template <class T>
inline T op_neg(T x) {
  return op_sub(T(0), x);
}
template <class T>
inline T op_square(T x) {
  return op_mul(x, x);
}
template <class T>
inline T op_abs(T x) {
  return x < T(0) ? op_neg(x) : x;
}
template <class T>
inline T op_sign(T x) {
  return x > T(0) ? T(1) : x < T(0) ? T(-1) : T(0);
}
template <class T>
inline T op_and(T a, T b) {
  return T(a & b);
}
template <class T>
inline T op_or(T a, T b) {
  return T(a | b);
}
template <class T>
inline T op_xor(T a, T b) {
  return T(a ^ b);
}
template <class T>
inline T op_not(T x) {
  return T(~x);
}
/// A negative or too large count shifts everything out.
template <class T>
inline T op_shift_left(T a, T b) {
  typedef typename integer<T>::wide W;
  const W width = W(sizeof(T) * 8);
  return W(b) < width ? T(W(a) << W(b)) : T(0);
}
template <class T>
inline T op_shift_right(T a, T b) {
  typedef typename integer<T>::wide W;
  const W last = W(sizeof(T) * 8 - 1);
  const bool inside = W(b) <= last;
  return inside || T(-1) < T(0) ? T(a >> (inside ? W(b) : last)) : T(0);
}
template <class T>
inline T op_population_count(T x) {
  typedef typename integer<T>::bits B;
  const uint64_t all = uint64_t(B(x));
  return T(popcount(uint32_t(all)) + popcount(uint32_t(all >> 32)));
}

/// Division by zero gives 0; the lowest value by −1 wraps.
template <class T>
inline T op_fmod(T a, T b) {
  if (b == T(0) || (T(-1) < T(0) && b == T(-1))) return T(0);
  return T(a % b);
}
/// Python's: the sign of the divisor.
template <class T>
inline T op_remainder(T a, T b) {
  const T r = op_fmod(a, b);
  return r != T(0) && (r < T(0)) != (b < T(0)) ? T(r + b) : r;
}
template <class T>
inline T op_floor_divide(T a, T b) {
  if (b == T(0)) return T(0);
  if (T(-1) < T(0) && b == T(-1)) return op_neg(a);
  return T(a / b - T(a % b != T(0) && (a < T(0)) != (b < T(0))));
}
/// By squaring, wrapping; a negative exponent gives 0 unless the base is 1 or −1.
template <class T>
inline T op_pow(T base, T exponent) {
  typedef typename integer<T>::wide W;
  if (exponent < T(0))
    return base == T(1) ? T(1) : base == T(-1) ? (exponent % T(2) == T(0) ? T(1) : T(-1)) : T(0);
  W power = 1, square = W(base);
  for (W rest = W(exponent); rest != 0; rest >>= 1) {
    if (rest & 1) power *= square;
    square *= square;
  }
  return T(power);
}

// What integers are already.
template <class T>
inline T op_floor(T x) {
  return x;
}
template <class T>
inline T op_ceil(T x) {
  return x;
}
template <class T>
inline T op_round(T x) {
  return x;
}
template <class T>
inline T op_trunc(T x) {
  return x;
}
template <class T>
inline T op_real(T x) {
  return x;
}
template <class T>
inline T op_conj(T x) {
  return x;
}
template <class T>
inline T op_imag(T) {
  return T(0);
}
template <class T>
inline bool op_is_nan(T) {
  return false;
}
template <class T>
inline bool op_is_inf(T) {
  return false;
}
template <class T>
inline bool op_is_finite(T) {
  return true;
}

// Bools.
inline bool op_add(bool a, bool b) { return a || b; }
inline bool op_mul(bool a, bool b) { return a && b; }
inline bool op_safe_mul(bool a, bool b) { return a && b; }
inline bool op_and(bool a, bool b) { return a && b; }
inline bool op_or(bool a, bool b) { return a || b; }
inline bool op_xor(bool a, bool b) { return a != b; }
inline bool op_not(bool x) { return !x; }
inline bool op_abs(bool x) { return x; }
inline bool op_square(bool x) { return x; }

// Float32. NaN is recognised by its bits, so that no compiler option assumes it away.
inline float magnitude(float x) { return as_type<float>(as_type<uint32_t>(x) & 0x7fffffffu); }
inline float with_sign(float x, float sign) {
  return as_type<float>((as_type<uint32_t>(x) & 0x7fffffffu) | (as_type<uint32_t>(sign) & 0x80000000u));
}
inline bool op_is_nan(float x) { return (as_type<uint32_t>(x) & 0x7fffffffu) > 0x7f800000u; }
inline bool op_is_inf(float x) { return (as_type<uint32_t>(x) & 0x7fffffffu) == 0x7f800000u; }
inline bool op_is_finite(float x) { return (as_type<uint32_t>(x) & 0x7fffffffu) < 0x7f800000u; }
inline float op_add(float a, float b) { return a + b; }
inline float op_sub(float a, float b) { return a - b; }
inline float op_mul(float a, float b) { return a * b; }
inline float op_div(float a, float b) { return a / b; }
inline float op_safe_mul(float a, float b) { return a == 0.0f || b == 0.0f ? 0.0f : a * b; }
inline float op_excess(float a, float b) { return a == b ? 0.0f : a - b; }
inline float op_neg(float x) { return as_type<float>(as_type<uint32_t>(x) ^ 0x80000000u); }
inline float op_square(float x) { return x * x; }
inline float op_abs(float x) { return magnitude(x); }
inline float op_sign(float x) { return x > 0.0f || x < 0.0f ? with_sign(1.0f, x) : x + 0.0f; }
inline float op_copysign(float a, float b) { return with_sign(a, b); }
inline float op_imag(float) { return 0.0f; }
inline float op_floor(float x) { return precise::floor(x); }
inline float op_ceil(float x) { return precise::ceil(x); }
inline float op_round(float x) { return precise::rint(x); }
inline float op_trunc(float x) { return precise::trunc(x); }
inline float op_sqrt(float x) { return precise::sqrt(x); }
inline float op_rsqrt(float x) { return 1.0f / precise::sqrt(x); }
inline float op_fmod(float a, float b) { return precise::fmod(a, b); }
inline float op_remainder(float a, float b) {
  const float r = precise::fmod(a, b);
  if (r == 0.0f) return with_sign(0.0f, b);
  return (r < 0.0f) != (b < 0.0f) ? r + b : r;
}
/// The floor of the exact quotient; with infinities, of what IEEE division gives.
inline float op_floor_divide(float a, float b) {
  if (op_is_inf(a) || op_is_inf(b) || a == 0.0f || b == 0.0f) return precise::floor(a / b);
  const float r = precise::fmod(a, b);
  const float quotient = (a - r) / b;  // an integer up to rounding
  return precise::rint(r != 0.0f && (r < 0.0f) != (b < 0.0f) ? quotient - 1.0f : quotient);
}

/// The neighbour of a towards b, on the bits: sign and magnitude, with infinity at `infinity`.
template <class B>
inline B next_after(B a, B b, B infinity) {
  const B sign = B(B(1) << (sizeof(B) * 8 - 1));
  const B magnitude_a = B(a & ~sign), magnitude_b = B(b & ~sign);
  if (magnitude_a > infinity) return a;
  if (magnitude_b > infinity) return b;
  if (a == b || (magnitude_a | magnitude_b) == 0) return b;
  if (magnitude_a == 0) return B((b & sign) | 1);
  return ((a ^ b) & sign) == 0 && magnitude_b > magnitude_a ? B(a + 1) : B(a - 1);
}
inline float op_nextafter(float a, float b) {
  return as_type<float>(next_after<uint32_t>(as_type<uint32_t>(a), as_type<uint32_t>(b), 0x7f800000u));
}
inline float op_nextafter_float16(float a, float b) {
  return float(as_type<half>(
      next_after<uint16_t>(as_type<uint16_t>(half(a)), as_type<uint16_t>(half(b)), uint16_t(0x7c00))));
}
inline float op_nextafter_bfloat16(float a, float b) {
  return float(as_type<bfloat>(
      next_after<uint16_t>(as_type<uint16_t>(bfloat(a)), as_type<uint16_t>(bfloat(b)), uint16_t(0x7f80))));
}

// Comparisons of every real type; a NaN on either side of a maximum or minimum comes through.
template <class T>
inline bool op_eq(T a, T b) {
  return a == b;
}
template <class T>
inline bool op_ne(T a, T b) {
  return a != b;
}
template <class T>
inline bool op_lt(T a, T b) {
  return a < b;
}
template <class T>
inline bool op_le(T a, T b) {
  return a <= b;
}
template <class T>
inline bool op_gt(T a, T b) {
  return a > b;
}
template <class T>
inline bool op_ge(T a, T b) {
  return a >= b;
}
template <class T>
inline T op_max(T a, T b) {
  return a > b || op_is_nan(a) ? a : b;
}
template <class T>
inline T op_min(T a, T b) {
  return a < b || op_is_nan(a) ? a : b;
}
template <class T>
inline T op_select(bool predicate, T on_true, T on_false) {
  return predicate ? on_true : on_false;
}
template <class T>
inline T op_clamp(T low, T x, T high) {
  return op_min(op_max(x, low), high);
}

inline float op_fma(float x, float y, float z) { return fma(x, y, z); }

// Conversions. Float to integer truncates and saturates, NaN gives 0; integers wrap.
template <class T>
inline T saturating(float x) {
  const int digits = int(sizeof(T)) * 8 - (T(-1) < T(0) ? 1 : 0);
  const uint64_t half_range = uint64_t(1) << (digits - 1);
  const float limit = float(half_range) * 2.0f, lowest = T(-1) < T(0) ? -limit : 0.0f;
  if (x >= limit) return T(half_range - 1 + half_range);
  if (x < lowest) return T(-1) < T(0) ? T(half_range << 1) : T(0);
  return op_is_nan(x) ? T(0) : T(x);
}
inline float to_float16(float x) { return float(half(x)); }
inline float to_bfloat16(float x) { return float(bfloat(x)); }
/// float32 holds every integer that does not overflow float16 in any case.
template <class T>
inline float to_float16(T x) {
  return float(half(float(x)));
}
/// Rounded once: what does not fit in float32 first goes to an odd neighbour.
template <class T>
inline float to_bfloat16(T x) {
  const bool negative = x < T(0);
  uint64_t size = negative ? uint64_t(0) - uint64_t(x) : uint64_t(x);
  int shift = 0;
  while ((size >> shift) >= (uint64_t(1) << 24)) ++shift;
  const uint64_t kept = size >> shift;
  size = (kept | uint64_t((kept << shift) != size)) << shift;
  return float(bfloat(negative ? -float(size) : float(size)));
}
