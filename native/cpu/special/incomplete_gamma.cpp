// The regularised incomplete gamma functions, and derivatives with respect to their parameter.
// Regions and expansions as in W. Gautschi, A computational procedure for incomplete gamma functions, ACM
// TOMS 5 (1979), and, for large parameters, N. M. Temme, The asymptotic expansion of the incomplete gamma
// functions, SIAM J. Math. Anal. 10 (1979). Derivatives: the same expansions in truncated Taylor series.

#include <cmath>
#include <numbers>

#include "cpu/special/functions.h"
#include "cpu/special/stirling.h"
#include "cpu/special/taylor.h"

namespace ftrans::cpu::special {
namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr double kTemme = 1e5;     // from here on Temme's expansion gives the values
constexpr double kLargest = 1e12;  // beyond it derivatives with respect to a are not computed

/// x^a·e^(−x) / Γ(a + 1).
double poisson(double a, double x) {
  if (a < kStirling) {
    const double half = std::exp(-0.5 * x);
    return half * std::pow(x, a) * half / std::tgamma(a + 1);
  }
  return std::exp(-stirling_error(a) - deviance(a, x)) / std::sqrt(2 * std::numbers::pi * a);
}

/// log x − ψ(a + 1), without cancellation for large a.
double log_slope(double a, double x) {
  if (a < 30) return std::log(x) - digamma(a + 1);
  const double z = 1 / (a * a);
  const double excess =
      0.5 / a - z * (1.0 / 12 - z * (1.0 / 120 - z * (1.0 / 252 - z / 240)));  // ψ(a+1) − log a
  const double ratio = (x - a) / a;
  return (std::abs(ratio) < 0.5 ? std::log1p(ratio) : std::log(x / a)) - excess;
}

/// x^a·e^(−x) / Γ(a + 1) as a series in a step of a.
template <int size>
Taylor<size> poisson_series(double a, double x) {
  Taylor<size> exponent;
  double factorial = 1;
  for (int i = 1; i < size; ++i) {
    factorial *= i;
    exponent.c[i] = i == 1 ? log_slope(a, x) : -polygamma(i - 1, a + 1) / factorial;
  }
  return exp_of_step(exponent) * poisson(a, x);
}

/// Whether a term no longer changes the sum.
template <class Series>
bool is_negligible(const Series& term, const Series& sum) {
  return std::abs(value_of(term)) <= kEpsilon * 0.125 * std::abs(value_of(sum)) &&
         std::abs(last_of(term)) <= kEpsilon * 0.125 * std::abs(last_of(sum));
}

/// P by its power series, best for x < a + 1.
template <int size>
Taylor<size> lower_series(double a, double x) {
  using Series = Taylor<size>;
  const Series variable = Series::variable(a);
  Series term = 1, sum = 1;
  for (int n = 1;; ++n) {
    term = term * x / (variable + Series(n));
    sum += term;
    if (is_negligible(term, sum)) return poisson_series<size>(a, x) * sum;
  }
}

/// Q by Legendre's continued fraction (modified Lentz' algorithm), best for x > a + 1.
template <int size>
Taylor<size> upper_fraction(double a, double x) {
  using Series = Taylor<size>;
  const Series variable = Series::variable(a);
  Series b = Series(x + 1) - variable;
  Series c = 1 / 1e-300, d = Series(1) / b, product = d;
  for (int n = 1;; ++n) {
    const Series numerator = (variable - Series(n)) * n;
    b += Series(2);
    d = Series(1) / (numerator * d + b);
    c = b + numerator / c;
    const Series factor = c * d;
    const Series before = product;
    product *= factor;
    if (is_negligible(product - before, product)) return poisson_series<size>(a, x) * variable * product;
  }
}

/// log Γ(1 + a) for |a| ≤ 1.
double log_gamma_of_one_plus(double a) {
  if (std::abs(a) > 0.01) return log_gamma(1 + a);
  constexpr double zeta_over_n[] = {0.8224670334241132,   -0.40068563438653143, 0.27058080842778454,
                                    -0.20738555102867398, 0.16955717699740818,  -0.14404989676884612};
  double sum = 0;
  for (int i = 5; i >= 0; --i) sum = sum * a + zeta_over_n[i];
  return a * (-0.57721566490153286 + a * sum);
}

/// Q for small a and x, where 1 − P would cancel.
double upper_of_small(double a, double x) {
  const double exponent = a * std::log(x) - log_gamma_of_one_plus(a);
  double power = 1, sum = 0;
  for (int n = 1;; ++n) {
    power *= -x / n;
    const double next = sum + power / (a + n);
    if (next == sum) break;
    sum = next;
  }
  return -std::expm1(exponent) - std::exp(exponent) * a * sum;
}

/// Q for a ≥ kTemme; P is that with `sign` −1.
double of_large_parameter(double a, double x, double sign) {
  const double distance = deviance(a, x);
  const double mu = (x - a) / a;
  const double eta = std::copysign(std::sqrt(2 * distance / a), mu);
  constexpr double series[] = {-1.0 / 3,   1.0 / 12,        -2.0 / 135, 1.0 / 864,
                               1.0 / 2835, -139.0 / 777600, 1.0 / 25515};
  double c0 = 0;
  for (int i = 6; i >= 0; --i) c0 = c0 * eta + series[i];
  if (std::abs(eta) > 0.1) c0 = 1 / mu - 1 / eta;
  const double rest = std::exp(-distance) / std::sqrt(2 * std::numbers::pi * a) * (c0 - 1 / (540 * a));
  return 0.5 * std::erfc(std::copysign(std::sqrt(distance), sign * mu)) + sign * rest;
}

bool outside(double a, double x) {
  return !(a >= 0) || !(x >= 0) || (a == 0 && x == 0) || (a == kInfinity && x == kInfinity);
}

}  // namespace

template <int k>
double gamma_p(double a, double x) {
  if (outside(a, x)) return kNan;
  if (x == 0 || a == kInfinity) return 0;
  if (x == kInfinity) return k == 0;
  if constexpr (k == 0) {
    if (a == 0) return 1;
    if (a >= kTemme) return of_large_parameter(a, x, -1);
    return x > 1 && x > a ? 1 - upper_fraction<1>(a, x).c[0] : lower_series<1>(a, x).c[0];
  } else {
    if (a > kLargest) return kNan;
    double factorial = 1;
    for (int i = 2; i <= k; ++i) factorial *= i;
    return factorial * (x > 1 && x > a ? -upper_fraction<k + 1>(a, x).c[k] : lower_series<k + 1>(a, x).c[k]);
  }
}

template double gamma_p<0>(double, double);
template double gamma_p<1>(double, double);
template double gamma_p<2>(double, double);
template double gamma_p<3>(double, double);
template double gamma_p<4>(double, double);

double gamma_q(double a, double x) {
  if (outside(a, x)) return kNan;
  if (x == 0 || a == kInfinity) return 1;
  if (x == kInfinity || a == 0) return 0;
  if (a >= kTemme) return of_large_parameter(a, x, 1);
  if (x > 1 && x > a) return upper_fraction<1>(a, x).c[0];
  return a < 1 ? upper_of_small(a, x) : 1 - lower_series<1>(a, x).c[0];
}

double gamma_density(double a, double x) {
  if (!(a >= 0) || !(x >= 0)) return kNan;
  if (a == 0 || a == kInfinity || x == kInfinity) return 0;
  if (a >= kStirling && x > 0) return poisson(a, x) * (a / x);
  const double half = std::exp(-0.5 * x);
  return half * std::pow(x, a - 1) * half / std::tgamma(a);
}

}  // namespace ftrans::cpu::special
