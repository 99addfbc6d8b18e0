#include "cpu/strided_copy.h"

#include <algorithm>
#include <cstring>

#include "cpu/multiversion.h"

namespace ftrans::cpu {
namespace {

struct Pair {  // an element of 16 bytes
  uint64_t words[2];
};

/// Calls f with a null pointer of an unsigned type of that size.
template <class F>
void with_element(int64_t itemsize, F&& f) {
  switch (itemsize) {
    case 1: return f(static_cast<uint8_t*>(nullptr));
    case 2: return f(static_cast<uint16_t*>(nullptr));
    case 4: return f(static_cast<uint32_t*>(nullptr));
    case 8: return f(static_cast<uint64_t*>(nullptr));
    default: return f(static_cast<Pair*>(nullptr));
  }
}

/// out[r·pitch + c] = x[r·row_stride + c·stride]
template <class T>
FTRANS_MULTIVERSION void copy_rows(T* out, int64_t pitch, const T* x, int64_t row_stride, int64_t stride,
                                   int64_t rows, int64_t columns) {
  constexpr int64_t kLong = 512 / sizeof(T);  // worth a call
  if (columns < 4 && rows >= 4) {             // columns are the longer loops
    for (int64_t c = 0; c < columns; ++c) {
      for (int64_t r = 0; r < rows; ++r) out[r * pitch + c] = x[r * row_stride + c * stride];
    }
    return;
  }
  for (int64_t r = 0; r < rows; ++r, out += pitch, x += row_stride) {
    if (stride == 0) {
      const T value = *x;
      for (int64_t c = 0; c < columns; ++c) out[c] = value;
    } else if (stride == 1 && columns >= kLong) {
      std::memcpy(out, x, static_cast<size_t>(columns) * sizeof(T));
    } else if (stride == 1) {
      for (int64_t c = 0; c < columns; ++c) out[c] = x[c];
    } else if (stride == -1) {
      for (int64_t c = 0; c < columns; ++c) out[c] = x[-c];
    } else if (stride == 2) {  // a constant, for vector instructions
      for (int64_t c = 0; c < columns; ++c) out[c] = x[2 * c];
    } else {
      for (int64_t c = 0; c < columns; ++c) out[c] = x[c * stride];
    }
  }
}

/// `rows` copies of a row, each time twice as many at once.
void repeat_row(void* out, const void* row, int64_t rows, int64_t row_bytes) {
  auto* bytes = static_cast<char*>(out);
  const int64_t whole = rows * row_bytes;
  std::memcpy(bytes, row, static_cast<size_t>(row_bytes));
  for (int64_t done = row_bytes; done < whole; done *= 2)
    std::memcpy(bytes + done, bytes, static_cast<size_t>(std::min(done, whole - done)));
}

}  // namespace

void gather_rows(void* out, const void* in, int64_t row_stride, int64_t column_stride, int64_t rows,
                 int64_t columns, int64_t itemsize) {
  if (row_stride == 0 && column_stride == 1) return repeat_row(out, in, rows, columns * itemsize);
  gather_into_rows(out, columns, in, row_stride, column_stride, rows, columns, itemsize);
}

void gather_into_rows(void* out, int64_t pitch, const void* in, int64_t row_stride, int64_t column_stride,
                      int64_t rows, int64_t columns, int64_t itemsize) {
  with_element(itemsize, [&]<class T>(T*) {
    copy_rows(static_cast<T*>(out), pitch, static_cast<const T*>(in), row_stride, column_stride, rows,
              columns);
  });
}

void scatter_row(void* out, int64_t stride, const void* in, int64_t n, int64_t itemsize) {
  if (stride == 1) {
    std::memcpy(out, in, static_cast<size_t>(n * itemsize));
    return;
  }
  with_element(itemsize, [&]<class T>(T*) {
    auto* o = static_cast<T*>(out);
    auto* x = static_cast<const T*>(in);
    for (int64_t i = 0; i < n; ++i) o[i * stride] = x[i];
  });
}

void gather_transposed(void* out, const void* in, int64_t row_stride, int64_t column_stride, int64_t rows,
                       int64_t columns, int64_t itemsize) {
  with_element(itemsize, [&]<class T>(T*) {
    auto* o = static_cast<T*>(out);
    auto* x = static_cast<const T*>(in);
    // Each column lies on pages of its own, which no hardware prefetcher foresees.
    constexpr int64_t kPerLine = 64 / sizeof(T);
    for (int64_t c = 0; c < columns; ++c) {
      for (int64_t r = 0; r < rows; r += kPerLine) __builtin_prefetch(x + r * row_stride + c * column_stride);
    }
    for (int64_t c = 0; c < columns; ++c) {
      for (int64_t r = 0; r < rows; ++r) o[r * columns + c] = x[r * row_stride + c * column_stride];
    }
  });
}

}  // namespace ftrans::cpu
