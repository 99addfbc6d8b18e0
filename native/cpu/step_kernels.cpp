#include "cpu/step_kernels.h"

#include "cpu/steps/kernels.h"

namespace ftrans::cpu {

StepKernel step_kernel(Opcode opcode) {
  switch (opcode) {
    case Opcode::Argmax: return steps::argmax;
    case Opcode::Argmin: return steps::argmin;
    case Opcode::Pad: return steps::pad;
    case Opcode::Concatenate: return steps::concatenate;
    case Opcode::DynamicSlice: return steps::dynamic_slice;
    case Opcode::DynamicUpdateSlice: return steps::dynamic_update_slice;
    case Opcode::DotGeneral: return steps::dot_general;
    case Opcode::Conv: return steps::conv;
    case Opcode::Gather: return steps::gather;
    case Opcode::Scatter: return steps::scatter;
    case Opcode::Cumsum: return steps::cumsum;
    case Opcode::Cumprod: return steps::cumprod;
    case Opcode::Cummax: return steps::cummax;
    case Opcode::Cummin: return steps::cummin;
    case Opcode::ReduceWindowSum: return steps::reduce_window_sum;
    case Opcode::ReduceWindowProd: return steps::reduce_window_prod;
    case Opcode::ReduceWindowMax: return steps::reduce_window_max;
    case Opcode::ReduceWindowMin: return steps::reduce_window_min;
    case Opcode::WindowArgmax: return steps::window_argmax;
    case Opcode::WindowArgmin: return steps::window_argmin;
    case Opcode::Sort: return steps::sort;
    case Opcode::RandomBits: return steps::random_bits;
    case Opcode::Cholesky: return steps::cholesky;
    case Opcode::Lu: return steps::lu;
    case Opcode::Qr: return steps::qr;
    case Opcode::TriangularSolve: return steps::triangular_solve;
    case Opcode::Solve: return steps::solve;
    case Opcode::Expm: return steps::expm;
    case Opcode::DiagonalSylvester: return steps::diagonal_sylvester;
    case Opcode::Eigh: return steps::eigh;
    case Opcode::Svd: return steps::svd;
    case Opcode::Eig: return steps::eig;
    case Opcode::Separate: return steps::separate;
    case Opcode::Copy: return steps::copy;
    default: return nullptr;
  }
}

int64_t step_scratch(Opcode opcode, const StepArguments& arguments) {
  return opcode == Opcode::DotGeneral ? steps::dot_general_scratch(arguments) : 0;
}

}  // namespace ftrans::cpu
