#include <nanobind/stl/string.h>

#include "bindings/array.h"
#include "metal/steps/custom.h"

namespace ftrans::bindings {

void bind_custom_kernel(nb::module_& module) {
  module.def("metal_kernel_number", &metal::custom_kernel_number, nb::arg("name"), nb::arg("text"),
             "The number of a Metal kernel of this name in this text: the first parameter of metal_kernel.");
}

}  // namespace ftrans::bindings
