// Sorting by merging, which keeps the order of equal items. An item is a value, or an entry (uint2 or ulong2)
// of a key and the place that it came from. Layout: length of the rows, their number, and what each kernel
// says.

namespace movement {

enum { kItems = 4, kTile = 1024 };  // of a thread, of a threadgroup

/// Unsigned integers in the order of the values: -0.0 equals 0.0, NaN is the greatest.
inline uint32_t order_key(uint8_t x) { return x; }
inline uint32_t order_key(uint16_t x) { return x; }
inline uint32_t order_key(uint32_t x) { return x; }
inline uint64_t order_key(uint64_t x) { return x; }
inline uint32_t order_key(int8_t x) { return uint32_t(int32_t(x)) ^ 0x80000000u; }
inline uint32_t order_key(int16_t x) { return uint32_t(int32_t(x)) ^ 0x80000000u; }
inline uint32_t order_key(int32_t x) { return uint32_t(x) ^ 0x80000000u; }
inline uint64_t order_key(int64_t x) { return uint64_t(x) ^ 0x8000000000000000ul; }
inline uint32_t order_key(float x) {
  const uint32_t bits = as_type<uint32_t>(x), size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) return 0xffffffffu;
  return bits == size || size == 0 ? size | 0x80000000u : ~bits;
}
inline uint32_t order_key(half x) { return order_key(float(x)); }
inline uint32_t order_key(bfloat x) { return order_key(float(x)); }
/// By real, then imaginary part; then numbers whose imaginary part alone is NaN; then those whose real part
/// is.
inline uint64_t order_key(float2 x) {
  const uint32_t real = order_key(x.x), imaginary = order_key(x.y), nan = 0xffffffffu;
  const uint32_t high = real == nan ? nan : imaginary == nan ? nan - 1 : real;
  const uint32_t low = real != nan && imaginary == nan ? real : imaginary;
  return uint64_t(high) << 32 | low;
}
inline uint32_t order_key(uint2 entry) { return entry.x; }
inline uint64_t order_key(ulong2 entry) { return entry.x; }

/// How many of the first `diagonal` items of two runs, merged, come from `a`.
template <class Items>
inline uint merge_path(Items a, uint a_count, Items b, uint b_count, uint diagonal) {
  uint low = diagonal > b_count ? diagonal - b_count : 0, high = min(diagonal, a_count);
  while (low < high) {
    const uint middle = (low + high) / 2;
    if (order_key(b[diagonal - 1 - middle]) < order_key(a[middle])) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

/// The `count` items from place `diagonal` on of two runs, merged.
template <class Item>
inline void merge_items(threadgroup const Item* a, uint a_count, threadgroup const Item* b, uint b_count,
                        uint diagonal, uint count, thread Item* items) {
  uint i = merge_path(a, a_count, b, b_count, diagonal), j = diagonal - i;
  for (uint k = 0; k < count; ++k) {
    const bool from_b = i >= a_count || (j < b_count && order_key(b[j]) < order_key(a[i]));
    if (from_b) {
      items[k] = b[j++];
    } else {
      items[k] = a[i++];
    }
  }
}

/// How many of a thread's items there are.
inline uint own_count(uint count, uint first) { return count > first ? min(count - first, uint(kItems)) : 0; }

/// Sorts the `count` items that threads hold, kItems each, from `first` on; all threads together have room
/// for `capacity`.
template <class Item>
inline void sort_held(thread Item* items, threadgroup Item* shared, uint count, uint first, uint capacity) {
  const uint own = own_count(count, first);
  for (uint i = 1; i < own; ++i) {
    const Item item = items[i];
    uint place = i;
    for (; place > 0 && order_key(item) < order_key(items[place - 1]); --place)
      items[place] = items[place - 1];
    items[place] = item;
  }
  for (uint run = kItems; run < capacity; run *= 2) {
    for (uint i = 0; i < own; ++i) shared[first + i] = items[i];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (own > 0) {
      const uint begin = first / (2 * run) * (2 * run);
      const uint a_count = min(run, count - begin), b_count = min(run, count - begin - a_count);
      merge_items<Item>(shared + begin, a_count, shared + begin + a_count, b_count, first - begin, own,
                        items);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
}

/// Where a thread's items are: threads.x threads share a row's tile, and threads.y rows a threadgroup.
struct Held {
  uint64_t row;
  uint32_t tile, first, count;  ///< begin of the tile, of the thread's items within it, items of the tile

  Held(constant uint32_t* layout, uint3 group, uint3 position, uint3 threads) {
    row = uint64_t(group.y) * threads.y + position.y;
    tile = group.x * kTile;
    first = position.x * kItems;
    count = row < layout[1] ? min(layout[0] - tile, uint(kTile)) : 0;
  }
};

template <class T>
inline void sort_values(device const T* source, device T* destination, constant uint32_t* layout,
                        threadgroup T* shared, uint3 group, uint3 position, uint3 threads) {
  const Held held(layout, group, position, threads);
  const uint64_t place = held.row * layout[0] + held.tile + held.first;
  const uint own = own_count(held.count, held.first), capacity = threads.x * kItems;
  T items[kItems];
  for (uint i = 0; i < own; ++i) items[i] = source[place + i];
  sort_held<T>(items, shared + position.y * capacity, held.count, held.first, capacity);
  for (uint i = 0; i < own; ++i) destination[place + i] = items[i];
}

/// Entries by the values, of type T. Layout: whether `order` has the entries that a sort by another key left.
template <class T, class E>
inline void sort_entries(device const T* values, device const E* order, device E* destination,
                         constant uint32_t* layout, threadgroup E* shared, uint3 group, uint3 position,
                         uint3 threads) {
  const Held held(layout, group, position, threads);
  const uint64_t row = held.row * layout[0], place = row + held.tile + held.first;
  const uint own = own_count(held.count, held.first), capacity = threads.x * kItems;
  E items[kItems];
  for (uint i = 0; i < own; ++i) {
    items[i].y = layout[2] != 0 ? order[place + i].y : held.tile + held.first + i;
    items[i].x = order_key(values[row + items[i].y]);
  }
  sort_held<E>(items, shared + position.y * capacity, held.count, held.first, capacity);
  for (uint i = 0; i < own; ++i) destination[place + i] = items[i];
}

/// Merges sorted runs in pairs; each threadgroup writes a tile. Layout: length of the runs.
template <class Item>
inline void merge_runs(device const Item* source, device Item* destination, constant uint32_t* layout,
                       threadgroup Item* shared, threadgroup uint* bounds, uint3 group, uint3 position,
                       uint3) {
  const uint length = layout[0], run = layout[2], tile = group.x * kTile;
  const uint begin = tile / (2 * run) * (2 * run);
  source += uint64_t(group.y) * length + begin;
  destination += uint64_t(group.y) * length + tile;
  const uint a_count = min(run, length - begin), b_count = min(run, length - begin - a_count);
  const uint count = min(length - tile, uint(kTile)), diagonal = tile - begin;
  if (position.x < 2)
    bounds[position.x] =
        merge_path(source, a_count, source + a_count, b_count, diagonal + position.x * count);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  const uint a_begin = bounds[0], a_own = bounds[1] - a_begin, b_begin = diagonal - a_begin;
  for (uint i = position.x; i < count; i += kTile / kItems)
    shared[i] = i < a_own ? source[a_begin + i] : source[a_count + b_begin + (i - a_own)];
  threadgroup_barrier(mem_flags::mem_threadgroup);
  const uint first = position.x * kItems, own = own_count(count, first);
  Item items[kItems];
  if (own > 0) merge_items<Item>(shared, a_own, shared + a_own, count - a_own, first, own, items);
  for (uint i = 0; i < own; ++i) destination[first + i] = items[i];
}

/// The elements in the order of the entries.
template <class T, class E>
inline void take_sorted(device const T* source, device const E* entries, device T* destination,
                        constant uint32_t* layout, uint3 position, uint3 threads) {
  for (uint64_t row = position.y; row < layout[1]; row += threads.y) {
    for (uint x = position.x; x < layout[0]; x += threads.x)
      destination[row * layout[0] + x] = source[row * layout[0] + entries[row * layout[0] + x].y];
  }
}

}  // namespace movement
