#include "cpu/steps/kernels.h"
#include "cpu/steps/matrices.h"
#include "cpu/steps/small_cholesky.h"

// LAPACK is column-major and all results are row-major: where it saves a copy, the transposed problem is
// solved.
namespace ftrans::cpu::steps {

void cholesky(const StepArguments& arguments) {
  const Matrices input(arguments.inputs[0]), output(arguments.outputs[0]);
  const int64_t n = input.rows(), row = input.row_stride(), column = input.column_stride();
  const Dtype dtype = arguments.inputs[0].dtype;
  if (n == 0) return;
  if (is_for_small_cholesky(dtype, n, input.count())) return small_cholesky(dtype, input, output);
  dispatch_lapack(dtype, [&]<typename T>(TypeTag<T>) {
    for_each_matrix(input.count(), n * n * n / 3, [&](int64_t begin, int64_t end) {
      for (int64_t index = begin; index < end; ++index) {
        const T* a = input.at<const T>(index);
        T* l = output.at<T>(index);
        // Row-major a = l·lᴴ is column-major aᵀ = uᴴ·u with u = lᵀ: it stands in the upper triangle.
        for (int64_t i = 0; i < n; ++i) {
          for (int64_t j = 0; j <= i; ++j) {
            const T below = a[i * row + j * column], above = a[j * row + i * column];
            if constexpr (is_complex<T>) {
              l[i * n + j] = below / lapack::Real<T>{2} + std::conj(above) / lapack::Real<T>{2};
            } else {
              l[i * n + j] = below / 2 + above / 2;
            }
          }
          std::fill(l + i * n + i + 1, l + (i + 1) * n, T{});
        }
        if (!lapack::potrf_upper(lapack::dimension(n), l)) {
          for (int64_t i = 0; i < n; ++i) std::fill(l + i * n, l + i * n + i + 1, not_a_number<T>());
        }
      }
    });
  });
}

void lu(const StepArguments& arguments) {
  const Matrices input(arguments.inputs[0]), factors(arguments.outputs[0]);
  const Matrices pivots(arguments.outputs[1], 1), permutations(arguments.outputs[2], 1);
  const int64_t m = input.rows(), n = input.columns(), k = std::min(m, n);
  const BlockCopy load = input.copy_to(1, m), store = factors.copy_from(1, m);
  dispatch_lapack(arguments.inputs[0].dtype, [&]<typename T>(TypeTag<T>) {
    for_each_matrix(input.count(), m * n * k, [&](int64_t begin, int64_t end) {
      const Scratch scratch(m * n * static_cast<int64_t>(sizeof(T)));
      const Scratch exchanges(k * static_cast<int64_t>(sizeof(lapack::Integer)));
      T* a = scratch.as<T>();
      const lapack::Integer* exchanged = exchanges.as<lapack::Integer>();
      for (int64_t index = begin; index < end; ++index) {
        int32_t* pivot = pivots.at<int32_t>(index);
        int32_t* permutation = permutations.at<int32_t>(index);
        if (k > 0) {
          load.run(input.at<const T>(index), a);
          lapack::getrf(lapack::dimension(m), lapack::dimension(n), a, exchanges.as<lapack::Integer>());
          store.run(a, factors.at<T>(index));
        }
        for (int64_t i = 0; i < m; ++i) permutation[i] = static_cast<int32_t>(i);
        for (int64_t i = 0; i < k; ++i) {
          pivot[i] = static_cast<int32_t>(exchanged[i] - 1);
          std::swap(permutation[i], permutation[pivot[i]]);
        }
      }
    });
  });
}

void qr(const StepArguments& arguments) {
  const Matrices input(arguments.inputs[0]), q(arguments.outputs[0]), r(arguments.outputs[1]);
  const int64_t m = input.rows(), n = input.columns(), width = q.columns(), height = r.rows();
  if (m == 0) return;
  // aᵀ = l·qᵀ, in the memory of q.
  const lapack::Integer rows = lapack::dimension(n), columns = lapack::dimension(m),
                        ld = lapack::dimension(width);
  const BlockCopy load = input.copy_to(width, 1);
  dispatch_lapack(arguments.inputs[0].dtype, [&]<typename T>(TypeTag<T>) {
    const int64_t work_size = std::max(lapack::gelqf_workspace<T>(rows, columns, ld),
                                       lapack::unglq_workspace<T>(ld, columns, rows, ld));
    for_each_matrix(input.count(), m * n * width, [&](int64_t begin, int64_t end) {
      const Scratch scratch((n + work_size) * static_cast<int64_t>(sizeof(T)));
      T *factors = scratch.as<T>(), *work = factors + n;
      for (int64_t index = begin; index < end; ++index) {
        T *a = q.at<T>(index), *upper = r.at<T>(index);
        if (n > 0) {
          load.run(input.at<const T>(index), a);
          lapack::gelqf(rows, columns, a, ld, factors, work, work_size);
        }
        for (int64_t i = 0; i < height; ++i) {
          const int64_t zeros = std::min(i, n);
          std::fill(upper + i * n, upper + i * n + zeros, T{});
          std::copy(a + i * width + zeros, a + i * width + n, upper + i * n + zeros);
        }
        if (width > 0) lapack::unglq(ld, columns, rows, a, ld, factors, work, work_size);
      }
    });
  });
}

}  // namespace ftrans::cpu::steps
