#include <cmath>
#include <limits>
#include <numbers>

#include "cpu/special/functions.h"

namespace ftrans::cpu::special {

/// Near the branch point −1/e its series in p = √(2(e·x + 1)) (R. M. Corless et al., On the Lambert W
/// function, Adv. Comput. Math. 5, 1996, section 4); Halley's iteration from there on; for larger x the
/// iteration of R. Iacono and J. P. Boyd (New approximations to the principal real-valued branch of the
/// Lambert W-function, Adv. Comput. Math. 43, 2017), which cannot overflow.
double lambert_w(double x) {
  if (std::isnan(x) || x == std::numeric_limits<double>::infinity() || x == 0) return x;
  if (x > 3) {
    const double logarithm = std::log(x);
    double w = logarithm - std::log(logarithm);
    for (int step = 0; step < 8; ++step) {
      const double next = w / (1 + w) * (1 + std::log(x / w));
      const bool is_done = std::abs(next - w) <= 1e-16 * next;
      w = next;
      if (is_done) break;
    }
    return w;
  }
  constexpr double e_low = 1.4456468917292502e-16;  // e − (e rounded)
  const double distance = std::fma(std::numbers::e, x, 1.0) + e_low * x;
  if (distance < 0) return distance > -1e-15 ? -1 : std::numeric_limits<double>::quiet_NaN();
  double w;
  if (x < 0) {
    constexpr double series[] = {-1,
                                 1,
                                 -1.0 / 3,
                                 11.0 / 72,
                                 -43.0 / 540,
                                 769.0 / 17280,
                                 -221.0 / 8505,
                                 680863.0 / 43545600,
                                 -1963.0 / 204120};
    const double p = std::sqrt(2 * distance);
    w = 0;
    for (int i = 8; i >= 0; --i) w = w * p + series[i];
    if (p < 0.02) return w;
    if (x > -0.1) w = x * (1 - x * (1 - 1.5 * x));
  } else {
    w = x < 0.5 ? x * (1 - x * (1 - 1.5 * x)) : std::log1p(x) * 0.7;
  }
  for (int step = 0; step < 12; ++step) {
    const double residual = w - x * std::exp(-w);
    const double change = residual / (w + 1 - 0.5 * (w + 2) * residual / (w + 1));
    w -= change;
    if (std::abs(change) <= 1e-16 * std::abs(w)) break;
  }
  return w;
}

}  // namespace ftrans::cpu::special
