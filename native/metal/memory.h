#pragma once

#include "core/gpu.h"
#include "metal/fused_kernel.h"

namespace ftrans::metal {

/// Where an array lies for the device, which maps the pages around it at their first use; borrowed memory
/// that does not begin on a page is copied then. Throws MemoryLimitError if the device can't map it. Any
/// thread.
Place place_of(Device& device, const GpuOperand& operand);

}  // namespace ftrans::metal
