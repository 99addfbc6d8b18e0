#include <Python.h>

#include <structmember.h>

#include <initializer_list>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "bindings/array.h"
#include "bindings/error.h"

namespace ftrans::bindings {
namespace {

/// What every operation passes through of the Python class `Primitive`, which is derived from this one.
struct Primitive {
  PyObject_HEAD PyObject* operations;  ///< avals of operands, parameters → native operation
  PyObject* memo;                      ///< avals of operands, parameters → what `abstract_eval` gave
};

Primitive& primitive_of(PyObject* object) { return *reinterpret_cast<Primitive*>(object); }

/// Names of attributes, and the classes of what is recorded.
struct Names {
  PyObject* level = PyUnicode_InternFromString("level");
  PyObject* record = PyUnicode_InternFromString("record");
  PyObject* observed = PyUnicode_InternFromString("_observed");
  PyObject* execute = PyUnicode_InternFromString("execute");
  PyObject* abstract = PyUnicode_InternFromString("abstract");
  PyObject* abstract_eval = PyUnicode_InternFromString("abstract_eval");
  PyObject* operation = PyUnicode_InternFromString("_operation");
  PyObject* unhashable = PyUnicode_InternFromString("_unhashable");
  PyObject* multiple_results = PyUnicode_InternFromString("multiple_results");
  PyObject* constant = PyUnicode_InternFromString("constant");
};
const Names* names = nullptr;

nb::object checked(PyObject* result) {
  if (!result) throw nb::python_error();
  return nb::steal(result);
}

/// A Python class with __slots__, whose instances are made and read here without a call.
class SlotClass {
 public:
  void set(nb::handle type, std::initializer_list<const char*> slots) {
    type_ = reinterpret_cast<PyTypeObject*>(Py_NewRef(type.ptr()));
    offsets_.clear();
    for (const char* name : slots) {
      const nb::object slot = type.attr(name);
      if (Py_TYPE(slot.ptr()) != &PyMemberDescr_Type)
        throw nb::type_error((std::string(name) + " is not in the __slots__ of the class").c_str());
      offsets_.push_back(reinterpret_cast<PyMemberDescrObject*>(slot.ptr())->d_member->offset);
    }
  }

  bool is_class_of(PyObject* object) const { return Py_TYPE(object) == type_; }

  nb::object make(std::initializer_list<PyObject*> values) const {
    nb::object object = checked(type_->tp_alloc(type_, 0));
    size_t i = 0;
    for (PyObject* value : values) field(object.ptr(), i++) = Py_NewRef(value);
    return object;
  }

  /// Borrowed.
  PyObject* get(PyObject* object, size_t slot) const {
    PyObject* value = field(object, slot);
    if (!value) throw nb::attribute_error("a slot has not been set");
    return value;
  }

 private:
  PyObject*& field(PyObject* object, size_t slot) const {
    return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(object) + offsets_[slot]);
  }

  PyTypeObject* type_ = nullptr;
  std::vector<Py_ssize_t> offsets_;
};

SlotClass variable_class;        ///< aval, source
SlotClass literal_class;         ///< value, aval
SlotClass abstract_trace_class;  ///< active, equations
SlotClass equation_class;        ///< primitive, inputs, outputs, parameters, source, stream

template <typename... Arguments>
PyObject* call_method(PyObject* name, PyObject* self, Arguments... arguments) {
  PyObject* all[] = {self, arguments...};
  return PyObject_VectorcallMethod(name, all, std::size(all), nullptr);
}

const Array& operand(PyObject* primitive, PyObject* object, Py_ssize_t position) {
  if (is_array(object)) return array_of(object);
  nb::object text = checked(PyObject_Repr(primitive));
  throw nb::type_error((std::string(nb::cast<const char*>(text)) + ": operand " + std::to_string(position) +
                        " must be an Array, got " + Py_TYPE(object)->tp_name)
                           .c_str());
}

int64_t level_of(PyObject* trace) {
  nb::object level = checked(PyObject_GetAttr(trace, names->level));
  return PyLong_AsLongLong(level.ptr());
}

/// The trace with the highest level among the operands (borrowed); null where all are concrete.
PyObject* innermost_trace(PyObject* primitive, PyObject* const* operands, Py_ssize_t count) {
  PyObject* innermost = nullptr;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* trace = operand(primitive, operands[i], i).trace;
    if (!trace || trace == innermost) continue;
    if (!innermost || level_of(trace) > level_of(innermost)) innermost = trace;
  }
  return innermost;
}

nb::object tuple_of(PyObject* const* items, Py_ssize_t count) {
  nb::object tuple = checked(PyTuple_New(count));
  for (Py_ssize_t i = 0; i < count; ++i) PyTuple_SET_ITEM(tuple.ptr(), i, Py_NewRef(items[i]));
  return tuple;
}

nb::object avals_of(PyObject* primitive, PyObject* const* operands, Py_ssize_t count) {
  nb::object avals = checked(PyTuple_New(count));
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyTuple_SET_ITEM(avals.ptr(), i, Py_NewRef(aval_of(operand(primitive, operands[i], i))));
  }
  return avals;
}

/// What avals and parameters have given before; invalid where they are new. Avals are interned and parameters
/// hashable, so the key is cheap.
class Memo {
 public:
  Memo(PyObject* primitive, PyObject* table, nb::object avals, PyObject* parameters) : table_(table) {
    key_ = std::move(avals);
    if (PyDict_GET_SIZE(parameters)) {
      nb::object items = checked(PyDict_Items(parameters));
      items = checked(PyList_AsTuple(items.ptr()));
      key_ = checked(PyTuple_Pack(2, key_.ptr(), items.ptr()));
    }
    found = nb::borrow(PyDict_GetItemWithError(table, key_.ptr()));
    if (!found.is_valid() && PyErr_Occurred()) {
      if (!PyErr_ExceptionMatches(PyExc_TypeError)) throw nb::python_error();
      PyErr_Clear();
      nb::object error = checked(call_method(names->unhashable, primitive, parameters));
      PyErr_SetObject(PyExc_TypeError, error.ptr());
      throw nb::python_error();
    }
  }

  void keep(nb::object result) {
    if (PyDict_SetItem(table_, key_.ptr(), result.ptr()) != 0) throw nb::python_error();
    found = std::move(result);
  }

  nb::object found;

 private:
  PyObject* table_;
  nb::object key_;
};

nb::object record(PyObject* trace, PyObject* primitive, PyObject* operands, PyObject* parameters);

/// bind(*operands, **parameters)
PyObject* primitive_bind(PyObject* self, PyObject* const* arguments, Py_ssize_t count, PyObject* keywords) {
  return guarded(static_cast<PyObject*>(nullptr), [&]() -> PyObject* {
    PyObject* trace = innermost_trace(self, arguments, count);
    nb::object operands = tuple_of(arguments, count);
    nb::object parameters = checked(PyDict_New());
    for (Py_ssize_t i = 0; keywords && i < PyTuple_GET_SIZE(keywords); ++i) {
      PyObject* name = PyTuple_GET_ITEM(keywords, i);
      if (PyDict_SetItem(parameters.ptr(), name, arguments[count + i]) != 0) throw nb::python_error();
    }
    if (trace && abstract_trace_class.is_class_of(trace) && abstract_trace_class.get(trace, 0) == Py_True)
      return record(trace, self, operands.ptr(), parameters.ptr()).release().ptr();
    if (trace) return call_method(names->record, trace, self, operands.ptr(), parameters.ptr());
    return call_method(fast_paths ? names->execute : names->observed, self, operands.ptr(), parameters.ptr());
  });
}

/// execute(operands, parameters)
PyObject* primitive_execute(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return guarded(static_cast<PyObject*>(nullptr), [&]() -> PyObject* {
    if (count != 2 || !PyDict_Check(arguments[1]))
      throw nb::type_error("execute: expected (operands, parameters)");
    nb::object operands =
        checked(PySequence_Fast(arguments[0], "execute: operands must be a sequence of Arrays"));
    PyObject* const* items = PySequence_Fast_ITEMS(operands.ptr());
    const Py_ssize_t size = PySequence_Fast_GET_SIZE(operands.ptr());
    nb::object avals = avals_of(self, items, size);
    Memo memo(self, primitive_of(self).operations, avals, arguments[1]);
    if (!memo.found.is_valid())
      memo.keep(checked(call_method(names->operation, self, avals.ptr(), arguments[1])));
    return PyObject_Vectorcall(memo.found.ptr(), items, static_cast<size_t>(size), nullptr);
  });
}

/// abstract(avals, parameters)
PyObject* primitive_abstract(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return guarded(static_cast<PyObject*>(nullptr), [&]() -> PyObject* {
    if (count != 2 || !PyTuple_Check(arguments[0]) || !PyDict_Check(arguments[1]))
      throw nb::type_error("abstract: expected (tuple of avals, parameters)");
    Memo memo(self, primitive_of(self).memo, nb::borrow(arguments[0]), arguments[1]);
    if (!memo.found.is_valid()) {
      nb::object rule = checked(PyObject_GetAttr(self, names->abstract_eval));
      memo.keep(checked(PyObject_Call(rule.ptr(), arguments[0], arguments[1])));
    }
    return memo.found.release().ptr();
  });
}

/// Whether an object refers to nothing that could refer back.
bool is_plain(PyObject* object) {
  if (!PyObject_IS_GC(object)) return true;
  if (!PyTuple_CheckExact(object)) return false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(object); ++i) {
    if (!is_plain(PyTuple_GET_ITEM(object, i))) return false;
  }
  return true;
}

bool has_plain_values(PyObject* dictionary) {
  PyObject* value;
  for (Py_ssize_t position = 0; PyDict_Next(dictionary, &position, nullptr, &value);) {
    if (!is_plain(value)) return false;
  }
  return true;
}

/// Spares the garbage collector the look at an object that cannot be part of a cycle. A trace makes
/// thousands.
void untrack(const nb::object& object) { PyObject_GC_UnTrack(object.ptr()); }

/// A variable of the trace for a result, and its tracer.
PyObject* add_result(PyObject* trace, PyObject* aval, PyObject* source, nb::list variables) {
  nb::object variable = variable_class.make({aval, source});
  untrack(variable);
  variables.append(variable);
  return new_tracer(trace, variable.ptr(), aval, nullptr);
}

/// What stands for an array in the equations of an abstract trace.
nb::object atom_of(PyObject* trace, PyObject* object) {
  const Array& array = array_of(object);
  if (array.trace == trace) return nb::borrow(array.variable);
  if (!array.is_traced() && array.value->is_immediate) {
    nb::object value = checked(new_array(array.value));  // out of reach of `x[i] = …`
    nb::object literal = literal_class.make({value.ptr(), aval_of(array)});
    untrack(literal);
    return literal;
  }
  return checked(call_method(names->constant, trace, object));
}

/// Appends an equation to those of an abstract trace; the tracer of its result, or the list of them.
nb::object record(PyObject* trace, PyObject* primitive, PyObject* operands, PyObject* parameters) {
  nb::object sequence = checked(PySequence_Fast(operands, "record_equation: operands must be a sequence"));
  PyObject* const* items = PySequence_Fast_ITEMS(sequence.ptr());
  const Py_ssize_t size = PySequence_Fast_GET_SIZE(sequence.ptr());
  nb::object inputs = checked(PyList_New(size));
  for (Py_ssize_t i = 0; i < size; ++i) {
    operand(primitive, items[i], i);
    PyList_SET_ITEM(inputs.ptr(), i, atom_of(trace, items[i]).release().ptr());
  }
  nb::object avals = avals_of(primitive, items, size);
  nb::object results = checked(call_method(names->abstract, primitive, avals.ptr(), parameters));
  nb::object multiple = checked(PyObject_GetAttr(primitive, names->multiple_results));
  nb::object source = checked(user_source());
  nb::list variables;
  nb::object result;
  if (multiple.ptr() == Py_True) {
    nb::list tracers;
    for (nb::handle aval : results)
      tracers.append(nb::steal(add_result(trace, aval.ptr(), source.ptr(), variables)));
    result = std::move(tracers);
  } else {
    result = nb::steal(add_result(trace, results.ptr(), source.ptr(), variables));
  }
  nb::object stream = stream_object();
  nb::object equation =
      equation_class.make({primitive, inputs.ptr(), variables.ptr(), parameters, source.ptr(), stream.ptr()});
  if (has_plain_values(parameters)) {
    for (const nb::object& object : {inputs, nb::object(variables), equation}) untrack(object);
  }
  if (PyList_Append(abstract_trace_class.get(trace, 1), equation.ptr()) != 0) throw nb::python_error();
  return result;
}

/// record_equation(trace, primitive, operands, parameters)
PyObject* record_equation(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  return guarded(static_cast<PyObject*>(nullptr), [&]() -> PyObject* {
    if (count != 4 || !abstract_trace_class.is_class_of(arguments[0]))
      throw nb::type_error("record_equation: expected (trace, primitive, operands, parameters)");
    return record(arguments[0], arguments[1], arguments[2], arguments[3]).release().ptr();
  });
}

/// Runs on the stream that an equation recorded (None: on the current one).
class OnStream {
 public:
  explicit OnStream(PyObject* stream) {
    if (stream == Py_None) return;
    previous_ = stream_object();
    set_stream(stream);
  }
  ~OnStream() {
    if (previous_.is_valid()) set_stream(previous_);
  }
  OnStream(const OnStream&) = delete;
  OnStream& operator=(const OnStream&) = delete;

 private:
  nb::object previous_;
};

nb::object apply(PyObject* bind, PyObject* plain, PyObject* primitive, PyObject* operands,
                 PyObject* parameters) {
  if (reinterpret_cast<PyObject*>(Py_TYPE(primitive)) == plain) {
    PyObject* arguments[] = {operands, parameters};
    return checked(primitive_execute(primitive, arguments, 2));
  }
  const Py_ssize_t size = PyTuple_GET_SIZE(operands);
  nb::object all = checked(PyTuple_New(size + 1));
  PyTuple_SET_ITEM(all.ptr(), 0, Py_NewRef(primitive));
  for (Py_ssize_t i = 0; i < size; ++i)
    PyTuple_SET_ITEM(all.ptr(), i + 1, Py_NewRef(PyTuple_GET_ITEM(operands, i)));
  return checked(PyObject_Call(bind, all.ptr(), parameters));
}

/// The operands of an equation, as a tuple.
nb::object operands_of(PyObject* equation, PyObject* environment) {
  nb::object inputs = checked(
      PySequence_Fast(equation_class.get(equation, 1), "the inputs of an equation must be a sequence"));
  const Py_ssize_t size = PySequence_Fast_GET_SIZE(inputs.ptr());
  nb::object operands = checked(PyTuple_New(size));
  for (Py_ssize_t i = 0; i < size; ++i) {
    PyObject* atom = PySequence_Fast_GET_ITEM(inputs.ptr(), i);
    PyObject* array = literal_class.is_class_of(atom) ? literal_class.get(atom, 0)
                                                      : PyDict_GetItemWithError(environment, atom);
    if (!array) {
      if (!PyErr_Occurred()) PyErr_SetObject(PyExc_KeyError, atom);
      throw nb::python_error();
    }
    PyTuple_SET_ITEM(operands.ptr(), i, Py_NewRef(array));
  }
  return operands;
}

/// eval_equations(equations, environment, bind, plain): applies equations in order, the environment being the
/// dict of the variables' arrays. `bind` applies a primitive; those whose class is `plain` are executed.
PyObject* eval_equations(PyObject*, PyObject* const* arguments, Py_ssize_t count) {
  return guarded(static_cast<PyObject*>(nullptr), [&]() -> PyObject* {
    if (count != 4 || !PyDict_Check(arguments[1]))
      throw nb::type_error("eval_equations: expected (equations, environment, bind, plain)");
    PyObject* environment = arguments[1];
    for (nb::handle equation : nb::handle(arguments[0])) {
      if (!equation_class.is_class_of(equation.ptr()))
        throw nb::type_error("eval_equations: expected an Equation");
      nb::object operands = operands_of(equation.ptr(), environment);
      Py_DECREF(set_source(equation_class.get(equation.ptr(), 4)));
      PyObject* primitive = equation_class.get(equation.ptr(), 0);
      const OnStream on_stream(equation_class.get(equation.ptr(), 5));
      nb::object result =
          apply(arguments[2], arguments[3], primitive, operands.ptr(), equation_class.get(equation.ptr(), 3));
      nb::handle outputs = equation_class.get(equation.ptr(), 2);
      nb::object multiple = checked(PyObject_GetAttr(primitive, names->multiple_results));
      if (multiple.ptr() != Py_True) result = checked(PyTuple_Pack(1, result.ptr()));
      nb::object arrays =
          checked(PySequence_Fast(result.ptr(), "the results of an operation must be a sequence"));
      if (PySequence_Fast_GET_SIZE(arrays.ptr()) != static_cast<Py_ssize_t>(nb::len(outputs)))
        throw nb::value_error("an operation gave another number of results than its equation has");
      Py_ssize_t i = 0;
      for (nb::handle output : outputs) {
        PyObject* array = PySequence_Fast_GET_ITEM(arrays.ptr(), i++);
        if (PyDict_SetItem(environment, output.ptr(), array) != 0) throw nb::python_error();
      }
    }
    Py_RETURN_NONE;
  });
}

PyObject* primitive_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* self = type->tp_alloc(type, 0);
  if (!self) return nullptr;
  primitive_of(self).operations = PyDict_New();
  primitive_of(self).memo = PyDict_New();
  if (!primitive_of(self).operations || !primitive_of(self).memo) Py_CLEAR(self);
  return self;
}

int primitive_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(primitive_of(self).operations);
  Py_VISIT(primitive_of(self).memo);
  return 0;
}

int primitive_clear(PyObject* self) {
  Py_CLEAR(primitive_of(self).operations);
  Py_CLEAR(primitive_of(self).memo);
  return 0;
}

void primitive_free(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  primitive_clear(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMethodDef primitive_methods[] = {
    {"bind", method(primitive_bind), METH_FASTCALL | METH_KEYWORDS,
     "Apply to arrays: recorded by the innermost trace among the operands, executed if there is none."},
    {"execute", method(primitive_execute), METH_FASTCALL,
     "Make the native node of this operation on concrete arrays."},
    {"abstract", method(primitive_abstract), METH_FASTCALL, "The memoised `abstract_eval`."},
    {nullptr, nullptr, 0, nullptr},
};
PyType_Slot primitive_slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(primitive_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(primitive_free)},
    {Py_tp_traverse, reinterpret_cast<void*>(primitive_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(primitive_clear)},
    {Py_tp_methods, primitive_methods},
    {0, nullptr},
};
PyType_Spec primitive_spec = {"ftrans._native.PrimitiveBase", sizeof(Primitive), 0,
                              Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, primitive_slots};

PyMethodDef functions[] = {
    {"record_equation", method(record_equation), METH_FASTCALL,
     "Appends an equation to those of an abstract trace: (trace, primitive, operands, parameters) → "
     "tracers."},
    {"eval_equations", method(eval_equations), METH_FASTCALL,
     "Applies equations: (equations, environment, bind, class of primitives that are executed)."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

void bind_primitive(nb::module_& module) {
  names = new Names;
  nb::object type = checked(PyType_FromSpec(&primitive_spec));
  module.attr("PrimitiveBase") = type;
  if (PyModule_AddFunctions(module.ptr(), functions) != 0) throw nb::python_error();
  module.def(
      "set_jaxpr_classes",
      [](nb::handle variable, nb::handle literal, nb::handle equation, nb::handle abstract_trace) {
        variable_class.set(variable, {"aval", "source"});
        literal_class.set(literal, {"value", "aval"});
        equation_class.set(equation, {"primitive", "inputs", "outputs", "parameters", "source", "stream"});
        abstract_trace_class.set(abstract_trace, {"active", "equations"});
      },
      nb::arg("variable"), nb::arg("literal"), nb::arg("equation"), nb::arg("abstract_trace"));
}

}  // namespace ftrans::bindings
