#pragma once

#include <vector>

#include "core/value.h"
#include "graph/program.h"

namespace ftrans::bindings {

/// The Python type `Program`: a compiled graph with the arrays that it closed over.
struct ProgramObject {
  Ref<Program> program;
  std::vector<Ref<Value>> captured;  ///< follow the inputs
  std::vector<bool> weak_types;      ///< of the outputs
  std::vector<Dtype> dtypes;
  std::vector<Dims> shapes;

  /// Adds a node that runs the program. The inputs must have the types that it was compiled for.
  std::vector<Ref<Value>> call(std::vector<Ref<Value>> inputs) const;
};

}  // namespace ftrans::bindings
