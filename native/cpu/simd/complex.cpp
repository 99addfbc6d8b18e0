// Arithmetic of complex numbers, which lie in memory as pairs of reals.

#include "cpu/any_complex.h"
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

// Functions of complex64 are evaluated in float64, where squares of float32 neither over- nor underflow.

// Domains are told from bits, without branches, so that loops over them vectorise.
inline uint32_t magnitude_bits(float x) { return float32::bits(x) & 0x7fffffff; }
inline bool is_finite(Pair<float> z) {
  constexpr uint32_t infinity = 0x7f800000;
  const uint32_t x = magnitude_bits(z.real), y = magnitude_bits(z.imag);
  return (x < infinity) & (y < infinity);
}
inline bool is_zero(Pair<float> z) { return (magnitude_bits(z.real) | magnitude_bits(z.imag)) == 0; }
inline bool is_finite_and_not_zero(Pair<float> z) {
  const bool finite = is_finite(z), zero = is_zero(z);
  return finite & !zero;
}
inline double magnitude_squared(Pair<float> z) {
  const double x = z.real, y = z.imag;
  return x * x + y * y;
}

struct Exp {
  static bool in_domain(Pair<float> z) {
    const float x = float32::magnitude(z.real), y = float32::magnitude(z.imag);
    return (x <= 700) & (y <= float32::kMaxReduced);
  }
  static Pair<float> apply(Pair<float> z) {
    const double size = float64::exp(z.real);
    return {static_cast<float>(size * float64::cos(z.imag)), static_cast<float>(size * float64::sin(z.imag))};
  }
  static constexpr auto slow = any_complex::exp;
};

struct Log {
  static bool in_domain(Pair<float> z) { return is_finite_and_not_zero(z); }
  static Pair<float> apply(Pair<float> z) {
    const double x = float64::magnitude(z.real), y = float64::magnitude(z.imag);
    const double high = x > y ? x : y, low = x > y ? y : x;
    const double square = magnitude_squared(z);
    // Near the unit circle |z|² − 1, all of whose parts are exact.
    const double excess = (high - 1) * (high + 1) + low * low;
    const bool near = (square > 0.5) & (square < 2);
    const double sum = near ? 1 + excess : square;
    const double lost = near ? excess - (sum - 1) : 0;
    return {static_cast<float>(0.5 * (float64::log(sum) + lost / sum)),
            static_cast<float>(float64::atan2(z.imag, z.real))};
  }
  static constexpr auto slow = any_complex::log;
};

struct Sqrt {
  static bool in_domain(Pair<float> z) { return is_finite_and_not_zero(z); }
  static Pair<float> apply(Pair<float> z) {
    const double x = float64::magnitude(z.real), size = __builtin_sqrt(magnitude_squared(z));
    const double root = __builtin_sqrt(0.5 * (x + size)), rest = 0.5 * z.imag / root;
    const bool right = z.real >= 0;
    return {static_cast<float>(right ? root : float64::magnitude(rest)),
            static_cast<float>(right ? rest : float64::with_sign(root, z.imag))};
  }
  static constexpr auto slow = any_complex::sqrt;
};

struct Div {
  static bool in_domain(Pair<float> a, Pair<float> b) {
    const bool dividend = is_finite(a), divisor = is_finite_and_not_zero(b);
    return dividend & divisor;
  }
  static Pair<float> apply(Pair<float> a, Pair<float> b) {
    const double c = b.real, d = b.imag, inverse = 1 / magnitude_squared(b);
    return {static_cast<float>((a.real * c + a.imag * d) * inverse),
            static_cast<float>((a.imag * c - a.real * d) * inverse)};
  }
};

template <class Op>
void function_loop(void* out, const void* a, const void*, const void*, int64_t n) {
  auto* o = static_cast<Pair<float>*>(out);
  auto* x = static_cast<const Pair<float>*>(a);
  uint32_t outside = 0;
  for (int64_t i = 0; i < n; ++i) outside |= static_cast<uint32_t>(!Op::in_domain(x[i]));
  if (outside == 0) return unary_loop<Op, Pair<float>, Pair<float>>(out, a, nullptr, nullptr, n);
  for (int64_t i = 0; i < n; ++i) {
    Pair<float> z = x[i];
    if (Op::in_domain(z)) {
      z = Op::apply(z);
    } else {
      Op::slow(z.real, z.imag);
    }
    o[i] = z;
  }
}

void division_loop(void* out, const void* a, const void* b, const void*, int64_t n) {
  auto* o = static_cast<Pair<float>*>(out);
  auto* x = static_cast<const Pair<float>*>(a);
  auto* y = static_cast<const Pair<float>*>(b);
  uint32_t outside = 0;
  for (int64_t i = 0; i < n; ++i) outside |= static_cast<uint32_t>(!Div::in_domain(x[i], y[i]));
  if (outside == 0) return binary_loop<Div, Pair<float>, Pair<float>, false, false>(out, a, b, nullptr, n);
  for (int64_t i = 0; i < n; ++i) {
    Pair<float> z = x[i];
    if (Div::in_domain(z, y[i])) {
      z = Div::apply(z, y[i]);
    } else {
      any_complex::divide(z.real, z.imag, y[i].real, y[i].imag);
    }
    o[i] = z;
  }
}

KernelVariants complex64_kernels(Opcode opcode) {
  switch (opcode) {
    case Opcode::Abs: return unary<Abs, float, Pair<float>>(3);
    case Opcode::Exp: return {{function_loop<Exp>}, false, 30};
    case Opcode::Log: return {{function_loop<Log>}, false, 40};
    case Opcode::Sqrt: return {{function_loop<Sqrt>}, false, 12};
    case Opcode::Div: return {{division_loop}, false, 6};
    default: return {};
  }
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
    const KernelVariants variants = complex64_kernels(opcode);
    return variants ? variants : kernels<float>(opcode);
  }
  if (dtype == Dtype::Complex128) return kernels<double>(opcode);
  return {};
}

}  // namespace ftrans::cpu::FTRANS_ISA_NAMESPACE
