#include "cpu/steps/sort_keys.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "cpu/simd/kernel_set.h"
#include "cpu/steps/support.h"

namespace ftrans::cpu::steps {
namespace {

/// One pass of a radix sort that keeps the order of equal digits: each chunk of `source` counts its digits,
/// then writes its keys behind those with smaller digits and those of earlier chunks.
/// False, and nothing written, if all digits are equal.
template <int digit_bits, typename Key>
bool radix_pass(const Key* source, Key* destination, int64_t length, int shift, int chunks) {
  constexpr int64_t kBuckets = int64_t{1} << digit_bits;
  const auto digit = [&](Key key) { return static_cast<size_t>(key >> shift) % kBuckets; };
  const auto chunk_begin = [&](int64_t chunk) { return length * chunk / chunks; };
  std::vector<int64_t> next(static_cast<size_t>(chunks * kBuckets), 0);
  ThreadPool& pool = ThreadPool::instance();

  pool.parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      int64_t* counts = &next[chunk * kBuckets];
      for (int64_t i = chunk_begin(chunk); i < chunk_begin(chunk + 1); ++i) ++counts[digit(source[i])];
    }
  });
  int64_t position = 0;
  for (int64_t bucket = 0; bucket < kBuckets; ++bucket) {
    const int64_t bucket_begin = position;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      position += std::exchange(next[chunk * kBuckets + bucket], position);
    }
    if (position - bucket_begin == length) return false;
  }
  pool.parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      int64_t* positions = &next[chunk * kBuckets];
      for (int64_t i = chunk_begin(chunk); i < chunk_begin(chunk + 1); ++i) {
        destination[positions[digit(source[i])]++] = source[i];
      }
    }
  });
  return true;
}

/// Stable, by the bits from `first_bit` on.
template <typename Key>
void radix_sort(Key* keys, Key* scratch, int64_t length, int first_bit) {
  constexpr int kKeyBits = 8 * sizeof(Key);
  constexpr int64_t kWideDigitLength = 1 << 14;  // from here on fewer, wider digits pay
  constexpr int64_t kParallelLength = 1 << 16;
  const int chunks = length < kParallelLength ? 1 : ThreadPool::instance().size();
  const bool wide = length >= kWideDigitLength;
  Key* source = keys;
  Key* destination = scratch;
  for (int shift = first_bit; shift < kKeyBits; shift += wide ? 11 : 8) {
    if (wide ? radix_pass<11>(source, destination, length, shift, chunks)
             : radix_pass<8>(source, destination, length, shift, chunks)) {
      std::swap(source, destination);
    }
  }
  if (source != keys) std::memcpy(keys, source, static_cast<size_t>(length) * sizeof(Key));
}

template <typename Key>
FTRANS_MULTIVERSION int64_t count_less(const Key* keys, int64_t n, Key pivot) {
  int64_t count = 0;
  for (int64_t i = 0; i < n; ++i) count += keys[i] < pivot;
  return count;
}

template <typename Key>
Key about_median(const Key* keys, int64_t n) {
  constexpr int64_t kSample = 255;
  Key sample[kSample];
  for (int64_t i = 0; i < kSample; ++i) sample[i] = keys[n * (2 * i + 1) / (2 * kSample)];
  std::nth_element(sample, sample + kSample / 2, sample + kSample);
  return sample[kSample / 2];
}

/// A quicksort by all threads: as long as there are too few ranges for them, they split each range together,
/// part by part; then each takes ranges of its own.
template <typename Key>
class SharedSort {
 public:
  SharedSort(const KeySort& kernel, Key* keys, Key* spare, int64_t n)
      : kernel_(kernel), keys_(keys), spare_(spare), bounds_{0, n} {}

  void run() {
    const int64_t n = bounds_.back(), enough = 2 * ThreadPool::instance().size();
    while (ranges() < enough && n / ranges() > kPartLength) {
      split(keys_, spare_);
      split(spare_, keys_);
    }
    ThreadPool::instance().parallel_for(ranges(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t range = begin; range < end; ++range) {
        const int64_t first = bounds_[range];
        kernel_.sort(keys_ + first, spare_ + first, bounds_[range + 1] - first);
      }
    });
  }

 private:
  static constexpr int64_t kPartLength = 1 << 15;

  /// A part of a range: where it begins and ends, and where its keys go.
  struct Part {
    int64_t begin, end, range;
    Key pivot;
    int64_t less = 0;             ///< how many keys are less than the pivot
    int64_t below = 0, rest = 0;  ///< where those begin, and where the others end
  };

  int64_t ranges() const { return static_cast<int64_t>(bounds_.size()) - 1; }

  /// Moves the keys; each range becomes two.
  void split(const Key* from, Key* to) {
    std::vector<Part> parts = parts_of(from);
    for_each(parts, [&](Part& part) {
      part.less = count_less(from + part.begin, part.end - part.begin, part.pivot);
    });
    place(parts);
    for_each(parts, [&](const Part& part) {
      kernel_.partition(from + part.begin, part.end - part.begin, &part.pivot, to + part.below,
                        to + part.rest);
    });
  }

  std::vector<Part> parts_of(const Key* keys) const {
    std::vector<Part> parts;
    for (int64_t range = 0; range < ranges(); ++range) {
      const int64_t end = bounds_[range + 1];
      if (bounds_[range] == end) continue;
      const Key pivot = about_median(keys + bounds_[range], end - bounds_[range]);
      for (int64_t begin = bounds_[range]; begin < end; begin += kPartLength) {
        parts.push_back({begin, std::min(begin + kPartLength, end), range, pivot});
      }
    }
    return parts;
  }

  /// Gives each part its places, behind those of the parts before it in its range.
  void place(std::vector<Part>& parts) {
    std::vector<int64_t> middles(bounds_.begin(), bounds_.end() - 1);
    for (const Part& part : parts) middles[part.range] += part.less;
    std::vector<int64_t> below(bounds_.begin(), bounds_.end() - 1), rest = middles;
    for (Part& part : parts) {
      part.below = below[part.range];
      below[part.range] += part.less;
      part.rest = rest[part.range] += part.end - part.begin - part.less;
    }
    std::vector<int64_t> bounds;
    for (int64_t range = 0; range < ranges(); ++range) {
      bounds.push_back(bounds_[range]);
      bounds.push_back(middles[range]);
    }
    bounds.push_back(bounds_.back());
    bounds_ = std::move(bounds);
  }

  template <typename Body>
  static void for_each(std::vector<Part>& parts, Body body) {
    ThreadPool::instance().parallel_for(static_cast<int64_t>(parts.size()), 1,
                                        [&](int64_t begin, int64_t end) {
                                          for (int64_t i = begin; i < end; ++i) body(parts[i]);
                                        });
  }

  const KeySort& kernel_;
  Key* const keys_;
  Key* const spare_;
  std::vector<int64_t> bounds_;  ///< of the ranges: keys of one are not greater than those of the next
};

}  // namespace

template <typename Key>
void sort_keys(Key* keys, Key* spare, int64_t n, int first_bit) {
  constexpr int64_t kRadixLength = 192, kSharedLength = 1 << 16;
  if (n >= kRadixLength && std::is_sorted(keys, keys + n)) return;  // seen to be wrong at once, as a rule
  if (const KeySort kernel = kernel_set().key_sort(sizeof(Key)); kernel.sort != nullptr) {
    if (n < kSharedLength || ThreadPool::instance().size() == 1) {
      kernel.sort(keys, spare, n);
    } else {
      SharedSort<Key>(kernel, keys, spare, n).run();
    }
  } else if (n < kRadixLength) {
    std::sort(keys, keys + n);
  } else {
    radix_sort(keys, spare, n, first_bit);
  }
}

template void sort_keys<uint32_t>(uint32_t*, uint32_t*, int64_t, int);
template void sort_keys<uint64_t>(uint64_t*, uint64_t*, int64_t, int);

}  // namespace ftrans::cpu::steps
