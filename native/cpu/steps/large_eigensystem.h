#pragma once

#include "cpu/steps/matrices.h"

/// The eigensystem of one large Hermitian matrix by all threads: the stages of LAPACK's driver, of which all
/// but the first one are done for several parts at once.
namespace ftrans::cpu::steps {

/// Ascending eigenvalues of the Hermitian matrix whose conjugate has this lower triangle, which is
/// overwritten. The eigenvectors are the columns of a row-major matrix. Whether the iterations have
/// converged.
template <typename T>
bool large_eigensystem(int64_t n, T* conjugate, lapack::Real<T>* eigenvalues, T* eigenvectors);

}  // namespace ftrans::cpu::steps
