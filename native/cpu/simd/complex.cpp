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
struct Abs {
  static float apply(Pair<float> z) { return float32::hypot(z.real, z.imag); }
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

/// In float64, where the squares of float32 neither over- nor underflow.
struct Div {
  static bool in_domain(Pair<float> a, Pair<float> b) {
    const double size = magnitude_squared(b);
    const bool finite =
        (float32::magnitude(a.real) < float32::kInfinity) & (float32::magnitude(a.imag) < float32::kInfinity);
    return finite & (size > 0) & (size < float64::kInfinity);
  }
  static Pair<float> apply(Pair<float> a, Pair<float> b) {
    const double c = b.real, d = b.imag, size = magnitude_squared(b);
    return {static_cast<float>((a.real * c + a.imag * d) / size),
            static_cast<float>((a.imag * c - a.real * d) / size)};
  }
  /// C's, which knows what infinities and zeros give.
  static Pair<float> slow(Pair<float> a, Pair<float> b) {
    _Complex float x, y;
    __real__ x = a.real;
    __imag__ x = a.imag;
    __real__ y = b.real;
    __imag__ y = b.imag;
    const _Complex float quotient = x / y;
    return {__real__ quotient, __imag__ quotient};
  }

 private:
  static double magnitude_squared(Pair<float> z) {
    const double x = z.real, y = z.imag;
    return x * x + y * y;
  }
};

void division_loop(void* out, const void* a, const void* b, const void*, int64_t n) {
  auto* o = static_cast<Pair<float>*>(out);
  auto* x = static_cast<const Pair<float>*>(a);
  auto* y = static_cast<const Pair<float>*>(b);
  uint32_t outside = 0;
  for (int64_t i = 0; i < n; ++i) outside |= !Div::in_domain(x[i], y[i]);
  if (outside == 0) return binary_loop<Div, Pair<float>, Pair<float>, false, false>(out, a, b, nullptr, n);
  for (int64_t i = 0; i < n; ++i)
    o[i] = Div::in_domain(x[i], y[i]) ? Div::apply(x[i], y[i]) : Div::slow(x[i], y[i]);
}

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
    if (opcode == Opcode::Abs) return unary<Abs, float, Pair<float>>(3);
    if (opcode == Opcode::Div) return {{division_loop}, false, 6};
    return kernels<float>(opcode);
  }
  if (dtype == Dtype::Complex128) return kernels<double>(opcode);
  return {};
}

}  // namespace ftrans::cpu::FTRANS_ISA_NAMESPACE
