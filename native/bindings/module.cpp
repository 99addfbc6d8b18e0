#include "bindings/array.h"
#include "bindings/host_error.h"
#include "core/error.h"

NB_MODULE(_native, module) {
  using namespace ftrans::bindings;
  module.doc() = "The native core of ftrans: lazy arrays, the graph compiler and the executor.";
  nb::set_leak_warnings(false);  // dtypes and installed functions live as long as the process
  nb::register_exception_translator([](const std::exception_ptr& pointer, void*) {
    try {
      std::rethrow_exception(pointer);
    } catch (const ftrans::MemoryLimitError& error) {
      PyErr_SetString(PyExc_MemoryError, error.what());
    } catch (const ftrans::DtypeError& error) {
      PyErr_SetString(PyExc_TypeError, error.what());
    } catch (const HostError& error) {
      error.restore();
    }
  });
  bind_dtype(module);
  bind_array(module);
  bind_operations(module);
  bind_interop(module);
  bind_runtime(module);
  bind_program(module);
  bind_host_function(module);
  bind_dispatch(module);
  bind_metal(module);
  bind_interpreting(module);
  bind_primitive(module);
  bind_source(module);
  bind_tracebacks(module);
  bind_custom_kernel(module);
}
