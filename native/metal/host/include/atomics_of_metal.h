#pragma once

// Which atomic operations Metal has on which types, for kernels that are checked.

namespace metal {

#define FTRANS_ATOMIC(space, T)                                                                     \
  T atomic_load_explicit(const volatile space atomic<T>*, memory_order);                            \
  void atomic_store_explicit(volatile space atomic<T>*, T, memory_order);                           \
  T atomic_exchange_explicit(volatile space atomic<T>*, T, memory_order);                           \
  bool atomic_compare_exchange_weak_explicit(volatile space atomic<T>*, thread T*, T, memory_order, \
                                             memory_order);
#define FTRANS_ATOMIC_SUM(space, T)                                        \
  T atomic_fetch_add_explicit(volatile space atomic<T>*, T, memory_order); \
  T atomic_fetch_sub_explicit(volatile space atomic<T>*, T, memory_order);
#define FTRANS_ATOMIC_INTEGER(space, T)                                    \
  FTRANS_ATOMIC(space, T)                                                  \
  FTRANS_ATOMIC_SUM(space, T)                                              \
  T atomic_fetch_max_explicit(volatile space atomic<T>*, T, memory_order); \
  T atomic_fetch_min_explicit(volatile space atomic<T>*, T, memory_order); \
  T atomic_fetch_and_explicit(volatile space atomic<T>*, T, memory_order); \
  T atomic_fetch_or_explicit(volatile space atomic<T>*, T, memory_order);  \
  T atomic_fetch_xor_explicit(volatile space atomic<T>*, T, memory_order);
FTRANS_ATOMIC_INTEGER(device, int)
FTRANS_ATOMIC_INTEGER(device, uint)
FTRANS_ATOMIC_INTEGER(threadgroup, int)
FTRANS_ATOMIC_INTEGER(threadgroup, uint)
FTRANS_ATOMIC(device, bool)
FTRANS_ATOMIC(threadgroup, bool)
FTRANS_ATOMIC(device, float)
FTRANS_ATOMIC_SUM(device, float)
void atomic_max_explicit(volatile device atomic<ulong>*, ulong, memory_order);
void atomic_min_explicit(volatile device atomic<ulong>*, ulong, memory_order);
#undef FTRANS_ATOMIC_INTEGER
#undef FTRANS_ATOMIC_SUM
#undef FTRANS_ATOMIC

}  // namespace metal
