#pragma once

#include <cstdint>
#include <memory>

#include "core/stream.h"
#include "cpu/step_kernels.h"
#include "kernel/fused_kernel.h"

namespace ftrans {

/// A fused kernel made ready for the processor.
class CompiledKernel {
 public:
  virtual ~CompiledKernel() = default;

  /// Runs over the iteration space `shape`; see cpu/fused_executor.h for the meaning of the arguments.
  virtual void run(const int64_t* shape, const void* const* inputs, const int64_t* const* input_strides,
                   void* const* outputs) const = 0;
};

/// What the processor must offer: kernels that run when they are called. (What a GPU must: core/gpu.h.)
class Backend {
 public:
  virtual ~Backend() = default;

  /// Equal kernels are compiled once.
  virtual std::shared_ptr<const CompiledKernel> compile(const FusedKernel& kernel) = 0;

  /// The kernel of a Step operation; throws std::runtime_error if there is none.
  virtual cpu::StepKernel step(Opcode opcode) = 0;

  /// About how many bytes the kernel of a Step operation allocates besides its outputs.
  virtual int64_t step_scratch(Opcode, const cpu::StepArguments&) { return 0; }
};

Backend& backend();

bool is_available(DeviceKind device);

/// Throws std::runtime_error saying what is available if the device is not.
void require_available(DeviceKind device);

}  // namespace ftrans
