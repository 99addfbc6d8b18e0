// Copies that change which axis is innermost. Layout: that of copy.metal.

namespace movement {

/// The second axis is the one along which the source has no gaps, the first that of the destination: squares
/// pass through threadgroup memory, so that both are read and written in whole cache lines.
template <class T, class I>
inline void copy_transposed(device const T* source, device T* destination, constant I* layout,
                            threadgroup T* tile, uint3 group, uint3 position, uint3 threads) {
  const uint side = 32, pitch = 33;
  constant I* axes = layout + 3;
  const I extent = axes[0], across = axes[3];
  const I first = I(group.x) * side, first_across = I(group.y) * side;
  I offsets[2] = {layout[0], layout[1]};
  add_offsets<2>(axes + 6, I(layout[2] - 2), I(group.z), offsets);
  for (uint i = position.y; i < side; i += threads.y) {
    const I a = first + i, b = first_across + position.x;
    if (a < extent && b < across)
      tile[i * pitch + position.x] = source[I(offsets[0] + a * axes[1] + b * axes[4])];
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  for (uint i = position.y; i < side; i += threads.y) {
    const I a = first + position.x, b = first_across + i;
    if (a < extent && b < across)
      destination[I(offsets[1] + a * axes[2] + b * axes[5])] = tile[position.x * pitch + i];
  }
}

}  // namespace movement
