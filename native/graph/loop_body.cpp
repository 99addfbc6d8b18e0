#include "graph/loop_body.h"

#include <algorithm>
#include <cstring>

#include "core/shape.h"

namespace ftrans {

InnerRun::InnerRun(const SubProgram& inner, GpuRecorder* recorder)
    : run_(*inner.program, recorder),
      program_(*inner.program),
      recorder_(recorder),
      input_count_(static_cast<int>(program_.inputs.size() - inner.captured.size())) {
  for (size_t i = 0; i < inner.captured.size(); ++i) {
    Value& value = *inner.captured[i];
    SlotState& state = run_.state(program_.inputs[static_cast<size_t>(input_count_) + i]);
    state.buffer = value.buffer;
    state.offset = value.offset;
    state.strides = value.strides;
    state.contiguous = value.contiguous;
  }
  for (int32_t slot : program_.outputs) {
    const bool stays = program_.slots[slot].constant || program_.slots[slot].kept;
    stays_.push_back(stays);
    leaves_.push_back(!stays && std::count(program_.outputs.begin(), program_.outputs.end(), slot) == 1);
  }
}

void InnerRun::write_output(int k, const Ref<Buffer>& buffer, int64_t offset) {
  const Program::Slot& type = output_type(k);
  const SlotState& state = output(k);
  if (state.buffer.get() == buffer.get() && state.offset == offset && state.contiguous) return;
  if (recorder_ && gpu()->has_dtype(type.dtype)) {
    const GpuOperand from = run_.operand(program_.outputs[k]);
    const Dims row_major = contiguous_strides(type.shape);
    const GpuOperand to = {buffer.get(),    offset * itemsize(type.dtype), type.dtype, from.ndim, from.shape,
                           row_major.data()};
    recorder_->record(*gpu()->step(Opcode::Copy, type.dtype), {&from, 1, &to, 1});
    return;
  }
  settle();
  const TensorView from = run_.tensor(program_.outputs[k]);
  TensorView to = from;
  to.data = static_cast<char*>(buffer->data()) + offset * itemsize(type.dtype);
  if (state.contiguous) {
    std::memcpy(to.data, from.data, static_cast<size_t>(type.nbytes));
    return;
  }
  const Dims row_major = contiguous_strides(type.shape);
  to.strides = row_major.data();
  cpu::StepArguments arguments{&from, 1, &to, 1, nullptr, 0};
  backend().step(Opcode::Copy)(arguments);
}

std::unique_ptr<ScalarLoop> ScalarLoop::make(const Program& program, int carry_begin, int carry_count) {
  std::unique_ptr<ScalarLoop> loop(new ScalarLoop(program));
  for (const Program::Slot& slot : program.slots) {
    if (element_count(slot.shape) != 1 || itemsize(slot.dtype) > 8) return nullptr;
    loop->cell_of_.push_back(loop->program_.add_cell());
  }
  std::vector<int> inputs, outputs;
  for (const Program::Step& step : program.steps) {
    if (!step.scalar || step.stream->device().kind != DeviceKind::Cpu) return nullptr;
    inputs.clear();
    for (int32_t slot : step.inputs) inputs.push_back(loop->cell_of_[slot]);
    if (!loop->program_.add(*step.scalar, inputs, outputs)) return nullptr;
    for (size_t k = 0; k < outputs.size(); ++k) loop->cell_of_[step.outputs[k]] = outputs[k];
  }
  for (int c = 0; c < carry_count; ++c) loop->merge(program.inputs[carry_begin + c], program.outputs[c]);
  const auto predicate = static_cast<size_t>(carry_count);
  // One that is a constant or what an input held before has no cell that is its own.
  if (predicate < program.outputs.size() &&
      !loop->program_.computes(loop->cell_of_[program.outputs[predicate]]))
    return nullptr;
  loop->program_.split();
  return loop;
}

void ScalarLoop::run(InnerRun& inner, int carry_begin, std::vector<SlotState>& carry, int64_t count,
                     bool is_while) {
  std::vector<cpu::ScalarProgram::Cell> cells = program_.cells();
  const auto load = [&](int32_t slot, const SlotState& state) {
    const int64_t width = itemsize(types_[slot].dtype);
    std::memcpy(&cells[cell_of_[slot]], static_cast<char*>(state.buffer->data()) + state.offset * width,
                width);
  };
  for (size_t slot = 0; slot < types_.size(); ++slot) {
    if (types_[slot].constant || types_[slot].kept) load(static_cast<int32_t>(slot), inner.slot(slot));
  }
  std::vector<std::pair<int, int>> moves;
  for (size_t c = 0; c < carry.size(); ++c) {
    load(inputs_[carry_begin + c], carry[c]);
    const int to = cell_of_[inputs_[carry_begin + c]], from = cell_of_[outputs_[c]];
    if (to != from) moves.emplace_back(to, from);
  }
  const int predicate = is_while ? cell_of_[outputs_[carry.size()]] : -1;
  if (is_while) cells[predicate] = 1;
  constexpr int64_t kBetweenPolls = int64_t{1} << 20;
  for (int64_t left = count; is_while ? (cells[predicate] & 0xff) != 0 : left > 0; left -= kBetweenPolls) {
    program_.loop(cells.data(), moves, is_while ? kBetweenPolls : std::min(left, kBetweenPolls), predicate);
    Interruption::poll();
  }
  for (size_t c = 0; c < carry.size(); ++c) {
    const int32_t slot = inputs_[carry_begin + c];
    SlotState& state = carry[c];
    state = SlotState{};
    state.buffer = Allocator::instance().allocate(types_[slot].nbytes);
    state.strides = types_[slot].strides;
    state.owned = true;
    std::memcpy(state.buffer->data(), &cells[cell_of_[slot]], types_[slot].nbytes);
  }
}

void ScalarLoop::merge(int32_t input, int32_t output) {
  const auto results_in = [this](int32_t slot) {
    return std::count_if(outputs_.begin(), outputs_.end(),
                         [&](int32_t other) { return cell_of_[other] == cell_of_[slot]; });
  };
  if (results_in(input) == 0 && results_in(output) == 1 && program_.merge(cell_of_[input], cell_of_[output]))
    cell_of_[output] = cell_of_[input];
}

void LoopBody::bind_slices(const SlotState& whole) {
  const int input = const_count_ + carry_count() + static_cast<int>(slices_.size());
  SlotState& slice = inner_.input(input);
  slice = shared(whole);
  slice.strides.assign(whole.strides.data() + 1, whole.strides.size() - 1);
  slice.contiguous = is_contiguous(inner_.input_type(input).shape, slice.strides);
  slices_.push_back({input, whole.offset, whole.strides[0]});
}

}  // namespace ftrans
