// The gamma function's relatives: digamma, Hurwitz' zeta function, polygamma.

#include <cmath>
#include <limits>
#include <numbers>

#include "cpu/special/functions.h"
#include "cpu/special/taylor.h"

namespace ftrans::cpu::special {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// ∂ᵏζ(s, q)/∂sᵏ for q > 0, by Euler and Maclaurin's sum (NIST Handbook of Mathematical Functions, 25.11.9),
/// whose terms are expanded in powers of a step of s.
template <int k>
double zeta_of_positive(double s, double q) {
  using Series = Taylor<k + 1>;
  const auto power = [s](double base) {
    const double logarithm = std::log(base);
    Series term;
    term.c[0] = std::pow(base, -s);
    for (int i = 1; i <= k; ++i) term.c[i] = -term.c[i - 1] * logarithm / i;
    return term;
  };
  double factorial = 1;
  for (int i = 2; i <= k; ++i) factorial *= i;

  const double start = 12 + 0.5 * s;
  double a = q;
  long double sum[k + 1] = {};
  for (; a < start; a += 1) {
    const Series term = power(a);
    for (int i = 0; i <= k; ++i) sum[i] += term.c[i];
    if (std::abs(term.c[k]) * start <= 1e-19 * std::abs(static_cast<double>(sum[k])) && a > q + 1)
      return factorial * static_cast<double>(sum[k]);
  }

  // B(2j) / (2j)!
  constexpr double coefficients[] = {1.0 / 12,
                                     -1.0 / 720,
                                     1.0 / 30240,
                                     -1.0 / 1209600,
                                     1.0 / 47900160,
                                     -691.0 / 1307674368000.0,
                                     1.0 / 74724249600.0,
                                     -3617.0 / 10670622842880000.0,
                                     43867.0 / 5109094217170944000.0,
                                     -174611.0 / 802857662698291200000.0,
                                     77683.0 / 14101100039391805440000.0,
                                     -236364091.0 / 1693824136731743669452800000.0};
  const Series variable = Series::variable(s);
  Series bracket = Series(a) / (variable - Series(1)) + Series(0.5);
  Series factor = variable * (1 / a);
  for (int j = 0; j < 12; ++j) {
    bracket += factor * coefficients[j];
    factor *= (variable + Series(2 * j + 1)) * (variable + Series(2 * j + 2)) * (1 / (a * a));
  }
  const Series tail = power(a) * bracket;
  return factorial * static_cast<double>(sum[k] + tail.c[k]);
}

bool is_integer(double x) { return std::rint(x) == x; }

}  // namespace

double log_gamma(double x) {
#if defined(__GLIBC__)
  int sign;  // std::lgamma writes the global signgam
  return lgamma_r(x, &sign);
#else
  return std::lgamma(x);
#endif
}

/// Reflection for x < 0, recurrence up to 10, then the asymptotic series (Abramowitz and Stegun 6.3.5, 6.3.7,
/// 6.3.18), in extended precision where there is any, since the terms cancel about the root.
double digamma(double argument) {
  using Extended = long double;
  if (argument == 0) return std::copysign(kInfinity, -argument);
  if (std::isinf(argument)) return argument > 0 ? argument : kNan;
  Extended x = argument, result = 0;
  if (x < 0) {
    const Extended nearest = std::rint(x);
    if (nearest == x) return kNan;
    result = -std::numbers::pi_v<Extended> / std::tan(std::numbers::pi_v<Extended> * (x - nearest));
    x = 1 - x;
  }
  for (; x < 10; x += 1) result -= 1 / x;
  const Extended z = 1 / (x * x);
  constexpr Extended series[] = {1.0L / 12,       -1.0L / 120, 1.0L / 252,      -1.0L / 240,     1.0L / 132,
                                 -691.0L / 32760, 1.0L / 12,   -3617.0L / 8160, 43867.0L / 14364};
  Extended sum = 0;
  for (int i = 8; i >= 0; --i) sum = sum * z + series[i];
  return static_cast<double>(result + (std::log(x) - 0.5L / x - sum * z));
}

template <int k>
double zeta(double s, double q) {
  if (!(s >= 1) || q != q) return kNan;
  if (s == 1) return k == 0 ? kInfinity : kNan;
  if (q <= 0) {
    if (k > 0) return kNan;
    if (is_integer(q)) return std::fmod(s, 2) == 1 ? kNan : kInfinity;
    if (!is_integer(s)) return kNan;
    // The terms with a negative base, Σ (q + n)⁻ˢ, are those of two zeta functions of positive arguments.
    const double offset = q - std::rint(q), sign = std::fmod(s, 2) == 0 ? 1 : -1;  // the offset is exact
    const double fraction = offset > 0 ? offset : 1 + offset, rest = offset > 0 ? 1 - offset : -offset;
    return zeta_of_positive<0>(s, fraction) +
           sign * (zeta_of_positive<0>(s, rest) - zeta_of_positive<0>(s, 1 - q));
  }
  if (std::isinf(q)) return 0;
  if (std::isinf(s)) return k > 0 ? 0 : q > 1 ? 0 : q == 1 ? 1 : kInfinity;
  return zeta_of_positive<k>(s, q);
}

template double zeta<0>(double, double);
template double zeta<1>(double, double);
template double zeta<2>(double, double);
template double zeta<3>(double, double);
template double zeta<4>(double, double);

/// (−1)ⁿ⁺¹ n! ζ(n + 1, x) (NIST Handbook, 25.11.12).
double polygamma(double n, double x) {
  if (!(n >= 0) || !is_integer(n)) return kNan;
  if (n == 0) return digamma(x);
  const double series = zeta<0>(n + 1, x);
  const double magnitude =
      n > 150 ? std::copysign(std::exp(log_gamma(n + 1) + std::log(std::abs(series))), series)
              : std::tgamma(n + 1) * series;
  return std::fmod(n, 2) == 1 ? magnitude : -magnitude;
}

}  // namespace ftrans::cpu::special
