#pragma once

#include <vector>

#include "core/value.h"
#include "graph/program.h"

namespace ftrans::bindings {

/// The Python type `Program`: a compiled graph with the arrays that it closed over.
struct ProgramObject {
  Ref<Program> program;
  std::vector<Ref<Value>> captured;  ///< follow the inputs
  int result_count =
      0;  ///< outputs that the caller gets; the others are there for the effects of making them
  std::vector<bool> weak_types;  ///< of the outputs
  std::vector<Dtype> dtypes;
  std::vector<Dims> shapes;

  bool has_effects() const { return dtypes.size() > static_cast<size_t>(result_count); }

  /// Adds a node that runs the program, or runs it if it has effects. The inputs must have the types that it
  /// was compiled for.
  std::vector<Ref<Value>> call(std::vector<Ref<Value>> inputs) const;
};

}  // namespace ftrans::bindings
