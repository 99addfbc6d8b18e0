#pragma once

#include <memory>
#include <vector>

#include "graph/program.h"

namespace ftrans {

/// What a slot holds during a run.
struct SlotState {
  Ref<Buffer> buffer;
  int64_t offset = 0;  ///< in elements
  Dims strides;
  bool contiguous = true;
  bool owned =
      false;  ///< the memory was made in this run, so that a step may overwrite it when nobody else reads it
  bool donated = false;     ///< it came with an argument that the caller gave up, or took its memory
  int sole_references = 1;  ///< references to the buffer when only this run can see it
};

class ControlFlow;

/// A run of a program, or one after another: a loop runs its body again and again.
class Run {
 public:
  /// `recorder`: of a run inside of a step, where its work for a GPU goes. Null at the top, where it goes to
  /// the streams of its steps.
  explicit Run(const Program& program, GpuRecorder* recorder = nullptr);
  ~Run();

  const Program& program() const { return program_; }
  SlotState& state(int32_t slot) { return states_[slot]; }
  bool overwrote_input() const { return overwrote_input_; }

  /// Runs one step; what it no longer needs is released.
  void step(const Program::Step& step);

  void all() {
    for (const Program::Step& each : program_.steps) step(each);
  }

  /// The memory into which the step that computes a slot writes it from now on; none: newly allocated.
  void place(int32_t slot, const Ref<Buffer>& buffer, int64_t offset);

  void release_places() { places_.clear(); }

  void* data(int32_t slot) const {
    const SlotState& state = states_[slot];
    return static_cast<char*>(state.buffer->data()) + state.offset * itemsize(program_.slots[slot].dtype);
  }

  TensorView tensor(int32_t slot) const {
    const Program::Slot& type = program_.slots[slot];
    return {data(slot), type.dtype, type.shape.size(), type.shape.data(), states_[slot].strides.data()};
  }

  /// Gives a slot memory of its own.
  void allocate(int32_t slot);

  /// Gives a slot memory that a step was handed over, if that is whole and the slot has no place already.
  bool take_over(int32_t slot, const SlotState& memory);

  /// What it records in the queue of a GPU's stream; null of other streams, and where it has nothing there.
  GpuRecorder* recorder_of(const Stream* stream) const;

  /// Where the programs inside of a step record; null if they run on the processor alone, to which
  /// everything that a GPU does for this step is visible then. Afterwards `leave` it.
  GpuRecorder* enter(const Program::Step& step, const Stream* inner_stream) const;
  void leave(const Program::Step& step, GpuRecorder* inner) const;

  /// An input of a step, for the processor: waits for what a GPU has yet to do.
  const void* visible_data(const Program::Step& step, int32_t slot) const;

  GpuOperand operand(int32_t slot) const {
    const Program::Slot& type = program_.slots[slot];
    const SlotState& state = states_[slot];
    return {state.buffer.get(), state.offset * itemsize(type.dtype),
            type.dtype,         type.shape.size(),
            type.shape.data(),  state.strides.data()};
  }

  /// An input of a step for a program inside of it: with the memory, if nobody reads it afterwards.
  SlotState hand_over(const Program::Step& step, int32_t slot);

 private:
  struct Place {
    Ref<Buffer> buffer;
    int64_t offset = 0;
  };

  void make_recorders();
  Ref<Value> value(int32_t slot) const;
  bool is_placed(int32_t slot) const { return !places_.empty() && places_[slot].buffer; }
  bool may_overwrite(const Program::Step& step, int32_t slot) const;
  void take_memory(int32_t from, int32_t to);
  void make_fused_output(const Program::Step& step, size_t k);
  bool make_kernel_outputs(const Program::Step& step);
  Ref<Buffer> new_block(int64_t bytes) const;
  GpuRecorder* recorder_of(const Program::Step& step) const;
  void record(const Program::Step& step);
  void fused(const Program::Step& step);
  void kernel(const Program::Step& step);
  void view(const Program::Step& step);
  void alias(const Program::Step& step);
  void call(const Program::Step& step);
  void host(const Program::Step& step);
  void control(const Program::Step& step);

  const Program& program_;
  GpuRecorder* const recorder_;
  std::vector<std::pair<const Stream*, std::unique_ptr<GpuRecorder>>> recorders_;  ///< of a run at the top
  std::vector<SlotState> states_;
  std::vector<Place> places_;                           ///< by slot, once there is one
  std::vector<std::unique_ptr<ControlFlow>> controls_;  ///< by step; none where no step is control flow
  bool overwrote_input_ = false;
};

/// Blocks until what has been recorded is done, so that the processor sees it; throws what went wrong.
void finish(GpuRecorder& recorder);

}  // namespace ftrans
