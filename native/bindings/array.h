#pragma once

#include <nanobind/nanobind.h>

#include <string>
#include <vector>

#include "core/value.h"

namespace nb = nanobind;

namespace ftrans::bindings {

/// The Python type `Array`: a handle that stands for a value, or for a variable of a trace.
struct Array {
  Ref<Value> value;           ///< null when traced
  PyObject* trace = nullptr;  ///< the rest: owned references, null when concrete
  PyObject* variable = nullptr;
  PyObject* linked = nullptr;  ///< null or an Array one level down
  PyObject* aval = nullptr;

  Array() = default;
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  ~Array() { clear_trace(); }

  bool is_traced() const { return trace != nullptr; }
  void clear_trace() {
    Py_CLEAR(trace);
    Py_CLEAR(variable);
    Py_CLEAR(linked);
    Py_CLEAR(aval);
  }
};

/// The Python type objects, set when the module is initialised; they live as long as the process.
extern PyTypeObject* array_type;
extern PyTypeObject* dtype_type;

inline bool is_array(PyObject* object) { return Py_TYPE(object) == array_type; }
inline Array& array_of(PyObject* object) { return *nb::inst_ptr<Array>(object); }

/// A new handle.
PyObject* new_array(Ref<Value> value);

/// A handle to a variable of a trace; `linked`, the array one level down, may be null.
PyObject* new_tracer(PyObject* trace, PyObject* variable, PyObject* aval, PyObject* linked);

/// The value behind a handle, following links of linked traces. For an abstract tracer the concretization
/// hook gives it, or raises; `what` names what the value is needed for.
Ref<Value> concrete_value(PyObject* array, const char* what);

/// The same, evaluated.
Ref<Value> ready_value(PyObject* array, const char* what);

/// Evaluates a value, and gives an immediate its memory.
void make_ready(const Ref<Value>& value);

/// Evaluates with the interpreter lock released meanwhile.
void evaluate(const std::vector<Ref<Value>>& roots, bool blocking);

/// Tells, to Python's logger, which operations of a GPU's stream have turned out to run on the processor.
void tell_placement();

/// The stream that operations of this thread run on.
Stream* current_stream();

/// The stream set for this thread, as Python sees it: None for the default.
nb::object stream_object();

/// Sets the stream (or device) of this thread's operations; None for the default.
void set_stream(nb::handle stream);

/// (code object, offset of the last instruction) of the innermost frame outside of the package, or None: a
/// new reference, or null with a Python error.
PyObject* user_source();

/// Makes `source` what user_source gives in this thread (None: the frame again); returns what was set before,
/// a new reference.
PyObject* set_source(PyObject* source);

/// Whether derivative rules of this thread let a zero annihilate infinities and NaN.
bool nan_safe_derivatives();

/// The interned ShapedArray of a handle (borrowed reference).
PyObject* aval_of(const Array& array);

/// Dtype and shape of an interned ShapedArray, and whether it is weakly typed.
struct AvalInfo {
  Dtype dtype;
  bool weak_type;
  Dims shape;
};
const AvalInfo& aval_info(PyObject* aval);

PyObject* dtype_object(Dtype dtype);  ///< borrowed
Dtype dtype_from_object(PyObject* object);
Dims dims_from_sequence(PyObject* sequence);
PyObject* tuple_from_dims(const Dims& dims);

/// A NumPy array that looks at the memory of a Ready value, which it keeps alive.
nb::object numpy_view(const Ref<Value>& value, bool writable);

/// "array([1, 2], dtype=int32)"
std::string format_array(const Value& value);

/// The lazy result, or null (without a Python error) where the general path in Python must be taken.
PyObject* fast_unary(Opcode opcode, PyObject* operand);
PyObject* fast_binary(Opcode opcode, PyObject* left, PyObject* right);

/// Whether the fast paths past the Python rules and traces may be taken, on this thread.
extern thread_local bool fast_paths;

/// Runs pending work that has grown too long; returns the array.
PyObject* finish_operation(Ref<Value> value);

void bind_dtype(nb::module_& module);
void bind_array(nb::module_& module);
void bind_operations(nb::module_& module);
void bind_interpreting(nb::module_& module);
void bind_interop(nb::module_& module);
void bind_runtime(nb::module_& module);
void bind_program(nb::module_& module);
void bind_dispatch(nb::module_& module);
void bind_host_function(nb::module_& module);
void bind_metal(nb::module_& module);
void bind_primitive(nb::module_& module);
void bind_source(nb::module_& module);
void bind_tracebacks(nb::module_& module);
void bind_custom_kernel(nb::module_& module);

}  // namespace ftrans::bindings
