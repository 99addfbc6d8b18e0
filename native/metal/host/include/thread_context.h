#pragma once

// What a kernel on the host Metal device knows of the thread that runs it. Plain types: kernels are compiled
// separately, with this header and without any other.

namespace ftrans::metal::host {

constexpr unsigned kSimdWidth = 32;
constexpr unsigned kMostBindings = 31;
constexpr unsigned kExchangeBytes = 16;  ///< the most that a lane shows the others at a time

/// What the lanes of a SIMD-group show each other.
struct Exchange {
  alignas(16) unsigned char values[kSimdWidth][kExchangeBytes];
  unsigned active;  ///< bit i: lane i took part
};

struct ThreadContext {
  unsigned position_in_grid[3];
  unsigned position_in_threadgroup[3];
  unsigned threadgroup_position[3];
  unsigned threads_per_threadgroup[3];
  unsigned threadgroups_per_grid[3];
  unsigned threads_per_grid[3];
  unsigned index_in_threadgroup;
  unsigned lane;
  unsigned simdgroup;
  unsigned simdgroups;
  unsigned* blocks;                    ///< how many basic blocks threads have begun, in checked kernels
  void* const* buffers;                ///< by [[buffer(i)]]
  void* const* threadgroup_arguments;  ///< by [[threadgroup(i)]]

  /// Waits for all threads of the threadgroup (of the SIMD-group, if `simdgroup_only`). `line` is
  /// the barrier's place in the source, which must be the same for all of them.
  void (*barrier)(ThreadContext*, bool simdgroup_only, unsigned line);
  /// Shows `bytes` bytes to the lanes of the SIMD-group and waits until all of them have come to
  /// this line.
  const Exchange* (*exchange)(ThreadContext*, const void* value, unsigned bytes, unsigned line);
  /// The memory of a `threadgroup` variable, the same for all threads of the threadgroup.
  void* (*threadgroup_variable)(ThreadContext*, unsigned number, unsigned long bytes);
  /// Called before each access to memory, in checked kernels.
  void (*access)(ThreadContext*, const void* address, unsigned long bytes, bool writes);
  /// Called by one lane for each product of two matrices that a SIMD-group holds.
  void (*matrix_product)(ThreadContext*);
  /// Called now and then, in checked kernels: stops one that runs for too long.
  void (*look_at_clock)(ThreadContext*);
};

using ThreadFunction = void (*)(ThreadContext*);

}  // namespace ftrans::metal::host
