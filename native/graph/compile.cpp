#include <algorithm>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "core/shape.h"
#include "graph/attention.h"
#include "graph/passes.h"
#include "graph/program.h"
#include "graph/rows.h"

namespace ftrans {
namespace {

/// Whether a function of the host language is called in a node, or in a program inside of it.
bool calls_host(const Graph::Node& node) {
  if (node.opcode == Opcode::HostCall) return true;
  if (node.opcode == Opcode::CallProgram) return static_cast<const Program*>(node.payload)->calls_host;
  if (info(node.opcode).category != OpcodeCategory::Control) return false;
  const auto& programs = static_cast<const SubPrograms*>(node.payload)->programs;
  return std::any_of(programs.begin(), programs.end(),
                     [](const SubProgram& inner) { return inner.program->calls_host; });
}

/// Whether arrays that a program closed over are part of a node, or of a program inside of it.
bool holds_arrays(const Graph::Node& node) {
  if (node.opcode == Opcode::CallProgram) return static_cast<const Program*>(node.payload)->holds_arrays;
  if (info(node.opcode).category != OpcodeCategory::Control) return false;
  const auto& programs = static_cast<const SubPrograms*>(node.payload)->programs;
  return std::any_of(programs.begin(), programs.end(), [](const SubProgram& inner) {
    return !inner.captured.empty() || inner.program->holds_arrays;
  });
}

class ProgramBuilder {
 public:
  ProgramBuilder(const Graph& graph, const std::vector<int32_t>& kept)
      : graph_(graph), kept_inputs_(kept), program_(new Program), slot_of_(graph.values.size(), -1) {}

  Ref<Program> build() {
    std::vector<Unit> units = fuse(graph_);
    find_needed(units);
    while (split_wide(units)) find_needed(units);
    for (int32_t input : graph_.inputs) program_->inputs.push_back(slot(input));
    for (int32_t input : kept_inputs_) program_->slots[program_->inputs[input]].kept = true;
    for (const Unit& unit : units) add_step(unit);
    for (int32_t output : graph_.outputs) program_->outputs.push_back(slot(output));
    plan_streams();
    plan_memory();
    return program_;
  }

 private:
  /// A value needs memory if it is read outside of its unit, or is an output.
  void find_needed(const std::vector<Unit>& units) {
    std::vector<int32_t> unit_of(graph_.nodes.size(), -1);
    for (size_t u = 0; u < units.size(); ++u) {
      for (int32_t node : units[u].nodes) unit_of[node] = static_cast<int32_t>(u);
    }
    needed_.assign(graph_.values.size(), 0);
    for (int32_t output : graph_.outputs) needed_[output] = 1;
    for (const Unit& unit : units) {
      for (int32_t i : unit.nodes) {
        const Graph::Node& node = graph_.nodes[i];
        for (int k = 0; k < node.input_count; ++k) {
          const int32_t value = graph_.node_inputs(node)[k];
          const int32_t producer = graph_.values[value].producer;
          if (producer >= 0 && unit_of[producer] != unit_of[i]) needed_[value] = 1;
        }
      }
    }
  }

  /// Halves the fused units that have more operands than the GPU can bind. Whether there were any.
  bool split_wide(std::vector<Unit>& units) const {
    std::vector<Unit> parts;
    for (Unit& unit : units) {
      const bool on_gpu = unit.fused && graph_.nodes[unit.nodes.front()].stream->queue();
      const size_t half = unit.nodes.size() / 2;
      if (on_gpu && half > 0 && operand_count(unit) > gpu()->most_operands()) {
        parts.push_back({{unit.nodes.begin(), unit.nodes.begin() + static_cast<ptrdiff_t>(half)}, true});
        parts.push_back({{unit.nodes.begin() + static_cast<ptrdiff_t>(half), unit.nodes.end()}, true});
      } else {
        parts.push_back(std::move(unit));
      }
    }
    const bool split = parts.size() > units.size();
    units = std::move(parts);
    return split;
  }

  int operand_count(const Unit& unit) const {
    const UnitKernel built = build_kernel(graph_, unit, needed_);
    return static_cast<int>(built.inputs.size() + built.outputs.size());
  }

  int32_t slot(int32_t value) {
    if (slot_of_[value] >= 0) return slot_of_[value];
    const Graph::Value& source = graph_.values[value];
    Program::Slot slot;
    slot.dtype = source.dtype;
    slot.shape = *source.shape;
    slot.strides = contiguous_strides(slot.shape);
    slot.nbytes = element_count(slot.shape) * itemsize(slot.dtype);
    if (source.is_constant) {
      slot.constant = Allocator::instance().allocate(itemsize(slot.dtype));
      std::memcpy(slot.constant->data(), source.constant.bytes, itemsize(slot.dtype));
      slot.strides = Dims(slot.shape.size(), 0);
    }
    program_->slots.push_back(std::move(slot));
    return slot_of_[value] = static_cast<int32_t>(program_->slots.size()) - 1;
  }

  void add_step(const Unit& unit) {
    if (unit.attention) return add_attention(unit);
    const Graph::Node& node = graph_.nodes[unit.nodes.front()];
    Program::Step step;
    step.stream = node.stream;
    step.opcode = node.opcode;
    const bool on_gpu = node.stream->queue();
    if (unit.fused) {
      make_fused(unit, step);
    } else {
      for (int i = 0; i < node.input_count; ++i) step.inputs.push_back(slot(graph_.node_inputs(node)[i]));
      for (int i = 0; i < node.output_count; ++i) step.outputs.push_back(slot(node.first_output + i));
      step.parameters = *node.parameters;
      program_->holds_arrays |= holds_arrays(node);
      if (info(node.opcode).category == OpcodeCategory::View) {
        step.kind = Program::Step::Kind::View;
      } else if (node.opcode == Opcode::OptimizationBarrier) {
        step.kind = Program::Step::Kind::Alias;
      } else if (node.opcode == Opcode::CallProgram) {
        step.kind = Program::Step::Kind::Call;
        step.callee = Ref<Program>(static_cast<Program*>(node.payload));
        program_->calls_host |= step.callee->calls_host;
      } else if (node.opcode == Opcode::HostCall) {
        step.kind = Program::Step::Kind::Host;
        step.host = Ref<HostFunction>(static_cast<HostFunction*>(node.payload));
        step.text = step.host->name();
        program_->calls_host = true;
      } else if (info(node.opcode).category == OpcodeCategory::Control) {
        step.kind = Program::Step::Kind::Control;
        step.inner = Ref<SubPrograms>(static_cast<SubPrograms*>(node.payload));
        program_->has_control_flow = true;
        program_->calls_host |= calls_host(node);
      } else {
        step.kind = Program::Step::Kind::Kernel;
        if (on_gpu) {
          step.gpu = gpu()->step(node.opcode, operand_dtype(graph_, node));
        } else {
          step.kernel = backend().step(node.opcode);
        }
      }
    }
    if (Stream* inner = inner_gpu_stream(step)) program_->gpu_stream = inner;
    if (step.gpu || (on_gpu && step.kind == Program::Step::Kind::View)) program_->gpu_stream = step.stream;
    program_->steps.push_back(std::move(step));
  }

  void make_fused(const Unit& unit, Program::Step& step) {
    UnitKernel built = build_kernel(graph_, unit, needed_);
    step.kind = Program::Step::Kind::Fused;
    step.space = *built.space;
    const bool on_gpu = step.stream->queue();
    if (on_gpu) {
      step.gpu = gpu()->fused(built.kernel);
    } else {
      step.fused = backend().compile(built.kernel);
    }
    step.text = ftrans::to_string(built.kernel);
    for (size_t i = 0; i < built.inputs.size(); ++i) {
      const int32_t own = slot(built.inputs[i]);
      step.inputs.push_back(built.of_row[i] ? broadcast_rows(own, unit, step.stream) : own);
    }
    for (int32_t value : built.outputs) step.outputs.push_back(slot(value));
    for (const KernelOutput& output : built.kernel.outputs) {
      step.full_output.push_back(!output.reduced);
      step.operations += output.reduced;
    }
    for (const Instruction& instruction : built.kernel.body)
      step.operations += instruction.kind == Instruction::Kind::Apply;
    if (element_count(step.space) <= kMostScalars && !on_gpu)
      step.scalar = std::make_shared<FusedKernel>(std::move(built.kernel));
  }

  void add_attention(const Unit& unit) {
    const AttentionParts& parts = *unit.attention;
    UnitKernel scores = build_scores(graph_, parts);
    AttentionKernel kernel = parts.kernel;
    Program::Step step;
    step.kind = Program::Step::Kind::Fused;
    step.stream = graph_.nodes[unit.nodes.front()].stream;
    step.space = *scores.space;
    step.text = "attention, of scores that are\n" + ftrans::to_string(scores.kernel);
    for (const int32_t value : {parts.queries, parts.keys, parts.values}) step.inputs.push_back(slot(value));
    for (size_t i = 0; i < scores.inputs.size(); ++i) {
      if (scores.inputs[i] == parts.product) {
        kernel.product = static_cast<int32_t>(i);
      } else {
        const int32_t own = slot(scores.inputs[i]);
        step.inputs.push_back(scores.of_row[i] ? broadcast_rows(own, parts.scores, step.stream) : own);
      }
    }
    step.outputs = {slot(parts.result)};
    step.full_output = {false};
    const auto width = [&](int32_t value, int64_t axis) {
      return (*graph_.values[value].shape)[static_cast<int>(axis)];
    };
    const Dims& result = *graph_.values[parts.result].shape;
    step.operations = 2 * (width(parts.queries, kernel.first[2]) + result[result.size() - 1]) +
                      static_cast<int64_t>(scores.kernel.body.size()) + 6;
    kernel.scores = std::move(scores.kernel);
    step.gpu = gpu()->attention(kernel);
    program_->gpu_stream = step.stream;
    program_->steps.push_back(std::move(step));
  }

  /// Adds views of an array with one element a row: a slot over the unit's space.
  int32_t broadcast_rows(int32_t from, const Unit& unit, Stream* stream) {
    Dims kept_axes;
    for (int axis = 0; axis < unit.row_space->size(); ++axis) {
      if (std::find(unit.row_axes->begin(), unit.row_axes->end(), axis) == unit.row_axes->end())
        kept_axes.push_back(axis);
    }
    const Dims kept = kept_shape(*unit.row_space, *unit.row_axes);
    if (!(program_->slots[from].shape == kept)) from = add_view(Opcode::Reshape, kept, from, kept, stream);
    return add_view(Opcode::BroadcastInDim, kept_axes, from, *unit.row_space, stream);
  }

  int32_t add_view(Opcode opcode, const Dims& parameters, int32_t from, const Dims& shape, Stream* stream) {
    Program::Slot slot;
    slot.dtype = program_->slots[from].dtype;
    slot.shape = shape;
    slot.strides = contiguous_strides(shape);
    slot.nbytes = element_count(shape) * itemsize(slot.dtype);
    program_->slots.push_back(std::move(slot));
    Program::Step step;
    step.kind = Program::Step::Kind::View;
    step.opcode = opcode;
    step.stream = stream;
    step.inputs = {from};
    step.outputs = {static_cast<int32_t>(program_->slots.size()) - 1};
    step.parameters = parameters;
    const int32_t output = step.outputs[0];
    program_->steps.push_back(std::move(step));
    return output;
  }

  static Stream* inner_gpu_stream(const Program::Step& step) {
    if (step.callee) return step.callee->gpu_stream;
    return step.inner ? step.inner->gpu_stream() : nullptr;
  }

  /// Events between steps of different streams.
  void plan_streams() {
    for (const Program::Step& step : program_->steps) {
      if (std::find(program_->streams.begin(), program_->streams.end(), step.stream) ==
          program_->streams.end()) {
        program_->streams.push_back(step.stream);
      }
    }
    if (program_->streams.size() < 2) return;
    std::vector<int32_t> writer(program_->slots.size(), -1);
    std::vector<Stream*> user(program_->slots.size(), nullptr);
    for (size_t i = 0; i < program_->steps.size(); ++i) {
      Program::Step& step = program_->steps[i];
      auto use = [&](int32_t slot) {
        if (user[slot] && user[slot] != step.stream) program_->slots[slot].shared = true;
        user[slot] = step.stream;
      };
      for (int32_t input : step.inputs) {
        use(input);
        if (writer[input] < 0 || program_->steps[writer[input]].stream == step.stream) continue;
        if (std::find(step.waits.begin(), step.waits.end(), writer[input]) != step.waits.end()) continue;
        step.waits.push_back(writer[input]);
        program_->steps[writer[input]].signals = true;
      }
      for (int32_t output : step.outputs) {
        use(output);
        writer[output] = static_cast<int32_t>(i);
      }
    }
  }

  /// Liveness: after which step each slot's memory can be used for something else.
  void plan_memory() {
    std::vector<char> kept(program_->slots.size(), 0);
    for (int32_t output : program_->outputs) kept[output] = 1;
    for (size_t slot = 0; slot < kept.size(); ++slot) {
      const Program::Slot& type = program_->slots[slot];
      if (type.shared || type.constant || type.kept) kept[slot] = 1;
    }
    for (size_t i = program_->steps.size(); i-- > 0;) {
      Program::Step& step = program_->steps[i];
      auto last_use = [&](int32_t slot) {
        if (kept[slot]) return;
        kept[slot] = 1;
        step.releases.push_back(slot);
      };
      for (int32_t output : step.outputs) last_use(output);
      for (int32_t input : step.inputs) last_use(input);
    }
  }

  const Graph& graph_;
  const std::vector<int32_t>& kept_inputs_;
  Ref<Program> program_;
  std::vector<int32_t> slot_of_;
  std::vector<char> needed_;
};

/// Bytes that are equal exactly for graphs that compile to the same program.
std::string graph_key(const Graph& graph) {
  std::string key;
  key.reserve(64 * graph.nodes.size() + 32 * graph.values.size());
  auto put = [&key](const auto& item) { key.append(reinterpret_cast<const char*>(&item), sizeof item); };
  auto put_dims = [&](const Dims& dims) {
    put(dims.size());
    key.append(reinterpret_cast<const char*>(dims.data()), sizeof(int64_t) * dims.size());
  };
  put(graph.values.size());
  for (const Graph::Value& value : graph.values) {
    put(value.dtype);
    put(value.producer);
    put(value.input);
    put(value.is_constant);
    if (value.is_constant) put(value.constant);
    put_dims(*value.shape);
  }
  put(graph.nodes.size());
  for (const Graph::Node& node : graph.nodes) {
    put(node.opcode);
    put(node.stream);
    put(node.input_count);
    for (int i = 0; i < node.input_count; ++i) put(graph.node_inputs(node)[i]);
    put(node.first_output);
    put(node.output_count);
    put(node.payload);
    put_dims(*node.parameters);
  }
  for (int32_t output : graph.outputs) put(output);
  return key;
}

class ProgramCache {
 public:
  static ProgramCache& instance() {
    static ProgramCache* cache = new ProgramCache;
    return *cache;
  }

  Ref<Program> find(const std::string& key) {
    std::lock_guard lock(mutex_);
    auto found = programs_.find(key);
    return found == programs_.end() ? nullptr : found->second;
  }

  void insert(std::string key, Ref<Program> program) {
    std::lock_guard lock(mutex_);
    if (programs_.size() >= kMostPrograms) programs_.clear();
    programs_.emplace(std::move(key), std::move(program));
  }

 private:
  static constexpr size_t kMostPrograms = 1024;
  std::mutex mutex_;
  std::unordered_map<std::string, Ref<Program>> programs_;
};

// Larger graphs are seldom seen twice, and their keys would fill the cache.
constexpr size_t kMostCachedNodes = 256;

/// A cached program would keep alive what the functions of its host calls refer to, and arrays that programs
/// inside of it closed over.
bool is_cacheable(const Graph& graph) {
  return graph.nodes.size() <= kMostCachedNodes &&
         std::none_of(graph.nodes.begin(), graph.nodes.end(),
                      [](const Graph::Node& node) { return calls_host(node) || holds_arrays(node); });
}

}  // namespace

Ref<Program> compile(Graph& graph, const std::vector<int32_t>& kept) {
  simplify(graph);
  eliminate_dead(graph);
  place(graph);
  lift_views(graph);
  return ProgramBuilder(graph, kept).build();
}

Ref<Program> compile_cached(Graph& graph) {
  if (!is_cacheable(graph)) return compile(graph);
  std::string key = graph_key(graph);
  ProgramCache& cache = ProgramCache::instance();
  if (Ref<Program> program = cache.find(key)) return program;
  Ref<Program> program = compile(graph);
  cache.insert(std::move(key), program);
  return program;
}

std::string Program::to_string() const {
  std::string text;
  auto put_slots = [&](const std::vector<int32_t>& list) {
    for (size_t i = 0; i < list.size(); ++i) {
      const Slot& slot = slots[list[i]];
      text += (i ? ", %" : "%") + std::to_string(list[i]) + ":" + name(slot.dtype) +
              ftrans::to_string(slot.shape);
    }
  };
  text += "program(";
  put_slots(inputs);
  text += ")\n";
  for (const Step& step : steps) {
    text += "  ";
    put_slots(step.outputs);
    text += " = ";
    text += step.kind == Step::Kind::Fused ? "fused" : info(step.opcode).name;
    if (!step.parameters.empty()) text += ftrans::to_string(step.parameters);
    text += " ";
    put_slots(step.inputs);
    text += "\n";
    for (size_t begin = 0; begin < step.text.size();) {
      const size_t end = std::min(step.text.find('\n', begin), step.text.size());
      text += "      " + step.text.substr(begin, end - begin) + "\n";
      begin = end + 1;
    }
  }
  text += "  return ";
  put_slots(outputs);
  return text + "\n";
}

}  // namespace ftrans
