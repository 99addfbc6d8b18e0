#include "graph/host_function.h"

#include <nanobind/stl/string.h>

#include "bindings/array.h"
#include "bindings/host_error.h"
#include "bindings/tracebacks.h"

namespace ftrans::bindings {
namespace {

/// Whether Python objects can still be touched from any thread. The streams are synchronised before the
/// interpreter ends (ftrans/runtime.py); this is for what is submitted after that.
bool interpreter_runs() {
#if PY_VERSION_HEX >= 0x030d0000
  return Py_IsInitialized() && !Py_IsFinalizing();
#else
  return Py_IsInitialized() && !_Py_IsFinalizing();
#endif
}

/// Gives a reference back from any thread, with or without the lock.
void release_reference(PyObject* object) {
  if (!object || !interpreter_runs()) return;
  nb::gil_scoped_acquire lock;
  Py_DECREF(object);
}

nb::object numpy_views(const std::vector<Ref<Value>>& values, bool writable) {
  nb::object views = nb::steal(PyList_New(static_cast<Py_ssize_t>(values.size())));
  if (!views.is_valid()) throw nb::python_error();
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i]->is_immediate) values[i]->materialize_immediate();
    PyList_SET_ITEM(views.ptr(), static_cast<Py_ssize_t>(i), numpy_view(values[i], writable).release().ptr());
  }
  return views;
}

/// A Python callable of two lists of NumPy arrays: inputs to read, and outputs to fill.
class PythonFunction : public HostFunction {
 public:
  PythonFunction(nb::object callable, std::string name)
      : callable_(callable.release().ptr()), name_(std::move(name)) {}
  ~PythonFunction() override { release_reference(callable_); }

  void call(const std::vector<Ref<Value>>& inputs, const std::vector<Ref<Value>>& outputs) const override {
    if (!interpreter_runs()) throw std::runtime_error(name_ + " can't be called: the interpreter has ended");
    nb::gil_scoped_acquire lock;
    try {
      nb::object reads = numpy_views(inputs, false), writes = numpy_views(outputs, true);
      nb::object result =
          nb::steal(PyObject_CallFunctionObjArgs(callable_, reads.ptr(), writes.ptr(), nullptr));
      if (!result.is_valid()) throw nb::python_error();
    } catch (nb::python_error& error) {
      error.restore();
      throw HostError();
    }
  }

  std::string name() const override { return name_; }

 private:
  PyObject* callable_;  ///< owned
  std::string name_;
};

/// The Python type `HostFunction`.
struct HostFunctionObject {
  Ref<HostFunction> function;
};

nb::list host_call(const HostFunctionObject& self, nb::handle arrays, nb::handle out_avals, bool symbolic) {
  std::vector<Ref<Value>> inputs, outputs;
  for (nb::handle array : arrays) {
    if (!is_array(array.ptr()) || array_of(array.ptr()).is_traced())
      throw nb::type_error("host_call: expected concrete Arrays");
    inputs.push_back(array_of(array.ptr()).value);
  }
  std::vector<Dtype> dtypes;
  std::vector<Dims> shapes;
  std::vector<bool> weak_types;
  for (nb::handle aval : out_avals) {
    const AvalInfo& type = aval_info(aval.ptr());
    dtypes.push_back(type.dtype);
    shapes.push_back(type.shape);
    weak_types.push_back(type.weak_type);
  }
  outputs.resize(dtypes.size());
  make_node(Opcode::HostCall, inputs.data(), static_cast<int>(inputs.size()), Dims{}, dtypes.data(),
            shapes.data(), static_cast<int>(dtypes.size()), current_stream(),
            Ref<RefCounted>(self.function.get()), outputs.data());
  for (size_t i = 0; i < outputs.size(); ++i) outputs[i]->weak_type = weak_types[i];
  if (symbolic && !outputs.empty()) outputs[0]->node->symbolic = true;
  if (!outputs.empty() && should_flush(*outputs[0])) evaluate(outputs, true);
  nb::list result;
  for (Ref<Value>& output : outputs) result.append(nb::steal(new_array(std::move(output))));
  return result;
}

}  // namespace

HostError::HostError() {
  PyObject *type, *traceback;
  PyErr_Fetch(&type, &exception_, &traceback);
  PyErr_NormalizeException(&type, &exception_, &traceback);
  if (traceback) PyException_SetTraceback(exception_, traceback);
  Py_XDECREF(type);
  Py_XDECREF(traceback);
}

HostError::HostError(const HostError& other) noexcept : std::exception(other), exception_(other.exception_) {
  nb::gil_scoped_acquire lock;
  Py_INCREF(exception_);
}

HostError::~HostError() { release_reference(exception_); }

void HostError::restore() const {
  PyErr_Restore(Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(exception_))), Py_NewRef(exception_),
                traceback_of(exception_).release().ptr());
}

void bind_host_function(nb::module_& module) {
  nb::class_<HostFunctionObject>(
      module, "HostFunction",
      "A function of two lists of NumPy arrays, inputs to read and outputs to fill, "
      "that a step can call.")
      .def(
          "__init__",
          [](HostFunctionObject* self, nb::object callable, std::string name) {
            new (self) HostFunctionObject{
                Ref<HostFunction>(new PythonFunction(std::move(callable), std::move(name)))};
          },
          nb::arg("callable"), nb::arg("name"));
  module.def(
      "host_call", &host_call, nb::arg("function"), nb::arg("arrays"), nb::arg("out_avals"),
      nb::arg("symbolic") = false,
      "Adds a node that calls a HostFunction; the list of its results. With `symbolic` it belongs to the "
      "program that is being compiled, whatever its operands are.");
}

}  // namespace ftrans::bindings
