#pragma once

#include <cstring>
#include <utility>
#include <vector>

#include "cpu/steps/support.h"

namespace ftrans::cpu::steps {

/// One pass of a radix sort that keeps the order of equal digits: each chunk of `source` counts its digits,
/// then writes its items behind those with smaller digits and those of earlier chunks.
/// False, and nothing written, if all digits are equal.
template <int digit_bits, typename Item, typename KeyOf>
bool radix_pass(const Item* source, Item* destination, int64_t length, int shift, int chunks, KeyOf key_of) {
  constexpr int64_t kBuckets = int64_t{1} << digit_bits;
  const auto digit = [&](const Item& item) { return static_cast<size_t>(key_of(item) >> shift) % kBuckets; };
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

/// Stable, by the bits [first_bit, end_bit) of key_of(item). Long rows are shared by the threads.
template <typename Item, typename KeyOf>
void radix_sort(Item* items, Item* scratch, int64_t length, int first_bit, int end_bit, KeyOf key_of) {
  constexpr int64_t kWideDigitLength = 1 << 14;  // from here on fewer, wider digits pay
  constexpr int64_t kParallelLength = 1 << 16;
  const int chunks = length < kParallelLength ? 1 : ThreadPool::instance().size();
  const bool wide = length >= kWideDigitLength;
  Item* source = items;
  Item* destination = scratch;
  for (int shift = first_bit; shift < end_bit; shift += wide ? 11 : 8) {
    if (wide ? radix_pass<11>(source, destination, length, shift, chunks, key_of)
             : radix_pass<8>(source, destination, length, shift, chunks, key_of)) {
      std::swap(source, destination);
    }
  }
  if (source != items) std::memcpy(items, source, static_cast<size_t>(length) * sizeof(Item));
}

}  // namespace ftrans::cpu::steps
