#include <nanobind/stl/string.h>

#include <array>
#include <cstring>

#include "bindings/array.h"

namespace ftrans::bindings {

PyTypeObject* dtype_type = nullptr;

namespace {

/// The Python type `Dtype`; there is one instance for each element type.
struct DtypeObject {
  Dtype dtype;
};

std::array<PyObject*, kDtypeCount> dtype_objects{};

nb::object numpy_dtype(Dtype dtype) {
  if (dtype == Dtype::BFloat16) {
    return nb::module_::import_("numpy").attr("dtype")(nb::module_::import_("ml_dtypes").attr("bfloat16"));
  }
  return nb::module_::import_("numpy").attr("dtype")(name(dtype));
}

/// The element type that NumPy's `dtype(object)` stands for; false if it is none of ours.
bool dtype_from_numpy_like(nb::handle object, Dtype& result) {
  try {
    nb::object converted = nb::module_::import_("numpy").attr("dtype")(object);
    const std::string text = nb::cast<std::string>(converted.attr("name"));
    for (int i = 0; i < kDtypeCount; ++i) {
      if (text == name(static_cast<Dtype>(i))) {
        result = static_cast<Dtype>(i);
        return true;
      }
    }
  } catch (nb::python_error&) {
  }
  return false;
}

}  // namespace

PyObject* dtype_object(Dtype dtype) { return dtype_objects[static_cast<int>(dtype)]; }

Dtype dtype_from_object(PyObject* object) {
  if (Py_TYPE(object) == dtype_type) return nb::inst_ptr<DtypeObject>(object)->dtype;
  Dtype result;
  if (!dtype_from_numpy_like(object, result)) {
    throw nb::type_error(("not a dtype of ftrans: " + nb::cast<std::string>(nb::repr(object))).c_str());
  }
  return result;
}

void bind_dtype(nb::module_& module) {
  auto type = nb::class_<DtypeObject>(module, "Dtype",
                                      "The type of an array's elements, for example `ftrans.float32`.");
  dtype_type = reinterpret_cast<PyTypeObject*>(type.ptr());
  type.def_prop_ro(
          "name", [](const DtypeObject& self) { return name(self.dtype); }, "The name, such as 'float32'.")
      .def_prop_ro(
          "itemsize", [](const DtypeObject& self) { return itemsize(self.dtype); }, "Bytes of one element.")
      .def_prop_ro(
          "kind", [](const DtypeObject& self) { return std::string(1, kind(self.dtype)); },
          "'b' bool, 'i' signed, 'u' unsigned, 'f' floating, 'c' complex.")
      .def_prop_ro(
          "dtype", [](const DtypeObject& self) { return numpy_dtype(self.dtype); }, "The NumPy dtype.")
      .def("__repr__", [](const DtypeObject& self) { return name(self.dtype); })
      .def("__reduce__",
           [](const DtypeObject& self) {
             return nb::str(self.dtype == Dtype::Bool ? "bool_" : name(self.dtype));
           })
      .def("__hash__", [](const DtypeObject& self) { return nb::hash(nb::str(name(self.dtype))); })
      .def(
          "__eq__",
          [](const DtypeObject& self, nb::handle other) -> nb::object {
            if (Py_TYPE(other.ptr()) == dtype_type)
              return nb::bool_(nb::inst_ptr<DtypeObject>(other)->dtype == self.dtype);
            Dtype converted;
            if (other.is_none() || !dtype_from_numpy_like(other, converted))
              return nb::borrow(Py_NotImplemented);
            return nb::bool_(converted == self.dtype);
          },
          nb::arg("other").none());
  for (int i = 0; i < kDtypeCount; ++i) {
    const Dtype dtype = static_cast<Dtype>(i);
    nb::object instance = nb::inst_alloc(type);
    new (nb::inst_ptr<DtypeObject>(instance)) DtypeObject{dtype};
    nb::inst_mark_ready(instance);
    dtype_objects[i] = instance.inc_ref().ptr();
    module.attr(dtype == Dtype::Bool ? "bool_" : name(dtype)) = instance;
  }
}

}  // namespace ftrans::bindings
