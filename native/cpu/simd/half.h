#pragma once

// float16 and bfloat16 to and from float32, round to nearest even, in integer arithmetic that vectorises
// everywhere.

#include "core/dtype.h"
#include "cpu/simd/math_float32.h"

namespace ftrans::cpu::FTRANS_ISA_NAMESPACE {

inline float widen(Float16 h) {
  const uint32_t magnitude = static_cast<uint32_t>(h.bits & 0x7fff) << 13;
  const uint32_t sign = static_cast<uint32_t>(h.bits & 0x8000) << 16;
  const float finite =
      float32::from_bits(magnitude) * 0x1p112f;  // rebiases the exponent; exact for subnormals too
  const uint32_t value = magnitude >= 0x0f800000 ? magnitude | 0x7f800000 : float32::bits(finite);
  return float32::from_bits(value | sign);
}

inline float widen(BFloat16 h) { return float32::from_bits(static_cast<uint32_t>(h.bits) << 16); }

inline Float16 narrow(float x, Float16) {
  const uint32_t magnitude = float32::bits(x) & 0x7fffffff;
  const uint32_t sign = (float32::bits(x) >> 16) & 0x8000;
  const uint32_t normal = (magnitude + 0xfff + ((magnitude >> 13) & 1) - (112u << 23)) >> 13;
  // Adding ½ makes the addition round at 2⁻²⁴, the unit of float16's subnormals.
  const uint32_t subnormal = float32::bits(float32::from_bits(magnitude) + 0.5f) - 0x3f000000;
  uint32_t value = magnitude < (113u << 23) ? subnormal : normal;
  value = magnitude >= 0x477ff000 ? 0x7c00 : value;
  value = magnitude > 0x7f800000 ? 0x7e00 : value;
  return {static_cast<uint16_t>(value | sign)};
}

inline BFloat16 narrow(float x, BFloat16) {
  const uint32_t u = float32::bits(x);
  const uint32_t rounded = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
  const uint32_t nan = (u >> 16) | 0x40;
  return {static_cast<uint16_t>((u & 0x7fffffff) > 0x7f800000 ? nan : rounded)};
}

/// To float32 by round-to-odd, so that a second rounding to 16 bits gives the correctly rounded result.
inline float round_to_odd(double x) {
  const float nearest = static_cast<float>(x);
  const double back = nearest;
  const uint32_t u = float32::bits(nearest);
  const uint32_t toward_zero = u - (float64::magnitude(back) > float64::magnitude(x) ? 1u : 0u);
  const uint32_t odd = toward_zero | (back != x ? 1u : 0u);
  return float32::from_bits(x == x ? odd : u);
}

}  // namespace ftrans::cpu::FTRANS_ISA_NAMESPACE
