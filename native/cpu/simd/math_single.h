#pragma once

// float32 functions that are evaluated in float64, with relative errors near 1e−10: enough that their rounded
// results are off by little more than half a unit. Branch-free like math_float64.h, and with its methods.

#include "cpu/simd/math_float64.h"

namespace ftrans::cpu::FTRANS_ISA_NAMESPACE::single {

using float64::from_bits;
using float64::kInfinity;
using float64::kNan;
using float64::magnitude;
using float64::polynomial;
using float64::with_sign;

/// For positive finite normal x.
inline double log(double x) {
  const uint64_t u = float64::bits(x) + (0x3ff0000000000000 - 0x3fe6a09e667f3bcd);
  const double k = from_bits((u >> 52) | 0x4330000000000000) - (0x1p52 + 1023.0);
  const double f = from_bits((u & 0x000fffffffffffff) + 0x3fe6a09e667f3bcd) - 1.0;
  const double square = f * f;
  const double tail =
      polynomial(f, {0.33333332863245021, -0.24999966042524248, 0.20000035824123417, -0.16669434373752621,
                     0.14286943939916364, -0.12425094980251765, 0.11012049126110425, -0.10794028609242211,
                     0.10743405650444644, -0.061515024993457374});
  return k * 0x1.62e42fefa39efp-1 + (f - square * (0.5 - f * tail));
}

/// For −700 ≤ x ≤ 700.
inline double exp(double x) {
  const double n = (x * 0x1.71547652b82fep0 + float64::kRounder) - float64::kRounder;
  const double r = (x - n * float64::kLn2High) - n * float64::kLn2Low;
  const double tail = polynomial(r, {0.5, 0.16666666666666685, 0.041666666666666035, 0.0083333333333157038,
                                     0.0013888888889134186, 0.00019841269899726925, 2.4801586903861907e-5});
  return (1.0 + (r + r * r * tail)) * float64::power_of_two(n);
}

/// log(x + √(x² + 1)), and near 0 its series.
inline double asinh(double x) {
  const double a = magnitude(x), square = a * a;
  const double near_zero = a - a * square * (1.0 / 6.0 - square * 0.075);
  const double far = log(a + __builtin_sqrt(square + 1.0));
  const double value = a < 0x1p-5 ? near_zero : far;
  return with_sign(a < kInfinity ? value : a, x);
}

/// log(x + √(x² − 1)).
inline double acosh(double x) {
  const double value = log(x + __builtin_sqrt((x - 1.0) * (x + 1.0)));
  return x >= 1.0 ? (x < kInfinity ? value : x) : kNan;
}

/// log((1 + x) / (1 − x)) / 2, and near 0 its series.
inline double atanh(double x) {
  const double a = magnitude(x), square = a * a;
  const double near_zero = a + a * square * (1.0 / 3.0 + square * 0.2);
  const double far = 0.5 * log((1.0 + a) / (1.0 - a));
  const double value = a < 0x1p-5 ? near_zero : far;
  return a < 1.0 ? with_sign(value, x) : a == 1.0 ? x * kInfinity : kNan;
}

/// erfc(x) = e^(−x²)·P((x − k) / (x + k)) for x ≥ 0. [Schonf]
inline double erfc(double x) {
  const double a = float64::clamp(magnitude(x), 0.0, 10.3);
  const double t = (a - 3.75) / (a + 3.75);
  const double value =
      exp(-a * a) *
      polynomial(
          t, {0.14558972127503418, -0.27342193149590279, 0.22600806691862916, -0.16357189547948455,
              0.10260431193109914, -0.054802327933758053, 0.024143225386125098, -0.0082206054422915212,
              0.0018029584565446919, -2.5637068619924166e-5, -0.00015250999416158764, 4.821961683958336e-5,
              3.9328843830364618e-6, -6.5275932410923742e-6, 4.6369548235224724e-8, 4.5862380184860657e-7});
  return x < 0.0 ? 2.0 - value : value;
}

/// erf⁻¹(x) = x·P(w), w = −log(1 − x²), in pieces; relative error 1e-8. [Giles]
inline double erf_inv(double x) {
  const double a = magnitude(x);
  const double w = -log((1.0 - a) * (1.0 + a));
  const double central = polynomial(
      w - 2.5, {1.5014093592822391, 0.24664028615543541, -0.0041773867800897581, -0.0012527418843939859,
                0.00021834443890414835, -4.963344182628454e-6, -3.4627046909491695e-6, 4.661698497095925e-7,
                2.3232643236626127e-8, -8.7909968697093303e-9});
  const double tail =
      polynomial(__builtin_sqrt(w) - 3.0,
                 {2.8329768012422283, 1.0016749670258402, 0.0094452864658120877, -0.0076372890518978917,
                  0.0056869737073959115, -0.0035974050645781787, 0.0014850917246564087,
                  -5.6776824995453543e-5, -0.00030957233567567752, 0.00011570378896058953});
  const double value = x * (w < 5.0 ? central : tail);
  return a < 1.0 ? value : a == 1.0 ? x * kInfinity : kNan;
}

/// log Γ(x) for x > 0: about its zeros 1 and 2 a polynomial times (x − 1)·(x − 2), elsewhere Stirling's
/// series at x + 8 less the logarithm of x·(x + 1)·…·(x + 7) (Abramowitz and Stegun 6.1.15, 6.1.41).
inline double lgamma(double x) {
  const double u = x - 1.5;
  const double near_zeros =
      (x - 1.0) * (x - 2.0) *
      polynomial(u, {0.48312895055961002, -0.14595989394370462, 0.062911396109944635, -0.031308638510001478,
                     0.016797314229102522, -0.0094223337725813997, 0.005442962023285119,
                     -0.0032424805981170411, 0.0019496661689197948, -0.0010303172140182515,
                     0.00060846582607531089, -0.00070850215502410338, 0.00045838838815906536});
  double product = x;
#pragma GCC unroll 8
  for (int i = 1; i < 8; ++i) product *= x + i;
  const bool is_large = x > 8.0;
  const double z = is_large ? x : x + 8.0, inverse = 1.0 / z;
  const double series =
      inverse * polynomial(inverse * inverse, {1.0 / 12, -1.0 / 360, 1.0 / 1260, -1.0 / 1680, 1.0 / 1188});
  const double stirling = (z - 0.5) * float64::log(z) - z + 0.91893853320467274 + series;
  const double far = stirling - (is_large ? 0.0 : float64::log(product));
  return magnitude(u) < 0.6 ? near_zeros : x < kInfinity ? far : x;
}

}  // namespace ftrans::cpu::FTRANS_ISA_NAMESPACE::single
