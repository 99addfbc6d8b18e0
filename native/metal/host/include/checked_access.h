#pragma once

// Checked kernels are compiled with the instrumentation of GCC's and Clang's thread sanitizer, which calls
// these functions around each access to memory, and of their coverage tool. Here they show the access to the
// host device instead.

#include "metal_threads.h"

#define FTRANS_UNCHECKED \
  extern "C" __attribute__((noinline, used, no_sanitize("thread"), no_sanitize_coverage))

namespace ftrans::metal::host {
__attribute__((noinline, no_sanitize("thread"), no_sanitize_coverage)) inline void check(
    const volatile void* address, unsigned long bytes, bool writes) {
  ThreadContext* context = thread_context();
  if (context) context->access(context, const_cast<const void*>(address), bytes, writes);
}
}  // namespace ftrans::metal::host

/// Called at the beginning of each basic block, so that a loop without end is noticed.
FTRANS_UNCHECKED void __sanitizer_cov_trace_pc() {
  ftrans::metal::host::ThreadContext* context = ftrans::metal::host::thread_context();
  if (context && ++*context->blocks % (1u << 16) == 0) context->look_at_clock(context);
}

FTRANS_UNCHECKED void __tsan_init() {}
FTRANS_UNCHECKED void __tsan_func_entry(void*) {}
FTRANS_UNCHECKED void __tsan_func_exit() {}
FTRANS_UNCHECKED void __tsan_vptr_update(void*, void*) {}
FTRANS_UNCHECKED void __tsan_vptr_read(void*) {}
FTRANS_UNCHECKED void __tsan_read_range(void* p, unsigned long n) { ftrans::metal::host::check(p, n, false); }
FTRANS_UNCHECKED void __tsan_write_range(void* p, unsigned long n) { ftrans::metal::host::check(p, n, true); }

#define FTRANS_ACCESS(bytes)                                                                         \
  FTRANS_UNCHECKED void __tsan_read##bytes(void* p) { ftrans::metal::host::check(p, bytes, false); } \
  FTRANS_UNCHECKED void __tsan_write##bytes(void* p) { ftrans::metal::host::check(p, bytes, true); } \
  FTRANS_UNCHECKED void __tsan_unaligned_read##bytes(void* p) {                                      \
    ftrans::metal::host::check(p, bytes, false);                                                     \
  }                                                                                                  \
  FTRANS_UNCHECKED void __tsan_unaligned_write##bytes(void* p) {                                     \
    ftrans::metal::host::check(p, bytes, true);                                                      \
  }                                                                                                  \
  FTRANS_UNCHECKED void __tsan_volatile_read##bytes(void* p) {                                       \
    ftrans::metal::host::check(p, bytes, false);                                                     \
  }                                                                                                  \
  FTRANS_UNCHECKED void __tsan_volatile_write##bytes(void* p) { ftrans::metal::host::check(p, bytes, true); }
FTRANS_ACCESS(1)
FTRANS_ACCESS(2)
FTRANS_ACCESS(4)
FTRANS_ACCESS(8)
FTRANS_ACCESS(16)
#undef FTRANS_ACCESS

// The atomic operations that metal_atomic.h uses.
#define FTRANS_ATOMIC(bits, T)                                                                               \
  FTRANS_UNCHECKED T __tsan_atomic##bits##_load(const volatile T* p, int) {                                  \
    ftrans::metal::host::check(p, bits / 8, false);                                                          \
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                             \
  }                                                                                                          \
  FTRANS_UNCHECKED void __tsan_atomic##bits##_store(volatile T* p, T value, int) {                           \
    ftrans::metal::host::check(p, bits / 8, true);                                                           \
    __atomic_store_n(p, value, __ATOMIC_SEQ_CST);                                                            \
  }                                                                                                          \
  FTRANS_UNCHECKED T __tsan_atomic##bits##_exchange(volatile T* p, T value, int) {                           \
    ftrans::metal::host::check(p, bits / 8, true);                                                           \
    return __atomic_exchange_n(p, value, __ATOMIC_SEQ_CST);                                                  \
  }                                                                                                          \
  FTRANS_UNCHECKED int __tsan_atomic##bits##_compare_exchange_weak(volatile T* p, T* expected, T value, int, \
                                                                   int) {                                    \
    ftrans::metal::host::check(p, bits / 8, true);                                                           \
    return __atomic_compare_exchange_n(p, expected, value, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);        \
  }                                                                                                          \
  FTRANS_UNCHECKED int __tsan_atomic##bits##_compare_exchange_strong(volatile T* p, T* expected, T value,    \
                                                                     int, int) {                             \
    ftrans::metal::host::check(p, bits / 8, true);                                                           \
    return __atomic_compare_exchange_n(p, expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);       \
  }
FTRANS_ATOMIC(8, unsigned char)
FTRANS_ATOMIC(32, unsigned)
FTRANS_ATOMIC(64, unsigned long)
#undef FTRANS_ATOMIC
#undef FTRANS_UNCHECKED
