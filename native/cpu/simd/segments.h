#pragma once

// tanh and erf in float32 from piecewise polynomials, where two registers serve as a table of 32 entries
// (AVX-512): no division, no exponential, and no second form for small arguments.

#if defined(__AVX512F__)

#include <immintrin.h>

#include <cstdint>

namespace ftrans::cpu::FTRANS_ISA_NAMESPACE {

/// An odd, increasing function with limit 1. Four segments a binade, numbered by the top bits of |x|: on each
/// f(x) = Σ cₖ (|x| − centre)ᵏ, errors below 2⁻²⁶; on the first, around 0, f(x) = |x| + Σ cₖ |x|ᵏ.
struct Segments {
  float first_end;                        ///< where the first segment ends
  float saturation;                       ///< beyond it the function rounds to 1
  alignas(64) float coefficients[6][32];  ///< least squares at Chebyshev nodes; entry = segment number mod 32
};

inline constexpr Segments kTanhSegments = {
    0x1.4p-4f,
    10.0f,
    {{0.9780261f,  0.99185973f, 0.99699765f, 0.99889445f, 0.9997532f, 0.9999666f,  0.99999547f, 0.9999994f,
      0.99999994f, 1.0f,        1.0f,        1.0f,        0.0f,       0.08572657f, 0.10121473f, 0.11665399f,
      0.1397053f,  0.17020231f, 0.20037672f, 0.2301757f,  0.2740616f, 0.33082113f, 0.38528398f, 0.43718877f,
      0.50983f,    0.59637356f, 0.6709671f,  0.7340715f,  0.8093011f, 0.8798267f,  0.92534626f, 0.95404524f},
     {0.043464918f,  0.01621429f,    0.0059957164f,  0.002209893f, 0.00049352826f, 6.680606e-05f,
      9.041478e-06f, 1.2236358e-06f, 6.1080584e-08f, 0.0f,         0.0f,           0.0f,
      0.0f,          0.9926509f,     0.9897556f,     0.98639184f,  0.9804824f,     0.9710312f,
      0.9598492f,    0.94701916f,    0.9248902f,     0.8905574f,   0.85155624f,    0.80886596f,
      0.7400734f,    0.6443386f,     0.5498032f,     0.461139f,    0.34503177f,    0.22590497f,
      0.14373437f,   0.08979764f},
     {-0.042508237f,
      -0.016081098f,
      -0.0059771794f,
      -0.0022072394f,
      -0.00049260934f,
      -6.669514e-05f,
      -9.026713e-06f,
      -1.2216422e-06f,
      -5.8650034e-08f,
      0.0f,
      0.0f,
      0.0f,
      0.0f,
      -0.08509656f,
      -0.10017785f,
      -0.11506654f,
      -0.1369786f,
      -0.16527174f,
      -0.19233142f,
      -0.2179808f,
      -0.25347686f,
      -0.29461515f,
      -0.32809094f,
      -0.3536271f,
      -0.3773113f,
      -0.3842664f,
      -0.3688999f,
      -0.33850914f,
      -0.27923712f,
      -0.19875874f,
      -0.13300462f,
      -0.085671104f},
     {0.027087698f,  0.010546239f,   0.0039609782f,  0.0014682877f, 0.00032842244f, 4.4484506e-05f,
      6.021008e-06f, 8.1486735e-07f, 5.0659914e-08f, 0.0f,          0.0f,           0.0f,
      -0.33333248f,  -0.3235886f,    -0.31977904f,   -0.3153743f,   -0.30769086f,   -0.29554743f,
      -0.281411f,    -0.26549917f,   -0.23882861f,   -0.19938765f,  -0.157444f,     -0.11502026f,
      -0.054327298f, 0.014386374f,   0.06425175f,    0.09477684f,   0.11097602f,    0.09957171f,
      0.075164065f,  0.05180174f},
     {-0.012390353f,
      -0.005151134f,
      -0.0019795005f,
      -0.00073987345f,
      -0.00017255203f,
      -2.3398614e-05f,
      -3.1675056e-06f,
      -4.2869078e-07f,
      -1.6168324e-09f,
      0.0f,
      0.0f,
      0.0f,
      0.0f,
      0.056102786f,
      0.06575563f,
      0.075141415f,
      0.08862792f,
      0.10537287f,
      0.12047575f,
      0.13374698f,
      0.14984092f,
      0.1640615f,
      0.16992728f,
      0.16807866f,
      0.15324943f,
      0.119440995f,
      0.07989822f,
      0.04336298f,
      0.0037007083f,
      -0.021095093f,
      -0.025121208f,
      -0.020848904f},
     {0.003977846f,   0.0019151045f,  0.0007705389f,  0.00029265345f, 6.830596e-05f, 9.279837e-06f,
      1.2565426e-06f, 1.7006651e-07f, 2.2598352e-08f, 0.0f,           0.0f,          0.0f,
      0.13287978f,    0.12511611f,    0.12193845f,    0.11828847f,    0.1119928f,    0.1021812f,
      0.09101454f,    0.078779f,      0.05917434f,    0.03204906f,    0.005999863f,  -0.017107742f,
      -0.043371215f,  -0.061543733f,  -0.06268018f,   -0.053080674f,  -0.032100573f, -0.0095362095f,
      0.001389934f,   0.0046005053f}}};

inline constexpr Segments kErfSegments = {
    0x1.4p-5f,
    4.0f,
    {{0.99853724f, 0.9998994f,  0.9999957f,  0.9999999f,  1.0f,        1.0f,         1.0f,
      1.0f,        0.0f,        0.04845522f, 0.05725129f, 0.06604038f, 0.079208605f, 0.09673189f,
      0.11420819f, 0.13162911f, 0.15763852f, 0.19204724f, 0.22608839f, 0.25970015f,  0.30918372f,
      0.3731292f,  0.4343869f,  0.49261346f, 0.57367444f, 0.66908467f, 0.74946404f,  0.8151024f,
      0.8883882f,  0.94817007f, 0.97844374f, 0.99199003f},
     {0.0071423007f, 0.00058629434f, 2.9193649e-05f, 8.8320195e-07f, 0.0f,       0.0f,        0.0f,
      0.0f,          0.12837917f,    1.1262977f,     1.1254731f,     1.1245118f, 1.1228144f,  1.1200765f,
      1.1167998f,    1.1129892f,     1.1062843f,     1.0955333f,     1.0827699f, 1.0680671f,  1.0425615f,
      1.0026217f,    0.9567082f,     0.90579313f,    0.82232136f,    0.7033687f, 0.58311313f, 0.46854457f,
      0.31827396f,   0.17035978f,    0.08047225f,    0.033545826f},
     {-0.016064048f, -0.0016086026f, -9.426781e-05f, -3.2811558e-06f, 0.0f,         0.0f,
      0.0f,          0.0f,           0.0f,           -0.048395608f,   -0.05715293f, -0.065889366f,
      -0.07894789f,  -0.09625658f,   -0.11342498f,   -0.13042842f,    -0.15557122f, -0.18829477f,
      -0.21993764f,  -0.25032824f,   -0.2932204f,    -0.34465116f,    -0.3886627f,  -0.4245905f,
      -0.46255538f,  -0.48356572f,   -0.4737793f,    -0.43926054f,    -0.35806033f, -0.23424771f,
      -0.1307694f,   -0.06289899f},
     {0.021726923f, 0.0027582042f, 0.00019521925f, 7.768542e-06f, 0.0f,          0.0f,         0.0f,
      0.0f,         -0.37612635f,  -0.37404624f,   -0.37322286f,  -0.37226346f,  -0.37057078f, -0.36784413f,
      -0.3645868f,  -0.36080667f,  -0.3541766f,    -0.3436023f,   -0.33114007f,  -0.3169086f,  -0.29254174f,
      -0.2552247f,  -0.21363999f,  -0.16924657f,   -0.10064948f,  -0.012822397f, 0.062259085f, 0.11835607f,
      0.16245113f,  0.15793861f,   0.11484212f,    0.067442164f},
     {-0.019348864f, -0.003414073f, -0.0003118343f, -1.5182746e-05f, 0.0f,        0.0f,         0.0f,
      0.0f,          0.0f,          0.02416794f,    0.028527308f,    0.03286915f, 0.039342668f, 0.0478899f,
      0.056320786f,  0.0646152f,    0.076750875f,   0.09228221f,     0.10693127f, 0.1205663f,   0.1388147f,
      0.15867929f,   0.17287518f,   0.18112272f,    0.18221974f,     0.16539352f, 0.13252437f,  0.09092593f,
      0.028335031f,  -0.029982869f, -0.049381208f,  -0.042163048f},
     {0.010581849f, 0.0028258716f, 0.00033261633f, 2.3176632e-05f, 0.0f,         0.0f,          0.0f,
      0.0f,         0.11278133f,   0.111879386f,   0.111491635f,   0.11095636f,  0.11007635f,   0.10871391f,
      0.107087925f, 0.10521545f,   0.101947255f,   0.09674773f,    0.090664536f, 0.08378005f,   0.072187595f,
      0.054788936f, 0.03603801f,   0.01685004f,    -0.010666484f,  -0.04150693f, -0.061625294f, -0.06948898f,
      -0.06110446f, -0.030675279f, -0.0023126993f, 0.0113268895f}}};

typedef float Floats __attribute__((vector_size(64)));
typedef int32_t Integers __attribute__((vector_size(64)));

template <const Segments& segments>
Floats evaluate(Floats x) {
  constexpr int kShift = 21;  // leaves the exponent and two bits of the significand
  const auto floats = [](Integers bits) { return reinterpret_cast<Floats>(bits); };
  const auto bits = [](Floats value) { return reinterpret_cast<Integers>(value); };
  Floats a = floats(bits(x) & INT32_MAX);
  a = a > segments.saturation ? Floats{} + segments.saturation : a;  // NaN stays
  const Integers in_first = a < segments.first_end;
  const Integers first = bits(Floats{} + segments.first_end * 0.8f);
  const Integers segment = (bits(a) > first ? bits(a) : first) >> kShift;
  const Floats centre = floats((bits(a) & -(1 << kShift)) | 1 << (kShift - 1));
  const Floats r = in_first ? a : a - centre;
  const auto coefficient = [&](int k) {
    const float* table = segments.coefficients[k];
    return static_cast<Floats>(_mm512_permutex2var_ps(
        _mm512_load_ps(table), reinterpret_cast<__m512i>(segment), _mm512_load_ps(table + 16)));
  };
  Floats sum = coefficient(5);
#pragma GCC unroll 5
  for (int k = 4; k >= 0; --k) sum = sum * r + coefficient(k);
  sum = in_first ? sum + a : sum;
  return floats((bits(sum) & INT32_MAX) | (bits(x) & INT32_MIN));
}

template <const Segments& segments>
void segments_loop(void* out, const void* in, const void*, const void*, int64_t n) {
  auto* o = static_cast<float*>(out);
  auto* x = static_cast<const float*>(in);
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) _mm512_storeu_ps(o + i, evaluate<segments>(_mm512_loadu_ps(x + i)));
  const auto rest = static_cast<__mmask16>((1u << (n - i)) - 1);
  _mm512_mask_storeu_ps(o + i, rest, evaluate<segments>(_mm512_maskz_loadu_ps(rest, x + i)));
}

}  // namespace ftrans::cpu::FTRANS_ISA_NAMESPACE

#endif
