#include "cpu/fused_reduction.h"

#include <algorithm>
#include <memory>

#include "core/thread_pool.h"
#include "cpu/tile_evaluator.h"

namespace ftrans::cpu {
namespace {

/// How the kept × reduced × inner space is cut: a task is some kept rows, as many as a tile has room for, or
/// one of them with a range of inner columns, over one chunk of the reduced elements.
struct Division {
  int64_t kept_rows;  ///< kept rows of a task
  int64_t columns;    ///< inner columns of a task
  int64_t chunk;      ///< reduced elements of a task
  int64_t kept_parts, column_parts, chunks;

  int64_t tasks() const { return kept_parts * column_parts * chunks; }
};

int64_t parts(int64_t whole, int64_t part) { return (whole + part - 1) / part; }

Division divide(const Plan& plan, const Layout& layout) {
  constexpr int64_t kTaskElements = 64 * 1024, kEnoughTasks = 64;
  Division division;
  division.columns = std::min(layout.inner, plan.tile);
  division.column_parts = parts(layout.inner, division.columns);
  division.kept_rows = std::clamp<int64_t>(plan.tile / (layout.reduced * layout.inner), 1, layout.kept);
  division.kept_parts = parts(layout.kept, division.kept_rows);
  division.chunk = layout.reduced;
  if (division.kept_parts * division.column_parts < kEnoughTasks) {
    division.chunk = std::min(layout.reduced, std::max<int64_t>(1, kTaskElements / division.columns));
  }
  division.chunks = parts(layout.reduced, division.chunk);
  return division;
}

/// One run: accumulators per chunk where there are several, combined in order at the end.
class ReductionRun {
 public:
  ReductionRun(const Plan& plan, const Layout& layout, const void* const* inputs, void* const* outputs)
      : plan_(plan),
        layout_(layout),
        inputs_(inputs),
        outputs_(outputs),
        results_(layout.kept * layout.inner) {}

  /// The identities, for an empty space.
  void fill() {
    constexpr int64_t kBlock = 256;
    alignas(64) char accumulators[kBlock * 16];
    alignas(64) char staging[kBlock * 16];
    for (const PlanReduction& reduction : plan_.reductions) {
      for (int64_t first = 0; first < results_; first += kBlock) {
        const int64_t count = std::min(kBlock, results_ - first);
        reset(reduction, accumulators, count);
        finish(reduction, accumulators, first, count, staging);
      }
    }
  }

  void run() {
    division_ = divide(plan_, layout_);
    if (division_.chunks > 1) {
      for (const PlanReduction& reduction : plan_.reductions) {
        partial_bytes_ += division_.chunks * results_ * itemsize(reduction.kernels.accumulator);
      }
      partials_.reset(new char[partial_bytes_]);
    }
    const int64_t task_elements = division_.kept_rows * division_.columns * division_.chunk;
    const int64_t grain = std::max<int64_t>(1, kSerialCost / (task_elements * plan_.cost));
    ThreadPool::instance().parallel_for(division_.tasks(), grain,
                                        [&](int64_t begin, int64_t end) { run_tasks(begin, end); });
    if (division_.chunks > 1) combine_chunks();
  }

 private:
  static void reset(const PlanReduction& reduction, char* accumulators, int64_t count) {
    kernel_set().splat(itemsize(reduction.kernels.accumulator))(accumulators, reduction.identity.bytes,
                                                                nullptr, nullptr, count);
  }

  /// Accumulators to `count` results from number `first` on.
  void finish(const PlanReduction& reduction, const char* accumulators, int64_t first, int64_t count,
              char* staging) {
    const int64_t width = itemsize(reduction.storage);
    char* out = static_cast<char*>(outputs_[reduction.output]) + first * width;
    if (!reduction.finish[0]) {
      std::copy_n(accumulators, count * width, out);
    } else if (!reduction.finish[1]) {
      reduction.finish[0](out, accumulators, nullptr, nullptr, count);
    } else {
      reduction.finish[0](staging, accumulators, nullptr, nullptr, count);
      reduction.finish[1](out, staging, nullptr, nullptr, count);
    }
  }

  void run_tasks(int64_t begin, int64_t end) {
    const int64_t registers = TileEvaluator::scratch_bytes(plan_, layout_);
    const int64_t width = division_.kept_rows * division_.columns;
    const int64_t accumulator_bytes = (width * 16 + 63) / 64 * 64;
    const int64_t count = static_cast<int64_t>(plan_.reductions.size());
    char* scratch = thread_scratch(registers + (count + 1) * accumulator_bytes);
    char* accumulators = scratch + registers;
    char* staging = accumulators + count * accumulator_bytes;
    TileEvaluator evaluator(plan_, layout_, inputs_, outputs_, scratch);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t chunk = task % division_.chunks;
      const int64_t column_part = task / division_.chunks % division_.column_parts;
      const int64_t kept_part = task / division_.chunks / division_.column_parts;
      const Box box = {kept_part * division_.kept_rows,
                       chunk * division_.chunk,
                       column_part * division_.columns,
                       std::min(division_.kept_rows, layout_.kept - kept_part * division_.kept_rows),
                       std::min(division_.chunk, layout_.reduced - chunk * division_.chunk),
                       std::min(division_.columns, layout_.inner - column_part * division_.columns)};
      const int64_t results = box.kept * box.inner;
      for (int64_t i = 0; i < count; ++i)
        reset(plan_.reductions[i], accumulators + i * accumulator_bytes, results);
      if (layout_.inner > 1) {
        reduce_columns(evaluator, box, accumulators, accumulator_bytes);
      } else {
        reduce_rows(evaluator, box, accumulators, accumulator_bytes);
      }
      const int64_t first = box.first_kept * layout_.inner + box.first_inner;
      char* partials = partials_.get();
      for (int64_t i = 0; i < count; ++i) {
        const PlanReduction& reduction = plan_.reductions[i];
        const char* own = accumulators + i * accumulator_bytes;
        if (division_.chunks == 1) {
          finish(reduction, own, first, results, staging);
          continue;
        }
        const int64_t size = itemsize(reduction.kernels.accumulator);
        std::copy_n(own, results * size, partials + (chunk * results_ + first) * size);
        partials += division_.chunks * results_ * size;
      }
    }
  }

  struct Box {
    int64_t first_kept, first_reduced, first_inner;
    int64_t kept, reduced, inner;
  };

  /// No inner axes: several short rows a tile, or one row in several tiles.
  void reduce_rows(TileEvaluator& evaluator, const Box& box, char* accumulators, int64_t accumulator_bytes) {
    for (int64_t position = 0; position < box.reduced; position += plan_.tile) {
      const int64_t columns = std::min(plan_.tile, box.reduced - position);
      evaluator.run(box.first_kept * layout_.reduced + box.first_reduced + position, box.kept * columns);
      for (size_t i = 0; i < plan_.reductions.size(); ++i) {
        plan_.reductions[i].kernels.rows(accumulators + i * accumulator_bytes,
                                         evaluator.materialized(plan_.reductions[i].value), box.kept,
                                         columns);
      }
    }
  }

  /// Inner axes: several kept rows a tile, or several whole short rows of columns, or a part of one.
  void reduce_columns(TileEvaluator& evaluator, const Box& box, char* accumulators,
                      int64_t accumulator_bytes) {
    if (box.kept > 1) return reduce_kept_rows(evaluator, box, accumulators, accumulator_bytes);
    const int64_t rows_per_tile = box.inner == layout_.inner ? plan_.tile / box.inner : 1;
    for (int64_t row = 0; row < box.reduced; row += rows_per_tile) {
      const int64_t rows = std::min(rows_per_tile, box.reduced - row);
      const int64_t begin =
          (box.first_kept * layout_.reduced + box.first_reduced + row) * layout_.inner + box.first_inner;
      evaluator.run(begin, rows * box.inner);
      for (size_t i = 0; i < plan_.reductions.size(); ++i) {
        plan_.reductions[i].kernels.columns(accumulators + i * accumulator_bytes,
                                            evaluator.materialized(plan_.reductions[i].value), rows,
                                            box.inner);
      }
    }
  }

  void reduce_kept_rows(TileEvaluator& evaluator, const Box& box, char* accumulators,
                        int64_t accumulator_bytes) {
    const int64_t row = layout_.reduced * layout_.inner;
    evaluator.run(box.first_kept * row, box.kept * row);
    for (size_t i = 0; i < plan_.reductions.size(); ++i) {
      const PlanReduction& reduction = plan_.reductions[i];
      const char* elements = evaluator.materialized(reduction.value);
      const int64_t width = itemsize(plan_.values[reduction.value].dtype);
      char* results = accumulators + i * accumulator_bytes;
      for (int64_t k = 0; k < box.kept; ++k) {
        reduction.kernels.columns(results, elements, layout_.reduced, layout_.inner);
        results += layout_.inner * itemsize(reduction.kernels.accumulator);
        elements += row * width;
      }
    }
  }

  void combine_chunks() {
    const std::unique_ptr<char[]> staging(new char[results_ * 16]);
    char* partials = partials_.get();
    for (const PlanReduction& reduction : plan_.reductions) {
      const int64_t size = itemsize(reduction.kernels.accumulator);
      reduction.merge.columns(partials, partials + results_ * size, division_.chunks - 1, results_);
      finish(reduction, partials, 0, results_, staging.get());
      partials += division_.chunks * results_ * size;
    }
  }

  const Plan& plan_;
  const Layout& layout_;
  const void* const* inputs_;
  void* const* outputs_;
  const int64_t results_;
  Division division_{};
  int64_t partial_bytes_ = 0;
  std::unique_ptr<char[]> partials_;
};

}  // namespace

void run_reductions(const Plan& plan, const Layout& layout, const void* const* inputs, void* const* outputs) {
  ReductionRun run(plan, layout, inputs, outputs);
  if (layout.size == 0) {
    run.fill();
  } else {
    run.run();
  }
}

}  // namespace ftrans::cpu
