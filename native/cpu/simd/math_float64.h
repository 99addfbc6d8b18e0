#pragma once

// Branch-free float64 functions, written so that loops over them vectorise. Errors are below 1 ulp unless
// said, over the whole range including subnormals, infinities and NaN. The coefficients are minimax fits
// (Remez exchange in 50 digits, relative error weights) made for this file. The reductions follow, by name:
//   [Tang]      P. T. P. Tang, Table-driven implementation of the exponential / logarithm function, ACM TOMS
//   15-16 (1989-90) [CodyWaite] W. J. Cody and W. Waite, Software Manual for the Elementary Functions (1980)
//   [fdlibm]    K. C. Ng, FDLIBM: the log(1+f) = f - (f²/2 - s(f²/2 + R)) and two-word argument forms
//   [Schonf]    J. L. Schonfelder, Chebyshev expansions for the error and related functions, Math. Comp. 32
//   (1978) [Giles]     M. Giles, Approximating the erfinv function, GPU Computing Gems (2010)

#include <cstdint>

namespace ftrans::cpu::FTRANS_ISA_NAMESPACE::float64 {

inline constexpr double kInfinity = __builtin_inf();
inline constexpr double kNan = __builtin_nan("");
inline constexpr double kRounder = 0x1.8p52;  // adding it rounds to an integer, which appears in the low bits
inline constexpr double kLn2High = 0x1.62e42feep-1, kLn2Low = 0x1.a39ef35793c76p-33;

inline uint64_t bits(double x) { return __builtin_bit_cast(uint64_t, x); }
inline double from_bits(uint64_t x) { return __builtin_bit_cast(double, x); }
inline double magnitude(double x) { return from_bits(bits(x) & 0x7fffffffffffffff); }
inline double with_sign(double x, double sign) {
  return from_bits((bits(x) & 0x7fffffffffffffff) | (bits(sign) & 0x8000000000000000));
}

/// Horner's rule, coefficients from the constant term up.
template <int count>
inline double polynomial(double x, const double (&coefficients)[count]) {
  double sum = coefficients[count - 1];
#pragma GCC unroll 32
  for (int i = count - 2; i >= 0; --i) sum = sum * x + coefficients[i];
  return sum;
}

/// 2ⁿ for an integer −1022 ≤ n ≤ 1023.
inline double power_of_two(double n) { return from_bits((bits(n + kRounder) << 52) + 0x3ff0000000000000); }

/// x·2ⁿ with one rounding, also where the result is subnormal or overflows (|n| ≤ 2044).
inline double scale(double x, double n) {
  const double half = (n * 0.5 + kRounder) - kRounder;
  return x * power_of_two(half) * power_of_two(n - half);
}

/// (eʳ − 1 − r) / r² on |r| ≤ ln 2 / 2.
inline double exp_tail(double r) {
  return polynomial(
      r, {0.5, 0.16666666666666685, 0.041666666666666035, 0.0083333333333157038, 0.0013888888889134186,
          0.00019841269899726925, 2.4801586903861907e-5, 2.7557231481833916e-6, 2.75575923585862e-7,
          2.5113226492993701e-8, 2.0825642140284908e-9});
}

inline double clamp(double x, double low, double high) {  // keeps NaN
  x = x < low ? low : x;
  return x > high ? high : x;
}

/// e^x = (1 + rest)·2ⁿ.
struct Power {
  double rest, n;
};

/// e^(high + low), where `low` is a small correction. [CodyWaite], [Tang]
inline Power exp_sum(double high, double low) {
  high = clamp(high, -746.0, 710.0);
  const double n = (high * 0x1.71547652b82fep0 + kRounder) - kRounder;
  const double r = (high - n * kLn2High) - (n * kLn2Low - low);
  return {r + r * r * exp_tail(r), n};
}

inline double exp(double x) {
  const auto [rest, n] = exp_sum(x, 0.0);
  return scale(1.0 + rest, n);
}

inline double exp2(double x) {
  x = clamp(x, -1080.0, 1025.0);
  const double n = (x + kRounder) - kRounder;
  const double f = x - n;
  const double r = f * 0x1.62e42fefa39efp-1;
  return scale(1.0 + (r + (r * r * exp_tail(r) + f * 0x1.abc9e3b39803fp-56)), n);
}

inline double expm1(double x) {
  const double y = clamp(x, -40.0, 710.0);
  const double n = (y * 0x1.71547652b82fep0 + kRounder) - kRounder;
  const double high = y - n * kLn2High, low = n * kLn2Low;
  const double r = high - low;
  const double correction = (high - r) - low;
  const double tail = r * r * exp_tail(r) + (correction + correction * r);
  const double power = power_of_two(n - 1.0);  // n may be 1024
  const double start = power - 0.5, sum = start + power * r;
  const double result = 2.0 * (sum + (((start - sum) + power * r) + power * tail));
  const double near_zero = r + tail;
  const double value = n == 0.0 ? near_zero : result;
  return x == 0.0 ? x : value;
}

/// x = 2^exponent · (1 + f) with 1 + f in [√½, √2), for positive normal x.
struct Decomposed {
  double exponent, f;
};

inline Decomposed decompose(double x) {
  const bool subnormal = x < 0x1p-1022;
  const uint64_t u = bits(subnormal ? x * 0x1p54 : x) + (0x3ff0000000000000 - 0x3fe6a09e667f3bcd);
  const double biased = from_bits((u >> 52) | 0x4330000000000000) - (0x1p52 + 1023.0);
  const double m = from_bits((u & 0x000fffffffffffff) + 0x3fe6a09e667f3bcd);
  return {subnormal ? biased - 54.0 : biased, m - 1.0};
}

/// s·(f²/2 + R) of log(1 + f) = f − f²/2 + s·(f²/2 + R), s = f / (2 + f). [fdlibm], [Tang]
inline double log_tail(double f) {
  const double s = f / (2.0 + f), z = s * s;
  const double r =
      z * polynomial(z, {0.66666666666667345, 0.39999999999414352, 0.28571428742468047, 0.22222198564214523,
                         0.18183564826854806, 0.15314036902994832, 0.14796094302664474});
  return s * (0.5 * f * f + r);
}

/// The limits of a logarithm of x, given its value where x is positive and finite.
inline double log_limits(double x, double value) {
  value = x == kInfinity ? kInfinity : value;
  value = x == 0.0 ? -kInfinity : value;
  return x >= 0.0 ? value : kNan;
}

inline double log(double x) {
  const auto [k, f] = decompose(x);
  const double half_square = 0.5 * f * f;
  const double value = k * kLn2High - ((half_square - (log_tail(f) + k * kLn2Low)) - f);
  return log_limits(x, value);
}

/// log(x)·scale with the scale in two words, plus k·(unit in two words): base-2 and base-10 logarithms.
/// [fdlibm]
inline double log_scaled(double x, double scale_high, double scale_low, double unit_high, double unit_low) {
  const auto [k, f] = decompose(x);
  const double half_square = 0.5 * f * f;
  const double high = from_bits(bits(f - half_square) & 0xffffffff00000000);
  const double low = ((f - high) - half_square) + log_tail(f);
  const double base = k * unit_high;
  const double product = high * scale_high;
  const double sum = base + product;
  const double rest =
      ((base - sum) + product) + ((low + high) * scale_low + (low * scale_high + k * unit_low));
  return log_limits(x, sum + rest);
}

inline double log2(double x) { return log_scaled(x, 0x1.71547652p0, 0x1.705fc2eefa2p-33, 1.0, 0.0); }

inline double log10(double x) {
  return log_scaled(x, 0x1.bcb7b152p-2, 0x1.b9438ca9aadd5p-36, 0x1.34413509f6p-2, 0x1.9fef311f12b36p-42);
}

inline double log1p(double x) {
  const double u = 1.0 + x;
  const auto [k, f] = decompose(u);
  const double lost = (x < 1.0 ? x - (u - 1.0) : 1.0 - (u - x)) / u;  // what 1 + x rounded away
  const double half_square = 0.5 * f * f;
  const double value = k * kLn2High - ((half_square - (log_tail(f) + (k * kLn2Low + lost))) - f);
  return magnitude(x) < 0x1p-54 ? x : log_limits(u, value);
}

/// x = quadrant·π/2 + (high + low), for |x| ≤ kMaxReduced. [CodyWaite]
struct Reduced {
  double high, low;
  uint64_t quadrant;
};

inline constexpr double kMaxReduced = 0x1p20;

inline Reduced reduce_quadrant(double x) {
  const double shifted = x * 0x1.45f306dc9c883p-1 + kRounder;
  const double n = shifted - kRounder;
  // π/2 in pieces of 33, 33 and 53 bits: the first two products are exact.
  const double first = x - n * 0x1.921fb544p0;
  const double second = n * 0x1.0b4611a6p-34;
  const double r = first - second;
  const double w = n * 0x1.3198a2e037073p-69 - ((first - r) - second);
  const double high = r - w;
  return {high, (r - high) - w, bits(shifted)};
}

inline double sin_kernel(double r, double low) {
  const double z = r * r;
  const double p = polynomial(z, {0.0083333333333223154, -0.00019841269829725346, 2.7557313662094934e-6,
                                  -2.5050753269279797e-8, 1.5896505178497514e-10});
  const double cube = z * r;
  return r - ((z * (0.5 * low - cube * p) - low) - cube * -0.16666666666666632);
}

inline double cos_kernel(double r, double low) {
  const double z = r * r;
  const double p = z * z *
                   polynomial(z, {0.041666666666666599, -0.0013888888888873991, 2.480158728939495e-5,
                                  -2.7557314326020468e-7, 2.0875719555529985e-9, -1.1359448444202524e-11});
  const double half = 0.5 * z, w = 1.0 - half;
  return w + (((1.0 - w) - half) + (p - r * low));
}

inline double sin(double x) {
  const auto [high, low, quadrant] = reduce_quadrant(x);
  const double s = sin_kernel(high, low), c = cos_kernel(high, low);
  const double value = (quadrant & 1) == 0 ? s : c;
  const double result = from_bits(bits(value) ^ ((quadrant & 2) << 62));
  return x == 0.0 ? x : result;
}

inline double cos(double x) {
  const auto [high, low, quadrant] = reduce_quadrant(x);
  const double s = sin_kernel(high, low), c = cos_kernel(high, low);
  const double value = (quadrant & 1) == 0 ? c : s;
  return from_bits(bits(value) ^ (((quadrant + 1) & 2) << 62));
}

/// Within 3 ulp; for float32's use.
inline double tan(double x) {
  const auto [high, low, quadrant] = reduce_quadrant(x);
  const double s = sin_kernel(high, low), c = cos_kernel(high, low);
  const double result = (quadrant & 1) == 0 ? s / c : -c / s;
  return x == 0.0 ? x : result;
}

/// (e²ᵃ − 1) / (e²ᵃ + 1) for a = |x|, with e²ᵃ = 2ⁿ·(1 + r + rest), so that what cancels is exact. Within 2
/// ulp.
inline double tanh(double x) {
  const double a = magnitude(x), y = a > 22.0 ? 44.0 : a + a;
  const double n = (y * 0x1.71547652b82fep0 + kRounder) - kRounder;
  const double high = y - n * kLn2High, low = n * kLn2Low;
  const double r = high - low;
  const double rest = r * r * exp_tail(r) + ((high - r) - low);
  const double power = power_of_two(n);
  const double numerator = ((power - 1.0) + power * r) + power * rest;
  const double denominator = numerator + 2.0, lost = numerator - (denominator - 2.0);
  const double inverse = 1.0 / denominator, quotient = numerator * inverse;
  const double remainder = (numerator - quotient * denominator) - quotient * lost;
  return with_sign(quotient + remainder * inverse, x);
}

/// Within 2 ulp.
inline double sinh(double x) {
  const double a = magnitude(x);
  const double e = expm1(a);
  const double root = exp(0.5 * a);
  const double value = a > 709.0 ? (0.5 * root) * root : 0.5 * (e + e / (e + 1.0));
  return with_sign(a < 0x1p-28 ? a : value, x);
}

/// Within 2 ulp.
inline double cosh(double x) {
  const double a = magnitude(x);
  const double e = exp(a);
  const double root = exp(0.5 * a);
  return a > 709.0 ? (0.5 * root) * root : 0.5 * e + 0.5 / e;
}

/// Within 2 ulp.
inline double logistic(double x) {
  const double e = exp(-magnitude(x));
  const double denominator = 1.0 + e, lost = e - (denominator - 1.0);
  const double quotient = (x < 0.0 ? e : 1.0) / denominator;
  return quotient - quotient * lost * (x < 0.0 ? 1.0 - quotient : quotient);
}

/// log(eᵃ + eᵇ), within 2 ulp of max(|a|, |b|).
inline double logaddexp(double a, double b) {
  const double high = a > b ? a : b, low = a > b ? b : a;
  const double difference = low - high;
  const double value = high + log1p(exp(difference));
  return a == b ? a + 0x1.62e42fefa39efp-1 : (difference == -kInfinity ? high : value);
}

/// Within 2 ulp. Far out √(1 + x²) adds nothing, and might overflow.
inline double asinh(double x) {
  const double a = magnitude(x);
  const bool far = a > 0x1p60;
  const double excess = far ? a : a + a * a / (1.0 + __builtin_sqrt(1.0 + a * a));
  return with_sign(log1p(excess) + (far ? 0x1.62e42fefa39efp-1 : 0.0), x);
}

/// Within 2 ulp.
inline double acosh(double x) {
  const bool far = x > 0x1p60;
  const double t = x - 1.0;
  const double excess = far ? x : t + __builtin_sqrt(t * (2.0 + t));
  const double value = log1p(excess) + (far ? 0x1.62e42fefa39efp-1 : 0.0);
  return x >= 1.0 ? value : kNan;
}

/// e^(−x²)·P((x − k) / (x + k)) / (1 + 2x) for x ≥ ½, with x² in two words and a P near 1 (M. M. Shepherd and
/// J. G. Laframboise, Chebyshev approximation of (1 + 2x)·exp(x²)·erfc(x), Math. Comp. 36, 1981); 1 − erf(x)
/// about 0. Within 2.5 ulp.
inline double erfc(double x) {
  const double a = clamp(magnitude(x), 0.0, 28.0);
  const double head = from_bits(bits(a) & 0xfffffffff8000000);  // its square is exact
  const double t = (a - 3.75) / (a + 3.75);
  const double scaled = polynomial(
      t, {1.2375126308378276,     -0.1402405985855468,    0.0035854154854671301,  0.082276738490122505,
          -0.10880393014192973,   0.092304321161291328,   -0.058693398584917619,  0.028362277402367411,
          -0.0097465796211388984, 0.0017556260165258428,  0.00029371415804934834, -0.0002901550434712327,
          5.1646699833144003e-5,  2.2387777065875756e-5,  -1.1436616270939342e-5, -9.817701948165192e-7,
          1.7363587639461535e-6,  -4.5451918978184972e-8, -2.3917020418459296e-7, 1.3595630122351923e-8,
          2.418000826787039e-8});
  const double divisor = 1.0 + 2.0 * a, lost = 2.0 * a - (divisor - 1.0), quotient = scaled / divisor;
  // What rounding took from the quotient; 0.83 stands for 1 / scaled.
  const double remainder = (scaled - quotient * divisor) - quotient * lost,
               missing = remainder * quotient * 0.83;
  const auto [rest, n] = exp_sum(-head * head, -(a - head) * (a + head));
  const double value = scale(quotient + (quotient * rest + (missing + missing * rest)), n);
  const double erf_near_zero =
      x * polynomial(x * x, {1.1283791670955126, -0.37612638903183467, 0.11283791670924815,
                             -0.026866170632716322, 0.0052239773703324086, -0.00085482975247481631,
                             0.00012053324323886661, -1.4845583855143466e-5, 1.4723215353508246e-6});
  return a < 0.5 ? 1.0 - erf_near_zero : x < 0.0 ? 2.0 - value : value;
}

// The rest serves float32 alone: relative errors near 1e-11 are enough there.

inline double asin_core(double x) {  // |x| ≤ ½
  const double z = x * x;
  return x + x * z *
                 polynomial(z, {0.16666666669708445, 0.074999995238038853, 0.044643113329296683,
                                0.030375213405186077, 0.022471554275168463, 0.01647594525762783,
                                0.018637956417549337, -0.0028754118438711097, 0.031975456043465584});
}

inline constexpr double kHalfPi = 0x1.921fb54442d18p0;

/// asin(x) = π/2 − 2·asin(√((1 − x)/2)) beyond ½. [CodyWaite]
inline double asin(double x) {
  const double a = magnitude(x);
  const bool large = a > 0.5;
  const double core = asin_core(large ? __builtin_sqrt(0.5 * (1.0 - a)) : a);
  return with_sign(large ? kHalfPi - 2.0 * core : core, x);
}

inline double acos(double x) {
  const double a = magnitude(x);
  const bool large = a > 0.5;
  const double core = asin_core(large ? __builtin_sqrt(0.5 * (1.0 - a)) : x);
  const double far = x < 0.0 ? 2.0 * kHalfPi - 2.0 * core : 2.0 * core;
  return large ? far : kHalfPi - core;
}

inline double atan_core(double x) {  // |x| ≤ 1
  const double z = x * x;
  return x + x * z *
                 polynomial(
                     z, {-0.33333333295961154, 0.19999996880120985, -0.14285622909684218, 0.11109754723757666,
                         -0.090789171901245608, 0.076231778395761996, -0.063914898256749548,
                         0.050952545741784469, -0.035937634723351054, 0.020548640973588441,
                         -0.0086023213900131601, 0.0022867569364995918, -0.00028548636257969637});
}

inline double atan(double x) {
  const double a = magnitude(x);
  const double core = atan_core(a > 1.0 ? 1.0 / a : a);
  return with_sign(a > 1.0 ? kHalfPi - core : core, x);
}

inline double atan2(double y, double x) {
  const double ay = magnitude(y), ax = magnitude(x);
  const double low = ay < ax ? ay : ax, high = ay < ax ? ax : ay;
  const double ratio = low == high ? (high == 0.0 ? 0.0 : 1.0) : low / high;
  double angle = atan_core(ratio);
  angle = ay > ax ? kHalfPi - angle : angle;
  angle = (bits(x) >> 63) != 0 ? 2.0 * kHalfPi - angle : angle;
  return x != x || y != y ? kNan : with_sign(angle, y);
}

inline double cbrt(double x) {
  const double root = exp2(log2(magnitude(x)) * (1.0 / 3.0));
  return with_sign(root, x);
}

/// xʸ with C's special cases.
inline double pow(double x, double y) {
  const double exponent = clamp(y * log2(magnitude(x)), -1080.0, 1025.0);
  const double size = exp2(exponent);
  // Parity through exact halves; infinities count as even integers.
  const double ay = magnitude(y);
  const bool integer = __builtin_trunc(ay) == ay;
  const bool odd = integer && ay < 0x1p53 && __builtin_trunc(ay * 0.5) * 2.0 != ay;
  const bool negative = (bits(x) >> 63) != 0;
  double value = negative && odd ? -size : size;
  value = x < 0.0 && x != -kInfinity && !integer ? kNan : value;
  const bool one = y == 0.0 || x == 1.0 || (x == -1.0 && ay == kInfinity);
  return one ? 1.0 : value;
}

}  // namespace ftrans::cpu::FTRANS_ISA_NAMESPACE::float64
