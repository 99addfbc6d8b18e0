#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "core/inline_vector.h"
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
    Piece,     ///< element of piece `index` inside of its box, elsewhere the register operands[0] (−1: none)
  };
  Kind kind;
  Opcode opcode;        ///< for Apply
  Dtype dtype;          ///< of the result
  int16_t operands[3];  ///< earlier registers; −1 where there is none
  int32_t index;  ///< number of an input or a piece, axis of an Iota, or parameter of an Apply (0 for most)
  ScalarStorage constant;  ///< for Constant
};

/// An input that is as large as a box of the iteration space.
struct InputPiece {
  int input;
  Dims start;   ///< of the box, along each axis of the space
  Dims extent;  ///< not empty
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
  int ndim = 0;                         ///< of the iteration space (its extents may differ between calls)
  std::vector<Dtype> inputs;            ///< dtype of each input
  std::vector<InputPiece> pieces = {};  ///< parts of concatenated or padded arrays; on the processor only
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
