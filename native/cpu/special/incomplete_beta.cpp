// The beta function, the regularised incomplete beta function, and derivatives with respect to its
// parameters.

#include <cmath>
#include <numbers>

#include "cpu/special/functions.h"
#include "cpu/special/stirling.h"
#include "cpu/special/taylor.h"

namespace ftrans::cpu::special {
namespace {

/// x^(a − less)·y^(b − less) / B(a, b) with y = 1 − x, for `less` 0 or 1.
double weight(double a, double b, double x, double y, int less) {
  if (a >= kStirling && b >= kStirling) {
    const double n = a + b;
    const double exponent =
        stirling_error(n) - stirling_error(a) - stirling_error(b) - deviance(a, n * x) - deviance(b, n * y);
    const double value = std::sqrt(a / n * (b / (2 * std::numbers::pi))) * std::exp(exponent);
    return less == 0 || value == 0 ? value : value / (x * y);
  }
  const double log_x = x > 0.5 ? std::log1p(-y) : std::log(x);
  const double log_y = y > 0.5 ? std::log1p(-x) : std::log(y);
  return std::exp((a - less) * log_x + (b - less) * log_y - log_beta(a, b));
}

/// −log B(a, b) less its value, as a series in steps of a and b.
template <class Series>
Series log_beta_step(const Series& a, const Series& b) {
  const auto log_gamma_step = [](const Series& x) {
    double factorial = 1;
    double coefficients[8] = {};
    for (int k = 1; k <= degree_of(x); ++k) {
      factorial *= k;
      coefficients[k] = polygamma(k - 1, value_of(x)) / factorial;
    }
    return compose([&](int k) { return coefficients[k]; }, x);
  };
  return log_gamma_step(a + b) - log_gamma_step(a) - log_gamma_step(b);
}

/// I(x; a, b) by its continued fraction (NIST Handbook of Mathematical Functions, 8.17.22; modified Lentz'
/// algorithm), which converges fast for x < (a + 1) / (a + b + 2).
template <class Series>
Series fraction(const Series& a, const Series& b, double x, double y) {
  const double log_x = x > 0.5 ? std::log1p(-y) : std::log(x);
  const double log_y = y > 0.5 ? std::log1p(-x) : std::log(y);
  const double at_a = value_of(a), at_b = value_of(b);
  const Series step = (a - Series(at_a)) * log_x + (b - Series(at_b)) * log_y + log_beta_step(a, b);
  const Series front = exp_of_step(step) * weight(at_a, at_b, x, y, 0) / a;

  constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
  const auto is_one = [](const Series& factor, const Series& product, const Series& before) {
    return std::abs(value_of(factor) - 1) <= kEpsilon &&
           std::abs(last_of(product) - last_of(before)) <= kEpsilon * std::abs(last_of(product));
  };
  Series c = 1, d = Series(1) / (Series(1) - (a + b) / (a + Series(1)) * x), product = d;
  for (int m = 1; m < 10'000'000; ++m) {
    const Series before = product;
    const Series even = Series(m) * (b - Series(m)) / ((a + Series(2 * m - 1)) * (a + Series(2 * m))) * x;
    d = Series(1) / (Series(1) + even * d);
    c = Series(1) + even / c;
    product *= c * d;
    const Series odd =
        -((a + Series(m)) * (a + b + Series(m)) / ((a + Series(2 * m)) * (a + Series(2 * m + 1)))) * x;
    d = Series(1) / (Series(1) + odd * d);
    c = Series(1) + odd / c;
    const Series factor = c * d;
    product *= factor;
    if (is_one(factor, product, before)) return front * product;
  }
  return kNan;
}

}  // namespace

/// As in SLATEC's dlbeta (W. Fullerton): Stirling's formula for what is large, so that nothing cancels.
double log_beta(double a, double b) {
  const double p = a < b ? a : b, q = a < b ? b : a;
  if (std::isnan(a) || std::isnan(b)) return kNan;
  if (p <= 0) return log_gamma(p) + (log_gamma(q) - log_gamma(p + q));
  if (std::isinf(q)) return -kInfinity;
  if (p >= kStirling) {
    const double correction = stirling_error(p) + stirling_error(q) - stirling_error(p + q);
    return -0.5 * std::log(q) + 0.5 * std::log(2 * std::numbers::pi) + correction +
           (p - 0.5) * std::log(p / (p + q)) + q * std::log1p(-p / (p + q));
  }
  if (q >= kStirling) {
    const double correction = stirling_error(q) - stirling_error(p + q);
    return log_gamma(p) + correction + p - p * std::log(p + q) + (q - 0.5) * std::log1p(-p / (p + q));
  }
  if (p < 1e-150) return -std::log(p);  // Γ(p) would overflow
  return std::log(std::tgamma(p) * (std::tgamma(q) / std::tgamma(p + q)));
}

double beta(double a, double b) {
  const auto is_negative = [](double x) { return x < 0 && std::fmod(std::floor(x), 2) != 0; };  // Γ(x) is
  const double magnitude = std::exp(log_beta(a, b));
  return (is_negative(a) != is_negative(b)) != is_negative(a + b) ? -magnitude : magnitude;
}

template <int i, int j>
double beta_inc(double a, double b, double x) {
  if (!(a > 0) || !(b > 0) || !(x >= 0 && x <= 1) || std::isinf(a) || std::isinf(b)) return kNan;
  constexpr bool is_value = i + j == 0;
  if (x == 0) return 0;
  if (x == 1) return is_value;
  using Inner = Taylor<j + 1>;
  using Series = Taylor<i + 1, Inner>;
  const Series first = Series::variable(Inner(a));
  Series second;
  second.c[0] = Inner::variable(b);
  const auto derivative = [](const Series& series) {
    double factorials = 1;
    for (int n = 2; n <= i; ++n) factorials *= n;
    for (int n = 2; n <= j; ++n) factorials *= n;
    return factorials * last_of(series);
  };
  if (x <= (a + 1) / (a + b + 2)) return derivative(fraction(first, second, x, 1 - x));
  return is_value - derivative(fraction(second, first, 1 - x, x));
}

template double beta_inc<0, 0>(double, double, double);
template double beta_inc<1, 0>(double, double, double);
template double beta_inc<0, 1>(double, double, double);
template double beta_inc<2, 0>(double, double, double);
template double beta_inc<1, 1>(double, double, double);
template double beta_inc<0, 2>(double, double, double);
template double beta_inc<3, 0>(double, double, double);
template double beta_inc<2, 1>(double, double, double);
template double beta_inc<1, 2>(double, double, double);
template double beta_inc<0, 3>(double, double, double);

double beta_density(double a, double b, double x) {
  if (!(a > 0) || !(b > 0) || !(x >= 0 && x <= 1) || std::isinf(a) || std::isinf(b)) return kNan;
  if (x == 0 || x == 1) {
    const double exponent = x == 0 ? a : b;
    return exponent == 1 ? (x == 0 ? b : a) : exponent > 1 ? 0 : kInfinity;
  }
  return weight(a, b, x, 1 - x, 1);
}

}  // namespace ftrans::cpu::special
