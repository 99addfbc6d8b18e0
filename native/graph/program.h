#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/backend.h"
#include "core/gpu.h"
#include "graph/graph.h"
#include "graph/host_function.h"

namespace ftrans {

class ScalarLoop;
class SubPrograms;

/// The largest array whose elements a loop may treat as numbers by themselves.
inline constexpr int64_t kMostScalars = 64;

/// A compiled graph: steps over slots, in an order in which they can run. Immutable; any number of runs may
/// be under way.
class Program : public RefCounted {
 public:
  /// An array of the program. Its memory belongs to a run, but for constants.
  struct Slot {
    Dtype dtype;
    Dims shape;
    Dims strides;  ///< row-major
    int64_t nbytes;
    Ref<Buffer> constant;  ///< one element, read with strides of 0
    bool shared = false;   ///< used on several streams: lives until the run ends
    bool kept = false;     ///< an input that no step releases: it serves several runs
  };

  struct Step {
    enum class Kind : uint8_t { Fused, Kernel, View, Alias, Call, Host, Control };
    Kind kind;
    Opcode opcode{};
    Stream* stream = nullptr;
    std::vector<int32_t> inputs;    ///< slots
    std::vector<int32_t> outputs;   ///< slots
    std::vector<int32_t> releases;  ///< slots that nothing reads after this step
    std::vector<int32_t> waits;     ///< steps on other streams that come first
    bool signals = false;           ///< a step on another stream waits for this one
    Dims space;                     ///< iteration space of a Fused step
    int64_t operations = 0;         ///< of a Fused step, on each element of the space
    Dims parameters;                ///< of a Kernel or View step
    std::vector<bool>
        full_output;  ///< of a Fused step: the output covers the space, so it may reuse an input's memory
    std::shared_ptr<const GpuKernel> gpu;  ///< of a Fused or Kernel step that runs on a GPU
    std::shared_ptr<const CompiledKernel> fused;
    std::shared_ptr<const FusedKernel> scalar;  ///< of a Fused step over at most kMostScalars elements
    cpu::StepKernel kernel = nullptr;
    Ref<Program> callee;
    Ref<HostFunction> host;
    Ref<SubPrograms> inner;  ///< of a Control step
    std::string text;        ///< for as_text
  };

  std::vector<Slot> slots;
  std::vector<Step> steps;
  std::vector<int32_t> inputs;   ///< slots
  std::vector<int32_t> outputs;  ///< slots; an input or a constant may be one
  std::vector<Stream*> streams;  ///< that have steps
  Stream* gpu_stream = nullptr;  ///< one of a GPU that it has steps on, or a program inside of it; else null
  bool has_control_flow = false;
  bool calls_host = false;    ///< a step of it, or of a callee, is a Host step
  bool holds_arrays = false;  ///< a program inside of it closed over arrays
  std::vector<char> donated;  ///< per input, from the first: the caller gives up its memory

  bool is_donated(size_t input) const { return input < donated.size() && donated[input]; }

  /// The program as the body of a loop over few numbers (see graph/loop_body.h), made when it is first asked
  /// for; null if it is none.
  std::shared_ptr<const ScalarLoop> scalar_loop(int carry_begin, int carry_count) const;

  std::string to_string() const;

 private:
  mutable std::mutex loops_mutex_;
  mutable std::map<std::pair<int, int>, std::shared_ptr<const ScalarLoop>> loops_;  ///< by place of the carry
};

/// A program that a control-flow step runs, with the arrays that it closed over, which follow its inputs.
struct SubProgram {
  Ref<Program> program;
  std::vector<Ref<Value>> captured;
};

/// The payload of a control-flow operation.
class SubPrograms : public RefCounted {
 public:
  explicit SubPrograms(std::vector<SubProgram> programs) : programs(std::move(programs)) {}
  const std::vector<SubProgram> programs;

  /// The first that one of the programs has; else null.
  Stream* gpu_stream() const {
    for (const SubProgram& each : programs) {
      if (each.program->gpu_stream) return each.program->gpu_stream;
    }
    return nullptr;
  }
};

/// Runs the passes over a graph and makes a program of it. `kept` inputs are not released by its steps, so
/// that they serve several runs.
Ref<Program> compile(Graph& graph, const std::vector<int32_t>& kept = {});

/// compile, or the program that an equal graph was compiled to before.
Ref<Program> compile_cached(Graph& graph);

/// What a run of a program does, before it is run.
struct Cost {
  int64_t flops = 0;           ///< operations on elements; two for each term of a sum of products
  int64_t bytes_accessed = 0;  ///< of the operands and results of all steps but views
  int64_t steps = 0;
};
Cost estimate_cost(const Program& program);

/// What a run of a program needs, in bytes of allocator blocks.
struct MemoryNeed {
  int64_t inputs = 0;
  int64_t outputs = 0;  ///< in blocks of their own
  int64_t constants = 0;
  int64_t temporaries = 0;  ///< the most at one time in blocks that are neither inputs nor outputs
  int64_t peak = 0;         ///< the most at one time, with inputs and constants
};
MemoryNeed plan_need(const Program& program);

}  // namespace ftrans
