#include <Python.h>

#include <frameobject.h>

#include <string>
#include <unordered_map>

#include "bindings/array.h"
#include "bindings/error.h"
#include "bindings/tracebacks.h"

namespace ftrans::bindings {
namespace {

std::string package_path;                                      // with a separator at the end
auto& is_internal = *new std::unordered_map<PyObject*, bool>;  // by code object, which is kept alive
thread_local PyObject* source_of_thread = nullptr;

}  // namespace

bool is_package_code(PyObject* code) {
  auto found = is_internal.find(code);
  if (found != is_internal.end()) return found->second;
  const char* name = PyUnicode_AsUTF8(reinterpret_cast<PyCodeObject*>(code)->co_filename);
  if (!name) throw nb::python_error();
  const bool internal = std::string_view(name).starts_with(package_path);
  // Only the package's own code is remembered: users' code objects come and go.
  if (internal) is_internal.emplace(Py_NewRef(code), true);
  return internal;
}

PyObject* user_source() {
  return guarded(static_cast<PyObject*>(nullptr), [&]() -> PyObject* {
    if (source_of_thread) return Py_NewRef(source_of_thread);
    nb::object frame = nb::borrow(reinterpret_cast<PyObject*>(PyEval_GetFrame()));
    while (frame.is_valid()) {
      PyFrameObject* current = reinterpret_cast<PyFrameObject*>(frame.ptr());
      nb::object code = nb::steal(reinterpret_cast<PyObject*>(PyFrame_GetCode(current)));
      if (!is_package_code(code.ptr())) {
#if PY_VERSION_HEX >= 0x030b0000
        const int offset = PyFrame_GetLasti(current);
#else
        nb::object attribute = frame.attr("f_lasti");
        const int offset = nb::cast<int>(attribute);
#endif
        return Py_BuildValue("(Oi)", code.ptr(), offset);
      }
      frame = nb::steal(reinterpret_cast<PyObject*>(PyFrame_GetBack(current)));
    }
    Py_RETURN_NONE;
  });
}

PyObject* set_source(PyObject* source) {
  PyObject* previous = source_of_thread;
  source_of_thread = source == Py_None ? nullptr : Py_NewRef(source);
  return previous ? previous : Py_NewRef(Py_None);
}

namespace {

PyObject* user_source_function(PyObject*, PyObject*) { return user_source(); }

PyObject* set_source_function(PyObject*, PyObject* source) { return set_source(source); }

PyMethodDef functions[] = {
    {"user_source", user_source_function, METH_NOARGS,
     "Where in the user's program an operation comes from: (code, offset) or None."},
    {"set_source", set_source_function, METH_O,
     "Sets what user_source gives in this thread; returns what was set before."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

void bind_source(nb::module_& module) {
  if (PyModule_AddFunctions(module.ptr(), functions) != 0) throw nb::python_error();
  module.def(
      "set_package_path", [](const char* path) { package_path = path; }, nb::arg("path"),
      "The folder, with a separator at its end, whose code user_source passes over.");
}

}  // namespace ftrans::bindings
