#include <bit>

#include "cpu/steps/kernels.h"
#include "cpu/steps/support.h"

namespace ftrans::cpu::steps {
namespace {

constexpr int64_t kGrain = 1 << 15;

/// Threefry-2x32 with 20 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011),
/// in counter mode: output[i] is the xor of the two words that the 64-bit counter i becomes under `key`.
FTRANS_MULTIVERSION void threefry(uint32_t key0, uint32_t key1, int64_t begin, int64_t end,
                                  uint32_t* output) {
  constexpr int kRotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
  const uint32_t keys[3] = {key0, key1, key0 ^ key1 ^ 0x1BD11BDAu};
  while (begin < end) {
    // Within a block that ends at a multiple of 2^31, the high word of the counter is constant.
    const uint32_t high = static_cast<uint32_t>(static_cast<uint64_t>(begin) >> 32);
    const int64_t stop = std::min(end, ((begin >> 31) + 1) << 31);
    const uint32_t low = static_cast<uint32_t>(begin);
    const uint32_t count = static_cast<uint32_t>(stop - begin);
    for (uint32_t i = 0; i < count; ++i) {
      uint32_t x0 = high + keys[0];
      uint32_t x1 = low + i + keys[1];
      for (uint32_t group = 0; group < 5; ++group) {
        for (int round = 0; round < 4; ++round) {
          x0 += x1;
          x1 = std::rotl(x1, kRotations[group % 2][round]) ^ x0;
        }
        x0 += keys[(group + 1) % 3];
        x1 += keys[(group + 2) % 3] + group + 1;
      }
      output[i] = x0 ^ x1;
    }
    output += count;
    begin = stop;
  }
}

}  // namespace

void random_bits(const StepArguments& arguments) {
  const TensorView& key = arguments.inputs[0];
  const TensorView& output = arguments.outputs[0];
  const int key_axes = key.ndim - 1;
  int64_t key_count = 1;
  for (int axis = 0; axis < key_axes; ++axis) key_count *= key.shape[axis];
  if (key_count == 0 || output.size() == 0) return;
  const int64_t per_key = output.size() / key_count;

  const auto fill = [&](int64_t which, int64_t begin, int64_t end) {
    const Dims coordinate = coordinate_of(which, key.shape, key_axes);
    const uint32_t* words = key.as<const uint32_t>();
    for (int axis = 0; axis < key_axes; ++axis) words += coordinate[axis] * key.strides[axis];
    threefry(words[0], words[key.strides[key_axes]], begin, end,
             output.as<uint32_t>() + which * per_key + begin);
  };
  ThreadPool& pool = ThreadPool::instance();
  if (per_key > kGrain) {
    for (int64_t which = 0; which < key_count; ++which) {
      pool.parallel_for(per_key, kGrain, [&](int64_t begin, int64_t end) { fill(which, begin, end); });
    }
  } else {
    pool.parallel_for(key_count, std::max<int64_t>(1, kGrain / per_key), [&](int64_t begin, int64_t end) {
      for (int64_t which = begin; which < end; ++which) fill(which, 0, per_key);
    });
  }
}

}  // namespace ftrans::cpu::steps
