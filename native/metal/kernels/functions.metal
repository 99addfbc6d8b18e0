// Elementary functions of float32. What Metal's library has comes from it, in its precise form.

inline float op_exp(float x) { return precise::exp(x); }
inline float op_exp2(float x) { return precise::exp2(x); }
inline float op_log(float x) { return precise::log(x); }
inline float op_log2(float x) { return precise::log2(x); }
inline float op_log10(float x) { return precise::log10(x); }
inline float op_sin(float x) { return precise::sin(x); }
inline float op_cos(float x) { return precise::cos(x); }
inline float op_tan(float x) { return precise::tan(x); }
inline float op_asin(float x) { return precise::asin(x); }
inline float op_acos(float x) { return precise::acos(x); }
inline float op_atan(float x) { return precise::atan(x); }
inline float op_sinh(float x) { return precise::sinh(x); }
inline float op_cosh(float x) { return precise::cosh(x); }
inline float op_tanh(float x) { return precise::tanh(x); }
inline float op_asinh(float x) { return precise::asinh(x); }
inline float op_acosh(float x) { return precise::acosh(x); }
inline float op_atanh(float x) { return precise::atanh(x); }
inline float op_atan2(float y, float x) { return precise::atan2(y, x); }
inline float op_pow(float x, float y) { return precise::pow(x, y); }

/// 2ⁿ for an integer n in [−126, 127].
inline float power_of_two(float n) { return as_type<float>(uint32_t(int32_t(n) + 127) << 23); }

/// 2ⁿ·(eʳ − 1) + (2ⁿ − 1) with x = n·log 2 + r, r in two words (W. J. Cody and W. Waite, Software Manual for
/// the Elementary Functions, 1980, chapter 6).
inline float op_expm1(float x) {
  if (x == 0.0f || op_is_nan(x)) return x;
  const float y = x < -20.0f ? -20.0f : x > 89.0f ? 89.0f : x;
  const float n = precise::rint(y * 1.44269504f);
  const float high = y - n * 0.693359375f, low = n * -2.12194440e-4f;
  const float r = high - low, correction = (high - r) - low;
  const float series =
      0.4999999305f +
      r * (0.1666651479f + r * (0.04166845622f + r * (0.008369418833f + r * 0.001381317947f)));
  const float tail = r * r * series + (correction + correction * r);
  if (n == 0.0f) return r + tail;
  const float power = power_of_two(n - 1.0f);  // n may be 128
  const float start = power - 0.5f, sum = start + power * r;
  return 2.0f * (sum + (((start - sum) + power * r) + power * tail));
}

/// log(u) with what rounding 1 + x to u has lost.
inline float op_log1p(float x) {
  const float u = 1.0f + x;
  if (u == 1.0f || x == INFINITY || !(u > 0.0f)) return u == 1.0f ? x : precise::log(u);
  const float lost = x > 1.0f ? x - u + 1.0f : x - (u - 1.0f);
  return precise::log(u) + lost / u;
}

/// A third of the exponent for a start, two steps of Halley's method after it.
inline float op_cbrt(float x) {
  const float a = magnitude(x);
  if (a == 0.0f || !op_is_finite(x)) return x;
  const bool tiny = a < FLT_MIN, huge = a > 1e30f;
  const float m = tiny ? a * 16777216.0f : huge ? a / 16777216.0f : a;
  float y = as_type<float>(as_type<uint32_t>(m) / 3u + 709921077u);
  for (int step = 0; step < 2; ++step) {
    const float cube = y * y * y;
    y *= (cube + 2.0f * m) / (2.0f * cube + m);
  }
  y -= (y - m / (y * y)) / 3.0f;
  return with_sign(tiny ? y / 256.0f : huge ? y * 256.0f : y, x);
}

inline float op_hypot(float a, float b) {
  if (op_is_inf(a) || op_is_inf(b)) return INFINITY;
  const float x = magnitude(a), y = magnitude(b);
  const float high = x > y || op_is_nan(x) ? x : y, low = x > y || op_is_nan(x) ? y : x;
  if (high == 0.0f) return 0.0f;
  // By a power of two, which rounds nothing: the squares neither overflow nor vanish.
  const float scale = high > 1e18f    ? 1.0f / 18446744073709551616.0f
                      : high < 1e-18f ? 1.2089258196146292e24f
                                      : 1.0f;
  const float u = high * scale, v = low * scale;
  return precise::sqrt(u * u + v * v) / scale;
}

inline float op_logaddexp(float a, float b) {
  if (a == b) return a + 0.69314718f;
  const float high = a > b ? a : b, low = a > b ? b : a;
  const float difference = low - high;
  return difference == -INFINITY ? high : high + op_log1p(precise::exp(difference));
}

inline float op_logistic(float x) {
  const float e = precise::exp(-magnitude(x));
  const float denominator = 1.0f + e, lost = e - (denominator - 1.0f);  // what the sum rounds away
  const float quotient = (x < 0.0f ? e : 1.0f) / denominator;
  return quotient - quotient * lost * (x < 0.0f ? 1.0f - quotient : quotient);
}
