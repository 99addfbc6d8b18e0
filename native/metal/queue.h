#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/gpu.h"
#include "metal/hazards.h"
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

  void record(const GpuKernel& kernel, const GpuArguments& arguments) override;
  void wait_for(Fence& fence) override;
  Ref<Fence> submit(Done done) override;
  void synchronize() override;

 private:
  struct Batch;
  class QueueFence;

  Batch& open();
  void commit(Done done, bool goes_on);
  void wait_for_room();
  void settle(Batch& batch);
  void end(Batch& batch);

  Pipelines& pipelines_;
  std::mutex mutex_;  ///< of what is recorded
  Ref<Queue> queue_;
  Ref<SharedEvent> event_;  ///< its value: how many batches are done
  std::unique_ptr<Batch> batch_;
  Ref<QueueFence> last_;  ///< of the last batch that was committed
  Hazards hazards_;
  uint64_t committed_ = 0;
  bool goes_on_ = false;  ///< the last batch was committed because it was full: `submit` tells its errors

  std::mutex end_mutex_;  ///< of what has ended
  std::condition_variable ended_;
  uint64_t done_ = 0;
  std::exception_ptr carried_error_;  ///< of batches that were committed because they were full
};

}  // namespace ftrans::metal
