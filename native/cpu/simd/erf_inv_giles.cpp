// erf⁻¹ in float32 as XLA's CPU compiler computes it, rounding by rounding: what makes normal numbers equal
// to JAX's. `erf_inv` is more accurate, but another function where draws are compared bit for bit. Products
// are rounded where no `fma` says otherwise (compiled with -ffp-contract=off).

#include "cpu/simd/kernel_parts.h"
#include "cpu/simd/loops.h"
#include "cpu/simd/math_float32.h"

namespace ftrans::cpu::FTRANS_ISA_NAMESPACE {
namespace {

inline float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }

/// The coefficient of the highest power first.
template <int count>
inline float horner(float x, const float (&coefficients)[count]) {
  float sum = coefficients[0];
#pragma GCC unroll 16
  for (int i = 1; i < count; ++i) sum = fma(sum, x, coefficients[i]);
  return sum;
}

/// log(x) for normal x > 0: the method and the coefficients of `logf` in S. Moshier's Cephes library.
inline float cephes_log(float x) {
  const uint32_t u = float32::bits(x);
  const float m = float32::from_bits((u & 0x007fffff) | 0x3f000000);  // in [1/2, 1)
  const bool low = m < 0.707106781f;
  const float exponent = static_cast<float>(static_cast<int32_t>(u >> 23) - 126) - (low ? 1.0f : 0.0f);
  const float t = (m - 1.0f) + (low ? m : 0.0f);
  const float square = t * t, cube = square * t;
  const float a = horner(t, {7.0376836292e-2f, -1.1514610310e-1f, 1.1676998740e-1f});
  const float b = horner(t, {-1.2420140846e-1f, 1.4249322787e-1f, -1.6668057665e-1f});
  const float c = horner(t, {2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f});
  const float tail = fma(horner(cube, {a, b, c}), cube, exponent * float32::kLn2Low);
  return fma(exponent, float32::kLn2High, (t - 0.5f * square) + tail);
}

/// log(1 + x) for −1 < x ≤ 0: `log1p` of the Cephes library near 0.
inline float cephes_log1p(float x) {
  const float numerator =
      horner(x, {4.5270000862445199635215e-5f, 4.9854102823193375972212e-1f, 6.5787325942061044846969f,
                 2.9911919328553073277375e1f, 6.0949667980987787057556e1f, 5.7112963590585538103336e1f,
                 2.0039553499201281259648e1f});
  const float denominator =
      horner(x, {1.0f, 1.5062909083469192043167e1f, 8.3047565967967209469434e1f, 2.2176239823732856465394e2f,
                 3.0909872225312059774938e2f, 2.1642788614495947685003e2f, 6.0118660497603843919306e1f});
  const float square = x * x;
  const float near = x + fma(square, -0.5f, (x * square) * (numerator / denominator));
  return float32::magnitude(x) < 0.41421356237f ? near : cephes_log(1.0f + x);
}

/// M. Giles: Approximating the erfinv function (GPU Computing Gems, Jade edition, 2012), single precision.
struct ErfInvGiles {
  static float apply(float x) {
    const float w = -cephes_log1p(-x * x);
    const float central =
        horner(w - 2.5f, {2.81022636e-08f, 3.43273939e-07f, -3.5233877e-06f, -4.39150654e-06f, 0.00021858087f,
                          -0.00125372503f, -0.00417768164f, 0.246640727f, 1.50140941f});
    const float tail = horner(__builtin_sqrtf(w) - 3.0f,
                              {-0.000200214257f, 0.000100950558f, 0.00134934322f, -0.00367342844f,
                               0.00573950773f, -0.0076224613f, 0.00943887047f, 1.00167406f, 2.83297682f});
    const float magnitude = float32::magnitude(x);
    const float value = x * (w < 5.0f ? central : tail);
    const float inside = magnitude == 1.0f ? x * float32::kInfinity : value;
    return magnitude <= 1.0f ? inside : float32::kNan;
  }
};

}  // namespace

KernelVariants erf_inv_giles_kernels(Dtype dtype) {
  return dtype == Dtype::Float32 ? unary<ErfInvGiles, float, float>(10) : KernelVariants{};
}

}  // namespace ftrans::cpu::FTRANS_ISA_NAMESPACE
