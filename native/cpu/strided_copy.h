#pragma once

#include <cstdint>

namespace ftrans::cpu {

/// out[i] = in[i·stride] for n elements of `itemsize` bytes; the stride counts elements.
void gather_row(void* out, const void* in, int64_t stride, int64_t n, int64_t itemsize);

/// out[i] = in[(skipped + i) / times · stride]: every element of a row `times` times, but the first
/// `skipped`.
void gather_repeated(void* out, const void* in, int64_t stride, int64_t times, int64_t skipped, int64_t n,
                     int64_t itemsize);

/// out[i] = in[(skipped + i) % row · stride]: a row again and again, but for the first `skipped` elements.
void gather_cycled(void* out, const void* in, int64_t stride, int64_t row, int64_t skipped, int64_t n,
                   int64_t itemsize);

/// out[i·stride] = in[i].
void scatter_row(void* out, int64_t stride, const void* in, int64_t n, int64_t itemsize);

/// out[r·columns + c] = in[r·row_stride + c·column_stride], reading along r: for inputs that are contiguous
/// that way.
void gather_transposed(void* out, const void* in, int64_t row_stride, int64_t column_stride, int64_t rows,
                       int64_t columns, int64_t itemsize);

}  // namespace ftrans::cpu
