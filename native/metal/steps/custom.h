#pragma once

#include <cstdint>
#include <string>

// Kernels that users write. ftrans/metal_kernel.py makes their text, with these bindings: the inputs, the
// outputs, then numbers: the inputs' shapes one behind the other (int), the offsets of their elements (0, …,
// 0) and then their strides (int64), and the grid (uint: its extents in threads, those of a whole
// threadgroup, the first threadgroup of the dispatch).
namespace ftrans::metal {

/// A number for this text with a kernel of this name, the same for equal ones: what a MetalKernel has as its
/// first native parameter.
int64_t custom_kernel_number(const std::string& name, const std::string& text);

}  // namespace ftrans::metal
