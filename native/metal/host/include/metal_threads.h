#pragma once

// A kernel's thread: its place in the grid, barriers, threadgroup memory, and operations across a SIMD-group.

#include "metal_math.h"
#include "thread_context.h"

namespace ftrans::metal::host {

/// Tells the thread that runs; set when the library is loaded. A `thread_local` in each library would be
/// simpler, but ThreadSanitizer's run-time guesses the sizes of such variables from whatever lies before them
/// in memory.
inline ThreadContext* (*running_thread)() = nullptr;

/// Kept out of the checks of memory accesses, which need it themselves.
__attribute__((noinline, no_sanitize("thread"), no_sanitize_coverage)) inline ThreadContext*
thread_context() {
  return running_thread ? running_thread() : nullptr;
}

/// Converts to whichever type a kernel's parameter of this position has.
struct Position {
  const unsigned* at;
  operator unsigned() const { return at[0]; }
  operator unsigned short() const { return static_cast<unsigned short>(at[0]); }
  operator ::metal::vec<unsigned, 2>() const { return {at[0], at[1]}; }
  operator ::metal::vec<unsigned, 3>() const { return {at[0], at[1], at[2]}; }
};

template <class T>
struct Binding;
template <class T>
struct Binding<T*> {
  static T* get(void* memory) { return static_cast<T*>(memory); }
};
template <class T>
struct Binding<T&> {
  static T& get(void* memory) { return *static_cast<T*>(memory); }
};

template <class T>
T& threadgroup_variable(unsigned number) {
  return *static_cast<T*>(thread_context()->threadgroup_variable(thread_context(), number, sizeof(T)));
}

/// The value of every lane that takes part.
template <class T>
struct Lanes {
  static_assert(sizeof(T) <= kExchangeBytes, "a lane shows at most 16 bytes at a time");
#ifdef FTRANS_METAL_CHECK
  static_assert(!::metal::is_same_v<T, bool> && !::metal::is_same_v<T, bfloat> &&
                    !::metal::is_same_v<T, long> && !::metal::is_same_v<T, ulong>,
                "SIMD-groups exchange numbers of up to 32 bits, but not bfloat");
#endif

  Lanes(const T& mine, unsigned line)
      : exchange(thread_context()->exchange(thread_context(), &mine, sizeof(T), line)) {}

  bool active(unsigned lane) const { return lane < kSimdWidth && (exchange->active >> lane & 1); }

  /// Of a lane that does not take part: garbage, as on hardware.
  T operator[](unsigned lane) const {
    T value;
    if (active(lane)) {
      __builtin_memcpy(&value, exchange->values[lane], sizeof(T));
    } else {
      __builtin_memset(&value, 0xff, sizeof(T));
    }
    return value;
  }

  template <class F>
  T reduce(F f) const {
    bool first = true;
    T result{};
    for (unsigned lane = 0; lane < kSimdWidth; ++lane) {
      if (!active(lane)) continue;
      result = first ? (*this)[lane] : f(result, (*this)[lane]);
      first = false;
    }
    return result;
  }

  const Exchange* exchange;
};

}  // namespace ftrans::metal::host

namespace metal {

enum class mem_flags { mem_none = 0, mem_device = 1, mem_threadgroup = 2 };
constexpr mem_flags operator|(mem_flags a, mem_flags b) {
  return static_cast<mem_flags>(static_cast<int>(a) | static_cast<int>(b));
}

inline void threadgroup_barrier(mem_flags, unsigned line = __builtin_LINE()) {
  namespace host = ftrans::metal::host;
  host::thread_context()->barrier(host::thread_context(), false, line);
}
inline void simdgroup_barrier(mem_flags, unsigned line = __builtin_LINE()) {
  namespace host = ftrans::metal::host;
  host::thread_context()->barrier(host::thread_context(), true, line);
}

template <class T>
T simd_broadcast(T x, ushort lane, unsigned line = __builtin_LINE()) {
  return ftrans::metal::host::Lanes<T>(x, line)[lane];
}
template <class T>
T simd_broadcast_first(T x, unsigned line = __builtin_LINE()) {
  const ftrans::metal::host::Lanes<T> lanes(x, line);
  return lanes[static_cast<unsigned>(__builtin_ctz(lanes.exchange->active))];
}
template <class T>
T simd_shuffle(T x, ushort lane, unsigned line = __builtin_LINE()) {
  return ftrans::metal::host::Lanes<T>(x, line)[lane];
}
template <class T>
T simd_shuffle_xor(T x, ushort mask, unsigned line = __builtin_LINE()) {
  const unsigned mine = ftrans::metal::host::thread_context()->lane;
  return ftrans::metal::host::Lanes<T>(x, line)[mine ^ mask];
}
template <class T>
T simd_shuffle_down(T x, ushort delta, unsigned line = __builtin_LINE()) {
  const unsigned mine = ftrans::metal::host::thread_context()->lane;
  return ftrans::metal::host::Lanes<T>(x, line)[mine + delta];
}
template <class T>
T simd_shuffle_up(T x, ushort delta, unsigned line = __builtin_LINE()) {
  const unsigned mine = ftrans::metal::host::thread_context()->lane;
  return ftrans::metal::host::Lanes<T>(x, line)[mine - delta];
}

#define FTRANS_SIMD_REDUCTION(name, expression)               \
  template <class T>                                          \
  T name(T x, unsigned line = __builtin_LINE()) {             \
    return ftrans::metal::host::Lanes<T>(x, line).reduce(     \
        [](T a, T b) { return static_cast<T>(expression); }); \
  }
FTRANS_SIMD_REDUCTION(simd_sum, a + b)
FTRANS_SIMD_REDUCTION(simd_product, a* b)
FTRANS_SIMD_REDUCTION(simd_max, max(a, b))
FTRANS_SIMD_REDUCTION(simd_min, min(a, b))
FTRANS_SIMD_REDUCTION(simd_and, a& b)
FTRANS_SIMD_REDUCTION(simd_or, a | b)
FTRANS_SIMD_REDUCTION(simd_xor, a ^ b)
#undef FTRANS_SIMD_REDUCTION

inline bool simd_any(bool x, unsigned line = __builtin_LINE()) {
  return ftrans::metal::host::Lanes<uint>(x, line).reduce([](uint a, uint b) { return a | b; }) != 0;
}
inline bool simd_all(bool x, unsigned line = __builtin_LINE()) {
  return ftrans::metal::host::Lanes<uint>(x, line).reduce([](uint a, uint b) { return a & b; }) != 0;
}

/// Of the lanes before this one, and of this one if `inclusive`.
template <class T, class F>
T simd_prefix(T x, T identity, bool inclusive, F f, unsigned line) {
  const ftrans::metal::host::Lanes<T> lanes(x, line);
  const unsigned mine = ftrans::metal::host::thread_context()->lane;
  T result = identity;
  for (unsigned lane = 0; lane < mine + (inclusive ? 1 : 0); ++lane) {
    if (lanes.active(lane)) result = f(result, lanes[lane]);
  }
  return result;
}
template <class T>
T simd_prefix_inclusive_sum(T x, unsigned line = __builtin_LINE()) {
  return simd_prefix(x, T(0), true, [](T a, T b) { return static_cast<T>(a + b); }, line);
}
template <class T>
T simd_prefix_exclusive_sum(T x, unsigned line = __builtin_LINE()) {
  return simd_prefix(x, T(0), false, [](T a, T b) { return static_cast<T>(a + b); }, line);
}
template <class T>
T simd_prefix_inclusive_product(T x, unsigned line = __builtin_LINE()) {
  return simd_prefix(x, T(1), true, [](T a, T b) { return static_cast<T>(a * b); }, line);
}
template <class T>
T simd_prefix_exclusive_product(T x, unsigned line = __builtin_LINE()) {
  return simd_prefix(x, T(1), false, [](T a, T b) { return static_cast<T>(a * b); }, line);
}

}  // namespace metal
