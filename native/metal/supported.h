#pragma once

#include "kernel/fused_kernel.h"

namespace ftrans::metal {

/// Throws std::invalid_argument, with the name of the operation and what to do, if `kernel` has something
/// that Metal or this printer cannot do.
void require_supported(const FusedKernel& kernel);

/// Whether a function of kernels/functions.metal (special.metal, gamma.metal) computes it.
bool is_function(Opcode opcode);
bool is_special(Opcode opcode);
bool is_gamma(Opcode opcode);

}  // namespace ftrans::metal
