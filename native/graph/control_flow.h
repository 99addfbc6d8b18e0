#pragma once

#include <memory>
#include <vector>

#include "graph/run.h"

namespace ftrans {

/// What a control-flow step keeps from one execution to the next: runs of the programs inside of it. A step
/// in the body of a loop is executed once an iteration.
class ControlFlow {
 public:
  virtual ~ControlFlow() = default;

  /// Executes the step in the run that it belongs to.
  virtual void execute(Run& outer, const Program::Step& step) = 0;
};

/// For the operation of `step`: one of Scan, While, WhileVjp and Cond. What the programs inside have for a
/// GPU goes to `recorder`; null: nothing.
std::unique_ptr<ControlFlow> make_control_flow(const Program::Step& step, GpuRecorder* recorder);

/// For each stacked result of a Scan, the array to slice, counted among them, whose memory it may take over
/// if nobody else needs that: slice by slice, what is read is replaced. −1: none.
std::vector<int> stacked_in_place(const Program::Step& scan);

}  // namespace ftrans
