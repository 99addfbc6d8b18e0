#pragma once

#include <cstdint>
#include <vector>

#include "core/tensor_view.h"
#include "kernel/opcode.h"

namespace ftrans::cpu {

/// The operands of one step. Inputs may be strided; outputs are allocated, row-major without gaps, and
/// uninitialised.
struct StepArguments {
  const TensorView* inputs;
  int input_count;
  const TensorView* outputs;
  int output_count;
  const int64_t* parameters;  ///< the native parameters of the primitive (docs/architecture.md)
  int parameter_count;
  bool first_input_is_output =
      false;  ///< outputs[0] already holds inputs[0] (in-place dynamic_update_slice and scatter)
};

using StepKernel = void (*)(const StepArguments&);

/// The kernel of an operation of category Step (and Copy: strided to row-major, same dtype); nullptr if there
/// is none.
StepKernel step_kernel(Opcode opcode);

/// About how many bytes the kernel allocates besides its outputs; the arrays' memory is not looked at.
int64_t step_scratch(Opcode opcode, const StepArguments& arguments);

}  // namespace ftrans::cpu
