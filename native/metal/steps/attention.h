#pragma once

#include <memory>

#include "kernel/attention_kernel.h"
#include "metal/queue.h"

namespace ftrans::metal {

/// Attention by kernels/attention.metal. Throws std::invalid_argument for scores that Metal cannot compute.
std::shared_ptr<const GpuKernel> attention_step(Pipelines& pipelines, const AttentionKernel& kernel);

}  // namespace ftrans::metal
