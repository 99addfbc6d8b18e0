#pragma once

// Kernels with reductions inside on the CPU, whose executor has none: one pass for each reduction, and one
// for the results.

#include <vector>

#include "fused_testing.h"

namespace ftrans::testing {

class InnerReductions {
 public:
  InnerReductions(const FusedKernel& kernel, const std::vector<int64_t>& shape,
                  std::vector<const void*> inputs, std::vector<const int64_t*> strides)
      : kernel_(kernel), shape_(shape), inputs_(std::move(inputs)), strides_(std::move(strides)) {
    int64_t step = 1;
    row_strides_.assign(shape.size(), 0);
    for (size_t axis = shape.size(); axis-- > 0;) {
      if (kernel.reduced_axes[axis]) continue;
      row_strides_[axis] = step;
      step *= shape[axis];
    }
    rows_ = step;
  }

  void run(const std::vector<void*>& outputs) {
    const std::vector<Instruction> body = kernel_.body;
    for (size_t i = 0; i < body.size(); ++i) {
      if (is_reduction(body[i])) replace(i, body[i].operands[0], body[i].opcode);
    }
    const std::vector<KernelOutput> wanted = kernel_.outputs;
    for (size_t i = 0; i < wanted.size(); ++i) {
      if (wanted[i].reduced) {
        store_rows(wanted[i].instruction, outputs[i]);
      } else {
        pass({wanted[i].instruction, false, Opcode{}}, shape_, kernel_.reduced_axes, outputs[i]);
      }
    }
  }

 private:
  void pass(KernelOutput output, const std::vector<int64_t>& shape, const std::vector<bool>& axes,
            void* to) const {
    FusedKernel kernel = kernel_;
    kernel.outputs = {output};
    kernel.reduced_axes = output.reduced ? axes : std::vector<bool>(axes.size(), false);
    void* const outputs[] = {to};
    cpu::FusedExecutor(kernel).run(shape.data(), inputs_.data(), strides_.data(), outputs);
  }

  /// The reduction becomes an input, its result.
  void replace(size_t number, int source, Opcode reduction) {
    const Dtype dtype = kernel_.body[number].dtype;
    results_.emplace_back(static_cast<size_t>(rows_ * itemsize(dtype) + 1));
    pass({source, true, reduction}, shape_, kernel_.reduced_axes, results_.back().data());
    kernel_.body[number] = input(static_cast<int>(kernel_.inputs.size()), dtype);
    kernel_.inputs.push_back(dtype);
    inputs_.push_back(results_.back().data());
    strides_.push_back(row_strides_.data());
  }

  /// What is the same for a whole row, by its first elements (even where it has none).
  void store_rows(int instruction, void* to) const {
    std::vector<int64_t> shape = shape_;
    for (size_t axis = 0; axis < shape.size(); ++axis) {
      if (kernel_.reduced_axes[axis]) shape[axis] = 1;
    }
    pass({instruction, false, Opcode{}}, shape, kernel_.reduced_axes, to);
  }

  FusedKernel kernel_;
  const std::vector<int64_t>& shape_;
  std::vector<const void*> inputs_;
  std::vector<const int64_t*> strides_;
  std::vector<int64_t> row_strides_;
  int64_t rows_;
  std::vector<std::vector<unsigned char>> results_;
};

/// On the CPU: what a fused kernel leaves, whether it has reductions inside or not.
inline void run_on_cpu(const FusedKernel& kernel, const std::vector<int64_t>& shape,
                       const std::vector<const void*>& inputs, const std::vector<const int64_t*>& strides,
                       const std::vector<void*>& outputs) {
  if (reduces_inside(kernel)) {
    InnerReductions(kernel, shape, inputs, strides).run(outputs);
  } else {
    cpu::FusedExecutor(kernel).run(shape.data(), inputs.data(), strides.data(), outputs.data());
  }
}

}  // namespace ftrans::testing
