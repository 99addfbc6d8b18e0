// The gamma, beta and zeta functions and the regularised incomplete ones, in float32.

/// log Γ(x) − (x − ½)·log x + x − ½·log 2π for x ≥ 4, and deviances a·log(a/x) + x − a without cancellation
/// (C. Loader, Fast and Accurate Computation of Binomial Probabilities, 2000).
inline float stirling_error(float x) {
  const float z = 1.0f / (x * x);
  return (0.0833333333f - z * (0.00277777778f - z * (0.000793650794f - z * 0.000595238095f))) / x;
}
inline float deviance(float a, float x) {
  if (magnitude(a - x) >= 0.1f * (a + x)) return a * precise::log(a / x) + x - a;
  const float v = (a - x) / (a + x);
  float sum = (a - x) * v, power = 2.0f * a * v;
  for (float j = 1.0f; j < 10.0f; j += 1.0f) {
    power *= v * v;
    sum += power / (2.0f * j + 1.0f);
  }
  return sum;
}

/// x^a·e^(−x) / Γ(a + 1).
inline float poisson(float a, float x) {
  if (a < 4.0f) return precise::exp(a * precise::log(x) - x - log_gamma_of_positive(a + 1.0f));
  return precise::exp(-stirling_error(a) - deviance(a, x)) * 0.39894228f / precise::sqrt(a);
}

/// As in SLATEC's albeta (W. Fullerton): Stirling's formula for what is large, so that nothing cancels.
inline float op_log_beta(float a, float b) {
  if (op_is_nan(a) || op_is_nan(b)) return NAN;
  const float p = a < b ? a : b, q = a < b ? b : a;
  if (p <= 0.0f) return op_lgamma(p) + (op_lgamma(q) - op_lgamma(p + q));
  if (op_is_inf(q)) return -INFINITY;
  const float share = p / (p + q);
  if (p >= 4.0f) {
    const float correction = stirling_error(p) + stirling_error(q) - stirling_error(p + q);
    return 0.91893853f - 0.5f * precise::log(q) + correction + (p - 0.5f) * precise::log(share) +
           q * op_log1p(-share);
  }
  if (q >= 4.0f) {
    const float correction = stirling_error(q) - stirling_error(p + q);
    return log_gamma_of_positive(p) + correction + p - p * precise::log(p + q) +
           (q - 0.5f) * op_log1p(-share);
  }
  return log_gamma_of_positive(p) + (log_gamma_of_positive(q) - log_gamma_of_positive(p + q));
}
/// Whether Γ(x) is negative.
inline bool has_negative_gamma(float x) { return x < 0.0f && precise::fmod(precise::floor(x), 2.0f) != 0.0f; }
inline float op_beta(float a, float b) {
  const float size = precise::exp(op_log_beta(a, b));
  return (has_negative_gamma(a) != has_negative_gamma(b)) != has_negative_gamma(a + b) ? -size : size;
}

/// P by its power series, best for x < a + 1; Q by Legendre's continued fraction (modified Lentz' algorithm)
/// (W. Gautschi, A computational procedure for incomplete gamma functions, ACM TOMS 5, 1979).
inline float gamma_p_series(float a, float x) {
  float term = 1.0f, sum = 1.0f;
  for (float n = 1.0f; n < 20000.0f; n += 1.0f) {
    term *= x / (a + n);
    sum += term;
    if (term <= 3e-8f * sum) break;
  }
  return poisson(a, x) * sum;
}
inline float gamma_q_fraction(float a, float x) {
  float b = x + 1.0f - a, c = 1e30f, d = 1.0f / b, product = d;
  for (float n = 1.0f; n < 20000.0f; n += 1.0f) {
    const float numerator = n * (a - n);
    b += 2.0f;
    d = 1.0f / (numerator * d + b);
    c = b + numerator / c;
    product *= c * d;
    if (magnitude(c * d - 1.0f) <= 1e-7f) break;
  }
  return poisson(a, x) * a * product;
}
/// Q for small a and x, where 1 − P would cancel.
inline float gamma_q_of_small(float a, float x) {
  const float exponent = a * precise::log(x) - log_gamma_of_positive(1.0f + a);
  float power = 1.0f, sum = 0.0f;
  for (float n = 1.0f; n < 40.0f; n += 1.0f) {
    power *= -x / n;
    sum += power / (a + n);
  }
  return -op_expm1(exponent) - precise::exp(exponent) * a * sum;
}
/// For a ≥ 1000, P with `sign` −1 and Q with 1 (N. M. Temme, The asymptotic expansion of the incomplete gamma
/// functions, SIAM J. Math. Anal. 10, 1979).
inline float gamma_of_large_parameter(float a, float x, float sign) {
  const float distance = deviance(a, x), mu = (x - a) / a;
  const float eta = with_sign(precise::sqrt(2.0f * distance / a), mu);
  float c = -0.000179012346f;
  c = c * eta + 0.000352733686f;
  c = c * eta + 0.00115740741f;
  c = c * eta - 0.0148148148f;
  c = c * eta + 0.0833333333f;
  c = c * eta - 0.333333333f;
  if (magnitude(eta) > 0.3f) c = 1.0f / mu - 1.0f / eta;
  const float rest = precise::exp(-distance) * 0.39894228f / precise::sqrt(a) * c;
  return 0.5f * op_erfc(with_sign(precise::sqrt(distance), sign * mu)) + sign * rest;
}
inline bool is_outside_gamma(float a, float x) {
  return !(a >= 0.0f) || !(x >= 0.0f) || (a == 0.0f && x == 0.0f) || (op_is_inf(a) && op_is_inf(x));
}
inline float op_gamma_p(float a, float x) {
  if (is_outside_gamma(a, x)) return NAN;
  if (x == 0.0f || op_is_inf(a)) return 0.0f;
  if (op_is_inf(x) || a == 0.0f) return 1.0f;
  if (a >= 1000.0f) return gamma_of_large_parameter(a, x, -1.0f);
  return x > 1.0f && x > a ? 1.0f - gamma_q_fraction(a, x) : gamma_p_series(a, x);
}
inline float op_gamma_q(float a, float x) {
  if (is_outside_gamma(a, x)) return NAN;
  if (x == 0.0f || op_is_inf(a)) return 1.0f;
  if (op_is_inf(x) || a == 0.0f) return 0.0f;
  if (a >= 1000.0f) return gamma_of_large_parameter(a, x, 1.0f);
  if (x > 1.0f && x > a) return gamma_q_fraction(a, x);
  return a < 1.0f ? gamma_q_of_small(a, x) : 1.0f - gamma_p_series(a, x);
}
inline float op_gamma_density(float a, float x) {
  if (!(a >= 0.0f) || !(x >= 0.0f)) return NAN;
  if (a == 0.0f || op_is_inf(a) || op_is_inf(x)) return 0.0f;
  if (x == 0.0f) return a == 1.0f ? 1.0f : a > 1.0f ? 0.0f : INFINITY;
  if (a >= 4.0f) return poisson(a, x) * (a / x);
  return precise::exp((a - 1.0f) * precise::log(x) - x - log_gamma_of_positive(a));
}

/// ζ(s, q) for q > 0 by Euler and Maclaurin's sum (NIST Handbook of Mathematical Functions, 25.11.9).
inline float zeta_of_positive(float s, float q) {
  float sum = 0.0f, a = q;
  for (; a < 6.0f + 0.5f * s; a += 1.0f) {
    const float term = precise::pow(a, -s);
    sum += term;
    if (term * (6.0f + 0.5f * s) < 1e-9f * sum && a > q + 1.0f) return sum;
  }
  const float z = 1.0f / (a * a);
  float factor = s / a, bracket = a / (s - 1.0f) + 0.5f + factor * 0.0833333333f;
  factor *= (s + 1.0f) * (s + 2.0f) * z;
  bracket -= factor * 0.00138888889f;
  factor *= (s + 3.0f) * (s + 4.0f) * z;
  bracket += factor * 3.30687831e-5f;
  factor *= (s + 5.0f) * (s + 6.0f) * z;
  bracket -= factor * 8.26719577e-7f;
  factor *= (s + 7.0f) * (s + 8.0f) * z;
  bracket += factor * 2.08767570e-8f;
  return sum + precise::pow(a, -s) * bracket;
}
inline float op_zeta(float s, float q) {
  if (!(s >= 1.0f) || op_is_nan(q)) return NAN;
  if (s == 1.0f) return INFINITY;
  if (q <= 0.0f) {
    const bool even = precise::fmod(s, 2.0f) == 0.0f;
    if (precise::rint(q) == q) return precise::fmod(s, 2.0f) == 1.0f ? NAN : INFINITY;
    if (precise::rint(s) != s) return NAN;
    // The terms with a negative base are those of two zeta functions of positive arguments.
    const float offset = q - precise::rint(q);
    const float fraction = offset > 0.0f ? offset : 1.0f + offset,
                rest = offset > 0.0f ? 1.0f - offset : -offset;
    const float below = zeta_of_positive(s, rest) - zeta_of_positive(s, 1.0f - q);
    return zeta_of_positive(s, fraction) + (even ? below : -below);
  }
  if (op_is_inf(q)) return 0.0f;
  if (op_is_inf(s)) return q > 1.0f ? 0.0f : q == 1.0f ? 1.0f : INFINITY;
  return zeta_of_positive(s, q);
}

/// (−1)ⁿ⁺¹ n! ζ(n + 1, x) (NIST Handbook, 25.11.12).
inline float op_polygamma(float n, float x) {
  if (!(n >= 0.0f) || precise::rint(n) != n) return NAN;
  if (n == 0.0f) return op_digamma(x);
  const float series = op_zeta(n + 1.0f, x);
  float size = series;
  if (n > 20.0f) {
    size = with_sign(precise::exp(log_gamma_of_positive(n + 1.0f) + precise::log(magnitude(series))), series);
  } else {
    for (float k = 2.0f; k <= n; k += 1.0f) size *= k;
  }
  return precise::fmod(n, 2.0f) == 1.0f ? size : -size;
}
