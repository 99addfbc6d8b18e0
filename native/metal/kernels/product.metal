// Products of matrices, from sides to a target. A side is a matrix of rows by depth, wherever its elements lie: the
// left matrix, or the right one transposed. It has types Row and Column, what is known of a row and of a place
// along the depth, and functions row(r), column(k) and at(row, column). A target has put(row, column, value).
// Several threadgroups may share the depth: their sums are added up later, always in the same order.

/// How a product is divided: `split` of the depth for each of `splits` sums.
template <class Index>
struct ProductLayout {
  Index rows, columns, depth;
  Index splits, split;
};
template <class Index>
inline Index split_begin(constant ProductLayout<Index>& layout, Index number) {
  return number * layout.split;
}
template <class Index>
inline Index split_end(constant ProductLayout<Index>& layout, Index number) {
  return min(Index((number + 1) * layout.split), layout.depth);
}

/// A threadgroup's copy of kRows rows of a side, kDepth places deep, with zeros where the matrix has ended. Threads
/// take neighbours along the depth (kAlongDepth) or along the rows.
template <class Side, class T, class Index, int kRows, int kDepth, int kThreads, bool kAlongDepth>
struct TileLoader {
  enum {
    kCount = kRows * kDepth / kThreads,  ///< elements of a thread
    kHeld = kAlongDepth ? kCount : 1,    ///< the rows that they are of
    kPitch = kDepth + 16 / int(sizeof(T))
  };
  Side side;
  Index first, rows;
  int number;
  typename Side::Row held[kHeld];

  int row_of(int i) { return kAlongDepth ? number / kDepth + i * (kThreads / kDepth) : number % kRows; }
  int depth_of(int i) { return kAlongDepth ? number % kDepth : number / kRows + i * (kThreads / kRows); }

  void begin(Side of, Index first_row, Index all_rows, uint thread_number) {
    side = of;
    first = first_row;
    rows = all_rows;
    number = int(thread_number);
    for (int i = 0; i < kHeld; ++i) held[i] = side.row(min(Index(first + row_of(i)), Index(rows - 1)));
  }

  void load(Index k, Index end, threadgroup T* tile) {
    typename Side::Column column = side.column(k + depth_of(0));
    for (int i = 0; i < kCount; ++i) {
      if (!kAlongDepth && i > 0) column = side.column(k + depth_of(i));
      const bool inside = first + row_of(i) < rows && k + depth_of(i) < end;
      tile[row_of(i) * kPitch + depth_of(i)] = inside ? side.at(held[kAlongDepth ? i : 0], column) : T(0);
    }
  }
};

/// Tiles of a product of floats in matrices of SIMD-groups, kDown by kAcross of which share a tile. Sums are float.
template <int kRows, int kColumns, int kDepth, int kDown, int kAcross, bool kLeftAlongDepth, bool kRightAlongDepth>
struct SimdTiles {
  enum {
    kTileRows = kRows,
    kTileColumns = kColumns,
    kThreads = 32 * kDown * kAcross,
    kHeight = kRows / kDown / 8,  ///< matrices of a SIMD-group
    kWidth = kColumns / kAcross / 8
  };

  template <class T, class V, class Index, class Left, class Right, class Target>
  static void multiply(Left left, Right right, Target target, constant ProductLayout<Index>& layout, Index split,
                       Index first_row, Index first_column, threadgroup T* tiles, threadgroup V* staging,
                       Position<Index> here) {
    TileLoader<Left, T, Index, kRows, kDepth, kThreads, kLeftAlongDepth> left_loader;
    TileLoader<Right, T, Index, kColumns, kDepth, kThreads, kRightAlongDepth> right_loader;
    left_loader.begin(left, first_row, layout.rows, here.number);
    right_loader.begin(right, first_column, layout.columns, here.number);
    const int pitch = left_loader.kPitch;
    threadgroup T* right_tile = tiles + kRows * pitch;
    const int top = int(here.simdgroup) / kAcross * kHeight * 8;
    const int start = int(here.simdgroup) % kAcross * kWidth * 8;
    simdgroup_matrix<float, 8, 8> sums[kHeight][kWidth];
    for (int i = 0; i < kHeight; ++i) {
      for (int j = 0; j < kWidth; ++j) sums[i][j] = simdgroup_matrix<float, 8, 8>(0.0f);
    }
    const Index end = split_end(layout, split);
    for (Index k = split_begin(layout, split); k < end; k += kDepth) {
      left_loader.load(k, end, tiles);
      right_loader.load(k, end, right_tile);
      threadgroup_barrier(mem_flags::mem_threadgroup);
      for (int d = 0; d < kDepth; d += 8) {
        simdgroup_matrix<T, 8, 8> a[kHeight], b[kWidth];
        for (int i = 0; i < kHeight; ++i) simdgroup_load(a[i], tiles + (top + 8 * i) * pitch + d, pitch);
        for (int j = 0; j < kWidth; ++j)
          simdgroup_load(b[j], right_tile + (start + 8 * j) * pitch + d, pitch, ulong2(0, 0), true);
        for (int i = 0; i < kHeight; ++i) {
          for (int j = 0; j < kWidth; ++j) simdgroup_multiply_accumulate(sums[i][j], a[i], b[j], sums[i][j]);
        }
      }
      threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    // Through threadgroup memory, so that lanes write neighbours and leave out what is beyond the edges.
    threadgroup float* mine = staging + here.simdgroup * (64 * kWidth);
    for (int i = 0; i < kHeight; ++i) {
      for (int j = 0; j < kWidth; ++j) simdgroup_store(sums[i][j], mine + 8 * j, 8 * kWidth);
      simdgroup_barrier(mem_flags::mem_threadgroup);
      for (int e = int(here.lane); e < 64 * kWidth; e += 32) {
        const Index row = first_row + (top + 8 * i + e / (8 * kWidth));
        const Index column = first_column + (start + e % (8 * kWidth));
        if (row < layout.rows && column < layout.columns) target.put(row, column, mine[e]);
      }
      simdgroup_barrier(mem_flags::mem_threadgroup);
    }
  }
};

/// Tiles of a product of any numbers by 16 × 16 threads.
template <int kRows, int kColumns, int kDepth, bool kLeftAlongDepth, bool kRightAlongDepth>
struct PlainTiles {
  enum {
    kTileRows = kRows,
    kTileColumns = kColumns,
    kThreads = 256,
    kHeight = kRows / 16,  ///< elements of a thread
    kWidth = kColumns / 16
  };

  template <class T, class V, class Index, class Left, class Right, class Target>
  static void multiply(Left left, Right right, Target target, constant ProductLayout<Index>& layout, Index split,
                       Index first_row, Index first_column, threadgroup T* tiles, threadgroup V*,
                       Position<Index> here) {
    TileLoader<Left, T, Index, kRows, kDepth, kThreads, kLeftAlongDepth> left_loader;
    TileLoader<Right, T, Index, kColumns, kDepth, kThreads, kRightAlongDepth> right_loader;
    left_loader.begin(left, first_row, layout.rows, here.number);
    right_loader.begin(right, first_column, layout.columns, here.number);
    const int pitch = left_loader.kPitch, top = int(here.number) / 16, start = int(here.number) % 16;
    threadgroup T* right_tile = tiles + kRows * pitch;
    V sums[kHeight][kWidth];
    for (int i = 0; i < kHeight; ++i) {
      for (int j = 0; j < kWidth; ++j) sums[i][j] = V(0);
    }
    const Index end = split_end(layout, split);
    for (Index k = split_begin(layout, split); k < end; k += kDepth) {
      left_loader.load(k, end, tiles);
      right_loader.load(k, end, right_tile);
      threadgroup_barrier(mem_flags::mem_threadgroup);
      for (int d = 0; d < kDepth; ++d) {
        for (int i = 0; i < kHeight; ++i) {
          const V a = V(tiles[(top + 16 * i) * pitch + d]);
          for (int j = 0; j < kWidth; ++j)
            sums[i][j] = op_add(sums[i][j], op_mul(a, V(right_tile[(start + 16 * j) * pitch + d])));
        }
      }
      threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    for (int i = 0; i < kHeight; ++i) {
      for (int j = 0; j < kWidth; ++j) {
        const Index row = first_row + (top + 16 * i), column = first_column + (start + 16 * j);
        if (row < layout.rows && column < layout.columns) target.put(row, column, sums[i][j]);
      }
    }
  }
};

/// One element of a product, by one thread.
template <class V, class Index, class Left, class Right>
inline V multiply_row(Left left, Right right, Index row, Index column, Index begin, Index end) {
  const typename Left::Row left_row = left.row(row);
  const typename Right::Row right_row = right.row(column);
  V sum = V(0);
  for (Index k = begin; k < end; ++k)
    sum = op_add(sum, op_mul(V(left.at(left_row, left.column(k))), V(right.at(right_row, right.column(k)))));
  return sum;
}

template <class Index>
struct JoinLayout {
  Index count, splits;
};

/// Adds up the sums [split][count] of a product.
template <class S, class V, class R, class Index>
inline void join_splits(device const S* sums, device R* out, constant JoinLayout<Index>& layout,
                        constant Axis<Index>*, Position<Index> here) {
  const Index i = here.in_grid();
  if (i >= layout.count) return;
  V sum = V(sums[i]);
  for (Index split = 1; split < layout.splits; ++split) sum = op_add(sum, V(sums[split * layout.count + i]));
  out[i] = R(sum);
}
