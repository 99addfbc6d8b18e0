// Special functions of float32.

/// e^(−x²), the square in two words.
inline float exp_of_minus_square(float x) {
  const float square = x * x;
  return op_is_inf(square) ? 0.0f : precise::exp(-square) * (1.0f - fma(x, x, -square));
}

/// e^(x²)·erfc(x) for x ≥ 0: a polynomial in (x − 4)/(x + 4), fitted to (1 + 2x)·erfcx(x) (the form of M. M.
/// Shepherd and J. G. Laframboise, Chebyshev approximation of (1 + 2x) exp(x²) erfc x, Math. Comp. 36, 1981).
inline float erfcx_of_positive(float x) {
  if (x > 1e4f) return 0.56418958f / x;
  const float t = (x - 4.0f) / (x + 4.0f);
  float sum = -8.62530321e-06f;
  sum = sum * t + 0.000114208172f;
  sum = sum * t + -0.000220404494f;
  sum = sum * t + -0.000709132782f;
  sum = sum * t + 0.00504722926f;
  sum = sum * t + -0.0162303919f;
  sum = sum * t + 0.0371614828f;
  sum = sum * t + -0.066319044f;
  sum = sum * t + 0.0937340734f;
  sum = sum * t + -0.101040941f;
  sum = sum * t + 0.0680969415f;
  sum = sum * t + 0.0153797686f;
  sum = sum * t + -0.139621114f;
  sum = sum * t + 1.23299512f;
  return sum / (1.0f + 2.0f * x);
}

/// An odd polynomial below 1; 1 − erfc beyond.
inline float op_erf(float x) {
  const float a = magnitude(x), z = a * a;
  if (a < 1.0f) {
    const float series =
        0.1283791659f +
        z * (-0.3761262714f +
             z * (0.1128360018f + z * (-0.02685444468f + z * (0.005189535425f + z * (-0.0008020841518f +
                                                                                     z * 7.889119072e-5f)))));
    return with_sign(a + a * series, x);
  }
  if (op_is_nan(x)) return x;
  return with_sign(a > 4.0f ? 1.0f : 1.0f - erfcx_of_positive(a) * exp_of_minus_square(a), x);
}

inline float op_erfc(float x) {
  if (op_is_nan(x)) return x;
  if (x < 0.5f) return 1.0f - op_erf(x);
  return erfcx_of_positive(x) * exp_of_minus_square(x);
}

inline float op_erfcx(float x) {
  if (op_is_nan(x)) return x;
  if (x >= 0.0f) return erfcx_of_positive(x);
  const float square = x * x;
  const float rest = op_is_inf(square) ? 0.0f : fma(x, x, -square), value = precise::exp(square);
  return op_is_inf(value) ? value : 2.0f * (value + value * rest) - erfcx_of_positive(-x);
}

/// erfc(−x/√2)/2, the argument in two words: in the tail its error counts x² times.
inline float op_ndtr(float x) {
  const float argument = -x * 0.70710678f;
  const float value = 0.5f * op_erfc(argument);
  if (!(argument > 1.0f) || value == 0.0f) return value;
  const float rest = fma(-x, 0.70710678f, -argument) - x * 1.21016175e-8f;
  return value - rest * exp_of_minus_square(argument) * 0.56418958f;
}

inline float op_log_ndtr(float x) {
  if (x > -1.0f) return op_log1p(-op_ndtr(-x));
  const float square = 0.5f * x * x;
  return op_is_inf(square) ? -square : precise::log(0.5f * op_erfcx(-x * 0.70710678f)) - square;
}

/// M. Giles, Approximating the erfinv function, GPU Computing Gems (2010), and a step of Halley's method on
/// erf (erfc near 1).
inline float op_erf_inv(float x) {
  const float a = magnitude(x);
  if (!(a < 1.0f)) return a == 1.0f ? with_sign(INFINITY, x) : NAN;
  float w = -op_log1p(-a * a), y;
  if (a > 0.5f) w = -precise::log((1.0f - a) * (1.0f + a));
  if (w < 5.0f) {
    w -= 2.5f;
    y = 2.81022636e-08f;
    y = 3.43273939e-07f + y * w;
    y = -3.5233877e-06f + y * w;
    y = -4.39150654e-06f + y * w;
    y = 0.00021858087f + y * w;
    y = -0.00125372503f + y * w;
    y = -0.00417768164f + y * w;
    y = 0.246640727f + y * w;
    y = 1.50140941f + y * w;
  } else {
    w = precise::sqrt(w) - 3.0f;
    y = -0.000200214257f;
    y = 0.000100950558f + y * w;
    y = 0.00134934322f + y * w;
    y = -0.00367342844f + y * w;
    y = 0.00573950773f + y * w;
    y = -0.0076224613f + y * w;
    y = 0.00943887047f + y * w;
    y = 1.00167406f + y * w;
    y = 2.83297682f + y * w;
  }
  y *= a;
  const float error = a > 0.5f ? (1.0f - a) - op_erfc(y) : op_erf(y) - a;
  const float newton = error * 0.88622693f * precise::exp(y * y);
  return with_sign(y - newton / (1.0f + y * newton), x);
}

/// log(1 + x) for −1 < x ≤ 0, as in native/cpu/simd/erf_inv_giles.cpp.
inline float cephes_log1p(float x) {
  if (magnitude(x) < 0.41421356f) {
    float above = 4.527e-05f, below = 1.0f;
    above = fma(above, x, 0.498541028f), below = fma(below, x, 15.0629091f);
    above = fma(above, x, 6.57873259f), below = fma(below, x, 83.047566f);
    above = fma(above, x, 29.9119193f), below = fma(below, x, 221.762398f);
    above = fma(above, x, 60.949668f), below = fma(below, x, 309.098722f);
    above = fma(above, x, 57.112963f), below = fma(below, x, 216.42788f);
    above = fma(above, x, 20.0395535f), below = fma(below, x, 60.1186605f);
    const float square = x * x;
    return x + fma(square, -0.5f, (x * square) * (above / below));
  }
  const uint u = as_type<uint>(1.0f + x);
  const float m = as_type<float>((u & 0x007fffffu) | 0x3f000000u);
  const bool low = m < 0.707106781f;
  const float exponent = float(int(u >> 23) - 126) - (low ? 1.0f : 0.0f);
  const float t = (m - 1.0f) + (low ? m : 0.0f);
  const float square = t * t, cube = square * t;
  const float a = fma(fma(7.0376836292e-2f, t, -1.1514610310e-1f), t, 1.1676998740e-1f);
  const float b = fma(fma(-1.2420140846e-1f, t, 1.4249322787e-1f), t, -1.6668057665e-1f);
  const float c = fma(fma(2.0000714765e-1f, t, -2.4999993993e-1f), t, 3.3333331174e-1f);
  const float tail = fma(fma(fma(a, cube, b), cube, c), cube, exponent * -2.12194440e-4f);
  return fma(exponent, 0.693359375f, (t - 0.5f * square) + tail);
}

/// As native/cpu/simd/erf_inv_giles.cpp: for normal numbers, the same on every device.
inline float op_erf_inv_giles(float x) {
  if (!(magnitude(x) < 1.0f)) return magnitude(x) == 1.0f ? with_sign(INFINITY, x) : NAN;
  float w = -cephes_log1p(-x * x), y;
  if (w < 5.0f) {
    w -= 2.5f;
    y = fma(2.81022636e-08f, w, 3.43273939e-07f);
    y = fma(y, w, -3.5233877e-06f);
    y = fma(y, w, -4.39150654e-06f);
    y = fma(y, w, 0.00021858087f);
    y = fma(y, w, -0.00125372503f);
    y = fma(y, w, -0.00417768164f);
    y = fma(y, w, 0.246640727f);
    y = fma(y, w, 1.50140941f);
  } else {
    w = precise::sqrt(w) - 3.0f;
    y = fma(-0.000200214257f, w, 0.000100950558f);
    y = fma(y, w, 0.00134934322f);
    y = fma(y, w, -0.00367342844f);
    y = fma(y, w, 0.00573950773f);
    y = fma(y, w, -0.0076224613f);
    y = fma(y, w, 0.00943887047f);
    y = fma(y, w, 1.00167406f);
    y = fma(y, w, 2.83297682f);
  }
  return x * y;
}

/// Newton's method on log Φ(−z) in the tails, which is concave in z.
inline float op_ndtri(float p) {
  if (!(p > 0.0f && p < 1.0f)) return p == 0.0f ? -INFINITY : p == 1.0f ? INFINITY : NAN;
  if (p >= 0.25f && p <= 0.75f) return 1.41421356f * op_erf_inv(2.0f * p - 1.0f);
  const bool lower = p < 0.25f;
  const float target = precise::log(lower ? p : 1.0f - p);
  float z = precise::sqrt(-2.0f * target);
  z -= z > 1.0f ? (precise::log(z) + 0.91893853f) / z : 0.0f;
  for (int step = 0; step < 8; ++step) {
    const float hazard = 0.79788456f / op_erfcx(z * 0.70710678f);
    const float change = (op_log_ndtr(-z) - target) / hazard;
    z += change;
    if (magnitude(change) <= 1e-7f * magnitude(z)) break;
  }
  return lower ? -z : z;
}

/// log|Γ(x)|: about 2 a polynomial that vanishes there, recurrence up to 8, Stirling's series beyond
/// (Abramowitz and Stegun 6.1.41), reflection below 0.
inline float log_gamma_of_positive(float x) {
  if (x >= 8.0f) {
    const float z = 1.0f / (x * x);
    if (op_is_inf(x)) return x;
    const float series = (0.0833333333f - z * (0.00277777778f - z * 0.000793650794f)) / x;
    return x * (precise::log(x) - 1.0f) - 0.5f * precise::log(x) + (0.91893853f + series);
  }
  float product = 1.0f;
  while (x > 2.5f) {
    x -= 1.0f;
    product *= x;
  }
  float logarithms = 0.0f;
  while (x < 1.5f) {
    logarithms += precise::log(x);
    x += 1.0f;
  }
  const float t = 2.0f * (x - 2.0f);
  float sum = 2.24616304e-07f;
  sum = sum * t + -9.91647822e-07f;
  sum = sum * t + 3.95044864e-06f;
  sum = sum * t + -1.85287141e-05f;
  sum = sum * t + 9.03423809e-05f;
  sum = sum * t + -0.000461636102f;
  sum = sum * t + 0.00257259854f;
  sum = sum * t + -0.0168380703f;
  sum = sum * t + 0.161233517f;
  sum = sum * t + 0.422784335f;
  return (x - 2.0f) * sum + (precise::log(product) - logarithms);
}
inline float op_lgamma(float x) {
  if (op_is_nan(x)) return x;
  if (x > 0.0f) return log_gamma_of_positive(x);
  if (x == precise::floor(x)) return INFINITY;
  const float distance = magnitude(x - precise::rint(x));
  const float a = -x;  // |Γ(x)| = π / (|sin(πx)|·a·Γ(a))
  return 1.14472989f - precise::log(precise::sin(3.14159265f * distance)) -
         (precise::log(a) + log_gamma_of_positive(a));
}

/// Between 1 and 2 a polynomial times the distance from the root; recurrence up to 8, then the asymptotic
/// series; reflection for x < 0 (Abramowitz and Stegun 6.3.5, 6.3.7, 6.3.18).
inline float op_digamma(float argument) {
  if (argument == 0.0f) return with_sign(INFINITY, -argument);
  if (op_is_inf(argument)) return argument > 0.0f ? argument : NAN;
  float x = argument, result = 0.0f;
  if (x < 0.0f) {
    const float nearest = precise::rint(x);
    if (nearest == x) return NAN;
    result = -3.14159265f / precise::tan(3.14159265f * (x - nearest));
    x = 1.0f - x;
  }
  if (x < 1.0f) {
    result -= 1.0f / x;
    x += 1.0f;
  }
  if (x >= 8.0f) {
    const float z = 1.0f / (x * x);
    const float series = z * (0.0833333333f - z * (0.00833333333f - z * 0.00396825397f));
    return result + (precise::log(x) - 0.5f / x - series);
  }
  while (x > 2.0f) {
    x -= 1.0f;
    result += 1.0f / x;
  }
  const float t = 2.0f * (x - 1.5f);
  float sum = -3.76145503e-06f;
  sum = sum * t + 1.09696048e-05f;
  sum = sum * t + -2.16633889e-05f;
  sum = sum * t + 6.60514348e-05f;
  sum = sum * t + -0.000211741991f;
  sum = sum * t + 0.000638982508f;
  sum = sum * t + -0.00193477021f;
  sum = sum * t + 0.00593629377f;
  sum = sum * t + -0.018550653f;
  sum = sum * t + 0.0601356647f;
  sum = sum * t + -0.211813709f;
  sum = sum * t + 0.951055875f;
  return result + ((x - 1.46163213f) - 1.24381499e-08f) * sum;
}

/// Modified Bessel functions of the first kind: the power series, whose terms are positive (Abramowitz and
/// Stegun 9.6.10), and from 16 on the asymptotic one (9.7.1), times e^(−x).
inline float bessel_power_series(float order, float x) {
  const float quarter = 0.25f * x * x;
  float term = 1.0f, sum = 1.0f;
  for (float k = 1.0f; k < 60.0f; k += 1.0f) {
    term *= quarter / (k * (k + order));
    if (sum + term == sum) break;
    sum += term;
  }
  return (order == 0.0f ? 1.0f : 0.5f * x) * sum;
}
inline float bessel_asymptotic_series(float order, float x) {
  const float mu = 4.0f * order;  // 4·order²; the order is 0 or 1
  float term = 1.0f, sum = 1.0f;
  for (float k = 1.0f; k < 16.0f; k += 1.0f) {
    const float odd = 2.0f * k - 1.0f;
    term *= (odd * odd - mu) / (8.0f * k * x);
    if (sum + term == sum) break;
    sum += term;
  }
  return sum * 0.39894228f / precise::sqrt(x);
}
inline float bessel_scaled(float order, float x) {
  if (op_is_nan(x)) return x;
  if (x < 16.0f) return precise::exp(-x) * bessel_power_series(order, x);
  return op_is_inf(x) ? 0.0f : bessel_asymptotic_series(order, x);
}
inline float bessel_unscaled(float order, float x) {
  if (op_is_nan(x)) return x;
  if (x < 16.0f) return bessel_power_series(order, x);
  if (x > 100.0f) return INFINITY;
  const float half_way = precise::exp(0.5f * x);  // e^x may overflow before the function does
  return half_way * bessel_asymptotic_series(order, x) * half_way;
}
inline float op_bessel_i0(float x) { return bessel_unscaled(0.0f, magnitude(x)); }
inline float op_bessel_i1(float x) { return with_sign(bessel_unscaled(1.0f, magnitude(x)), x); }
inline float op_bessel_i0e(float x) { return bessel_scaled(0.0f, magnitude(x)); }
inline float op_bessel_i1e(float x) { return with_sign(bessel_scaled(1.0f, magnitude(x)), x); }

/// Near the branch point −1/e its series in √(2(e·x + 1)) (R. M. Corless et al., On the Lambert W function,
/// Adv. Comput. Math. 5, 1996, section 4), Halley's iteration from there on; for larger x the iteration of R.
/// Iacono and J. P. Boyd (New approximations to the principal real-valued branch of the Lambert W-function,
/// Adv. Comput. Math. 43, 2017).
inline float op_lambert_w(float x) {
  if (op_is_nan(x) || x == INFINITY || x == 0.0f) return x;
  float w;
  if (x > 3.0f) {
    const float logarithm = precise::log(x);
    w = logarithm - precise::log(logarithm);
    for (int step = 0; step < 4; ++step) w = w / (1.0f + w) * (1.0f + precise::log(x / w));
    return w;
  }
  const float distance = fma(2.71828175f, x, 1.0f) + 8.25483965e-8f * x;  // e in two words
  if (distance < 0.0f) return distance > -1e-7f ? -1.0f : NAN;
  if (x < -0.1f) {
    const float p = precise::sqrt(2.0f * distance);
    w = -1.0f + p * (1.0f + p * (-0.333333333f +
                                 p * (0.152777778f +
                                      p * (-0.0796296296f + p * (0.0445023148f + p * -0.0259847149f)))));
    if (p < 0.3f) return w;
  } else {
    w = x < 0.5f ? x * (1.0f - x * (1.0f - 1.5f * x)) : op_log1p(x) * 0.7f;
  }
  for (int step = 0; step < 6; ++step) {
    const float residual = w - x * precise::exp(-w);
    const float change = residual / (w + 1.0f - 0.5f * (w + 2.0f) * residual / (w + 1.0f));
    w -= change;
    if (magnitude(change) <= 1e-7f * magnitude(w)) break;
  }
  return w;
}
