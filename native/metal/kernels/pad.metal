// Padding. Layout: operand base, number of axes; then for each axis, the innermost first: extent of the
// result, elements in front, elements cut off there, step between elements, extent and step of the operand,
// step of the result.

namespace movement {

/// The value over and over.
inline uint64_t repeated(uint8_t value) { return uint64_t(value) * 0x0101010101010101ul; }
inline uint64_t repeated(uint16_t value) { return uint64_t(value) * 0x0001000100010001ul; }
inline uint64_t repeated(uint32_t value) { return uint64_t(value) << 32 | uint64_t(value); }
inline uint64_t repeated(uint64_t value) { return value; }

template <class T>
struct unit {
  static T of(uint64_t words) { return T(words); }
};
template <>
struct unit<uint4> {
  static uint4 of(uint64_t words) {
    const uint32_t low = uint32_t(words), high = uint32_t(words >> 32);
    return uint4(low, high, low, high);
  }
};

/// Whether an element of the operand is at this coordinate of the result; adds its offset.
template <class I>
inline bool add_operand_offset(constant I* axis, I coordinate, thread I& offset) {
  if (coordinate < axis[1]) return false;
  I place = coordinate - axis[1] + axis[2];
  if (axis[3] != 1) {
    if (place % axis[3] != 0) return false;
    place /= axis[3];
  }
  offset += place * axis[5];
  return place < axis[4];
}

/// In units of type T, of several elements of the type V of the value where these stay together.
template <class T, class V, class I>
inline void pad_block(device const T* operand, device const V* value, device T* output, constant I* layout,
                      uint3 position, uint3 threads) {
  constant I* axes = layout + 2;
  const I rows = row_count(axes, layout[1], I(7));
  bool has_padding = false;
  T padding = T(0);
  for (I row = position.y; row < rows; row += threads.y) {
    I from = layout[0], to = 0, rest = row;
    bool inside = true;
    for (I i = 1; i < layout[1]; ++i) {
      constant I* axis = axes + 7 * i;
      const I coordinate = rest % axis[0];
      rest /= axis[0];
      to += coordinate * axis[6];
      inside = inside && add_operand_offset(axis, coordinate, from);
    }
    for (I x = position.x; x < axes[0]; x += threads.x) {
      I place = from;
      if (inside && add_operand_offset(axes, x, place)) {
        output[I(to + x)] = operand[place];
        continue;
      }
      if (!has_padding) padding = unit<T>::of(repeated(value[0]));
      has_padding = true;
      output[I(to + x)] = padding;
    }
  }
}

}  // namespace movement
