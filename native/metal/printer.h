#pragma once

#include <string>
#include <vector>

#include "metal/expressions.h"
#include "metal/fused_layout.h"

namespace ftrans::metal {

/// A fused kernel as MSL. Several may share a library: their names differ if their texts do.
struct PrintedKernel {
  std::string name;
  std::string text;
  /// Which library functions it calls.
  bool uses_functions = false, uses_special = false, uses_gamma = false, uses_complex = false,
       uses_exchange = false;
  /// More sources that it calls (kernels.h), each after those that it needs itself.
  std::vector<const char*> sources;
};

/// Prints `kernel` for the iteration spaces of `variant`. Bindings: input i at buffer i, output i after the
/// inputs, Layout::parameters (32 bits a number, 64 if the variant is wide) after the outputs.
/// Throws std::invalid_argument, with the name of the operation, for what Metal cannot do: float64 and
/// complex128, an operation that has no function for a dtype, more than 30 inputs and outputs.
PrintedKernel print(const FusedKernel& kernel, const std::vector<Source>& sources, const Variant& variant);

/// A name of its own for a kernel of this text.
std::string kernel_name(const std::string& prefix, const std::string& text);

/// The source text of a library of kernels.
std::string library_source(const std::vector<PrintedKernel>& kernels);

}  // namespace ftrans::metal
