// Special functions of float32, evaluated in float64. Those of float64 are in cpu/special.

#include "cpu/simd/kernel_parts.h"
#include "cpu/simd/loops.h"
#include "cpu/simd/math_single.h"
#include "cpu/special/functions.h"

namespace ftrans::cpu::FTRANS_ISA_NAMESPACE {
namespace {

constexpr double kPi = 0x1.921fb54442d18p1;

/// e^(−x)·Iₙ(x)/xⁿ for 0 ≤ x ≤ 8, and e^(−x)·Iₙ(x)·√x for x ≥ 8: Chebyshev interpolation at 40 digits, with
/// relative errors below 2e−11.
template <int order>
inline double scaled_bessel(double x) {
  const double inverse = 1 / (x < 8 ? 8 : x);
  const double u = 0.25 * x - 1, t = 16 * inverse - 1;
  double near, far;
  if constexpr (order == 0) {
    near = float64::polynomial(
        u, {0.20700192122686667,    -0.11300432689708962,    0.094515627846368953,  -0.089043440407418098,
            0.087343443758266399,   -0.084963405564894952,   0.07927479864866682,   -0.069540901840293359,
            0.056780420104456713,   -0.042987891415718746,   0.030162278410181227,  -0.019674831145387993,
            0.012004880892660119,   -0.0068125680635539656,  0.0035351598371842702, -0.0017780021747176471,
            0.00095164820820035936, -0.00041964929991180427, 9.4982886864681601e-5, -4.0985176037339848e-5,
            5.0729105675377636e-5,  -1.8107086053746207e-5});
    far = float64::polynomial(
        t, {0.40217650944503514, 0.0033605519829731312, 0.00013621607130302846, 1.1143060598036943e-5,
            1.4839074530685992e-6, 2.9705700934665853e-7, 8.826073729838233e-8, 4.0864353803655154e-8,
            2.3400952006373807e-8, 3.3996436620201936e-9, -1.1177964125239354e-8, -6.9660573993693098e-9,
            1.4704894876433748e-9, 1.5780980255711817e-9});
  } else {
    near =
        x * float64::polynomial(u, {0.044687709875923763,    -0.061124338030798915,  0.068057599833633373,
                                    -0.06848260610657846,    0.063767406732566928,   -0.055280041794345267,
                                    0.044674525824233044,    -0.033671324903352622,  0.023686388346182017,
                                    -0.015571511791736816,   0.0095822467069175443,  -0.0055337510396800133,
                                    0.0030106852061542002,   -0.0015409830120376459, 0.00073548920367613572,
                                    -0.00033762682899211942, 0.00015894533080722356, -6.5284201869149364e-5,
                                    1.6755628726995343e-5,   -6.5461118256955941e-6, 6.153141642272913e-6,
                                    -2.0803479381107736e-6});
    far = float64::polynomial(
        t, {0.38939845902583866, -0.0097495771925229642, -0.00021923576006329405, -1.5038574674280621e-5,
            -1.8349817263934948e-6, -3.4807566569703374e-7, -9.947371778562423e-8, -4.4700007386594695e-8,
            -2.5485467146415505e-8, -4.2006938566559705e-9, 1.1655203618871742e-8, 7.5205068682925527e-9,
            -1.4742634037751621e-9, -1.672622535103364e-9});
  }
  const double value = x < 8 ? near : far * __builtin_sqrt(inverse);
  return x != x ? x : value;
}

template <int order, bool is_scaled>
struct Bessel {
  static float apply(float argument) {
    const double x = float64::magnitude(argument);
    const double scaled = scaled_bessel<order>(x);
    const double value = is_scaled ? scaled : x == float64::kInfinity ? x : scaled * float64::exp(x);
    return static_cast<float>(order == 0 ? value : float64::with_sign(value, argument));
  }
};

/// The recurrence ψ(x) = ψ(x + 1) − 1/x leads to where the asymptotic series holds, reflection from the left
/// to the right half (Abramowitz and Stegun 6.3.5, 6.3.7, 6.3.18).
struct Digamma {
  static float apply(float argument) {
    const double x = argument;
    const double positive = x < 0 ? 1 - x : x;
    double numerator = 0, denominator = 1;  // of Σ 1/(x + i)
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      numerator = numerator * (positive + i) + denominator;
      denominator *= positive + i;
    }
    const bool is_large = positive > 1e4;
    const double shifted = is_large ? positive : positive + 8;
    const double z = 1 / (shifted * shifted);
    const double series =
        z * float64::polynomial(z, {1.0 / 12, -1.0 / 120, 1.0 / 252, -1.0 / 240, 1.0 / 132});
    const double value =
        float64::log(shifted) - 0.5 / shifted - series - (is_large ? 0 : numerator / denominator);
    const double nearest = (x + float64::kRounder) - float64::kRounder;
    const double reflected = value - kPi / float64::tan(kPi * (x - nearest));
    const bool is_pole = x == nearest || x < -0x1p24;
    const double left = x == 0    ? float64::with_sign(float64::kInfinity, -x)
                        : is_pole ? float64::kNan
                                  : reflected;
    return static_cast<float>(x <= 0 ? left : value);
  }
};

struct Lgamma {
  static bool in_domain(float x) { return !(x < 0x1p-126f); }
  static float apply(float x) { return static_cast<float>(single::lgamma(x)); }
  static float slow(float x) { return static_cast<float>(special::log_gamma(x)); }
};

}  // namespace

KernelVariants special_kernels(Opcode opcode, Dtype dtype) {
  if (dtype != Dtype::Float32) return {};
  switch (opcode) {
    case Opcode::BesselI0: return unary<Bessel<0, false>, float, float>(20);
    case Opcode::BesselI1: return unary<Bessel<1, false>, float, float>(20);
    case Opcode::BesselI0e: return unary<Bessel<0, true>, float, float>(14);
    case Opcode::BesselI1e: return unary<Bessel<1, true>, float, float>(14);
    case Opcode::Lgamma: return guarded_unary<Lgamma, float>(30);
    case Opcode::Digamma: return unary<Digamma, float, float>(30);
    default: return {};
  }
}

}  // namespace ftrans::cpu::FTRANS_ISA_NAMESPACE
