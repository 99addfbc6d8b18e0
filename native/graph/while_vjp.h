#pragma once

#include <memory>

#include "graph/control_flow.h"

namespace ftrans {

/// For the operation WhileVjp.
std::unique_ptr<ControlFlow> make_while_vjp(const Program::Step& step, GpuRecorder* recorder);

/// Of `count` units of a computation that is to be gone through from its end, how many to go ahead before the
/// next snapshot, with room for `snapshots` of them; no unit then runs oftener than need be. Griewank and
/// Walther, "Algorithm 799: revolve" (ACM TOMS 26, 2000), section 2.
int64_t units_before_snapshot(int64_t count, int snapshots);

}  // namespace ftrans
