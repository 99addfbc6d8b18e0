// Reading at indices. Layout: operand base, number of axes, number of components of an index vector; the axes
// of the result (operand, result, indices); then for each component its place among the indices, its greatest
// value, and the operand's step.

namespace movement {

/// Whether the window of the index vector is inside of the operand, or is moved there; adds its offset.
template <class N, class I>
inline bool add_window_offset(device const N* indices, I vector, constant I* components, I count, bool clips,
                              thread I& offset) {
  bool inside = true;
  for (I i = 0; i < count; ++i) {
    const int64_t index = signed_index(indices[I(vector + components[0])]), limit = int64_t(components[1]);
    const int64_t start = clamped(index, limit);
    inside = inside && (clips || start == index);
    offset += I(start) * components[2];
    components += 3;
  }
  return inside;
}

template <class T, class N, class I>
inline void gather_windows(device const T* operand, device const N* indices, device T* output,
                           constant I* layout, constant T& fill, constant uint32_t& clips, uint3 position,
                           uint3 threads) {
  constant I* axes = layout + 3;
  constant I* components = axes + 4 * layout[1];
  const I extent = axes[0], rows = row_count(axes, layout[1], I(4));
  for (I row = position.y; row < rows; row += threads.y) {
    I offsets[3] = {layout[0], 0, 0};
    add_offsets<3>(axes + 4, I(layout[1] - 1), row, offsets);
    bool inside = true;
    I start = 0;
    for (I x = position.x; x < extent; x += threads.x) {
      if (x == I(position.x) || axes[3] != 0) {  // another index vector
        start = offsets[0];
        inside =
            add_window_offset(indices, I(offsets[2] + x * axes[3]), components, layout[2], clips != 0, start);
      }
      T value = fill;
      if (inside) value = operand[I(start + x * axes[1])];
      output[I(offsets[1] + x * axes[2])] = value;
    }
  }
}

}  // namespace movement
