#include <Python.h>

#include <algorithm>
#include <climits>

#include "bindings/array.h"
#include "bindings/error.h"

namespace ftrans::bindings {
namespace {

/// Python's garbage collector while traces grow. A trace is a large number of objects that live until it is
/// done. A full collection looks at all of them and finds nothing, so that tracing would take more than
/// linear time; those of young objects go on, but wait for more of them than a small function makes.
class Collections {
 public:
  void defer() {
    if (depth_++) return;
    if (!set_threshold_.is_valid()) {
      const nb::object module = nb::module_::import_("gc");
      get_threshold_ = module.attr("get_threshold");
      set_threshold_ = module.attr("set_threshold");
    }
    const nb::object thresholds = get_threshold_();
    for (int i = 0; i < 3; ++i) thresholds_[i] = nb::cast<int>(thresholds[i]);
    // A threshold of 0 means that the user has turned the collector off.
    set(thresholds_[0] ? std::max(thresholds_[0], kYoung) : 0, thresholds_[1], INT_MAX);
  }

  void resume() {
    if (--depth_ == 0) set(thresholds_[0], thresholds_[1], thresholds_[2]);
  }

 private:
  static constexpr int kYoung = 20000;

  void set(int young, int middle, int old) { set_threshold_(young, middle, old); }

  int depth_ = 0;  ///< guarded by the interpreter's lock, like the rest
  int thresholds_[3] = {};
  nb::object get_threshold_, set_threshold_;
};

Collections& collections = *new Collections;  // it outlives the interpreter
PyObject* note_source = nullptr;              ///< (error, source, transformation)
PyTypeObject* interpreting_type = nullptr;

struct Interpreting {
  PyObject_HEAD PyObject* transformation;
  PyObject* source;  ///< what there was before
};

Interpreting& interpreting_of(PyObject* object) { return *reinterpret_cast<Interpreting*>(object); }

PyObject* interpreting_new(PyTypeObject* type, PyObject* arguments, PyObject*) {
  PyObject* self = type->tp_alloc(type, 0);
  if (!self) return nullptr;
  const bool named = PyTuple_GET_SIZE(arguments) > 0;
  interpreting_of(self).transformation =
      named ? Py_NewRef(PyTuple_GET_ITEM(arguments, 0)) : PyUnicode_FromString("");
  return self;
}

void interpreting_free(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  Py_CLEAR(interpreting_of(self).transformation);
  Py_CLEAR(interpreting_of(self).source);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* interpreting_enter(PyObject* self, PyObject*) {
  return guarded(static_cast<PyObject*>(nullptr), [&]() -> PyObject* {
    collections.defer();
    Py_XSETREF(interpreting_of(self).source, set_source(Py_None));
    Py_RETURN_NONE;
  });
}

PyObject* interpreting_exit(PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
  return guarded(static_cast<PyObject*>(nullptr), [&]() -> PyObject* {
    nb::object source =
        nb::steal(set_source(interpreting_of(self).source ? interpreting_of(self).source : Py_None));
    collections.resume();
    if (count == 3 && !source.is_none() && PyObject_IsInstance(arguments[1], PyExc_Exception) == 1) {
      return PyObject_CallFunctionObjArgs(note_source, arguments[1], source.ptr(),
                                          interpreting_of(self).transformation, nullptr);
    }
    Py_RETURN_NONE;
  });
}

PyMethodDef interpreting_methods[] = {
    {"__enter__", interpreting_enter, METH_NOARGS, nullptr},
    {"__exit__", method(interpreting_exit), METH_FASTCALL, nullptr},
    {nullptr, nullptr, 0, nullptr},
};
PyType_Slot interpreting_slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(interpreting_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(interpreting_free)},
    {Py_tp_methods, interpreting_methods},
    {0, nullptr},
};
PyType_Spec interpreting_spec = {"ftrans._native.Interpreting", sizeof(Interpreting), 0, Py_TPFLAGS_DEFAULT,
                                 interpreting_slots};

}  // namespace

void bind_interpreting(nb::module_& module) {
  interpreting_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&interpreting_spec));
  if (!interpreting_type) throw nb::python_error();
  module.attr("Interpreting") = nb::borrow(reinterpret_cast<PyObject*>(interpreting_type));
  module.def(
      "set_note_source", [](nb::object function) { note_source = function.release().ptr(); },
      nb::arg("function"),
      "The function that is told of an exception inside of Interpreting, the source of the equation, and the "
      "transformation.");
}

}  // namespace ftrans::bindings
