#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "core/tensor_view.h"
#include "kernel/opcode.h"

namespace ftrans {

/// One value of a fused kernel's SSA body. `FusedKernel::body[i]` defines register i.
struct Instruction {
  enum class Kind : uint8_t {
    Input,     ///< element of input `index`
    Constant,  ///< the scalar `constant`, of `dtype`
    Iota,      ///< coordinate along iteration axis `index`, converted to `dtype`
    Apply,     ///< `opcode` of the registers in `operands`; see FusedKernel for one that reduces
  };
  Kind kind;
  Opcode opcode;        ///< for Apply
  Dtype dtype;          ///< of the result
  int16_t operands[3];  ///< earlier registers; −1 where there is none
  int32_t index;        ///< input number, axis of an Iota, or parameter of an Apply (0 for most operations)
  ScalarStorage constant;  ///< for Constant
};

/// What a kernel leaves in memory: always row-major without gaps.
struct KernelOutput {
  int32_t instruction;  ///< register that is stored or reduced
  bool reduced;      ///< false: stored over the whole iteration space; true: reduced by `reduction` over the
                     ///< kernel's reduced axes
  Opcode reduction;  ///< ReduceSum, …; meaningful when `reduced`. The result has the register's dtype. In a
                     ///< kernel with reductions in its body the register is stored as it is.
};

/// The contract of every backend: a small SSA program over an iteration space.
/// The operands of an Apply have one dtype (but for Select, whose first operand is bool), and the semantics
/// of the primitive of the same name. float16 and bfloat16 compute in float32; a Convert rounds, and so does
/// a store.
/// In a kernel for a GPU an Apply may reduce (ReduceSum, … of one register) over the reduced axes: its
/// register is then the same for all elements that differ along those only, and so is what is computed from
/// such registers, from constants and from inputs with strides of 0 along those axes. That is what the
/// `reduced` outputs of such a kernel are.
struct FusedKernel {
  int ndim = 0;               ///< of the iteration space (its extents may differ between calls)
  std::vector<Dtype> inputs;  ///< dtype of each input
  std::vector<Instruction> body;
  std::vector<KernelOutput> outputs;
  std::vector<bool>
      reduced_axes;  ///< per axis; all false when nothing is reduced. All reductions of a kernel share it.
};

/// Whether the instruction reduces what it applies to.
constexpr bool is_reduction(const Instruction& instruction) {
  return instruction.kind == Instruction::Kind::Apply &&
         info(instruction.opcode).category == OpcodeCategory::Reduction;
}

/// Whether the body has reductions whose results it goes on with.
bool reduces_inside(const FusedKernel& kernel);

/// Text of the kernel, one instruction a line, for `as_text` and error messages.
std::string to_string(const FusedKernel& kernel);

}  // namespace ftrans
