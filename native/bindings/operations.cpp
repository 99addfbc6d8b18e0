#include <Python.h>

#include <structmember.h>

#include <cstring>
#include <memory>

#include "bindings/array.h"
#include "bindings/error.h"
#include "bindings/program_object.h"
#include "bindings/tracebacks.h"
#include "core/shape.h"
#include "graph/program.h"

namespace ftrans::bindings {

thread_local bool fast_paths = true;

namespace {

// Result dtypes of elementwise operations on operands of one dtype, as far as they have been asked for.
constexpr uint8_t kAskPython = 255;
constexpr uint8_t kUnknown = 254;
uint8_t fast_results[kOpcodeCount][kDtypeCount];
PyObject* fast_result_rule = nullptr;  // (name, dtype) → dtype or None

/// The memo of the rule in Python; false where the general path must be taken.
bool fast_result(Opcode opcode, Dtype operand, Dtype& result) {
  uint8_t& known = fast_results[static_cast<int>(opcode)][static_cast<int>(operand)];
  if (known == kUnknown) {
    if (!fast_result_rule) return false;
    nb::object answer =
        nb::steal(PyObject_CallFunction(fast_result_rule, "sO", info(opcode).name, dtype_object(operand)));
    if (!answer.is_valid()) throw nb::python_error();
    known = answer.is_none() ? kAskPython : static_cast<uint8_t>(dtype_from_object(answer.ptr()));
  }
  result = static_cast<Dtype>(known);
  return known != kAskPython;
}

}  // namespace

PyObject* finish_operation(Ref<Value> value) {
  if (should_flush(*value)) evaluate({value}, true);
  return new_array(std::move(value));
}

PyObject* fast_unary(Opcode opcode, PyObject* operand) {
  if (!fast_paths || !is_array(operand)) return nullptr;
  const Array& array = array_of(operand);
  if (array.is_traced()) return nullptr;
  Dtype dtype;
  if (!fast_result(opcode, array.value->dtype, dtype)) return nullptr;
  Ref<Value> value = make_node(opcode, &array.value, 1, Dims{}, dtype, array.value->shape, current_stream());
  value->weak_type = array.value->weak_type && dtype != Dtype::Bool;
  return finish_operation(std::move(value));
}

namespace {

/// A Python number as a constant of the other operand's dtype, where it is weaker; null where Python must
/// decide.
Ref<Value> scalar_like(PyObject* number, const Value& other) {
  const char other_kind = kind(other.dtype);
  if (PyFloat_CheckExact(number)) {
    if (other_kind != 'f') return nullptr;
    return Value::scalar(other.dtype, scalar_from_double(other.dtype, PyFloat_AS_DOUBLE(number)), false);
  }
  if (!PyLong_CheckExact(number)) return nullptr;
  int overflow = 0;
  const long long integer = PyLong_AsLongLongAndOverflow(number, &overflow);
  if (overflow) return nullptr;
  if (other_kind == 'f') {
    constexpr long long kExact = 1LL << 53;
    if (integer > kExact || integer < -kExact) return nullptr;
    return Value::scalar(other.dtype, scalar_from_double(other.dtype, static_cast<double>(integer)), false);
  }
  if (other_kind != 'i' && other_kind != 'u') return nullptr;
  const int bits = static_cast<int>(itemsize(other.dtype)) * 8;
  if (other_kind == 'u') {
    if (integer < 0 || (bits < 64 && integer >> bits != 0)) return nullptr;
  } else if (bits < 64 && (integer >= 1LL << (bits - 1) || integer < -(1LL << (bits - 1)))) {
    return nullptr;
  }
  return Value::scalar(other.dtype, scalar_from_int64(other.dtype, integer), false);
}

Ref<Value> broadcast(const Ref<Value>& value, const Dims& shape, Stream* stream) {
  if (value->shape == shape || value->shape.empty()) return value;
  Dims axes(value->shape.size());
  for (int i = 0; i < axes.size(); ++i) axes[i] = shape.size() - axes.size() + i;
  return make_node(Opcode::BroadcastInDim, &value, 1, axes, value->dtype, shape, stream);
}

}  // namespace

PyObject* fast_binary(Opcode opcode, PyObject* left, PyObject* right) {
  if (!fast_paths) return nullptr;
  Ref<Value> operands[2];
  const bool left_is_array = is_array(left), right_is_array = is_array(right);
  if (left_is_array) {
    if (array_of(left).is_traced()) return nullptr;
    operands[0] = array_of(left).value;
  }
  if (right_is_array) {
    if (array_of(right).is_traced()) return nullptr;
    operands[1] = array_of(right).value;
  }
  bool weak_type = false;
  if (left_is_array && right_is_array) {
    weak_type = operands[0]->weak_type && operands[1]->weak_type;
  } else if (left_is_array) {
    operands[1] = scalar_like(right, *operands[0]);
    weak_type = operands[0]->weak_type;
  } else if (right_is_array) {
    operands[0] = scalar_like(left, *operands[1]);
    weak_type = operands[1]->weak_type;
  }
  if (!operands[0] || !operands[1] || operands[0]->dtype != operands[1]->dtype) return nullptr;
  Dtype dtype;
  if (!fast_result(opcode, operands[0]->dtype, dtype)) return nullptr;
  Stream* stream = current_stream();
  Dims shape;
  if (operands[0]->shape == operands[1]->shape || operands[1]->shape.empty()) {
    shape = operands[0]->shape;
  } else if (operands[0]->shape.empty()) {
    shape = operands[1]->shape;
  } else {
    if (!broadcast_shapes(operands[0]->shape, operands[1]->shape, shape)) return nullptr;
    operands[0] = broadcast(operands[0], shape, stream);
    operands[1] = broadcast(operands[1], shape, stream);
  }
  Ref<Value> value = make_node(opcode, operands, 2, Dims{}, dtype, shape, stream);
  value->weak_type = weak_type && dtype != Dtype::Bool;
  return finish_operation(std::move(value));
}

namespace {

Opcode opcode_from_name(const char* text) {
  for (int i = 0; i < kOpcodeCount; ++i) {
    if (std::strcmp(kOpcodeTable[i].name, text) == 0) return static_cast<Opcode>(i);
  }
  throw nb::key_error(text);
}

/// A bound operation: what a primitive's abstract evaluation and lowering gave for one set of operand types.
/// Calling it with concrete arrays adds a node.
struct Operation {
  PyObject_HEAD vectorcallfunc vectorcall;
  Opcode opcode;
  bool multiple_results;
  Dims parameters;
  std::vector<Dtype> dtypes;
  std::vector<Dims> shapes;
  std::vector<bool> weak_types;
  std::vector<PyObject*> avals;  ///< interned: borrowed
  Ref<RefCounted> payload;
};

PyObject* operation_call(PyObject* self, PyObject* const* arguments, size_t flags, PyObject*) {
  return guarded(static_cast<PyObject*>(nullptr), [&]() -> PyObject* {
    const Operation& operation = *reinterpret_cast<Operation*>(self);
    const int count = static_cast<int>(PyVectorcall_NARGS(flags));
    Ref<Value> few[4];
    std::vector<Ref<Value>> many;
    Ref<Value>* inputs = few;
    if (count > 4) {
      many.resize(count);
      inputs = many.data();
    }
    for (int i = 0; i < count; ++i) {
      if (!is_array(arguments[i]) || array_of(arguments[i]).is_traced()) {
        throw nb::type_error((std::string(info(operation.opcode).name) + ": operand " + std::to_string(i) +
                              " is not a concrete Array")
                                 .c_str());
      }
      inputs[i] = array_of(arguments[i]).value;
    }
    Stream* stream = current_stream();
    if (!operation.multiple_results) {
      Ref<Value> value = make_node(operation.opcode, inputs, count, operation.parameters, operation.dtypes[0],
                                   operation.shapes[0], stream);
      value->weak_type = operation.weak_types[0];
      value->aval = operation.avals[0];
      return finish_operation(std::move(value));
    }
    const int output_count = static_cast<int>(operation.dtypes.size());
    std::vector<Ref<Value>> outputs(output_count);
    make_node(operation.opcode, inputs, count, operation.parameters, operation.dtypes.data(),
              operation.shapes.data(), output_count, stream, operation.payload, outputs.data());
    if (output_count && should_flush(*outputs[0])) evaluate(outputs, true);
    nb::object list = nb::steal(PyList_New(output_count));
    for (int i = 0; i < output_count; ++i) {
      outputs[i]->weak_type = operation.weak_types[i];
      outputs[i]->aval = operation.avals[i];
      PyList_SET_ITEM(list.ptr(), i, new_array(std::move(outputs[i])));
    }
    return list.release().ptr();
  });
}

PyTypeObject* operation_type = nullptr;

void operation_free(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  std::destroy_at(reinterpret_cast<Operation*>(self));
  type->tp_free(self);
  Py_DECREF(type);
}

PyMemberDef operation_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Operation, vectorcall), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};
PyType_Slot operation_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(operation_free)},
    {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
    {Py_tp_members, operation_members},
    {0, nullptr},
};
PyType_Spec operation_spec = {
    "ftrans._native.Operation", sizeof(Operation), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION, operation_slots};

nb::object make_operation(nb::handle opcode, nb::handle parameters, nb::handle avals, bool multiple_results,
                          nb::handle programs) {
  const Opcode code = static_cast<Opcode>(nb::cast<int>(opcode));
  Dims dims = dims_from_sequence(parameters.ptr());
  PyObject* memory = operation_type->tp_alloc(operation_type, 0);
  if (!memory) throw nb::python_error();
  Operation& operation = *reinterpret_cast<Operation*>(memory);
  operation.vectorcall = operation_call;
  operation.opcode = code;
  operation.multiple_results = multiple_results;
  std::construct_at(&operation.parameters, std::move(dims));
  std::construct_at(&operation.dtypes);
  std::construct_at(&operation.shapes);
  std::construct_at(&operation.weak_types);
  std::construct_at(&operation.avals);
  std::construct_at(&operation.payload);
  nb::object result = nb::steal(memory);
  for (nb::handle aval : avals) {
    const AvalInfo& type = aval_info(aval.ptr());
    operation.dtypes.push_back(type.dtype);
    operation.shapes.push_back(type.shape);
    operation.weak_types.push_back(type.weak_type);
    operation.avals.push_back(aval.ptr());
  }
  std::vector<SubProgram> inner;
  for (nb::handle program : programs) {
    const ProgramObject& object = nb::cast<const ProgramObject&>(program);
    inner.push_back({object.program, object.captured});
  }
  if (!inner.empty()) operation.payload = Ref<RefCounted>(new SubPrograms(std::move(inner)));
  return result;
}

/// A public elementwise function: the fast path for concrete arrays, the Python function for everything else.
struct ElementwiseFunction {
  PyObject_HEAD vectorcallfunc vectorcall;
  PyObject* fallback;
  Opcode opcode;
  int arity;
};

PyObject* elementwise_call(PyObject* self, PyObject* const* arguments, size_t flags, PyObject* keywords) {
  const ElementwiseFunction& function = *reinterpret_cast<ElementwiseFunction*>(self);
  if (PyVectorcall_NARGS(flags) == function.arity && !keywords) {
    PyObject* result = guarded(static_cast<PyObject*>(nullptr), [&] {
      return function.arity == 1 ? fast_unary(function.opcode, arguments[0])
                                 : fast_binary(function.opcode, arguments[0], arguments[1]);
    });
    if (result || PyErr_Occurred()) return result;
  }
  return for_user(PyObject_Vectorcall(function.fallback, arguments, flags, keywords));
}

PyObject* elementwise_attribute(PyObject* self, PyObject* name) {
  PyObject* found = PyObject_GenericGetAttr(self, name);
  if (found || !PyErr_ExceptionMatches(PyExc_AttributeError)) return found;
  PyErr_Clear();
  PyObject* fallback = reinterpret_cast<ElementwiseFunction*>(self)->fallback;
  if (PyUnicode_CompareWithASCIIString(name, "__wrapped__") == 0) return Py_NewRef(fallback);
  return PyObject_GetAttr(fallback, name);
}

PyObject* elementwise_doc(PyObject* self, void*) {
  return PyObject_GetAttrString(reinterpret_cast<ElementwiseFunction*>(self)->fallback, "__doc__");
}

PyObject* elementwise_module(PyObject* self, void*) {
  return PyObject_GetAttrString(reinterpret_cast<ElementwiseFunction*>(self)->fallback, "__module__");
}

PyObject* elementwise_repr(PyObject* self) {
  return PyObject_Repr(reinterpret_cast<ElementwiseFunction*>(self)->fallback);
}

/// Pickled by name, like any function of a module.
PyObject* elementwise_reduce(PyObject* self, PyObject*) {
  return PyObject_GetAttrString(reinterpret_cast<ElementwiseFunction*>(self)->fallback, "__qualname__");
}

int elementwise_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(reinterpret_cast<ElementwiseFunction*>(self)->fallback);
  return 0;
}

int elementwise_clear(PyObject* self) {
  Py_CLEAR(reinterpret_cast<ElementwiseFunction*>(self)->fallback);
  return 0;
}

void elementwise_free(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  elementwise_clear(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMemberDef elementwise_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(ElementwiseFunction, vectorcall), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};
PyGetSetDef elementwise_getset[] = {
    {"__doc__", elementwise_doc, nullptr, nullptr, nullptr},
    {"__module__", elementwise_module, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};
PyMethodDef elementwise_methods[] = {
    {"__reduce__", elementwise_reduce, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};
PyType_Slot elementwise_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(elementwise_free)},
    {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
    {Py_tp_getattro, reinterpret_cast<void*>(elementwise_attribute)},
    {Py_tp_repr, reinterpret_cast<void*>(elementwise_repr)},
    {Py_tp_traverse, reinterpret_cast<void*>(elementwise_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(elementwise_clear)},
    {Py_tp_members, elementwise_members},
    {Py_tp_getset, elementwise_getset},
    {Py_tp_methods, elementwise_methods},
    {0, nullptr},
};
PyType_Spec elementwise_spec = {
    "ftrans._native.ElementwiseFunction", sizeof(ElementwiseFunction), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    elementwise_slots};
PyTypeObject* elementwise_type = nullptr;

nb::object make_elementwise_function(const char* opcode, int arity, nb::object fallback) {
  const Opcode code = opcode_from_name(opcode);
  PyObject* memory = elementwise_type->tp_alloc(elementwise_type, 0);
  if (!memory) throw nb::python_error();
  ElementwiseFunction& function = *reinterpret_cast<ElementwiseFunction*>(memory);
  function.vectorcall = elementwise_call;
  function.fallback = fallback.release().ptr();
  function.opcode = code;
  function.arity = arity;
  return nb::steal(memory);
}

nb::object make_scalar(nb::handle number, nb::handle dtype_handle, bool weak_type) {
  const Dtype dtype = dtype_from_object(dtype_handle.ptr());
  ScalarStorage storage{};
  switch (kind(dtype)) {
    case 'c': {
      const Py_complex parts = PyComplex_AsCComplex(number.ptr());
      if (dtype == Dtype::Complex64) {
        storage = complex64_from({parts.real, parts.imag});
      } else {
        std::memcpy(storage.bytes, &parts, sizeof parts);
      }
      break;
    }
    case 'f': storage = scalar_from_double(dtype, PyFloat_AsDouble(number.ptr())); break;
    case 'b': storage.as_bool = PyObject_IsTrue(number.ptr()) != 0; break;
    default: {
      nb::object integer = nb::steal(PyNumber_Index(number.ptr()));
      if (!integer.is_valid()) throw nb::python_error();
      const bool is_unsigned = dtype == Dtype::UInt64;
      const int64_t bits = is_unsigned ? static_cast<int64_t>(PyLong_AsUnsignedLongLong(integer.ptr()))
                                       : PyLong_AsLongLong(integer.ptr());
      if (PyErr_Occurred()) throw nb::python_error();
      const int width = static_cast<int>(itemsize(dtype)) * 8;
      if (width < 64) {
        const int64_t lowest = kind(dtype) == 'u' ? 0 : -(int64_t{1} << (width - 1));
        const int64_t highest =
            kind(dtype) == 'u' ? (int64_t{1} << width) - 1 : (int64_t{1} << (width - 1)) - 1;
        if (bits < lowest || bits > highest) {
          PyErr_Format(PyExc_OverflowError, "Python integer %R is out of bounds for %s", number.ptr(),
                       name(dtype));
          throw nb::python_error();
        }
      }
      storage = scalar_from_int64(dtype, bits);
    }
  }
  if (PyErr_Occurred()) throw nb::python_error();
  return nb::steal(new_array(Value::scalar(dtype, storage, weak_type)));
}

}  // namespace

void bind_operations(nb::module_& module) {
  std::memset(fast_results, kUnknown, sizeof fast_results);
  operation_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&operation_spec));
  elementwise_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&elementwise_spec));
  if (!operation_type || !elementwise_type) throw nb::python_error();
  module.def(
      "opcode", [](const char* text) { return static_cast<int>(opcode_from_name(text)); },
      "Number of a native operation. KeyError if native code has no such operation.");
  module.def("operation", &make_operation, nb::arg("opcode"), nb::arg("parameters"), nb::arg("out_avals"),
             nb::arg("multiple_results") = false, nb::arg("programs") = nb::tuple(),
             "A callable that adds a node of this operation for concrete arrays of the types it was made "
             "for. Control "
             "flow runs `programs`.");
  module.def("elementwise_function", &make_elementwise_function, nb::arg("opcode"), nb::arg("arity"),
             nb::arg("fallback"), "Fronts a Python function with the fast path for concrete arrays.");
  module.def(
      "set_fast_result", [](nb::object rule) { fast_result_rule = rule.release().ptr(); }, nb::arg("rule"),
      "The rule (primitive name, dtype) → result dtype, or None where the fast path must not be taken.");
  module.def(
      "set_fast_paths", [](bool enabled) { fast_paths = enabled; }, nb::arg("enabled"),
      "Whether this thread's operations and jitted functions of concrete arrays may go past Python.");
  module.def("scalar", &make_scalar, nb::arg("value"), nb::arg("dtype"), nb::arg("weak_type") = false,
             "A constant of shape ().");
}

}  // namespace ftrans::bindings
