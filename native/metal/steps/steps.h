#pragma once

// The families of hand-written kernels. Each function has the meaning of `step_kernel`, for its own
// operations.

#include "metal/step_kernel.h"

namespace ftrans::metal {

/// Products, convolutions, scans, windows and the places of extremes.
StepKernel arithmetic_step(Opcode opcode, Dtype dtype);

/// Copies, sorting, reading and writing at indices, random bits.
StepKernel movement_step(Opcode opcode, Dtype dtype);

/// What users write in MSL (custom.h).
StepKernel custom_step(Opcode opcode);

}  // namespace ftrans::metal
