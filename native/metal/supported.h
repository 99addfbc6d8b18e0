#pragma once

#include "kernel/fused_kernel.h"

namespace ftrans::metal {

/// Throws std::invalid_argument, with the name of the operation and what to do, if `kernel` has something
/// that Metal or this printer cannot do.
void require_supported(const FusedKernel& kernel);

/// Whether printed kernels have an elementwise operation or reduction of operands of a dtype, with a native
/// parameter (0 where there is none).
bool is_printable(Opcode opcode, Dtype operand, Dtype result, int64_t parameter);

inline bool has_dtype(Dtype dtype) { return dtype != Dtype::Float64 && dtype != Dtype::Complex128; }

/// Whether a function of kernels/functions.metal (special.metal, gamma.metal) computes it.
bool is_function(Opcode opcode);
bool is_special(Opcode opcode);
bool is_gamma(Opcode opcode);

}  // namespace ftrans::metal
