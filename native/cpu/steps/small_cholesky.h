#pragma once

#include "cpu/steps/matrices.h"

/// Cholesky factors of many small matrices: a call of LAPACK for each costs more than its arithmetic, so
/// they are factored side by side, each in a lane of the vectors.
namespace ftrans::cpu::steps {

/// Whether that pays for `count` matrices with n rows. Complex ones have no such kernel.
bool is_for_small_cholesky(Dtype dtype, int64_t n, int64_t count);

/// The factors, or NaN for those that are not positive definite, with zeros in the other triangle.
void small_cholesky(Dtype dtype, const Matrices& input, const Matrices& output);

}  // namespace ftrans::cpu::steps
