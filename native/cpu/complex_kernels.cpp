// Complex functions, element by element (arithmetic is in simd/complex.cpp). Transcendental functions of
// complex64 are computed in complex128.

#include <cmath>
#include <complex>
#include <numbers>

#include "cpu/any_complex.h"
#include "cpu/scalar_kernels.h"

namespace ftrans::cpu {

namespace any_complex {
namespace {

void store(std::complex<double> z, float& real, float& imag) {
  real = static_cast<float>(z.real());
  imag = static_cast<float>(z.imag());
}

}  // namespace

void exp(float& real, float& imag) { store(std::exp(std::complex<double>(real, imag)), real, imag); }
void log(float& real, float& imag) { store(std::log(std::complex<double>(real, imag)), real, imag); }
void sqrt(float& real, float& imag) { store(std::sqrt(std::complex<double>(real, imag)), real, imag); }

void divide(float& real, float& imag, float divisor_real, float divisor_imag) {
  const std::complex<float> quotient =
      std::complex<float>(real, imag) / std::complex<float>(divisor_real, divisor_imag);
  real = quotient.real();
  imag = quotient.imag();
}

}  // namespace any_complex

namespace {

using C128 = std::complex<double>;

template <class Op, class Out, class In>
void unary_loop(void* out, const void* a, const void*, const void*, int64_t n) {
  auto* o = static_cast<Out*>(out);
  auto* x = static_cast<const In*>(a);
  for (int64_t i = 0; i < n; ++i) o[i] = static_cast<Out>(Op::apply(x[i]));
}

template <class Op, class Out, class In>
void binary_loop(void* out, const void* a, const void* b, const void*, int64_t n) {
  auto* o = static_cast<Out*>(out);
  auto* x = static_cast<const In*>(a);
  auto* y = static_cast<const In*>(b);
  for (int64_t i = 0; i < n; ++i) o[i] = static_cast<Out>(Op::apply(x[i], y[i]));
}

template <class Op, class Out, class In>
KernelVariants unary(int cost) {
  return {{unary_loop<Op, Out, In>}, false, cost};
}

template <class Op, class Out, class In>
KernelVariants binary(int cost) {
  return {{binary_loop<Op, Out, In>}, false, cost};
}

#define UNARY(Name, ...)     \
  struct Name {              \
    template <class C>       \
    static auto apply(C z) { \
      return __VA_ARGS__;    \
    }                        \
  };
#define BINARY(Name, ...)         \
  struct Name {                   \
    template <class C>            \
    static auto apply(C a, C b) { \
      return __VA_ARGS__;         \
    }                             \
  };
/// Functions evaluated in complex128.
#define WIDE(Name, ...)                               \
  struct Name {                                       \
    static C128 apply(C128 z) { return __VA_ARGS__; } \
  };

UNARY(Abs, std::hypot(z.real(), z.imag()))
UNARY(IsNan, std::isnan(z.real()) || std::isnan(z.imag()))
UNARY(IsInf, std::isinf(z.real()) || std::isinf(z.imag()))
UNARY(IsFinite, std::isfinite(z.real()) && std::isfinite(z.imag()))
UNARY(NonZero, z != C(0))

BINARY(Mul, C(a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()))
BINARY(Div, a / b)
BINARY(Eq, a == b)
BINARY(Ne, a != b)

C128 sign(C128 z) {
  const double size = std::hypot(z.real(), z.imag());
  return size == 0 ? C128(0) : z / size;
}

/// e^z − 1 = (e^x − 1)·cos y − 2 sin²(y/2) + i·e^x·sin y
C128 expm1(C128 z) {
  if (z.imag() == 0) return {std::expm1(z.real()) + 0.0, z.imag()};
  if (!std::isfinite(z.real()) || !std::isfinite(z.imag())) return std::exp(z) - 1.0;
  const double half = std::sin(0.5 * z.imag());
  return {std::expm1(z.real()) * std::cos(z.imag()) - 2 * half * half,
          std::exp(z.real()) * std::sin(z.imag())};
}

/// log|1 + z| = ½·log1p(x·(2 + x) + y²)
C128 log1p(C128 z) {
  const double x = z.real(), y = z.imag();
  if (std::abs(z) > 0.5) return std::log(1.0 + z);
  return {0.5 * std::log1p(x * (2 + x) + y * y), std::atan2(y, 1 + x)};
}

/// From the side where the exponential does not overflow.
C128 logistic(C128 z) {
  if (z.real() >= 0) return 1.0 / (1.0 + std::exp(-z));
  const C128 e = std::exp(z);
  return e / (1.0 + e);
}

/// At infinity the imaginary part is a zero of z's sign, as the array API standard says; C gives it the sign
/// of sin(2 imag).
C128 tanh(C128 z) {
  if (std::isinf(z.real()) && std::isfinite(z.imag()))
    return {std::copysign(1.0, z.real()), std::copysign(0.0, z.imag())};
  return std::tanh(z);
}

WIDE(Sign, sign(z))
WIDE(Sqrt, std::sqrt(z))
WIDE(Rsqrt, 1.0 / std::sqrt(z))
WIDE(Exp, std::exp(z))
WIDE(Exp2, std::exp(z* std::numbers::ln2))
WIDE(Expm1, expm1(z))
WIDE(Log, std::log(z))
WIDE(Log2, std::log(z) * std::numbers::log2e)
WIDE(Log10, std::log(z) * std::numbers::log10e)
WIDE(Log1p, log1p(z))
WIDE(Sin, std::sin(z))
WIDE(Cos, std::cos(z))
WIDE(Tan, std::tan(z))
WIDE(Asin, std::asin(z))
WIDE(Acos, std::acos(z))
WIDE(Atan, std::atan(z))
WIDE(Sinh, std::sinh(z))
WIDE(Cosh, std::cosh(z))
WIDE(Tanh, tanh(z))
WIDE(Asinh, std::asinh(z))
WIDE(Acosh, std::acosh(z))
WIDE(Atanh, std::atanh(z))
WIDE(Logistic, logistic(z))

struct Pow {
  static C128 apply(C128 a, C128 b) {
    if (b == 0.0) return 1.0;
    if (a == 0.0 && b.imag() == 0 && b.real() > 0) return 0.0;
    return std::pow(a, b);
  }
};

#undef UNARY
#undef BINARY
#undef WIDE

template <class R>
KernelVariants kernels(Opcode opcode) {
  using C = std::complex<R>;
  switch (opcode) {
    case Opcode::Abs: return unary<Abs, R, C>(16);
    case Opcode::IsNan: return unary<IsNan, bool, C>(4);
    case Opcode::IsInf: return unary<IsInf, bool, C>(4);
    case Opcode::IsFinite: return unary<IsFinite, bool, C>(4);
    case Opcode::Sign: return unary<Sign, C, C>(30);
    case Opcode::Sqrt: return unary<Sqrt, C, C>(60);
    case Opcode::Rsqrt: return unary<Rsqrt, C, C>(80);
    case Opcode::Exp: return unary<Exp, C, C>(100);
    case Opcode::Exp2: return unary<Exp2, C, C>(100);
    case Opcode::Expm1: return unary<Expm1, C, C>(150);
    case Opcode::Log: return unary<Log, C, C>(100);
    case Opcode::Log2: return unary<Log2, C, C>(100);
    case Opcode::Log10: return unary<Log10, C, C>(100);
    case Opcode::Log1p: return unary<Log1p, C, C>(100);
    case Opcode::Sin: return unary<Sin, C, C>(150);
    case Opcode::Cos: return unary<Cos, C, C>(150);
    case Opcode::Tan: return unary<Tan, C, C>(150);
    case Opcode::Asin: return unary<Asin, C, C>(150);
    case Opcode::Acos: return unary<Acos, C, C>(150);
    case Opcode::Atan: return unary<Atan, C, C>(150);
    case Opcode::Sinh: return unary<Sinh, C, C>(150);
    case Opcode::Cosh: return unary<Cosh, C, C>(150);
    case Opcode::Tanh: return unary<Tanh, C, C>(150);
    case Opcode::Asinh: return unary<Asinh, C, C>(150);
    case Opcode::Acosh: return unary<Acosh, C, C>(150);
    case Opcode::Atanh: return unary<Atanh, C, C>(150);
    case Opcode::Logistic: return unary<Logistic, C, C>(150);
    case Opcode::Div: return binary<Div, C, C>(20);
    case Opcode::Pow: return binary<Pow, C, C>(250);
    case Opcode::Eq: return binary<Eq, bool, C>(2);
    case Opcode::Ne: return binary<Ne, bool, C>(2);
    default: return {};
  }
}

struct Widen {
  template <class T>
  static T apply(T x) {
    return x;
  }
};

template <bool product, class T>
void combine(C128& accumulator, T x) {
  accumulator = product ? Mul::apply(accumulator, C128(x)) : accumulator + C128(x);
}

template <bool product, class T>
void rows_kernel(void* accumulators, const void* tile, int64_t rows, int64_t columns) {
  auto* x = static_cast<const T*>(tile);
  for (int64_t row = 0; row < rows; ++row) {
    auto& accumulator = static_cast<C128*>(accumulators)[row];
    for (int64_t column = 0; column < columns; ++column)
      combine<product>(accumulator, x[row * columns + column]);
  }
}

template <bool product, class T>
void columns_kernel(void* accumulators, const void* tile, int64_t rows, int64_t columns) {
  auto* x = static_cast<const T*>(tile);
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = 0; column < columns; ++column) {
      combine<product>(static_cast<C128*>(accumulators)[column], x[row * columns + column]);
    }
  }
}

template <class T>
ReductionKernels reduction_kernels(Opcode opcode) {
  switch (opcode) {
    case Opcode::ReduceSum: return {Dtype::Complex128, rows_kernel<false, T>, columns_kernel<false, T>};
    case Opcode::ReduceProd: return {Dtype::Complex128, rows_kernel<true, T>, columns_kernel<true, T>};
    default: return {};
  }
}

}  // namespace

KernelVariants complex_kernels(Opcode opcode, Dtype dtype) {
  if (dtype == Dtype::Complex64) return kernels<float>(opcode);
  if (dtype == Dtype::Complex128) return kernels<double>(opcode);
  return {};
}

Kernel complex_convert_kernel(Dtype from, Dtype to) {
  using C64 = std::complex<float>;
  if (from == Dtype::Float32 && to == Dtype::Complex64) return unary_loop<Widen, C64, float>;
  if (from == Dtype::Float64 && to == Dtype::Complex128) return unary_loop<Widen, C128, double>;
  if (from == Dtype::Complex64 && to == Dtype::Complex128) return unary_loop<Widen, C128, C64>;
  if (from == Dtype::Complex128 && to == Dtype::Complex64) return unary_loop<Widen, C64, C128>;
  if (from == Dtype::Complex64 && to == Dtype::Bool) return unary_loop<NonZero, bool, C64>;
  if (from == Dtype::Complex128 && to == Dtype::Bool) return unary_loop<NonZero, bool, C128>;
  return nullptr;
}

ReductionKernels complex_reduction_kernels(Opcode opcode, Dtype dtype) {
  if (dtype == Dtype::Complex64) return reduction_kernels<std::complex<float>>(opcode);
  if (dtype == Dtype::Complex128) return reduction_kernels<C128>(opcode);
  return {};
}

}  // namespace ftrans::cpu
