#include "metal/step_kernel.h"

#include <new>

#include "metal/steps/steps.h"

namespace ftrans::metal {

Place Encoder::scratch(size_t bytes) {
  const Ref<Memory> memory = pipelines_.device().allocate(bytes);
  if (!memory) throw std::bad_alloc();
  scratch_.push_back(memory);
  return {memory.get(), 0};
}

StepKernel step_kernel(Opcode opcode, Dtype dtype) {
  if (StepKernel kernel = arithmetic_step(opcode, dtype)) return kernel;
  if (StepKernel kernel = movement_step(opcode, dtype)) return kernel;
  return custom_step(opcode);
}

}  // namespace ftrans::metal
