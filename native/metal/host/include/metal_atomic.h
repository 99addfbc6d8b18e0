#pragma once

// Atomic operations, with the relaxed order that Metal has.

#include "metal_math.h"

namespace metal {

enum memory_order { memory_order_relaxed };

template <class T>
struct atomic {
  T value;
};

}  // namespace metal

using atomic_int = metal::atomic<int>;
using atomic_uint = metal::atomic<unsigned>;
using atomic_bool = metal::atomic<bool>;
using atomic_float = metal::atomic<float>;
using atomic_ulong = metal::atomic<unsigned long>;

#ifdef FTRANS_METAL_CHECK
#include "atomics_of_metal.h"
#else
#include "atomics.h"
#endif
