#pragma once

#include "core/gpu.h"
#include "metal/api.h"
#include "metal/fused_kernel.h"
#include "metal/recording.h"

namespace ftrans::metal {

/// A condition on the device: whether all predicates so far have held, and how many did.
class DeviceCondition : public GpuCondition {
 public:
  /// Throws MemoryLimitError.
  explicit DeviceCondition(Device& device);

  int64_t count() const override { return static_cast<const uint32_t*>(state_->data())[1]; }
  Memory& state() const { return *state_; }

 private:
  Ref<Memory> state_;  ///< 32 bits each
};

/// Stands before dispatches that a condition decides on: a kernel tells the device their grids, or none of
/// them.
class Gate {
 public:
  /// Records the kernel, which first adds `predicate` to the condition; null: it does not. Throws
  /// MemoryLimitError.
  Gate(Pipelines& pipelines, Recording& recording, Ref<DeviceCondition> condition, const Place* predicate);

  /// Notes a grid; where the device finds it when the dispatch begins, or a grid without threadgroups.
  Place add(Size threadgroups);

  /// There may be no room for the dispatches of another step.
  bool is_full() const;

  const DeviceCondition& condition() const { return *condition_; }

 private:
  Ref<DeviceCondition> condition_;
  Ref<Memory> table_;  ///< the number of grids, the grids, and what becomes of them
};

}  // namespace ftrans::metal
