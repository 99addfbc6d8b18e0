#include "metal/steps/steps.h"

namespace ftrans::metal {

StepKernel movement_step(Opcode, Dtype) { return nullptr; }

}  // namespace ftrans::metal
