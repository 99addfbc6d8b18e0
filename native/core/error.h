#pragma once

#include <stdexcept>
#include <string>

namespace ftrans {

/// An allocation would pass the memory limit; becomes Python's MemoryError.
struct MemoryLimitError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace ftrans
