// Comparisons and predicates, with bool results (bytes 0 and 1), selection and clamping.

#include "cpu/simd/kernel_parts.h"
#include "cpu/simd/loops.h"
#include "cpu/simd/math_float32.h"

namespace ftrans::cpu::FTRANS_ISA_NAMESPACE {
namespace {

struct Eq {
  template <class T>
  static uint8_t apply(T a, T b) {
    return a == b;
  }
};
struct Ne {
  template <class T>
  static uint8_t apply(T a, T b) {
    return a != b;
  }
};
struct Lt {
  template <class T>
  static uint8_t apply(T a, T b) {
    return a < b;
  }
};
struct Le {
  template <class T>
  static uint8_t apply(T a, T b) {
    return a <= b;
  }
};
struct Gt {
  template <class T>
  static uint8_t apply(T a, T b) {
    return a > b;
  }
};
struct Ge {
  template <class T>
  static uint8_t apply(T a, T b) {
    return a >= b;
  }
};

struct IsNan {
  template <class T>
  static uint8_t apply(T x) {
    return x != x;
  }
};
struct IsInf {
  static uint8_t apply(float x) { return float32::magnitude(x) == float32::kInfinity; }
  static uint8_t apply(double x) { return float64::magnitude(x) == float64::kInfinity; }
};
struct IsFinite {
  static uint8_t apply(float x) { return float32::magnitude(x) < float32::kInfinity; }
  static uint8_t apply(double x) { return float64::magnitude(x) < float64::kInfinity; }
};
template <uint8_t value>
struct Always {
  template <class T>
  static uint8_t apply(T) {
    return value;
  }
};

template <class T, bool scalar_true, bool scalar_false>
void select_loop(void* out, const void* predicate, const void* on_true, const void* on_false, int64_t n) {
  auto* o = static_cast<T*>(out);
  auto* p = static_cast<const uint8_t*>(predicate);
  auto* a = static_cast<const T*>(on_true);
  auto* b = static_cast<const T*>(on_false);
  if (n == 0) return;
  const T a0 = a[0], b0 = b[0];
  FTRANS_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) {
    const T x = scalar_true ? a0 : a[i], y = scalar_false ? b0 : b[i];
    o[i] = p[i] != 0 ? x : y;
  }
}

template <class T>
KernelVariants select_kernels() {
  KernelVariants variants;
  variants.by_scalars[0b000] = select_loop<T, false, false>;
  variants.by_scalars[0b010] = select_loop<T, true, false>;
  variants.by_scalars[0b100] = select_loop<T, false, true>;
  variants.by_scalars[0b110] = select_loop<T, true, true>;
  return variants;
}

struct Pair {  // an element of 16 bytes
  uint64_t words[2];
};

KernelVariants select_kernels(Dtype dtype) {
  switch (itemsize(dtype)) {
    case 1: return select_kernels<uint8_t>();
    case 2: return select_kernels<uint16_t>();
    case 4: return select_kernels<uint32_t>();
    case 8: return select_kernels<uint64_t>();
    default: return select_kernels<Pair>();
  }
}

/// min(max(x, low), high); a NaN anywhere comes through. Compilers make vectors of either half, not of both.
template <class T, bool scalars>
void clamp_loop(void* out, const void* low, const void* operand, const void* high, int64_t n) {
  auto* o = static_cast<T*>(out);
  auto* l = static_cast<const T*>(low);
  auto* x = static_cast<const T*>(operand);
  auto* h = static_cast<const T*>(high);
  if (n == 0) return;
  const T l0 = l[0], h0 = h[0];
  FTRANS_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) {  // min(max(x, lo), hi); a NaN anywhere comes through
    const T lo = scalars ? l0 : l[i], hi = scalars ? h0 : h[i], v = x[i];
    const T raised = v <= lo ? lo : v;
    const T limited = hi <= raised ? hi : raised;
    o[i] = lo != lo ? lo : hi != hi ? hi : limited;
  }
}

template <class T>
KernelVariants ordered_kernels(Opcode opcode) {
  switch (opcode) {
    case Opcode::Lt: return binary<Lt, uint8_t, T>();
    case Opcode::Le: return binary<Le, uint8_t, T>();
    case Opcode::Gt: return binary<Gt, uint8_t, T>();
    case Opcode::Ge: return binary<Ge, uint8_t, T>();
    case Opcode::Clamp: {
      KernelVariants variants{{clamp_loop<T, false>}, false, 2};
      variants.by_scalars[0b101] = clamp_loop<T, true>;
      return variants;
    }
    default: return {};
  }
}

template <class T, bool scalars>
void fma_loop(void* out, const void* a, const void* b, const void* c, int64_t n) {
  auto* o = static_cast<T*>(out);
  auto* x = static_cast<const T*>(a);
  auto* y = static_cast<const T*>(b);
  auto* z = static_cast<const T*>(c);
  if (n == 0) return;
  const T y0 = y[0], z0 = z[0];
  FTRANS_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) {
    const T factor = scalars ? y0 : y[i], addend = scalars ? z0 : z[i];
    if constexpr (sizeof(T) == 4) {
      o[i] = __builtin_fmaf(x[i], factor, addend);
    } else {
      o[i] = __builtin_fma(x[i], factor, addend);
    }
  }
}

template <class T>
KernelVariants fma_kernels() {
  KernelVariants variants{{fma_loop<T, false>}, false, 2};
  variants.by_scalars[0b110] = fma_loop<T, true>;
  return variants;
}

/// The neighbour of a towards b, on the bits: sign and magnitude with infinity at `infinity`.
template <class Bits, Bits infinity>
struct NextAfter {
  static Bits apply(Bits a, Bits b) {
    constexpr Bits sign = static_cast<Bits>(Bits{1} << (sizeof(Bits) * 8 - 1));
    const Bits magnitude_a = a & static_cast<Bits>(~sign), magnitude_b = b & static_cast<Bits>(~sign);
    const bool away = (((a ^ b) & sign) == 0) & (magnitude_b > magnitude_a);
    Bits next = static_cast<Bits>(away ? a + 1 : a - 1);
    next = magnitude_a == 0 ? static_cast<Bits>((b & sign) | 1) : next;
    next = ((a == b) | ((magnitude_a | magnitude_b) == 0)) ? b : next;
    next = magnitude_b > infinity ? b : next;
    return magnitude_a > infinity ? a : next;
  }
};

KernelVariants next_after_kernels(Dtype dtype) {
  switch (dtype) {
    case Dtype::Float16: return plain_binary<NextAfter<uint16_t, 0x7c00>, uint16_t, uint16_t>(4);
    case Dtype::BFloat16: return plain_binary<NextAfter<uint16_t, 0x7f80>, uint16_t, uint16_t>(4);
    case Dtype::Float32: return plain_binary<NextAfter<uint32_t, 0x7f800000>, uint32_t, uint32_t>(4);
    case Dtype::Float64: return plain_binary<NextAfter<uint64_t, 0x7ff0000000000000>, uint64_t, uint64_t>(4);
    default: return {};
  }
}

template <class T>
KernelVariants float_kernels(Opcode opcode) {
  switch (opcode) {
    case Opcode::Fma: return fma_kernels<T>();
    case Opcode::Eq: return commutative_binary<Eq, uint8_t, T>();
    case Opcode::Ne: return commutative_binary<Ne, uint8_t, T>();
    case Opcode::IsNan: return unary<IsNan, uint8_t, T>();
    case Opcode::IsInf: return unary<IsInf, uint8_t, T>();
    case Opcode::IsFinite: return unary<IsFinite, uint8_t, T>();
    default: return ordered_kernels<T>(opcode);
  }
}

template <class T>
KernelVariants integer_kernels(Opcode opcode) {
  using Unsigned = std::make_unsigned_t<T>;
  switch (opcode) {
    case Opcode::Eq: return commutative_binary<Eq, uint8_t, Unsigned>();
    case Opcode::Ne: return commutative_binary<Ne, uint8_t, Unsigned>();
    case Opcode::IsNan:
    case Opcode::IsInf: return unary<Always<0>, uint8_t, Unsigned>();
    case Opcode::IsFinite: return unary<Always<1>, uint8_t, Unsigned>();
    default: return ordered_kernels<T>(opcode);
  }
}

}  // namespace

KernelVariants comparison_kernels(Opcode opcode, Dtype dtype) {
  if (opcode == Opcode::Select) return select_kernels(dtype);
  if (opcode == Opcode::Nextafter) return next_after_kernels(dtype);
  switch (dtype) {
    case Dtype::Bool:
    case Dtype::UInt8: return integer_kernels<uint8_t>(opcode);
    case Dtype::Int8: return integer_kernels<int8_t>(opcode);
    case Dtype::Int16: return integer_kernels<int16_t>(opcode);
    case Dtype::Int32: return integer_kernels<int32_t>(opcode);
    case Dtype::Int64: return integer_kernels<int64_t>(opcode);
    case Dtype::UInt16: return integer_kernels<uint16_t>(opcode);
    case Dtype::UInt32: return integer_kernels<uint32_t>(opcode);
    case Dtype::UInt64: return integer_kernels<uint64_t>(opcode);
    case Dtype::Float32: return float_kernels<float>(opcode);
    case Dtype::Float64: return float_kernels<double>(opcode);
    default: return {};
  }
}

}  // namespace ftrans::cpu::FTRANS_ISA_NAMESPACE
