#pragma once

// Vectors as Clang's own type, for kernels that are checked.

namespace metal {

template <class T, int size>
using vec = T __attribute__((ext_vector_type(size)));

}  // namespace metal
