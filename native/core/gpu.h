#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>

#include "core/buffer.h"
#include "core/dtype.h"
#include "core/inline_vector.h"
#include "kernel/attention_kernel.h"
#include "kernel/fused_kernel.h"

namespace ftrans {

/// An array that a step reads or writes.
struct GpuOperand {
  Buffer* buffer;
  int64_t offset;  ///< of element (0, …, 0), in bytes
  Dtype dtype;
  int ndim;
  const int64_t* shape;
  const int64_t* strides;  ///< in elements; may be 0 (broadcast) or negative (reversed)
};

/// The operands of a step. Outputs are allocated, row-major without gaps, and uninitialised. One of a fused
/// kernel may be the memory of an input that is read without gaps and has the same item size.
struct GpuArguments {
  const GpuOperand* inputs;
  int input_count;
  const GpuOperand* outputs;
  int output_count;
  const int64_t* space =
      nullptr;  ///< extents of the iteration space of a fused kernel, which inputs have too
  const int64_t* parameters = nullptr;  ///< native parameters of an operation
  int parameter_count = 0;
  bool first_input_is_output = false;  ///< outputs[0] already holds inputs[0] (in-place update and scatter)
};

/// A step made ready for the GPU. Immutable.
class GpuKernel {
 public:
  virtual ~GpuKernel() = default;
};

/// The end of work that has been handed to the GPU.
class Fence : public RefCounted {
 public:
  /// Blocks until the work is done; throws what went wrong with it.
  virtual void wait() = 0;

  /// Blocks until the work is done, but not longer than this; whether it is.
  virtual bool wait_for(std::chrono::milliseconds longest) = 0;
};

class GpuQueue;

/// Predicates that the GPU computes, one after the other.
class GpuCondition : public RefCounted {
 public:
  /// How many have held, up to the first that did not. To be asked when the work is done.
  virtual int64_t count() const = 0;
};

/// What one run records in a queue, of which it is told the errors. Other runs may record in the same queue
/// meanwhile. Any thread. What has not been submitted in the end is handed over then, though nobody waits.
class GpuRecorder {
 public:
  virtual ~GpuRecorder() = default;

  /// Appends a step. The memory of its operands is held until the GPU is done with it; steps that depend on
  /// each other through memory run one after the other.
  virtual void record(const GpuKernel& kernel, const GpuArguments& arguments) = 0;

  /// What is recorded from now on waits for other work, of any queue, and fails if that has failed.
  virtual void wait_for(Fence& fence) = 0;

  /// Adds a predicate, a bool that has been recorded, to a condition. The steps that are recorded from now on
  /// are done only if all of its predicates hold.
  virtual void require(GpuCondition& condition, const GpuOperand& predicate) = 0;

  /// The steps that are recorded from now on are done in any case.
  virtual void require_nothing() = 0;

  /// Hands what has been recorded to the GPU. `done` is called on any thread when all of it has ended, with
  /// what went wrong with it, or with what was submitted before.
  using Done = std::function<void(std::exception_ptr error)>;
  virtual Ref<Fence> submit(Done done) = 0;

  virtual GpuQueue& queue() const = 0;
};

/// What the operations of a stream are recorded in; the GPU works them off in this order. Any thread.
class GpuQueue {
 public:
  virtual ~GpuQueue() = default;

  /// The queue outlives it.
  virtual std::unique_ptr<GpuRecorder> new_recorder() = 0;

  /// Hands everything that has been recorded to the GPU, and blocks until it has ended, but not longer than
  /// this; whether it has.
  virtual bool synchronize_for(std::chrono::milliseconds longest) = 0;
};

/// What a GPU must offer. Nothing above this interface knows which one it is.
class Gpu {
 public:
  virtual ~Gpu() = default;

  virtual bool has_dtype(Dtype dtype) const = 0;

  /// Whether there is a kernel for an operation, which takes operands of one dtype (but for the predicate of
  /// a Select, and for indices).
  virtual bool can_run(Opcode opcode, Dtype operand, Dtype result, const Dims& parameters) const = 0;

  /// The most inputs and outputs that a fused kernel can have together.
  virtual int most_operands() const = 0;

  /// Kernels of what `can_run`, and of Copy for every dtype; equal fused ones are compiled once.
  virtual std::shared_ptr<const GpuKernel> fused(const FusedKernel& kernel) = 0;
  /// Takes queries, keys, values, and the inputs of the scores but for the product.
  virtual std::shared_ptr<const GpuKernel> attention(const AttentionKernel& kernel) = 0;
  virtual std::shared_ptr<const GpuKernel> step(Opcode opcode, Dtype operand) = 0;

  virtual std::unique_ptr<GpuQueue> new_queue() = 0;

  /// Without predicates yet.
  virtual Ref<GpuCondition> new_condition() = 0;
};

/// The GPU of this process; null if there is none. Made at the first call, never destroyed.
Gpu* gpu();

}  // namespace ftrans
