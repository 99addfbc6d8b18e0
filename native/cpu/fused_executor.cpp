#include "cpu/fused_executor.h"

#include <algorithm>

#include "core/thread_pool.h"
#include "cpu/fused_layout.h"
#include "cpu/fused_plan.h"
#include "cpu/fused_reduction.h"
#include "cpu/tile_evaluator.h"

namespace ftrans::cpu {
namespace {

/// The axis of a transposed read: where a source jumps along the last axis but is contiguous along another
/// one, and both are long. −1 if there is none.
int transposed_axis(const Plan& plan, const Layout& layout) {
  constexpr int64_t kWorthwhile = 8;
  const int last = layout.ndim - 1;
  if (!layout.has_strided() || layout.extent(last) < kWorthwhile) return -1;
  for (size_t i = 0; i < plan.sources.size(); ++i) {
    const int64_t stride = layout.stride(static_cast<int>(i), last);
    if (plan.sources[i].input < 0 || (stride >= -1 && stride <= 1)) continue;
    if (plan.sources[i].piece >= 0 && layout.span(plan.sources[i].piece, last).extent == 1) continue;
    for (int axis = 0; axis < last; ++axis) {
      const int64_t along = layout.stride(static_cast<int>(i), axis);
      if ((along == 1 || along == -1) && layout.extent(axis) >= kWorthwhile) return axis;
    }
  }
  return -1;
}

/// Blocks of rows × columns over `row_axis` and the last axis: whole cache lines along both.
void run_blocks(const Plan& plan, const Layout& layout, int row_axis, const void* const* inputs,
                void* const* outputs) {
  const int last = layout.ndim - 1;
  const int64_t columns = std::min<int64_t>(layout.extent(last), 16);
  const int64_t rows = std::min(layout.extent(row_axis), plan.tile / columns);
  const auto blocks_along = [&](int axis) {
    const int64_t block = axis == row_axis ? rows : axis == last ? columns : 1;
    return (layout.extent(axis) + block - 1) / block;
  };
  int64_t count = 1;
  for (int axis = 0; axis < layout.ndim; ++axis) count *= blocks_along(axis);
  const int64_t grain = std::max<int64_t>(1, kSerialCost / (rows * columns * plan.cost));
  ThreadPool::instance().parallel_for(count, grain, [&](int64_t begin, int64_t end) {
    TileEvaluator evaluator(plan, layout, inputs, outputs,
                            thread_scratch(TileEvaluator::scratch_bytes(plan, layout)));
    InlineArray<int64_t, 16> coordinates(layout.ndim);
    for (int64_t block = begin; block < end; ++block) {
      int64_t rest = block;
      for (int axis = last; axis >= 0; --axis) {
        const int64_t size = axis == row_axis ? rows : axis == last ? columns : 1;
        coordinates[axis] = rest % blocks_along(axis) * size;
        rest /= blocks_along(axis);
      }
      evaluator.run_block(&coordinates[0], row_axis,
                          std::min(rows, layout.extent(row_axis) - coordinates[row_axis]),
                          std::min(columns, layout.extent(last) - coordinates[last]));
    }
  });
}

/// Tiles of the row-major order; where inputs are broadcast or strided, tiles end with the (long) rows.
void run_tiles(const Plan& plan, const Layout& layout, const void* const* inputs, void* const* outputs) {
  const bool by_rows = layout.has_strided() && layout.ndim > 1 && layout.inner_extent() >= plan.tile / 4;
  const int64_t row = by_rows ? layout.inner_extent() : layout.size;
  const int64_t per_row = (row + plan.tile - 1) / plan.tile;
  // Equal parts of a row, in whole vectors.
  const int64_t width =
      by_rows ? std::min(plan.tile, ((row + per_row - 1) / per_row + 63) / 64 * 64) : plan.tile;
  const int64_t count = layout.size / row * per_row;
  const int64_t grain = std::max<int64_t>(1, kSerialCost / (width * plan.cost));
  ThreadPool::instance().parallel_for(count, grain, [&](int64_t begin, int64_t end) {
    TileEvaluator evaluator(plan, layout, inputs, outputs,
                            thread_scratch(TileEvaluator::scratch_bytes(plan, layout)));
    for (int64_t tile = begin; tile < end; ++tile) {
      const int64_t start = tile % per_row * width;
      if (start < row) evaluator.run(tile / per_row * row + start, std::min(width, row - start));
    }
  });
}

}  // namespace

struct FusedExecutor::Implementation {
  Plan plan;
};

FusedExecutor::FusedExecutor(const FusedKernel& kernel) : implementation_(new Implementation{Plan(kernel)}) {}

FusedExecutor::~FusedExecutor() = default;

void FusedExecutor::run(const int64_t* shape, const void* const* inputs, const int64_t* const* input_strides,
                        void* const* outputs) const {
  const Plan& plan = implementation_->plan;
  const Layout layout(plan, shape, input_strides);
  if (!plan.reductions.empty()) {
    run_reductions(plan, layout, inputs, outputs);
  } else if (layout.size > 0) {
    const int row_axis = transposed_axis(plan, layout);
    if (row_axis >= 0) {
      run_blocks(plan, layout, row_axis, inputs, outputs);
    } else {
      run_tiles(plan, layout, inputs, outputs);
    }
  }
}

}  // namespace ftrans::cpu
