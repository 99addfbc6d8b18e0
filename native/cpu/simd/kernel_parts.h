#pragma once

// The families of kernels of one instruction set, each in its own file; kernel_set.cpp asks them in turn.

#include "cpu/simd/kernel_set.h"

namespace ftrans::cpu::FTRANS_ISA_NAMESPACE {

KernelVariants arithmetic_kernels(Opcode opcode, Dtype dtype);
KernelVariants mul_add_kernels(MulAdd form, Dtype dtype);
ChainKernel chain_kernel(Dtype dtype);
KernelVariants comparison_kernels(Opcode opcode, Dtype dtype);
KernelVariants complex_kernels(Opcode opcode, Dtype dtype);
KernelVariants integer_division_kernels(Opcode opcode, Dtype dtype);
KernelVariants integer_power_kernels(Dtype dtype);
KernelVariants special_kernels(Opcode opcode, Dtype dtype);
KernelVariants transcendental_kernels(Opcode opcode, Dtype dtype);
KernelVariants erf_inv_giles_kernels(Dtype dtype);
Kernel convert_kernel(Dtype from, Dtype to);
Kernel round_to_half_kernel(Dtype from, Dtype half);
TileProduct tile_product_kernel(Dtype dtype);
ReductionKernels reduction_kernels(Opcode opcode, Dtype dtype);
KeySort key_sort(int64_t itemsize);

}  // namespace ftrans::cpu::FTRANS_ISA_NAMESPACE
