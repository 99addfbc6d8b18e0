#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings/array.h"
#include "graph/passes.h"
#include "graph/program.h"

namespace ftrans::bindings {
namespace {

/// The Python type `Program`.
struct ProgramObject {
  Ref<Program> program;
  std::vector<Ref<Value>> captured;  ///< arrays that the compiled function closed over; they follow the inputs
  std::vector<bool> weak_types;
};

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

ProgramObject compile_program(nb::handle placeholders, nb::handle outputs) {
  const std::vector<Ref<Value>> inputs = concrete_values(placeholders, "compile");
  const std::vector<Ref<Value>> results = concrete_values(outputs, "compile");
  CapturedGraph captured = capture(inputs, results);
  ProgramObject object;
  for (size_t i = inputs.size(); i < captured.inputs.size(); ++i) object.captured.emplace_back(captured.inputs[i]);
  evaluate(object.captured, true);
  for (const Ref<Value>& result : results) object.weak_types.push_back(result->weak_type);
  nb::gil_scoped_release unlock;
  object.program = compile(captured.graph);
  return object;
}

nb::list call_program(const ProgramObject& self, nb::handle arrays) {
  const Program& program = *self.program;
  std::vector<Ref<Value>> inputs = concrete_values(arrays, "Program");
  inputs.insert(inputs.end(), self.captured.begin(), self.captured.end());
  if (inputs.size() != program.inputs.size()) {
    throw nb::type_error(("Program: expected " + std::to_string(program.inputs.size() - self.captured.size()) +
                          " arrays, got " + std::to_string(inputs.size() - self.captured.size())).c_str());
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Program::Slot& slot = program.slots[program.inputs[i]];
    if (slot.dtype != inputs[i]->dtype || !(slot.shape == inputs[i]->shape)) {
      throw nb::type_error(("Program: array " + std::to_string(i) + " has another dtype or shape than it was compiled for").c_str());
    }
  }
  const size_t count = program.outputs.size();
  std::vector<Dtype> dtypes;
  std::vector<Dims> shapes;
  for (int32_t output : program.outputs) {
    dtypes.push_back(program.slots[output].dtype);
    shapes.push_back(program.slots[output].shape);
  }
  std::vector<Ref<Value>> outputs(count);
  make_node(Opcode::CallProgram, inputs.data(), static_cast<int>(inputs.size()), Dims{}, dtypes.data(), shapes.data(),
            static_cast<int>(count), current_stream(), Ref<RefCounted>(self.program.get()), outputs.data());
  if (count && should_flush(*outputs[0])) evaluate(outputs, true);
  nb::list result;
  for (size_t i = 0; i < count; ++i) {
    outputs[i]->weak_type = self.weak_types[i];
    result.append(nb::steal(new_array(std::move(outputs[i]))));
  }
  return result;
}

}  // namespace

void bind_program(nb::module_& module) {
  nb::class_<ProgramObject>(module, "Program", "A compiled graph, called with a list of arrays.")
      .def("__call__", &call_program, nb::arg("arrays"))
      .def("as_text", [](const ProgramObject& self) { return self.program->to_string(); }, "The steps, one a line.")
      .def_prop_ro("step_count", [](const ProgramObject& self) { return self.program->steps.size(); });
  module.def("placeholder", &placeholder, nb::arg("aval"), "A symbolic input for compile.");
  module.def("compile", &compile_program, nb::arg("placeholders"), nb::arg("outputs"),
             "The program from placeholders to outputs. Other arrays that these depend on are evaluated and become part of it.");
}

}  // namespace ftrans::bindings
