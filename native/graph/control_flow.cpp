#include "graph/control_flow.h"

#include <algorithm>

#include "core/shape.h"
#include "graph/loop_body.h"
#include "graph/while_vjp.h"

namespace ftrans {
namespace {

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
    case Opcode::WhileVjp: return make_while_vjp(step, queue);
    default: return std::make_unique<Cond>(step, queue);
  }
}

}  // namespace ftrans
