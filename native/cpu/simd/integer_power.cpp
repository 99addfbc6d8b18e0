// Powers of integers, many at a time: by squaring, for as many bits as the largest exponent has.

#include "cpu/simd/kernel_parts.h"
#include "cpu/simd/loops.h"

namespace ftrans::cpu::FTRANS_ISA_NAMESPACE {
namespace {

/// What a negative exponent gives: 0 unless the base is 1 or −1.
template <class T>
inline T inverse_power(T base, T exponent) {
  const T alternating = (exponent & 1) != 0 ? T(-1) : T(1);
  return base == T(-1) ? alternating : base == 1 ? T(1) : T(0);
}

/// Powers wrap around.
template <class T, bool scalar_a, bool scalar_b>
void power_loop(void* out, const void* a, const void* b, const void*, int64_t n) {
  constexpr int64_t kBlock = 128;
  auto* o = static_cast<T*>(out);
  auto* x = static_cast<const T*>(a);
  auto* y = static_cast<const T*>(b);
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t count = n - begin < kBlock ? n - begin : kBlock;
    Wide<T> square[kBlock], power[kBlock], rest[kBlock];
    T bases[kBlock], exponents[kBlock];
    Wide<T> all = 0;
    for (int64_t i = 0; i < count; ++i) {
      bases[i] = x[scalar_a ? 0 : begin + i];
      exponents[i] = y[scalar_b ? 0 : begin + i];
      square[i] = static_cast<Wide<T>>(bases[i]);
      rest[i] = exponents[i] < 0 ? 0 : static_cast<Wide<T>>(exponents[i]);
      power[i] = 1;
      all |= rest[i];
    }
    for (; all != 0; all >>= 1) {
      for (int64_t i = 0; i < count; ++i) {
        power[i] = (rest[i] & 1) != 0 ? power[i] * square[i] : power[i];
        square[i] *= square[i];
        rest[i] >>= 1;
      }
    }
    for (int64_t i = 0; i < count; ++i) {
      const T value = static_cast<T>(power[i]);
      o[begin + i] = exponents[i] < 0 ? inverse_power(bases[i], exponents[i]) : value;
    }
  }
}

template <class T>
KernelVariants power() {
  return {{power_loop<T, false, false>, power_loop<T, true, false>, power_loop<T, false, true>}, false, 8};
}

}  // namespace

KernelVariants integer_power_kernels(Dtype dtype) {
  switch (dtype) {
    case Dtype::Int8: return power<int8_t>();
    case Dtype::Int16: return power<int16_t>();
    case Dtype::Int32: return power<int32_t>();
    case Dtype::Int64: return power<int64_t>();
    case Dtype::UInt8: return power<uint8_t>();
    case Dtype::UInt16: return power<uint16_t>();
    case Dtype::UInt32: return power<uint32_t>();
    case Dtype::UInt64: return power<uint64_t>();
    default: return {};
  }
}

}  // namespace ftrans::cpu::FTRANS_ISA_NAMESPACE
