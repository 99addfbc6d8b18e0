// Chains of arithmetic: bit for bit what the separate kernels give.

#include <algorithm>
#include <iterator>

#include "fused_opcode_testing.h"

namespace ftrans::testing {
namespace {

constexpr Opcode kUnary[] = {Opcode::Neg, Opcode::Square};
constexpr Opcode kBinary[] = {Opcode::Add,     Opcode::Sub, Opcode::Mul, Opcode::Div,
                              Opcode::SafeMul, Opcode::Max, Opcode::Min};

template <class Values>
auto pick(const Values& values) {
  return values[random_bits() % std::size(values)];
}

template <class T>
bool identical(const std::vector<T>& a, const std::vector<T>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    const bool both_nan = a[i] != a[i] && b[i] != b[i];
    if (!both_nan && std::memcmp(&a[i], &b[i], sizeof(T)) != 0) return false;
  }
  return true;
}

/// Two tiles, an element that stands for all, and a constant; registers 0 to 3.
template <class T>
struct Program {
  static constexpr int kLeaves = 4;
  FusedKernel kernel;

  explicit Program(Dtype dtype)
      : kernel{.ndim = 1,
               .inputs = {dtype, dtype, dtype},
               .body = {input(0, dtype), input(1, dtype), input(2, dtype), constant(T(1.5), dtype)},
               .outputs = {},
               .reduced_axes = {false}} {}

  int last() const { return static_cast<int>(kernel.body.size()) - 1; }
  void add(Opcode opcode, int a, int b = -1) { kernel.body.push_back(apply(opcode, kernel.inputs[0], a, b)); }

  /// Stores the registers `stored_registers`; the last of them over input 0 if `in_place`.
  std::vector<std::vector<T>> run(const std::vector<int>& stored_registers, std::vector<T> a,
                                  const std::vector<T>& b, T scalar, bool in_place = false) {
    const int64_t n = static_cast<int64_t>(a.size());
    std::vector<std::vector<T>> results(stored_registers.size(), std::vector<T>(n));
    std::vector<void*> outputs;
    kernel.outputs.clear();
    for (size_t i = 0; i < results.size(); ++i) {
      kernel.outputs.push_back(stored(stored_registers[i]));
      outputs.push_back(results[i].data());
    }
    if (in_place) outputs.back() = a.data();
    testing::run(kernel, {n}, {{a.data(), {1}}, {b.data(), {1}}, {&scalar, {0}}}, outputs);
    if (in_place) results.back() = a;
    return results;
  }

  /// The chained kernel stores the last register (and `also`); the reference stores every register, which
  /// keeps the instructions apart.
  void check(const std::vector<T>& a, const std::vector<T>& b, T scalar, int also = -1) {
    std::vector<int> all, chosen;
    for (int i = kLeaves; i <= last(); ++i) all.push_back(i);
    if (also >= 0) chosen.push_back(also);
    chosen.push_back(last());
    const auto expected = run(all, a, b, scalar);
    for (const bool in_place : {false, true}) {
      const auto results = run(chosen, a, b, scalar, in_place);
      bool good = true;
      for (size_t i = 0; i < chosen.size(); ++i) good &= identical(results[i], expected[chosen[i] - kLeaves]);
      if (!good) {
        CHECK(good, std::string(in_place ? "in place, " : "") + std::to_string(a.size()) + " elements of\n" +
                        to_string(kernel));
      }
    }
  }
};

/// Every operation as a link on either side, with every kind of operand.
template <class T>
void test_links(Dtype dtype, const std::vector<T>& a, const std::vector<T>& b) {
  for (const int start : {0, 2, 3}) {
    for (const int operand : {0, 1, 2, 3}) {
      for (const Opcode opcode : kBinary) {
        for (const bool reversed : {false, true}) {
          Program<T> program(dtype);
          program.add(Opcode::Neg, start);
          program.add(opcode, reversed ? operand : program.last(), reversed ? program.last() : operand);
          program.check(a, b, T(-0.75));
          program.add(opcode, reversed ? 1 : program.last(), reversed ? program.last() : 1);
          program.check(a, b, T(-0.0));
        }
      }
      // Sums and differences of a product, from each of their three operands.
      for (const Opcode sum : {Opcode::Add, Opcode::Sub}) {
        for (const int factor : {0, 1, 2, 3}) {
          for (const bool product_first : {false, true}) {
            Program<T> addend(dtype);
            addend.add(Opcode::Neg, start);
            addend.add(Opcode::Mul, operand, factor);
            addend.add(sum, addend.last() - product_first, addend.last() - !product_first);
            addend.check(a, b, T(0.3));
            Program<T> product(dtype);
            product.add(Opcode::Neg, start);
            product.add(Opcode::Mul, product.last(), factor);
            product.add(sum, product_first ? product.last() : operand,
                        product_first ? operand : product.last());
            product.check(a, b, T(0.3));
          }
        }
      }
    }
  }
  for (const Opcode opcode : kUnary) {
    Program<T> program(dtype);
    program.add(Opcode::Sub, 0, 1);
    program.add(opcode, program.last());
    program.add(opcode, program.last());
    program.check(a, b, 1);
  }
  for (const Opcode opcode : kBinary) {  // the accumulator on both sides
    Program<T> program(dtype);
    program.add(Opcode::Sub, 0, 1);
    program.add(opcode, program.last(), program.last());
    program.add(Opcode::Sub, 3, program.last());
    program.check(a, b, 1);
  }
}

template <class T>
void test_random_programs(Dtype dtype, const std::vector<T>& a, const std::vector<T>& b) {
  constexpr int64_t kSizes[] = {0, 1, 2, 3, 4, 5, 15, 17, 64, 127, 128, 129, 1000, 1024, 1025, 3001};
  for (int round = 0; round < 400; ++round) {
    Program<T> program(dtype);
    const int length = 1 + random_bits() % 24;
    for (int i = 0; i < length; ++i) {
      const bool goes_on = random_bits() % 8 != 0;
      const int accumulator = goes_on ? program.last() : random_bits() % program.kernel.body.size();
      const int operand =
          random_bits() % (random_bits() % 4 ? Program<T>::kLeaves : program.kernel.body.size());
      const bool reversed = random_bits() % 2;
      if (random_bits() % 5 == 0) {
        program.add(pick(kUnary), accumulator);
      } else {
        program.add(pick(kBinary), reversed ? operand : accumulator, reversed ? accumulator : operand);
      }
    }
    const int64_t n = pick(kSizes);
    const std::vector<T> x(a.begin(), a.begin() + n), y(b.begin(), b.begin() + n);
    const int also = round % 3 == 0 ? Program<T>::kLeaves + random_bits() % length : -1;
    program.check(x, y, T(1.25), also);
  }
}

/// Loads that a chain brings forward, and a reduction at its end.
template <class T>
void test_many_inputs(Dtype dtype) {
  constexpr int kInputs = 40;
  const int64_t n = 777;
  FusedKernel kernel{.ndim = 1, .inputs = {}, .body = {}, .outputs = {}, .reduced_axes = {true}};
  std::vector<std::vector<T>> memory;
  std::vector<Operand> operands;
  T expected = 0;
  for (int i = 0; i < kInputs; ++i) {
    kernel.inputs.push_back(dtype);
    kernel.body.push_back(input(i, dtype));
    memory.emplace_back(2 * n, T(i));
    expected += T(i) * n;
  }
  for (const auto& each : memory) operands.push_back({each.data(), {2}});
  for (int i = 0; i < kInputs; ++i) {
    kernel.body.push_back(
        apply(Opcode::Add, dtype, i, i == 0 ? 1 : static_cast<int>(kernel.body.size()) - 1));
  }
  kernel.outputs = {reduced(2 * kInputs - 1, Opcode::ReduceSum)};
  T sum = 0;
  run(kernel, {n}, operands, {&sum});
  CHECK(sum == expected + n, std::string("sum of many inputs of ") + name(dtype));
}

template <class T>
void test_dtype(Dtype dtype) {
  std::vector<T> a = float_samples<T>(), b = a;
  std::shuffle(b.begin(), b.end(), generator);
  for (size_t i = 0; i < 64; ++i) a[i] = i % 2 ? T(0) : -T(0), b[i] = i % 4 < 2 ? T(0) : -T(0);
  test_random_programs(dtype, a, b);
  a.resize(339);
  b.resize(339);
  test_links(dtype, a, b);
  test_many_inputs<T>(dtype);
}

}  // namespace

void test_chains() {
  test_dtype<float>(Dtype::Float32);
  test_dtype<double>(Dtype::Float64);
}

}  // namespace ftrans::testing
