// Of a run, what concerns a GPU: its steps are recorded in a queue, and the processor waits where it looks at
// memory that the GPU may not be done with.

#include "core/error.h"
#include "core/interruption.h"
#include "graph/run.h"

namespace ftrans {

namespace {

void wait_until_idle(GpuQueue& queue) {
  while (!queue.synchronize_for(kInterruptionInterval)) Interruption::poll_after_wait();
}

}  // namespace

void finish(GpuRecorder& recorder) {
  const Ref<Fence> fence = recorder.submit(nullptr);
  while (!fence->wait_for(kInterruptionInterval)) Interruption::poll_after_wait();
  fence->wait();
}

void Run::make_recorders() {
  const auto add = [this](const Stream* stream) {
    if (stream && stream->queue() && !recorder_of(stream))
      recorders_.emplace_back(stream, stream->queue()->new_recorder());
  };
  for (const Program::Step& step : program_.steps) {
    add(step.stream);
    if (step.kind == Program::Step::Kind::Call) add(step.callee->gpu_stream);
    if (step.kind == Program::Step::Kind::Control) add(step.inner->gpu_stream());
  }
}

GpuRecorder* Run::recorder_of(const Stream* stream) const {
  for (const auto& [of, recorder] : recorders_) {
    if (of == stream) return recorder.get();
  }
  return nullptr;
}

/// Where a step that runs on a GPU is recorded; null for one that does not.
GpuRecorder* Run::recorder_of(const Program::Step& step) const {
  return recorder_ && step.stream->queue() ? recorder_ : recorder_of(step.stream);
}

/// Memory that only what the GPU has yet to do holds is waited for, if there is no other.
Ref<Buffer> Run::new_block(int64_t bytes) const {
  try {
    return Allocator::instance().allocate(static_cast<size_t>(bytes));
  } catch (const MemoryLimitError&) {
    if (!program_.gpu_stream) throw;
    if (recorder_) wait_until_idle(recorder_->queue());
    for (const auto& each : recorders_) wait_until_idle(each.second->queue());
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
  recorder_of(step)->record(*step.gpu, arguments);
}

GpuRecorder* Run::enter(const Program::Step& step, const Stream* inner_stream) const {
  GpuRecorder* outer = recorder_ ? recorder_ : recorder_of(step.stream);
  if (inner_stream) return outer ? outer : recorder_of(inner_stream);
  if (outer) finish(*outer);
  return nullptr;
}

const void* Run::visible_data(const Program::Step& step, int32_t slot) const {
  if (GpuRecorder* recorder = recorder_ ? recorder_ : recorder_of(step.stream)) finish(*recorder);
  return data(slot);
}

void Run::leave(const Program::Step& step, GpuRecorder* inner) const {
  if (inner && !recorder_ && !step.stream->queue()) finish(*inner);
}

}  // namespace ftrans
