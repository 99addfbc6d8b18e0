// Modified Bessel functions of the first kind, of order 0 and 1.

#include <cmath>
#include <limits>
#include <numbers>

#include "cpu/special/functions.h"

namespace ftrans::cpu::special {
namespace {

constexpr double kAsymptotic = 30;

/// Iₙ(x)/(x/2)ⁿ: all terms of the power series are positive (Abramowitz and Stegun 9.6.10).
double power_series(int order, double x) {
  const double quarter = 0.25 * x * x;
  double term = 1, sum = 1;
  for (int k = 1;; ++k) {
    term *= quarter / (k * (k + order));
    if (sum + term == sum) return sum;
    sum += term;
  }
}

/// e^(−x)·Iₙ(x) for x ≥ kAsymptotic, where the asymptotic series (Abramowitz and Stegun 9.7.1) is exact to
/// the last place before it diverges.
double asymptotic_series(int order, double x) {
  const double mu = 4 * order * order;
  double term = 1, sum = 1;
  for (int k = 1; k < 40; ++k) {
    term *= ((2 * k - 1) * (2 * k - 1) - mu) / (8 * k * x);
    if (sum + term == sum) break;
    sum += term;
  }
  return sum / std::sqrt(2 * std::numbers::pi * x);
}

double scaled(int order, double x) {
  if (x >= kAsymptotic) return std::isinf(x) ? 0 : asymptotic_series(order, x);
  return std::exp(-x) * (order == 0 ? 1 : 0.5 * x) * power_series(order, x);
}

double unscaled(int order, double x) {
  if (x < kAsymptotic || std::isnan(x)) return (order == 0 ? 1 : 0.5 * x) * power_series(order, x);
  if (x > 720) return std::numeric_limits<double>::infinity();
  const double half = std::exp(0.5 * x);  // e^x may overflow before Iₙ does
  return half * asymptotic_series(order, x) * half;
}

}  // namespace

double bessel_i0(double x) { return std::isnan(x) ? x : unscaled(0, std::abs(x)); }
double bessel_i1(double x) { return std::isnan(x) ? x : std::copysign(unscaled(1, std::abs(x)), x); }
double bessel_i0e(double x) { return std::isnan(x) ? x : scaled(0, std::abs(x)); }
double bessel_i1e(double x) { return std::isnan(x) ? x : std::copysign(scaled(1, std::abs(x)), x); }

}  // namespace ftrans::cpu::special
