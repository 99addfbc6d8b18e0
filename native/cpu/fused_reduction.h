#pragma once

#include "cpu/fused_layout.h"
#include "cpu/fused_plan.h"

namespace ftrans::cpu {

/// Runs a plan that has reductions (and perhaps stores). How the sums are split depends on the sizes alone,
/// so the results do not depend on the number of threads.
void run_reductions(const Plan& plan, const Layout& layout, const void* const* inputs, void* const* outputs);

}  // namespace ftrans::cpu
