#include <atomic>
#include <mutex>
#include <set>

#include "core/gpu.h"
#include "graph/host_function.h"
#include "graph/passes.h"
#include "graph/program.h"

namespace ftrans {
namespace {

struct Notes {
  std::mutex mutex;
  std::set<std::string> known;
  std::vector<std::string> fresh;
  std::atomic<bool> any{false};
};

Notes& notes() {
  static Notes* notes = new Notes;
  return *notes;
}

void note(const std::string& operation) {
  Notes& all = notes();
  std::lock_guard lock(all.mutex);
  if (!all.known.insert(operation).second) return;
  all.fresh.push_back(operation + " has no GPU kernel: the CPU runs it, and the GPU waits where it must");
  all.any = true;
}

std::string describe(const Graph& graph, const Graph::Node& node) {
  if (node.opcode == Opcode::HostCall)
    return "the host function " + static_cast<const HostFunction*>(node.payload)->name();
  return std::string(info(node.opcode).name) + " of " + name(operand_dtype(graph, node));
}

/// Whether nothing of what a node computes needs the processor.
bool stays(const Graph& graph, const Graph::Node& node) {
  switch (info(node.opcode).category) {
    case OpcodeCategory::Control: return static_cast<const SubPrograms*>(node.payload)->gpu_stream();
    case OpcodeCategory::View: return gpu()->has_dtype(operand_dtype(graph, node));
    default: break;
  }
  if (node.opcode == Opcode::CallProgram) return static_cast<const Program*>(node.payload)->gpu_stream;
  if (node.opcode == Opcode::OptimizationBarrier) return true;
  if (node.opcode == Opcode::HostCall) return false;
  return gpu()->can_run(node.opcode, operand_dtype(graph, node), graph.values[node.first_output].dtype,
                        *node.parameters);
}

}  // namespace

Dtype operand_dtype(const Graph& graph, const Graph::Node& node) {
  if (node.input_count == 0) return graph.values[node.first_output].dtype;
  return graph.values[graph.node_inputs(node)[node.opcode == Opcode::Select ? 1 : 0]].dtype;
}

void place(Graph& graph) {
  for (Graph::Node& node : graph.nodes) {
    if (!node.live || !node.stream->queue() || stays(graph, node)) continue;
    node.stream = StreamRegistry::instance().default_stream({DeviceKind::Cpu, 0});
    const bool moves_programs =
        info(node.opcode).category == OpcodeCategory::Control || node.opcode == Opcode::CallProgram;
    if (!moves_programs) note(describe(graph, node));
  }
}

std::vector<std::string> take_placement_notes() {
  Notes& all = notes();
  if (!all.any.load(std::memory_order_relaxed)) return {};
  std::lock_guard lock(all.mutex);
  all.any = false;
  return std::move(all.fresh);
}

}  // namespace ftrans
