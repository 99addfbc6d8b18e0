// complex64 as float2: (real, imaginary).

inline float2 op_complex(float x, float y) { return float2(x, y); }
inline bool op_is_nonzero(float2 z) { return z.x != 0.0f || z.y != 0.0f; }
inline float2 op_neg(float2 z) { return float2(-z.x, -z.y); }
inline float2 op_conj(float2 z) { return float2(z.x, -z.y); }
inline float op_real(float2 z) { return z.x; }
inline float op_imag(float2 z) { return z.y; }
inline float op_abs(float2 z) { return op_hypot(z.x, z.y); }
inline bool op_is_nan(float2 z) { return op_is_nan(z.x) || op_is_nan(z.y); }
inline bool op_is_inf(float2 z) { return op_is_inf(z.x) || op_is_inf(z.y); }
inline bool op_is_finite(float2 z) { return op_is_finite(z.x) && op_is_finite(z.y); }
inline bool op_eq(float2 a, float2 b) { return a.x == b.x && a.y == b.y; }
inline bool op_ne(float2 a, float2 b) { return a.x != b.x || a.y != b.y; }
inline float2 op_add(float2 a, float2 b) { return float2(a.x + b.x, a.y + b.y); }
inline float2 op_sub(float2 a, float2 b) { return float2(a.x - b.x, a.y - b.y); }
inline float2 op_mul(float2 a, float2 b) { return float2(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x); }
inline float2 op_safe_mul(float2 a, float2 b) {
  return op_is_nonzero(a) && op_is_nonzero(b) ? op_mul(a, b) : float2(0.0f, 0.0f);
}
inline float2 op_square(float2 z) { return op_mul(z, z); }
inline float2 scaled(float2 z, float factor) { return float2(z.x * factor, z.y * factor); }
inline float2 times_i(float2 z) { return float2(-z.y, z.x); }
inline float2 over_i(float2 z) { return float2(z.y, -z.x); }

/// The power of two next to |z|'s larger part, for scaling without rounding.
inline float scale_of(float2 z) {
  const float size = max(magnitude(z.x), magnitude(z.y));
  return as_type<float>(as_type<uint32_t>(size) & 0x7f800000u);
}

/// By a divisor scaled to about 1, so that no square overflows; infinities as C's Annex G has them.
inline float2 op_div(float2 a, float2 b) {
  const float scale = scale_of(b);
  if (!op_is_nonzero(b)) {
    const float infinite = with_sign(INFINITY, b.x);
    return float2(infinite * a.x, infinite * a.y);
  }
  if (op_is_inf(b)) {
    if (!op_is_finite(a)) return float2(NAN, NAN);
    const float c = with_sign(op_is_inf(b.x) ? 1.0f : 0.0f, b.x),
                d = with_sign(op_is_inf(b.y) ? 1.0f : 0.0f, b.y);
    return float2(0.0f * (a.x * c + a.y * d), 0.0f * (a.y * c - a.x * d));
  }
  if (op_is_inf(a) && op_is_finite(b)) {
    const float x = with_sign(op_is_inf(a.x) ? 1.0f : 0.0f, a.x),
                y = with_sign(op_is_inf(a.y) ? 1.0f : 0.0f, a.y);
    return float2(INFINITY * (x * b.x + y * b.y), INFINITY * (y * b.x - x * b.y));
  }
  const float c = scale < FLT_MIN ? b.x * 8.50705917e37f : b.x / scale;
  const float d = scale < FLT_MIN ? b.y * 8.50705917e37f : b.y / scale;
  const float square = c * c + d * d;
  const float2 quotient = float2((a.x * c + a.y * d) / square, (a.y * c - a.x * d) / square);
  return scale < FLT_MIN ? scaled(quotient, 8.50705917e37f) : float2(quotient.x / scale, quotient.y / scale);
}

inline float2 op_sign(float2 z) {
  const float size = op_abs(z);
  return size == 0.0f ? float2(0.0f, 0.0f) : float2(z.x / size, z.y / size);
}

/// The root in the right half-plane (W. Kahan, Branch cuts for complex elementary functions, 1987).
inline float2 op_sqrt(float2 z) {
  if (op_is_inf(z.y)) return float2(INFINITY, z.y);
  if (op_is_inf(z.x)) {
    if (z.x > 0.0f) return float2(z.x, op_is_nan(z.y) ? z.y : with_sign(0.0f, z.y));
    return float2(op_is_nan(z.y) ? z.y : 0.0f, with_sign(INFINITY, z.y));
  }
  if (!op_is_nonzero(z)) return float2(0.0f, z.y);
  const bool large = max(magnitude(z.x), magnitude(z.y)) > 1e37f,
             small = max(magnitude(z.x), magnitude(z.y)) < 1e-30f;
  const float factor = large   ? 0.0625f
                       : small ? 1.1529215e18f
                               : 1.0f,
              root = large   ? 4.0f
                     : small ? 9.31322575e-10f
                             : 1.0f;
  const float2 u = scaled(z, factor);
  const float t = precise::sqrt(0.5f * (op_abs(u) + magnitude(u.x)));
  const float other = magnitude(u.y) / (2.0f * t);
  return scaled(u.x >= 0.0f ? float2(t, with_sign(other, z.y)) : float2(other, with_sign(t, z.y)), root);
}
inline float2 op_rsqrt(float2 z) { return op_div(float2(1.0f, 0.0f), op_sqrt(z)); }

/// e^x in two factors, which overflow only if the result does.
inline float2 op_exp(float2 z) {
  if (z.y == 0.0f) return float2(precise::exp(z.x), z.y);
  if (!op_is_finite(z.y)) {
    if (z.x == -INFINITY) return float2(0.0f, with_sign(0.0f, z.y));
    return float2(z.x == INFINITY ? z.x : NAN, NAN);
  }
  const float half_way = precise::exp(0.5f * z.x);
  return float2(half_way * precise::cos(z.y) * half_way, half_way * precise::sin(z.y) * half_way);
}
inline float2 op_exp2(float2 z) { return op_exp(scaled(z, 0.69314718f)); }

/// e^z − 1 = (e^x − 1)·cos y − 2 sin²(y/2) + i·e^x·sin y
inline float2 op_expm1(float2 z) {
  if (z.y == 0.0f) return float2(op_expm1(z.x), z.y);
  const float2 e = op_exp(z);
  if (!op_is_finite(z)) return float2(e.x - 1.0f, e.y);
  const float half_sine = precise::sin(0.5f * z.y);
  return float2(op_expm1(z.x) * precise::cos(z.y) - 2.0f * half_sine * half_sine, e.y);
}

/// log|z|: near |z| = 1 from (x − 1)(x + 1) + y², x the larger part.
inline float log_of_size(float2 z) {
  const float x = max(magnitude(z.x), magnitude(z.y)), y = min(magnitude(z.x), magnitude(z.y));
  if (op_is_nan(z) || op_is_inf(z)) return op_is_inf(z) ? INFINITY : NAN;
  if (x > 0.5f && x < 2.0f) {
    const float product = (x - 1.0f) * (x + 1.0f);
    return 0.5f * op_log1p(product + y * y);
  }
  const float scale = scale_of(z);
  if (scale < FLT_MIN) return precise::log(op_abs(z));
  return precise::log(scale) + precise::log(op_hypot(x / scale, y / scale));
}
inline float2 op_log(float2 z) { return float2(log_of_size(z), precise::atan2(z.y, z.x)); }
inline float2 op_log2(float2 z) { return scaled(op_log(z), 1.44269504f); }
inline float2 op_log10(float2 z) { return scaled(op_log(z), 0.434294482f); }

/// log|1 + z| = ½·log1p(x·(2 + x) + y²)
inline float2 op_log1p(float2 z) {
  if (!(op_abs(z) <= 0.5f)) return op_log(float2(1.0f + z.x, z.y));
  return float2(0.5f * op_log1p(z.x * (2.0f + z.x) + z.y * z.y), precise::atan2(z.y, 1.0f + z.x));
}

inline float2 op_sinh(float2 z) {
  return float2(precise::sinh(z.x) * precise::cos(z.y), precise::cosh(z.x) * precise::sin(z.y));
}
inline float2 op_cosh(float2 z) {
  return float2(precise::cosh(z.x) * precise::cos(z.y), precise::sinh(z.x) * precise::sin(z.y));
}
/// W. Kahan (1987): from the tangent and the hyperbolic sine; at infinity a zero of z's sign.
inline float2 op_tanh(float2 z) {
  if (magnitude(z.x) > 20.0f) return float2(with_sign(1.0f, z.x), with_sign(0.0f, z.y));
  const float t = precise::tan(z.y), beta = 1.0f + t * t, s = precise::sinh(z.x);
  const float rho = precise::sqrt(1.0f + s * s), denominator = 1.0f + beta * s * s;
  return float2(beta * rho * s / denominator, t / denominator);
}
inline float2 op_sin(float2 z) { return over_i(op_sinh(times_i(z))); }
inline float2 op_cos(float2 z) { return op_cosh(times_i(z)); }
inline float2 op_tan(float2 z) { return over_i(op_tanh(times_i(z))); }

// The inverse functions, as Kahan defines them.
inline float2 op_asinh(float2 z) {
  const float2 a = op_sqrt(float2(1.0f + z.y, -z.x)), b = op_sqrt(float2(1.0f - z.y, z.x));
  const float real = op_asinh(a.x * b.y - b.x * a.y);
  return float2(real, precise::atan2(z.y, a.x * b.x - a.y * b.y));
}
inline float2 op_asin(float2 z) { return over_i(op_asinh(times_i(z))); }
inline float2 op_acos(float2 z) {
  const float2 a = op_sqrt(float2(1.0f - z.x, -z.y)), b = op_sqrt(float2(1.0f + z.x, z.y));
  return float2(2.0f * precise::atan2(a.x, b.x), op_asinh(b.x * a.y - b.y * a.x));
}
inline float2 op_acosh(float2 z) {
  const float2 a = op_sqrt(float2(z.x - 1.0f, z.y)), b = op_sqrt(float2(z.x + 1.0f, z.y));
  return float2(op_asinh(a.x * b.x + a.y * b.y), 2.0f * precise::atan2(a.y, b.x));
}
inline float2 op_atanh(float2 z) {
  const float x = magnitude(z.x), y = z.y, rest = 1.0f - x;
  const float denominator = rest * rest + y * y;
  const float real = 0.25f * op_log1p(4.0f * x / denominator);
  const float imaginary = 0.5f * precise::atan2(2.0f * y, rest * (1.0f + x) - y * y);
  return float2(with_sign(real, z.x), imaginary);
}
inline float2 op_atan(float2 z) { return over_i(op_atanh(times_i(z))); }

/// From the side where the exponential does not overflow.
inline float2 op_logistic(float2 z) {
  const float2 one = float2(1.0f, 0.0f);
  if (z.x >= 0.0f) return op_div(one, op_add(one, op_exp(op_neg(z))));
  const float2 e = op_exp(z);
  return op_div(e, op_add(one, e));
}

inline float2 op_pow(float2 a, float2 b) {
  if (!op_is_nonzero(b)) return float2(1.0f, 0.0f);
  if (!op_is_nonzero(a) && b.y == 0.0f && b.x > 0.0f) return float2(0.0f, 0.0f);
  return op_exp(op_mul(b, op_log(a)));
}
