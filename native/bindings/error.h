#pragma once

#include <nanobind/nanobind.h>

#include <new>
#include <stdexcept>

#include "bindings/host_error.h"
#include "core/error.h"

namespace ftrans::bindings {

/// Makes the C++ exception that is being handled the pending Python error.
inline void set_python_error() {
  try {
    throw;
  } catch (nanobind::python_error& error) {
    error.restore();
  } catch (const HostError& error) {
    error.restore();
  } catch (const nanobind::builtin_exception& error) {
    switch (error.type()) {
      case nanobind::exception_type::type_error: PyErr_SetString(PyExc_TypeError, error.what()); break;
      case nanobind::exception_type::value_error: PyErr_SetString(PyExc_ValueError, error.what()); break;
      case nanobind::exception_type::index_error: PyErr_SetString(PyExc_IndexError, error.what()); break;
      default: PyErr_SetString(PyExc_RuntimeError, error.what());
    }
  } catch (const MemoryLimitError& error) {
    PyErr_SetString(PyExc_MemoryError, error.what());
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const DtypeError& error) {
    PyErr_SetString(PyExc_TypeError, error.what());
  } catch (const std::invalid_argument& error) {
    PyErr_SetString(PyExc_ValueError, error.what());
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
}

/// Calls `function` at the border of a Python slot: an exception becomes the pending Python error and
/// `failure` is returned.
template <typename Function, typename Result>
Result guarded(Result failure, Function&& function) {
  try {
    return function();
  } catch (...) {
    set_python_error();
    return failure;
  }
}

/// A function of another calling convention (METH_FASTCALL, METH_KEYWORDS) in a table of methods.
template <typename Function>
PyCFunction method(Function* function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

}  // namespace ftrans::bindings
