#pragma once

#include "cpu/steps/matrices.h"

/// The eigensystem of one large Hermitian matrix by all threads: the stages of LAPACK's driver, of which all
/// but the first one are done for several parts at once.
namespace ftrans::cpu::steps {

/// Whether that pays for `count` matrices with n rows, which threads could also take one by one.
bool is_for_large_eigensystem(int64_t n, int64_t count);

/// Whether the elements are finite, and of a size for which the stages may be used; the driver scales others.
template <typename T>
bool has_moderate_elements(const T* a, int64_t size);

/// Ascending eigenvalues of the Hermitian matrix whose conjugate has this lower triangle, which is
/// overwritten. The eigenvectors are the columns of a row-major matrix. Whether the iterations have
/// converged.
template <typename T>
bool large_eigensystem(int64_t n, T* conjugate, lapack::Real<T>* eigenvalues, T* eigenvectors);

}  // namespace ftrans::cpu::steps
