#include "graph/run.h"

#include <algorithm>

#include "core/interruption.h"
#include "core/shape.h"
#include "graph/control_flow.h"
#include "graph/execute.h"
#include "graph/host_function.h"

namespace ftrans {
namespace {

thread_local int host_calls_of_thread = 0;

}  // namespace

HostCallScope::HostCallScope() { ++host_calls_of_thread; }
HostCallScope::~HostCallScope() { --host_calls_of_thread; }

bool in_host_call() { return host_calls_of_thread > 0; }

Run::Run(const Program& program, GpuRecorder* recorder)
    : program_(program), recorder_(recorder), states_(program.slots.size()) {
  for (size_t i = 0; i < states_.size(); ++i) {
    if (program.slots[i].constant) {
      states_[i].buffer = program.slots[i].constant;
      states_[i].strides = program.slots[i].strides;
      states_[i].contiguous = element_count(program.slots[i].shape) <= 1;
    }
  }
  if (program.has_control_flow) controls_.resize(program.steps.size());
  if (!recorder_ && program.gpu_stream) make_recorders();
}

Run::~Run() = default;

void Run::step(const Program::Step& step) {
  Interruption::poll();
  switch (step.kind) {
    case Program::Step::Kind::Fused: step.gpu ? record(step) : fused(step); break;
    case Program::Step::Kind::Kernel: step.gpu ? record(step) : kernel(step); break;
    case Program::Step::Kind::View: view(step); break;
    case Program::Step::Kind::Alias: alias(step); break;
    case Program::Step::Kind::Call: call(step); break;
    case Program::Step::Kind::Host: host(step); break;
    case Program::Step::Kind::Control: control(step); break;
  }
  for (int32_t slot : step.releases) states_[slot].buffer = nullptr;
}

void Run::place(int32_t slot, const Ref<Buffer>& buffer, int64_t offset) {
  if (places_.empty()) places_.resize(states_.size());
  if (places_[slot].buffer.get() != buffer.get()) places_[slot].buffer = buffer;
  places_[slot].offset = offset;
}

void Run::allocate(int32_t slot) {
  SlotState& state = states_[slot];
  const bool placed = is_placed(slot);
  state.buffer = placed ? places_[slot].buffer : new_block(program_.slots[slot].nbytes);
  state.offset = placed ? places_[slot].offset : 0;
  state.strides = program_.slots[slot].strides;
  state.contiguous = true;
  state.owned = !placed;
  state.donated = false;
  state.sole_references = 1;
}

/// Whether this step is the last to read the slot's memory and may write over it.
bool Run::may_overwrite(const Program::Step& step, int32_t slot) const {
  const SlotState& state = states_[slot];
  if (!state.owned || !state.contiguous || state.offset != 0 || program_.slots[slot].shared) return false;
  if (state.buffer->reference_count() != static_cast<uint32_t>(state.sole_references)) return false;
  return std::find(step.releases.begin(), step.releases.end(), slot) != step.releases.end();
}

void Run::take_memory(int32_t from, int32_t to) {
  overwrote_input_ |= states_[from].sole_references > 1;
  SlotState& target = states_[to];
  target.buffer = std::move(states_[from].buffer);
  target.sole_references = states_[from].sole_references;
  target.donated = states_[from].donated;
  target.offset = 0;
  target.strides = program_.slots[to].strides;
  target.contiguous = true;
  target.owned = true;
  states_[from].owned = false;
}

bool Run::take_over(int32_t slot, const SlotState& memory) {
  if (is_placed(slot) || !memory.owned || !memory.contiguous || memory.offset != 0) return false;
  states_[slot] = memory;
  states_[slot].strides = program_.slots[slot].strides;
  return true;
}

SlotState Run::hand_over(const Program::Step& step, int32_t slot) {
  SlotState& state = states_[slot];
  if (state.sole_references == 1 && may_overwrite(step, slot) &&
      std::count(step.inputs.begin(), step.inputs.end(), slot) == 1) {
    SlotState given = std::move(state);
    state.owned = false;
    return given;
  }
  SlotState shared = state;
  shared.owned = shared.donated = false;
  return shared;
}

/// Memory for an output of a fused step: that of an input, where it may be overwritten.
void Run::make_fused_output(const Program::Step& step, size_t k) {
  const int32_t output = step.outputs[k];
  const Program::Slot& type = program_.slots[output];
  const bool may_reuse = step.full_output[k] && !is_placed(output);
  for (size_t i = 0; may_reuse && i < step.inputs.size(); ++i) {
    const int32_t input = step.inputs[i];
    const Program::Slot& source = program_.slots[input];
    // What nobody gave up is kept, so that a failed run can be repeated.
    if (!states_[input].buffer || (states_[input].sole_references > 1 && !states_[input].donated) ||
        itemsize(source.dtype) != itemsize(type.dtype) || source.nbytes != type.nbytes ||
        !may_overwrite(step, input)) {
      continue;
    }
    return take_memory(input, output);
  }
  allocate(output);
}

void Run::fused(const Program::Step& step) {
  static constexpr int64_t kZeros[64] = {};
  InlineVector<const void*, 8> inputs(static_cast<int>(step.inputs.size()), nullptr);
  InlineVector<const int64_t*, 8> strides(static_cast<int>(step.inputs.size()), nullptr);
  InlineVector<void*, 4> outputs(static_cast<int>(step.outputs.size()), nullptr);
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    const int32_t slot = step.inputs[i];
    inputs[i] = data(slot);
    strides[i] = program_.slots[slot].shape.empty() ? kZeros : states_[slot].strides.data();
  }
  if (recorder_) finish(*recorder_);
  for (size_t k = 0; k < step.outputs.size(); ++k) {
    make_fused_output(step, k);
    outputs[k] = data(step.outputs[k]);
  }
  step.fused->run(step.space.data(), inputs.data(), strides.data(), outputs.data());
}

/// Memory for the outputs of a Kernel step. Whether it is that of the first input, which it updates in place.
bool Run::make_kernel_outputs(const Program::Step& step) {
  if ((step.opcode == Opcode::DynamicUpdateSlice || step.opcode == Opcode::Scatter) &&
      !is_placed(step.outputs[0]) && may_overwrite(step, step.inputs[0]) &&
      std::count(step.inputs.begin(), step.inputs.end(), step.inputs[0]) == 1) {
    take_memory(step.inputs[0], step.outputs[0]);
    return true;
  }
  for (int32_t slot : step.outputs) allocate(slot);
  return false;
}

void Run::kernel(const Program::Step& step) {
  InlineVector<TensorView, 6> inputs, outputs;
  for (int32_t slot : step.inputs) inputs.push_back(tensor(slot));
  cpu::StepArguments arguments{};
  if (recorder_) finish(*recorder_);
  arguments.first_input_is_output = make_kernel_outputs(step);
  for (int32_t slot : step.outputs) outputs.push_back(tensor(slot));
  arguments.inputs = inputs.data();
  arguments.input_count = inputs.size();
  arguments.outputs = outputs.data();
  arguments.output_count = outputs.size();
  arguments.parameters = step.parameters.data();
  arguments.parameter_count = step.parameters.size();
  step.kernel(arguments);
}

void Run::view(const Program::Step& step) {
  const int32_t input = step.inputs[0], output = step.outputs[0];
  const SlotState& source = states_[input];
  SlotState& target = states_[output];
  const Program::Slot& type = program_.slots[output];
  if (view_layout(step.opcode, step.parameters, program_.slots[input].shape, source.strides, source.offset,
                  type.shape, target.strides, target.offset)) {
    target.buffer = source.buffer;
    target.owned = source.owned;
    target.donated = source.donated;
    target.sole_references = source.sole_references;
    target.contiguous = is_contiguous(type.shape, target.strides);
    return;
  }
  allocate(output);  // a reshape of an array with gaps
  if (GpuRecorder* recorder = recorder_of(step)) {
    const GpuOperand from = operand(input);
    GpuOperand to = operand(output);
    to.ndim = from.ndim;
    const Dims row_major = contiguous_strides(program_.slots[input].shape);
    to.shape = from.shape;
    to.strides = row_major.data();
    recorder->record(*gpu()->step(Opcode::Copy, from.dtype), {&from, 1, &to, 1});
    return;
  }
  if (recorder_) finish(*recorder_);
  const Dims strides = contiguous_strides(program_.slots[input].shape);
  TensorView from = tensor(input);
  TensorView to = from;
  to.data = data(output);
  to.strides = strides.data();
  cpu::StepArguments arguments{&from, 1, &to, 1, nullptr, 0};
  backend().step(Opcode::Copy)(arguments);
}

void Run::alias(const Program::Step& step) {
  for (size_t i = 0; i < step.inputs.size(); ++i) states_[step.outputs[i]] = states_[step.inputs[i]];
}

void Run::call(const Program::Step& step) {
  GpuRecorder* recorder = enter(step, step.callee->gpu_stream);
  Run inner(*step.callee, recorder);
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    const int32_t slot = step.inputs[i];
    SlotState& target = inner.state(step.callee->inputs[i]);
    const bool given_up = step.callee->is_donated(i) && may_overwrite(step, slot) &&
                          std::count(step.inputs.begin(), step.inputs.end(), slot) == 1;
    if (given_up) {
      target = std::move(states_[slot]);
    } else {
      target = states_[slot];
    }
    target.owned = target.donated = given_up;
  }
  inner.all();
  leave(step, recorder);
  overwrote_input_ |= inner.overwrote_input();
  for (size_t i = 0; i < step.outputs.size(); ++i) {
    SlotState& result = states_[step.outputs[i]];
    result = inner.state(step.callee->outputs[i]);
    result.owned = result.owned && result.sole_references == 1;
  }
}

/// The slot as a value that whoever keeps it may go on reading: nobody overwrites memory with more
/// references.
Ref<Value> Run::value(int32_t slot) const {
  const Program::Slot& type = program_.slots[slot];
  const SlotState& state = states_[slot];
  Ref<Value> result(new Value(type.dtype, type.shape));
  result->publish(state.buffer, state.offset, state.strides);
  return result;
}

void Run::host(const Program::Step& step) {
  std::vector<Ref<Value>> inputs, outputs;
  for (int32_t slot : step.inputs) inputs.push_back(value(slot));
  for (int32_t slot : step.outputs) {
    allocate(slot);
    outputs.push_back(value(slot));
  }
  if (recorder_) finish(*recorder_);
  HostCallScope scope;
  step.host->call(inputs, outputs);
}

void Run::control(const Program::Step& step) {
  GpuRecorder* recorder = enter(step, step.inner->gpu_stream());
  std::unique_ptr<ControlFlow>& flow = controls_[&step - program_.steps.data()];
  if (!flow) flow = make_control_flow(step, recorder);
  flow->execute(*this, step);
  leave(step, recorder);
}

}  // namespace ftrans
