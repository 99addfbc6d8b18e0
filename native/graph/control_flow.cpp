#include "graph/control_flow.h"

#include <algorithm>

#include "core/shape.h"
#include "graph/loop_body.h"
#include "graph/run_ahead.h"
#include "graph/while_vjp.h"

namespace ftrans {
namespace {

/// Operands: constants, carry, arrays to slice. Results: carry, stacked arrays.
/// Parameters: number of constants, size of the carry, length, whether it runs from the last slice to the
/// first.
class Scan : public ControlFlow {
 public:
  Scan(const Program::Step& step, GpuRecorder* recorder)
      : const_count_(static_cast<int>(step.parameters[0])),
        carry_count_(static_cast<int>(step.parameters[1])),
        length_(step.parameters[2]),
        reverse_(step.parameters[3] != 0),
        body_(step.inner->programs[0], recorder, const_count_, carry_count_),
        in_place_(stacked_in_place(step)) {}

  void execute(Run& outer, const Program::Step& step) override {
    for (int i = 0; i < const_count_; ++i) body_.bind_constant(i, outer.state(step.inputs[i]));
    for (int c = 0; c < carry_count_; ++c)
      body_.carry(c) = outer.hand_over(step, step.inputs[const_count_ + c]);
    std::vector<SlotState> sliced;
    for (size_t i = const_count_ + carry_count_; i < step.inputs.size(); ++i) {
      sliced.push_back(outer.hand_over(step, step.inputs[i]));
      body_.bind_slices(sliced.back());
    }
    InnerRun& inner = body_.inner();
    const int output_count = static_cast<int>(step.outputs.size());
    std::vector<char> replaces(output_count, 0);
    for (int k = carry_count_; k < output_count; ++k) {
      const int source = in_place_[k - carry_count_];
      replaces[k] = source >= 0 && outer.take_over(step.outputs[k], sliced[source]);
      if (!replaces[k]) outer.allocate(step.outputs[k]);
    }
    std::vector<MovingSlice> written;
    for (int k = carry_count_; k < output_count; ++k) {
      const SlotState& stacked = outer.state(step.outputs[k]);
      const int64_t first = reverse_ ? (length_ - 1) * size_of(k) : 0;
      written.push_back({k, &stacked, stacked.offset + first, reverse_ ? -size_of(k) : size_of(k)});
    }
    const int64_t steps = body_.run_as_scalars(length_, false, reverse_, written) ? 0 : length_;
    for (int64_t i = 0; i < steps; ++i) {
      const int64_t index = reverse_ ? length_ - 1 - i : i;
      for (int k = carry_count_; k < output_count; ++k) {
        if (replaces[k]) continue;  // the body may still read what is there
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
  const std::vector<int> in_place_;
};

/// Operands: constants, carry, whether the predicate holds for it. Results: carry.
/// Parameters: number of constants, size of the carry.
class While : public ControlFlow {
 public:
  While(const Program::Step& step, GpuRecorder* recorder)
      : const_count_(static_cast<int>(step.parameters[0])),
        carry_count_(static_cast<int>(step.parameters[1])),
        body_(step.inner->programs[0], recorder, const_count_, carry_count_),
        recorder_(recorder && can_run_ahead(*step.inner->programs[0].program, carry_count_) ? recorder
                                                                                            : nullptr) {}

  void execute(Run& outer, const Program::Step& step) override {
    for (int i = 0; i < const_count_; ++i) body_.bind_constant(i, outer.state(step.inputs[i]));
    for (int c = 0; c < carry_count_; ++c)
      body_.carry(c) = outer.hand_over(step, step.inputs[const_count_ + c]);
    const bool predicate =
        *static_cast<const bool*>(outer.visible_data(step, step.inputs[const_count_ + carry_count_]));
    if (predicate && recorder_) {
      run_ahead(body_, *recorder_);
    } else if (predicate && !body_.run_as_scalars(0, true)) {
      run_while(body_, true, [](int64_t) {}, [](int64_t) {});
    }
    body_.finish(outer, step);
  }

 private:
  const int const_count_, carry_count_;
  LoopBody body_;
  GpuRecorder* const recorder_;  ///< null if iterations are not recorded ahead
};

/// Operands: the number of a branch (int32; clamped), the operands of all branches. Results: the branch's.
class Cond : public ControlFlow {
 public:
  Cond(const Program::Step& step, GpuRecorder* recorder)
      : recorder_(recorder), branches_(step.inner->programs.size()) {}

  void execute(Run& outer, const Program::Step& step) override {
    const int64_t asked = *static_cast<const int32_t*>(outer.visible_data(step, step.inputs[0]));
    const int64_t chosen = std::clamp<int64_t>(asked, 0, static_cast<int64_t>(branches_.size()) - 1);
    std::unique_ptr<InnerRun>& branch = branches_[chosen];
    if (!branch) branch = std::make_unique<InnerRun>(step.inner->programs[chosen], recorder_);
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
  GpuRecorder* const recorder_;
  std::vector<std::unique_ptr<InnerRun>> branches_;
};

/// Below, another array costs less than a copy of each slice.
constexpr int64_t kLeastInPlace = 1 << 20;

/// The slots of a program in which the memory of one of its inputs may be.
std::vector<char> slots_with_memory_of(const Program& program, int32_t input) {
  std::vector<char> found(program.slots.size(), 0);
  found[input] = 1;
  for (const Program::Step& step : program.steps) {
    if (step.kind == Program::Step::Kind::Fused || step.kind == Program::Step::Kind::Kernel ||
        step.kind == Program::Step::Kind::Host)
      continue;
    const bool reads =
        std::any_of(step.inputs.begin(), step.inputs.end(), [&](int32_t i) { return found[i]; });
    for (int32_t output : step.outputs) found[output] |= reads;
  }
  return found;
}

}  // namespace

std::vector<int> stacked_in_place(const Program::Step& scan) {
  const Program& body = *scan.inner->programs[0].program;
  const auto constants = static_cast<size_t>(scan.parameters[0]),
             carry = static_cast<size_t>(scan.parameters[1]);
  const int64_t length = scan.parameters[2];
  std::vector<int> sources;
  std::vector<char> taken(scan.inputs.size(), 0);
  for (size_t k = carry; k < scan.outputs.size(); ++k) {
    const Program::Slot& result = body.slots[body.outputs[k]];
    int source = -1;
    for (size_t i = constants + carry; i < scan.inputs.size() && source < 0; ++i) {
      const Program::Slot& slice = body.slots[body.inputs[i]];
      const bool fits = slice.nbytes == result.nbytes && itemsize(slice.dtype) == itemsize(result.dtype) &&
                        length * slice.nbytes >= kLeastInPlace;
      const bool released =
          std::find(scan.releases.begin(), scan.releases.end(), scan.inputs[i]) != scan.releases.end() &&
          std::count(scan.inputs.begin(), scan.inputs.end(), scan.inputs[i]) == 1;
      if (taken[i] || !fits || !released) continue;
      const std::vector<char> reaches = slots_with_memory_of(body, body.inputs[i]);
      const bool leaves =
          std::any_of(body.outputs.begin(), body.outputs.end(), [&](int32_t slot) { return reaches[slot]; });
      if (leaves) continue;
      taken[i] = 1;
      source = static_cast<int>(i - constants - carry);
    }
    sources.push_back(source);
  }
  return sources;
}

std::unique_ptr<ControlFlow> make_control_flow(const Program::Step& step, GpuRecorder* recorder) {
  switch (step.opcode) {
    case Opcode::Scan: return std::make_unique<Scan>(step, recorder);
    case Opcode::While: return std::make_unique<While>(step, recorder);
    case Opcode::WhileVjp: return make_while_vjp(step, recorder);
    default: return std::make_unique<Cond>(step, recorder);
  }
}

}  // namespace ftrans
