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

/// A square of elements, as large as vectors of 16 bytes are long: out[r·pitch + c] = x[r + c·stride].
template <class T>
struct Square {
  static constexpr int64_t side = 16 / static_cast<int64_t>(sizeof(T));
  typedef T Vector __attribute__((vector_size(16), aligned(sizeof(T)), may_alias));

  static Vector load(const T* x) { return *reinterpret_cast<const Vector*>(x); }
  static void store(T* out, Vector row) { *reinterpret_cast<Vector*>(out) = row; }

  static void transpose(T* out, int64_t pitch, const T* x, int64_t stride) {
    const Vector a = load(x), b = load(x + stride);
    if constexpr (side == 2) {
      store(out, __builtin_shufflevector(a, b, 0, 2));
      store(out + pitch, __builtin_shufflevector(a, b, 1, 3));
    } else {
      const Vector c = load(x + 2 * stride), d = load(x + 3 * stride);
      const Vector ab = __builtin_shufflevector(a, b, 0, 4, 1, 5),
                   cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
      store(out, __builtin_shufflevector(ab, cd, 0, 1, 4, 5));
      store(out + pitch, __builtin_shufflevector(ab, cd, 2, 3, 6, 7));
      const Vector ab2 = __builtin_shufflevector(a, b, 2, 6, 3, 7),
                   cd2 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
      store(out + 2 * pitch, __builtin_shufflevector(ab2, cd2, 0, 1, 4, 5));
      store(out + 3 * pitch, __builtin_shufflevector(ab2, cd2, 2, 3, 6, 7));
    }
  }
};

/// out[r·pitch + c] = x[r + c·stride] for rows and columns that are whole squares.
template <class T>
void transpose_squares(T* out, int64_t pitch, const T* x, int64_t stride, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; r += Square<T>::side) {
    for (int64_t c = 0; c < columns; c += Square<T>::side)
      Square<T>::transpose(out + r * pitch + c, pitch, x + r + c * stride, stride);
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
    int64_t whole_rows = 0, whole_columns = 0;
    if constexpr (sizeof(T) == 4 || sizeof(T) == 8) {
      if (row_stride == 1) {
        constexpr int64_t side = Square<T>::side;
        whole_rows = rows / side * side;
        whole_columns = columns / side * side;
        transpose_squares(o, columns, x, column_stride, whole_rows, whole_columns);
      }
    }
    for (int64_t c = 0; c < columns; ++c) {
      const int64_t first = c < whole_columns ? whole_rows : 0;
      for (int64_t r = first; r < rows; ++r) o[r * columns + c] = x[r * row_stride + c * column_stride];
    }
  });
}

}  // namespace ftrans::cpu
