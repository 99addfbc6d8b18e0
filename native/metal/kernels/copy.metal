// Copies of strided blocks. Layout: source base, destination base, number of axes, axes (source and
// destination); then, where the block is moved by indices, their number, and for each its place among the
// indices, its greatest value, and the steps of source and destination.

namespace movement {

template <class T, class I>
inline void copy_rows(device const T* source, device T* destination, constant I* layout, I source_base,
                      I destination_base, uint3 position, uint3 threads) {
  constant I* axes = layout + 3;
  const I extent = axes[0], source_step = axes[1], destination_step = axes[2];
  const I rows = row_count(axes, layout[2], I(3));
  for (I row = position.y; row < rows; row += threads.y) {
    I offsets[2] = {source_base, destination_base};
    add_offsets<2>(axes + 3, I(layout[2] - 1), row, offsets);
    for (I x = position.x; x < extent; x += threads.x)
      destination[I(offsets[1] + x * destination_step)] = source[I(offsets[0] + x * source_step)];
  }
}

template <class T, class I>
inline void copy_block(device const T* source, device T* destination, constant I* layout, uint3 position,
                       uint3 threads) {
  copy_rows(source, destination, layout, layout[0], layout[1], position, threads);
}

/// Each index is clamped, so that the block stays inside.
template <class T, class N, class I>
inline void copy_block_at(device const T* source, device const N* indices, device T* destination,
                          constant I* layout, uint3 position, uint3 threads) {
  I source_base = layout[0], destination_base = layout[1];
  constant I* moves = layout + 3 + 3 * layout[2];
  const I count = moves[0];
  ++moves;
  for (I i = 0; i < count; ++i) {
    const I start = I(clamped(signed_index(indices[moves[0]]), int64_t(moves[1])));
    source_base += start * moves[2];
    destination_base += start * moves[3];
    moves += 4;
  }
  copy_rows(source, destination, layout, source_base, destination_base, position, threads);
}

}  // namespace movement
