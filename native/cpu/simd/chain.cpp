// Chains of arithmetic in one pass over memory: a block of elements stays in vector registers while a list of
// operations goes over it. The results are those of the separate kernels, each operation rounded.

#include <utility>

#include "cpu/simd/kernel_parts.h"

namespace ftrans::cpu::FTRANS_ISA_NAMESPACE {
namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif
constexpr int kSmallVectorBytes = 16;

/// `count` vectors of `bytes` bytes each. Their indices are constants, so that the compiler keeps them in
/// registers.
template <class T, int bytes, int count>
class Block {
 public:
  static constexpr int64_t size = count * (bytes / sizeof(T));

  /// vector = f(vector, operand, ...) for each vector, an operand being T* (elements) or T (for all).
  template <class F, class... Operands>
  void update(F f, Operands... operands) {
    update(Indices{}, f, operands...);
  }
  void store(T* out) const { store(Indices{}, out); }

 private:
  typedef T Vector __attribute__((vector_size(bytes)));
  typedef T Unaligned __attribute__((vector_size(bytes), aligned(alignof(T)), may_alias));
  using Indices = std::make_integer_sequence<int, count>;
  static constexpr int64_t kLanes = bytes / sizeof(T);

  static Vector at(const T* x, int i) { return *reinterpret_cast<const Unaligned*>(x + i * kLanes); }
  static Vector at(T x, int) { return x - Vector{}; }

  template <int... i, class F, class... Operands>
  void update(std::integer_sequence<int, i...>, F f, Operands... operands) {
    (update_one(i, f, operands...), ...);
  }
  template <class F, class... Operands>
  void update_one(int i, F f, Operands... operands) {
    vectors_[i] = f(vectors_[i], at(operands, i)...);
  }
  template <int... i>
  void store(std::integer_sequence<int, i...>, T* out) const {
    ((*reinterpret_cast<Unaligned*>(out + i * kLanes) = vectors_[i]), ...);
  }

  Vector vectors_[count] = {};
};

constexpr auto kFirst = [](auto, auto x) { return x; };
constexpr auto kAdd = [](auto a, auto b) { return a + b; };
constexpr auto kSub = [](auto a, auto b) { return a - b; };
constexpr auto kMul = [](auto a, auto b) { return a * b; };
constexpr auto kDiv = [](auto a, auto b) { return a / b; };
constexpr auto kSafeMul = [](auto t, auto d) { return ((t == 0) | (d == 0)) ? decltype(t * d){} : t * d; };
constexpr auto kMax = [](auto a, auto b) { return ((a > b) | (a != a)) ? a : b; };
constexpr auto kMin = [](auto a, auto b) { return ((a < b) | (a != a)) ? a : b; };
constexpr auto kNeg = [](auto x) { return -x; };
constexpr auto kSquare = [](auto x) { return x * x; };
constexpr auto kAddProduct = [](auto sum, auto a, auto b) { return a * b + sum; };
constexpr auto kSubtractProduct = [](auto sum, auto a, auto b) { return sum - a * b; };
constexpr auto kSubtractFromProduct = [](auto sum, auto a, auto b) { return a * b - sum; };

template <class T>
T element(const ChainLink& link, int operand) {
  if constexpr (sizeof(T) == 4) {
    return link.operands[operand].float32;
  } else {
    return link.operands[operand].float64;
  }
}

template <class T>
const T* elements(const ChainLink& link, int operand, int64_t begin) {
  return static_cast<const T*>(link.operands[operand].tile) + begin;
}

/// The accumulators are the left operand; the right one if the link is reversed.
template <class T, class B, class F>
void binary_link(B& block, const ChainLink& link, int64_t begin, F f) {
  const auto reversed = [f](auto accumulator, auto operand) { return f(operand, accumulator); };
  if (link.uniform) {
    const T x = element<T>(link, 0);
    link.reversed ? block.update(reversed, x) : block.update(f, x);
  } else {
    const T* x = elements<T>(link, 0, begin);
    link.reversed ? block.update(reversed, x) : block.update(f, x);
  }
}

template <class T, class B, class F>
void product_link(B& block, const ChainLink& link, int64_t begin, F f) {
  switch (link.uniform) {
    case 0b00: return block.update(f, elements<T>(link, 0, begin), elements<T>(link, 1, begin));
    case 0b01: return block.update(f, element<T>(link, 0), elements<T>(link, 1, begin));
    case 0b10: return block.update(f, elements<T>(link, 0, begin), element<T>(link, 1));
    default: return block.update(f, element<T>(link, 0), element<T>(link, 1));
  }
}

template <class T, class B>
void run_links(B& block, T* out, const ChainLink* link, int64_t count, int64_t begin) {
  for (const ChainLink* const end = link + count; link != end; ++link) {
    switch (link->operation) {
      case ChainOperation::Start:
        link->uniform ? block.update(kFirst, element<T>(*link, 0))
                      : block.update(kFirst, elements<T>(*link, 0, begin));
        break;
      case ChainOperation::Add: binary_link<T>(block, *link, begin, kAdd); break;
      case ChainOperation::Sub: binary_link<T>(block, *link, begin, kSub); break;
      case ChainOperation::Mul: binary_link<T>(block, *link, begin, kMul); break;
      case ChainOperation::Div: binary_link<T>(block, *link, begin, kDiv); break;
      case ChainOperation::SafeMul: binary_link<T>(block, *link, begin, kSafeMul); break;
      case ChainOperation::Max: binary_link<T>(block, *link, begin, kMax); break;
      case ChainOperation::Min: binary_link<T>(block, *link, begin, kMin); break;
      case ChainOperation::Neg: block.update(kNeg); break;
      case ChainOperation::Square: block.update(kSquare); break;
      case ChainOperation::AddProduct: product_link<T>(block, *link, begin, kAddProduct); break;
      case ChainOperation::SubtractProduct: product_link<T>(block, *link, begin, kSubtractProduct); break;
      case ChainOperation::SubtractFromProduct:
        product_link<T>(block, *link, begin, kSubtractFromProduct);
        break;
    }
  }
  block.store(out + begin);
}

/// As many blocks as fit; returns the number of elements done.
template <class T, int bytes, int count>
int64_t run_blocks(T* out, const ChainLink* links, int64_t link_count, int64_t begin, int64_t end) {
  using B = Block<T, bytes, count>;
  for (; begin + B::size <= end; begin += B::size) {
    B block;
    run_links<T>(block, out, links, link_count, begin);
  }
  return begin;
}

template <class T>
void run_chain(void* out, const ChainLink* links, int64_t count, int64_t n) {
  auto* o = static_cast<T*>(out);
  // Eight vectors hide the latency of an operation and fit the registers of every instruction set.
  int64_t done = run_blocks<T, kVectorBytes, 8>(o, links, count, 0, n);
  done = run_blocks<T, kVectorBytes, 1>(o, links, count, done, n);
  done = run_blocks<T, kSmallVectorBytes, 1>(o, links, count, done, n);
  run_blocks<T, sizeof(T), 1>(o, links, count, done, n);
}

}  // namespace

ChainKernel chain_kernel(Dtype dtype) {
  if (dtype == Dtype::Float32) return run_chain<float>;
  if (dtype == Dtype::Float64) return run_chain<double>;
  return nullptr;
}

}  // namespace ftrans::cpu::FTRANS_ISA_NAMESPACE
