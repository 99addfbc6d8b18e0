#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/backend.h"
#include "graph/graph.h"

namespace ftrans {

class SubPrograms;

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
    enum class Kind : uint8_t { Fused, Kernel, View, Call, Control };
    Kind kind;
    Opcode opcode{};
    Stream* stream = nullptr;
    std::vector<int32_t> inputs;    ///< slots
    std::vector<int32_t> outputs;   ///< slots
    std::vector<int32_t> releases;  ///< slots that nothing reads after this step
    std::vector<int32_t> waits;     ///< steps on other streams that come first
    bool signals = false;           ///< a step on another stream waits for this one
    Dims space;                     ///< iteration space of a Fused step
    Dims parameters;                ///< of a Kernel or View step
    std::vector<bool>
        full_output;  ///< of a Fused step: the output covers the space, so it may reuse an input's memory
    std::shared_ptr<const CompiledKernel> fused;
    std::shared_ptr<const FusedKernel> scalar;  ///< of a Fused step over one element
    cpu::StepKernel kernel = nullptr;
    Ref<Program> callee;
    Ref<SubPrograms> inner;  ///< of a Control step
    std::string text;        ///< for as_text
  };

  std::vector<Slot> slots;
  std::vector<Step> steps;
  std::vector<int32_t> inputs;   ///< slots
  std::vector<int32_t> outputs;  ///< slots; an input or a constant may be one
  std::vector<Stream*> streams;  ///< that have steps
  bool has_control_flow = false;

  std::string to_string() const;
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
};

/// Runs the passes over a graph and makes a program of it. `kept` inputs are not released by its steps, so
/// that they serve several runs.
Ref<Program> compile(Graph& graph, const std::vector<int32_t>& kept = {});

/// compile, or the program that an equal graph was compiled to before.
Ref<Program> compile_cached(Graph& graph);

}  // namespace ftrans
