// Places in strided arrays. An iteration space is given by its axes, the innermost first: each an extent and,
// for every array, the step that it makes. The innermost axis is walked along by `x`; the others make the
// rows. Offsets are unsigned and wrap, so that steps may be negative.

namespace movement {

/// Adds to the offsets of some arrays what the coordinates of element `index` of the space of `count` axes
/// give.
template <int arrays, class I>
inline void add_offsets(constant I* axes, I count, I index, thread I* offsets) {
  for (I i = 0; i < count; ++i) {
    const I coordinate = index % axes[0];
    index /= axes[0];
    for (int array = 0; array < arrays; ++array) offsets[array] += coordinate * axes[array + 1];
    axes += arrays + 1;
  }
}

/// How many rows a space of `count` axes has, `words` numbers an axis.
template <class I>
inline I row_count(constant I* axes, I count, I words) {
  I rows = 1;
  for (I i = 1; i < count; ++i) rows *= axes[i * words];
  return rows;
}

/// An index as a signed number; one that is too large becomes the largest.
template <class N>
inline int64_t signed_index(N index) {
  return int64_t(index);
}
inline int64_t signed_index(uint64_t index) {
  const uint64_t most = 0x7fffffffffffffff;
  return int64_t(index < most ? index : most);
}

inline int64_t clamped(int64_t index, int64_t limit) { return index < 0 ? 0 : index < limit ? index : limit; }

}  // namespace movement
