#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings/array.h"
#include "bindings/program_object.h"
#include "graph/passes.h"

namespace ftrans::bindings {

std::vector<Ref<Value>> ProgramObject::call(std::vector<Ref<Value>> inputs) const {
  inputs.insert(inputs.end(), captured.begin(), captured.end());
  const int count = static_cast<int>(dtypes.size());
  std::vector<Ref<Value>> outputs(dtypes.size());
  make_node(Opcode::CallProgram, inputs.data(), static_cast<int>(inputs.size()), Dims{}, dtypes.data(),
            shapes.data(), count, current_stream(), Ref<RefCounted>(program.get()), outputs.data());
  for (int i = 0; i < count; ++i) outputs[i]->weak_type = weak_types[i];
  if (has_effects() || (count && should_flush(*outputs[0]))) evaluate(outputs, true);
  outputs.resize(result_count);
  return outputs;
}

namespace {

std::vector<Ref<Value>> concrete_values(nb::handle arrays, const char* function) {
  std::vector<Ref<Value>> values;
  for (nb::handle array : arrays) {
    if (!is_array(array.ptr()) || array_of(array.ptr()).is_traced()) {
      throw nb::type_error((std::string(function) + ": expected concrete Arrays").c_str());
    }
    values.push_back(array_of(array.ptr()).value);
  }
  return values;
}

nb::object placeholder(nb::handle aval) {
  const AvalInfo& type = aval_info(aval.ptr());
  Ref<Value> value(new Value(type.dtype, type.shape));
  value->weak_type = type.weak_type;
  value->state.store(Value::State::Placeholder, std::memory_order_relaxed);
  return nb::steal(new_array(std::move(value)));
}

ProgramObject compile_program(nb::handle placeholders, nb::handle outputs, const std::vector<int>& donated,
                              nb::handle effects, nb::handle kept) {
  const std::vector<Ref<Value>> inputs = concrete_values(placeholders, "compile");
  std::vector<Ref<Value>> results = concrete_values(outputs, "compile");
  ProgramObject object;
  object.result_count = static_cast<int>(results.size());
  for (Ref<Value>& effect : concrete_values(effects, "compile")) results.push_back(std::move(effect));
  CapturedGraph captured = capture(inputs, results);
  for (size_t i = inputs.size(); i < captured.inputs.size(); ++i)
    object.captured.emplace_back(captured.inputs[i]);
  evaluate(object.captured, true);
  for (const Ref<Value>& value : object.captured) value->materialize_immediate();
  for (const Ref<Value>& result : results) {
    object.weak_types.push_back(result->weak_type);
    object.dtypes.push_back(result->dtype);
    object.shapes.push_back(result->shape);
  }
  std::vector<char> donated_flags(donated.empty() ? 0 : inputs.size(), 0);
  for (int input : donated) donated_flags.at(static_cast<size_t>(input)) = 1;
  std::vector<int32_t> kept_inputs;
  if (!kept.is_none()) {
    for (nb::handle position : kept) {
      kept_inputs.push_back(nb::cast<int32_t>(position));
      if (kept_inputs.back() < 0 || kept_inputs.back() >= static_cast<int32_t>(inputs.size()))
        throw nb::index_error("compile: kept holds a position that no placeholder has");
    }
    for (size_t i = inputs.size(); i < captured.inputs.size(); ++i)
      kept_inputs.push_back(static_cast<int32_t>(i));
  }
  {
    nb::gil_scoped_release unlock;
    object.program = compile(captured.graph, kept_inputs);
  }
  object.program->donated = std::move(donated_flags);
  tell_placement();
  return object;
}

nb::list call_program(const ProgramObject& self, nb::handle arrays) {
  const Program& program = *self.program;
  std::vector<Ref<Value>> inputs = concrete_values(arrays, "Program");
  const size_t expected = program.inputs.size() - self.captured.size();
  if (inputs.size() != expected) {
    throw nb::type_error(
        ("Program: expected " + std::to_string(expected) + " arrays, got " + std::to_string(inputs.size()))
            .c_str());
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Program::Slot& slot = program.slots[program.inputs[i]];
    if (slot.dtype != inputs[i]->dtype || !(slot.shape == inputs[i]->shape)) {
      throw nb::type_error(
          ("Program: array " + std::to_string(i) + " has another dtype or shape than it was compiled for")
              .c_str());
    }
  }
  nb::list result;
  for (Ref<Value>& output : self.call(std::move(inputs)))
    result.append(nb::steal(new_array(std::move(output))));
  return result;
}

}  // namespace

namespace {

nb::dict cost_analysis(const ProgramObject& self) {
  const Cost cost = estimate_cost(*self.program);
  nb::dict result;
  result["flops"] = cost.flops;
  result["bytes accessed"] = cost.bytes_accessed;
  result["steps"] = cost.steps;
  return result;
}

nb::dict memory_analysis(const ProgramObject& self) {
  const MemoryNeed need = plan_need(*self.program);
  int64_t captured = 0;
  for (const Ref<Value>& value : self.captured)
    captured += static_cast<int64_t>(Allocator::block_size(static_cast<size_t>(value->nbytes())));
  nb::dict result;
  result["arguments"] = need.inputs - captured;
  result["outputs"] = need.outputs;
  result["constants"] = need.constants + captured;
  result["temporaries"] = need.temporaries;
  result["peak"] = need.peak;
  return result;
}

}  // namespace

void bind_program(nb::module_& module) {
  nb::class_<ProgramObject>(module, "Program", "A compiled graph, called with a list of arrays.")
      .def("__call__", &call_program, nb::arg("arrays"))
      .def(
          "as_text", [](const ProgramObject& self) { return self.program->to_string(); },
          "The steps, one a line.")
      .def("cost_analysis", &cost_analysis, "What a run does: flops, bytes accessed, steps.")
      .def("memory_analysis", &memory_analysis, "What a run needs, in bytes of allocator blocks.")
      .def_prop_ro("step_count", [](const ProgramObject& self) { return self.program->steps.size(); });
  module.def("placeholder", &placeholder, nb::arg("aval"), "A symbolic input for compile.");
  module.def(
      "compile", &compile_program, nb::arg("placeholders"), nb::arg("outputs"),
      nb::arg("donated") = std::vector<int>{}, nb::arg("effects") = nb::make_tuple(),
      nb::arg("kept") = nb::none(),
      "The program from placeholders to outputs, which computes the arrays `effects` too. Other arrays that "
      "these depend on are evaluated and become part of it. It may write over the memory of the donated "
      "inputs. A program for control flow tells the positions of the placeholders that keep their arrays "
      "from "
      "one run to the next.");
}

}  // namespace ftrans::bindings
