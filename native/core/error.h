#pragma once

#include <stdexcept>
#include <string>

namespace ftrans {

/// An allocation would pass the memory limit; becomes Python's MemoryError.
struct MemoryLimitError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A device has no such dtype; becomes Python's TypeError.
struct DtypeError : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

}  // namespace ftrans
