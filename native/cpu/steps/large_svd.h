#pragma once

#include "cpu/steps/matrices.h"

namespace ftrans::cpu::steps {

/// The reduced singular value decomposition of one large matrix: the stages of LAPACK's driver, of which
/// threads share the last one. The [m, n] matrix a, in column-major order, is overwritten; u is [m, k] and vt
/// is [k, n] with k = min(m, n). Whether the iterations have converged.
template <typename T>
bool large_svd(int64_t m, int64_t n, T* a, lapack::Real<T>* singular_values, T* u, T* vt);

}  // namespace ftrans::cpu::steps
