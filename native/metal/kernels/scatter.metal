// Writing at indices. An entry is what is written at one place: a window, or, where windows may overlap,
// those of its elements that no other element of it can meet. Its key is the offset in the target where it
// begins, or all ones where it is outside and dropped.

namespace movement {

/// Layout: number of entries, of their axes, of components of an index vector; the axes (target, indices);
/// the components: place among the indices, greatest value, step of the target.
template <class N, class I>
inline void scatter_keys(device const N* indices, device I* keys, constant I* layout,
                         constant uint32_t& clips, uint3 position, uint3 threads) {
  constant I* components = layout + 3 + 3 * layout[1];
  for (I entry = I(position.y) * threads.x + position.x; entry < layout[0];
       entry += I(threads.x) * threads.y) {
    I offsets[2] = {0, 0};
    add_offsets<2>(layout + 3, layout[1], entry, offsets);
    const bool inside = add_window_offset(indices, offsets[1], components, layout[2], clips != 0, offsets[0]);
    keys[entry] = inside ? offsets[0] : I(-1);
  }
}

template <class T>
inline T sum_of(T a, T b) {
  return op_add(a, b);
}
inline half sum_of(half a, half b) { return half(float(a) + float(b)); }
inline bfloat sum_of(bfloat a, bfloat b) { return bfloat(float(a) + float(b)); }
inline float2 sum_of(float2 a, float2 b) { return a + b; }

template <class T>
inline T product_of(T a, T b) {
  return op_mul(a, b);
}
inline half product_of(half a, half b) { return half(float(a) * float(b)); }
inline bfloat product_of(bfloat a, bfloat b) { return bfloat(float(a) * float(b)); }
inline float2 product_of(float2 a, float2 b) { return float2(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x); }

template <class T>
inline bool has_nan(T x) {
  return op_is_nan(x);
}
inline bool has_nan(bool) { return false; }
inline bool has_nan(half x) { return op_is_nan(float(x)); }
inline bool has_nan(bfloat x) { return op_is_nan(float(x)); }
inline bool has_nan(float2 x) { return op_is_nan(x.x) || op_is_nan(x.y); }

template <class T>
inline bool is_less(T a, T b) {
  return a < b;
}
inline bool is_less(bfloat a, bfloat b) { return float(a) < float(b); }
inline bool is_less(float2 a, float2 b) { return a.x < b.x || (a.x == b.x && a.y < b.y); }

/// Which of two the result is does not depend on their order: NaN wins, and -0.0 is below 0.0.
inline float greater_of(float a, float b) {
  if (has_nan(a) || has_nan(b)) return as_type<float>(0x7fc00000u);
  if (a == b) return as_type<float>(as_type<uint32_t>(a) & as_type<uint32_t>(b));
  return a > b ? a : b;
}
template <class T>
inline T greater_of(T a, T b) {
  return a > b ? a : b;
}
inline float lesser_of(float a, float b) {
  if (has_nan(a) || has_nan(b)) return as_type<float>(0x7fc00000u);
  if (a == b) return as_type<float>(as_type<uint32_t>(a) | as_type<uint32_t>(b));
  return a < b ? a : b;
}
template <class T>
inline T lesser_of(T a, T b) {
  return a < b ? a : b;
}

// How an element and an update combine: `apply` in the order of the updates, `join` in any order.
struct set_update {
  template <class T>
  static T apply(T, T update) {
    return update;
  }
};
struct add_update {
  template <class T>
  static T apply(T a, T update) {
    return sum_of(a, update);
  }
  template <class T>
  static T join(T a, T b) {
    return sum_of(a, b);
  }
};
struct mul_update {
  template <class T>
  static T apply(T a, T update) {
    return product_of(a, update);
  }
  template <class T>
  static T join(T a, T b) {
    return product_of(a, b);
  }
};
struct min_update {
  template <class T>
  static T apply(T a, T update) {
    return has_nan(a) || (!is_less(update, a) && !has_nan(update)) ? a : update;
  }
  template <class T>
  static T join(T a, T b) {
    return lesser_of(a, b);
  }
};
struct max_update {
  template <class T>
  static T apply(T a, T update) {
    return has_nan(a) || (!is_less(a, update) && !has_nan(update)) ? a : update;
  }
  template <class T>
  static T join(T a, T b) {
    return greater_of(a, b);
  }
};

template <class Operation, bool atomically>
struct updating {
  template <class T>
  static void apply(device T* at, T update) {
    *at = Operation::apply(*at, update);
  }
};
/// For elements of 32 bits and operations whose order does not matter.
template <class Operation>
struct updating<Operation, true> {
  template <class T>
  static void apply(device T* at, T update) {
    device atomic_uint* word = (device atomic_uint*)at;
    uint32_t before = atomic_load_explicit(word, memory_order_relaxed);
    uint32_t after = as_type<uint32_t>(Operation::join(as_type<T>(before), update));
    while (after != before && !atomic_compare_exchange_weak_explicit(
                                  word, &before, after, memory_order_relaxed, memory_order_relaxed))
      after = as_type<uint32_t>(Operation::join(as_type<T>(before), update));
  }
};
template <>
struct updating<add_update, true> {
  template <class T>
  static void apply(device T* at, T update) {
    atomic_fetch_add_explicit((device atomic_uint*)at, uint32_t(update), memory_order_relaxed);
  }
};

// Layout of what follows: updates base, number of entries, of their axes, of the axes within an entry; the
// former (updates); the latter (target, updates).

/// Every entry by itself: no two meet, or they meet atomically.
template <class T, class Operation, bool atomically, class I>
inline void scatter_each(device T* target, device const T* updates, device const I* keys, constant I* layout,
                         uint3 position, uint3 threads) {
  constant I* inner = layout + 4 + 2 * layout[2];
  const I inner_rows = row_count(inner, layout[3], I(3));
  for (I row = position.y; row < layout[1] * inner_rows; row += threads.y) {
    const I entry = row / inner_rows, key = keys[entry];
    if (key == I(-1)) continue;
    I update = layout[0];
    add_offsets<1>(layout + 4, layout[2], entry, &update);
    I offsets[2] = {key, update};
    add_offsets<2>(inner + 3, I(layout[3] - 1), I(row % inner_rows), offsets);
    for (I x = position.x; x < inner[0]; x += threads.x)
      updating<Operation, atomically>::apply(target + I(offsets[0] + x * inner[1]),
                                             updates[I(offsets[1] + x * inner[2])]);
  }
}

/// Of sorted entries (E: key and number), the last one with its key writes.
template <class T, class E, class I>
inline void scatter_last(device T* target, device const T* updates, device const E* entries,
                         constant I* layout, uint3 position, uint3 threads) {
  constant I* inner = layout + 4 + 2 * layout[2];
  const I inner_rows = row_count(inner, layout[3], I(3));
  for (I row = position.y; row < layout[1] * inner_rows; row += threads.y) {
    const I place = row / inner_rows;
    const E entry = entries[place];
    if (entry.x == I(-1) || (place + 1 < layout[1] && entries[place + 1].x == entry.x)) continue;
    I update = layout[0];
    add_offsets<1>(layout + 4, layout[2], I(entry.y), &update);
    I offsets[2] = {I(entry.x), update};
    add_offsets<2>(inner + 3, I(layout[3] - 1), I(row % inner_rows), offsets);
    for (I x = position.x; x < inner[0]; x += threads.x)
      target[I(offsets[0] + x * inner[1])] = updates[I(offsets[1] + x * inner[2])];
  }
}

/// Of sorted entries, the first one with its key applies all of these, in the order of the updates.
template <class T, class Operation, class E, class I>
inline void scatter_in_order(device T* target, device const T* updates, device const E* entries,
                             constant I* layout, uint3 position, uint3 threads) {
  enum { held = 8 };  // elements that a thread accumulates at a time
  constant I* inner = layout + 4 + 2 * layout[2];
  const I inner_rows = row_count(inner, layout[3], I(3)), count = layout[1];
  for (I row = position.y; row < count * inner_rows; row += threads.y) {
    const I place = row / inner_rows, key = entries[place].x;
    if (key == I(-1) || (place > 0 && entries[place - 1].x == key)) continue;
    I offsets[2] = {key, layout[0]};
    add_offsets<2>(inner + 3, I(layout[3] - 1), I(row % inner_rows), offsets);
    for (I first = position.x; first < inner[0]; first += held * threads.x) {
      T values[held];
      for (int i = 0; i < held; ++i) {
        const I x = first + i * threads.x;
        if (x < inner[0]) values[i] = target[I(offsets[0] + x * inner[1])];
      }
      for (I next = place; next < count && entries[next].x == key; ++next) {
        I update = offsets[1];
        add_offsets<1>(layout + 4, layout[2], I(entries[next].y), &update);
        for (int i = 0; i < held; ++i) {
          const I x = first + i * threads.x;
          if (x < inner[0]) values[i] = Operation::apply(values[i], updates[I(update + x * inner[2])]);
        }
      }
      for (int i = 0; i < held; ++i) {
        const I x = first + i * threads.x;
        if (x < inner[0]) target[I(offsets[0] + x * inner[1])] = values[i];
      }
    }
  }
}

}  // namespace movement
