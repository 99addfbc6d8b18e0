#include "metal/steps/steps.h"

namespace ftrans::metal {

StepKernel arithmetic_step(Opcode, Dtype) { return nullptr; }

}  // namespace ftrans::metal
