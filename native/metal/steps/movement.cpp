#include "metal/steps/movement/steps.h"
#include "metal/steps/steps.h"

namespace ftrans::metal {

StepKernel movement_step(Opcode opcode, Dtype dtype) {
  if (opcode == Opcode::Copy) return movement::copy;  // of bytes, whatever they mean
  if (dtype == Dtype::Float64 || dtype == Dtype::Complex128) return nullptr;
  switch (opcode) {
    case Opcode::Pad: return movement::pad;
    case Opcode::Concatenate: return movement::concatenate;
    case Opcode::DynamicSlice: return movement::dynamic_slice;
    case Opcode::DynamicUpdateSlice: return movement::dynamic_update_slice;
    case Opcode::Gather: return movement::gather;
    case Opcode::Scatter: return movement::scatter;
    case Opcode::Sort: return movement::sort;
    case Opcode::RandomBits: return movement::random_bits;
    default: return nullptr;
  }
}

}  // namespace ftrans::metal
