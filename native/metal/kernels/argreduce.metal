// The places of extremes along an axis: of equal ones, and of several NaN, the first. Where there are too few
// results to keep a device busy, each axis is divided into parts, whose results a second pass joins.

template <class Index>
struct SearchLayout {
  Index results, length;
  Index parts, part;  ///< how many an axis has; items in each but the last
  Index in_first, in_step;
  Index axes;  ///< of the results
};

/// An element and where it is; a place below 0 for none.
template <class Order, class V>
struct Extreme {
  V value;
  int32_t place;

  void take(V other, int32_t at) {
    const bool wins = place < 0 || Order::is_better(other, value) ||
                      (at < place && !Order::is_better(value, other));
    if (at < 0 || !wins) return;
    value = other;
    place = at;
  }
};

/// Writes the result of a part: [part][result], or the places alone of all there is.
template <bool partial, class Order, class V, class Index>
inline void put_extreme(Extreme<Order, V> best, device int32_t* places, device V* values, Index at) {
  places[at] = best.place;
  if (partial) values[at] = best.value;
}

/// A threadgroup searches a part of a row.
template <class Order, class T, class V, class Index, bool partial>
inline void search_rows(device const T* in, device int32_t* places, device V* values,
                        constant SearchLayout<Index>& layout, constant Axis<Index>* axes,
                        threadgroup V* shared_values, threadgroup int32_t* shared_places,
                        Position<Index> here) {
  const Index result = here.group / layout.parts, part = here.group % layout.parts;
  if (result >= layout.results) return;
  in += layout.in_first + first_offset(result, layout.axes, axes);
  const Index begin = part * layout.part, end = min(Index(begin + layout.part), layout.length);
  Extreme<Order, V> best = {V(0), -1};
  for (Index i = begin + Index(here.number); i < end; i += Index(here.threads))
    best.take(V(in[i * layout.in_step]), int32_t(i));
  for (uint mask = 16; mask > 0; mask /= 2) {
    const V value = from_lane(best.value, here.lane ^ mask);
    best.take(value, from_lane(best.place, here.lane ^ mask));
  }
  if (here.lane == 0) {
    shared_values[here.simdgroup] = best.value;
    shared_places[here.simdgroup] = best.place;
  }
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (here.number != 0) return;
  for (uint i = 1; i < here.threads / 32; ++i) best.take(shared_values[i], shared_places[i]);
  put_extreme<partial>(best, places, values, part * layout.results + result);
}

/// A thread searches a part of a column.
template <class Order, class T, class V, class Index, bool partial>
inline void search_columns(device const T* in, device int32_t* places, device V* values,
                           constant SearchLayout<Index>& layout, constant Axis<Index>* axes,
                           Position<Index> here) {
  const Index result = here.in_grid() % layout.results, part = here.in_grid() / layout.results;
  if (part >= layout.parts) return;
  in += layout.in_first + first_offset(result, layout.axes, axes);
  const Index begin = part * layout.part, end = min(Index(begin + layout.part), layout.length);
  Extreme<Order, V> best = {V(0), -1};
  for (Index i = begin; i < end; ++i) best.take(V(in[i * layout.in_step]), int32_t(i));
  put_extreme<partial>(best, places, values, here.in_grid());
}

/// A thread joins the parts of a result.
template <class Order, class V, class Index>
inline void join_extremes(device const int32_t* places, device const V* values, device int32_t* out,
                          constant SearchLayout<Index>& layout, constant Axis<Index>*, Position<Index> here) {
  const Index result = here.in_grid();
  if (result >= layout.results) return;
  Extreme<Order, V> best = {V(0), -1};
  for (Index part = 0; part < layout.parts; ++part)
    best.take(values[part * layout.results + result], places[part * layout.results + result]);
  out[result] = best.place;
}
