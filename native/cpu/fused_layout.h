#pragma once

#include <cstdint>
#include <memory>

#include "cpu/fused_plan.h"

namespace ftrans::cpu {

/// An array of a length known at run time, on the stack while it is small.
template <class T, int inline_count>
class InlineArray {
 public:
  explicit InlineArray(int64_t count)
      : heap_(count > inline_count ? new T[count] : nullptr), data_(heap_ ? heap_.get() : inline_) {}
  InlineArray(const InlineArray&) = delete;
  InlineArray& operator=(const InlineArray&) = delete;

  T& operator[](int64_t i) { return data_[i]; }
  const T& operator[](int64_t i) const { return data_[i]; }

 private:
  T inline_[inline_count];
  std::unique_ptr<T[]> heap_;
  T* data_;
};

/// How a source or a store lies over the space.
enum class Access : uint8_t {
  Contiguous,  ///< row-major without gaps
  Uniform,     ///< one element for the whole space
  Strided,
};

/// Where a piece lies along an axis of the merged space.
struct Span {
  int64_t start, extent;
};

/// The iteration space of one run, with adjacent axes merged where everything allows it.
/// Axes are ordered kept × reduced × inner (kept), so that a reduction sees a three-dimensional array:
/// without inner axes it reduces rows, with them columns. Operands are the plan's sources, then its stores.
class Layout {
 public:
  Layout(const Plan& plan, const int64_t* shape, const int64_t* const* input_strides);

  int ndim = 0;      ///< after merging; ≥ 1
  int64_t size = 1;  ///< of the space
  int64_t kept = 1, reduced = 1, inner = 1;

  int64_t extent(int axis) const { return extents_[axis]; }
  int64_t stride(int operand, int axis) const { return strides_[operand * original_ndim_ + axis]; }
  int64_t inner_extent() const { return extents_[ndim - 1]; }
  int64_t inner_stride(int operand) const { return stride(operand, ndim - 1); }
  Access access(int operand) const { return access_[operand]; }
  bool has_strided() const { return has_strided_; }
  Span span(int piece, int axis) const { return spans_[piece * original_ndim_ + axis]; }

 private:
  enum Group : uint8_t { Kept, Reduced, Inner };

  void order_axes(const Plan& plan, const int64_t* shape);
  bool order_by_memory(const Plan& plan, const int64_t* shape);
  void merge_axes(const Plan& plan, const int64_t* shape);
  bool merges(const Plan& plan, int operand, int axis, int64_t extent) const;
  void classify();

  int original_ndim_;
  int operand_count_;
  int axis_count_ = 0;  ///< axes of more than one element
  bool has_strided_ = false;
  InlineArray<int64_t, 16> extents_;
  InlineArray<int64_t, 128> given_;    ///< strides over the original axes
  InlineArray<int64_t, 128> strides_;  ///< over the merged axes
  InlineArray<Span, 8> spans_;         ///< of the pieces, over the merged axes
  InlineArray<int, 16> order_;         ///< original axis of each ordered axis
  InlineArray<Group, 16> group_;       ///< of each original axis
  InlineArray<Access, 32> access_;
};

}  // namespace ftrans::cpu
