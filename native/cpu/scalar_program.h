#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "kernel/fused_kernel.h"

namespace ftrans::cpu {

/// Operations on few numbers, made for a loop around them: values are in cells, and an instruction on one
/// element is a branch of a switch, or one call of the kernel that the tile executor would use.
class ScalarProgram {
 public:
  using Cell = uint64_t;  ///< a number of up to eight bytes, in the first of them
  using Cells =
      std::vector<int>;  ///< of an array's elements, in row-major order; one may be several elements

  int add_cell() {
    cells_.push_back(0);
    return static_cast<int>(cells_.size()) - 1;
  }

  Cells add_cells(int64_t count) {
    Cells cells;
    for (int64_t i = 0; i < count; ++i) cells.push_back(add_cell());
    return cells;
  }

  /// Adds a kernel over `space` that reads `inputs`; `outputs` become the cells of its results. False if a
  /// value is complex or of 16 bits: the program is of no use then.
  bool add(const FusedKernel& kernel, const Dims& space, const std::vector<Cells>& inputs,
           std::vector<Cells>& outputs);

  /// Adds a sum of products of float32 or float64 cells, and returns its cell.
  int add_sum_of_products(Dtype dtype, const Cells& left, const Cells& right);

  int64_t operation_count() const { return static_cast<int64_t>(operations_.size()); }

  /// Lets the instruction that computes `result` write to `input`, where nothing reads the input afterwards;
  /// the two are then one cell. False if that cannot be.
  bool merge(int input, int result);

  /// Whether an instruction writes to the cell.
  bool computes(int cell) const;

  /// To be called when all is added: finds the operations that have nothing to do with each other, so that a
  /// loop over all of them is several loops, and a recurrence of one operation stays in a register.
  void split();

  /// All cells, with the constants in place.
  const std::vector<Cell>& cells() const { return cells_; }

  /// An element in memory: at `address`, `step` bytes further in each run.
  struct Element {
    int cell;
    int width;
    char* address;
    int64_t step;
  };

  /// What happens around each run: `loads` from memory before, `stores` to memory after it; then the first
  /// cell of each move takes the value of the second, all at once.
  struct Traffic {
    std::vector<Element> loads, stores;
    std::vector<std::pair<int, int>> moves;

    bool empty() const { return loads.empty() && stores.empty() && moves.empty(); }
  };

  /// Runs the operations `count` times; no longer than `predicate`, a cell that they write, is not 0, unless
  /// it is negative.
  void loop(Cell* cells, Traffic& traffic, int64_t count, int predicate) const;

 private:
  // clang-format off: one line a dtype
  /// The operations of counters and simple recurrences have codes of their own; everything else is a Call.
  enum class Code : uint8_t {
    Call, Copy, Pack32, Pack64, Unpack32, Unpack64,
    AddFloat32, SubFloat32, MulFloat32, DivFloat32, SafeMulFloat32, LtFloat32, GtFloat32, MulAddFloat32,
    AddFloat64, SubFloat64, MulFloat64, DivFloat64, SafeMulFloat64, LtFloat64, GtFloat64, MulAddFloat64,
    AddInt32, SubInt32, MulInt32, LtInt32, GtInt32,
    AddInt64, SubInt64, MulInt64, LtInt64, GtInt64,
  };
  // clang-format on
  struct Operation {
    Code code;
    int out, operands[3];
    void (*kernel)(void* out, const void* a, const void* b, const void* c, int64_t n);
    int lane = 0;  ///< of a Pack or Unpack: which element; of a Call: how many elements after the first
    int cost = 0;  ///< of the kernel, in additions
  };

  Cells place(const FusedKernel& kernel, const Instruction& instruction, const Dims& space,
              const Cells& piece, const Cells& below);
  Cells coordinates(const Dims& space, int axis, Dtype dtype);
  bool apply(const FusedKernel& kernel, const Instruction& instruction, const std::vector<Cells>& cells_of,
             const Cells& out);
  bool operation_of(const FusedKernel& kernel, const Instruction& instruction, Operation& operation) const;
  void apply_to_lanes(const Instruction& instruction, const Operation& operation, int64_t width,
                      const std::vector<Cells>& cells_of, const Cells& out);
  bool append_to_products(const FusedKernel& kernel, const Instruction& instruction,
                          const std::vector<Operation>& additions);
  bool reduce(const FusedKernel& kernel, const KernelOutput& output, const Dims& space, const Cells& elements,
              Cells& results);
  static Code own_code(Opcode opcode, Dtype dtype);
  static void run(const Operation* operation, const Operation* end, Cell* cells);
  static bool repeat(const Operation& operation, Cell* cells, int64_t count);
  static bool count_up(const std::vector<Operation>& group, Cell* cells, int predicate, int64_t& count);
  void loop_over_groups(Cell* cells, int64_t count, int predicate) const;
  static void move(Cell* cells, const std::vector<std::pair<int, int>>& moves, bool in_turn);

  std::vector<Cell> cells_;
  std::vector<Operation> operations_;
  std::vector<std::vector<Operation>> groups_;  ///< of operations_: none reads or writes what another writes
};

}  // namespace ftrans::cpu
