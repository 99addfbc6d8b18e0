#include <Python.h>

#include <structmember.h>

#include <nanobind/stl/vector.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bindings/array.h"
#include "bindings/error.h"
#include "bindings/program_object.h"
#include "bindings/tracebacks.h"

namespace ftrans::bindings {
namespace {

/// How to make a Python result of a program's outputs.
struct Entry {
  ProgramObject program;
  nb::object structure;      ///< of the output, for `unflatten`; None for one array
  int tuple_size = -1;       ///< of a flat tuple of arrays, or −1
  std::vector<int> kept;     ///< the leaves that the program takes
  std::vector<int> donated;  ///< the leaves whose handles are given up
  nb::object give_up;        ///< called with the list of these handles, None for numbers
  bool is_checked = false;   ///< whether the program's last result is not the caller's but tells a suspicion
};

/// A jitted function: known signatures of concrete arguments are dispatched here, all others by the Python
/// function.
struct JitFunction {
  PyObject_HEAD vectorcallfunc vectorcall;
  PyObject* fallback;   ///< called with the arguments on a miss; it registers what it compiled
  PyObject* unflatten;  ///< (structure, list of arrays) → result
  PyObject* dictionary;
  PyObject* weak_references;
  std::unordered_map<std::string, std::shared_ptr<const Entry>> cache;  ///< calls share an entry they use
};

/// Whether jitted functions run as they are written, on this thread.
thread_local bool jit_disabled = false;

/// Whose suspicions this thread's programs are checked for, as a number; 0 where none are dispatched so.
thread_local int checked_for = 0;

template <typename T>
void put(std::string& key, const T& item) {
  key.append(reinterpret_cast<const char*>(&item), sizeof item);
}

constexpr int kDeepest = 32;

/// The arguments of a call: their structure and types, and their arrays.
struct Arguments {
  std::string key;
  std::vector<Ref<Value>> leaves;
  std::vector<PyObject*> handles;  ///< of the leaves, borrowed; null for a Python number
};

void add_array(const Ref<Value>& value, PyObject* handle, Arguments& to) {
  to.key.push_back('a');
  put(to.key, value->dtype);
  put(to.key, value->weak_type);
  put(to.key, value->shape.size());
  to.key.append(reinterpret_cast<const char*>(value->shape.data()), sizeof(int64_t) * value->shape.size());
  to.leaves.push_back(value);
  to.handles.push_back(handle);
}

void add_scalar(Dtype dtype, ScalarStorage number, Arguments& to) {
  add_array(Value::scalar(dtype, number, true), nullptr, to);
}

/// Adds an argument; false where Python has to look at it.
bool add_argument(PyObject* object, Arguments& to, int depth) {
  std::string& key = to.key;
  if (is_array(object)) {
    const Array& array = array_of(object);
    if (array.is_traced()) return false;
    add_array(array.value, object, to);
    return true;
  }
  // A Python number is a weakly typed scalar.
  if (PyFloat_CheckExact(object)) {
    add_scalar(Dtype::Float32, scalar_from_double(Dtype::Float32, PyFloat_AS_DOUBLE(object)), to);
    return true;
  }
  if (PyLong_CheckExact(object)) {
    int overflow = 0;
    const long long number = PyLong_AsLongLongAndOverflow(object, &overflow);
    if (overflow || number > INT32_MAX || number < INT32_MIN) return false;
    add_scalar(Dtype::Int32, scalar_from_int64(Dtype::Int32, number), to);
    return true;
  }
  if (depth > kDeepest) return false;
  if (PyTuple_CheckExact(object)) {
    const Py_ssize_t count = PyTuple_GET_SIZE(object);
    key.push_back('t');
    put(key, count);
    for (Py_ssize_t i = 0; i < count; ++i) {
      if (!add_argument(PyTuple_GET_ITEM(object, i), to, depth + 1)) return false;
    }
    return true;
  }
  if (PyList_CheckExact(object)) {
    const Py_ssize_t count = PyList_GET_SIZE(object);
    key.push_back('l');
    put(key, count);
    for (Py_ssize_t i = 0; i < count; ++i) {
      if (!add_argument(PyList_GET_ITEM(object, i), to, depth + 1)) return false;
    }
    return true;
  }
  if (PyDict_CheckExact(object)) {
    // Leaves come in the order of the sorted keys, as in Python's flattening.
    nb::object keys = nb::steal(PyDict_Keys(object));
    for (nb::handle name : nb::borrow<nb::list>(keys)) {
      if (!PyUnicode_CheckExact(name.ptr())) return false;
    }
    if (PyList_Sort(keys.ptr()) != 0) throw nb::python_error();
    key.push_back('d');
    put(key, PyList_GET_SIZE(keys.ptr()));
    for (nb::handle name : nb::borrow<nb::list>(keys)) {
      Py_ssize_t length = 0;
      const char* text = PyUnicode_AsUTF8AndSize(name.ptr(), &length);
      if (!text) throw nb::python_error();
      put(key, length);
      key.append(text, static_cast<size_t>(length));
      if (!add_argument(PyDict_GetItem(object, name.ptr()), to, depth + 1)) return false;
    }
    return true;
  }
  if (object == Py_None) {
    key.push_back('n');
    return true;
  }
  return false;
}

bool take_arguments(PyObject* const* arguments, Py_ssize_t count, Arguments& to) {
  put(to.key, current_stream());
  put(to.key, nan_safe_derivatives());
  put(to.key, checked_for);
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (!add_argument(arguments[i], to, 0)) return false;
  }
  return true;
}

/// Makes the handles of the donated leaves refuse further use.
void give_up(const Entry& entry, const std::vector<PyObject*>& handles) {
  nb::list given_up;
  for (int leaf : entry.donated) given_up.append(nb::borrow(handles[leaf] ? handles[leaf] : Py_None));
  entry.give_up(given_up);
}

/// Whether a checked program's last result, which is taken away, tells that there is something to be found.
bool is_suspected(std::vector<Ref<Value>>& outputs) {
  const Ref<Value> suspicion = std::move(outputs.back());
  outputs.pop_back();
  make_ready(suspicion);
  return *static_cast<const bool*>(suspicion->data());
}

/// The result; null without an error if Python has to look for what a checked program suspects.
PyObject* call_entry(const JitFunction& function, const Entry& entry, Arguments arguments) {
  if (!entry.donated.empty()) give_up(entry, arguments.handles);
  std::vector<Ref<Value>> leaves = std::move(arguments.leaves);
  if (entry.kept.size() != leaves.size()) {
    std::vector<Ref<Value>> kept;
    for (int leaf : entry.kept) kept.push_back(std::move(leaves[leaf]));
    leaves = std::move(kept);
  }
  std::vector<Ref<Value>> outputs = entry.program.call(std::move(leaves));
  if (entry.is_checked && is_suspected(outputs)) return nullptr;
  if (entry.structure.is_none()) return new_array(std::move(outputs[0]));
  if (entry.tuple_size >= 0) {
    nb::object result = nb::steal(PyTuple_New(entry.tuple_size));
    for (int i = 0; i < entry.tuple_size; ++i)
      PyTuple_SET_ITEM(result.ptr(), i, new_array(std::move(outputs[i])));
    return result.release().ptr();
  }
  nb::object list = nb::steal(PyList_New(static_cast<Py_ssize_t>(outputs.size())));
  for (size_t i = 0; i < outputs.size(); ++i) {
    PyList_SET_ITEM(list.ptr(), static_cast<Py_ssize_t>(i), new_array(std::move(outputs[i])));
  }
  return PyObject_CallFunctionObjArgs(function.unflatten, entry.structure.ptr(), list.ptr(), nullptr);
}

PyObject* jit_call(PyObject* self, PyObject* const* arguments, size_t flags, PyObject* keywords) {
  return guarded(static_cast<PyObject*>(nullptr), [&]() -> PyObject* {
    JitFunction& function = *reinterpret_cast<JitFunction*>(self);
    if ((fast_paths || checked_for) && !keywords && !function.cache.empty() && !jit_disabled) {
      Arguments taken;
      if (take_arguments(arguments, PyVectorcall_NARGS(flags), taken)) {
        auto found = function.cache.find(taken.key);
        if (found != function.cache.end()) {
          const std::shared_ptr<const Entry> entry = found->second;
          PyObject* result = call_entry(function, *entry, std::move(taken));
          if (result || PyErr_Occurred()) return result;
        }
      }
    }
    return for_user(PyObject_Vectorcall(function.fallback, arguments, flags, keywords));
  });
}

/// Tells how to run the function for arguments like these from now on.
PyObject* jit_register(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return guarded(static_cast<PyObject*>(nullptr), [&]() -> PyObject* {
    if (count != 8) {
      throw nb::type_error(
          "register: expected (args, program, structure, tuple_size, kept, donated, give_up, is_checked)");
    }
    JitFunction& function = *reinterpret_cast<JitFunction*>(self);
    Arguments taken;
    PyObject* args = arguments[0];
    if (take_arguments(&PyTuple_GET_ITEM(args, 0), PyTuple_GET_SIZE(args), taken)) {
      function.cache[std::move(taken.key)] = std::make_shared<const Entry>(
          Entry{nb::cast<const ProgramObject&>(nb::handle(arguments[1])), nb::borrow(arguments[2]),
                nb::cast<int>(nb::handle(arguments[3])), nb::cast<std::vector<int>>(nb::handle(arguments[4])),
                nb::cast<std::vector<int>>(nb::handle(arguments[5])), nb::borrow(arguments[6]),
                nb::cast<bool>(nb::handle(arguments[7]))});
    }
    Py_RETURN_NONE;
  });
}

PyObject* jit_clear_signatures(PyObject* self, PyObject*) {
  auto old = std::move(reinterpret_cast<JitFunction*>(self)->cache);
  reinterpret_cast<JitFunction*>(self)->cache.clear();
  Py_RETURN_NONE;
}

PyObject* jit_attribute(PyObject* self, PyObject* name) {
  PyObject* found = PyObject_GenericGetAttr(self, name);
  if (found || !PyErr_ExceptionMatches(PyExc_AttributeError)) return found;
  PyErr_Clear();
  return PyObject_GetAttr(reinterpret_cast<JitFunction*>(self)->fallback, name);
}

PyObject* jit_bind_method(PyObject* self, PyObject* instance, PyObject*) {
  if (!instance) return Py_NewRef(self);
  return PyMethod_New(self, instance);
}

PyObject* jit_repr(PyObject* self) { return PyObject_Repr(reinterpret_cast<JitFunction*>(self)->fallback); }

PyObject* jit_doc(PyObject* self, void*) {
  return PyObject_GetAttrString(reinterpret_cast<JitFunction*>(self)->fallback, "__doc__");
}

PyObject* jit_module(PyObject* self, void*) {
  return PyObject_GetAttrString(reinterpret_cast<JitFunction*>(self)->fallback, "__module__");
}

int jit_traverse(PyObject* self, visitproc visit, void* arg) {
  JitFunction& function = *reinterpret_cast<JitFunction*>(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(function.fallback);
  Py_VISIT(function.unflatten);
  Py_VISIT(function.dictionary);
  for (const auto& [key, entry] : function.cache) Py_VISIT(entry->give_up.ptr());
  return 0;
}

int jit_clear(PyObject* self) {
  JitFunction& function = *reinterpret_cast<JitFunction*>(self);
  function.cache.clear();
  Py_CLEAR(function.fallback);
  Py_CLEAR(function.unflatten);
  Py_CLEAR(function.dictionary);
  return 0;
}

void jit_free(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  if (reinterpret_cast<JitFunction*>(self)->weak_references) PyObject_ClearWeakRefs(self);
  jit_clear(self);
  std::destroy_at(&reinterpret_cast<JitFunction*>(self)->cache);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMemberDef jit_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(JitFunction, vectorcall), READONLY, nullptr},
    {"__dictoffset__", T_PYSSIZET, offsetof(JitFunction, dictionary), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(JitFunction, weak_references), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};
PyGetSetDef jit_getset[] = {
    {"__doc__", jit_doc, nullptr, nullptr, nullptr},
    {"__module__", jit_module, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};
PyMethodDef jit_methods[] = {
    {"_register", method(jit_register), METH_FASTCALL, nullptr},
    {"_clear_signatures", jit_clear_signatures, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};
PyType_Slot jit_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(jit_free)},
    {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
    {Py_tp_getattro, reinterpret_cast<void*>(jit_attribute)},
    {Py_tp_descr_get, reinterpret_cast<void*>(jit_bind_method)},
    {Py_tp_repr, reinterpret_cast<void*>(jit_repr)},
    {Py_tp_traverse, reinterpret_cast<void*>(jit_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(jit_clear)},
    {Py_tp_members, jit_members},
    {Py_tp_getset, jit_getset},
    {Py_tp_methods, jit_methods},
    {0, nullptr},
};
PyType_Spec jit_spec = {
    "ftrans._native.JitFunction", sizeof(JitFunction), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    jit_slots};
PyTypeObject* jit_type = nullptr;

nb::object make_jit_function(nb::object fallback, nb::object unflatten) {
  PyObject* memory = jit_type->tp_alloc(jit_type, 0);
  if (!memory) throw nb::python_error();
  JitFunction& function = *reinterpret_cast<JitFunction*>(memory);
  function.vectorcall = jit_call;
  function.fallback = fallback.release().ptr();
  function.unflatten = unflatten.release().ptr();
  std::construct_at(&function.cache);
  return nb::steal(memory);
}

}  // namespace

void bind_dispatch(nb::module_& module) {
  jit_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&jit_spec));
  if (!jit_type) throw nb::python_error();
  module.def("jit_function", &make_jit_function, nb::arg("fallback"), nb::arg("unflatten"),
             "Fronts a jitted Python function with a dispatcher for the signatures that it registers.");
  module.def("is_jit_disabled", [] { return jit_disabled; });
  module.def(
      "set_jit_disabled", [](bool disabled) { return std::exchange(jit_disabled, disabled); },
      nb::arg("disabled"), "Returns what it was before.");
  module.def(
      "set_checked_for", [](int observer) { checked_for = observer; }, nb::arg("observer"),
      "Where there are no fast paths, jitted functions are dispatched to the programs that were registered "
      "as "
      "checked under this number, unless it is 0.");
}

}  // namespace ftrans::bindings
