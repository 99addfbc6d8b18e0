#include "cpu/steps/block_copy.h"

#include <cstdlib>
#include <cstring>

namespace ftrans::cpu::steps {
namespace {

constexpr int64_t kParallelBytes = 1 << 18;  // below it, one thread is done before a second one could start
constexpr int64_t kPartBytes = 1 << 16;
constexpr int64_t kTileBytes = 64;  // a cache line

struct Unit16 {
  uint64_t words[2];
};

template <typename Unit>
void copy_row(int64_t count, const Unit* source, int64_t source_stride, Unit* destination,
              int64_t destination_stride) {
  if (destination_stride != 1) {
    for (int64_t i = 0; i < count; ++i) destination[i * destination_stride] = source[i * source_stride];
  } else if (source_stride == 1) {
    std::memcpy(destination, source, static_cast<size_t>(count) * sizeof(Unit));
  } else if (source_stride == 0) {
    std::fill_n(destination, count, *source);
  } else if (source_stride == -1) {
    for (int64_t i = 0; i < count; ++i) destination[i] = source[-i];
  } else {
    for (int64_t i = 0; i < count; ++i) destination[i] = source[i * source_stride];
  }
}

/// destination[i][j] = source[j][i]. Whole cache lines are read into a tile and written from it: walking
/// down a column of the source directly would evict lines before they are used up.
template <typename Unit>
void transpose(int64_t rows, int64_t columns, const Unit* source, int64_t source_stride, Unit* destination,
               int64_t destination_stride) {
  constexpr int64_t kTile = std::max<int64_t>(kTileBytes / static_cast<int64_t>(sizeof(Unit)), 4);
  Unit tile[kTile][kTile];
  for (int64_t row = 0; row < rows; row += kTile) {
    for (int64_t column = 0; column < columns; column += kTile) {
      const Unit* from = source + column * source_stride + row;
      Unit* to = destination + row * destination_stride + column;
      if (rows - row >= kTile && columns - column >= kTile) {
        for (int64_t j = 0; j < kTile; ++j) std::memcpy(tile[j], from + j * source_stride, sizeof(tile[j]));
        for (int64_t i = 0; i < kTile; ++i) {
          for (int64_t j = 0; j < kTile; ++j) to[i * destination_stride + j] = tile[j][i];
        }
      } else {
        for (int64_t i = 0; i < std::min(kTile, rows - row); ++i) {
          copy_row(std::min(kTile, columns - column), from + i, source_stride, to + i * destination_stride,
                   1);
        }
      }
    }
  }
}

}  // namespace

BlockCopy::BlockCopy(int64_t itemsize, const int64_t* shape, int ndim, const int64_t* source_strides,
                     const int64_t* destination_strides)
    : itemsize_(itemsize), bytes_(itemsize) {
  for (int i = 0; i < ndim; ++i) {
    bytes_ *= shape[i];
    if (shape[i] == 1) continue;
    axes_.push_back({shape[i], source_strides[i], destination_strides[i]});
    for (int j = axes_.size() - 1;
         j > 0 && std::abs(axes_[j - 1].destination) < std::abs(axes_[j].destination); --j) {
      std::swap(axes_[j - 1], axes_[j]);
    }
  }
  if (axes_.empty()) return;
  int last = 0;
  for (int i = 1; i < axes_.size(); ++i) {
    Axis& outer = axes_[last];
    const Axis& inner = axes_[i];
    if (outer.source == inner.source * inner.extent &&
        outer.destination == inner.destination * inner.extent) {
      outer = {outer.extent * inner.extent, inner.source, inner.destination};
    } else {
      axes_[++last] = inner;
    }
  }
  axes_.resize(last + 1);
  if (axes_[last].destination != 1 || axes_[last].source == 1 || axes_[last].source == 0) return;
  for (int i = 0; i < last; ++i) {
    if (axes_[i].source != 1) continue;
    std::rotate(axes_.begin() + i, axes_.begin() + i + 1, axes_.begin() + last);
    transposes_ = true;
    return;
  }
}

template <typename Unit>
void BlockCopy::run_axes(int depth, const Unit* source, Unit* destination) const {
  const Axis& axis = axes_[depth];
  const int remaining = axes_.size() - depth;
  if (remaining == 1) {
    copy_row(axis.extent, source, axis.source, destination, axis.destination);
  } else if (remaining == 2 && transposes_) {
    const Axis& inner = axes_[depth + 1];
    transpose(axis.extent, inner.extent, source, inner.source, destination, axis.destination);
  } else {
    for (int64_t i = 0; i < axis.extent; ++i) {
      run_axes(depth + 1, source + i * axis.source, destination + i * axis.destination);
    }
  }
}

void BlockCopy::run(const void* source, void* destination) const {
  if (bytes_ == 0) return;
  if (axes_.empty()) {
    std::memcpy(destination, source, static_cast<size_t>(itemsize_));
    return;
  }
  const auto run_as = [&]<typename Unit>(TypeTag<Unit>) {
    run_axes(0, static_cast<const Unit*>(source), static_cast<Unit*>(destination));
  };
  switch (itemsize_) {
    case 1: return run_as(TypeTag<uint8_t>{});
    case 2: return run_as(TypeTag<uint16_t>{});
    case 4: return run_as(TypeTag<uint32_t>{});
    case 8: return run_as(TypeTag<uint64_t>{});
    default: return run_as(TypeTag<Unit16>{});
  }
}

void BlockCopy::run_parallel(const void* source, void* destination) const {
  if (bytes_ < kParallelBytes) return run(source, destination);
  ThreadPool& pool = ThreadPool::instance();
  int axis = 0;
  for (int i = 1; i < axes_.size() && axes_[axis].extent < 4 * pool.size(); ++i) {
    if (axes_[i].extent > axes_[axis].extent) axis = i;
  }
  const Axis split = axes_[axis];
  int64_t grain = std::max<int64_t>(1, split.extent * kPartBytes / bytes_);
  if (axis >= axes_.size() - 2) grain = (grain + kTileBytes - 1) / kTileBytes * kTileBytes;
  pool.parallel_for(split.extent, grain, [&](int64_t begin, int64_t end) {
    BlockCopy part = *this;
    part.axes_[axis].extent = end - begin;
    part.run(byte_offset(source, begin * split.source * itemsize_),
             byte_offset(destination, begin * split.destination * itemsize_));
  });
}

}  // namespace ftrans::cpu::steps
