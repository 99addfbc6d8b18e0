#pragma once

#include <cstdint>

#include "cpu/fused_layout.h"
#include "cpu/fused_plan.h"

namespace ftrans::cpu {

/// A value within a tile: `count` elements, or one that stands for all.
struct TileValue {
  const char* data;
  bool uniform;
};

/// Memory of the calling thread, 64-byte aligned, kept for later calls; valid until the next call on the
/// thread.
char* thread_scratch(int64_t bytes);

/// Runs a plan over tiles of a layout's space, on one thread.
class TileEvaluator {
 public:
  /// `scratch` has scratch_bytes(plan, layout).
  TileEvaluator(const Plan& plan, const Layout& layout, const void* const* inputs, void* const* outputs,
                char* scratch);
  ~TileEvaluator();
  TileEvaluator(const TileEvaluator&) = delete;
  TileEvaluator& operator=(const TileEvaluator&) = delete;

  static int64_t scratch_bytes(const Plan& plan, const Layout& layout);

  /// The elements [begin, begin + count) of the space in row-major order; count ≤ plan.tile.
  void run(int64_t begin, int64_t count);

  /// A block of `rows` along `row_axis` by `columns` along the last axis, from the corner `coordinates` (ndim
  /// of them).
  void run_block(const int64_t* coordinates, int row_axis, int64_t rows, int64_t columns);

  /// A value that leaves the kernel, in the tile just run, as `count` elements one after the other.
  const char* materialized(int value);

 private:
  /// The present tile: a range of the row-major order, or a block (row_axis ≥ 0).
  struct Tile {
    int64_t begin, count;
    bool within_row;  ///< of the last axis
    int row_axis;
    int64_t rows, columns;
  };

  /// What a tile has of a piece: rows within the tile, the first of which begins at `position`.
  struct Part {
    int64_t position, pitch;
    int64_t at;  ///< memory offset of its first element
    int64_t rows, columns;
  };

  void run_steps();
  void load(const PlanStep& step);
  void place(const PlanStep& step);
  void copy_part(const PlanSource& source, int operand, const Part& part, char* out);
  void load_coordinates(const PlanSource& source, int operand, char* out, TileValue& result);
  void gather(int operand, const char* base, int64_t itemsize, char* out);
  void apply(const PlanStep& step);
  void run_chain(const PlanStep& step);
  void store(const PlanStore& store, int operand);
  bool lies_contiguous(int operand) const;
  int64_t offset(int operand) const;
  char* destination(int value);
  const char* splat(const char* element, int64_t itemsize, char* out);
  int64_t row_step(int operand) const;
  template <class F>
  void for_each_piece(int operand, F&& f) const;
  template <class F>
  void for_each_row(int operand, F&& f) const;
  template <class F>
  void for_each_part(int operand, int piece, F&& f) const;
  Part part_of_rows(int operand, int piece, int64_t position, int64_t rows, int64_t columns) const;

  char* slot(int index) const { return registers_ + index * slot_bytes_; }
  char* spare(int i) const { return slot(plan_.slot_count + i); }
  char* staging() const { return slot(plan_.slot_count + 3); }

  bool is_output(const void* memory) const;
  void find_overwritten();

  const Plan& plan_;
  const Layout& layout_;
  const void* const* inputs_;
  void* const* outputs_;
  char* registers_;
  int64_t slot_bytes_;  ///< of a register
  TileValue* values_;
  bool* direct_;          ///< per store: its value is computed in the output's memory
  bool* copied_;          ///< per value: it is read after its memory has been stored over, so it is copied
  ChainLink* links_;      ///< of the chain being run
  int64_t* coordinates_;  ///< of the tile's first element
  int64_t* corner_;       ///< of the rows that a piece is looked for in
  bool streaming_;        ///< outputs far beyond the caches bypass them
  Tile tile_;
};

}  // namespace ftrans::cpu
