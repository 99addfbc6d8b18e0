#include "cpu/scalar_kernels.h"

#include <cmath>
#include <limits>
#include <type_traits>

#include "cpu/wide_angle.h"

namespace ftrans::cpu {

float wide_angle::sin(float x) { return std::sin(x); }
float wide_angle::cos(float x) { return std::cos(x); }
float wide_angle::tan(float x) { return std::tan(x); }
double wide_angle::sin(double x) { return std::sin(x); }
double wide_angle::cos(double x) { return std::cos(x); }

namespace {

template <class T, auto function>
void unary_loop(void* out, const void* a, const void*, const void*, int64_t n) {
  auto* o = static_cast<T*>(out);
  auto* x = static_cast<const T*>(a);
  for (int64_t i = 0; i < n; ++i) o[i] = function(x[i]);
}

template <class T, auto function>
void binary_loop(void* out, const void* a, const void* b, const void*, int64_t n) {
  auto* o = static_cast<T*>(out);
  auto* x = static_cast<const T*>(a);
  auto* y = static_cast<const T*>(b);
  for (int64_t i = 0; i < n; ++i) o[i] = function(x[i], y[i]);
}

template <class T, auto function>
KernelVariants unary(int cost) {
  return {{unary_loop<T, function>}, false, cost};
}

template <class T, auto function>
KernelVariants binary(int cost) {
  return {{binary_loop<T, function>}, false, cost};
}

/// Division by zero gives 0; the lowest value by −1 wraps.
template <class T>
T integer_fmod(T a, T b) {
  if (b == 0) return 0;
  if constexpr (std::is_signed_v<T>) {
    if (b == -1) return 0;
  }
  return static_cast<T>(a % b);
}

template <class T>
T integer_remainder(T a, T b) {
  const T r = integer_fmod(a, b);
  if constexpr (std::is_signed_v<T>) {
    if (r != 0 && (r < 0) != (b < 0)) return static_cast<T>(r + b);
  }
  return r;
}

template <class T>
T integer_floor_divide(T a, T b) {
  if (b == 0) return 0;
  if constexpr (std::is_signed_v<T>) {
    using Unsigned = std::make_unsigned_t<T>;
    if (b == -1) return static_cast<T>(Unsigned{0} - static_cast<Unsigned>(a));
    return static_cast<T>(a / b - (a % b != 0 && (a < 0) != (b < 0)));
  }
  return static_cast<T>(a / b);
}

template <class T>
T float_fmod(T a, T b) {
  return std::fmod(a, b);
}

/// Python's: the sign of the divisor.
template <class T>
T float_remainder(T a, T b) {
  const T r = std::fmod(a, b);
  if (r == 0) return std::copysign(T{0}, b);
  return (r < 0) != (b < 0) ? r + b : r;
}

/// The floor of the exact quotient. Infinities: the floor of what IEEE division gives, as the array API
/// standard says (Python's own // differs).
template <class T>
T float_floor_divide(T a, T b) {
  if (std::isinf(a) || std::isinf(b) || a == 0 || b == 0) return a / b;
  const T r = std::fmod(a, b);
  T quotient = (a - r) / b;  // an integer up to rounding
  if (r != 0 && (r < 0) != (b < 0)) quotient -= 1;
  return std::rint(quotient);
}

template <class T>
T float_pow(T a, T b) {
  return std::pow(a, b);
}

template <class T>
T float_atan2(T a, T b) {
  return std::atan2(a, b);
}

template <class T>
T float_hypot(T a, T b) {
  return std::hypot(a, b);
}

#define LIBRARY_FUNCTION(name) \
  double name##_64(double x) { return std::name(x); }
LIBRARY_FUNCTION(tan)
LIBRARY_FUNCTION(asin)
LIBRARY_FUNCTION(acos)
LIBRARY_FUNCTION(atan)
LIBRARY_FUNCTION(atanh)
LIBRARY_FUNCTION(erf)
LIBRARY_FUNCTION(cbrt)
#undef LIBRARY_FUNCTION

template <class T>
KernelVariants integer_kernels(Opcode opcode) {
  switch (opcode) {
    case Opcode::FloorDivide: return binary<T, integer_floor_divide<T>>(8);
    case Opcode::Remainder: return binary<T, integer_remainder<T>>(8);
    case Opcode::Fmod: return binary<T, integer_fmod<T>>(8);
    default: return {};
  }
}

template <class T>
KernelVariants float_kernels(Opcode opcode) {
  switch (opcode) {
    case Opcode::Fmod: return binary<T, float_fmod<T>>(30);
    case Opcode::Remainder: return binary<T, float_remainder<T>>(30);
    case Opcode::FloorDivide: return binary<T, float_floor_divide<T>>(30);
    default: return {};
  }
}

KernelVariants float64_kernels(Opcode opcode) {
  switch (opcode) {
    case Opcode::Tan: return unary<double, tan_64>(40);
    case Opcode::Asin: return unary<double, asin_64>(30);
    case Opcode::Acos: return unary<double, acos_64>(30);
    case Opcode::Atan: return unary<double, atan_64>(30);
    case Opcode::Atanh: return unary<double, atanh_64>(50);
    case Opcode::Erf: return unary<double, erf_64>(40);
    case Opcode::Cbrt: return unary<double, cbrt_64>(40);
    case Opcode::Pow: return binary<double, float_pow<double>>(50);
    case Opcode::Atan2: return binary<double, float_atan2<double>>(50);
    case Opcode::Hypot: return binary<double, float_hypot<double>>(20);
    default: return float_kernels<double>(opcode);
  }
}

}  // namespace

KernelVariants scalar_kernels(Opcode opcode, Dtype dtype) {
  switch (dtype) {
    case Dtype::Int64: return integer_kernels<int64_t>(opcode);
    case Dtype::UInt64: return integer_kernels<uint64_t>(opcode);
    case Dtype::Float32: return float_kernels<float>(opcode);
    case Dtype::Float64: return float64_kernels(opcode);
    default: return {};
  }
}

}  // namespace ftrans::cpu
