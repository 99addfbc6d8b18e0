// Scans. A row is the work of a threadgroup, a column that of a thread, unless there are too few of them to
// keep a device busy: then they are divided into tiles, of which every element is read and written once. The
// order of operations depends on shape and layout alone.

template <class Index>
struct ScanLayout {
  Index rows, length;
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

/// A threadgroup scans a row, `kItems` neighbours a thread at a time.
template <class Operation, class T, class V, class Index, int kItems>
inline void scan_rows(device const T* in, device T* out, constant ScanLayout<Index>& layout,
                      constant Axis<Index>* axes, threadgroup V* shared, Position<Index> here) {
  const Index row = here.group;
  if (row >= layout.rows) return;
  in += layout.in_first + first_offset(row, layout.axes, axes);
  out += layout.out_first + second_offset(row, layout.axes, axes);
  const uint simdgroups = here.threads / 32;
  bool has_carry = false;
  V carry = V(0);
  for (Index chunk = 0; chunk < layout.length; chunk += Index(kItems) * Index(here.threads)) {
    const Index first = chunk + Index(here.number) * kItems;
    V x[kItems];
    for (int i = 0; i < kItems; ++i) {
      x[i] = first + i < layout.length ? V(in[(first + i) * layout.in_step]) : V(0);
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
    for (int i = 0; i < kItems; ++i) {
      if (first + i < layout.length)
        out[(first + i) * layout.out_step] = T(has_before ? Operation::apply(before, x[i]) : x[i]);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
}

/// A thread scans a column.
template <class Operation, class T, class V, class Index>
inline void scan_columns(device const T* in, device T* out, constant ScanLayout<Index>& layout,
                         constant Axis<Index>* axes, Position<Index> here) {
  const Index column = here.in_grid();
  if (column >= layout.rows) return;
  in += layout.in_first + first_offset(column, layout.axes, axes);
  out += layout.out_first + second_offset(column, layout.axes, axes);
  V running = V(in[0]);
  out[0] = T(running);
  for (Index i = 1; i < layout.length; ++i) {
    running = Operation::apply(running, V(in[i * layout.in_step]));
    out[i * layout.out_step] = T(running);
  }
}

// Tiles. Each makes known the total of its own elements (its aggregate), and later that of all elements up to
// its end (its prefix). What comes before a tile is the prefix of an earlier one, joined with the aggregates
// of those between, from the left to the right: the same bits, whichever prefix was found.
//
// Atomic operations are relaxed, so a number must not be looked for behind a flag. It is divided into halves
// of words instead, each beside the state that it belongs to, and counts when all of its words show one
// state. Nothing promises either that a threadgroup goes on while another waits for it: one that has waited
// for long computes the aggregate by itself.

constant uint kAggregate = 1, kPrefix = 2;
constant int kPatience = 256;  // looks at a tile that has not told its aggregate

inline uint64_t bits_of(float x) { return as_type<uint32_t>(x); }
inline uint64_t bits_of(float2 x) { return bits_of(x.y) << 32 | bits_of(x.x); }
template <class V>
inline uint64_t bits_of(V x) {
  return uint64_t(x);
}
inline void set_bits(thread float& x, uint64_t bits) { x = as_type<float>(uint32_t(bits)); }
inline void set_bits(thread float2& x, uint64_t bits) {
  x = float2(as_type<float>(uint32_t(bits)), as_type<float>(uint32_t(bits >> 32)));
}
template <class V>
inline void set_bits(thread V& x, uint64_t bits) {
  x = V(bits);
}

/// What the tiles of a column (a row, in tiles of one column) have told: words of one number lie `kWidth`
/// apart, beside those of the other columns.
template <class V, class Index, int kWidth>
struct Told {
  device atomic_uint* words;

  static constexpr constant int kWords = (int(sizeof(V)) + 1) / 2;

  void tell(Index tile, uint state, V value) const {
    const uint64_t bits = bits_of(value);
    for (int i = 0; i < kWords; ++i) {
      const uint word = (uint(bits >> (16 * i)) & 0xffffu) << 16 | state;
      atomic_store_explicit(words + (tile * kWords + i) * kWidth, word, memory_order_relaxed);
    }
  }

  /// The state of a tile, with its number; 0 if it has none yet.
  uint look(Index tile, thread V& value) const {
    uint64_t bits = 0;
    uint state = 0;
    for (int i = 0; i < kWords; ++i) {
      const uint word =
          atomic_load_explicit(words + (tile * kWords + i) * kWidth, memory_order_relaxed);
      if (i > 0 && (word & 0xffffu) != state) return 0;
      state = word & 0xffffu;
      bits |= uint64_t(word >> 16) << (16 * i);
    }
    set_bits(value, bits);
    return state;
  }
};

/// What comes before a tile, as far as it is known.
template <class Operation, class V, class Index, int kWidth>
struct Before {
  Told<V, Index, kWidth> told;
  Index next;  ///< the first tile that has not been joined
  V value;
  bool has_value;

  void join(V aggregate) {
    value = has_value ? Operation::apply(value, aggregate) : aggregate;
    has_value = true;
    ++next;
  }

  /// Begins behind the nearest prefix before tile `end`, or with the first tile of all.
  void find(Index end) {
    next = end;
    has_value = false;
    while (next > 0 && !has_value) {
      V prefix = V(0);
      has_value = told.look(next - 1, prefix) == kPrefix;
      if (has_value) {
        value = prefix;
      } else {
        --next;
      }
    }
  }

  /// Joins all tiles before `end`, but for those behind one that takes too long.
  void follow(Index end) {
    for (int looks = 0; next < end && looks < kPatience; ++looks) {
      V number = V(0);
      const uint state = told.look(next, number);
      if (state == 0) continue;
      looks = 0;
      if (state == kPrefix) {
        value = number;
        has_value = true;
        ++next;
      } else {
        join(number);
      }
    }
  }
};

/// A tile: `kWidth` columns (or one row) by as many segments as the threads make, each `kItems` long.
template <class Operation, class T, class V, class Index, int kItems, int kWidth>
struct ScanTile {
  V x[kItems];     ///< the scan of this thread's items
  V total;         ///< up to the end of its segment
  V last;          ///< of the column
  bool has_first;  ///< whether there is a segment before it, with
  V first;         ///< this total

  /// Items from `begin` on; there are `length` in the column.
  void load(device const T* in, Index step, Index begin, Index length, threadgroup V* shared,
            Position<Index> here) {
    const Index segment = begin + Index(here.number) / kWidth * kItems;
    for (int i = 0; i < kItems; ++i) {
      x[i] = segment + i < length ? V(in[(segment + i) * step]) : V(0);
      if (i > 0) x[i] = Operation::apply(x[i - 1], x[i]);
    }
    total = x[kItems - 1];
    threadgroup V* numbers = shared;
    threadgroup V* others = shared + here.threads;
    numbers[here.number] = total;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint distance = kWidth; distance < here.threads; distance *= 2) {
      if (here.number >= distance) total = Operation::apply(numbers[here.number - distance], total);
      others[here.number] = total;
      threadgroup V* swapped = numbers;
      numbers = others;
      others = swapped;
      threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    has_first = here.number >= uint(kWidth);
    first = numbers[has_first ? here.number - kWidth : here.number];
    last = numbers[here.threads - kWidth + here.number % kWidth];
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }

  /// Writes the scan of the items behind `before`, if there is something before the tile.
  void store(device T* out, Index step, Index begin, Index length, bool has_before, V before,
             Position<Index> here) {
    const V start = !has_first ? before : has_before ? Operation::apply(before, first) : first;
    const Index segment = begin + Index(here.number) / kWidth * kItems;
    for (int i = 0; i < kItems; ++i) {
      if (segment + i < length)
        out[(segment + i) * step] = T(has_before || has_first ? Operation::apply(start, x[i]) : x[i]);
    }
  }
};

/// Threadgroups scan tiles, those that come first the first ones. `words` has a ticket, then what has been
/// told; all of it is 0 at the beginning. `waits` has a number for each column of a tile.
template <class Operation, class T, class V, class Index, int kItems, int kWidth>
inline void scan_tiles(device const T* in, device T* out, device atomic_uint* words,
                       constant ScanLayout<Index>& layout, constant Axis<Index>* axes, threadgroup V* shared,
                       threadgroup int32_t* waits, Position<Index> here) {
  if (here.number == 0) waits[0] = int32_t(atomic_fetch_add_explicit(words, 1u, memory_order_relaxed));
  threadgroup_barrier(mem_flags::mem_threadgroup);
  const Index ticket = waits[0], extent = Index(here.threads) / kWidth * kItems;
  const Index tiles = (layout.length + extent - 1) / extent, tile = ticket % tiles;
  const Index across = ticket / tiles, column = across * kWidth + Index(here.number) % kWidth;
  if (across * kWidth >= layout.rows) return;
  const bool is_there = column < layout.rows, is_front = here.number < uint(kWidth);
  const Index length = is_there ? layout.length : 0;
  in += layout.in_first + first_offset(column, layout.axes, axes);
  out += layout.out_first + second_offset(column, layout.axes, axes);

  ScanTile<Operation, T, V, Index, kItems, kWidth> own;
  own.load(in, layout.in_step, tile * extent, length, shared, here);
  Before<Operation, V, Index, kWidth> before;
  before.told.words = words + 1 + across * tiles * before.told.kWords * kWidth + Index(here.number) % kWidth;
  before.next = tile;
  before.has_value = false;
  if (is_front && is_there && tile > 0) {
    before.told.tell(tile, kAggregate, own.last);
    before.find(tile);
  }
  while (tile > 0) {
    if (is_front) {
      before.follow(tile);
      waits[here.number] = int32_t(before.next);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    Index late = tile;
    for (int i = 0; i < kWidth; ++i) late = min(late, Index(waits[i]));
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (late == tile) break;
    ScanTile<Operation, T, V, Index, kItems, kWidth> other;
    other.load(in, layout.in_step, late * extent, length, shared, here);
    if (is_front && before.next == late) before.join(other.last);
  }
  if (is_front && is_there) {
    const V prefix = before.has_value ? Operation::apply(before.value, own.last) : own.last;
    before.told.tell(tile, kPrefix, prefix);
    shared[here.number] = before.has_value ? before.value : prefix;
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (is_there) own.store(out, layout.out_step, tile * extent, length, tile > 0, shared[here.number % kWidth], here);
}
