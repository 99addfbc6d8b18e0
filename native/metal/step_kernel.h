#pragma once

#include <cstdint>
#include <vector>

#include "core/dtype.h"
#include "kernel/opcode.h"
#include "metal/fused_kernel.h"

namespace ftrans::metal {

/// An array that a step reads or writes.
struct Operand {
  Place place;  ///< of element (0, …, 0)
  Dtype dtype;
  int ndim;
  const int64_t* shape;
  const int64_t* strides;  ///< in elements; may be 0 (broadcast) or negative (reversed)
};

/// The operands of one step. Inputs may be strided; outputs are allocated, row-major without gaps, and
/// uninitialised.
struct StepArguments {
  const Operand* inputs;
  int input_count;
  const Operand* outputs;
  int output_count;
  const int64_t* parameters;  ///< the native parameters of the primitive (docs/architecture.md)
  int parameter_count;
  bool first_input_is_output = false;  ///< outputs[0] already holds inputs[0] (in-place update and scatter)
};

/// Where a step records its work.
class Encoder {
 public:
  Encoder(Pipelines& pipelines, Recording& recording) : pipelines_(pipelines), recording_(recording) {}

  Pipelines& pipelines() const { return pipelines_; }
  Recording& recording() const { return recording_; }

  /// Memory for what lies between two dispatches: the encoder keeps it until commands use it, and they until
  /// they are done. Throws std::bad_alloc.
  Place scratch(size_t bytes);

 private:
  std::vector<Ref<Memory>> scratch_;
  Pipelines& pipelines_;
  Recording& recording_;
};

/// Records the work of a step, with barriers between its own dispatches. Reentrant.
using StepKernel = void (*)(Encoder&, const StepArguments&);

/// The kernel of an operation of category Step (and Copy) for operands of `dtype` (of the first input; of the
/// output, where there is none); nullptr if there is none, so that the processor runs the step.
StepKernel step_kernel(Opcode opcode, Dtype dtype);

}  // namespace ftrans::metal
