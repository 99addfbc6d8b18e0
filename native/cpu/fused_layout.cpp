#include "cpu/fused_layout.h"

#include <algorithm>
#include <cstdlib>

namespace ftrans::cpu {
namespace {

/// Where the nearest axis is reduced but short, as in pooling, the last kept axis, if it is long and its
/// elements lie nearly as close.
int better_than_short(const Plan& plan, const int64_t* shape, const int64_t* strides, int nearest) {
  constexpr int64_t kShort = 8, kLong = 16, kClose = 8;
  if (!plan.reduced_axes[nearest] || shape[nearest] >= kShort) return nearest;
  for (int axis = plan.ndim - 1; axis >= 0; --axis) {
    if (plan.reduced_axes[axis] || shape[axis] == 1) continue;
    const int64_t stride = std::abs(strides[axis]);
    return shape[axis] >= kLong && stride > 0 && stride <= kClose ? axis : nearest;
  }
  return nearest;
}

}  // namespace

Layout::Layout(const Plan& plan, const int64_t* shape, const int64_t* const* input_strides)
    : original_ndim_(std::max(plan.ndim, 1)),
      operand_count_(static_cast<int>(plan.sources.size() + plan.stores.size())),
      extents_(original_ndim_),
      given_(static_cast<int64_t>(operand_count_) * original_ndim_),
      strides_(static_cast<int64_t>(operand_count_) * original_ndim_),
      spans_(static_cast<int64_t>(plan.pieces.size()) * original_ndim_),
      order_(original_ndim_),
      group_(original_ndim_),
      access_(operand_count_) {
  int operand = 0;
  for (const PlanSource& source : plan.sources) {
    int64_t* strides = &given_[static_cast<int64_t>(operand++) * original_ndim_];
    for (int axis = 0; axis < plan.ndim; ++axis) {
      strides[axis] = source.input >= 0 ? input_strides[source.input][axis] : axis == source.axis;
    }
  }
  for (size_t i = 0; i < plan.stores.size(); ++i) {
    int64_t* strides = &given_[static_cast<int64_t>(operand++) * original_ndim_];
    int64_t expected = 1;
    for (int axis = plan.ndim - 1; axis >= 0; expected *= shape[axis--]) strides[axis] = expected;
  }
  for (int axis = 0; axis < plan.ndim; ++axis) size *= shape[axis];
  order_axes(plan, shape);
  for (int i = 0; i < plan.ndim; ++i) {
    const Group group = plan.reductions.empty() ? Kept : group_[i];
    (group == Kept ? kept : group == Reduced ? reduced : inner) *= shape[i];
  }
  merge_axes(plan, shape);
  classify();
  for (size_t i = 0; i < plan.sources.size(); ++i) {
    if (plan.sources[i].piece < 0) continue;
    access_[static_cast<int64_t>(i)] = Access::Strided;
    has_strided_ = true;
  }
}

void Layout::order_axes(const Plan& plan, const int64_t* shape) {
  const int ndim = plan.ndim;
  if (plan.reductions.empty()) {
    for (int axis = 0; axis < ndim; ++axis) {
      group_[axis] = Kept;
      if (shape[axis] != 1) order_[axis_count_++] = axis;
    }
    return;
  }
  // The kept axes behind the last reduced one are inner; nothing is inner where the last (real) axis is
  // reduced.
  int last_reduced = -1;
  for (int axis = 0; axis < ndim; ++axis) {
    group_[axis] = plan.reduced_axes[axis] ? Reduced : Kept;
    if (plan.reduced_axes[axis] && shape[axis] != 1) last_reduced = axis;
  }
  if (last_reduced >= 0) {
    for (int axis = last_reduced + 1; axis < ndim; ++axis) {
      if (group_[axis] == Kept) group_[axis] = Inner;
    }
  }
  if (plan.stores.empty() && order_by_memory(plan, shape)) return;
  for (const Group group : {Kept, Reduced, Inner}) {
    for (int axis = 0; axis < ndim; ++axis) {
      if (group_[axis] == group && shape[axis] != 1) order_[axis_count_++] = axis;
    }
  }
}

/// With reductions alone the order is free, but for that of the kept axes. Tiles are best along the axis on
/// which the (largest) input is nearly contiguous: reduced along it, or with it as inner axis if it is the
/// last kept one. Returns whether that decided the order.
bool Layout::order_by_memory(const Plan& plan, const int64_t* shape) {
  const int64_t* reference = nullptr;
  int most = 0;
  for (size_t i = 0; i < plan.sources.size(); ++i) {
    const int64_t* strides = &given_[static_cast<int64_t>(i) * original_ndim_];
    int varying = 0;
    for (int axis = 0; axis < plan.ndim; ++axis) varying += shape[axis] != 1 && strides[axis] != 0;
    if (varying > most) most = varying, reference = strides;
  }
  if (!reference) return false;
  const auto distance = [&](int axis) {
    return reference[axis] == 0 ? INT64_MAX : std::abs(reference[axis]);
  };
  int nearest = -1;
  for (int axis = 0; axis < plan.ndim; ++axis) {
    if (shape[axis] != 1 && (nearest < 0 || distance(axis) <= distance(nearest))) nearest = axis;
  }
  nearest = better_than_short(plan, shape, reference, nearest);
  const bool inner_kept = !plan.reduced_axes[nearest];
  if (inner_kept) {
    for (int axis = nearest + 1; axis < plan.ndim; ++axis) {
      if (!plan.reduced_axes[axis] && shape[axis] != 1) return false;
    }
  }
  for (int axis = 0; axis < plan.ndim; ++axis) {
    if (plan.reduced_axes[axis]) continue;
    group_[axis] = inner_kept && axis == nearest ? Inner : Kept;
    if (shape[axis] != 1 && group_[axis] == Kept) order_[axis_count_++] = axis;
  }
  const int first = axis_count_;
  for (int axis = 0; axis < plan.ndim; ++axis) {
    if (plan.reduced_axes[axis] && shape[axis] != 1) order_[axis_count_++] = axis;
  }
  std::stable_sort(&order_[0] + first, &order_[0] + axis_count_,
                   [&](int a, int b) { return distance(a) > distance(b); });
  if (inner_kept) order_[axis_count_++] = nearest;
  return true;
}

/// Whether an operand lets the last merged axis and an original one, of that extent, become one.
bool Layout::merges(const Plan& plan, int operand, int axis, int64_t extent) const {
  const bool follows = stride(operand, ndim - 1) == given_[operand * original_ndim_ + axis] * extent;
  if (operand >= static_cast<int>(plan.sources.size()) || plan.sources[operand].piece < 0) return follows;
  const int piece = plan.sources[operand].piece;
  return plan.pieces[piece].extent[axis] == extent && (follows || span(piece, ndim - 1).extent == 1);
}

void Layout::merge_axes(const Plan& plan, const int64_t* shape) {
  for (int i = 0; i < axis_count_; ++i) {
    const int axis = order_[i];
    bool joins = ndim > 0 && group_[axis] == group_[order_[i - 1]];
    for (int operand = 0; joins && operand < operand_count_; ++operand)
      joins = merges(plan, operand, axis, shape[axis]);
    if (joins) {
      extents_[ndim - 1] *= shape[axis];
    } else {
      extents_[ndim++] = shape[axis];
    }
    for (int operand = 0; operand < operand_count_; ++operand) {
      strides_[operand * original_ndim_ + ndim - 1] = given_[operand * original_ndim_ + axis];
    }
    for (size_t piece = 0; piece < plan.pieces.size(); ++piece) {
      Span& span = spans_[static_cast<int64_t>(piece) * original_ndim_ + ndim - 1];
      const Span own = {plan.pieces[piece].start[axis], plan.pieces[piece].extent[axis]};
      span = joins ? Span{span.start * shape[axis], span.extent * shape[axis]} : own;
    }
  }
  if (ndim == 0) {  // a single element
    ndim = 1;
    extents_[0] = 1;
    for (int operand = 0; operand < operand_count_; ++operand) strides_[operand * original_ndim_] = 1;
    for (size_t piece = 0; piece < plan.pieces.size(); ++piece)
      spans_[static_cast<int64_t>(piece) * original_ndim_] = {0, 1};
  }
}

void Layout::classify() {
  for (int operand = 0; operand < operand_count_; ++operand) {
    bool contiguous = true, uniform = true;
    int64_t expected = 1;
    for (int axis = ndim - 1; axis >= 0; expected *= extents_[axis--]) {
      contiguous &= stride(operand, axis) == expected;
      uniform &= stride(operand, axis) == 0;
    }
    access_[operand] = contiguous ? Access::Contiguous : uniform ? Access::Uniform : Access::Strided;
    has_strided_ |= access_[operand] == Access::Strided;
  }
}

}  // namespace ftrans::cpu
