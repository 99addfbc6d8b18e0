#pragma once

#include "metal/steps/kernel_call.h"

namespace ftrans::metal::movement {

/// A grid for `rows` rows of `x` elements of `unit` bytes. Neighbours in a row go to neighbouring threads, a
/// cache line at least; of long rows each thread has several elements, and of short ones several rows if it
/// should move `least_bytes`. Kernels go on with the next elements and rows where the grid ends.
Grid grid_of_rows(int64_t x, int64_t rows, int64_t unit, int64_t least_bytes = 0);

/// The unsigned type of 1, 2, 4, 8 or 16 bytes, for elements that are only moved.
const char* unit_type(int64_t bytes);

/// Throws std::invalid_argument if a count is above what 31 bits hold.
void require_countable(const char* operation, const char* what, int64_t count);

}  // namespace ftrans::metal::movement
