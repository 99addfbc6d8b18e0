#pragma once

#include <cstdint>
#include <vector>

#include "cpu/simd/kernel_set.h"
#include "kernel/fused_kernel.h"

namespace ftrans::cpu {

/// Work, in additions of an element, below which no other thread is woken.
inline constexpr int64_t kSerialCost = 64 * 1024;

/// The dtype in which registers hold values of `dtype`: float32 for the 16-bit floats.
constexpr Dtype register_dtype(Dtype dtype) {
  return dtype == Dtype::Float16 || dtype == Dtype::BFloat16 ? Dtype::Float32 : dtype;
}

/// A value of the planned program: a constant, or something with a tile register of its own while it lives.
struct PlanValue {
  Dtype dtype;          ///< as held in the register
  int constant = -1;    ///< number of the constant, or −1
  int source = -1;      ///< number of the source, or −1
  int slot = -1;        ///< register; −1 for constants
  int definition = -1;  ///< step that computes it
  int last_use = -1;    ///< last step that reads it; the number of steps if it leaves the kernel
  int store = -1;       ///< the store it may be computed straight into, or −1
};

/// Where values come from, tile by tile: an input, a piece of the space, or the coordinate along an axis.
struct PlanSource {
  int input = -1;         ///< input number; −1 for a coordinate
  int piece = -1;         ///< number of the piece that the input is, or −1
  int axis = -1;          ///< of a coordinate
  Dtype storage;          ///< dtype in memory (int64 for a coordinate)
  Kernel load = nullptr;  ///< conversion to the register's dtype, where it differs
};

/// A link of a chain, over values: see ChainLink.
struct PlanLink {
  ChainOperation operation;
  bool reversed = false;
  int operands[2] = {-1, -1};
};

struct PlanStep {
  KernelVariants kernels;  ///< none: loads or places the source of `result`, or runs a chain
  int operands[3] = {-1, -1, -1};
  int operand_count = 0;
  int result;
  bool places = false;  ///< puts the source of `result`, a piece, over the operand, if there is one
  ChainOperation operation = ChainOperation::Start;  ///< as part of a chain; Start if it cannot be one
  ChainKernel chain = nullptr;
  std::vector<PlanLink> links = {};  ///< of a chain, which has no other operands

  /// Whether it depends on no other step.
  bool is_load() const { return operand_count == 0 && !chain; }

  template <class F>
  void for_each_operand(F&& f) const {
    for (int i = 0; i < operand_count; ++i) f(operands[i]);
    for (const PlanLink& link : links) {
      for (const int operand : link.operands) {
        if (operand >= 0) f(operand);
      }
    }
  }
};

struct PlanStore {
  int output;
  int value;
  Dtype storage;
  Kernel narrow = nullptr;  ///< conversion to the dtype in memory, where it differs
};

struct PlanReduction {
  int output;
  int value;
  Dtype storage;
  ReductionKernels kernels;
  ReductionKernels merge;  ///< the same reduction over accumulators
  ScalarStorage identity;  ///< of the accumulator's dtype
  Kernel finish[2] = {};   ///< accumulator to storage dtype, in up to two conversions
};

/// A fused kernel translated to kernel calls over tile registers.
struct Plan {
  int ndim;
  std::vector<bool> reduced_axes;
  std::vector<InputPiece> pieces;
  std::vector<PlanValue> values;
  std::vector<ScalarStorage> constants;
  std::vector<PlanSource> sources;
  std::vector<PlanStep> steps;
  std::vector<PlanStore> stores;
  std::vector<PlanReduction> reductions;
  int slot_count = 0;
  int64_t longest_chain = 0;  ///< in links
  int64_t tile = 0;           ///< elements of a register
  int64_t width = 0;          ///< bytes of the widest value
  int64_t cost = 1;           ///< of an element, in additions

  explicit Plan(const FusedKernel& kernel);
};

}  // namespace ftrans::cpu
