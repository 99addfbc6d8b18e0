// Convolutions as products of matrices whose left side is not in memory: row r is a position of the windows of one
// item, the depth runs over the window's places and the channels, and the right side has a row for each output.

template <class Index, int kSpatial>
struct ConvolutionLayout {
  ProductLayout<Index> product;
  Index groups, outputs, channels;  ///< outputs and channels of a group
  Index lhs_first, lhs_group, lhs_batch, lhs_channel;
  Index rhs_first, rhs_group, rhs_output, rhs_channel;
  Index out_first, out_batch, split_size;  ///< elements of a sum, if there are several splits
  Index extent[kSpatial], window[kSpatial], positions[kSpatial];
  Index lhs_stride[kSpatial], rhs_stride[kSpatial], out_stride[kSpatial];
  Index stride[kSpatial], low[kSpatial], lhs_dilation[kSpatial], rhs_dilation[kSpatial];
};

/// An offset, and a place along each spatial axis.
template <class Index, int kSpatial>
struct Spot {
  Index offset;
  Index place[kSpatial];
};

/// The elements of the lhs that windows have, zero outside and between those of a dilated one.
template <class T, class Index, int kSpatial>
struct WindowSide {
  typedef Spot<Index, kSpatial> Row;
  typedef Spot<Index, kSpatial> Column;
  device const T* data;
  constant ConvolutionLayout<Index, kSpatial>* layout;

  Row row(Index r) {
    Row result;
    for (int i = kSpatial - 1; i >= 0; --i) {
      result.place[i] = r % layout->positions[i] * layout->stride[i] - layout->low[i];
      r /= layout->positions[i];
    }
    result.offset = r * layout->lhs_batch;
    return result;
  }
  Column column(Index k) {
    Column result;
    result.offset = k % layout->channels * layout->lhs_channel;
    k /= layout->channels;
    for (int i = kSpatial - 1; i >= 0; --i) {
      result.place[i] = k % layout->window[i] * layout->rhs_dilation[i];
      k /= layout->window[i];
    }
    return result;
  }
  T at(Row row, Column column) {
    Index offset = row.offset + column.offset;
    bool inside = true;
    for (int i = 0; i < kSpatial; ++i) {
      Index place = row.place[i] + column.place[i];
      inside = inside && place >= 0;
      if (layout->lhs_dilation[i] != 1) {
        inside = inside && place % layout->lhs_dilation[i] == 0;
        place /= layout->lhs_dilation[i];
      }
      inside = inside && place < layout->extent[i];
      offset += place * layout->lhs_stride[i];
    }
    return inside ? data[offset] : T(0);
  }
};

/// The rhs: a row for each output.
template <class T, class Index, int kSpatial>
struct WeightSide {
  typedef Index Row;
  typedef Index Column;
  device const T* data;
  constant ConvolutionLayout<Index, kSpatial>* layout;

  Row row(Index r) { return r * layout->rhs_output; }
  Column column(Index k) {
    Index offset = k % layout->channels * layout->rhs_channel;
    k /= layout->channels;
    for (int i = kSpatial - 1; i >= 0; --i) {
      offset += k % layout->window[i] * layout->rhs_stride[i];
      k /= layout->window[i];
    }
    return offset;
  }
  T at(Row row, Column column) { return data[row + column]; }
};

template <class R, class Index, int kSpatial>
struct PositionTarget {
  device R* data;
  constant ConvolutionLayout<Index, kSpatial>* layout;

  template <class V>
  void put(Index row, Index column, V value) {
    Index offset = layout->out_first + column;
    for (int i = kSpatial - 1; i >= 0; --i) {
      offset += row % layout->positions[i] * layout->out_stride[i];
      row /= layout->positions[i];
    }
    data[offset + row * layout->out_batch] = R(value);
  }
};

/// A threadgroup makes a tile of the result of a group.
template <class Tiles, class T, class V, class R, class Index, int kSpatial>
inline void convolve_tiles(device const T* lhs, device const T* rhs, device R* out,
                           constant ConvolutionLayout<Index, kSpatial>& layout, constant Axis<Index>*,
                           threadgroup T* tiles, threadgroup V* staging, Position<Index> here) {
  const Index down = (layout.product.rows + (Tiles::kTileRows - 1)) / Tiles::kTileRows;
  const Index across = (layout.product.columns + (Tiles::kTileColumns - 1)) / Tiles::kTileColumns;
  const Index column = here.group % across, row = here.group / across % down;
  const Index number = here.group / across / down, group = number % layout.groups,
              split = number / layout.groups;
  if (split >= layout.product.splits) return;
  const WindowSide<T, Index, kSpatial> left = {lhs + layout.lhs_first + group * layout.lhs_group, &layout};
  const WeightSide<T, Index, kSpatial> right = {rhs + layout.rhs_first + group * layout.rhs_group, &layout};
  const PositionTarget<R, Index, kSpatial> target = {
      out + split * layout.split_size + group * layout.outputs, &layout};
  Tiles::template multiply<T, V, Index>(left, right, target, layout.product, split, row * Tiles::kTileRows,
                                        column * Tiles::kTileColumns, tiles, staging, here);
}

/// A thread makes an element of the result; neighbours take neighbouring groups and outputs.
template <class T, class V, class R, class Index, int kSpatial>
inline void convolve_elements(device const T* lhs, device const T* rhs, device R* out,
                              constant ConvolutionLayout<Index, kSpatial>& layout, constant Axis<Index>*,
                              Position<Index> here) {
  const Index column = here.in_grid() % layout.outputs, group = here.in_grid() / layout.outputs % layout.groups;
  const Index rest = here.in_grid() / layout.outputs / layout.groups;
  const Index row = rest % layout.product.rows, split = rest / layout.product.rows;
  if (split >= layout.product.splits) return;
  const WindowSide<T, Index, kSpatial> left = {lhs + layout.lhs_first + group * layout.lhs_group, &layout};
  const WeightSide<T, Index, kSpatial> right = {rhs + layout.rhs_first + group * layout.rhs_group, &layout};
  PositionTarget<R, Index, kSpatial> target = {out + split * layout.split_size + group * layout.outputs,
                                               &layout};
  target.put(row, column,
             multiply_row<V>(left, right, row, column, split_begin(layout.product, split),
                             split_end(layout.product, split)));
}
