#include "graph/control_flow.h"

#include <algorithm>
#include <cstring>

#include "core/shape.h"
#include "cpu/scalar_program.h"

namespace ftrans {
namespace {

/// Number of references to memory that only its slot refers to.
constexpr int kSole = 1;

SlotState shared(SlotState state) {
  state.owned = false;
  return state;
}

/// A program inside of a step, ready to be run again and again.
class InnerRun {
 public:
  InnerRun(const SubProgram& inner, GpuQueue* queue)
      : run_(*inner.program, queue), program_(*inner.program), queue_(queue) {
    const size_t given = program_.inputs.size() - inner.captured.size();
    for (size_t i = 0; i < inner.captured.size(); ++i) {
      Value& value = *inner.captured[i];
      SlotState& state = run_.state(program_.inputs[given + i]);
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

  void all() { run_.all(); }
  const Program::Slot& input_type(int i) const { return program_.slots[program_.inputs[i]]; }
  const Program::Slot& output_type(int k) const { return program_.slots[program_.outputs[k]]; }
  const SlotState& slot(size_t i) { return run_.state(static_cast<int32_t>(i)); }
  SlotState& input(int i) { return run_.state(program_.inputs[i]); }
  SlotState& output(int k) { return run_.state(program_.outputs[k]); }
  int output_count() const { return static_cast<int>(program_.outputs.size()); }

  /// The k-th result, for the processor.
  const void* output_data(int k) const {
    settle();
    return run_.data(program_.outputs[k]);
  }

  /// Waits for what a GPU has yet to do.
  void settle() const {
    if (queue_) finish(*queue_);
  }

  /// Where the k-th result is to be written, if a step makes it there.
  void place_output(int k, const Ref<Buffer>& buffer, int64_t offset) {
    run_.place(program_.outputs[k], buffer, offset);
  }

  /// The k-th result of the last run; its memory too, unless a second result or the next run needs it.
  SlotState take_output(int k) { return leaves_[k] ? std::move(output(k)) : output(k); }

  /// Copies the k-th result to a place in a row-major array, unless it was written there.
  void write_output(int k, const Ref<Buffer>& buffer, int64_t offset) {
    const Program::Slot& type = output_type(k);
    const SlotState& state = output(k);
    if (state.buffer.get() == buffer.get() && state.offset == offset && state.contiguous) return;
    if (queue_ && gpu()->has_dtype(type.dtype)) {
      const GpuOperand from = run_.operand(program_.outputs[k]);
      const Dims row_major = contiguous_strides(type.shape);
      const GpuOperand to = {
          buffer.get(), offset * itemsize(type.dtype), type.dtype, from.ndim, from.shape, row_major.data()};
      queue_->record(*gpu()->step(Opcode::Copy, type.dtype), {&from, 1, &to, 1});
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

  /// Lets go of the results that were not taken.
  void release_outputs() {
    for (size_t k = 0; k < stays_.size(); ++k) {
      if (!stays_[k]) run_.state(program_.outputs[k]).buffer = nullptr;
    }
  }

  /// Lets go of the first `count` inputs.
  void release_inputs(int count) {
    for (int i = 0; i < count; ++i) input(i).buffer = nullptr;
  }

  /// Lets go of the memory for results.
  void release_places() { run_.release_places(); }

 private:
  Run run_;
  const Program& program_;
  GpuQueue* const queue_;
  std::vector<char> stays_;   ///< per result: a constant, or an input that serves several runs
  std::vector<char> leaves_;  ///< per result: nothing else is in its slot
};

/// A loop that only carries along numbers, and whose body is nothing but fused kernels.
class ScalarLoop {
 public:
  /// Null if the program is more than that.
  static std::unique_ptr<ScalarLoop> make(const Program& program, int carry_begin, int carry_count) {
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
    loop->program_.split();
    return loop;
  }

  /// Runs `count` times, or while the result after the carry holds. The inputs from `carry_begin` on are the
  /// carry.
  void run(InnerRun& inner, int carry_begin, std::vector<SlotState>& carry, int64_t count, bool is_while) {
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
    program_.loop(cells.data(), moves, count, predicate);
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

 private:
  explicit ScalarLoop(const Program& program)
      : types_(program.slots), inputs_(program.inputs), outputs_(program.outputs) {}

  /// Makes one cell of an input and the result that replaces it, if neither is a result in another place too.
  void merge(int32_t input, int32_t output) {
    const auto results_in = [this](int32_t slot) {
      return std::count_if(outputs_.begin(), outputs_.end(),
                           [&](int32_t other) { return cell_of_[other] == cell_of_[slot]; });
    };
    if (results_in(input) == 0 && results_in(output) == 1 &&
        program_.merge(cell_of_[input], cell_of_[output]))
      cell_of_[output] = cell_of_[input];
  }

  cpu::ScalarProgram program_;
  const std::vector<Program::Slot>& types_;
  const std::vector<int32_t>&inputs_, &outputs_;
  std::vector<int> cell_of_;  ///< by slot
};

/// The body of a loop: inputs are constants, the carry, and slices; results are the new carry, then others.
class LoopBody {
 public:
  LoopBody(const SubProgram& body, GpuQueue* queue, int const_count, int carry_count)
      : inner_(body, queue),
        scalar_(ScalarLoop::make(*body.program, const_count, carry_count)),
        const_count_(const_count),
        carry_(carry_count) {}

  InnerRun& inner() { return inner_; }
  SlotState& carry(int c) { return carry_[c]; }
  int carry_count() const { return static_cast<int>(carry_.size()); }

  void bind_constant(int i, const SlotState& state) { inner_.input(i) = shared(state); }

  /// The next input is a slice, along the first axis, of a whole array.
  void bind_slices(const SlotState& whole) {
    const int input = const_count_ + carry_count() + static_cast<int>(slices_.size());
    SlotState& slice = inner_.input(input);
    slice = shared(whole);
    slice.strides.assign(whole.strides.data() + 1, whole.strides.size() - 1);
    slice.contiguous = is_contiguous(inner_.input_type(input).shape, slice.strides);
    slices_.push_back({input, whole.offset, whole.strides[0]});
  }

  void iterate(int64_t index) {
    for (int c = 0; c < carry_count(); ++c) inner_.input(const_count_ + c) = std::move(carry_[c]);
    for (const Slice& slice : slices_) inner_.input(slice.input).offset = slice.start + index * slice.stride;
    inner_.all();
  }

  /// Runs the whole loop, `count` times or while its predicate holds, if numbers are all that it is about.
  bool run_as_scalars(int64_t count, bool is_while) {
    if (!scalar_ || !slices_.empty() || inner_.output_count() != carry_count() + (is_while ? 1 : 0))
      return false;
    inner_.settle();
    scalar_->run(inner_, const_count_, carry_, count, is_while);
    return true;
  }

  /// After `iterate`, once the other results have been looked at.
  void finish_iteration() {
    for (int c = 0; c < carry_count(); ++c) carry_[c] = inner_.take_output(c);
    inner_.release_outputs();
  }

  /// Hands the carry over as the first results of the step, and lets go of everything else.
  void finish(Run& outer, const Program::Step& step) {
    for (int c = 0; c < carry_count(); ++c) {
      SlotState& result = outer.state(step.outputs[c]);
      result = std::move(carry_[c]);
      result.owned = result.owned && result.sole_references == kSole;
    }
    clear();
  }

  void clear() {
    inner_.release_inputs(const_count_ + carry_count() + static_cast<int>(slices_.size()));
    inner_.release_places();
    slices_.clear();
    for (SlotState& state : carry_) state.buffer = nullptr;
  }

 private:
  struct Slice {
    int input;
    int64_t start;   ///< offset of the first slice
    int64_t stride;  ///< from one slice to the next
  };

  InnerRun inner_;
  std::unique_ptr<ScalarLoop> scalar_;
  const int const_count_;
  std::vector<SlotState> carry_;
  std::vector<Slice> slices_;
};

/// Operands: constants, carry, arrays to slice. Results: carry, stacked arrays.
/// Parameters: number of constants, size of the carry, length, whether it runs from the last slice to the
/// first.
class Scan : public ControlFlow {
 public:
  Scan(const Program::Step& step, GpuQueue* queue)
      : const_count_(static_cast<int>(step.parameters[0])),
        carry_count_(static_cast<int>(step.parameters[1])),
        length_(step.parameters[2]),
        reverse_(step.parameters[3] != 0),
        body_(step.inner->programs[0], queue, const_count_, carry_count_) {}

  void execute(Run& outer, const Program::Step& step) override {
    for (int i = 0; i < const_count_; ++i) body_.bind_constant(i, outer.state(step.inputs[i]));
    for (int c = 0; c < carry_count_; ++c)
      body_.carry(c) = outer.hand_over(step, step.inputs[const_count_ + c]);
    for (size_t i = const_count_ + carry_count_; i < step.inputs.size(); ++i)
      body_.bind_slices(outer.state(step.inputs[i]));
    InnerRun& inner = body_.inner();
    const int output_count = static_cast<int>(step.outputs.size());
    for (int k = carry_count_; k < output_count; ++k) outer.allocate(step.outputs[k]);
    const int64_t steps = body_.run_as_scalars(length_, false) ? 0 : length_;
    for (int64_t i = 0; i < steps; ++i) {
      const int64_t index = reverse_ ? length_ - 1 - i : i;
      for (int k = carry_count_; k < output_count; ++k) {
        const SlotState& stacked = outer.state(step.outputs[k]);
        inner.place_output(k, stacked.buffer, stacked.offset + index * size_of(k));
      }
      body_.iterate(index);
      for (int k = carry_count_; k < output_count; ++k) {
        const SlotState& stacked = outer.state(step.outputs[k]);
        inner.write_output(k, stacked.buffer, stacked.offset + index * size_of(k));
      }
      body_.finish_iteration();
    }
    body_.finish(outer, step);
  }

 private:
  int64_t size_of(int k) { return element_count(body_.inner().output_type(k).shape); }

  const int const_count_, carry_count_;
  const int64_t length_;
  const bool reverse_;
  LoopBody body_;
};

/// Runs a body while its predicate, the result after the carry, holds.
template <typename BeforeIteration, typename AfterIteration>
int64_t run_while(LoopBody& body, bool predicate, BeforeIteration&& before, AfterIteration&& after) {
  int64_t trips = 0;
  for (; predicate; ++trips) {
    before(trips);
    body.iterate(0);
    predicate = *static_cast<const bool*>(body.inner().output_data(body.carry_count()));
    after(trips);
    body.finish_iteration();
  }
  return trips;
}

/// Operands: constants, carry, whether the predicate holds for it. Results: carry.
/// Parameters: number of constants, size of the carry.
class While : public ControlFlow {
 public:
  While(const Program::Step& step, GpuQueue* queue)
      : const_count_(static_cast<int>(step.parameters[0])),
        carry_count_(static_cast<int>(step.parameters[1])),
        body_(step.inner->programs[0], queue, const_count_, carry_count_) {}

  void execute(Run& outer, const Program::Step& step) override {
    for (int i = 0; i < const_count_; ++i) body_.bind_constant(i, outer.state(step.inputs[i]));
    for (int c = 0; c < carry_count_; ++c)
      body_.carry(c) = outer.hand_over(step, step.inputs[const_count_ + c]);
    const bool predicate =
        *static_cast<const bool*>(outer.visible_data(step, step.inputs[const_count_ + carry_count_]));
    if (predicate && !body_.run_as_scalars(0, true)) run_while(body_, true, [](int64_t) {}, [](int64_t) {});
    body_.finish(outer, step);
  }

 private:
  const int const_count_, carry_count_;
  LoopBody body_;
};

/// What the iterations of a loop of unknown length leave behind: grows by doubling.
class Record {
 public:
  explicit Record(const InnerRun& inner, const Program::Slot& type)
      : inner_(inner), type_(type), size_(element_count(type.shape)) {}

  /// Makes place for entry `index`, which is the last one.
  int64_t offset_of(int64_t index) {
    if (index >= capacity_) {
      const int64_t grown = std::max<int64_t>(16, 2 * capacity_);
      Ref<Buffer> buffer = Allocator::instance().allocate(static_cast<size_t>(grown * type_.nbytes));
      inner_.settle();
      if (index) std::memcpy(buffer->data(), buffer_->data(), static_cast<size_t>(index * type_.nbytes));
      buffer_ = std::move(buffer);
      capacity_ = grown;
    }
    return index * size_;
  }

  const Ref<Buffer>& buffer() const { return buffer_; }

  /// All entries as one array.
  SlotState stacked() const {
    SlotState state;
    state.buffer = buffer_;
    state.strides.push_back(size_);
    for (int64_t stride : contiguous_strides(type_.shape)) state.strides.push_back(stride);
    return state;
  }

 private:
  const InnerRun& inner_;
  const Program::Slot& type_;
  const int64_t size_;  ///< of an entry, in elements
  int64_t capacity_ = 0;
  Ref<Buffer> buffer_;
};

/// The pull-back of a While. Programs: the body that also returns what its own pull-back needs, and that.
/// Operands: constants, carry, whether the predicate holds for it, constants of the pull-back, cotangents.
/// Results: cotangents. Parameters: number of constants, size of the carry, number of the other constants.
class WhileVjp : public ControlFlow {
 public:
  WhileVjp(const Program::Step& step, GpuQueue* queue)
      : const_count_(static_cast<int>(step.parameters[0])),
        carry_count_(static_cast<int>(step.parameters[1])),
        forward_(step.inner->programs[0], queue, const_count_, carry_count_),
        backward_const_count_(static_cast<int>(step.parameters[2])),
        backward_(step.inner->programs[1], queue, backward_const_count_,
                  static_cast<int>(step.outputs.size())) {}

  void execute(Run& outer, const Program::Step& step) override {
    InnerRun& inner = forward_.inner();
    for (int i = 0; i < const_count_; ++i) forward_.bind_constant(i, outer.state(step.inputs[i]));
    for (int c = 0; c < carry_count_; ++c)
      forward_.carry(c) = shared(outer.state(step.inputs[const_count_ + c]));
    const bool predicate =
        *static_cast<const bool*>(outer.visible_data(step, step.inputs[const_count_ + carry_count_]));
    std::vector<Record> records;
    const int first = carry_count_ + 1;
    for (int k = first; k < inner.output_count(); ++k) records.emplace_back(inner, inner.output_type(k));
    const int64_t trips = run_while(
        forward_, predicate,
        [&](int64_t trip) {
          for (size_t r = 0; r < records.size(); ++r) {
            const int64_t offset = records[r].offset_of(trip);
            inner.place_output(first + static_cast<int>(r), records[r].buffer(), offset);
          }
        },
        [&](int64_t trip) {
          for (size_t r = 0; r < records.size(); ++r) {
            inner.write_output(first + static_cast<int>(r), records[r].buffer(), records[r].offset_of(trip));
          }
        });
    forward_.clear();
    const int second = const_count_ + carry_count_ + 1;  // first operand of the pull-back
    for (int i = 0; i < backward_const_count_; ++i)
      backward_.bind_constant(i, outer.state(step.inputs[second + i]));
    for (int c = 0; c < backward_.carry_count(); ++c)
      backward_.carry(c) = outer.hand_over(step, step.inputs[second + backward_const_count_ + c]);
    if (trips) {
      for (const Record& record : records) backward_.bind_slices(record.stacked());
    }
    for (int64_t trip = trips; trip-- > 0;) {
      backward_.iterate(trip);
      backward_.finish_iteration();
    }
    backward_.finish(outer, step);
  }

 private:
  const int const_count_, carry_count_;
  LoopBody forward_;
  const int backward_const_count_;
  LoopBody backward_;
};

/// Operands: the number of a branch (int32; clamped), the operands of all branches. Results: the branch's.
class Cond : public ControlFlow {
 public:
  Cond(const Program::Step& step, GpuQueue* queue) : queue_(queue), branches_(step.inner->programs.size()) {}

  void execute(Run& outer, const Program::Step& step) override {
    const int64_t asked = *static_cast<const int32_t*>(outer.visible_data(step, step.inputs[0]));
    const int64_t chosen = std::clamp<int64_t>(asked, 0, static_cast<int64_t>(branches_.size()) - 1);
    std::unique_ptr<InnerRun>& branch = branches_[chosen];
    if (!branch) branch = std::make_unique<InnerRun>(step.inner->programs[chosen], queue_);
    const int count = static_cast<int>(step.inputs.size()) - 1;
    for (int i = 0; i < count; ++i) branch->input(i) = outer.hand_over(step, step.inputs[i + 1]);
    branch->all();
    for (size_t k = 0; k < step.outputs.size(); ++k) {
      SlotState& result = outer.state(step.outputs[k]);
      result = branch->take_output(static_cast<int>(k));
      result.owned = result.owned && result.sole_references == kSole;
    }
    branch->release_outputs();
    branch->release_inputs(count);
  }

 private:
  GpuQueue* const queue_;
  std::vector<std::unique_ptr<InnerRun>> branches_;
};

}  // namespace

std::unique_ptr<ControlFlow> make_control_flow(const Program::Step& step, GpuQueue* queue) {
  switch (step.opcode) {
    case Opcode::Scan: return std::make_unique<Scan>(step, queue);
    case Opcode::While: return std::make_unique<While>(step, queue);
    case Opcode::WhileVjp: return std::make_unique<WhileVjp>(step, queue);
    default: return std::make_unique<Cond>(step, queue);
  }
}

}  // namespace ftrans
