// Division of integers of up to 32 bits. There is no vector instruction for it, but quotients of floats that
// hold the operands exactly are off by one at most, and their remainders, which are exact too, tell.

#include "cpu/simd/kernel_parts.h"
#include "cpu/simd/loops.h"

namespace ftrans::cpu::FTRANS_ISA_NAMESPACE {
namespace {

/// Quotient and remainder, rounded towards −∞, of integers that `Real` holds.
template <class Real>
struct Divided {
  Real quotient, remainder;
};

template <class Real>
inline Divided<Real> divide(Real a, Real b, Real inverse) {
  Real quotient = __builtin_floor(a * inverse);
  Real remainder = a - quotient * b;
  const bool too_much = b > 0 ? remainder < 0 : remainder > 0;
  quotient = too_much ? quotient - 1 : quotient;
  remainder = too_much ? remainder + b : remainder;
  const bool too_little = b > 0 ? remainder >= b : remainder <= b;
  quotient = too_little ? quotient + 1 : quotient;
  remainder = too_little ? remainder - b : remainder;
  return {quotient, remainder};
}

struct FloorDivide {
  template <class Real>
  static Real apply(Real, Real, Divided<Real> x) {
    return x.quotient;
  }
};
struct Remainder {  // has the sign of the divisor
  template <class Real>
  static Real apply(Real, Real, Divided<Real> x) {
    return x.remainder;
  }
};
struct Fmod {  // has the sign of the dividend
  template <class Real>
  static Real apply(Real a, Real b, Divided<Real> x) {
    const bool opposite = ((x.remainder > 0) & (a < 0)) | ((x.remainder < 0) & (a > 0));
    return opposite ? x.remainder - b : x.remainder;
  }
};

/// An integer of 33 bits that wraps to T's width.
template <class T, class Real>
inline T wrap(Real x) {
  if constexpr (sizeof(T) == 4) x = x >= Real(2147483648.0) ? x - Real(4294967296.0) : x;
  return static_cast<T>(static_cast<int32_t>(x));
}

/// Division by zero gives 0; the lowest value by −1 wraps.
template <class Op, class T, bool scalar_b>
void division_loop(void* out, const void* a, const void* b, const void*, int64_t n) {
  using Real = std::conditional_t<sizeof(T) < 4, float, double>;
  auto* o = static_cast<T*>(out);
  auto* x = static_cast<const T*>(a);
  auto* y = static_cast<const T*>(b);
  if (n == 0) return;
  const Real divisor0 = y[0] == 0 ? Real(1) : static_cast<Real>(y[0]);
  const Real inverse0 = 1 / divisor0;
  const bool is_zero0 = y[0] == 0;
  FTRANS_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) {
    const Real dividend = static_cast<Real>(x[i]);
    const bool is_zero = scalar_b ? is_zero0 : y[i] == 0;
    const Real divisor = scalar_b ? divisor0 : is_zero ? Real(1) : static_cast<Real>(y[i]);
    const Divided<Real> divided = divide(dividend, divisor, scalar_b ? inverse0 : 1 / divisor);
    const Real result = Op::apply(dividend, divisor, divided);
    o[i] = wrap<T>(is_zero ? Real(0) : result);
  }
}

template <class Op, class T>
KernelVariants division() {
  return {{division_loop<Op, T, false>, nullptr, division_loop<Op, T, true>}, false, 4};
}

template <class Op>
KernelVariants division(Dtype dtype) {
  switch (dtype) {
    case Dtype::Int8: return division<Op, int8_t>();
    case Dtype::Int16: return division<Op, int16_t>();
    case Dtype::Int32: return division<Op, int32_t>();
    case Dtype::UInt8: return division<Op, uint8_t>();
    case Dtype::UInt16: return division<Op, uint16_t>();
    case Dtype::UInt32: return division<Op, uint32_t>();
    default: return {};
  }
}

}  // namespace

KernelVariants integer_division_kernels(Opcode opcode, Dtype dtype) {
  switch (opcode) {
    case Opcode::FloorDivide: return division<FloorDivide>(dtype);
    case Opcode::Remainder: return division<Remainder>(dtype);
    case Opcode::Fmod: return division<Fmod>(dtype);
    default: return {};
  }
}

}  // namespace ftrans::cpu::FTRANS_ISA_NAMESPACE
