#include "graph/run_ahead.h"

#include <algorithm>
#include <array>

namespace ftrans {
namespace {

/// More would be recorded in vain, at worst, than pays.
constexpr int64_t kMostAhead = 32;

/// In bytes. The carry goes back and forth between two places, so that nothing is updated in place; and where
/// there is much to do in an iteration, waiting for it costs little.
constexpr int64_t kLargestCarry = int64_t{1} << 20;

using Carry = std::vector<SlotState>;

/// Memory for the results that the next iteration gets.
Carry new_carry(LoopBody& body) {
  Carry carry(static_cast<size_t>(body.carry_count()));
  for (int c = 0; c < body.carry_count(); ++c) {
    const Program::Slot& type = body.inner().output_type(c);
    carry[c].buffer = Allocator::instance().allocate(static_cast<size_t>(type.nbytes));
    carry[c].strides = type.strides;
  }
  return carry;
}

/// Records an iteration, whose new carry is in `to`.
void record_iteration(LoopBody& body, const Carry& to) {
  InnerRun& inner = body.inner();
  for (int c = 0; c < body.carry_count(); ++c) inner.place_output(c, to[c].buffer, 0);
  body.iterate(0);
  for (int c = 0; c < body.carry_count(); ++c) {
    inner.write_output(c, to[c].buffer, 0);
    body.carry(c) = to[c];
  }
}

}  // namespace

bool can_run_ahead(const Program& body, int carry_count) {
  int64_t bytes = 0;
  for (int c = 0; c < carry_count; ++c) bytes += body.slots[body.outputs[c]].nbytes;
  const auto can_be_left_out = [](const Program::Step& step) {
    return step.gpu || step.kind == Program::Step::Kind::Alias ||
           (step.kind == Program::Step::Kind::View && step.stream->queue());
  };
  return bytes <= kLargestCarry && std::all_of(body.steps.begin(), body.steps.end(), can_be_left_out);
}

void run_ahead(LoopBody& body, GpuRecorder& recorder) {
  const std::array<Carry, 2> homes = {new_carry(body), new_carry(body)};
  for (int c = 0; c < body.carry_count(); ++c) body.carry(c).owned = false;
  int64_t trips = 0;
  bool goes_on = true;
  for (int64_t ahead = 1; goes_on; ahead = std::min(2 * ahead, kMostAhead)) {
    const Ref<GpuCondition> condition = gpu()->new_condition();
    for (int64_t i = 0; i < ahead; ++i) {
      record_iteration(body, homes[(trips + i) % 2]);
      recorder.require(*condition, body.inner().output_operand(body.carry_count()));
      body.inner().release_outputs();
    }
    recorder.require_nothing();
    finish(recorder);
    goes_on = condition->count() == ahead;
    trips += std::min(ahead, condition->count() + 1);
  }
  for (int c = 0; c < body.carry_count(); ++c) {
    body.carry(c) = homes[(trips - 1) % 2][c];
    body.carry(c).owned = true;
  }
}

}  // namespace ftrans
