#pragma once

// Branch-free float32 functions: the frequent ones in float32 arithmetic (errors below 2 ulp), see
// math_float64.h for the methods. Functions that are not here are evaluated in float64 and rounded.

#include "cpu/simd/math_float64.h"

namespace ftrans::cpu::FTRANS_ISA_NAMESPACE::float32 {

inline constexpr float kInfinity = __builtin_inff();
inline constexpr float kNan = __builtin_nanf("");
inline constexpr float kRounder = 0x1.8p23f;
inline constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;

inline uint32_t bits(float x) { return __builtin_bit_cast(uint32_t, x); }
inline float from_bits(uint32_t x) { return __builtin_bit_cast(float, x); }
inline float magnitude(float x) { return from_bits(bits(x) & 0x7fffffff); }
inline float with_sign(float x, float sign) {
  return from_bits((bits(x) & 0x7fffffff) | (bits(sign) & 0x80000000));
}

template <int count>
inline float polynomial(float x, const float (&coefficients)[count]) {
  float sum = coefficients[count - 1];
#pragma GCC unroll 16
  for (int i = count - 2; i >= 0; --i) sum = sum * x + coefficients[i];
  return sum;
}

inline float power_of_two(float n) { return from_bits((bits(n + kRounder) << 23) + 0x3f800000); }

/// (eʳ − 1 − r) / r² on |r| ≤ ln 2 / 2.
inline float exp_tail(float r) {
  return polynomial(r, {0.4999999305f, 0.1666651479f, 0.04166845622f, 0.008369418833f, 0.001381317947f});
}

/// For |x| ≤ 80.
inline float exp_moderate(float x) {
  const float n = (x * 0x1.715476p0f + kRounder) - kRounder;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  return (1.0f + (r + r * r * exp_tail(r))) * power_of_two(n);
}

inline float exp(float x) {
  x = x < -104.0f ? -104.0f : x;
  x = x > 89.0f ? 89.0f : x;
  const float n = (x * 0x1.715476p0f + kRounder) - kRounder;
  const float high = x - n * kLn2High, low = n * kLn2Low;
  const float r = high - low;
  const float tail = exp_tail(r);
  const float half = (n * 0.5f + kRounder) - kRounder;
  return (1.0f + (r + (r * r * tail + ((high - r) - low)))) * power_of_two(half) * power_of_two(n - half);
}

/// log(x) + correction for a small correction, where x is positive and finite.
inline float log_value(float x, float correction) {
  const bool subnormal = x < 0x1p-126f;
  const uint32_t u = bits(subnormal ? x * 0x1p23f : x) + (0x3f800000 - 0x3f3504f3);
  const float biased = static_cast<float>(static_cast<int32_t>(u >> 23) - 127);
  const float k = subnormal ? biased - 23.0f : biased;
  const float f = from_bits((u & 0x007fffff) + 0x3f3504f3) - 1.0f;
  const float square = f * f;
  const float tail =
      polynomial(f, {0.3333331261f, -0.250000096f, 0.2000211863f, -0.1666799578f, 0.1421955254f,
                     -0.124055896f, 0.1188816289f, -0.116756507f, 0.06746637556f});
  return k * kLn2High + (f + (f * square * tail + (k * kLn2Low - 0.5f * square) + correction));
}

/// The limits of a logarithm of x, given its value where x is positive and finite.
inline float log_limits(float x, float value) {
  value = x == kInfinity ? kInfinity : value;
  value = x == 0.0f ? -kInfinity : value;
  return x >= 0.0f ? value : kNan;
}

inline float log(float x) { return log_limits(x, log_value(x, 0.0f)); }

/// The logarithm of the rounded sum, and what the rounding took away over the sum.
inline float log1p(float x) {
  const float sum = 1.0f + x;
  const float lost = magnitude(x) < 1.0f ? x - (sum - 1.0f) : 1.0f - (sum - x);
  const float value = log_limits(sum, log_value(sum, lost / sum));
  return x == 0.0f ? x : value;
}

/// √(x² + y²) with both scaled by a power of two; an infinity wins over NaN.
inline float hypot(float x, float y) {
  const uint32_t a = bits(x) & 0x7fffffff, b = bits(y) & 0x7fffffff;
  const uint32_t exponent = (a > b ? a : b) & 0x7f800000;
  const uint32_t least = 0x00800000, most = 0x7e800000;
  const uint32_t power = exponent < least ? least : exponent > most ? most : exponent;
  const float inverse = from_bits(0x7f000000 - power);
  const float u = x * inverse, v = y * inverse;
  const float value = __builtin_sqrtf(u * u + v * v) * from_bits(power);
  const bool infinite = a == bits(kInfinity) || b == bits(kInfinity);
  return infinite ? kInfinity : value;
}

/// The angle reduced in float64, then float32 polynomials.
struct Reduced {
  float r;
  uint32_t quadrant;
};

inline constexpr float kMaxReduced = 0x1p20f;

inline Reduced reduce_quadrant(float x) {
  const double wide = x;
  const double shifted = wide * 0x1.45f306dc9c883p-1 + float64::kRounder;
  const double n = shifted - float64::kRounder;
  const double r = (wide - n * 0x1.921fb544p0) - n * 0x1.0b4611a626331p-34;
  return {static_cast<float>(r), static_cast<uint32_t>(float64::bits(shifted))};
}

inline float sin_kernel(float r) {
  const float z = r * r;
  return r + r * z * polynomial(z, {-0.1666666664f, 0.008333329362f, -0.0001983932713f, 2.718237233e-6f});
}

inline float cos_kernel(float r) {
  const float z = r * r;
  return 1.0f + (z * z * polynomial(z, {0.04166664675f, -0.001388736145f, 2.443773019e-5f}) - 0.5f * z);
}

inline float sin(float x) {
  const auto [r, quadrant] = reduce_quadrant(x);
  const float s = sin_kernel(r), c = cos_kernel(r);
  const float value = (quadrant & 1) == 0 ? s : c;
  const float result = from_bits(bits(value) ^ ((quadrant & 2) << 30));
  return x == 0.0f ? x : result;
}

inline float cos(float x) {
  const auto [r, quadrant] = reduce_quadrant(x);
  const float s = sin_kernel(r), c = cos_kernel(r);
  const float value = (quadrant & 1) == 0 ? c : s;
  return from_bits(bits(value) ^ (((quadrant + 1) & 2) << 30));
}

/// 1 − 2 / (e²ᵃ + 1) with a = n·(ln 2)/2 + r; an odd polynomial where that would cancel. Below 2 ulp.
inline float tanh(float x) {
  const float a = magnitude(x), z = a * a;
  const float near_zero =
      a + a * z * polynomial(z, {-0.333329469f, 0.1332069486f, -0.05266767368f, 0.01642634161f});
  const float y = a > 10.0f ? 10.0f : a;
  const float shifted = y * 0x1.715476p1f + kRounder, n = shifted - kRounder;
  const float r = y - n * 0.34657359f;
  const float power = from_bits((bits(shifted) << 23) + 0x3f800000);
  const float exp_2r =
      polynomial(r, {1.0f, 1.999999404f, 1.99996531f, 1.333412409f, 0.6704038382f, 0.2652764022f});
  const float far = 1.0f - 2.0f / (power * exp_2r + 1.0f);
  return with_sign(a < 0.55f ? near_zero : far, x);
}

inline float logistic(float x) {
  const float e = exp(-magnitude(x));
  const float denominator = 1.0f + e, lost = e - (denominator - 1.0f);  // what the sum rounds away
  const float quotient = (x < 0.0f ? e : 1.0f) / denominator;
  return quotient - quotient * lost * (x < 0.0f ? 1.0f - quotient : quotient);
}

/// An odd polynomial below 1; 1 − e^(−Q(x)) beyond, Q fitted to −log(erfc(x)).
inline float erf(float x) {
  const float a = magnitude(x), z = a * a;
  const float near_zero =
      a + a * polynomial(z, {0.1283791659f, -0.3761262714f, 0.1128360018f, -0.02685444468f, 0.005189535425f,
                             -0.0008020841518f, 7.889119072e-5f});
  const float y = a > 4.0f ? 4.0f : a;
  const float far = 1.0f - exp_moderate(-polynomial(
                               y, {-8.041797581e-5f, 1.129079697f, 0.6341855096f, 0.1074077825f,
                                   -0.02459152052f, 0.00398559299f, -0.0003995120903f, 1.83754206e-5f}));
  return with_sign(a < 1.0f ? near_zero : far, x);
}

}  // namespace ftrans::cpu::FTRANS_ISA_NAMESPACE::float32
