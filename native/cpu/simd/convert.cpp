// Conversions. Float to integer truncates and saturates, NaN gives 0; to bool is "not zero"; integers wrap.

#include <limits>

#include "cpu/simd/half.h"
#include "cpu/simd/kernel_parts.h"
#include "cpu/simd/loops.h"

namespace ftrans::cpu::FTRANS_ISA_NAMESPACE {
namespace {

template <class Out>
struct Cast {
  template <class T>
  static Out apply(T x) {
    if constexpr (std::is_floating_point_v<T> && std::is_integral_v<Out>) {
      // Bounds as powers of two, exact in T: [−2^(w−1), 2^(w−1)) or (−1, 2^w).
      constexpr int digits = std::numeric_limits<Out>::digits;
      constexpr T limit = static_cast<T>(uint64_t{1} << (digits - 1)) * 2;
      constexpr T lowest = std::is_signed_v<Out> ? -limit : T{0};
      const bool inside = x >= lowest && x < limit;
      const Out value = static_cast<Out>(inside ? x : T{0});
      const Out above =
          x >= limit ? static_cast<Out>(std::is_signed_v<Out> ? (uint64_t{1} << digits) - 1 : ~uint64_t{0})
                     : value;
      if constexpr (std::is_signed_v<Out>)
        return x < lowest ? static_cast<Out>(uint64_t{1} << digits) : above;
      else
        return above;
    } else {
      return static_cast<Out>(x);
    }
  }
};

struct NonZero {
  template <class T>
  static uint8_t apply(T x) {
    return x != 0;
  }
};
struct WidenHalf {
  template <class Half>
  static float apply(Half x) {
    return widen(x);
  }
};
template <class Half>
struct NarrowToHalf {
  static Half apply(float x) { return narrow(x, Half{}); }
};
template <class Half>
struct RoundToHalf {
  static float apply(float x) { return widen(narrow(x, Half{})); }
  static float apply(double x) { return apply(round_to_odd(x)); }
};

template <class To, class From>
constexpr Kernel cast() {
  // Between integers only the sign of the source matters, and only when widening.
  if constexpr (std::is_integral_v<To> && std::is_integral_v<From>) {
    using Out = std::make_unsigned_t<To>;
    using In = std::conditional_t<(sizeof(To) <= sizeof(From)), std::make_unsigned_t<From>, From>;
    return unary_loop<Cast<Out>, Out, In>;
  } else {
    return unary_loop<Cast<To>, To, From>;
  }
}

template <class From>
Kernel cast_from(Dtype to) {
  switch (to) {
    case Dtype::Bool:
      if constexpr (std::is_integral_v<From>)
        return unary_loop<NonZero, uint8_t, std::make_unsigned_t<From>>;
      else
        return unary_loop<NonZero, uint8_t, From>;
    case Dtype::Int8: return cast<int8_t, From>();
    case Dtype::Int16: return cast<int16_t, From>();
    case Dtype::Int32: return cast<int32_t, From>();
    case Dtype::Int64: return cast<int64_t, From>();
    case Dtype::UInt8: return cast<uint8_t, From>();
    case Dtype::UInt16: return cast<uint16_t, From>();
    case Dtype::UInt32: return cast<uint32_t, From>();
    case Dtype::UInt64: return cast<uint64_t, From>();
    case Dtype::Float32: return cast<float, From>();
    case Dtype::Float64: return cast<double, From>();
    default: return nullptr;
  }
}

}  // namespace

Kernel convert_kernel(Dtype from, Dtype to) {
  if (from == Dtype::Float32 && to == Dtype::Float16)
    return unary_loop<NarrowToHalf<Float16>, Float16, float>;
  if (from == Dtype::Float32 && to == Dtype::BFloat16)
    return unary_loop<NarrowToHalf<BFloat16>, BFloat16, float>;
  switch (from) {
    case Dtype::Bool:
    case Dtype::UInt8: return cast_from<uint8_t>(to);
    case Dtype::Int8: return cast_from<int8_t>(to);
    case Dtype::Int16: return cast_from<int16_t>(to);
    case Dtype::Int32: return cast_from<int32_t>(to);
    case Dtype::Int64: return cast_from<int64_t>(to);
    case Dtype::UInt16: return cast_from<uint16_t>(to);
    case Dtype::UInt32: return cast_from<uint32_t>(to);
    case Dtype::UInt64: return cast_from<uint64_t>(to);
    case Dtype::Float16: return to == Dtype::Float32 ? unary_loop<WidenHalf, float, Float16> : nullptr;
    case Dtype::BFloat16: return to == Dtype::Float32 ? unary_loop<WidenHalf, float, BFloat16> : nullptr;
    case Dtype::Float32: return cast_from<float>(to);
    case Dtype::Float64: return cast_from<double>(to);
    default: return nullptr;
  }
}

Kernel round_to_half_kernel(Dtype from, Dtype half) {
  const bool wide = from == Dtype::Float64;
  if (half == Dtype::Float16) {
    return wide ? unary_loop<RoundToHalf<Float16>, float, double>
                : unary_loop<RoundToHalf<Float16>, float, float>;
  }
  return wide ? unary_loop<RoundToHalf<BFloat16>, float, double>
              : unary_loop<RoundToHalf<BFloat16>, float, float>;
}

}  // namespace ftrans::cpu::FTRANS_ISA_NAMESPACE
