#pragma once

#include <cstdint>
#include <optional>

#include "core/inline_vector.h"
#include "core/tensor_view.h"
#include "cpu/steps/support.h"

namespace ftrans::cpu::steps {

/// A copy between two strided blocks of one shape, prepared once and run for any two addresses.
/// Axes are put into the order of the destination's memory and merged where both sides allow it.
class BlockCopy {
 public:
  /// Strides in elements; source strides may be 0 (fill) or negative.
  BlockCopy(int64_t itemsize, const int64_t* shape, int ndim, const int64_t* source_strides,
            const int64_t* destination_strides);

  /// Copies on the calling thread.
  void run(const void* source, void* destination) const;

  /// Copies on all threads where it is worth it.
  void run_parallel(const void* source, void* destination) const;

  int64_t bytes() const { return bytes_; }

 private:
  struct Axis {
    int64_t extent, source, destination;  ///< strides in elements
  };

  template <typename Unit>
  void run_axes(int depth, const Unit* source, Unit* destination) const;

  int64_t itemsize_;
  int64_t bytes_;
  InlineVector<Axis, 6> axes_;  ///< none has extent 1
  bool transposes_ =
      false;  ///< unit stride of the source along the last axis but one, of the destination along the last
};

/// Copies on all threads where it is worth it.
inline void copy_block(int64_t itemsize, const int64_t* shape, int ndim, const void* source,
                       const int64_t* source_strides, void* destination, const int64_t* destination_strides) {
  BlockCopy(itemsize, shape, ndim, source_strides, destination_strides).run_parallel(source, destination);
}

/// Copies `source` to `destination` (of the same shape), whatever their strides are.
inline void copy_view(const TensorView& source, const TensorView& destination) {
  copy_block(itemsize(source.dtype), source.shape, source.ndim, source.data, source.strides, destination.data,
             destination.strides);
}

/// The elements of a view in row-major order: its own memory, or a copy where it has gaps.
class Contiguous {
 public:
  explicit Contiguous(const TensorView& view) : data_(view.data) {
    if (view.is_contiguous()) return;
    const int64_t size = itemsize(view.dtype);
    copy_.emplace(view.size() * size);
    data_ = copy_->data();
    copy_block(size, view.shape, view.ndim, view.data, view.strides, copy_->data(),
               row_major(view.shape, view.ndim).data());
  }
  template <typename T>
  const T* as() const {
    return static_cast<const T*>(data_);
  }

 private:
  const void* data_;
  std::optional<Scratch> copy_;
};

}  // namespace ftrans::cpu::steps
