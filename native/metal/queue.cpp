#include "metal/queue.h"

#include <algorithm>
#include <new>
#include <stdexcept>
#include <unordered_set>

#include "core/error.h"
#include "core/interruption.h"
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

/// A command buffer with what it needs until it is done.
struct MetalQueue::Batch {
  Recording recording;
  std::vector<std::string> names;  ///< of its steps
  int64_t bytes = 0;               ///< of their outputs
  std::unordered_set<Buffer*> held;
  Ref<EventFence> fence;                 ///< its own end
  std::vector<Ref<EventFence>> earlier;  ///< work behind which it ends
  std::unique_ptr<Gate> gate;            ///< of its last step; null if nothing decides on that
  std::exception_ptr error;

  void hold(const GpuOperand* operands, int count) {
    for (int i = 0; i < count; ++i) {
      if (held.insert(operands[i].buffer).second) operands[i].buffer->hold();
    }
  }

  void release() {
    for (Buffer* each : held) each->drop_hold();
    held.clear();
  }

  /// Each operation once, in the order of their first steps.
  std::string description() const {
    std::string text;
    for (auto name = names.begin(); name != names.end(); ++name) {
      if (std::find(names.begin(), name, *name) != name) continue;
      const auto times = std::count(name, names.end(), *name);
      text += (text.empty() ? "" : ", ") + *name;
      if (times > 1) text += " (" + std::to_string(times) + " times)";
    }
    return text.empty() ? "nothing" : text;
  }
};

/// What one run has recorded: fences of the batches that its steps are in, and of what it waits for.
class MetalQueue::Recorder : public GpuRecorder {
 public:
  explicit Recorder(MetalQueue& queue) : queue_(queue) {}
  ~Recorder() override {
    if (joined_.empty()) return;
    std::lock_guard lock(queue_.mutex_);
    hand_over();
  }

  void record(const GpuKernel& kernel, const GpuArguments& arguments) override {
    queue_.wait_for_room();
    std::lock_guard lock(queue_.mutex_);
    join();
    queue_.append(static_cast<const RecordedKernel&>(kernel), arguments, condition_.get());
  }

  void require(GpuCondition& condition, const GpuOperand& predicate) override {
    queue_.wait_for_room();
    std::lock_guard lock(queue_.mutex_);
    join();
    condition_ = Ref<DeviceCondition>(&static_cast<DeviceCondition&>(condition));
    const Place place = place_of(queue_.pipelines_.device(), predicate);
    queue_.batch_->hold(&predicate, 1);
    queue_.set_condition(condition_.get(), &place);
  }

  void require_nothing() override { condition_ = nullptr; }

  void wait_for(Fence& fence) override {
    const Ref<EventFence> awaited(&static_cast<EventFence&>(fence));
    if (awaited->has_succeeded()) return;
    std::lock_guard lock(queue_.mutex_);
    awaited_.push_back(awaited);
    if (awaited->event().get() == queue_.event_.get()) return;  // batches come one after the other
    join();
    queue_.batch_->recording.wait(*awaited->event(), awaited->value());
    queue_.batch_->earlier.push_back(awaited);
  }

  /// The first errors count, since later ones may come from them.
  Ref<Fence> submit(Done done) override {
    std::unique_lock lock(queue_.mutex_);
    hand_over();
    std::vector<Ref<EventFence>> parts;
    if (last_) parts.push_back(last_);
    parts.insert(parts.end(), awaited_.begin(), awaited_.end());
    parts.insert(parts.end(), joined_.begin(), joined_.end());
    const Ref<EventFence> end(new EventFence(queue_.event_, queue_.committed_));
    last_ = end;
    awaited_.clear();
    joined_.clear();
    lock.unlock();
    after_all(std::move(parts), [end, done = std::move(done)](std::exception_ptr error) {
      if (done) done(error);
      end->end(error);
    });
    return Ref<Fence>(end.get());
  }

  GpuQueue& queue() const override { return queue_; }

 private:
  /// Makes sure that there is a batch, and notes that this recorder has something in it.
  void join() {
    queue_.open();
    const Ref<EventFence>& fence = queue_.batch_->fence;
    if (!joined_.empty() && joined_.back().get() == fence.get()) return;
    std::erase_if(joined_, [](const Ref<EventFence>& each) { return each->has_succeeded(); });
    joined_.push_back(fence);
  }

  void hand_over() {
    if (queue_.batch_ && !joined_.empty() && joined_.back().get() == queue_.batch_->fence.get())
      queue_.commit();
  }

  MetalQueue& queue_;
  Ref<DeviceCondition> condition_;
  Ref<EventFence> last_;                           ///< of what was submitted
  std::vector<Ref<EventFence>> awaited_, joined_;  ///< since then
};

MetalQueue::MetalQueue(Pipelines& pipelines)
    : pipelines_(pipelines),
      queue_(pipelines.device()),
      event_(pipelines.device().new_event()),
      last_(new EventFence(event_, 0)) {
  last_->end(nullptr);
}

MetalQueue::~MetalQueue() {
  while (!synchronize_for(std::chrono::seconds(1))) {
  }
}

std::unique_ptr<GpuRecorder> MetalQueue::new_recorder() { return std::make_unique<Recorder>(*this); }

void MetalQueue::open() {
  if (batch_) return;
  batch_ = std::make_unique<Batch>();
  batch_->fence = Ref<EventFence>(new EventFence(event_, committed_ + 1));
}

/// Makes what is appended to the open batch depend on a condition, to which `predicate` is added; null: there
/// is none.
void MetalQueue::set_condition(DeviceCondition* condition, const Place* predicate) {
  Batch& batch = *batch_;
  batch.recording.set_gate(nullptr);
  batch.gate = nullptr;
  if (!condition) return;
  batch.gate =
      std::make_unique<Gate>(pipelines_, batch.recording, Ref<DeviceCondition>(condition), predicate);
  batch.recording.set_gate(batch.gate.get());
  hazards_.clear();
}

/// Adds a step to the open batch.
void MetalQueue::append(const RecordedKernel& kernel, const GpuArguments& arguments,
                        DeviceCondition* condition) {
  InlineVector<Place, 8> inputs, outputs;
  Batch& batch = *batch_;
  const DeviceCondition* current = batch.gate ? &batch.gate->condition() : nullptr;
  if (current != condition || (current && batch.gate->is_full())) set_condition(condition, nullptr);
  try {
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
    batch.names.push_back(kernel.name());
    Encoder encoder(pipelines_, batch.recording);
    kernel.encode(encoder, arguments, inputs.data(), outputs.data());
    for (int i = 0; i < arguments.output_count; ++i) {
      const GpuOperand& output = arguments.outputs[i];
      int64_t bytes = itemsize(output.dtype);
      for (int axis = 0; axis < output.ndim; ++axis) bytes *= output.shape[axis];
      batch.bytes += bytes;
    }
    const bool is_full = static_cast<int>(batch.names.size()) >= kMostSteps || batch.bytes >= kMostBytes;
    if (is_full) commit();
  } catch (const std::bad_alloc&) {
    throw MemoryLimitError(kernel.name() + ": Device(gpu, 0) has no memory for what lies between its parts");
  }
}

/// Hands the open batch over.
void MetalQueue::commit() {
  Batch& batch = *batch_.release();
  hazards_.clear();
  ++committed_;
  batch.earlier.push_back(std::exchange(last_, batch.fence));
  try {
    batch.recording.compile(pipelines_);
  } catch (const CompileError& error) {
    batch.error =
        std::make_exception_ptr(CompileError("Device(gpu, 0): a kernel does not compile; they are for " +
                                             batch.description() + "\n" + error.what()));
  } catch (...) {
    batch.error = std::current_exception();
  }
  counters().command_buffers.fetch_add(1, std::memory_order_relaxed);
  queue_.run([this, &batch](Queue& queue) { return play(batch, queue); },
             [this, &batch](const std::string& failure) {
               if (!failure.empty()) {
                 batch.error = std::make_exception_ptr(std::runtime_error(
                     "Device(gpu, 0): " + failure + "; the command buffer held " + batch.description()));
                 event_->signal(batch.fence->value());  // other queues don't wait for ever
               }
               after_all(std::move(batch.earlier), [this, &batch](std::exception_ptr) { end(batch); });
             });
}

/// Where the batch cannot be played, the command buffer only tells that its turn has come.
Ref<CommandBuffer> MetalQueue::play(Batch& batch, Queue& queue) {
  Ref<CommandBuffer> buffer = queue.command_buffer();
  try {
    if (!batch.error) batch.recording.play(*buffer);
  } catch (...) {
    batch.error = std::current_exception();
    buffer = queue.command_buffer();
  }
  buffer->signal(*event_, batch.fence->value());
  return buffer;
}

void MetalQueue::wait_for_room() {
  const auto is_room = [this] { return committed_ - done_ < kMostUnderWay; };
  std::unique_lock lock(end_mutex_);
  while (!ended_.wait_for(lock, kInterruptionInterval, is_room)) {
    lock.unlock();
    Interruption::poll_after_wait();
    lock.lock();
  }
}

/// On any thread, batch after batch.
void MetalQueue::end(Batch& ended) {
  std::unique_ptr<Batch> batch(&ended);
  batch->release();
  batch->fence->end(batch->error);
  batch.reset();
  std::lock_guard lock(end_mutex_);
  ++done_;
  ended_.notify_all();
}

bool MetalQueue::synchronize_for(std::chrono::milliseconds longest) {
  uint64_t awaited;
  {
    std::lock_guard lock(mutex_);
    if (batch_) commit();
    awaited = committed_;
  }
  std::unique_lock lock(end_mutex_);
  return ended_.wait_for(lock, longest, [&] { return done_ >= awaited; });
}

}  // namespace ftrans::metal
