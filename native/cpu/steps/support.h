#pragma once

#include <algorithm>
#include <complex>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "core/buffer.h"
#include "core/dtype.h"
#include "core/half.h"
#include "core/inline_vector.h"
#include "core/shape.h"
#include "core/tensor_view.h"
#include "core/thread_pool.h"
#include "cpu/multiversion.h"

namespace ftrans::cpu::steps {

template <typename T>
struct TypeTag {
  using type = T;
};

/// function(TypeTag<T>) for the element type T of `dtype`.
template <typename Function>
void dispatch(Dtype dtype, Function&& function) {
  switch (dtype) {
    case Dtype::Bool: return function(TypeTag<bool>{});
    case Dtype::Int8: return function(TypeTag<int8_t>{});
    case Dtype::Int16: return function(TypeTag<int16_t>{});
    case Dtype::Int32: return function(TypeTag<int32_t>{});
    case Dtype::Int64: return function(TypeTag<int64_t>{});
    case Dtype::UInt8: return function(TypeTag<uint8_t>{});
    case Dtype::UInt16: return function(TypeTag<uint16_t>{});
    case Dtype::UInt32: return function(TypeTag<uint32_t>{});
    case Dtype::UInt64: return function(TypeTag<uint64_t>{});
    case Dtype::Float16: return function(TypeTag<Float16>{});
    case Dtype::BFloat16: return function(TypeTag<BFloat16>{});
    case Dtype::Float32: return function(TypeTag<float>{});
    case Dtype::Float64: return function(TypeTag<double>{});
    case Dtype::Complex64: return function(TypeTag<std::complex<float>>{});
    case Dtype::Complex128: return function(TypeTag<std::complex<double>>{});
  }
}

template <typename T>
inline constexpr bool is_half = std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>;
template <typename T>
inline constexpr bool is_complex =
    std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>;

template <typename T>
struct ComputeTypeOf {
  using type = T;
};
template <>
struct ComputeTypeOf<Float16> {
  using type = float;
};
template <>
struct ComputeTypeOf<BFloat16> {
  using type = float;
};

/// The type that arithmetic on elements of type T happens in.
template <typename T>
using ComputeType = typename ComputeTypeOf<T>::type;

template <typename T>
ComputeType<T> load(T value) {
  if constexpr (is_half<T>) {
    return to_float(value);
  } else {
    return value;
  }
}

template <typename T>
T store(ComputeType<T> value) {
  if constexpr (std::is_same_v<T, Float16>) {
    return to_float16(value);
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return to_bfloat16(value);
  } else {
    return value;
  }
}

template <typename T>
bool is_nan(T value) {
  if constexpr (std::is_floating_point_v<T>) {
    return value != value;
  } else {
    return false;
  }
}

/// Integers wrap around.
struct AddOperation {
  template <typename T>
  static T apply(T a, T b) {
    if constexpr (std::is_same_v<T, bool>) {
      return a | b;
    } else if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
    } else {
      return a + b;
    }
  }
};

/// Integers wrap around.
struct MulOperation {
  template <typename T>
  static T apply(T a, T b) {
    if constexpr (std::is_same_v<T, bool>) {
      return a & b;
    } else if constexpr (std::is_integral_v<T> && sizeof(T) <= 4) {
      return static_cast<T>(static_cast<uint32_t>(a) * static_cast<uint32_t>(b));
    } else if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
    } else if constexpr (is_complex<T>) {
      return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
    } else {
      return a * b;
    }
  }
};

/// Complex numbers compare by real part, then imaginary part; NaN wins.
template <bool maximum>
struct ExtremumOperation {
  template <typename T>
  static T apply(T a, T b) {
    if constexpr (is_complex<T>) {
      if (is_nan(a.real()) || is_nan(a.imag())) return a;
      if (is_nan(b.real()) || is_nan(b.imag())) return b;
      const bool less = a.real() < b.real() || (a.real() == b.real() && a.imag() < b.imag());
      return less == maximum ? b : a;
    } else {
      const bool first = maximum ? a >= b : a <= b;
      return (first | is_nan(a)) ? a : b;  // without a branch
    }
  }
};
using MaxOperation = ExtremumOperation<true>;
using MinOperation = ExtremumOperation<false>;

/// Uninitialised memory for the duration of a step, from the caching allocator.
class Scratch {
 public:
  explicit Scratch(int64_t bytes) : buffer_(Allocator::instance().allocate(static_cast<size_t>(bytes))) {}
  void* data() const { return buffer_->data(); }
  template <typename T>
  T* as() const {
    return static_cast<T*>(buffer_->data());
  }

 private:
  Ref<Buffer> buffer_;
};

inline char* byte_offset(const void* data, int64_t bytes) {
  return const_cast<char*>(static_cast<const char*>(data)) + bytes;
}

/// Row-major strides, in elements.
inline Dims row_major(const int64_t* shape, int ndim) { return contiguous_strides(Dims(shape, ndim)); }

/// The parts that an axis divides a row-major shape into: [outer, length, inner].
struct AxisSplit {
  int64_t outer = 1, length = 1, inner = 1;

  AxisSplit(const int64_t* shape, int ndim, int axis) : length(shape[axis]) {
    for (int i = 0; i < axis; ++i) outer *= shape[i];
    for (int i = axis + 1; i < ndim; ++i) inner *= shape[i];
  }
};

/// Steps a coordinate vector forward in row-major order; false after the last one.
inline bool next_coordinate(Dims& coordinate, const int64_t* shape, int ndim) {
  for (int axis = ndim - 1; axis >= 0; --axis) {
    if (++coordinate[axis] < shape[axis]) return true;
    coordinate[axis] = 0;
  }
  return false;
}

/// The coordinate vector of the `index`-th element in row-major order.
inline Dims coordinate_of(int64_t index, const int64_t* shape, int ndim) {
  Dims coordinate(ndim);
  for (int axis = ndim - 1; axis >= 0; --axis) {
    coordinate[axis] = index % shape[axis];
    index /= shape[axis];
  }
  return coordinate;
}

}  // namespace ftrans::cpu::steps
