// The kernel set of one instruction set: the families together, and the kernels that only move elements.

#include "cpu/simd/kernel_set.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "cpu/simd/kernel_parts.h"
#include "cpu/simd/loops.h"

namespace ftrans::cpu::FTRANS_ISA_NAMESPACE {
namespace {

KernelVariants elementwise(Opcode opcode, Dtype dtype) {
  if (auto variants = arithmetic_kernels(opcode, dtype)) return variants;
  if (auto variants = comparison_kernels(opcode, dtype)) return variants;
  if (auto variants = complex_kernels(opcode, dtype)) return variants;
  if (auto variants = integer_division_kernels(opcode, dtype)) return variants;
  if (auto variants = special_kernels(opcode, dtype)) return variants;
  if (opcode == Opcode::Pow) {
    if (auto variants = integer_power_kernels(dtype)) return variants;
  }
  if (opcode == Opcode::ErfInvGiles) return erf_inv_giles_kernels(dtype);
  return transcendental_kernels(opcode, dtype);
}

template <class T>
void splat_loop(void* out, const void* a, const void*, const void*, int64_t n) {
  auto* o = static_cast<T*>(out);
  const T value = *static_cast<const T*>(a);
  for (int64_t i = 0; i < n; ++i) o[i] = value;
}

struct Pair {
  uint64_t words[2];
};

Kernel splat(int64_t itemsize) {
  switch (itemsize) {
    case 1: return splat_loop<uint8_t>;
    case 2: return splat_loop<uint16_t>;
    case 4: return splat_loop<uint32_t>;
    case 8: return splat_loop<uint64_t>;
    default: return splat_loop<Pair>;
  }
}

void ramp(void* out, const void* first, const void* step, const void*, int64_t n) {
  auto* o = static_cast<int64_t*>(out);
  const int64_t start = *static_cast<const int64_t*>(first), stride = *static_cast<const int64_t*>(step);
  for (int64_t i = 0; i < n; ++i) o[i] = start + i * stride;
}

void stream_copy(void* out, const void* in, const void*, const void*, int64_t bytes) {
#if defined(__SSE2__)
#if defined(__AVX512F__)
  using Block = __m512i;
  const auto store = [](void* to, const void* from) {
    _mm512_stream_si512(static_cast<Block*>(to), _mm512_loadu_si512(from));
  };
#else
  using Block = __m128i;
  const auto store = [](void* to, const void* from) {
    _mm_stream_si128(static_cast<Block*>(to), _mm_loadu_si128(static_cast<const Block*>(from)));
  };
#endif
  auto* o = static_cast<char*>(out);
  auto* x = static_cast<const char*>(in);
  constexpr int64_t width = sizeof(Block);
  int64_t i = -reinterpret_cast<intptr_t>(o) & (width - 1);
  if (i > bytes) i = bytes;
  __builtin_memcpy(o, x, i);
  for (; i + width <= bytes; i += width) store(o + i, x + i);
  __builtin_memcpy(o + i, x + i, bytes - i);
#else
  __builtin_memcpy(out, in, bytes);
#endif
}

}  // namespace

extern const KernelSet kKernelSet;
const KernelSet kKernelSet = {FTRANS_ISA_NAME,
                              elementwise,
                              mul_add_kernels,
                              chain_kernel,
                              convert_kernel,
                              round_to_half_kernel,
                              tile_product_kernel,
                              reduction_kernels,
                              splat,
                              ramp,
                              stream_copy,
                              key_sort};

}  // namespace ftrans::cpu::FTRANS_ISA_NAMESPACE
