#pragma once

#include "cpu/simd/kernel_set.h"

namespace ftrans::cpu {

/// Operations that are computed element by element whatever the instruction set: powers and 64-bit
/// divisions of integers, and floating-point functions left to the C library. `dtype` may be Float16 or
/// BFloat16 for Nextafter, on stored bits.
KernelVariants scalar_kernels(Opcode opcode, Dtype dtype);

/// Special functions; `variant` is the operation's parameter, such as an order of differentiation.
KernelVariants special_kernels(Opcode opcode, Dtype dtype, int variant);

/// Functions of complex numbers, and their division and comparisons.
KernelVariants complex_kernels(Opcode opcode, Dtype dtype);

/// Real to complex of its width, complex to complex, complex to bool.
Kernel complex_convert_kernel(Dtype from, Dtype to);

/// Sums and products of complex numbers.
ReductionKernels complex_reduction_kernels(Opcode opcode, Dtype dtype);

}  // namespace ftrans::cpu
