// Threefry-2x32 with 20 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), in
// counter mode: the result is the xor of the two words that the 64-bit counter becomes under the key.

namespace movement {

inline uint32_t threefry(uint32_t key0, uint32_t key1, uint64_t counter) {
  const uint32_t keys[3] = {key0, key1, key0 ^ key1 ^ 0x1BD11BDAu};
  const uint32_t rotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
  uint32_t x0 = uint32_t(counter >> 32) + keys[0], x1 = uint32_t(counter) + keys[1];
  for (uint32_t group = 0; group < 5; ++group) {
    for (uint32_t round = 0; round < 4; ++round) {
      x0 += x1;
      x1 = rotate(x1, rotations[group % 2 * 4 + round]) ^ x0;
    }
    x0 += keys[(group + 1) % 3];
    x1 += keys[(group + 2) % 3] + group + 1;
  }
  return x0 ^ x1;
}

/// Layout: numbers of a key, keys; base of the keys, step between the words of a key; number of axes of the
/// keys, and these.
template <class I>
inline void random_bits(device const uint32_t* keys, device uint32_t* output, constant I* layout,
                        uint3 position, uint3 threads) {
  for (I row = position.y; row < layout[1]; row += threads.y) {
    I word = layout[2];
    add_offsets<1>(layout + 5, layout[4], row, &word);
    const uint32_t key0 = keys[word], key1 = keys[I(word + layout[3])];
    for (I x = position.x; x < layout[0]; x += threads.x)
      output[row * layout[0] + x] = threefry(key0, key1, uint64_t(x));
  }
}

}  // namespace movement
