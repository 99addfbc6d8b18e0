#pragma once

#include <bit>

#include "cpu/steps/support.h"

namespace ftrans::cpu::steps {

/// An unsigned integer whose order is that of the real value: -0.0 and 0.0 are equal, NaN is the greatest.
/// 32 bits wide for elements of up to 4 bytes, 64 bits for those of 8.
template <typename T>
auto order_key(T value) {
  using Key = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  using Signed = std::make_signed_t<Key>;
  constexpr Key kSignBit = Key{1} << (8 * sizeof(Key) - 1);
  if constexpr (is_half<T>) {
    return order_key(to_float(value));
  } else if constexpr (std::is_floating_point_v<T>) {
    const Key bits = std::bit_cast<Key>(value + T{0});  // turns -0.0 into 0.0
    const Key flip = static_cast<Key>(static_cast<Signed>(bits) >> (8 * sizeof(Key) - 1)) | kSignBit;
    return value == value ? bits ^ flip : ~Key{0};
  } else if constexpr (std::is_signed_v<T>) {
    return static_cast<Key>(static_cast<Signed>(value)) ^ kSignBit;
  } else {
    return static_cast<Key>(value);
  }
}

template <typename T>
bool is_negative_zero(T value) {
  using Bits =
      std::conditional_t<sizeof(T) == 8, uint64_t, std::conditional_t<sizeof(T) == 4, uint32_t, uint16_t>>;
  return std::bit_cast<Bits>(value) == Bits{1} << (8 * sizeof(T) - 1);
}

/// The value that has this key: 0.0 for both zeros, some NaN for every NaN.
template <typename T, typename Key>
T value_of_key(Key key) {
  constexpr Key kSignBit = Key{1} << (8 * sizeof(Key) - 1);
  if constexpr (is_half<T>) {
    return store<T>(value_of_key<float>(key));
  } else if constexpr (std::is_floating_point_v<T>) {
    return std::bit_cast<T>(key & kSignBit ? key ^ kSignBit : ~key);
  } else if constexpr (std::is_signed_v<T>) {
    return static_cast<T>(key ^ kSignBit);
  } else {
    return static_cast<T>(key);
  }
}

}  // namespace ftrans::cpu::steps
