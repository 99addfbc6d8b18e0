#pragma once

// The loops that every kernel is made of. This header and all that it serves is compiled once for each
// instruction set, in a namespace of its own; it must not use inline functions of other headers that are not
// inlined for certain, since the linker keeps just one copy of these.

#include <cstdint>
#include <type_traits>

#include "cpu/simd/kernel_set.h"

/// Before a loop whose iterations do not depend on each other: an output may be the memory of an input, but
/// only element for element.
#if defined(__clang__)
#define FTRANS_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define FTRANS_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace ftrans::cpu::FTRANS_ISA_NAMESPACE {

template <class Op, class Out, class T>
void unary_loop(void* out, const void* a, const void*, const void*, int64_t n) {
  auto* o = static_cast<Out*>(out);
  auto* x = static_cast<const T*>(a);
  FTRANS_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) o[i] = Op::apply(x[i]);
}

/// For functions whose fast form has a limited domain: tiles with an element beyond it take the slow form for
/// these.
template <class Op, class T>
void guarded_unary_loop(void* out, const void* a, const void* b, const void* c, int64_t n) {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  auto* x = static_cast<const T*>(a);
  Bits outside = 0;
  for (int64_t i = 0; i < n; ++i) outside |= Op::in_domain(x[i]) ? Bits{0} : Bits{1};
  if (outside == 0) return unary_loop<Op, T, T>(out, a, b, c, n);
  auto* o = static_cast<T*>(out);
  for (int64_t i = 0; i < n; ++i) o[i] = Op::in_domain(x[i]) ? Op::apply(x[i]) : Op::slow(x[i]);
}

template <class Op, class Out, class T, bool scalar_a, bool scalar_b>
void binary_loop(void* out, const void* a, const void* b, const void*, int64_t n) {
  auto* o = static_cast<Out*>(out);
  auto* x = static_cast<const T*>(a);
  auto* y = static_cast<const T*>(b);
  if (n == 0) return;
  const T x0 = x[0], y0 = y[0];
  FTRANS_INDEPENDENT
  for (int64_t i = 0; i < n; ++i) o[i] = Op::apply(scalar_a ? x0 : x[i], scalar_b ? y0 : y[i]);
}

template <class Op, class Out, class T>
KernelVariants unary(int cost = 1) {
  return {{unary_loop<Op, Out, T>}, false, cost};
}

template <class Op, class T>
KernelVariants guarded_unary(int cost) {
  return {{guarded_unary_loop<Op, T>}, false, cost};
}

/// Without scalar forms: for operations whose own cost hides that of a splat.
template <class Op, class Out, class T>
KernelVariants plain_binary(int cost = 1) {
  return {{binary_loop<Op, Out, T, false, false>}, false, cost};
}

template <class Op, class Out, class T>
KernelVariants binary(int cost = 1) {
  return {{binary_loop<Op, Out, T, false, false>, binary_loop<Op, Out, T, true, false>,
           binary_loop<Op, Out, T, false, true>},
          false,
          cost};
}

template <class Op, class Out, class T>
KernelVariants commutative_binary(int cost = 1) {
  return {{binary_loop<Op, Out, T, false, false>, nullptr, binary_loop<Op, Out, T, false, true>}, true, cost};
}

/// Unsigned arithmetic of at least 32 bits: wraps, without the signed overflow that integer promotion brings.
template <class T>
using Wide = std::make_unsigned_t<decltype(T{} + 0u)>;

}  // namespace ftrans::cpu::FTRANS_ISA_NAMESPACE
