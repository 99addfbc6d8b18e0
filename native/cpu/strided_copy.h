#pragma once

#include <cstdint>

namespace ftrans::cpu {

/// out[r·columns + c] = in[r·row_stride + c·column_stride], elements of `itemsize` bytes; strides count
/// elements.
void gather_rows(void* out, const void* in, int64_t row_stride, int64_t column_stride, int64_t rows,
                 int64_t columns, int64_t itemsize);

/// The same into rows that begin every `pitch` elements.
void gather_into_rows(void* out, int64_t pitch, const void* in, int64_t row_stride, int64_t column_stride,
                      int64_t rows, int64_t columns, int64_t itemsize);

/// The same, reading along r: for inputs that are contiguous that way.
void gather_transposed(void* out, const void* in, int64_t row_stride, int64_t column_stride, int64_t rows,
                       int64_t columns, int64_t itemsize);

/// out[i·stride] = in[i] for n elements.
void scatter_row(void* out, int64_t stride, const void* in, int64_t n, int64_t itemsize);

}  // namespace ftrans::cpu
