#pragma once

#include "cpu/fused_layout.h"
#include "cpu/fused_plan.h"

namespace ftrans::cpu {

/// Work, in element-additions, below which no other thread is woken.
inline constexpr int64_t kSerialCost = 64 * 1024;

/// Runs a plan that has reductions (and perhaps stores). How the sums are split depends on the sizes alone, so the
/// results do not depend on the number of threads.
void run_reductions(const Plan& plan, const Layout& layout, const void* const* inputs, void* const* outputs);

}  // namespace ftrans::cpu
