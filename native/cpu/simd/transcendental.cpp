// Functions of one or two floating-point operands beyond arithmetic.

#include "cpu/simd/kernel_parts.h"
#include "cpu/simd/loops.h"
#include "cpu/simd/math_float32.h"
#include "cpu/simd/math_single.h"
#include "cpu/simd/segments.h"
#include "cpu/wide_angle.h"

namespace ftrans::cpu::FTRANS_ISA_NAMESPACE {
namespace {

#define NATIVE_FLOAT32(Name, function)                           \
  struct Name {                                                  \
    static float apply(float x) { return float32::function(x); } \
  };
#define VIA_FLOAT64(Name, function)                                                                       \
  struct Name {                                                                                           \
    static float apply(float x) { return static_cast<float>(float64::function(static_cast<double>(x))); } \
  };
#define SINGLE(Name, function)                                                                           \
  struct Name {                                                                                          \
    static float apply(float x) { return static_cast<float>(single::function(static_cast<double>(x))); } \
  };
#define NATIVE_FLOAT64(Name, function)                             \
  struct Name {                                                    \
    static double apply(double x) { return float64::function(x); } \
  };

NATIVE_FLOAT32(Exp32, exp)
NATIVE_FLOAT32(Log32, log)
NATIVE_FLOAT32(Log1p32, log1p)
NATIVE_FLOAT32(Logistic32, logistic)

VIA_FLOAT64(Exp232, exp2)
VIA_FLOAT64(Expm132, expm1)
VIA_FLOAT64(Log232, log2)
VIA_FLOAT64(Log1032, log10)
VIA_FLOAT64(Asin32, asin)
VIA_FLOAT64(Acos32, acos)
VIA_FLOAT64(Atan32, atan)
VIA_FLOAT64(Sinh32, sinh)
VIA_FLOAT64(Cosh32, cosh)
VIA_FLOAT64(Cbrt32, cbrt)

SINGLE(Asinh32, asinh)
SINGLE(Acosh32, acosh)
SINGLE(Atanh32, atanh)
SINGLE(Erfc32, erfc)
SINGLE(ErfInv32, erf_inv)

NATIVE_FLOAT64(Exp64, exp)
NATIVE_FLOAT64(Exp264, exp2)
NATIVE_FLOAT64(Expm164, expm1)
NATIVE_FLOAT64(Log64, log)
NATIVE_FLOAT64(Log264, log2)
NATIVE_FLOAT64(Log1064, log10)
NATIVE_FLOAT64(Log1p64, log1p)
NATIVE_FLOAT64(Sinh64, sinh)
NATIVE_FLOAT64(Cosh64, cosh)
NATIVE_FLOAT64(Tanh64, tanh)
NATIVE_FLOAT64(Asinh64, asinh)
NATIVE_FLOAT64(Acosh64, acosh)
NATIVE_FLOAT64(Erfc64, erfc)
NATIVE_FLOAT64(Logistic64, logistic)

#undef VIA_FLOAT64
#undef SINGLE
#undef NATIVE_FLOAT64

/// Beyond the reach of the vector reduction the C library's takes over.
#define PERIODIC(Name, T, width, function)                                           \
  struct Name {                                                                      \
    static bool in_domain(T x) { return width::magnitude(x) <= width::kMaxReduced; } \
    static T apply(T x) { return width::function(x); }                               \
    static T slow(T x) { return wide_angle::function(x); }                           \
  };
PERIODIC(Sin32, float, float32, sin)
PERIODIC(Sin64, double, float64, sin)
PERIODIC(Cos32, float, float32, cos)
PERIODIC(Cos64, double, float64, cos)
#undef PERIODIC

struct Tan32 {
  static bool in_domain(float x) { return float32::magnitude(x) <= float32::kMaxReduced; }
  static float apply(float x) { return static_cast<float>(float64::tan(static_cast<double>(x))); }
  static float slow(float x) { return wide_angle::tan(x); }
};

struct Pow32 {
  static float apply(float x, float y) { return static_cast<float>(float64::pow(x, y)); }
};
struct Atan232 {
  static float apply(float y, float x) { return static_cast<float>(float64::atan2(y, x)); }
};
struct Logaddexp32 {
  static float apply(float a, float b) { return static_cast<float>(float64::logaddexp(a, b)); }
};
struct Logaddexp64 {
  static double apply(double a, double b) { return float64::logaddexp(a, b); }
};
struct Hypot32 {
  static float apply(float a, float b) { return float32::hypot(a, b); }
};

/// Floor of the exact quotient: float64 holds enough of it that the floor is right wherever float32 can show
/// it.
struct FloorDivide32 {
  static float apply(float a, float b) {
    const double x = a, y = b;
    return static_cast<float>(__builtin_floor(x / y));
  }
};

#if defined(__AVX512F__)
const KernelVariants kTanh32 = {{segments_loop<kTanhSegments>}, false, 5};
const KernelVariants kErf32 = {{segments_loop<kErfSegments>}, false, 5};
#else
NATIVE_FLOAT32(Tanh32, tanh)
NATIVE_FLOAT32(Erf32, erf)
const KernelVariants kTanh32 = unary<Tanh32, float, float>(8);
const KernelVariants kErf32 = unary<Erf32, float, float>(8);
#endif
#undef NATIVE_FLOAT32

KernelVariants float32_kernels(Opcode opcode) {
  switch (opcode) {
    case Opcode::Exp: return unary<Exp32, float, float>(6);
    case Opcode::Exp2: return unary<Exp232, float, float>(10);
    case Opcode::Expm1: return unary<Expm132, float, float>(12);
    case Opcode::Log: return unary<Log32, float, float>(6);
    case Opcode::Log2: return unary<Log232, float, float>(12);
    case Opcode::Log10: return unary<Log1032, float, float>(12);
    case Opcode::Log1p: return unary<Log1p32, float, float>(8);
    case Opcode::Sin: return guarded_unary<Sin32, float>(8);
    case Opcode::Cos: return guarded_unary<Cos32, float>(8);
    case Opcode::Tan: return guarded_unary<Tan32, float>(16);
    case Opcode::Asin: return unary<Asin32, float, float>(12);
    case Opcode::Acos: return unary<Acos32, float, float>(12);
    case Opcode::Atan: return unary<Atan32, float, float>(12);
    case Opcode::Sinh: return unary<Sinh32, float, float>(20);
    case Opcode::Cosh: return unary<Cosh32, float, float>(20);
    case Opcode::Tanh: return kTanh32;
    case Opcode::Asinh: return unary<Asinh32, float, float>(10);
    case Opcode::Acosh: return unary<Acosh32, float, float>(10);
    case Opcode::Atanh: return unary<Atanh32, float, float>(10);
    case Opcode::Erf: return kErf32;
    case Opcode::Erfc: return unary<Erfc32, float, float>(14);
    case Opcode::ErfInv: return unary<ErfInv32, float, float>(14);
    case Opcode::Logistic: return unary<Logistic32, float, float>(8);
    case Opcode::Cbrt: return unary<Cbrt32, float, float>(20);
    case Opcode::Pow: return plain_binary<Pow32, float, float>(20);
    case Opcode::Atan2: return plain_binary<Atan232, float, float>(14);
    case Opcode::Hypot: return plain_binary<Hypot32, float, float>(4);
    case Opcode::Logaddexp: return plain_binary<Logaddexp32, float, float>(24);
    case Opcode::FloorDivide: return plain_binary<FloorDivide32, float, float>(4);
    default: return {};
  }
}

KernelVariants float64_kernels(Opcode opcode) {
  switch (opcode) {
    case Opcode::Exp: return unary<Exp64, double, double>(10);
    case Opcode::Exp2: return unary<Exp264, double, double>(10);
    case Opcode::Expm1: return unary<Expm164, double, double>(12);
    case Opcode::Log: return unary<Log64, double, double>(10);
    case Opcode::Log2: return unary<Log264, double, double>(12);
    case Opcode::Log10: return unary<Log1064, double, double>(12);
    case Opcode::Log1p: return unary<Log1p64, double, double>(12);
    case Opcode::Sin: return guarded_unary<Sin64, double>(12);
    case Opcode::Cos: return guarded_unary<Cos64, double>(12);
    case Opcode::Sinh: return unary<Sinh64, double, double>(24);
    case Opcode::Cosh: return unary<Cosh64, double, double>(24);
    case Opcode::Tanh: return unary<Tanh64, double, double>(16);
    case Opcode::Asinh: return unary<Asinh64, double, double>(24);
    case Opcode::Acosh: return unary<Acosh64, double, double>(24);
    case Opcode::Erfc: return unary<Erfc64, double, double>(28);
    case Opcode::Logistic: return unary<Logistic64, double, double>(14);
    case Opcode::Logaddexp: return plain_binary<Logaddexp64, double, double>(24);
    default: return {};
  }
}

}  // namespace

KernelVariants transcendental_kernels(Opcode opcode, Dtype dtype) {
  if (dtype == Dtype::Float32) return float32_kernels(opcode);
  if (dtype == Dtype::Float64) return float64_kernels(opcode);
  return {};
}

}  // namespace ftrans::cpu::FTRANS_ISA_NAMESPACE
