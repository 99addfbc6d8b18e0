#pragma once

#include "graph/loop_body.h"

namespace ftrans {

/// Whether the iterations of a while loop can be recorded ahead of its predicate, to be done by the GPU as
/// long as that holds: the body has nothing but steps that the GPU can leave out, and there is little to
/// carry.
bool can_run_ahead(const Program& body, int carry_count);

/// Runs a body for which that is so, while its predicate, the result after the carry, holds; at the beginning
/// it does. The processor looks at the predicate after 1, 2, 4, … iterations.
void run_ahead(LoopBody& body, GpuRecorder& recorder);

}  // namespace ftrans
