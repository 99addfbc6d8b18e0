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
    Apply,     ///< `opcode` of the registers in `operands`
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
  Opcode reduction;  ///< ReduceSum, …; meaningful when `reduced`. The result has the register's dtype.
};

/// The contract of every backend: a small SSA program over an iteration space.
/// The operands of an Apply have one dtype (but for Select, whose first operand is bool), and the semantics
/// of the primitive of the same name. float16 and bfloat16 compute in float32; a Convert rounds, and so does
/// a store.
struct FusedKernel {
  int ndim = 0;               ///< of the iteration space (its extents may differ between calls)
  std::vector<Dtype> inputs;  ///< dtype of each input
  std::vector<Instruction> body;
  std::vector<KernelOutput> outputs;
  std::vector<bool>
      reduced_axes;  ///< per axis; all false when nothing is reduced. All reductions of a kernel share it.
};

/// Text of the kernel, one instruction a line, for `as_text` and error messages.
std::string to_string(const FusedKernel& kernel);

}  // namespace ftrans
