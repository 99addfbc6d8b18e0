#pragma once

// Special functions of float64 arguments, scalar. NaN outside of their domains. They also serve float32, so
// that its results are correctly rounded but for rare ties.

namespace ftrans::cpu::special {

/// log|Γ(x)|, thread-safe.
double log_gamma(double x);
double digamma(double x);

/// The derivative ∂ᵏζ(s, q)/∂sᵏ of Hurwitz' zeta function, k ≤ 4, for s > 1; for q < 0 only if s is an
/// integer and k = 0.
template <int k>
double zeta(double s, double q);

/// The n-th derivative of digamma.
double polygamma(double n, double x);

/// ∂ᵏP(a, x)/∂aᵏ of the regularised lower incomplete gamma function, k ≤ 4.
template <int k>
double gamma_p(double a, double x);

/// The regularised upper incomplete gamma function Q = 1 − P.
double gamma_q(double a, double x);

/// ∂P/∂x = x^(a−1)·e^(−x) / Γ(a).
double gamma_density(double a, double x);

/// B(a, b), and log|B(a, b)|.
double beta(double a, double b);
double log_beta(double a, double b);

/// ∂ⁱ⁺ʲI(x; a, b)/∂aⁱ∂bʲ of the regularised incomplete beta function, i + j ≤ 3.
template <int i, int j>
double beta_inc(double a, double b, double x);

/// ∂I/∂x = x^(a−1)·(1−x)^(b−1) / B(a, b).
double beta_density(double a, double b, double x);

double erf_inv(double x);
/// e^(x²)·erfc(x).
double erfcx(double x);
/// The normal distribution, its inverse, and its logarithm.
double ndtr(double x);
double ndtri(double p);
double log_ndtr(double x);

/// Modified Bessel functions of the first kind; those with an e are multiplied by e^(−|x|).
double bessel_i0(double x);
double bessel_i1(double x);
double bessel_i0e(double x);
double bessel_i1e(double x);

/// The principal branch of Lambert's W: w·e^w = x, for x ≥ −1/e.
double lambert_w(double x);

}  // namespace ftrans::cpu::special
