#pragma once

// C. Loader, Fast and Accurate Computation of Binomial Probabilities (2000): what Stirling's formula leaves,
// and deviances, from which probabilities far in the tails keep their relative precision.

#include <cmath>
#include <limits>

namespace ftrans::cpu::special {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
/// Where Stirling's series below is exact to the last place.
inline constexpr double kStirling = 10;

/// log Γ(x) − (x − ½)·log x + x − ½·log 2π for x ≥ kStirling.
inline double stirling_error(double x) {
  const double z = 1 / (x * x);
  return (1.0 / 12 -
          z * (1.0 / 360 - z * (1.0 / 1260 - z * (1.0 / 1680 - z * (1.0 / 1188 - z * (691.0 / 360360 -
                                                                                      z * (1.0 / 156))))))) /
         x;
}

/// a·log(a/x) + x − a, without cancellation near x = a.
inline double deviance(double a, double x) {
  if (std::abs(a - x) < 0.1 * (a + x)) {
    const double v = (a - x) / (a + x);
    double sum = (a - x) * v, power = 2 * a * v;
    for (int j = 1;; ++j) {
      power *= v * v;
      const double next = sum + power / (2 * j + 1);
      if (next == sum) return sum;
      sum = next;
    }
  }
  const long double wide = a;
  return static_cast<double>(wide * std::log(wide / x) + x - wide);
}

}  // namespace ftrans::cpu::special
