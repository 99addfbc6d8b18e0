// Exchange between the lanes of a SIMD-group, for every type that is reduced.

inline int32_t exchanged(int32_t x, uint16_t mask) { return simd_shuffle_xor(x, mask); }
inline uint32_t exchanged(uint32_t x, uint16_t mask) { return simd_shuffle_xor(x, mask); }
inline float exchanged(float x, uint16_t mask) { return simd_shuffle_xor(x, mask); }
inline float2 exchanged(float2 x, uint16_t mask) {
  return float2(simd_shuffle_xor(x.x, mask), simd_shuffle_xor(x.y, mask));
}
inline bool exchanged(bool x, uint16_t mask) { return simd_shuffle_xor(uint32_t(x), mask) != 0u; }
inline int8_t exchanged(int8_t x, uint16_t mask) { return int8_t(simd_shuffle_xor(int32_t(x), mask)); }
inline int16_t exchanged(int16_t x, uint16_t mask) { return int16_t(simd_shuffle_xor(int32_t(x), mask)); }
inline uint8_t exchanged(uint8_t x, uint16_t mask) { return uint8_t(simd_shuffle_xor(uint32_t(x), mask)); }
inline uint16_t exchanged(uint16_t x, uint16_t mask) { return uint16_t(simd_shuffle_xor(uint32_t(x), mask)); }
inline uint64_t exchanged(uint64_t x, uint16_t mask) {
  const uint64_t high = uint64_t(simd_shuffle_xor(uint32_t(x >> 32), mask));
  return high << 32 | uint64_t(simd_shuffle_xor(uint32_t(x), mask));
}
inline int64_t exchanged(int64_t x, uint16_t mask) { return int64_t(exchanged(uint64_t(x), mask)); }
