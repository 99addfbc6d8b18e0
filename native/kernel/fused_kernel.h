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
    Apply,     ///< `opcode` of the registers in `operands`
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
  Opcode reduction;  ///< ReduceSum, …; meaningful when `reduced`. The result has the register's dtype.
};

/// The contract of every backend: a small SSA program over an iteration space.
/// The operands of an Apply have one dtype (but for Select, whose first operand is bool), and the semantics
/// of the primitive of the same name. float16 and bfloat16 compute in float32; a Convert rounds, and so does
/// a store.
struct FusedKernel {
  int ndim = 0;                         ///< of the iteration space (its extents may differ between calls)
  std::vector<Dtype> inputs;            ///< dtype of each input
  std::vector<InputPiece> pieces = {};  ///< parts of concatenated or padded arrays; on the processor only
  std::vector<Instruction> body;
  std::vector<KernelOutput> outputs;
  std::vector<bool>
      reduced_axes;  ///< per axis; all false when nothing is reduced. All reductions of a kernel share it.
};

/// Text of the kernel, one instruction a line, for `as_text` and error messages.
std::string to_string(const FusedKernel& kernel);

}  // namespace ftrans
