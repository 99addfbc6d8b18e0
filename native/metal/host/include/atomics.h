#pragma once

// Atomic operations for kernels that run.

namespace metal {

template <class T>
T atomic_load_explicit(const volatile atomic<T>* object, memory_order) {
  T value;
  __atomic_load(&object->value, &value, __ATOMIC_RELAXED);
  return value;
}
template <class T>
void atomic_store_explicit(volatile atomic<T>* object, T value, memory_order) {
  __atomic_store(&object->value, &value, __ATOMIC_RELAXED);
}
template <class T>
T atomic_exchange_explicit(volatile atomic<T>* object, T value, memory_order) {
  T before;
  __atomic_exchange(&object->value, &value, &before, __ATOMIC_RELAXED);
  return before;
}
template <class T>
bool atomic_compare_exchange_weak_explicit(volatile atomic<T>* object, T* expected, T desired, memory_order,
                                           memory_order) {
  return __atomic_compare_exchange(&object->value, expected, &desired, true, __ATOMIC_RELAXED,
                                   __ATOMIC_RELAXED);
}

template <class T, class F>
T atomic_update(volatile atomic<T>* object, F f) {
  T before = atomic_load_explicit(object, memory_order_relaxed);
  while (!atomic_compare_exchange_weak_explicit(object, &before, f(before), memory_order_relaxed,
                                                memory_order_relaxed)) {
  }
  return before;
}
#define FTRANS_FETCH(name, expression)                                              \
  template <class T>                                                                \
  T atomic_fetch_##name##_explicit(volatile atomic<T>* object, T b, memory_order) { \
    return atomic_update(object, [b](T a) { return static_cast<T>(expression); });  \
  }
FTRANS_FETCH(add, a + b)
FTRANS_FETCH(sub, a - b)
FTRANS_FETCH(max, max(a, b))
FTRANS_FETCH(min, min(a, b))
FTRANS_FETCH(and, a& b)
FTRANS_FETCH(or, a | b)
FTRANS_FETCH(xor, a ^ b)
#undef FTRANS_FETCH

}  // namespace metal
