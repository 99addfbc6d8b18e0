// What the kernels of steps have in common. They are templates over T, the type of an element in memory; V, the
// one in registers (float for half and bfloat, bool for a byte that is one); and Index, a signed type in which
// offsets and extents are counted. Each is called by a kernel of a few lines that KernelCall prints.

/// Where a thread is.
template <class Index>
struct Position {
  Index group;           ///< number of its threadgroup
  uint number, threads;  ///< its own within the threadgroup, which has so many
  uint lane, simdgroup;

  Index in_grid() const { return group * Index(threads) + Index(number); }
  Index simdgroup_in_grid() const { return group * Index(threads / 32) + Index(simdgroup); }
};

/// One of `count` axes along which two operands are walked.
template <class Index>
struct Axis {
  Index extent, first_stride, second_stride;
};

/// The offset in the first (second) operand of item `number`, in row-major order.
template <class Index>
inline Index first_offset(Index number, Index count, constant Axis<Index>* axes) {
  Index offset = 0;
  for (Index i = count - 1; i >= 0; --i) {
    offset += number % axes[i].extent * axes[i].first_stride;
    number /= axes[i].extent;
  }
  return offset;
}
template <class Index>
inline Index second_offset(Index number, Index count, constant Axis<Index>* axes) {
  Index offset = 0;
  for (Index i = count - 1; i >= 0; --i) {
    offset += number % axes[i].extent * axes[i].second_stride;
    number /= axes[i].extent;
  }
  return offset;
}

// What another lane of the SIMD-group has.
inline int32_t from_lane(int32_t x, uint lane) { return simd_shuffle(x, uint16_t(lane)); }
inline uint32_t from_lane(uint32_t x, uint lane) { return simd_shuffle(x, uint16_t(lane)); }
inline float from_lane(float x, uint lane) { return simd_shuffle(x, uint16_t(lane)); }
inline float2 from_lane(float2 x, uint lane) { return float2(from_lane(x.x, lane), from_lane(x.y, lane)); }
inline bool from_lane(bool x, uint lane) { return from_lane(uint32_t(x), lane) != 0u; }
inline int8_t from_lane(int8_t x, uint lane) { return int8_t(from_lane(int32_t(x), lane)); }
inline int16_t from_lane(int16_t x, uint lane) { return int16_t(from_lane(int32_t(x), lane)); }
inline uint8_t from_lane(uint8_t x, uint lane) { return uint8_t(from_lane(uint32_t(x), lane)); }
inline uint16_t from_lane(uint16_t x, uint lane) { return uint16_t(from_lane(uint32_t(x), lane)); }
inline uint64_t from_lane(uint64_t x, uint lane) {
  const uint64_t high = uint64_t(from_lane(uint32_t(x >> 32), lane));
  return high << 32 | uint64_t(from_lane(uint32_t(x), lane));
}
inline int64_t from_lane(int64_t x, uint lane) { return int64_t(from_lane(uint64_t(x), lane)); }

// Whether a number comes after another in the order of extremes: NaN after all others, complex numbers by their
// real parts, then by their imaginary parts.
template <class V>
inline bool is_greater(V a, V b) {
  return a > b || (op_is_nan(a) && !op_is_nan(b));
}
template <class V>
inline bool is_less(V a, V b) {
  return a < b || (op_is_nan(a) && !op_is_nan(b));
}
inline bool has_nan(float2 z) { return op_is_nan(z.x) || op_is_nan(z.y); }
inline bool is_greater(float2 a, float2 b) {
  if (has_nan(a) || has_nan(b)) return has_nan(a) && !has_nan(b);
  return a.x > b.x || (a.x == b.x && a.y > b.y);
}
inline bool is_less(float2 a, float2 b) {
  if (has_nan(a) || has_nan(b)) return has_nan(a) && !has_nan(b);
  return a.x < b.x || (a.x == b.x && a.y < b.y);
}

// Operations that join two numbers, of which the first comes earlier. Of equal extremes the first stays.
struct Sum {
  template <class V>
  static V apply(V a, V b) {
    return op_add(a, b);
  }
};
struct Product {
  template <class V>
  static V apply(V a, V b) {
    return op_mul(a, b);
  }
};
struct Maximum {
  template <class V>
  static bool is_better(V a, V b) {
    return is_greater(a, b);
  }
  template <class V>
  static V apply(V a, V b) {
    return is_greater(b, a) ? b : a;
  }
};
struct Minimum {
  template <class V>
  static bool is_better(V a, V b) {
    return is_less(a, b);
  }
  template <class V>
  static V apply(V a, V b) {
    return is_less(b, a) ? b : a;
  }
  /// Of complex numbers that differ at most in the signs of zeros, the last.
  static float2 apply(float2 a, float2 b) { return is_less(a, b) || has_nan(a) ? a : b; }
};
