#include "metal/queue.h"

#include <new>
#include <stdexcept>
#include <unordered_set>

#include "core/error.h"
#include "metal/counters.h"
#include "metal/memory.h"

namespace ftrans::metal {
namespace {

// What one command buffer holds at most, and how many may be under way: enough to keep the device busy while
// the next is recorded, not so much that memory waits long to be used again.
constexpr int kMostSteps = 64;
constexpr int64_t kMostBytes = int64_t{64} << 20;
constexpr uint64_t kMostUnderWay = 8;

}  // namespace

class MetalQueue::QueueFence : public Fence {
 public:
  QueueFence(Ref<SharedEvent> event, uint64_t value) : event_(std::move(event)), value_(value) {}

  void wait() override {
    std::unique_lock lock(mutex_);
    condition_.wait(lock, [this] { return ended_; });
    if (error_) std::rethrow_exception(error_);
  }

  void end(std::exception_ptr error) {
    std::vector<std::function<void()>> followers;
    {
      std::lock_guard lock(mutex_);
      ended_ = true;
      error_ = std::move(error);
      followers.swap(followers_);
    }
    condition_.notify_all();
    for (const auto& each : followers) each();
  }

  /// Calls `follower` when the work has ended, however it did.
  void then(std::function<void()> follower) {
    {
      std::lock_guard lock(mutex_);
      if (!ended_) return followers_.push_back(std::move(follower));
    }
    follower();
  }

  /// What went wrong with the work, as far as it has ended.
  std::exception_ptr error() {
    std::lock_guard lock(mutex_);
    return error_;
  }

  bool has_succeeded() {
    std::lock_guard lock(mutex_);
    return ended_ && !error_;
  }

  SharedEvent& event() const { return *event_; }
  uint64_t value() const { return value_; }

 private:
  const Ref<SharedEvent> event_;
  const uint64_t value_;
  std::mutex mutex_;
  std::condition_variable condition_;
  std::vector<std::function<void()>> followers_;
  bool ended_ = false;
  std::exception_ptr error_;
};

/// A command buffer with what it needs until it is done.
struct MetalQueue::Batch {
  Recording recording;
  std::vector<std::string> names;  ///< of its steps
  int64_t bytes = 0;               ///< of their outputs
  std::unordered_set<Buffer*> held;
  Ref<QueueFence> fence, before;         ///< its own end, and that of the batch before
  std::vector<Ref<QueueFence>> awaited;  ///< work whose errors are its own, too
  std::exception_ptr error;
  bool goes_on = false;  ///< what was recorded since the last `submit` ends in a later batch
  Done done;

  void hold(const GpuOperand* operands, int count) {
    for (int i = 0; i < count; ++i) {
      if (held.insert(operands[i].buffer).second) operands[i].buffer->hold();
    }
  }

  void release() {
    for (Buffer* each : held) each->drop_hold();
    held.clear();
  }

  std::string description() const {
    std::string text;
    for (size_t i = 0; i < names.size(); ++i) {
      size_t repeats = 1;
      while (i + repeats < names.size() && names[i + repeats] == names[i]) ++repeats;
      if (!text.empty()) text += ", ";
      text += names[i];
      if (repeats > 1) text += " (" + std::to_string(repeats) + " times)";
      i += repeats - 1;
    }
    return text.empty() ? "nothing" : text;
  }
};

MetalQueue::MetalQueue(Pipelines& pipelines)
    : pipelines_(pipelines),
      queue_(pipelines.device().new_queue()),
      event_(pipelines.device().new_event()),
      last_(new QueueFence(event_, 0)) {
  last_->end(nullptr);
}

MetalQueue::~MetalQueue() { synchronize(); }

MetalQueue::Batch& MetalQueue::open() {
  if (!batch_) {
    wait_for_room();
    batch_ = std::make_unique<Batch>();
  }
  return *batch_;
}

void MetalQueue::record(const GpuKernel& kernel, const GpuArguments& arguments) {
  const auto& recorded = static_cast<const RecordedKernel&>(kernel);
  InlineVector<Place, 8> inputs, outputs;
  std::lock_guard lock(mutex_);
  try {
    Batch& batch = open();
    for (int i = 0; i < arguments.input_count; ++i)
      inputs.push_back(place_of(pipelines_.device(), arguments.inputs[i]));
    for (int i = 0; i < arguments.output_count; ++i)
      outputs.push_back(place_of(pipelines_.device(), arguments.outputs[i]));
    batch.hold(arguments.inputs, arguments.input_count);
    batch.hold(arguments.outputs, arguments.output_count);
    if (hazards_.conflict_with(arguments)) {
      batch.recording.barrier();
      hazards_.clear();
    }
    hazards_.add(arguments);
    batch.names.push_back(recorded.name());
    Encoder encoder(pipelines_, batch.recording);
    recorded.encode(encoder, arguments, inputs.data(), outputs.data());
    for (int i = 0; i < arguments.output_count; ++i) {
      const GpuOperand& output = arguments.outputs[i];
      int64_t bytes = itemsize(output.dtype);
      for (int axis = 0; axis < output.ndim; ++axis) bytes *= output.shape[axis];
      batch.bytes += bytes;
    }
    const bool is_full = static_cast<int>(batch.names.size()) >= kMostSteps || batch.bytes >= kMostBytes;
    if (is_full) commit(nullptr, true);
  } catch (const std::bad_alloc&) {
    throw MemoryLimitError(recorded.name() +
                           ": Device(gpu, 0) has no memory for what lies between its parts");
  }
}

void MetalQueue::wait_for(Fence& fence) {
  const Ref<QueueFence> awaited(&static_cast<QueueFence&>(fence));
  if (awaited->has_succeeded()) return;
  std::lock_guard lock(mutex_);
  Batch& batch = open();
  const bool is_own = &awaited->event() == event_.get();  // whose batches come one after the other
  if (!is_own) batch.recording.wait(awaited->event(), awaited->value());
  batch.awaited.push_back(awaited);
}

Ref<Fence> MetalQueue::submit(Done done) {
  std::unique_lock lock(mutex_);
  const Ref<QueueFence> before = last_;
  if (batch_ || goes_on_) {
    open();
    commit(std::move(done), false);
    return Ref<Fence>(last_.get());
  }
  lock.unlock();
  // What went wrong before has been told to those who submitted it.
  const Ref<QueueFence> end(new QueueFence(event_, before->value()));
  before->then([end, done = std::move(done)] {
    if (done) done(nullptr);
    end->end(nullptr);
  });
  return Ref<Fence>(end.get());
}

/// Hands the batch over.
void MetalQueue::commit(Done done, bool goes_on) {
  Batch& batch = *batch_.release();
  hazards_.clear();
  ++committed_;
  batch.before = last_;
  batch.fence = last_ = Ref<QueueFence>(new QueueFence(event_, committed_));
  batch.done = std::move(done);
  batch.goes_on = goes_on_ = goes_on;
  Ref<CommandBuffer> buffer = queue_->command_buffer();
  try {
    batch.recording.compile(pipelines_);
    batch.recording.play(*buffer);
  } catch (...) {
    batch.error = std::current_exception();
    buffer = queue_->command_buffer();  // in its place, one that does nothing
  }
  buffer->signal(*event_, committed_);
  counters().command_buffers.fetch_add(1, std::memory_order_relaxed);
  buffer->commit([this, &batch](const std::string& failure) {
    if (!failure.empty()) {
      batch.error = std::make_exception_ptr(std::runtime_error(
          "Device(gpu, 0): " + failure + "; the command buffer held " + batch.description()));
      event_->signal(batch.fence->value());  // other queues don't wait for ever
    }
    batch.before->then([this, &batch] { settle(batch); });
  });
}

void MetalQueue::wait_for_room() {
  std::unique_lock lock(end_mutex_);
  ended_.wait(lock, [this] { return committed_ - done_ < kMostUnderWay; });
}

/// Ends a batch behind the work that it waited for, which the device has done: the first errors count, since
/// later ones may come from them.
void MetalQueue::settle(Batch& batch) {
  if (batch.awaited.empty()) return end(batch);
  const Ref<QueueFence> awaited = std::move(batch.awaited.back());
  batch.awaited.pop_back();
  awaited->then([this, &batch, fence = awaited.get()] {
    if (std::exception_ptr error = fence->error()) batch.error = std::move(error);
    settle(batch);
  });
}

/// On any thread, batch after batch.
void MetalQueue::end(Batch& ended) {
  std::unique_ptr<Batch> batch(&ended);
  std::exception_ptr error = batch->error;
  batch->release();
  {
    std::lock_guard lock(end_mutex_);
    if (carried_error_) error = std::exchange(carried_error_, nullptr);
    if (batch->goes_on) carried_error_ = error;
  }
  if (batch->done) batch->done(error);
  batch->fence->end(error);
  batch.reset();
  std::lock_guard lock(end_mutex_);
  ++done_;
  ended_.notify_all();
}

void MetalQueue::synchronize() {
  submit(nullptr);
  uint64_t awaited;
  {
    std::lock_guard lock(mutex_);
    awaited = committed_;
  }
  std::unique_lock lock(end_mutex_);
  ended_.wait(lock, [&] { return done_ >= awaited; });
}

}  // namespace ftrans::metal
