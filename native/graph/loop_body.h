#pragma once

#include <memory>
#include <vector>

#include "core/interruption.h"
#include "cpu/scalar_program.h"
#include "graph/run.h"

namespace ftrans {

/// Number of references to memory that only its slot refers to.
inline constexpr int kSole = 1;

inline SlotState shared(SlotState state) {
  state.owned = false;
  return state;
}

/// A program inside of a step, ready to be run again and again.
class InnerRun {
 public:
  InnerRun(const SubProgram& inner, GpuRecorder* recorder);

  void all() { run_.all(); }
  const Program::Slot& input_type(int i) const { return program_.slots[program_.inputs[i]]; }
  const Program::Slot& output_type(int k) const { return program_.slots[program_.outputs[k]]; }
  const SlotState& slot(size_t i) { return run_.state(static_cast<int32_t>(i)); }
  SlotState& input(int i) { return run_.state(program_.inputs[i]); }
  SlotState& output(int k) { return run_.state(program_.outputs[k]); }
  int input_count() const { return input_count_; }
  int output_count() const { return static_cast<int>(program_.outputs.size()); }

  /// The k-th result, for the processor.
  const void* output_data(int k) const {
    settle();
    return run_.data(program_.outputs[k]);
  }

  /// The k-th result, for a GPU.
  GpuOperand output_operand(int k) const { return run_.operand(program_.outputs[k]); }

  /// Waits for what a GPU has yet to do.
  void settle() const {
    if (recorder_) ftrans::finish(*recorder_);
  }

  /// Where the k-th result is to be written, if a step makes it there.
  void place_output(int k, const Ref<Buffer>& buffer, int64_t offset) {
    run_.place(program_.outputs[k], buffer, offset);
  }

  /// The k-th result of the last run; its memory too, unless a second result or the next run needs it.
  SlotState take_output(int k) { return leaves_[k] ? std::move(output(k)) : output(k); }

  /// Copies the k-th result to a place in a row-major array, unless it was written there.
  void write_output(int k, const Ref<Buffer>& buffer, int64_t offset);

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
  GpuRecorder* const recorder_;
  const int input_count_;     ///< without the arrays that the program closed over
  std::vector<char> stays_;   ///< per result: a constant, or an input that serves several runs
  std::vector<char> leaves_;  ///< per result: nothing else is in its slot
};

/// A slice of an array that a loop reads, or a part of one that it writes: of the first iteration.
struct MovingSlice {
  int number;  ///< of the input, or of the result
  const SlotState* whole;
  int64_t offset;
  int64_t step;  ///< elements from one iteration to the next
};

/// A loop over few numbers, in arrays or by themselves, whose body computes so little that steps would cost
/// more than their work.
class ScalarLoop {
 public:
  /// Null if the program is more than that.
  static std::shared_ptr<const ScalarLoop> make(const Program& program, int carry_begin, int carry_count);

  /// Whether a result of one element is computed: neither a constant nor what an input held.
  bool computes(size_t result) const { return program_.computes(cells_of_[outputs_[result]].front()); }

  /// Runs `count` times, or while the result after the carry, which is computed, holds. The inputs from
  /// `carry_begin` on are the carry; what is `read` and `written` moves along.
  void run(InnerRun& inner, int carry_begin, std::vector<SlotState>& carry, int64_t count, bool is_while,
           const std::vector<MovingSlice>& read, const std::vector<MovingSlice>& written) const;

 private:
  using Cells = cpu::ScalarProgram::Cells;

  explicit ScalarLoop(const Program& program)
      : types_(program.slots), inputs_(program.inputs), outputs_(program.outputs) {}

  bool make_cells();
  bool add(const Program::Step& step);
  bool add_kernel(const Program::Step& step);
  void add_view(const Program::Step& step);
  void add_concatenation(const Program::Step& step);
  void add_padding(const Program::Step& step);
  bool add_product(const Program::Step& step);

  /// Makes one cell of an input's element and that of the result that replaces it, if neither is an element
  /// of a result in another place too.
  void merge(int& input, int& output);

  /// Calls f(cell, offset in elements) for the elements of a slot with those strides.
  template <typename F>
  void for_each_element(int32_t slot, const Dims& strides, F&& f) const;

  void add_elements(std::vector<cpu::ScalarProgram::Element>& elements, int32_t slot, const Dims& strides,
                    const MovingSlice& moving) const;

  cpu::ScalarProgram program_;
  const std::vector<Program::Slot>& types_;
  const std::vector<int32_t>&inputs_, &outputs_;
  std::vector<Cells> cells_of_;  ///< by slot
};

/// The body of a loop: inputs are constants, the carry, and slices; results are the new carry, then others.
class LoopBody {
 public:
  LoopBody(const SubProgram& body, GpuRecorder* recorder, int const_count, int carry_count)
      : inner_(body, recorder),
        scalar_(body.program->scalar_loop(const_count, carry_count)),
        const_count_(const_count),
        carry_(carry_count) {}

  InnerRun& inner() { return inner_; }
  SlotState& carry(int c) { return carry_[c]; }
  int carry_count() const { return static_cast<int>(carry_.size()); }

  void bind_constant(int i, const SlotState& state) { inner_.input(i) = shared(state); }

  /// The next input is a slice, along the first axis, of a whole array.
  void bind_slices(const SlotState& whole);

  void iterate(int64_t index) {
    Interruption::poll();
    for (int c = 0; c < carry_count(); ++c) inner_.input(const_count_ + c) = std::move(carry_[c]);
    for (const Slice& slice : slices_) inner_.input(slice.input).offset = slice.start + index * slice.stride;
    inner_.all();
  }

  /// Runs the whole loop, `count` times or while its predicate holds, if few numbers are all that it is
  /// about. The results after the carry are `written`, from the last slice on if it is `reverse`.
  bool run_as_scalars(int64_t count, bool is_while, bool reverse = false,
                      const std::vector<MovingSlice>& written = {});

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
    clear_carry();
  }

  void clear_carry() {
    for (SlotState& state : carry_) state.buffer = nullptr;
  }

 private:
  struct Slice {
    int input;
    int64_t start;   ///< offset of the first slice
    int64_t stride;  ///< from one slice to the next
  };

  InnerRun inner_;
  std::shared_ptr<const ScalarLoop> scalar_;
  const int const_count_;
  std::vector<SlotState> carry_;
  std::vector<Slice> slices_;
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

}  // namespace ftrans
