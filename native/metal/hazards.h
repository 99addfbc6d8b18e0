#pragma once

#include <cstdint>
#include <map>

#include "core/gpu.h"

namespace ftrans::metal {

/// What the dispatches since the last barrier have read and written.
class Hazards {
 public:
  /// Whether a step must not overlap with them: it reads or writes what they wrote, or writes what they read.
  bool conflict_with(const GpuArguments& arguments) const;

  void add(const GpuArguments& arguments);

  void clear() {
    read_.clear();
    written_.clear();
  }

 private:
  /// Disjoint ranges of addresses, by their begin: their ends.
  using Ranges = std::map<uintptr_t, uintptr_t>;

  Ranges read_, written_;
};

}  // namespace ftrans::metal
