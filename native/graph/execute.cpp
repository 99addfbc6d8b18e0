#include "graph/execute.h"

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "core/interruption.h"
#include "graph/run.h"

namespace ftrans {
namespace {

/// In a host function, the work may be queued behind the function's own step, or behind one that waits for
/// it: then this thread does it.
void help(Event& event) {
  if (Ref<Work> work = event.work()) work->take_over();
}

void wait_helping(Event& event) {
  if (in_host_call()) help(event);
  while (!event.wait_for(kInterruptionInterval)) Interruption::poll_after_wait();
  event.wait();
}

/// A run with everything that it needs to finish on its own: each stream publishes its results.
class Job : public Work {
 public:
  /// A run of a captured graph.
  Job(Ref<Program> program, CapturedGraph& captured) : Job(std::move(program)) {
    for (Value* input : captured.inputs) add_input(*input);
    for (size_t i = 0; i < captured.outputs.size(); ++i)
      add_output(captured.outputs[i].get(), program_->outputs[i]);
    donatable_ = std::move(captured.donatable);
  }

  /// A run of a call of a compiled function whose arguments need no work.
  explicit Job(Node& call) : Job(Ref<Program>(static_cast<Program*>(call.payload.get()))) {
    for (const Ref<Value>& input : call.inputs) add_input(*input);
    for (int i = 0; i < call.outputs.size(); ++i) {
      if (call.outputs[i]) add_output(call.outputs[i], program_->outputs[i]);
    }
  }

  const Ref<Event>& finished() const { return finished_; }

  /// After a failure, under the interpreter's lock: what is pending again lets go of the error, whose
  /// traceback may refer to it.
  void forget_failure() {
    for (const Ref<Value>& output : outputs_) forget(*output);
  }

  static void forget(Value& value) {
    if (value.state.load(std::memory_order_acquire) == Value::State::Pending) value.event = nullptr;
  }

  const std::vector<Stream*>& streams() const { return program_->streams; }

  /// Does the part of one stream (all of it, if there is just one), unless another thread has begun it.
  void run_part(Stream* stream) { run(claim(stream)); }

  void take_over() override { run(claim(nullptr)); }

  /// The same, for an evaluation on this thread, which says whether it is still wanted.
  void take_over_for(Evaluation& evaluation) { run(claim(nullptr), &evaluation); }

  void interrupt() override { interruption_.request(); }

 private:
  using Streams = InlineVector<Stream*, 2>;

  /// Of a step that steps on other streams wait for.
  struct Progress {
    bool done = false;
    Ref<Fence> fence;  ///< of a step that the GPU works on
  };

  /// The part of a stream (the parts of all, for null), as far as nobody has begun them.
  Streams claim(const Stream* stream) {
    std::lock_guard lock(mutex_);
    Streams claimed, rest;
    for (Stream* each : unclaimed_) (!stream || each == stream ? claimed : rest).push_back(each);
    unclaimed_ = std::move(rest);
    return claimed;
  }

  void run(const Streams& parts, Evaluation* evaluation = nullptr) {
    if (parts.empty()) return;
    try {
      const Interruption::Scope scope(interruption_, evaluation ? &Evaluation::ask : nullptr, evaluation);
      bind_inputs(parts);
      const bool alone = program_->streams.size() < 2;
      for (size_t i = 0; i < program_->steps.size(); ++i) {
        const Program::Step& step = program_->steps[i];
        if (!alone) {
          if (std::find(parts.begin(), parts.end(), step.stream) == parts.end()) continue;
          wait_for(step);
        }
        run_.step(step);
        if (step.signals) signal(i);
      }
    } catch (...) {
      fail(std::current_exception());
    }
    for (Stream* part : parts) {
      if (GpuRecorder* recorder = run_.recorder_of(part)) {
        add_fence(recorder->submit([self = Ref<Job>(this), part](std::exception_ptr error) {
          if (error) self->fail(error);
          self->finish_part(part);
        }));
      } else {
        finish_part(part);
      }
    }
    const size_t begun = static_cast<size_t>(parts.size());
    if (unrecorded_.fetch_sub(begun, std::memory_order_acq_rel) == begun) recorded_->signal();
  }

  void add_fence(const Ref<Fence>& fence) {
    std::lock_guard lock(mutex_);
    fences_.push_back(fence);
  }

  explicit Job(Ref<Program> program)
      : program_(std::move(program)), run_(*program_), finished_(new Event(this)) {
    for (Stream* stream : program_->streams) unclaimed_.push_back(stream);
    if (unclaimed_.empty()) unclaimed_.push_back(nullptr);  // a program without steps is one part too
    remaining_.store(unclaimed_.size());
    unrecorded_.store(static_cast<size_t>(unclaimed_.size()));
    if (program_->streams.size() > 1) {
      progress_.resize(program_->steps.size());
      for (size_t part = 0; part < program_->streams.size(); ++part) ended_.push_back(new Event(this));
      part_of_slot_.resize(program_->slots.size());
      for (const Program::Step& step : program_->steps) {
        for (int32_t slot : step.outputs) part_of_slot_[slot] = index_of(step.stream);
      }
    }
  }

  void add_input(Value& input) {
    inputs_.emplace_back(&input);
    if (!input.is_ready() && input.event) dependencies_.push_back(input.event);
  }

  void add_output(Value* output, int32_t slot) {
    outputs_.emplace_back(output);
    output_slots_.push_back(slot);
    output->event = ended_.empty() ? finished_ : ended_[part_of_slot_[slot]];
    output->state.store(Value::State::Scheduled, std::memory_order_release);
  }

  /// Of several.
  size_t index_of(const Stream* part) const {
    const auto& all = program_->streams;
    return static_cast<size_t>(std::find(all.begin(), all.end(), part) - all.begin());
  }

  /// Waits for what other programs still compute, then looks at the memory of the inputs. Of parts for a GPU
  /// it is the GPU that waits, for programs that have been recorded.
  void bind_inputs(const Streams& parts) {
    const bool only_records =
        std::all_of(parts.begin(), parts.end(), [](Stream* part) { return part && part->queue(); });
    std::vector<Ref<Job>> recorded;
    for (const Ref<Event>& dependency : dependencies_) {
      Ref<Job> job = only_records ? wait_on_gpu(*dependency, parts) : nullptr;
      if (job) {
        recorded.push_back(std::move(job));
      } else {
        wait_helping(*dependency);
      }
    }
    std::call_once(bound_, [&] {
      for (size_t i = 0; i < inputs_.size(); ++i) bind_input(i, recorded);
    });
  }

  void bind_input(size_t i, const std::vector<Ref<Job>>& recorded) {
    Value& input = *inputs_[i];
    SlotState& state = run_.state(program_->inputs[i]);
    uint32_t references = 2;  // of a call's node, and of this job
    if (input.is_ready()) {
      if (input.is_immediate) input.materialize_immediate();
      state.buffer = input.buffer;
      state.offset = input.offset;
      state.strides = input.strides;
      state.contiguous = input.contiguous;
    } else {
      const SlotState* result = nullptr;
      for (const Ref<Job>& job : recorded) {
        if (!result) result = job->result(input);
      }
      if (!result) throw std::runtime_error("an array that this evaluation needs could not be computed");
      state.buffer = result->buffer;
      state.offset = result->offset;
      state.strides = result->strides;
      state.contiguous = result->contiguous;
      ++references;  // of the job that computes it, in place of the value its memory has
    }
    // Whether only the call's node and this job refer to the argument.
    state.donated = program_->is_donated(i) && !input.is_immediate && input.reference_count() == references &&
                    state.buffer->reference_count() == 2;
    state.sole_references = 2;
    state.owned = (state.donated || (i < donatable_.size() && donatable_[i])) && !state.buffer->is_borrowed();
  }

  /// Lets GPUs wait for another job's work on GPUs, as soon as all of it has been recorded. Null where there
  /// is nothing to wait for any more, or something went wrong.
  Ref<Job> wait_on_gpu(Event& dependency, const Streams& parts) {
    const Ref<Work> work = dependency.work();
    if (!work) return nullptr;
    Ref<Job> job(static_cast<Job*>(work.get()));  // values have no other events
    if (in_host_call()) job->take_over();
    while (!job->recorded_->wait_for(kInterruptionInterval)) Interruption::poll_after_wait();
    std::vector<Ref<Fence>> fences;
    {
      std::lock_guard lock(job->mutex_);
      if (job->error_) return nullptr;
      fences = job->fences_;
    }
    for (Stream* part : parts) {
      for (const Ref<Fence>& fence : fences) run_.recorder_of(part)->wait_for(*fence);
    }
    return job;
  }

  /// Where a recorded job computes a value; null if it is another's.
  const SlotState* result(const Value& value) {
    const auto found = std::find_if(outputs_.begin(), outputs_.end(),
                                    [&](const Ref<Value>& output) { return output.get() == &value; });
    if (found == outputs_.end()) return nullptr;
    return &run_.state(output_slots_[static_cast<size_t>(found - outputs_.begin())]);
  }

  /// Waits for what a step needs of other streams. Where both are a GPU's, it is the GPU that waits.
  void wait_for(const Program::Step& step) {
    if (step.waits.empty()) return;
    GpuRecorder* recorder = run_.recorder_of(step.stream);
    const auto is_there = [&](int32_t awaited) {
      return progress_[awaited].done || (recorder && progress_[awaited].fence);
    };
    std::unique_lock lock(mutex_);
    const auto all_there = [&] {
      return error_ || std::all_of(step.waits.begin(), step.waits.end(), is_there);
    };
    if (recorder && !all_there()) {
      lock.unlock();
      recorder->submit(nullptr);  // what it has so far need not wait
      lock.lock();
    }
    condition_.wait(lock, all_there);
    if (error_) std::rethrow_exception(error_);
    std::vector<Ref<Fence>> fences;
    for (int32_t awaited : step.waits) {
      if (!progress_[awaited].done) fences.push_back(progress_[awaited].fence);
    }
    lock.unlock();  // the queue may have to wait for work whose end is told here
    for (const Ref<Fence>& fence : fences) recorder->wait_for(*fence);
  }

  /// Tells other streams that a step is done, or when the GPU will be done with it.
  void signal(size_t step) {
    Ref<Fence> fence;
    if (GpuRecorder* recorder = run_.recorder_of(program_->steps[step].stream)) {
      fence = recorder->submit([self = Ref<Job>(this), step](std::exception_ptr error) {
        if (error) self->fail(error);
        self->advance(step, nullptr);
      });
      add_fence(fence);
    }
    advance(step, std::move(fence));
  }

  void advance(size_t step, Ref<Fence> fence) {
    {
      std::lock_guard lock(mutex_);
      if (fence) {
        progress_[step].fence = std::move(fence);
      } else {
        progress_[step].done = true;
      }
    }
    condition_.notify_all();
  }

  void fail(std::exception_ptr error) {
    {
      std::lock_guard lock(mutex_);
      if (!error_) error_ = std::move(error);
    }
    condition_.notify_all();
  }

  /// What has gone wrong so far, with this run or with what it needs.
  std::exception_ptr failure() {
    std::lock_guard lock(mutex_);
    for (const Ref<Event>& dependency : dependencies_) {
      if (!error_ && dependency->has_failed()) error_ = dependency->error();
    }
    return error_;
  }

  /// The results of a part are there when it is done. Where something has failed, all others end with the
  /// last.
  void finish_part(const Stream* part) {
    if (!ended_.empty() && !failure()) {
      const size_t index = index_of(part);
      publish([&](size_t i) { return part_of_slot_[output_slots_[i]] == index; });
      ended_[index]->signal();
    }
    if (remaining_.fetch_sub(1, std::memory_order_acq_rel) == 1) finish();
  }

  /// The pending graph goes first: while a value is Scheduled, nobody looks at its node.
  template <typename Condition>
  void publish(Condition&& concerns) {
    for (size_t i = 0; i < outputs_.size(); ++i) {
      if (concerns(i)) outputs_[i]->node = nullptr;
    }
    for (size_t i = 0; i < outputs_.size(); ++i) {
      const SlotState& state = run_.state(output_slots_[i]);
      if (concerns(i)) outputs_[i]->publish(state.buffer, state.offset, state.strides);
    }
  }

  void finish() {
    const std::exception_ptr error = failure();
    if (!error && ended_.empty()) publish([](size_t) { return true; });
    if (error && !run_.overwrote_input()) {
      for (const Ref<Value>& output : outputs_) {
        if (!output->is_ready()) output->state.store(Value::State::Pending, std::memory_order_release);
      }
    }
    inputs_.clear();
    for (const Ref<Event>& part : ended_) {
      if (!part->is_signalled()) part->signal(error);
    }
    finished_->signal(error);
  }

  Ref<Program> program_;
  Run run_;
  std::vector<Ref<Value>> inputs_;
  std::vector<Ref<Value>> outputs_;
  std::vector<int32_t> output_slots_;
  std::vector<size_t> part_of_slot_;  ///< where there are several
  std::vector<Ref<Event>> dependencies_;
  std::vector<char> donatable_;
  Ref<Event> finished_;
  std::vector<Ref<Event>> ended_;            ///< by part, where there are several
  Ref<Event> recorded_{new Event(nullptr)};  ///< results have their memory, though a GPU has yet to fill it
  std::vector<Ref<Fence>> fences_;           ///< of its work on GPUs
  Interruption interruption_;                ///< what its threads poll
  Streams unclaimed_;                        ///< streams whose parts nobody has begun
  std::atomic<int> remaining_;               ///< parts that are not done
  std::atomic<size_t> unrecorded_;           ///< parts whose steps have not been recorded, or run
  std::once_flag bound_;
  std::mutex mutex_;
  std::condition_variable condition_;
  std::vector<Progress> progress_;  ///< by step, where there are several streams
  std::exception_ptr error_;
};

/// The call that computes all of the values, if there is one and its arguments need no work; else null.
Node* lone_call(const std::vector<Ref<Value>>& values) {
  Node* call = values.front()->node.get();
  if (call->opcode != Opcode::CallProgram) return nullptr;
  for (const Ref<Value>& value : values) {
    if (value->node.get() != call) return nullptr;
  }
  for (const Ref<Value>& input : call->inputs) {
    if (input->state.load(std::memory_order_acquire) == Value::State::Pending) return nullptr;
  }
  return call;
}

std::atomic<bool> must_block{false};

/// Programs enter the queues of several streams in one step, so that two of them can't wait for each other.
std::mutex submission_mutex;

void submit(const Ref<Job>& job) {
  std::lock_guard lock(submission_mutex);
  if (job->streams().empty()) {
    job->run_part(nullptr);
    return;
  }
  for (Stream* stream : job->streams()) {
    stream->submit([job, stream] { job->run_part(stream); });
  }
}

}  // namespace

void Evaluation::always_block() { must_block = true; }

void Evaluation::run(const std::vector<Ref<Value>>& roots, bool blocking) {
  blocking |= must_block;
  std::vector<Ref<Value>> pending;
  std::vector<Ref<Event>> waits;
  for (const Ref<Value>& root : roots) {
    switch (root->state.load(std::memory_order_acquire)) {
      case Value::State::Ready: break;
      case Value::State::Scheduled: waits.push_back(root->event); break;
      case Value::State::Placeholder: throw std::logic_error("eval: a placeholder has no value");
      case Value::State::Pending:
        if (root->node->symbolic) throw std::logic_error("eval: a placeholder has no value");
        root->tell_failure();
        pending.push_back(root);
    }
  }
  Ref<Job> job;
  if (!pending.empty()) {
    if (Node* call = lone_call(pending)) {
      job = Ref<Job>(new Job(*call));
    } else {
      CapturedGraph captured = capture(pending);
      Ref<Program> program = compile_cached(captured.graph);
      job = Ref<Job>(new Job(std::move(program), captured));
    }
    Stream* stream = job->streams().empty() ? nullptr : job->streams().front();
    const bool is_nested = in_host_call();
    if (blocking && (is_nested || (job->streams().size() == 1 && stream->try_begin_inline()))) {
      unlock();
      job->take_over_for(*this);
      if (!is_nested) stream->finish_inline();
      const Ref<Event> finished = job->finished();
      if (!finished->has_failed()) job = nullptr;
      relock();
      if (given_up_) {  // a GPU may be busy with it for a while
        for (const Ref<Event>& event : waits) {
          if (Ref<Work> work = event->work()) work->interrupt();
        }
        std::rethrow_exception(std::exchange(given_up_, nullptr));
      }
      waits.push_back(finished);
    } else {
      submit(job);
      waits.push_back(job->finished());
    }
  }
  if (!blocking || waits.empty()) return;
  const std::exception_ptr error = wait(waits);
  if (!error) return;
  for (const Ref<Value>& root : roots) Job::forget(*root);
  if (job) job->forget_failure();
  const bool can_repeat = std::none_of(roots.begin(), roots.end(), [](const Ref<Value>& root) {
    return root->state.load(std::memory_order_acquire) == Value::State::Scheduled;
  });
  try {
    std::rethrow_exception(error);
  } catch (const Interrupted&) {  // by another evaluation, which wanted no more of it
    if (!can_repeat) throw;
  }
  run(roots, blocking);
}

void Evaluation::ask(void* self) {
  auto* evaluation = static_cast<Evaluation*>(self);
  try {
    evaluation->check_wanted();
  } catch (...) {
    evaluation->given_up_ = std::current_exception();
    throw Interrupted();
  }
}

/// Waits for all events; the first error.
std::exception_ptr Evaluation::wait(const std::vector<Ref<Event>>& events) {
  const bool all_done = std::all_of(events.begin(), events.end(),
                                    [](const Ref<Event>& event) { return event->is_signalled(); });
  if (!all_done) unlock();
  std::exception_ptr error;
  bool wanted = true;
  for (const Ref<Event>& event : events) {
    try {
      if (in_host_call()) help(*event);
      while (wanted && !event->wait_for(kInterruptionInterval)) {
        try {
          check_wanted();
        } catch (...) {
          wanted = false;
          error = std::current_exception();
        }
      }
      if (wanted) event->wait();
    } catch (...) {
      if (!error) error = std::current_exception();
    }
    if (wanted) continue;
    if (Ref<Work> work = event->work()) work->interrupt();
  }
  if (!all_done) relock();
  return error;
}

}  // namespace ftrans
