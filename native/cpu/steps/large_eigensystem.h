#pragma once

#include "cpu/steps/matrices.h"

/// The eigensystem of one large Hermitian matrix by all threads: the stages of LAPACK's driver, of which the
/// last one, a third of the work, is done for several parts of the eigenvectors at once.
namespace ftrans::cpu::steps {

/// Whether that pays for `count` matrices with n rows, which threads could also take one by one.
bool is_for_large_eigensystem(int64_t n, int64_t count);

template <typename T>
class LargeEigensystem {
 public:
  explicit LargeEigensystem(int64_t n);

  /// Whether the elements are of a size for which the stages may be used; the driver scales others.
  bool accepts(const T* a) const;

  /// What lapack::heevd does.
  bool run(T* a, lapack::Real<T>* eigenvalues) const;

 private:
  int n_;
  int64_t reduction_size_, rotation_size_;
  lapack::WorkspaceSize solver_size_;
};

}  // namespace ftrans::cpu::steps
