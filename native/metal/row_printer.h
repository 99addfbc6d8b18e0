#pragma once

#include "metal/printer.h"

namespace ftrans::metal {

/// Prints a kernel with reductions inside, for a variant in Phases.
PrintedKernel print_rows(const FusedKernel& kernel, const std::vector<Source>& sources,
                         const Variant& variant);

}  // namespace ftrans::metal
