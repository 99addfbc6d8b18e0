#include "graph/loop_body.h"

#include <algorithm>
#include <cstring>

#include "core/shape.h"
#include "kernel/contraction.h"

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

namespace {

/// How many operations on numbers take less time than a step.
int64_t operations_worth(const Program::Step& step) {
  switch (step.kind) {
    case Program::Step::Kind::Fused: return 60 + 5 * step.operations;
    case Program::Step::Kind::Kernel: return 80;
    default: return 20;
  }
}

}  // namespace

std::shared_ptr<const ScalarLoop> Program::scalar_loop(int carry_begin, int carry_count) const {
  std::lock_guard lock(loops_mutex_);
  const auto [found, inserted] = loops_.try_emplace({carry_begin, carry_count});
  if (inserted) found->second = ScalarLoop::make(*this, carry_begin, carry_count);
  return found->second;
}

std::shared_ptr<const ScalarLoop> ScalarLoop::make(const Program& program, int carry_begin, int carry_count) {
  std::shared_ptr<ScalarLoop> loop(new ScalarLoop(program));
  if (!loop->make_cells()) return nullptr;
  int64_t worth = 0;
  for (const Program::Step& step : program.steps) {
    if (step.stream->device().kind != DeviceKind::Cpu) return nullptr;
    worth += operations_worth(step);
    if (step.operations * element_count(step.space) > 2 * worth) return nullptr;  // not to be tried
    if (!loop->add(step) || loop->program_.operation_count() > worth) return nullptr;
  }
  for (int c = 0; c < carry_count; ++c) {
    Cells &input = loop->cells_of_[program.inputs[carry_begin + c]],
          &output = loop->cells_of_[program.outputs[c]];
    for (size_t e = 0; e < input.size(); ++e) loop->merge(input[e], output[e]);
  }
  loop->program_.split();
  return loop;
}

bool ScalarLoop::make_cells() {
  cells_of_.resize(types_.size());
  for (const Program::Slot& slot : types_) {
    const int64_t count = element_count(slot.shape);
    if (count == 0 || count > kMostScalars || itemsize(slot.dtype) > 8) return false;
  }
  for (int32_t input : inputs_) cells_of_[input] = program_.add_cells(element_count(types_[input].shape));
  for (size_t slot = 0; slot < types_.size(); ++slot) {
    if (types_[slot].constant)
      cells_of_[slot] = Cells(element_count(types_[slot].shape), program_.add_cell());
  }
  return true;
}

bool ScalarLoop::add(const Program::Step& step) {
  switch (step.kind) {
    case Program::Step::Kind::Fused: return add_kernel(step);
    case Program::Step::Kind::View: add_view(step); return true;
    case Program::Step::Kind::Kernel:
      if (step.opcode == Opcode::Concatenate || step.opcode == Opcode::Pad) {
        step.opcode == Opcode::Pad ? add_padding(step) : add_concatenation(step);
        return true;
      }
      return step.opcode == Opcode::DotGeneral && add_product(step);
    default: return false;
  }
}

bool ScalarLoop::add_kernel(const Program::Step& step) {
  if (!step.scalar) return false;
  std::vector<Cells> inputs, outputs;
  for (int32_t slot : step.inputs) inputs.push_back(cells_of_[slot]);
  if (!program_.add(*step.scalar, step.space, inputs, outputs)) return false;
  for (size_t k = 0; k < outputs.size(); ++k) cells_of_[step.outputs[k]] = outputs[k];
  return true;
}

template <typename F>
void ScalarLoop::for_each_element(int32_t slot, const Dims& strides, F&& f) const {
  const Dims& shape = types_[slot].shape;
  Dims at(shape.size(), 0);
  for (const int cell : cells_of_[slot]) {
    int64_t offset = 0;
    for (int axis = 0; axis < shape.size(); ++axis) offset += at[axis] * strides[axis];
    f(cell, offset);
    for (int axis = shape.size() - 1; axis >= 0 && ++at[axis] == shape[axis]; --axis) at[axis] = 0;
  }
}

/// A view computes nothing: its elements are those of its operand.
void ScalarLoop::add_view(const Program::Step& step) {
  const int32_t input = step.inputs[0], output = step.outputs[0];
  const Dims& shape = types_[input].shape;
  Dims strides;
  int64_t first = 0;
  view_layout(step.opcode, step.parameters, shape, contiguous_strides(shape), 0, types_[output].shape,
              strides, first);
  cells_of_[output].assign(element_count(types_[output].shape), -1);
  Cells viewed;
  for_each_element(output, strides,
                   [&](int, int64_t offset) { viewed.push_back(cells_of_[input][first + offset]); });
  cells_of_[output] = std::move(viewed);
}

void ScalarLoop::add_concatenation(const Program::Step& step) {
  const int32_t output = step.outputs[0];
  const Dims strides = contiguous_strides(types_[output].shape);
  Cells joined(element_count(types_[output].shape));
  int64_t start = 0;
  for (const int32_t input : step.inputs) {
    for_each_element(input, strides, [&](int cell, int64_t offset) { joined[start + offset] = cell; });
    start += types_[input].shape[static_cast<int>(step.parameters[0])] *
             strides[static_cast<int>(step.parameters[0])];
  }
  cells_of_[output] = std::move(joined);
}

void ScalarLoop::add_padding(const Program::Step& step) {
  const int32_t input = step.inputs[0], output = step.outputs[0];
  const Dims &shape = types_[output].shape, &extents = types_[input].shape;
  const int ndim = shape.size();
  Cells padded(element_count(shape), cells_of_[step.inputs[1]][0]);
  Dims at(ndim, 0);
  for (int& cell : padded) {
    int64_t from = 0;
    for (int axis = 0; axis < ndim && from >= 0; ++axis) {
      const int64_t moved = at[axis] - step.parameters[axis], gap = step.parameters[2 * ndim + axis] + 1;
      const bool inside = moved >= 0 && moved % gap == 0 && moved / gap < extents[axis];
      from = inside ? from * extents[axis] + moved / gap : -1;
    }
    if (from >= 0) cell = cells_of_[input][from];
    for (int axis = ndim - 1; axis >= 0 && ++at[axis] == shape[axis]; --axis) at[axis] = 0;
  }
  cells_of_[output] = std::move(padded);
}

/// A product of matrices: for each result the products of a row's and a column's elements.
bool ScalarLoop::add_product(const Program::Step& step) {
  const int32_t output = step.outputs[0];
  const Dtype dtype = types_[output].dtype;
  if (dtype != Dtype::Float32 && dtype != Dtype::Float64) return false;
  const int contracting = static_cast<int>(step.parameters[0]), batch = static_cast<int>(step.parameters[1]);
  struct Side {
    const Cells& cells;
    Dims shape, strides;
    int ndim;
  };
  const auto side = [&](int k) {
    const Dims& shape = types_[step.inputs[k]].shape;
    return Side{cells_of_[step.inputs[k]], shape, contiguous_strides(shape), shape.size()};
  };
  const Side left = side(0), right = side(1);
  const int64_t* const axes = step.parameters.data() + 2;
  const SideAxes left_axes(left, axes, contracting, axes + 2 * contracting, batch);
  const SideAxes right_axes(right, axes + contracting, contracting, axes + 2 * contracting + batch, batch);
  // Offsets of the elements along some axes of a side, in row-major order.
  const auto offsets = [](const Side& view, const Dims& along) {
    std::vector<int64_t> found{0};
    for (int64_t axis : along) {
      std::vector<int64_t> next;
      for (int64_t offset : found) {
        for (int64_t i = 0; i < view.shape[static_cast<int>(axis)]; ++i)
          next.push_back(offset + i * view.strides[static_cast<int>(axis)]);
      }
      found = std::move(next);
    }
    return found;
  };
  const auto left_batch = offsets(left, left_axes.batch), right_batch = offsets(right, right_axes.batch);
  const auto left_terms = offsets(left, left_axes.contracting),
             right_terms = offsets(right, right_axes.contracting);
  const auto rows = offsets(left, left_axes.free), columns = offsets(right, right_axes.free);
  for (size_t b = 0; b < left_batch.size(); ++b) {
    for (int64_t row : rows) {
      for (int64_t column : columns) {
        Cells from_left, from_right;
        for (size_t k = 0; k < left_terms.size(); ++k) {
          from_left.push_back(left.cells[left_batch[b] + row + left_terms[k]]);
          from_right.push_back(right.cells[right_batch[b] + column + right_terms[k]]);
        }
        cells_of_[output].push_back(program_.add_sum_of_products(dtype, from_left, from_right));
      }
    }
  }
  return true;
}

void ScalarLoop::add_elements(std::vector<cpu::ScalarProgram::Element>& elements, int32_t slot,
                              const Dims& strides, const MovingSlice& moving) const {
  const int64_t width = itemsize(types_[slot].dtype);
  char* const base = static_cast<char*>(moving.whole->buffer->data()) + moving.offset * width;
  for_each_element(slot, strides, [&](int cell, int64_t offset) {
    elements.push_back({cell, static_cast<int>(width), base + offset * width, moving.step * width});
  });
}

void ScalarLoop::run(InnerRun& inner, int carry_begin, std::vector<SlotState>& carry, int64_t count,
                     bool is_while, const std::vector<MovingSlice>& read,
                     const std::vector<MovingSlice>& written) const {
  std::vector<cpu::ScalarProgram::Cell> cells = program_.cells();
  const auto load = [&](int32_t slot, const SlotState& state) {
    const int64_t width = itemsize(types_[slot].dtype);
    const char* const base = static_cast<char*>(state.buffer->data()) + state.offset * width;
    for_each_element(slot, state.strides, [&](int cell, int64_t offset) {
      std::memcpy(&cells[cell], base + offset * width, width);
    });
  };
  for (size_t slot = 0; slot < types_.size(); ++slot) {
    if (types_[slot].constant || types_[slot].kept) load(static_cast<int32_t>(slot), inner.slot(slot));
  }
  cpu::ScalarProgram::Traffic traffic;
  for (size_t c = 0; c < carry.size(); ++c) {
    const int32_t input = inputs_[carry_begin + c];
    load(input, carry[c]);
    for (size_t e = 0; e < cells_of_[input].size(); ++e) {
      const int to = cells_of_[input][e], from = cells_of_[outputs_[c]][e];
      if (to != from) traffic.moves.emplace_back(to, from);
    }
  }
  for (const MovingSlice& slice : read)
    add_elements(traffic.loads, inputs_[slice.number], inner.input(slice.number).strides, slice);
  for (const MovingSlice& slice : written)
    add_elements(traffic.stores, outputs_[slice.number], types_[outputs_[slice.number]].strides, slice);
  const int predicate = is_while ? cells_of_[outputs_[carry.size()]][0] : -1;
  if (is_while) cells[predicate] = 1;
  constexpr int64_t kBetweenPolls = int64_t{1} << 17;
  for (int64_t left = count; is_while ? (cells[predicate] & 0xff) != 0 : left > 0; left -= kBetweenPolls) {
    program_.loop(cells.data(), traffic, is_while ? kBetweenPolls : std::min(left, kBetweenPolls), predicate);
    Interruption::poll();
  }
  for (size_t c = 0; c < carry.size(); ++c) {
    const int32_t slot = inputs_[carry_begin + c];
    const int64_t width = itemsize(types_[slot].dtype);
    SlotState& state = carry[c];
    state = SlotState{};
    state.buffer = Allocator::instance().allocate(types_[slot].nbytes);
    state.strides = contiguous_strides(types_[slot].shape);
    state.owned = true;
    char* next = static_cast<char*>(state.buffer->data());
    for (const int cell : cells_of_[slot]) {
      std::memcpy(next, &cells[cell], width);
      next += width;
    }
  }
}

void ScalarLoop::merge(int& input, int& output) {
  const auto results_in = [this](int cell) {
    int64_t count = 0;
    for (int32_t slot : outputs_) count += std::count(cells_of_[slot].begin(), cells_of_[slot].end(), cell);
    return count;
  };
  if (results_in(input) == 0 && results_in(output) == 1 && program_.merge(input, output)) output = input;
}

bool LoopBody::run_as_scalars(int64_t count, bool is_while, bool reverse,
                              const std::vector<MovingSlice>& written) {
  const size_t others = written.size() + (is_while ? 1 : 0);
  if (!scalar_ || static_cast<size_t>(inner_.output_count() - carry_count()) != others) return false;
  if (is_while && !scalar_->computes(carry_.size())) return false;
  inner_.settle();
  std::vector<MovingSlice> read;
  for (const Slice& slice : slices_) {
    const int64_t first = reverse ? slice.start + (count - 1) * slice.stride : slice.start;
    read.push_back({slice.input, &inner_.input(slice.input), first, reverse ? -slice.stride : slice.stride});
  }
  scalar_->run(inner_, const_count_, carry_, count, is_while, read, written);
  return true;
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
