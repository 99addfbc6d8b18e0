// Attention: softmax(scores) · values without an array of the scores. A threadgroup takes 32 queries, a
// SIMD-group 8 of them, and goes along the keys tile by tile. Of each query four lanes keep the maximum so far,
// the sum of the powers and the sums of values; where a tile has a new maximum, they are scaled
// (Milakov and Gimelshein 2018; Dao et al. 2022). All is float32.

template <class Index>
struct AttentionLayout {
  Index batches, rows, keys, depth, width;
  Index query_first, query_row, query_depth;
  Index key_first, key_row, key_depth;
  Index value_first, value_row, value_column;
  Index product_axes, value_axes;
};

/// A copy of rows of a matrix, with zeros beyond its last row and column; 128 threads.
template <class T, class Index>
inline void copy_rows(device const T* from, Index row_step, Index column_step, Index rows, Index columns,
                      threadgroup float* to, uint count, uint padded, uint pitch, uint thread_number) {
  for (uint i = thread_number; i < count * padded; i += 128) {
    const uint row = i / padded, column = i % padded;
    const bool inside = Index(row) < rows && Index(column) < columns;
    to[row * pitch + column] = inside ? float(from[Index(row) * row_step + Index(column) * column_step]) : 0.0f;
  }
}

/// `kKeys` keys a tile; `kWide` is not below the depth and the width. `Scores` has at(product, index of the
/// score). `queries` has 32 rows, `others` kKeys, `tiles` 8 · kKeys for each SIMD-group.
template <class Scores, class Q, class K, class V, class R, class Index, int kKeys, int kWide, bool kBlindIsZero, bool kNoSumIsOne>
inline void attend(Scores scores, device const Q* query, device const K* key, device const V* value,
                   device R* out, constant AttentionLayout<Index>& layout, constant Axis<Index>* axes,
                   threadgroup float* queries, threadgroup float* others, threadgroup float* tiles,
                   Position<Index> here) {
  enum { kPitch = kWide + 4, kOfLane = kKeys / 4 };
  const Index blocks = (layout.rows + 31) / 32, batch = here.group / blocks;
  if (batch >= layout.batches) return;
  const Index first_row = here.group % blocks * 32;
  query += layout.query_first + first_offset(batch, layout.product_axes, axes) + first_row * layout.query_row;
  key += layout.key_first + second_offset(batch, layout.product_axes, axes);
  value += layout.value_first + first_offset(batch, layout.value_axes, axes + layout.product_axes);
  const uint depth = (uint(layout.depth) + 7) / 8 * 8, width = (uint(layout.width) + 7) / 8 * 8;
  threadgroup float* tile = tiles + here.simdgroup * (8 * kKeys);
  threadgroup float* mine = queries + here.simdgroup * (8 * kPitch);
  const uint line = here.lane / 4, quarter = here.lane % 4;  // of the tile: a query, and its elements
  const Index row = first_row + Index(here.simdgroup * 8 + line);
  const bool exists = row < layout.rows;

  copy_rows(query, layout.query_row, layout.query_depth, Index(layout.rows - first_row), layout.depth, queries, 32u,
            depth, uint(kPitch), here.number);
  float top = -INFINITY, total = 0.0f;
  float sums[kWide / 4];
  for (int i = 0; i < kWide / 4; ++i) sums[i] = 0.0f;

  for (Index begin = 0; begin < layout.keys; begin += kKeys) {
    const Index left = layout.keys - begin;
    copy_rows(key + begin * layout.key_row, layout.key_row, layout.key_depth, left, layout.depth, others,
              uint(kKeys), depth, uint(kPitch), here.number);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    simdgroup_matrix<float, 8, 8> products[kKeys / 8];
    for (int j = 0; j < kKeys / 8; ++j) products[j] = simdgroup_matrix<float, 8, 8>(0.0f);
    for (uint d = 0; d < depth; d += 8) {
      simdgroup_matrix<float, 8, 8> a, b;
      simdgroup_load(a, mine + d, kPitch);
      for (int j = 0; j < kKeys / 8; ++j) {
        simdgroup_load(b, others + 8 * j * kPitch + d, kPitch, ulong2(0, 0), true);
        simdgroup_multiply_accumulate(products[j], a, b, products[j]);
      }
    }
    for (int j = 0; j < kKeys / 8; ++j) simdgroup_store(products[j], tile + 8 * j, kKeys);
    simdgroup_barrier(mem_flags::mem_threadgroup);

    float powers[kOfLane];
    float highest = top;
    for (int i = 0; i < kOfLane; ++i) {
      const Index column = begin + Index(4 * i + quarter);
      powers[i] = -INFINITY;
      if (!exists || column >= layout.keys) continue;
      const Index index = (batch * layout.rows + row) * layout.keys + column;
      powers[i] = scores.at(tile[line * kKeys + 4 * i + quarter], index);
      highest = op_max(highest, powers[i]);
    }
    highest = op_max(highest, from_lane(highest, here.lane ^ 1));
    highest = op_max(highest, from_lane(highest, here.lane ^ 2));
    const bool is_blind = kBlindIsZero && highest == -INFINITY;
    float sum = 0.0f;
    for (int i = 0; i < kOfLane; ++i) {
      const bool counts = begin + Index(4 * i + quarter) < layout.keys && !is_blind;
      powers[i] = counts ? op_exp(op_excess(powers[i], highest)) : 0.0f;
      sum += powers[i];
      tile[line * kKeys + 4 * i + quarter] = powers[i];
    }
    sum += from_lane(sum, here.lane ^ 1);
    sum += from_lane(sum, here.lane ^ 2);
    const float scale = op_exp(op_excess(top, highest));
    total = total * scale + sum;
    top = highest;

    threadgroup_barrier(mem_flags::mem_threadgroup);
    copy_rows(value + begin * layout.value_row, layout.value_row, layout.value_column, left, layout.width, others,
              uint(kKeys), width, uint(kPitch), here.number);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    simdgroup_matrix<float, 8, 8> weights[kKeys / 8];
    for (int j = 0; j < kKeys / 8; ++j) simdgroup_load(weights[j], tile + 8 * j, kKeys);
    simdgroup_barrier(mem_flags::mem_threadgroup);
    for (int block = 0; block < kWide / kKeys; ++block) {
      if (uint(block * kKeys) >= width) break;
      for (int j = 0; j < kKeys / 8; ++j) {
        if (uint(block * kKeys + 8 * j) >= width) break;
        simdgroup_matrix<float, 8, 8> a = simdgroup_matrix<float, 8, 8>(0.0f), b;
        for (int k = 0; k < kKeys / 8; ++k) {
          simdgroup_load(b, others + 8 * k * kPitch + block * kKeys + 8 * j, kPitch);
          simdgroup_multiply_accumulate(a, weights[k], b, a);
        }
        simdgroup_store(a, tile + 8 * j, kKeys);
      }
      simdgroup_barrier(mem_flags::mem_threadgroup);
      for (int i = 0; i < kOfLane; ++i) {
        if (uint(block * kKeys + 4 * i) >= width) break;
        sums[block * kOfLane + i] =
            sums[block * kOfLane + i] * scale + tile[line * kKeys + 4 * i + quarter];
      }
      simdgroup_barrier(mem_flags::mem_threadgroup);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }

  if (kNoSumIsOne && total == 0.0f) total = 1.0f;
  for (int i = 0; i < kWide / 4; ++i) {
    const Index column = Index(4 * i) + Index(quarter);
    if (exists && column < layout.width)
      out[(batch * layout.rows + row) * layout.width + column] = R(op_div(sums[i], total));
  }
}
