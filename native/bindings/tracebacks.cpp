#include "bindings/tracebacks.h"

#include <frameobject.h>
#include <structmember.h>

#include <vector>

#include "bindings/array.h"
#include "bindings/error.h"

namespace ftrans::bindings {
namespace {

bool hides_frames_by_default = true;
thread_local int hides_frames = -1;  // −1: as by default

PyTracebackObject* as_traceback(PyObject* object) { return reinterpret_cast<PyTracebackObject*>(object); }

/// The traceback without the frames of the package; invalid if nothing is left.
nb::object without_package_frames(nb::object traceback) {
  std::vector<nb::object> kept;
  for (PyObject* entry = traceback.ptr(); entry;
       entry = reinterpret_cast<PyObject*>(as_traceback(entry)->tb_next)) {
    const nb::object code =
        nb::steal(reinterpret_cast<PyObject*>(PyFrame_GetCode(as_traceback(entry)->tb_frame)));
    if (!is_package_code(code.ptr())) kept.push_back(nb::borrow(entry));
  }
  for (size_t i = 0; i < kept.size(); ++i) {
    PyObject* next = i + 1 < kept.size() ? kept[i + 1].ptr() : nullptr;
    Py_XSETREF(as_traceback(kept[i].ptr())->tb_next, as_traceback(Py_XNewRef(next)));
  }
  return kept.empty() ? nb::object() : kept.front();
}

/// The same for an exception, and for those that it was raised from.
void hide_package_frames(nb::object exception) {
  constexpr int kMostCauses = 64;
  for (int i = 0; exception.is_valid() && i < kMostCauses; ++i) {
    nb::object traceback = traceback_of(exception.ptr());
    if (traceback.is_valid()) {
      traceback = without_package_frames(std::move(traceback));
      PyException_SetTraceback(exception.ptr(), traceback.is_valid() ? traceback.ptr() : Py_None);
    }
    nb::object cause = nb::steal(PyException_GetCause(exception.ptr()));
    exception = cause.is_valid() ? cause : nb::steal(PyException_GetContext(exception.ptr()));
  }
}

/// A function of the package that users call: its errors show none of the package's frames.
struct UserFunction {
  PyObject_HEAD vectorcallfunc vectorcall;
  PyObject* function;
  PyObject* dictionary;
  PyObject* weak_references;
};

UserFunction& user_function_of(PyObject* self) { return *reinterpret_cast<UserFunction*>(self); }

PyObject* user_function_call(PyObject* self, PyObject* const* arguments, size_t flags, PyObject* keywords) {
  return for_user(PyObject_Vectorcall(user_function_of(self).function, arguments, flags, keywords));
}

PyObject* user_function_attribute(PyObject* self, PyObject* name) {
  PyObject* found = PyObject_GenericGetAttr(self, name);
  if (found || !PyErr_ExceptionMatches(PyExc_AttributeError)) return found;
  PyErr_Clear();
  PyObject* function = user_function_of(self).function;
  if (PyUnicode_CompareWithASCIIString(name, "__wrapped__") == 0) return Py_NewRef(function);
  return PyObject_GetAttr(function, name);
}

PyObject* user_function_doc(PyObject* self, void*) {
  return PyObject_GetAttrString(user_function_of(self).function, "__doc__");
}

PyObject* user_function_module(PyObject* self, void*) {
  return PyObject_GetAttrString(user_function_of(self).function, "__module__");
}

PyObject* user_function_repr(PyObject* self) { return PyObject_Repr(user_function_of(self).function); }

/// Pickled by name, like any function of a module.
PyObject* user_function_reduce(PyObject* self, PyObject*) {
  return PyObject_GetAttrString(user_function_of(self).function, "__qualname__");
}

PyObject* user_function_bind_method(PyObject* self, PyObject* instance, PyObject*) {
  return instance ? PyMethod_New(self, instance) : Py_NewRef(self);
}

int user_function_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(user_function_of(self).function);
  Py_VISIT(user_function_of(self).dictionary);
  return 0;
}

int user_function_clear(PyObject* self) {
  Py_CLEAR(user_function_of(self).function);
  Py_CLEAR(user_function_of(self).dictionary);
  return 0;
}

void user_function_free(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  if (user_function_of(self).weak_references) PyObject_ClearWeakRefs(self);
  user_function_clear(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMemberDef user_function_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(UserFunction, vectorcall), READONLY, nullptr},
    {"__dictoffset__", T_PYSSIZET, offsetof(UserFunction, dictionary), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(UserFunction, weak_references), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};
PyGetSetDef user_function_getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {"__doc__", user_function_doc, nullptr, nullptr, nullptr},
    {"__module__", user_function_module, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};
PyMethodDef user_function_methods[] = {
    {"__reduce__", user_function_reduce, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};
PyType_Slot user_function_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(user_function_free)},
    {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
    {Py_tp_getattro, reinterpret_cast<void*>(user_function_attribute)},
    {Py_tp_descr_get, reinterpret_cast<void*>(user_function_bind_method)},
    {Py_tp_repr, reinterpret_cast<void*>(user_function_repr)},
    {Py_tp_traverse, reinterpret_cast<void*>(user_function_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(user_function_clear)},
    {Py_tp_members, user_function_members},
    {Py_tp_getset, user_function_getset},
    {Py_tp_methods, user_function_methods},
    {0, nullptr},
};
PyType_Spec user_function_spec = {"ftrans._native.UserFunction", sizeof(UserFunction), 0,
                                  Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_HAVE_GC |
                                      Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_METHOD_DESCRIPTOR,
                                  user_function_slots};
PyTypeObject* user_function_type = nullptr;

nb::object make_user_function(nb::object function) {
  PyObject* memory = user_function_type->tp_alloc(user_function_type, 0);
  if (!memory) throw nb::python_error();
  user_function_of(memory).vectorcall = user_function_call;
  user_function_of(memory).function = function.release().ptr();
  return nb::steal(memory);
}

}  // namespace

nb::object traceback_of(PyObject* exception) {
  nb::object traceback = nb::steal(PyException_GetTraceback(exception));
  return traceback.is_valid() && traceback.is_none() ? nb::object() : traceback;
}

PyObject* for_user(PyObject* result) {
  const bool hides = hides_frames < 0 ? hides_frames_by_default : hides_frames != 0;
  if (result || !hides) return result;
  PyObject *type, *exception, *traceback;
  PyErr_Fetch(&type, &exception, &traceback);
  PyErr_NormalizeException(&type, &exception, &traceback);
  PyException_SetTraceback(exception, traceback ? traceback : Py_None);
  Py_XDECREF(traceback);
  hide_package_frames(nb::borrow(exception));
  PyErr_Restore(type, exception, traceback_of(exception).release().ptr());
  return nullptr;
}

void bind_tracebacks(nb::module_& module) {
  user_function_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&user_function_spec));
  if (!user_function_type) throw nb::python_error();
  module.def("user_function", &make_user_function, nb::arg("function"),
             "The function, with errors that show none of the package's frames.");
  module.def(
      "set_hides_frames", [](int hides) { return std::exchange(hides_frames, hides); }, nb::arg("hides"),
      "Whether errors on this thread show no frames of the package (-1: as by default); returns what it "
      "was.");
  module.def(
      "set_hides_frames_by_default", [](bool hides) { hides_frames_by_default = hides; }, nb::arg("hides"));
}

}  // namespace ftrans::bindings
