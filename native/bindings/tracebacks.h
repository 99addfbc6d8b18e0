#pragma once

#include <nanobind/nanobind.h>

namespace ftrans::bindings {

/// Whether code belongs to the package.
bool is_package_code(PyObject* code);

/// The traceback of an exception; invalid if it has none.
nanobind::object traceback_of(PyObject* exception);

/// What a function of the package returns to the user's code. If it is null, the traceback of the pending
/// Python error loses the frames of the package, unless they are to be shown.
PyObject* for_user(PyObject* result);

}  // namespace ftrans::bindings
