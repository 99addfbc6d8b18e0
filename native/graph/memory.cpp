#include <algorithm>
#include <memory>

#include "core/shape.h"
#include "graph/control_flow.h"
#include "graph/program.h"

namespace ftrans {
namespace {

/// Bytes in use while a program is followed step by step.
struct Account {
  int64_t live = 0;
  int64_t peak = 0;
};

/// A block of memory that is in use as long as somebody refers to it.
struct Block {
  Block(Account& account, int64_t size)
      : account(account), bytes(static_cast<int64_t>(Allocator::block_size(static_cast<size_t>(size)))) {
    account.live += bytes;
    account.peak = std::max(account.peak, account.live);
  }
  ~Block() { account.live -= bytes; }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  Account& account;
  const int64_t bytes;
};

/// What a slot holds; see SlotState in execute.cpp, which decides by the same rules what is overwritten.
struct Holding {
  std::shared_ptr<Block> block;
  int64_t offset = 0;
  Dims strides;
  bool contiguous = true;
  bool owned = false;
  bool donated = false;
  int sole_references = 1;
};

class Rehearsal {
 public:
  Rehearsal(const Program& program, Account& account)
      : program_(program), account_(account), holdings_(program.slots.size()) {
    for (size_t slot = 0; slot < holdings_.size(); ++slot) {
      if (program.slots[slot].constant) holdings_[slot].strides = program.slots[slot].strides;
    }
  }

  Holding& holding(int32_t slot) { return holdings_[slot]; }

  /// Arguments of their own for all inputs, each of which the caller keeps, or has given up.
  void hold_inputs() {
    for (size_t i = 0; i < program_.inputs.size(); ++i) {
      const int32_t slot = program_.inputs[i];
      allocate(slot);
      Holding& input = holdings_[slot];
      callers_.push_back(input.block);
      input.sole_references = 2;
      input.owned = input.donated = program_.is_donated(i);
    }
  }

  void run() {
    for (const Program::Step& each : program_.steps) {
      switch (each.kind) {
        case Program::Step::Kind::Fused: fused(each); break;
        case Program::Step::Kind::Kernel: kernel(each); break;
        case Program::Step::Kind::View: view(each); break;
        case Program::Step::Kind::Alias: alias(each); break;
        case Program::Step::Kind::Call: call(each); break;
        case Program::Step::Kind::Control: control(each); break;
        case Program::Step::Kind::Host:
          for (int32_t slot : each.outputs) allocate(slot);
          break;
      }
      for (int32_t slot : each.releases) holdings_[slot].block = nullptr;
    }
  }

 private:
  void allocate(int32_t slot) {
    holdings_[slot] = {};
    holdings_[slot].block = std::make_shared<Block>(account_, program_.slots[slot].nbytes);
    holdings_[slot].strides = contiguous_strides(program_.slots[slot].shape);
    holdings_[slot].owned = true;
  }

  bool may_overwrite(const Program::Step& step, int32_t slot) const {
    const Holding& held = holdings_[slot];
    return held.block && held.owned && held.contiguous && held.offset == 0 && !program_.slots[slot].shared &&
           held.block.use_count() == held.sole_references &&
           std::find(step.releases.begin(), step.releases.end(), slot) != step.releases.end();
  }

  void take_memory(int32_t from, int32_t to) {
    Holding& target = holdings_[to];
    target = std::move(holdings_[from]);
    target.strides = contiguous_strides(program_.slots[to].shape);
    holdings_[from] = {};
  }

  void fused(const Program::Step& step) {
    for (size_t k = 0; k < step.outputs.size(); ++k) {
      const Program::Slot& type = program_.slots[step.outputs[k]];
      auto reusable = [&](int32_t input) {
        const Program::Slot& source = program_.slots[input];
        return (holdings_[input].sole_references == 1 || holdings_[input].donated) &&
               itemsize(source.dtype) == itemsize(type.dtype) && source.nbytes == type.nbytes &&
               may_overwrite(step, input);
      };
      const auto found = step.full_output[k] ? std::find_if(step.inputs.begin(), step.inputs.end(), reusable)
                                             : step.inputs.end();
      if (found == step.inputs.end()) {
        allocate(step.outputs[k]);
      } else {
        take_memory(*found, step.outputs[k]);
      }
    }
  }

  /// Whether a result took over the memory of an operand that nobody else needs.
  bool take_over(const Program::Step& step, int32_t from, int32_t to) {
    if (holdings_[from].sole_references != 1 || !may_overwrite(step, from) ||
        std::count(step.inputs.begin(), step.inputs.end(), from) != 1)
      return false;
    take_memory(from, to);
    return true;
  }

  void alias(const Program::Step& step) {
    for (size_t i = 0; i < step.inputs.size(); ++i) holdings_[step.outputs[i]] = holdings_[step.inputs[i]];
  }

  void kernel(const Program::Step& step) {
    if ((step.opcode == Opcode::DynamicUpdateSlice || step.opcode == Opcode::Scatter) &&
        may_overwrite(step, step.inputs[0]) &&
        std::count(step.inputs.begin(), step.inputs.end(), step.inputs[0]) == 1) {
      take_memory(step.inputs[0], step.outputs[0]);
      return;
    }
    for (int32_t slot : step.outputs) allocate(slot);
    std::vector<TensorView> inputs, outputs;
    for (int32_t slot : step.inputs) inputs.push_back(described(slot));
    for (int32_t slot : step.outputs) outputs.push_back(described(slot));
    const cpu::StepArguments arguments{inputs.data(),          static_cast<int>(inputs.size()),
                                       outputs.data(),         static_cast<int>(outputs.size()),
                                       step.parameters.data(), step.parameters.size()};
    const int64_t scratch = step.kernel ? backend().step_scratch(step.opcode, arguments) : 0;
    if (scratch > 0) const Block block(account_, scratch);
  }

  /// An array without memory.
  TensorView described(int32_t slot) const {
    const Program::Slot& type = program_.slots[slot];
    return {nullptr, type.dtype, type.shape.size(), type.shape.data(), holdings_[slot].strides.data()};
  }

  void view(const Program::Step& step) {
    const int32_t input = step.inputs[0], output = step.outputs[0];
    Holding target = holdings_[input];
    const Dims strides = target.strides;
    const Dims& shape = program_.slots[output].shape;
    if (!view_layout(step.opcode, step.parameters, program_.slots[input].shape, strides,
                     holdings_[input].offset, shape, target.strides, target.offset)) {
      allocate(output);
      return;
    }
    target.contiguous = is_contiguous(shape, target.strides);
    holdings_[output] = std::move(target);
  }

  /// The results, and the most that one run of a program inside needs; what goes into it is counted outside.
  void control(const Program::Step& step) {
    const int64_t carry = step.opcode == Opcode::Scan ? step.parameters[1] : 0;
    const std::vector<int> in_place =
        step.opcode == Opcode::Scan ? stacked_in_place(step) : std::vector<int>(step.outputs.size(), -1);
    for (size_t k = 0; k < step.outputs.size(); ++k) {
      const int source = k < static_cast<size_t>(carry) ? -1 : in_place[k - static_cast<size_t>(carry)];
      if (source < 0 ||
          !take_over(step, step.inputs[static_cast<size_t>(step.parameters[0] + carry + source)],
                     step.outputs[k]))
        allocate(step.outputs[k]);
    }
    for (const SubProgram& each : step.inner->programs) {
      Rehearsal inner(*each.program, account_);
      for (int32_t slot : each.program->inputs) {
        inner.holding(slot).block = std::make_shared<Block>(account_, 0);
        inner.holding(slot).strides = contiguous_strides(each.program->slots[slot].shape);
      }
      inner.run();
    }
  }

  void call(const Program::Step& step) {
    Rehearsal inner(*step.callee, account_);
    for (size_t i = 0; i < step.inputs.size(); ++i) {
      const int32_t slot = step.inputs[i];
      const bool given_up = step.callee->is_donated(i) && may_overwrite(step, slot) &&
                            std::count(step.inputs.begin(), step.inputs.end(), slot) == 1;
      Holding& target = inner.holding(step.callee->inputs[i]);
      target = holdings_[slot];
      if (given_up) holdings_[slot] = {};
      target.owned = target.donated = given_up;
    }
    inner.run();
    for (size_t i = 0; i < step.outputs.size(); ++i) {
      Holding& result = holdings_[step.outputs[i]];
      result = inner.holding(step.callee->outputs[i]);
      result.owned = result.owned && result.sole_references == 1;
    }
  }

  const Program& program_;
  Account& account_;
  std::vector<Holding> holdings_;
  std::vector<std::shared_ptr<Block>> callers_;
};

}  // namespace

MemoryNeed plan_need(const Program& program) {
  MemoryNeed need;
  for (const Program::Slot& slot : program.slots) {
    if (slot.constant) need.constants += static_cast<int64_t>(slot.constant->size());
  }
  Account account;
  Rehearsal rehearsal(program, account);
  rehearsal.hold_inputs();
  need.inputs = account.live;
  rehearsal.run();
  need.outputs = account.live - need.inputs;
  need.peak = account.peak + need.constants;
  need.temporaries = account.peak - need.inputs - need.outputs;
  return need;
}

}  // namespace ftrans
