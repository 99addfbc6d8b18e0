// Of a run, what concerns a GPU: its steps are recorded in a queue, and the processor waits where it looks at
// memory that the GPU may not be done with.

#include "core/error.h"
#include "graph/run.h"

namespace ftrans {

/// Where a step that runs on a GPU is recorded; null for one that does not.
GpuQueue* Run::queue_of(const Program::Step& step) const {
  GpuQueue* own = step.stream->queue();
  return own && queue_ ? queue_ : own;
}

/// Memory that only what the GPU has yet to do holds is waited for, if there is no other.
Ref<Buffer> Run::new_block(int64_t bytes) const {
  try {
    return Allocator::instance().allocate(static_cast<size_t>(bytes));
  } catch (const MemoryLimitError&) {
    if (!program_.gpu_stream) throw;
    finish(queue_ ? *queue_ : *program_.gpu_stream->queue());
    return Allocator::instance().allocate(static_cast<size_t>(bytes));
  }
}

void Run::record(const Program::Step& step) {
  static constexpr int64_t kZeros[64] = {};
  InlineVector<GpuOperand, 8> inputs, outputs;
  for (int32_t slot : step.inputs) inputs.push_back(operand(slot));
  GpuArguments arguments{};
  if (step.kind == Program::Step::Kind::Fused) {
    for (GpuOperand& input : inputs) {
      if (input.ndim == 0) input.strides = kZeros;
    }
    for (size_t k = 0; k < step.outputs.size(); ++k) make_fused_output(step, k);
    arguments.space = step.space.data();
  } else {
    arguments.first_input_is_output = make_kernel_outputs(step);
  }
  for (int32_t slot : step.outputs) outputs.push_back(operand(slot));
  arguments.inputs = inputs.data();
  arguments.input_count = inputs.size();
  arguments.outputs = outputs.data();
  arguments.output_count = outputs.size();
  arguments.parameters = step.parameters.data();
  arguments.parameter_count = step.parameters.size();
  queue_of(step)->record(*step.gpu, arguments);
}

GpuQueue* Run::enter(const Program::Step& step, const Stream* inner_stream) const {
  GpuQueue* outer = queue_ ? queue_ : step.stream->queue();
  if (inner_stream) return outer ? outer : inner_stream->queue();
  if (outer) finish(*outer);
  return nullptr;
}

const void* Run::visible_data(const Program::Step& step, int32_t slot) const {
  if (GpuQueue* queue = queue_ ? queue_ : step.stream->queue()) finish(*queue);
  return data(slot);
}

void Run::leave(const Program::Step& step, GpuQueue* inner) const {
  if (inner && !queue_ && !step.stream->queue()) finish(*inner);
}

}  // namespace ftrans
