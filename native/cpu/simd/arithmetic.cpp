// Arithmetic, rounding and bit operations on bools, integers and real floating-point numbers.

#include "cpu/simd/kernel_parts.h"
#include "cpu/simd/loops.h"
#include "cpu/simd/math_float32.h"

namespace ftrans::cpu::FTRANS_ISA_NAMESPACE {
namespace {

template <class T>
inline constexpr bool is_float = std::is_floating_point_v<T>;

struct Add {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (is_float<T>)
      return a + b;
    else
      return static_cast<T>(Wide<T>(a) + Wide<T>(b));
  }
};
struct Sub {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (is_float<T>)
      return a - b;
    else
      return static_cast<T>(Wide<T>(a) - Wide<T>(b));
  }
};
struct Mul {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (is_float<T>)
      return a * b;
    else
      return static_cast<T>(Wide<T>(a) * Wide<T>(b));
  }
};
struct Div {
  template <class T>
  static T apply(T a, T b) {
    return a / b;
  }
};
struct SafeMul {
  template <class T>
  static T apply(T t, T d) {
    return ((t == 0) | (d == 0)) ? T{0} : t * d;
  }
};
struct Excess {  // so that equal infinities have none
  template <class T>
  static T apply(T a, T b) {
    return a == b ? T{0} : a - b;
  }
};
struct Max {  // a NaN on either side comes through
  template <class T>
  static T apply(T a, T b) {
    return a > b || a != a ? a : b;
  }
};
struct Min {
  template <class T>
  static T apply(T a, T b) {
    return a < b || a != a ? a : b;
  }
};
struct And {
  template <class T>
  static T apply(T a, T b) {
    return a & b;
  }
};
struct Or {
  template <class T>
  static T apply(T a, T b) {
    return a | b;
  }
};
struct Xor {
  template <class T>
  static T apply(T a, T b) {
    return a ^ b;
  }
};
struct ShiftLeft {
  template <class T>
  static T apply(T a, T b) {
    constexpr T width = sizeof(T) * 8;
    return b < width ? static_cast<T>(Wide<T>(a) << (b & (width - 1))) : T{0};
  }
};
struct ShiftRight {  // a negative or too large count shifts everything out
  template <class T>
  static T apply(T a, T b) {
    using Unsigned = std::make_unsigned_t<T>;
    constexpr Unsigned last = sizeof(T) * 8 - 1;
    const bool inside = static_cast<Unsigned>(b) <= last;
    if constexpr (std::is_signed_v<T>) {
      return static_cast<T>(a >> (inside ? static_cast<Unsigned>(b) : last));
    } else {
      return inside ? static_cast<T>(a >> (b & last)) : T{0};
    }
  }
};
struct Copysign {
  static float apply(float a, float b) { return float32::with_sign(a, b); }
  static double apply(double a, double b) { return float64::with_sign(a, b); }
};

struct Identity {
  template <class T>
  static T apply(T x) {
    return x;
  }
};
struct Zero {
  template <class T>
  static T apply(T) {
    return T{0};
  }
};
struct Neg {
  template <class T>
  static T apply(T x) {
    if constexpr (is_float<T>)
      return -x;
    else
      return static_cast<T>(Wide<T>(0) - Wide<T>(x));
  }
};
struct Abs {
  static float apply(float x) { return float32::magnitude(x); }
  static double apply(double x) { return float64::magnitude(x); }
  template <class T>
  static T apply(T x) {
    return x < 0 ? Neg::apply(x) : x;
  }
};
struct Sign {  // keeps NaN; the sign of either zero is 0
  static float apply(float x) { return x > 0 || x < 0 ? float32::with_sign(1.0f, x) : x + 0.0f; }
  static double apply(double x) { return x > 0 || x < 0 ? float64::with_sign(1.0, x) : x + 0.0; }
  template <class T>
  static T apply(T x) {
    return static_cast<T>((x > 0) - (x < 0));
  }
};
struct Square {
  template <class T>
  static T apply(T x) {
    return Mul::apply(x, x);
  }
};
struct BitwiseNot {
  template <class T>
  static T apply(T x) {
    return static_cast<T>(~x);
  }
};
struct LogicalNot {
  static uint8_t apply(uint8_t x) { return x ^ 1; }
};
struct PopulationCount {
  template <class T>
  static T apply(T x) {  // sums of bits in pairs, nibbles, bytes
    using W = Wide<T>;
    W v = x;
    v = v - ((v >> 1) & static_cast<W>(0x5555555555555555));
    v = (v & static_cast<W>(0x3333333333333333)) + ((v >> 2) & static_cast<W>(0x3333333333333333));
    v = (v + (v >> 4)) & static_cast<W>(0x0f0f0f0f0f0f0f0f);
    return static_cast<T>((v * static_cast<W>(0x0101010101010101)) >> (sizeof(W) * 8 - 8));
  }
};

#define BUILTIN(Name, function)                                        \
  struct Name {                                                        \
    static float apply(float x) { return __builtin_##function##f(x); } \
    static double apply(double x) { return __builtin_##function(x); }  \
  };
BUILTIN(Floor, floor)
BUILTIN(Ceil, ceil)
BUILTIN(Round, rint)
BUILTIN(Trunc, trunc)
BUILTIN(Sqrt, sqrt)
#undef BUILTIN

struct Rsqrt {
  static float apply(float x) { return 1.0f / __builtin_sqrtf(x); }
  static double apply(double x) { return 1.0 / __builtin_sqrt(x); }
};

template <class T>
KernelVariants float_kernels(Opcode opcode) {
  switch (opcode) {
    case Opcode::Add: return commutative_binary<Add, T, T>();
    case Opcode::Sub: return binary<Sub, T, T>();
    case Opcode::Mul: return commutative_binary<Mul, T, T>();
    case Opcode::Div: return binary<Div, T, T>(2);
    case Opcode::SafeMul: return commutative_binary<SafeMul, T, T>();
    case Opcode::Excess: return binary<Excess, T, T>();
    case Opcode::Max: return commutative_binary<Max, T, T>();
    case Opcode::Min: return commutative_binary<Min, T, T>();
    case Opcode::Copysign: return plain_binary<Copysign, T, T>();
    case Opcode::Neg: return unary<Neg, T, T>();
    case Opcode::Abs: return unary<Abs, T, T>();
    case Opcode::Sign: return unary<Sign, T, T>();
    case Opcode::Square: return unary<Square, T, T>();
    case Opcode::Floor: return unary<Floor, T, T>();
    case Opcode::Ceil: return unary<Ceil, T, T>();
    case Opcode::Round: return unary<Round, T, T>();
    case Opcode::Trunc: return unary<Trunc, T, T>();
    case Opcode::Sqrt: return unary<Sqrt, T, T>(3);
    case Opcode::Rsqrt: return unary<Rsqrt, T, T>(5);
    case Opcode::Real:
    case Opcode::Conj: return unary<Identity, T, T>();
    case Opcode::Imag: return unary<Zero, T, T>();
    default: return {};
  }
}

/// Operations that do not see the sign of an integer.
template <class T>
KernelVariants modular_kernels(Opcode opcode) {
  switch (opcode) {
    case Opcode::Add: return commutative_binary<Add, T, T>();
    case Opcode::Sub: return binary<Sub, T, T>();
    case Opcode::Mul:
    case Opcode::SafeMul: return commutative_binary<Mul, T, T>();
    case Opcode::And: return commutative_binary<And, T, T>();
    case Opcode::Or: return commutative_binary<Or, T, T>();
    case Opcode::Xor: return commutative_binary<Xor, T, T>();
    case Opcode::ShiftLeft: return binary<ShiftLeft, T, T>();
    case Opcode::Neg: return unary<Neg, T, T>();
    case Opcode::Square: return unary<Square, T, T>();
    case Opcode::Not: return unary<BitwiseNot, T, T>();
    case Opcode::PopulationCount: return unary<PopulationCount, T, T>(4);
    case Opcode::Floor:
    case Opcode::Ceil:
    case Opcode::Round:
    case Opcode::Trunc:
    case Opcode::Real:
    case Opcode::Conj: return unary<Identity, T, T>();
    case Opcode::Imag: return unary<Zero, T, T>();
    default: return {};
  }
}

template <class T>
KernelVariants integer_kernels(Opcode opcode) {
  switch (opcode) {
    case Opcode::Max: return commutative_binary<Max, T, T>();
    case Opcode::Min: return commutative_binary<Min, T, T>();
    case Opcode::ShiftRight: return binary<ShiftRight, T, T>();
    case Opcode::Abs: return unary<Abs, T, T>();
    case Opcode::Sign: return unary<Sign, T, T>();
    default: return modular_kernels<std::make_unsigned_t<T>>(opcode);
  }
}

KernelVariants bool_kernels(Opcode opcode) {
  switch (opcode) {
    case Opcode::Add:
    case Opcode::Max:
    case Opcode::Or: return commutative_binary<Or, uint8_t, uint8_t>();
    case Opcode::Mul:
    case Opcode::SafeMul:
    case Opcode::Min:
    case Opcode::And: return commutative_binary<And, uint8_t, uint8_t>();
    case Opcode::Xor: return commutative_binary<Xor, uint8_t, uint8_t>();
    case Opcode::Not: return unary<LogicalNot, uint8_t, uint8_t>();
    case Opcode::Real:
    case Opcode::Conj:
    case Opcode::Abs:
    case Opcode::Square: return unary<Identity, uint8_t, uint8_t>();
    case Opcode::Imag: return unary<Zero, uint8_t, uint8_t>();
    default: return {};
  }
}

template <MulAdd form, class T, bool scalar_b, bool scalar_c>
void mul_add_loop(void* out, const void* a, const void* b, const void* c, int64_t n) {
  auto* o = static_cast<T*>(out);
  auto* x = static_cast<const T*>(a);
  auto* y = static_cast<const T*>(b);
  auto* z = static_cast<const T*>(c);
  if (n == 0) return;
  const T y0 = y[0], z0 = z[0];
  FTRANS_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) {
    const T product = x[i] * (scalar_b ? y0 : y[i]), term = scalar_c ? z0 : z[i];
    o[i] = form == MulAdd::Add ? product + term : form == MulAdd::Subtract ? product - term : term - product;
  }
}

template <MulAdd form, class T>
KernelVariants mul_add_variants() {
  KernelVariants variants;
  variants.by_scalars[0b000] = mul_add_loop<form, T, false, false>;
  variants.by_scalars[0b010] = mul_add_loop<form, T, true, false>;
  variants.by_scalars[0b100] = mul_add_loop<form, T, false, true>;
  variants.by_scalars[0b110] = mul_add_loop<form, T, true, true>;
  variants.commutative = true;
  return variants;
}

template <class T>
KernelVariants mul_add_variants(MulAdd form) {
  switch (form) {
    case MulAdd::Add: return mul_add_variants<MulAdd::Add, T>();
    case MulAdd::Subtract: return mul_add_variants<MulAdd::Subtract, T>();
    default: return mul_add_variants<MulAdd::SubtractProduct, T>();
  }
}

}  // namespace

KernelVariants mul_add_kernels(MulAdd form, Dtype dtype) {
  if (dtype == Dtype::Float32) return mul_add_variants<float>(form);
  if (dtype == Dtype::Float64) return mul_add_variants<double>(form);
  return {};
}

KernelVariants arithmetic_kernels(Opcode opcode, Dtype dtype) {
  switch (dtype) {
    case Dtype::Bool: return bool_kernels(opcode);
    case Dtype::Int8: return integer_kernels<int8_t>(opcode);
    case Dtype::Int16: return integer_kernels<int16_t>(opcode);
    case Dtype::Int32: return integer_kernels<int32_t>(opcode);
    case Dtype::Int64: return integer_kernels<int64_t>(opcode);
    case Dtype::UInt8: return integer_kernels<uint8_t>(opcode);
    case Dtype::UInt16: return integer_kernels<uint16_t>(opcode);
    case Dtype::UInt32: return integer_kernels<uint32_t>(opcode);
    case Dtype::UInt64: return integer_kernels<uint64_t>(opcode);
    case Dtype::Float32: return float_kernels<float>(opcode);
    case Dtype::Float64: return float_kernels<double>(opcode);
    default: return {};
  }
}

}  // namespace ftrans::cpu::FTRANS_ISA_NAMESPACE
