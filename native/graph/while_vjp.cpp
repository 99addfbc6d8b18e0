#include "graph/while_vjp.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/shape.h"
#include "graph/loop_body.h"

namespace ftrans {
namespace {

/// The number of ways to choose `k` of `n`, at most `limit`.
int64_t binomial(int64_t n, int64_t k, int64_t limit) {
  int64_t result = 1;
  for (int64_t i = 1; i <= k; ++i) {
    result = result * (n - k + i) / i;
    if (result >= limit) return limit;
  }
  return result;
}

/// What the iterations of a loop leave behind: grows by doubling.
class Record {
 public:
  Record(const InnerRun& inner, const Program::Slot& type)
      : inner_(inner), type_(type), size_(element_count(type.shape)) {}

  /// Makes place for so many entries, without any that there are.
  void reserve(int64_t count) {
    buffer_ = Allocator::instance().allocate(static_cast<size_t>(count * type_.nbytes));
    capacity_ = count;
  }

  /// Makes place for entry `index`, which is the last one.
  int64_t offset_of(int64_t index) {
    if (index >= capacity_) {
      const Ref<Buffer> entries = buffer_;
      reserve(std::max<int64_t>(16, 2 * capacity_));
      inner_.settle();
      if (index) std::memcpy(buffer_->data(), entries->data(), static_cast<size_t>(index * type_.nbytes));
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
/// Results: cotangents. Parameters: number of constants, size of the carry, number of the other constants,
/// whether it is checkpointed.
///
/// Checkpointed, it counts the iterations first. It then goes through the loop from its end, in segments of
/// which one at a time is recorded; snapshots of the carry tell where to begin again. For n iterations there
/// are at most about log₂ n snapshots and log₂ n records.
class WhileVjp : public ControlFlow {
 public:
  WhileVjp(const Program::Step& step, GpuRecorder* recorder)
      : const_count_(static_cast<int>(step.parameters[0])),
        carry_count_(static_cast<int>(step.parameters[1])),
        forward_(step.inner->programs[0], recorder, const_count_, carry_count_),
        backward_const_count_(static_cast<int>(step.parameters[2])),
        backward_(step.inner->programs[1], recorder, backward_const_count_,
                  static_cast<int>(step.outputs.size())),
        checkpointed_(step.parameters[3] != 0) {}

  void execute(Run& outer, const Program::Step& step) override {
    for (int i = 0; i < const_count_; ++i) forward_.bind_constant(i, outer.state(step.inputs[i]));
    Snapshot start(carry_count_);
    for (int c = 0; c < carry_count_; ++c) start[c] = outer.state(step.inputs[const_count_ + c]);
    const int second = const_count_ + carry_count_ + 1;  // first operand of the pull-back
    const bool predicate = *static_cast<const bool*>(outer.visible_data(step, step.inputs[second - 1]));
    for (int i = 0; i < backward_const_count_; ++i)
      backward_.bind_constant(i, outer.state(step.inputs[second + i]));
    for (int c = 0; c < backward_.carry_count(); ++c)
      backward_.carry(c) = outer.hand_over(step, step.inputs[second + backward_const_count_ + c]);
    if (predicate && checkpointed_) {
      in_segments(start);
    } else if (predicate) {
      at_once(start);
    }
    forward_.clear();
    records_.clear();
    backward_.finish(outer, step);
  }

 private:
  using Snapshot = std::vector<SlotState>;

  void at_once(const Snapshot& start) {
    make_records();
    go_to(start);
    const int64_t trips = run_while(
        forward_, true, [&](int64_t trip) { place_records(trip); },
        [&](int64_t trip) { write_records(trip); });
    forward_.clear_carry();
    for (const Record& record : records_) backward_.bind_slices(record.stacked());
    pull_back(trips);
  }

  void in_segments(const Snapshot& start) {
    go_to(start);
    const int64_t trips = run_while(forward_, true, [](int64_t) {}, [](int64_t) {});
    forward_.clear_carry();
    make_records();
    segment_ = std::bit_width(static_cast<uint64_t>(trips));
    for (Record& record : records_) {
      record.reserve(segment_);
      backward_.bind_slices(record.stacked());
    }
    const int64_t segments = (trips + segment_ - 1) / segment_;
    reverse(start, trips, std::bit_width(static_cast<uint64_t>(segments)));
  }

  /// Pulls back through `trips` iterations from a snapshot on, with room for more snapshots.
  void reverse(const Snapshot& start, int64_t trips, int snapshots) {
    while (trips > segment_) {
      const int64_t segments = (trips + segment_ - 1) / segment_;
      const int64_t ahead = segment_ * units_before_snapshot(segments, snapshots);
      reverse(advanced(start, ahead), trips - ahead, snapshots - 1);
      trips = ahead;
    }
    go_to(start);
    for (int64_t trip = 0; trip < trips; ++trip) {
      place_records(trip);
      forward_.iterate(0);
      write_records(trip);
      forward_.finish_iteration();
    }
    forward_.clear_carry();
    forward_.inner().release_places();  // they would be written over while the carry is still in them
    pull_back(trips);
  }

  /// The carry so many iterations later.
  Snapshot advanced(const Snapshot& start, int64_t trips) {
    go_to(start);
    for (int64_t trip = 0; trip < trips; ++trip) {
      forward_.iterate(0);
      forward_.finish_iteration();
    }
    Snapshot reached(carry_count_);
    for (int c = 0; c < carry_count_; ++c) reached[c] = std::move(forward_.carry(c));
    return reached;
  }

  void go_to(const Snapshot& snapshot) {
    for (int c = 0; c < carry_count_; ++c) forward_.carry(c) = shared(snapshot[c]);
  }

  void pull_back(int64_t trips) {
    for (int64_t trip = trips; trip-- > 0;) {
      backward_.iterate(trip);
      backward_.finish_iteration();
    }
  }

  int first_record() const { return carry_count_ + 1; }

  void make_records() {
    // Behind the records there may be tokens of effects.
    const int count = backward_.inner().input_count() - backward_const_count_ - backward_.carry_count();
    for (int r = 0; r < count; ++r)
      records_.emplace_back(forward_.inner(), forward_.inner().output_type(first_record() + r));
  }

  void place_records(int64_t trip) {
    for (size_t r = 0; r < records_.size(); ++r) {
      const int64_t offset = records_[r].offset_of(trip);
      forward_.inner().place_output(first_record() + static_cast<int>(r), records_[r].buffer(), offset);
    }
  }

  void write_records(int64_t trip) {
    for (size_t r = 0; r < records_.size(); ++r) {
      forward_.inner().write_output(first_record() + static_cast<int>(r), records_[r].buffer(),
                                    records_[r].offset_of(trip));
    }
  }

  const int const_count_, carry_count_;
  LoopBody forward_;
  const int backward_const_count_;
  LoopBody backward_;
  const bool checkpointed_;
  int64_t segment_ = 0;  ///< iterations that are recorded at a time
  std::vector<Record> records_;
};

}  // namespace

int64_t units_before_snapshot(int64_t count, int snapshots) {
  // With s snapshots, and no unit run oftener than r times, one gets through (s + r choose s) units.
  int64_t runs = 1;
  while (binomial(snapshots + runs, snapshots, count) < count) ++runs;
  const int64_t behind = binomial(snapshots - 1 + runs, snapshots - 1, count);
  return std::clamp<int64_t>(count - behind, 1, count - 1);
}

std::unique_ptr<ControlFlow> make_while_vjp(const Program::Step& step, GpuRecorder* recorder) {
  return std::make_unique<WhileVjp>(step, recorder);
}

}  // namespace ftrans
