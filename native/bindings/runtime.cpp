#include <nanobind/stl/string.h>

#include "bindings/array.h"
#include "core/backend.h"
#include "core/gpu.h"
#include "core/interruption.h"
#include "core/thread_pool.h"
#include "cpu/blas.h"
#include "cpu/fused_executor.h"
#include "graph/execute.h"
#include "graph/passes.h"

namespace ftrans::bindings {
namespace {

/// The Python type `Stream`: a reference to a stream, which lives as long as the process.
struct StreamObject {
  Stream* stream;
};

thread_local Stream* stream_of_thread = nullptr;
thread_local bool nan_safe_of_thread = true;

/// A GPU where there is one.
Device& default_device() {
  static Device device{gpu() ? DeviceKind::Gpu : DeviceKind::Cpu, 0};
  return device;
}

const char* device_name(DeviceKind kind) { return kind == DeviceKind::Cpu ? "cpu" : "gpu"; }

std::string device_text(Device device) {
  return std::string("Device(") + device_name(device.kind) + ", " + std::to_string(device.index) + ")";
}

/// The default stream of a device; says what is available if there is no backend for it.
Stream* stream_of_device(Device device) {
  require_available(device.kind);
  return StreamRegistry::instance().default_stream(device);
}

/// `argument`: "function: name", for messages; `expected`: "a Device".
[[noreturn]] void refuse(nb::handle object, const char* argument, const char* expected) {
  throw nb::type_error(
      (std::string(argument) + " must be " + expected + ", got " + Py_TYPE(object.ptr())->tp_name).c_str());
}

Device device_from_object(nb::handle object, const char* argument) {
  Device* device;
  if (nb::try_cast(object, device) && device) return *device;
  refuse(object, argument, "a Device");
}

Stream* stream_from_object(nb::handle object, const char* argument) {
  StreamObject* stream;
  if (nb::try_cast(object, stream) && stream) return stream->stream;
  Device* device;
  if (nb::try_cast(object, device) && device) return stream_of_device(*device);
  refuse(object, argument, "a Stream or a Device");
}

std::vector<Ref<Value>> values_of(nb::handle arrays) {
  std::vector<Ref<Value>> values;
  for (nb::handle array : arrays) {
    if (!is_array(array.ptr())) throw nb::type_error("eval: expected Arrays");
    PyObject* current = array.ptr();
    while (array_of(current).linked) current = array_of(current).linked;
    if (!array_of(current).is_traced()) values.push_back(array_of(current).value);
  }
  return values;
}

void synchronize(nb::handle where) {
  if (in_host_call()) return;  // its stream, and what waits for it, can't finish before it does
  std::vector<Stream*> streams;
  if (where.is_none()) {
    StreamRegistry& registry = StreamRegistry::instance();
    for (int i = 0; i < registry.count(); ++i) streams.push_back(registry.stream(i));
  } else {
    streams.push_back(stream_from_object(where, "synchronize: stream"));
  }
  for (Stream* stream : streams) {
    for (bool done = false; !done;) {
      {
        nb::gil_scoped_release unlock;
        done = stream->synchronize_for(kInterruptionInterval);
      }
      if (!done && PyErr_CheckSignals() != 0) throw nb::python_error();
    }
  }
}

/// Lets the streams finish while there is an interpreter, and leaves them nothing to do afterwards.
void shut_down() {
  Evaluation::always_block();
  synchronize(nb::none());
}

PyObject* placement_hook = nullptr;  ///< called with a text

nb::list backends() {
  nb::list result;
  for (DeviceKind kind : {DeviceKind::Cpu, DeviceKind::Gpu}) {
    if (is_available(kind)) result.append(device_name(kind));
  }
  return result;
}

void bind_streams(nb::module_& module) {
  nb::class_<Device>(module, "Device", "Where operations run: `ftrans.cpu` or `ftrans.gpu`.")
      .def(
          "__init__",
          [](Device* self, const std::string& type, int index) {
            if (type != "cpu" && type != "gpu")
              throw nb::value_error(("Device: type must be 'cpu' or 'gpu', got '" + type + "'").c_str());
            if (index != 0)
              throw nb::value_error(("Device: index must be 0, got " + std::to_string(index)).c_str());
            new (self) Device{type == "cpu" ? DeviceKind::Cpu : DeviceKind::Gpu, index};
          },
          nb::arg("type"), nb::arg("index") = 0)
      .def_prop_ro(
          "type", [](const Device& self) { return device_name(self.kind); }, "'cpu' or 'gpu'.")
      .def_ro("index", &Device::index)
      .def("__repr__", &device_text)
      .def(
          "__eq__",
          [](const Device& self, nb::handle other) {
            Device* device;
            return nb::try_cast(other, device) && device && *device == self;
          },
          nb::arg("other").none())
      .def("__hash__", [](const Device& self) { return static_cast<int>(self.kind) * 1000003 + self.index; })
      .def("__reduce__", [](const Device& self) { return nb::str(device_name(self.kind)); });
  module.attr("cpu") = Device{DeviceKind::Cpu, 0};
  module.attr("gpu") = Device{DeviceKind::Gpu, 0};
  nb::class_<StreamObject>(module, "Stream", "A queue of operations on a device, which run in order.")
      .def_prop_ro("device", [](const StreamObject& self) { return self.stream->device(); })
      .def_prop_ro("index", [](const StreamObject& self) { return self.stream->index(); })
      .def("__repr__",
           [](const StreamObject& self) {
             return "Stream(" + device_text(self.stream->device()) + ", " +
                    std::to_string(self.stream->index()) + ")";
           })
      .def(
          "__eq__",
          [](const StreamObject& self, nb::handle other) {
            StreamObject* stream;
            return nb::try_cast(other, stream) && stream && stream->stream == self.stream;
          },
          nb::arg("other").none())
      .def("__hash__", [](const StreamObject& self) { return self.stream->index(); });
  module.def(
      "default_device", [] { return default_device(); },
      "The device that operations run on unless told otherwise.");
  module.def(
      "set_default_device",
      [](nb::handle object) {
        const Device device = device_from_object(object, "set_default_device: device");
        require_available(device.kind);
        default_device() = device;
      },
      nb::arg("device"),
      "Sets the device of operations that name no stream. RuntimeError if it has no backend.");
  module.def(
      "default_stream",
      [](nb::handle device) {
        return StreamObject{stream_of_device(device_from_object(device, "default_stream: device"))};
      },
      nb::arg("device"), "The stream of a device that operations run on unless told otherwise.");
  module.def(
      "set_default_stream",
      [](nb::handle object) {
        StreamObject* stream;
        if (!nb::try_cast(object, stream) || !stream)
          refuse(object, "set_default_stream: stream", "a Stream");
        StreamRegistry::instance().set_default_stream(stream->stream);
      },
      nb::arg("stream"), "Makes a stream the default of its device.");
  module.def(
      "new_stream",
      [](nb::handle object) {
        const Device device = device_from_object(object, "new_stream: device");
        require_available(device.kind);
        return StreamObject{StreamRegistry::instance().new_stream(device)};
      },
      nb::arg("device"), "A new stream of a device. RuntimeError if the device has no backend.");
  module.def("current_stream", &stream_object,
             "The stream set by set_current_stream in this thread, or None.");
  module.def("set_current_stream", &set_stream, nb::arg("stream").none(),
             "Sets the stream (or device) of this thread's operations; None for the default.");
  module.def("synchronize", &synchronize, nb::arg("stream") = nb::none(),
             "Blocks until what was submitted to a stream (to every stream, with None) is done. Inside of a "
             "callback, "
             "which streams may be waiting for, it returns at once.");
}

void bind_memory(nb::module_& module) {
  module.def(
      "get_active_memory", [] { return Allocator::instance().active_memory(); }, "Bytes in use by arrays.");
  module.def(
      "get_peak_memory", [] { return Allocator::instance().peak_memory(); },
      "The most bytes in use at a time since the start or the last reset_peak_memory().");
  module.def(
      "get_cache_memory", [] { return Allocator::instance().cache_memory(); }, "Bytes kept for reuse.");
  module.def("get_memory_limit", [] { return Allocator::instance().memory_limit(); });
  module.def("reset_peak_memory", [] { Allocator::instance().reset_peak_memory(); });
  module.def(
      "set_memory_limit", [](size_t limit) { return Allocator::instance().set_memory_limit(limit); },
      nb::arg("limit"),
      "Bytes that arrays may use; an evaluation that needs more raises MemoryError. Returns the previous "
      "limit.");
  module.def(
      "set_cache_limit", [](size_t limit) { return Allocator::instance().set_cache_limit(limit); },
      nb::arg("limit"), "Bytes that may be kept for reuse. Returns the previous limit.");
  module.def(
      "clear_cache", [] { Allocator::instance().clear_cache(); },
      "Gives the kept memory back to the system.");
}

}  // namespace

void tell_placement() {
  for (const std::string& note : take_placement_notes()) {
    if (placement_hook) nb::borrow(placement_hook)(note);
  }
}

nb::object stream_object() {
  return stream_of_thread ? nb::cast(StreamObject{stream_of_thread}) : nb::none();
}

void set_stream(nb::handle stream) {
  stream_of_thread = stream.is_none() ? nullptr : stream_from_object(stream, "stream: where");
}

bool nan_safe_derivatives() { return nan_safe_of_thread; }

Stream* current_stream() { return stream_of_thread ? stream_of_thread : stream_of_device(default_device()); }

void bind_runtime(nb::module_& module) {
  module.def("eval", [](nb::handle arrays) { evaluate(values_of(arrays), true); }, nb::arg("arrays"));
  module.def("shut_down", &shut_down, "Waits for the streams; from now on every evaluation is waited for.");
  module.def("async_eval", [](nb::handle arrays) { evaluate(values_of(arrays), false); }, nb::arg("arrays"));
  bind_streams(module);
  module.def("nan_safe_derivatives", &nan_safe_derivatives,
             "Whether derivative rules of this thread let a zero annihilate infinities and NaN.");
  module.def(
      "set_nan_safe_derivatives", [](bool enabled) { nan_safe_of_thread = enabled; }, nb::arg("enabled"));
  bind_memory(module);
  module.def(
      "set_placement_hook", [](nb::object hook) { placement_hook = hook.release().ptr(); }, nb::arg("hook"),
      "The function that is told, once each, which operations of a GPU's streams run on the processor.");
  module.def("backends", &backends, "Names of the devices that have a backend.");
  module.def("instruction_set", &cpu::instruction_set, "The SIMD instruction set that the kernels use.");
  module.def("blas_description", &cpu::blas_description,
             "Library, version and core type of the BLAS in use.");
  module.def("set_blas_path", [](std::string path) { cpu::set_blas_path(std::move(path)); }, nb::arg("path"));
  module.def(
      "thread_count", [] { return ThreadPool::instance().size(); }, "Threads that work on one operation.");
}

}  // namespace ftrans::bindings
