// Reductions of rows × columns tiles into one accumulator a row, or one a column.

#include "cpu/simd/kernel_parts.h"
#include "cpu/simd/loops.h"

namespace ftrans::cpu::FTRANS_ISA_NAMESPACE {
namespace {

struct Sum {
  template <class T>
  static void combine(T& accumulator, const T& x) {
    accumulator += x;
  }
};
struct Product {
  template <class T>
  static void combine(T& accumulator, const T& x) {
    accumulator *= x;
  }
};
struct Maximum {  // a NaN, once in, stays
  template <class T>
  static void combine(T& accumulator, const T& x) {
    accumulator = ((x > accumulator) | (x != x)) ? x : accumulator;
  }
};
struct Minimum {
  template <class T>
  static void combine(T& accumulator, const T& x) {
    accumulator = ((x < accumulator) | (x != x)) ? x : accumulator;
  }
};
struct BitOr {
  template <class T>
  static void combine(T& accumulator, const T& x) {
    accumulator |= x;
  }
};
struct BitAnd {
  template <class T>
  static void combine(T& accumulator, const T& x) {
    accumulator &= x;
  }
};

/// 64 bytes of T in one arithmetic type, loadable from any address of a T.
template <class T>
struct Lanes {
  static constexpr int count = 64 / sizeof(T);
  typedef T Vector __attribute__((vector_size(64)));
  typedef T Unaligned __attribute__((vector_size(64), aligned(alignof(T)), may_alias));
};

/// One long row, in vector lanes: four accumulators, whose chains of operations do not wait for each other,
/// joined at the end.
template <class Op, class T>
T reduce_row(const T* x, int64_t columns) {
  using Vector = typename Lanes<T>::Vector;
  using Unaligned = typename Lanes<T>::Unaligned;
  constexpr int count = Lanes<T>::count;
  const auto combine = [x](Vector& accumulator, int64_t i) {
    const Vector u = *reinterpret_cast<const Unaligned*>(x + i);
    Op::combine(accumulator, u);
  };
  T result = x[0];
  int64_t i = 1;
  if (columns >= 2 * count) {
    Vector joined = *reinterpret_cast<const Unaligned*>(x);
    i = count;
    if (columns >= 4 * count) {
      Vector second = *reinterpret_cast<const Unaligned*>(x + count),
             third = *reinterpret_cast<const Unaligned*>(x + 2 * count),
             fourth = *reinterpret_cast<const Unaligned*>(x + 3 * count);
      for (i = 4 * count; i + 4 * count <= columns; i += 4 * count) {
        combine(joined, i);
        combine(second, i + count);
        combine(third, i + 2 * count);
        combine(fourth, i + 3 * count);
      }
      Op::combine(joined, second);
      Op::combine(third, fourth);
      Op::combine(joined, third);
    }
    for (; i + count <= columns; i += count) combine(joined, i);
    T lanes[count];
    __builtin_memcpy(lanes, &joined, sizeof lanes);
    for (int step = count / 2; step > 0; step /= 2) {
      for (int lane = 0; lane < step; ++lane) Op::combine(lanes[lane], lanes[lane + step]);
    }
    result = lanes[0];
  }
  for (; i < columns; ++i) Op::combine(result, x[i]);
  return result;
}

template <class Op, class Accumulator, class T>
void rows_kernel(void* accumulators, const void* tile, int64_t rows, int64_t columns) {
  auto* accumulator = static_cast<Accumulator*>(accumulators);
  auto* x = static_cast<const T*>(tile);
  if (columns == 0) return;
  constexpr int64_t group = 8;  // short rows: several at a time hide the latency of the chain
  int64_t row = 0;
  if (columns < 2 * Lanes<T>::count) {
    for (; row + group <= rows; row += group) {
      T sums[group];
      for (int64_t i = 0; i < group; ++i) sums[i] = x[(row + i) * columns];
      for (int64_t column = 1; column < columns; ++column) {
        for (int64_t i = 0; i < group; ++i) Op::combine(sums[i], x[(row + i) * columns + column]);
      }
      for (int64_t i = 0; i < group; ++i)
        Op::combine(accumulator[row + i], static_cast<Accumulator>(sums[i]));
    }
  }
  for (; row < rows; ++row) {
    Op::combine(accumulator[row], static_cast<Accumulator>(reduce_row<Op, T>(x + row * columns, columns)));
  }
}

template <class Op, class Accumulator, class T>
void columns_kernel(void* accumulators, const void* tile, int64_t rows, int64_t columns) {
  auto* accumulator = static_cast<Accumulator*>(accumulators);
  auto* x = static_cast<const T*>(tile);
  for (int64_t row = 0; row < rows; ++row, x += columns) {
    FTRANS_INDEPENDENT
    for (int64_t column = 0; column < columns; ++column) {
      Op::combine(accumulator[column], static_cast<Accumulator>(x[column]));
    }
  }
}

template <class Op, class Accumulator, class T>
ReductionKernels kernels(Dtype accumulator) {
  return {accumulator, rows_kernel<Op, Accumulator, T>, columns_kernel<Op, Accumulator, T>};
}

/// Reductions that do not see the sign of an integer.
template <class T>
ReductionKernels modular_kernels(Opcode opcode, Dtype dtype) {
  switch (opcode) {
    case Opcode::ReduceSum: return kernels<Sum, T, T>(dtype);
    case Opcode::ReduceProd: return kernels<Product, T, T>(dtype);
    case Opcode::ReduceOr: return kernels<BitOr, T, T>(dtype);
    case Opcode::ReduceAnd: return kernels<BitAnd, T, T>(dtype);
    default: return {};
  }
}

template <class T>
ReductionKernels integer_kernels(Opcode opcode, Dtype dtype) {
  switch (opcode) {
    case Opcode::ReduceMax: return kernels<Maximum, T, T>(dtype);
    case Opcode::ReduceMin: return kernels<Minimum, T, T>(dtype);
    default: return modular_kernels<std::make_unsigned_t<T>>(opcode, dtype);
  }
}

template <class T>
ReductionKernels float_kernels(Opcode opcode, Dtype dtype) {
  switch (opcode) {
    case Opcode::ReduceSum: return kernels<Sum, double, T>(Dtype::Float64);
    case Opcode::ReduceProd: return kernels<Product, double, T>(Dtype::Float64);
    case Opcode::ReduceMax: return kernels<Maximum, T, T>(dtype);
    case Opcode::ReduceMin: return kernels<Minimum, T, T>(dtype);
    default: return {};
  }
}

ReductionKernels bool_kernels(Opcode opcode) {
  switch (opcode) {
    case Opcode::ReduceSum:
    case Opcode::ReduceMax:
    case Opcode::ReduceOr: return kernels<BitOr, uint8_t, uint8_t>(Dtype::Bool);
    case Opcode::ReduceProd:
    case Opcode::ReduceMin:
    case Opcode::ReduceAnd: return kernels<BitAnd, uint8_t, uint8_t>(Dtype::Bool);
    default: return {};
  }
}

}  // namespace

ReductionKernels reduction_kernels(Opcode opcode, Dtype dtype) {
  switch (dtype) {
    case Dtype::Bool: return bool_kernels(opcode);
    case Dtype::Int8: return integer_kernels<int8_t>(opcode, dtype);
    case Dtype::Int16: return integer_kernels<int16_t>(opcode, dtype);
    case Dtype::Int32: return integer_kernels<int32_t>(opcode, dtype);
    case Dtype::Int64: return integer_kernels<int64_t>(opcode, dtype);
    case Dtype::UInt8: return integer_kernels<uint8_t>(opcode, dtype);
    case Dtype::UInt16: return integer_kernels<uint16_t>(opcode, dtype);
    case Dtype::UInt32: return integer_kernels<uint32_t>(opcode, dtype);
    case Dtype::UInt64: return integer_kernels<uint64_t>(opcode, dtype);
    case Dtype::Float32: return float_kernels<float>(opcode, dtype);
    case Dtype::Float64: return float_kernels<double>(opcode, dtype);
    default: return {};
  }
}

}  // namespace ftrans::cpu::FTRANS_ISA_NAMESPACE
