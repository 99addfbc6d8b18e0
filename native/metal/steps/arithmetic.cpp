#include "metal/steps/arithmetic.h"

#include "metal/steps/steps.h"

namespace ftrans::metal {
namespace {

/// Complex numbers have no order in which a place is looked for; only scans order them.
StepKernel of_real_numbers(Opcode opcode) {
  switch (opcode) {
    case Opcode::Argmax: return argmax;
    case Opcode::Argmin: return argmin;
    case Opcode::ReduceWindowMax: return reduce_window_max;
    case Opcode::ReduceWindowMin: return reduce_window_min;
    case Opcode::WindowArgmax: return window_argmax;
    case Opcode::WindowArgmin: return window_argmin;
    default: return nullptr;
  }
}

StepKernel of_all(Opcode opcode) {
  switch (opcode) {
    case Opcode::DotGeneral: return dot_general;
    case Opcode::Cumsum: return cumsum;
    case Opcode::Cumprod: return cumprod;
    case Opcode::Cummax: return cummax;
    case Opcode::Cummin: return cummin;
    case Opcode::ReduceWindowSum: return reduce_window_sum;
    case Opcode::ReduceWindowProd: return reduce_window_prod;
    default: return nullptr;
  }
}

}  // namespace

StepKernel arithmetic_step(Opcode opcode, Dtype dtype) {
  if (dtype == Dtype::Float64 || dtype == Dtype::Complex128) return nullptr;
  if (opcode == Opcode::Conv) return dtype == Dtype::Bool ? nullptr : conv;
  if (StepKernel kernel = of_all(opcode)) return kernel;
  return kind(dtype) == 'c' ? nullptr : of_real_numbers(opcode);
}

}  // namespace ftrans::metal
