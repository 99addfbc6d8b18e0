// What Python sees of Metal; ftrans/metal.py shows it to users.

#include <nanobind/stl/string.h>

#include "bindings/array.h"
#include "core/gpu.h"
#include "metal/api.h"
#include "metal/counters.h"
#ifndef __APPLE__
#include "metal/host/device.h"
#endif

namespace ftrans::bindings {
namespace {

metal::Device& require_device() {
  metal::Device* device = metal::device();
  if (!device) {
    throw std::runtime_error(
        "there is no Metal device here; the Metal backend comes with the macOS wheel on Apple silicon");
  }
  return *device;
}

nb::dict device_info() {
  const metal::DeviceInfo info = require_device().info();
  nb::dict result;
  result["name"] = info.name;
  result["architecture"] = info.architecture;
  result["memory size"] = info.memory_size;
  result["threadgroup memory"] = info.most_threadgroup_memory;
  result["longest buffer"] = info.longest_buffer;
  result["memory limit"] = Allocator::instance().memory_limit();
  return result;
}

nb::dict counters() {
  require_device();
  const metal::Counters& counters = metal::counters();
  nb::dict result;
  result["kernel launches"] = counters.kernel_launches.load();
  result["command buffers"] = counters.command_buffers.load();
  result["bytes copied"] = counters.bytes_copied.load();
  return result;
}

void start_capture(const std::string& path) { require_device().start_capture(path); }
void stop_capture() { require_device().stop_capture(); }

#ifndef __APPLE__
/// Sets how the host device runs, and what it lets fail (native/metal/host/device.h).
void set_host_option(const std::string& name, int64_t value) {
  if (!dynamic_cast<metal::host::HostDevice*>(&require_device()))
    throw std::runtime_error("the device is not the host Metal device");
  metal::host::Options& options = metal::host::options();
  if (name == "seed") {
    options.seed = static_cast<uint64_t>(value);
  } else if (name == "milliseconds") {
    options.milliseconds = static_cast<int>(value);
  } else if (name == "held") {
    options.held = value != 0;
  } else if (name == "failing_compilations") {
    options.failing_compilations = static_cast<int>(value);
  } else if (name == "failing_allocations") {
    options.failing_allocations = static_cast<int>(value);
  } else if (name == "failing_command_buffers") {
    options.failing_command_buffers = static_cast<int>(value);
  } else {
    throw std::invalid_argument("the host Metal device has no option '" + name + "'");
  }
}
#endif

}  // namespace

void bind_metal(nb::module_& module) {
  module.def(
      "metal_is_available", [] { return metal::device() != nullptr; }, "Whether there is a Metal device.");
  module.def("metal_device_info", &device_info, "What is known of the Metal device.");
  module.def("metal_counters", &counters, "What the Metal device has done since the process began.");
  module.def("metal_start_capture", &start_capture, nb::arg("path"), "Begins a capture.");
  module.def("metal_stop_capture", &stop_capture, "Ends the capture.");
#ifndef __APPLE__  // which the host device is not built on
  module.def("set_host_metal_option", &set_host_option, nb::arg("name"), nb::arg("value"),
             "Sets how the host Metal device runs, and what it lets fail: for tests.");
#endif
}

}  // namespace ftrans::bindings
