#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "core/gpu.h"
#include "metal/fence.h"
#include "metal/gate.h"
#include "metal/hazards.h"
#include "metal/lasting_queue.h"
#include "metal/step_kernel.h"

namespace ftrans::metal {

/// A step that can be recorded in a command buffer.
class RecordedKernel : public GpuKernel {
 public:
  /// `inputs` and `outputs` say where the operands of `arguments` lie. Reentrant.
  virtual void encode(Encoder& encoder, const GpuArguments& arguments, const Place* inputs,
                      const Place* outputs) const = 0;

  /// For messages.
  virtual const std::string& name() const = 0;
};

/// The work of a stream, in command buffers of a bounded number of steps and bytes.
class MetalQueue : public GpuQueue {
 public:
  explicit MetalQueue(Pipelines& pipelines);
  ~MetalQueue() override;

  std::unique_ptr<GpuRecorder> new_recorder() override;
  bool synchronize_for(std::chrono::milliseconds longest) override;

 private:
  struct Batch;
  class Recorder;

  void open();
  void append(const RecordedKernel& kernel, const GpuArguments& arguments, DeviceCondition* condition);
  void set_condition(DeviceCondition* condition, const Place* predicate);
  void commit();
  Ref<CommandBuffer> play(Batch& batch, Queue& queue);
  void wait_for_room();
  void end(Batch& batch);

  Pipelines& pipelines_;
  std::mutex mutex_;  ///< of what is recorded
  LastingQueue queue_;
  const Ref<SharedEvent> event_;  ///< its value: how many batches are done
  std::unique_ptr<Batch> batch_;
  Ref<EventFence> last_;  ///< of the last batch that was committed
  Hazards hazards_;
  std::atomic<uint64_t> committed_{0};

  std::mutex end_mutex_;  ///< of what has ended
  std::condition_variable ended_;
  uint64_t done_ = 0;
};

}  // namespace ftrans::metal
