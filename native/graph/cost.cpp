#include <algorithm>

#include "core/shape.h"
#include "graph/program.h"

namespace ftrans {
namespace {

int64_t elements(const Program& program, int32_t slot) { return element_count(program.slots[slot].shape); }

/// Of a library kernel: the terms of the products that it sums, or one operation an element.
int64_t kernel_flops(const Program& program, const Program::Step& step) {
  if (step.opcode == Opcode::DotGeneral) {
    int64_t terms = 1;
    for (int64_t i = 0; i < step.parameters[0]; ++i)
      terms *=
          program.slots[step.inputs[0]].shape[static_cast<int>(step.parameters[static_cast<int>(2 + i)])];
    return 2 * terms * elements(program, step.outputs[0]);
  }
  int64_t most = 0;
  for (int32_t slot : step.inputs) most = std::max(most, elements(program, slot));
  for (int32_t slot : step.outputs) most = std::max(most, elements(program, slot));
  return most;
}

}  // namespace

Cost estimate_cost(const Program& program) {
  Cost cost;
  for (const Program::Step& step : program.steps) {
    ++cost.steps;
    switch (step.kind) {
      case Program::Step::Kind::Fused: cost.flops += step.operations * element_count(step.space); break;
      case Program::Step::Kind::Kernel: cost.flops += kernel_flops(program, step); break;
      case Program::Step::Kind::View:
      case Program::Step::Kind::Alias: continue;
      case Program::Step::Kind::Host:
      case Program::Step::Kind::Control: break;
      case Program::Step::Kind::Call: {
        const Cost inner = estimate_cost(*step.callee);
        cost.flops += inner.flops;
        cost.bytes_accessed += inner.bytes_accessed;
        cost.steps += inner.steps - 1;
        continue;
      }
    }
    auto accessed = [&](int32_t slot) {
      const Program::Slot& array = program.slots[slot];
      return array.constant ? itemsize(array.dtype) : array.nbytes;
    };
    for (int32_t slot : step.inputs) cost.bytes_accessed += accessed(slot);
    for (int32_t slot : step.outputs) cost.bytes_accessed += accessed(slot);
  }
  return cost;
}

}  // namespace ftrans
