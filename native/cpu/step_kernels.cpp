#include "cpu/step_kernels.h"

#include "cpu/steps/kernels.h"

namespace ftrans::cpu {

StepKernel step_kernel(Opcode opcode) {
  switch (opcode) {
    case Opcode::Argmax: return argmax;
    case Opcode::Argmin: return argmin;
    case Opcode::Pad: return pad;
    case Opcode::Concatenate: return concatenate;
    case Opcode::DynamicSlice: return dynamic_slice;
    case Opcode::DynamicUpdateSlice: return dynamic_update_slice;
    case Opcode::DotGeneral: return dot_general;
    case Opcode::Gather: return gather;
    case Opcode::Scatter: return scatter;
    case Opcode::Cumsum: return cumsum;
    case Opcode::Cumprod: return cumprod;
    case Opcode::Cummax: return cummax;
    case Opcode::Cummin: return cummin;
    case Opcode::Sort: return sort;
    case Opcode::RandomBits: return random_bits;
    case Opcode::Copy: return copy;
    default: return nullptr;
  }
}

}  // namespace ftrans::cpu
