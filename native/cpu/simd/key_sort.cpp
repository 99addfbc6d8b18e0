// Sorting unsigned integers in the registers of AVX-512: a quicksort that partitions whole registers, and
// leaves short ranges to a bitonic network. Both without a branch that depends on a key.

#include "cpu/simd/kernel_parts.h"

#if defined(__AVX512F__)

#include <immintrin.h>

namespace ftrans::cpu::FTRANS_ISA_NAMESPACE {
namespace {

using Register = __m512i;

/// What the algorithms need to know of a register of keys.
template <typename Key>
struct Lanes;

template <>
struct Lanes<uint32_t> {
  static constexpr int kCount = 16;
  using Mask = __mmask16;
  static constexpr Mask kAll = 0xffff;
  static Register fill(uint32_t key) { return _mm512_set1_epi32(static_cast<int>(key)); }
  static Register ramp() { return _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0); }
  static Register least(Register a, Register b) { return _mm512_maskz_min_epu32(kAll, a, b); }
  static Register greatest(Register a, Register b) { return _mm512_maskz_max_epu32(kAll, a, b); }
  static Register blend(Mask mask, Register a, Register b) { return _mm512_mask_blend_epi32(mask, a, b); }
  static Register permute(Register lanes, Register a) {
    return _mm512_maskz_permutexvar_epi32(kAll, lanes, a);
  }
  static Register permute(Register a, Register lanes, Register b) {
    return _mm512_permutex2var_epi32(a, lanes, b);
  }
  static Mask less(Register a, Register b) { return _mm512_cmplt_epu32_mask(a, b); }
  static Register compress(Mask mask, Register a) { return _mm512_maskz_compress_epi32(mask, a); }
  static Register load(Mask mask, const uint32_t* from, Register otherwise) {
    return _mm512_mask_loadu_epi32(otherwise, mask, from);
  }
  static void store(uint32_t* to, Mask mask, Register a) { _mm512_mask_storeu_epi32(to, mask, a); }
};

template <>
struct Lanes<uint64_t> {
  static constexpr int kCount = 8;
  using Mask = __mmask8;
  static constexpr Mask kAll = 0xff;
  static Register fill(uint64_t key) { return _mm512_set1_epi64(static_cast<long long>(key)); }
  static Register ramp() { return _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0); }
  static Register least(Register a, Register b) { return _mm512_maskz_min_epu64(kAll, a, b); }
  static Register greatest(Register a, Register b) { return _mm512_maskz_max_epu64(kAll, a, b); }
  static Register blend(Mask mask, Register a, Register b) { return _mm512_mask_blend_epi64(mask, a, b); }
  static Register permute(Register lanes, Register a) {
    return _mm512_maskz_permutexvar_epi64(kAll, lanes, a);
  }
  static Register permute(Register a, Register lanes, Register b) {
    return _mm512_permutex2var_epi64(a, lanes, b);
  }
  static Mask less(Register a, Register b) { return _mm512_cmplt_epu64_mask(a, b); }
  static Register compress(Mask mask, Register a) { return _mm512_maskz_compress_epi64(mask, a); }
  static Register load(Mask mask, const uint64_t* from, Register otherwise) {
    return _mm512_mask_loadu_epi64(otherwise, mask, from);
  }
  static void store(uint64_t* to, Mask mask, Register a) { _mm512_mask_storeu_epi64(to, mask, a); }
};

template <typename Key>
using MaskOf = typename Lanes<Key>::Mask;

/// The mask of the first `count` lanes, of which there may be fewer.
template <typename Key>
MaskOf<Key> first_lanes(int64_t count) {
  const int64_t bits = count < 0 ? 0 : count > 32 ? 32 : count;
  return static_cast<MaskOf<Key>>(_bzhi_u32(~0u, static_cast<uint32_t>(bits)));
}

/// `rows` registers of keys. While they are sorted, the keys of lane 0 come first, then those of lane 1: most
/// steps of the network then compare registers with registers, lane by lane.
template <typename Key, int rows>
struct Block {
  using L = Lanes<Key>;
  static constexpr int kSize = rows * L::kCount;
  Register keys[rows];

  /// Fewer than kSize keys are followed by the greatest possible ones.
  void load(const Key* from, int64_t n) {
    const Register greatest = L::fill(~Key{0});
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
      keys[r] = L::load(first_lanes<Key>(n - r * L::kCount), from + r * L::kCount, greatest);
    }
  }

  void store(Key* to, int64_t n) const {
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
      L::store(to + r * L::kCount, first_lanes<Key>(n - r * L::kCount), keys[r]);
    }
  }

  void sort() {
    sort_runs<2>();
    to_memory_order();
  }

 private:
  /// Merges sorted runs of length / 2 keys in pairs, then those of the next length.
  template <int length>
  void sort_runs() {
    if constexpr (length <= kSize) {
      compare<length - 1>();  // the first half with the second one, read backwards: both are bitonic then
      clean<length / 4>();
      sort_runs<2 * length>();
    }
  }

  template <int distance>
  void clean() {
    if constexpr (distance > 0) {
      compare<distance>();
      clean<distance / 2>();
    }
  }

  /// Exchanges the keys at the positions i and i ^ flip that are in the wrong order.
  template <int flip>
  void compare() {
    constexpr int kRowFlip = flip % rows, kLaneFlip = flip / rows;
    const Register partners = _mm512_xor_si512(L::ramp(), L::fill(kLaneFlip));
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
      Register& a = keys[r];
      Register& b = keys[r ^ kRowFlip];
      if (&b < &a) continue;
      const Register other = kLaneFlip > 0 ? L::permute(partners, b) : b;
      const Register low = L::least(a, other), high = L::greatest(a, other);
      if constexpr (kLaneFlip == 0) {
        a = low, b = high;
      } else {
        a = L::blend(upper_lanes(kLaneFlip), low, high);
        if constexpr (kRowFlip > 0) b = L::permute(partners, L::blend(upper_lanes(kLaneFlip), high, low));
      }
    }
  }

  /// The lanes i with i ^ flip < i.
  static constexpr MaskOf<Key> upper_lanes(int flip) {
    int mask = 0;
    for (int lane = 0; lane < L::kCount; ++lane) mask |= ((lane ^ flip) < lane) << lane;
    return static_cast<MaskOf<Key>>(mask);
  }

  /// Interleaves the first half of the registers with the second one until neighbours are neighbours in
  /// memory.
  void to_memory_order() {
    alignas(64) Key order[2 * L::kCount];
    for (int i = 0; i < 2 * L::kCount; ++i) order[i] = static_cast<Key>(i / 2 + i % 2 * L::kCount);
    const Register lower = _mm512_load_si512(order), upper = _mm512_load_si512(order + L::kCount);
#pragma GCC unroll 4
    for (int done = 1; done < rows; done *= 2) {
      Register mixed[rows];
#pragma GCC unroll 8
      for (int r = 0; r < rows / 2; ++r) {
        mixed[2 * r] = L::permute(keys[r], lower, keys[r + rows / 2]);
        mixed[2 * r + 1] = L::permute(keys[r], upper, keys[r + rows / 2]);
      }
#pragma GCC unroll 16
      for (int r = 0; r < rows; ++r) keys[r] = mixed[r];
    }
  }
};

template <typename Key, int rows>
void sort_block(const Key* from, int64_t n, Key* to) {
  Block<Key, rows> block;
  block.load(from, n);
  block.sort();
  block.store(to, n);
}

template <typename Key>
constexpr int64_t kLeaf = 16 * Lanes<Key>::kCount;

template <typename Key>
void sort_leaf(const Key* from, int64_t n, Key* to) {
  constexpr int64_t kLanes = Lanes<Key>::kCount;
  if (n <= kLanes) return sort_block<Key, 1>(from, n, to);
  if (n <= 2 * kLanes) return sort_block<Key, 2>(from, n, to);
  if (n <= 4 * kLanes) return sort_block<Key, 4>(from, n, to);
  if (n <= 8 * kLanes) return sort_block<Key, 8>(from, n, to);
  sort_block<Key, 16>(from, n, to);
}

/// Moves the keys for which belongs(key) to `below`, and the others in front of `end`. Their number is
/// returned.
template <typename Key, typename Belongs>
int64_t partition(const Key* keys, int64_t n, Key* below, Key* end, Belongs belongs) {
  using L = Lanes<Key>;
  const Key* const start = below;
  const auto move = [&](Register a, MaskOf<Key> valid, int count) {
    const MaskOf<Key> mask = valid & belongs(a);
    const int first = __builtin_popcount(mask), rest = count - first;
    L::store(below, first_lanes<Key>(first), L::compress(mask, a));
    below += first;
    end -= rest;
    L::store(end, first_lanes<Key>(rest), L::compress(valid & ~mask, a));
  };
  int64_t i = 0;
  for (; i + L::kCount <= n; i += L::kCount) move(_mm512_loadu_si512(keys + i), L::kAll, L::kCount);
  if (i < n) {
    const MaskOf<Key> valid = first_lanes<Key>(n - i);
    move(L::load(valid, keys + i, Register{}), valid, static_cast<int>(n - i));
  }
  return below - start;
}

template <typename Key>
int64_t partition_less(const Key* keys, int64_t n, Key pivot, Key* below, Key* end) {
  const Register bound = Lanes<Key>::fill(pivot);
  return partition(keys, n, below, end, [&](Register a) { return Lanes<Key>::less(a, bound); });
}

/// About the median of a range: that of `rows` registers of keys from all over it.
template <int rows, typename Key>
Key median_of_sample(const Key* keys, int64_t n) {
  constexpr int64_t kCount = rows * Lanes<Key>::kCount;
  Key sample[kCount];
  for (int64_t i = 0; i < kCount; ++i) sample[i] = keys[(2 * i + 1) * n / (2 * kCount)];
  sort_block<Key, rows>(sample, kCount, sample);
  return sample[kCount / 2];
}

/// Moves the root of a heap of n keys to its place.
template <typename Key>
void sift_down(Key* heap, int64_t root, int64_t n) {
  const Key key = heap[root];
  for (int64_t child = 2 * root + 1; child < n; child = 2 * root + 1) {
    if (child + 1 < n && heap[child] < heap[child + 1]) ++child;
    if (heap[child] <= key) break;
    heap[root] = heap[child];
    root = child;
  }
  heap[root] = key;
}

template <typename Key>
void heap_sort(Key* keys, int64_t n) {
  for (int64_t root = n / 2 - 1; root >= 0; --root) sift_down(keys, root, n);
  for (int64_t last = n - 1; last > 0; --last) {
    const Key key = keys[last];
    keys[last] = keys[0];
    keys[0] = key;
    sift_down(keys, 0, last);
  }
}

/// Sorts n keys, none below `least`, from `keys` into `result`, which is either `keys` or `other`.
template <typename Key>
void quicksort(Key* keys, Key* other, Key* result, int64_t n, Key least, int splits_left) {
  if (n <= kLeaf<Key>) return sort_leaf(keys, n, result);
  if (splits_left == 0) {  // pivots that are far from the medians time and again
    if (result != keys) __builtin_memcpy(result, keys, n * sizeof(Key));
    return heap_sort(result, n);
  }
  constexpr int64_t kLongRange = 1 << 10;
  const Key pivot = n < kLongRange ? median_of_sample<1>(keys, n) : median_of_sample<4>(keys, n);
  if (pivot == least) {  // many of its kind: all of them are done
    const Register bound = Lanes<Key>::fill(pivot);
    const int64_t equal = partition(keys, n, other, other + n, [&](Register a) {
      return static_cast<MaskOf<Key>>(~Lanes<Key>::less(bound, a));
    });
    for (int64_t i = 0; i < equal; ++i) result[i] = pivot;
    return quicksort(other + equal, keys + equal, result + equal, n - equal, pivot, splits_left - 1);
  }
  const int64_t below = partition_less(keys, n, pivot, other, other + n);
  quicksort(other, keys, result, below, least, splits_left - 1);
  quicksort(other + below, keys + below, result + below, n - below, pivot, splits_left - 1);
}

template <typename Key>
void sort_keys(void* keys, void* spare, int64_t n) {
  Key* const k = static_cast<Key*>(keys);
  quicksort(k, static_cast<Key*>(spare), k, n, Key{0}, 2 * (64 - __builtin_clzll(n | 1)));
}

template <typename Key>
void partition_keys(const void* keys, int64_t n, const void* pivot, void* below, void* end) {
  partition_less(static_cast<const Key*>(keys), n, *static_cast<const Key*>(pivot), static_cast<Key*>(below),
                 static_cast<Key*>(end));
}

}  // namespace

KeySort key_sort(int64_t itemsize) {
  if (itemsize == 4) return {sort_keys<uint32_t>, partition_keys<uint32_t>};
  return {sort_keys<uint64_t>, partition_keys<uint64_t>};
}

}  // namespace ftrans::cpu::FTRANS_ISA_NAMESPACE

#else

namespace ftrans::cpu::FTRANS_ISA_NAMESPACE {

KeySort key_sort(int64_t) { return {}; }

}  // namespace ftrans::cpu::FTRANS_ISA_NAMESPACE

#endif
