// Arithmetic of complex numbers, which lie in memory as pairs of reals.

#include "cpu/simd/kernel_parts.h"
#include "cpu/simd/loops.h"
#include "cpu/simd/math_float32.h"

namespace ftrans::cpu::FTRANS_ISA_NAMESPACE {
namespace {

template <class R>
struct Pair {
  R real, imag;
};

struct Neg {
  template <class R>
  static Pair<R> apply(Pair<R> z) {
    return {-z.real, -z.imag};
  }
};
struct Conj {
  template <class R>
  static Pair<R> apply(Pair<R> z) {
    return {z.real, -z.imag};
  }
};
struct Real {
  template <class R>
  static R apply(Pair<R> z) {
    return z.real;
  }
};
struct Imag {
  template <class R>
  static R apply(Pair<R> z) {
    return z.imag;
  }
};
/// In float64 nothing over- or underflows; an infinity wins over NaN.
struct Abs {
  static float apply(Pair<float> z) {
    const double x = z.real, y = z.imag;
    const float size = static_cast<float>(__builtin_sqrt(x * x + y * y));
    const bool infinite = (float32::magnitude(z.real) == float32::kInfinity) |
                          (float32::magnitude(z.imag) == float32::kInfinity);
    return infinite ? float32::kInfinity : size;
  }
};

struct Add {
  template <class R>
  static Pair<R> apply(Pair<R> a, Pair<R> b) {
    return {a.real + b.real, a.imag + b.imag};
  }
};
struct Sub {
  template <class R>
  static Pair<R> apply(Pair<R> a, Pair<R> b) {
    return {a.real - b.real, a.imag - b.imag};
  }
};
struct Mul {
  template <class R>
  static Pair<R> apply(Pair<R> a, Pair<R> b) {
    return {a.real * b.real - a.imag * b.imag, a.real * b.imag + a.imag * b.real};
  }
};
struct SafeMul {
  template <class R>
  static Pair<R> apply(Pair<R> a, Pair<R> b) {
    const Pair<R> product = Mul::apply(a, b);
    const bool zero = ((a.real == 0) & (a.imag == 0)) | ((b.real == 0) & (b.imag == 0));
    return {zero ? R(0) : product.real, zero ? R(0) : product.imag};
  }
};
struct Square {
  template <class R>
  static Pair<R> apply(Pair<R> z) {
    return Mul::apply(z, z);
  }
};
struct Complex {
  template <class R>
  static Pair<R> apply(R real, R imag) {
    return {real, imag};
  }
};

template <class R>
KernelVariants kernels(Opcode opcode) {
  using C = Pair<R>;
  switch (opcode) {
    case Opcode::Neg: return unary<Neg, C, C>(2);
    case Opcode::Conj: return unary<Conj, C, C>(2);
    case Opcode::Real: return unary<Real, R, C>(2);
    case Opcode::Imag: return unary<Imag, R, C>(2);
    case Opcode::Square: return unary<Square, C, C>(2);
    case Opcode::Add: return commutative_binary<Add, C, C>(2);
    case Opcode::Sub: return binary<Sub, C, C>(2);
    case Opcode::Mul: return plain_binary<Mul, C, C>(2);
    case Opcode::SafeMul: return plain_binary<SafeMul, C, C>(3);
    default: return {};
  }
}

}  // namespace

KernelVariants complex_kernels(Opcode opcode, Dtype dtype) {
  if (opcode == Opcode::Complex) {
    if (dtype == Dtype::Float32) return plain_binary<Complex, Pair<float>, float>(2);
    if (dtype == Dtype::Float64) return plain_binary<Complex, Pair<double>, double>(2);
  }
  if (dtype == Dtype::Complex64) {
    return opcode == Opcode::Abs ? unary<Abs, float, Pair<float>>(3) : kernels<float>(opcode);
  }
  if (dtype == Dtype::Complex128) return kernels<double>(opcode);
  return {};
}

}  // namespace ftrans::cpu::FTRANS_ISA_NAMESPACE
