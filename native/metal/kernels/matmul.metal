// Batched products of matrices with any strides.

template <class Index>
struct MatrixLayout {
  ProductLayout<Index> product;
  Index batches, axes;
  Index left_first, left_row, left_depth, right_first, right_row, right_depth;
};
template <class Index>
inline Index size_of(constant MatrixLayout<Index>& layout) {
  return layout.product.rows * layout.product.columns;
}

/// A matrix in memory, as a side of a product.
template <class T, class Index>
struct MatrixSide {
  typedef Index Row;
  typedef Index Column;
  device const T* data;
  Index row_stride, depth_stride;

  Row row(Index r) { return r * row_stride; }
  Column column(Index k) { return k * depth_stride; }
  T at(Row row, Column column) { return data[row + column]; }
};
template <class T, class Index>
inline MatrixSide<T, Index> left_side(device const T* data, Index batch, constant MatrixLayout<Index>& layout,
                                      constant Axis<Index>* axes) {
  data += layout.left_first + first_offset(batch, layout.axes, axes);
  return {data, layout.left_row, layout.left_depth};
}
template <class T, class Index>
inline MatrixSide<T, Index> right_side(device const T* data, Index batch, constant MatrixLayout<Index>& layout,
                                       constant Axis<Index>* axes) {
  data += layout.right_first + second_offset(batch, layout.axes, axes);
  return {data, layout.right_row, layout.right_depth};
}

template <class R, class Index>
struct MatrixTarget {
  device R* data;
  Index pitch;

  template <class V>
  void put(Index row, Index column, V value) {
    data[row * pitch + column] = R(value);
  }
};

/// A threadgroup makes a tile of the result.
template <class Tiles, class T, class V, class R, class Index>
inline void multiply_tiles(device const T* left, device const T* right, device R* out,
                           constant MatrixLayout<Index>& layout, constant Axis<Index>* axes,
                           threadgroup T* tiles, threadgroup V* staging, Position<Index> here) {
  const Index down = (layout.product.rows + (Tiles::kTileRows - 1)) / Tiles::kTileRows;
  const Index across = (layout.product.columns + (Tiles::kTileColumns - 1)) / Tiles::kTileColumns;
  const Index column = here.group % across, row = here.group / across % down;
  const Index number = here.group / across / down, batch = number % layout.batches,
              split = number / layout.batches;
  if (split >= layout.product.splits) return;
  const MatrixTarget<R, Index> target = {out + number * size_of(layout), layout.product.columns};
  Tiles::template multiply<T, V, Index>(left_side(left, batch, layout, axes),
                                        right_side(right, batch, layout, axes), target, layout.product, split,
                                        row * Tiles::kTileRows, column * Tiles::kTileColumns, tiles, staging,
                                        here);
}

/// A thread makes an element of the result.
template <class T, class V, class R, class Index>
inline void multiply_elements(device const T* left, device const T* right, device R* out,
                              constant MatrixLayout<Index>& layout, constant Axis<Index>* axes,
                              Position<Index> here) {
  const Index at = here.in_grid() % size_of(layout), number = here.in_grid() / size_of(layout);
  const Index batch = number % layout.batches, split = number / layout.batches;
  if (split >= layout.product.splits) return;
  out[here.in_grid()] = R(multiply_row<V>(
      left_side(left, batch, layout, axes), right_side(right, batch, layout, axes), at / layout.product.columns,
      at % layout.product.columns, split_begin(layout.product, split), split_end(layout.product, split)));
}

/// Matrix times vector where a row's elements are neighbours: a SIMD-group makes an element of the result.
template <class T, class V, class R, class Index>
inline void multiply_vector_by_rows(device const T* left, device const T* right, device R* out,
                                    constant MatrixLayout<Index>& layout, constant Axis<Index>* axes,
                                    Position<Index> here) {
  const Index row = here.simdgroup_in_grid() % layout.product.rows;
  const Index number = here.simdgroup_in_grid() / layout.product.rows;
  const Index batch = number % layout.batches, split = number / layout.batches;
  if (split >= layout.product.splits) return;
  MatrixSide<T, Index> matrix = left_side(left, batch, layout, axes),
                       vector = right_side(right, batch, layout, axes);
  V sum = V(0);
  for (Index k = split_begin(layout.product, split) + Index(here.lane); k < split_end(layout.product, split); k += 32)
    sum = op_add(sum, op_mul(V(matrix.at(matrix.row(row), matrix.column(k))), V(vector.at(0, vector.column(k)))));
  for (uint mask = 16; mask > 0; mask /= 2) sum = op_add(sum, from_lane(sum, here.lane ^ mask));
  if (here.lane == 0) out[here.simdgroup_in_grid()] = R(sum);
}

/// The same where neighbours are in a column: lanes take rows, the SIMD-groups of a threadgroup divide the depth.
template <class T, class V, class R, class Index>
inline void multiply_vector_by_columns(device const T* left, device const T* right, device R* out,
                                       constant MatrixLayout<Index>& layout, constant Axis<Index>* axes,
                                       threadgroup V* shared, Position<Index> here) {
  const Index tiles = (layout.product.rows + 31) / 32, row = here.group % tiles * 32 + Index(here.lane);
  const Index number = here.group / tiles, batch = number % layout.batches, split = number / layout.batches;
  if (split >= layout.product.splits) return;
  MatrixSide<T, Index> matrix = left_side(left, batch, layout, axes),
                       vector = right_side(right, batch, layout, axes);
  const Index simdgroups = Index(here.threads / 32);
  const Index end = row < layout.product.rows ? split_end(layout.product, split) : 0;
  V sum = V(0);
  for (Index k = split_begin(layout.product, split) + Index(here.simdgroup); k < end; k += simdgroups)
    sum = op_add(sum, op_mul(V(matrix.at(matrix.row(row), matrix.column(k))), V(vector.at(0, vector.column(k)))));
  shared[here.number] = sum;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (here.simdgroup != 0 || row >= layout.product.rows) return;
  for (uint i = 1; i < here.threads / 32; ++i) sum = op_add(sum, shared[32 * i + here.lane]);
  out[number * layout.product.rows + row] = R(sum);
}
