#pragma once

#include <cstdint>
#include <memory>

#include "kernel/fused_kernel.h"

namespace ftrans::cpu {

/// A fused kernel made ready for this processor: registers assigned, kernel functions chosen.
class FusedExecutor {
 public:
  /// Throws std::runtime_error if an instruction has no kernel for its dtype.
  explicit FusedExecutor(const FusedKernel& kernel);
  ~FusedExecutor();
  FusedExecutor(const FusedExecutor&) = delete;
  FusedExecutor& operator=(const FusedExecutor&) = delete;

  /// Runs over the iteration space `shape` (kernel.ndim extents). `input_strides[i]` are the ndim element
  /// strides of input i over that space (0 where it is broadcast). An output may be the very memory of an
  /// input that is read without gaps and has the same item size. Reentrant: several threads may run the same
  /// executor at once.
  void run(const int64_t* shape, const void* const* inputs, const int64_t* const* input_strides,
           void* const* outputs) const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

/// Name of the instruction set in use: "x86-64-v4", "x86-64-v3", "baseline" or "neon". The environment
/// variable FTRANS_ISA may lower the choice (tests).
const char* instruction_set();

}  // namespace ftrans::cpu
