#pragma once

#include <cstdint>

namespace ftrans::cpu::steps {

/// Sorts n keys by the bits from `first_bit` on, and by the lower ones either too or not at all: those that
/// came first stay first then. So a row whose keys hold their positions there is sorted in a stable way.
/// `spare` has room for n keys. Key is uint32_t or uint64_t. Long rows are shared by the threads.
template <typename Key>
void sort_keys(Key* keys, Key* spare, int64_t n, int first_bit = 0);

}  // namespace ftrans::cpu::steps
