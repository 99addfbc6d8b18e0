#pragma once

#include "cpu/step_kernels.h"

/// The step kernels, one function an operation. Parameters are those of the table in docs/architecture.md.
namespace ftrans::cpu::steps {

// argreduce.cpp
void argmax(const StepArguments& arguments);
void argmin(const StepArguments& arguments);

// shape.cpp
void pad(const StepArguments& arguments);
void concatenate(const StepArguments& arguments);
void dynamic_slice(const StepArguments& arguments);
void dynamic_update_slice(const StepArguments& arguments);
void copy(const StepArguments& arguments);

// matmul.cpp
void dot_general(const StepArguments& arguments);
int64_t dot_general_scratch(const StepArguments& arguments);  ///< bytes; the arrays' memory is not looked at

// convolution.cpp
void conv(const StepArguments& arguments);

// indexing.cpp
void gather(const StepArguments& arguments);
void scatter(const StepArguments& arguments);

// scan.cpp
void cumsum(const StepArguments& arguments);
void cumprod(const StepArguments& arguments);
void cummax(const StepArguments& arguments);
void cummin(const StepArguments& arguments);

// sort.cpp
void sort(const StepArguments& arguments);

// factorizations.cpp
void cholesky(const StepArguments& arguments);
void lu(const StepArguments& arguments);
void qr(const StepArguments& arguments);

// solvers.cpp
void triangular_solve(const StepArguments& arguments);
void solve(const StepArguments& arguments);
void expm(const StepArguments& arguments);
void diagonal_sylvester(const StepArguments& arguments);

// spectral.cpp
void eigh(const StepArguments& arguments);
void svd(const StepArguments& arguments);
void eig(const StepArguments& arguments);
void separate(const StepArguments& arguments);

// window.cpp
void reduce_window_sum(const StepArguments& arguments);
void reduce_window_prod(const StepArguments& arguments);
void reduce_window_max(const StepArguments& arguments);
void reduce_window_min(const StepArguments& arguments);
void window_argmax(const StepArguments& arguments);
void window_argmin(const StepArguments& arguments);

// random.cpp
void random_bits(const StepArguments& arguments);

}  // namespace ftrans::cpu::steps
