#pragma once

#include <complex>
#include <cstdint>

namespace ftrans {

/// Element types, in promotion-independent order; the values are part of the Python binding.
enum class Dtype : uint8_t {
  Bool,
  Int8,
  Int16,
  Int32,
  Int64,
  UInt8,
  UInt16,
  UInt32,
  UInt64,
  Float16,
  BFloat16,
  Float32,
  Float64,
  Complex64,
  Complex128,
};

inline constexpr int kDtypeCount = 15;

constexpr int64_t itemsize(Dtype dtype) {
  constexpr int64_t sizes[kDtypeCount] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8, 8, 16};
  return sizes[static_cast<int>(dtype)];
}

constexpr const char* name(Dtype dtype) {
  constexpr const char* names[kDtypeCount] = {"bool",     "int8",    "int16",   "int32",     "int64",
                                              "uint8",    "uint16",  "uint32",  "uint64",    "float16",
                                              "bfloat16", "float32", "float64", "complex64", "complex128"};
  return names[static_cast<int>(dtype)];
}

/// 'b' bool, 'i' signed, 'u' unsigned, 'f' floating, 'c' complex.
constexpr char kind(Dtype dtype) { return "biiiiuuuuffffcc"[static_cast<int>(dtype)]; }

/// Storage of a half-precision float; arithmetic happens in float.
struct Float16 {
  uint16_t bits;
};

/// Storage of a bfloat16; arithmetic happens in float.
struct BFloat16 {
  uint16_t bits;
};

/// A scalar of any dtype, stored in its own representation. Behind a float32 or complex64, from the ninth
/// byte on, there may be what it was rounded from (see unrounded).
union ScalarStorage {
  bool as_bool;
  int64_t as_int64;
  uint64_t as_uint64;
  float as_float32;
  double as_float64;
  unsigned char bytes[24];
};

}  // namespace ftrans
