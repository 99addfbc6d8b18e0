// Reductions of windows: a thread a window, whose elements it takes in row-major order.

/// The axes of the operand: `inner` is how far apart elements are in memory, `flat` how far if it had no gaps.
template <class Index, int kAxes>
struct WindowLayout {
  Index count;  ///< of windows
  Index first;
  Index extent[kAxes], inner[kAxes], flat[kAxes];
  Index positions[kAxes], window[kAxes], stride[kAxes], low[kAxes], dilation[kAxes];
};

/// Calls visitor.visit(offset, flat offset) for those elements of window `number` that are not padding.
template <class Index, int kAxes, class Visitor>
inline void visit_window(Index number, constant WindowLayout<Index, kAxes>& layout, thread Visitor& visitor) {
  Index begin[kAxes], end[kAxes], at[kAxes];
  Index offset = layout.first, flat = 0;
  for (int i = kAxes - 1; i >= 0; --i) {
    const Index start = number % layout.positions[i] * layout.stride[i] - layout.low[i];
    const Index step = layout.dilation[i];
    number /= layout.positions[i];
    begin[i] = start < 0 ? (step - 1 - start) / step : 0;
    end[i] = start < layout.extent[i] ? min(layout.window[i], Index((layout.extent[i] - start - 1) / step + 1)) : 0;
    if (begin[i] >= end[i]) return;
    at[i] = begin[i];
    offset += (start + begin[i] * step) * layout.inner[i];
    flat += (start + begin[i] * step) * layout.flat[i];
  }
  for (int axis = kAxes; axis >= 0;) {
    visitor.visit(offset, flat);
    for (axis = kAxes - 1; axis >= 0; --axis) {
      const Index step = layout.dilation[axis];
      if (++at[axis] < end[axis]) {
        offset += step * layout.inner[axis];
        flat += step * layout.flat[axis];
        break;
      }
      const Index back = (end[axis] - 1 - begin[axis]) * step;
      at[axis] = begin[axis];
      offset -= back * layout.inner[axis];
      flat -= back * layout.flat[axis];
    }
  }
}

template <class Operation, class T, class V, class Index>
struct WindowReducer {
  device const T* in;
  V value;
  void visit(Index offset, Index) { value = Operation::apply(value, V(in[offset])); }
};

/// The first of the best elements.
template <class Order, class T, class V, class Index>
struct WindowSearcher {
  device const T* in;
  V value;
  Index place;
  void visit(Index offset, Index flat) {
    const V other = V(in[offset]);
    if (place >= 0 && !Order::is_better(other, value)) return;
    value = other;
    place = flat;
  }
};

template <class Operation, class T, class V, class Index, int kAxes>
inline void reduce_windows(device const T* in, device T* out, constant WindowLayout<Index, kAxes>& layout,
                           constant Axis<Index>*, V neutral, Position<Index> here) {
  if (here.in_grid() >= layout.count) return;
  WindowReducer<Operation, T, V, Index> reducer = {in, neutral};
  visit_window(here.in_grid(), layout, reducer);
  out[here.in_grid()] = T(reducer.value);
}

template <class Order, class T, class V, class Index, int kAxes, class Place>
inline void search_windows(device const T* in, device Place* out, constant WindowLayout<Index, kAxes>& layout,
                           constant Axis<Index>*, Position<Index> here) {
  if (here.in_grid() >= layout.count) return;
  WindowSearcher<Order, T, V, Index> searcher = {in, V(0), -1};
  visit_window(here.in_grid(), layout, searcher);
  out[here.in_grid()] = Place(searcher.place);
}
