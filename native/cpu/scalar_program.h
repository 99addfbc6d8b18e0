#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "kernel/fused_kernel.h"

namespace ftrans::cpu {

/// Fused kernels over one element, made for a loop around them: values are in cells, and an instruction is a
/// branch of a switch, or one call of the kernel that the tile executor would use.
class ScalarProgram {
 public:
  using Cell = uint64_t;  ///< a number of up to eight bytes, in the first of them

  int add_cell() {
    cells_.push_back(0);
    return static_cast<int>(cells_.size()) - 1;
  }

  /// Adds a kernel that reads `inputs`; `outputs` become the cells of its results. False if a value is
  /// complex or of 16 bits, or the kernel reduces: the program is of no use then.
  bool add(const FusedKernel& kernel, const std::vector<int>& inputs, std::vector<int>& outputs);

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

  /// Runs the kernels `count` times; no longer than `predicate`, a cell that they write, is not 0, unless it
  /// is negative. After each run the first cell of each move takes the value of the second, all at once.
  void loop(Cell* cells, const std::vector<std::pair<int, int>>& moves, int64_t count, int predicate) const;

 private:
  enum class Code : uint8_t;
  struct Operation {
    Code code;
    int out, operands[3];
    void (*kernel)(void* out, const void* a, const void* b, const void* c, int64_t n);
  };

  bool apply(const FusedKernel& kernel, const Instruction& instruction, const std::vector<int>& cell_of,
             int out);
  bool append_to_product(const FusedKernel& kernel, const Instruction& instruction,
                         const Operation& addition);
  static Code own_code(Opcode opcode, Dtype dtype);
  static void run(const Operation* operation, const Operation* end, Cell* cells);
  static bool repeat(const Operation& operation, Cell* cells, int64_t count);
  static bool count_up(const std::vector<Operation>& group, Cell* cells, int predicate, int64_t& count);
  void loop_over_groups(Cell* cells, int64_t count, int predicate) const;

  std::vector<Cell> cells_;
  std::vector<Operation> operations_;
  std::vector<std::vector<Operation>> groups_;  ///< of operations_: none reads or writes what another writes
};

}  // namespace ftrans::cpu
