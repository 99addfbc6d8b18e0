// Scans. Where there are too few rows to keep a device busy, each is divided into parts, and there are three
// passes: the totals of all parts but the last, the scan of these totals, and the scan of each part after what
// comes before it. The order of operations depends on shape and layout alone.

template <class Index>
struct ScanLayout {
  Index rows, length;
  Index parts, part;  ///< how many a row has; items in each but the last
  Index in_first, in_step, out_first, out_step;
  Index axes;  ///< of the rows
};

/// An inclusive scan over the lanes of a SIMD-group.
template <class Operation, class V>
inline V scan_lanes(V x, uint lane) {
  for (uint distance = 1; distance < 32; distance *= 2) {
    const V other = from_lane(x, lane >= distance ? lane - distance : lane);
    if (lane >= distance) x = Operation::apply(other, x);
  }
  return x;
}

/// A threadgroup scans a part of a row, `kItems` neighbours a thread at a time. `carries` has, row by row, what
/// comes before each part but the first. If `totals`, only its total is written, to `out`.
template <class Operation, class T, class V, class Index, int kItems, bool totals, class R>
inline void scan_rows(device const T* in, device const V* carries, device R* out,
                      constant ScanLayout<Index>& layout, constant Axis<Index>* axes, threadgroup V* shared,
                      Position<Index> here) {
  const Index parts = totals ? layout.parts - 1 : layout.parts;
  const Index row = here.group / parts, part = here.group % parts;
  if (row >= layout.rows) return;
  in += layout.in_first + first_offset(row, layout.axes, axes);
  device R* to = out + layout.out_first + second_offset(row, layout.axes, axes);
  const Index begin = part * layout.part, end = min(Index(begin + layout.part), layout.length);
  const uint simdgroups = here.threads / 32;
  bool has_carry = !totals && part > 0;
  V carry = V(0);
  if (has_carry) carry = carries[row * (parts - 1) + part - 1];
  for (Index chunk = begin; chunk < end; chunk += Index(kItems) * Index(here.threads)) {
    const Index first = chunk + Index(here.number) * kItems;
    V x[kItems];
    for (int i = 0; i < kItems; ++i) {
      x[i] = first + i < end ? V(in[(first + i) * layout.in_step]) : V(0);
      if (i > 0) x[i] = Operation::apply(x[i - 1], x[i]);
    }
    const V lanes = scan_lanes<Operation>(x[kItems - 1], here.lane);
    if (here.lane == 31) shared[here.simdgroup] = lanes;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    V before = carry;
    bool has_before = has_carry;
    for (uint i = 0; i < simdgroups; ++i) {
      if (i == here.simdgroup) {
        before = carry;
        has_before = has_carry;
      }
      carry = has_carry ? Operation::apply(carry, shared[i]) : shared[i];
      has_carry = true;
    }
    const V previous = from_lane(lanes, here.lane > 0 ? here.lane - 1 : 0);
    if (here.lane > 0) {
      before = has_before ? Operation::apply(before, previous) : previous;
      has_before = true;
    }
    if (!totals) {
      for (int i = 0; i < kItems; ++i) {
        if (first + i < end)
          to[(first + i) * layout.out_step] = R(has_before ? Operation::apply(before, x[i]) : x[i]);
      }
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  if (totals && here.number == 0) out[row * parts + part] = R(carry);
}

/// A thread scans a part of a column. `carries` has, part by part, what comes before all columns.
template <class Operation, class T, class V, class Index, bool totals, class R>
inline void scan_columns(device const T* in, device const V* carries, device R* out,
                         constant ScanLayout<Index>& layout, constant Axis<Index>* axes,
                         Position<Index> here) {
  const Index column = here.in_grid() % layout.rows, part = here.in_grid() / layout.rows;
  if (part >= (totals ? layout.parts - 1 : layout.parts)) return;
  in += layout.in_first + first_offset(column, layout.axes, axes);
  device R* to = out + layout.out_first + second_offset(column, layout.axes, axes);
  const Index begin = part * layout.part, end = min(Index(begin + layout.part), layout.length);
  V running = V(in[begin * layout.in_step]);
  if (!totals) {
    if (part > 0) running = Operation::apply(carries[(part - 1) * layout.rows + column], running);
    to[begin * layout.out_step] = R(running);
  }
  for (Index i = begin + 1; i < end; ++i) {
    running = Operation::apply(running, V(in[i * layout.in_step]));
    if (!totals) to[i * layout.out_step] = R(running);
  }
  if (totals) out[here.in_grid()] = R(running);
}
