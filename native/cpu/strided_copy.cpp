#include "cpu/strided_copy.h"

#include <algorithm>
#include <cstring>

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

}  // namespace

void gather_row(void* out, const void* in, int64_t stride, int64_t n, int64_t itemsize) {
  if (stride == 1) {
    std::memcpy(out, in, static_cast<size_t>(n * itemsize));
    return;
  }
  with_element(itemsize, [&]<class T>(T*) {
    auto* o = static_cast<T*>(out);
    auto* x = static_cast<const T*>(in);
    if (stride == 0) {
      const T value = *x;
      for (int64_t i = 0; i < n; ++i) o[i] = value;
    } else if (stride == -1) {
      for (int64_t i = 0; i < n; ++i) o[i] = x[-i];
    } else {
      for (int64_t i = 0; i < n; ++i) o[i] = x[i * stride];
    }
  });
}

void gather_repeated(void* out, const void* in, int64_t stride, int64_t times, int64_t skipped, int64_t n,
                     int64_t itemsize) {
  with_element(itemsize, [&]<class T>(T*) {
    auto* o = static_cast<T*>(out);
    auto* x = static_cast<const T*>(in);
    for (int64_t i = 0, end = times - skipped; i < n; end += times, x += stride) {
      const T value = *x;
      for (const int64_t stop = end < n ? end : n; i < stop; ++i) o[i] = value;
    }
  });
}

void gather_cycled(void* out, const void* in, int64_t stride, int64_t row, int64_t skipped, int64_t n,
                   int64_t itemsize) {
  char* to = static_cast<char*>(out);
  const char* from = static_cast<const char*>(in);
  const int64_t head = std::min(row - skipped, n), tail = std::min(skipped, n - head);
  gather_row(to, from + skipped * stride * itemsize, stride, head, itemsize);
  if (tail) gather_row(to + head * itemsize, from, stride, tail, itemsize);
  for (int64_t filled = head + tail; filled < n;) {
    const int64_t more = std::min(filled, n - filled);
    std::memcpy(to + filled * itemsize, to, static_cast<size_t>(more * itemsize));
    filled += more;
  }
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
