// Relatives of the error function and the normal distribution.

#include <cmath>
#include <limits>
#include <numbers>

#include "cpu/special/functions.h"

namespace ftrans::cpu::special {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kRootTwo = std::numbers::sqrt2;
constexpr double kRootHalf = 0x1.6a09e667f3bcdp-1,
                 kRootHalfLow = -0x1.bdd3413b26456p-55;  // 1/√2, and the rest
constexpr double kLogRootTwoPi = 0.91893853320467274;

/// z with Φ(−z) = p for p below 1/4: Newton's method on log Φ(−z), which is concave in z.
double upper_quantile(double p) {
  const double target = std::log(p);
  double z = std::sqrt(-2 * target);
  z -= z > 1 ? (std::log(z) + kLogRootTwoPi) / z : 0;
  for (int step = 0; step < 20; ++step) {
    const double hazard = std::sqrt(2 / std::numbers::pi) / erfcx(z / kRootTwo);  // −d log Φ(−z) / dz
    const double change = (log_ndtr(-z) - target) / hazard;
    z += change;
    if (std::abs(change) <= 1e-16 * std::abs(z)) break;
  }
  return z;
}

}  // namespace

/// Giles' form (Approximating the erfinv function, GPU Computing Gems, 2010) for a start, two Halley steps on
/// erf (or erfc near 1) after it.
double erf_inv(double x) {
  const double a = std::abs(x);
  if (!(a < 1)) return a == 1 ? std::copysign(kInfinity, x) : kNan;
  const double w = -std::log((1 - a) * (1 + a));
  constexpr double central[] = {1.5014093592822391,     0.24664028615543541,    -0.0041773867800897581,
                                -0.0012527418843939859, 0.00021834443890414835, -4.963344182628454e-6,
                                -3.4627046909491695e-6, 4.661698497095925e-7,   2.3232643236626127e-8,
                                -8.7909968697093303e-9};
  constexpr double tail[] = {2.8329768012422283,     1.0016749670258402,     0.0094452864658120877,
                             -0.0076372890518978917, 0.0056869737073959115,  -0.0035974050645781787,
                             0.0014850917246564087,  -5.6776824995453543e-5, -0.00030957233567567752,
                             0.00011570378896058953};
  constexpr double far[] = {4.8499064016380183,      1.0103004705676148,
                            -0.00013872680691126392, -0.00021509877458276347,
                            7.6040232118353528e-5,   -1.9463855994134971e-5,
                            4.4201731663202281e-6,   -1.2348031475110182e-6,
                            3.3474998798502102e-7,   0.0};
  const double* coefficients = w < 5 ? central : w < 16 ? tail : far;
  const double v = w < 5 ? w - 2.5 : std::sqrt(w) - (w < 16 ? 3 : 5);
  double y = 0;
  for (int i = 9; i >= 0; --i) y = y * v + coefficients[i];
  y *= a;
  const double slope = 0.5 * std::sqrt(std::numbers::pi);  // 1 / erf'(y) is slope·exp(y²)
  for (int step = 0; step < 2; ++step) {
    const double error = a > 0.5 ? (1 - a) - std::erfc(y) : std::erf(y) - a;
    const double newton = error * slope * std::exp(y * y);
    y -= newton / (1 + y * newton);
  }
  return std::copysign(y, x);
}

/// From erfc with the square in two words; where that underflows, the asymptotic series (Abramowitz and
/// Stegun 7.1.23).
double erfcx(double x) {
  if (x < 10) {
    const double square = x * x, rest = std::fma(x, x, -square);
    const double value = std::exp(square) * std::erfc(x);
    return std::isinf(square) ? kInfinity : std::isinf(value) ? value : value + value * rest;
  }
  const double z = 1 / (2 * x * x);
  double sum = 1;
  for (int k = 14; k > 0; --k) sum = 1 - (2 * k - 1) * z * sum;
  return sum / (x * std::sqrt(std::numbers::pi));
}

/// erfc(−x/√2)/2, the argument in two words: in the tail its error counts x² times.
double ndtr(double x) {
  const double argument = -x * kRootHalf;
  const double value = 0.5 * std::erfc(argument);
  if (!(argument > 1) || value == 0) return value;
  const double rest = std::fma(-x, kRootHalf, -argument) - x * kRootHalfLow;
  return value - rest * std::exp(-argument * argument) / std::sqrt(std::numbers::pi);
}

double log_ndtr(double x) {
  if (x > -1) return std::log1p(-ndtr(-x));
  const double square = 0.5 * x * x;
  return std::isinf(square) ? -square : std::log(0.5 * erfcx(-x / kRootTwo)) - square;
}

double ndtri(double p) {
  if (!(p > 0 && p < 1)) return p == 0 ? -kInfinity : p == 1 ? kInfinity : kNan;
  if (p < 0.25) return -upper_quantile(p);
  if (p > 0.75) return upper_quantile(1 - p);
  return kRootTwo * erf_inv(2 * p - 1);
}

}  // namespace ftrans::cpu::special
