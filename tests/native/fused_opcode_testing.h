#pragma once

// What the tests of single operations share: running one over arrays, and sample operands.

#include <random>

#include "fused_testing.h"

namespace ftrans::testing {

inline constexpr int64_t kCount = 5003;  // some tiles and a part of one

inline std::mt19937_64 generator{12345};

inline uint64_t random_bits() { return generator(); }

inline std::string label(Opcode opcode, Dtype dtype) {
  return std::string(info(opcode).name) + " of " + name(dtype);
}

template <class Out, class In>
std::vector<Out> compute(Opcode opcode, Dtype in_dtype, Dtype out_dtype,
                         const std::vector<std::vector<In>>& operands) {
  FusedKernel kernel{.ndim = 1, .inputs = {}, .body = {}, .outputs = {}, .reduced_axes = {false}};
  std::vector<Operand> views;
  for (size_t i = 0; i < operands.size(); ++i) {
    kernel.inputs.push_back(in_dtype);
    kernel.body.push_back(input(static_cast<int>(i), in_dtype));
    views.push_back({operands[i].data(), {1}});
  }
  const int last = static_cast<int>(operands.size()) - 1;
  kernel.body.push_back(apply(opcode, out_dtype, 0, last >= 1 ? 1 : -1, last >= 2 ? 2 : -1));
  kernel.outputs = {stored(last + 1)};
  const int64_t n = static_cast<int64_t>(operands[0].size());
  std::vector<Out> out(n);
  run(kernel, {n}, views, {out.data()});
  return out;
}

/// Numbers of every size and sign, dense ones of ordinary size, and the special ones.
template <class T>
std::vector<T> float_samples(bool ordinary = false) {
  std::vector<T> samples = {0,
                            -T{0},
                            1,
                            -1,
                            2,
                            -2,
                            T(0.5),
                            T(-0.5),
                            3,
                            10,
                            100,
                            1000,
                            T(1e30),
                            T(-1e30),
                            T(1e-30),
                            88,
                            89,
                            -87,
                            -88,
                            -103,
                            -104,
                            709,
                            710,
                            -745,
                            -746,
                            T(3.14159265358979),
                            T(1.5707963267948966)};
  using Limits = std::numeric_limits<T>;
  for (const T x : {Limits::infinity(), Limits::quiet_NaN(), Limits::max(), Limits::min(),
                    Limits::denorm_min(), Limits::epsilon()}) {
    samples.push_back(x);
    samples.push_back(-x);
  }
  std::uniform_real_distribution<T> small(-1, 1), medium(-20, 20), large(-800, 800);
  while (samples.size() < kCount * 4) {
    if (!ordinary) {
      T x;
      const uint64_t bits = random_bits();
      std::memcpy(&x, &bits, sizeof x);
      samples.push_back(x);
    }
    samples.push_back(small(generator));
    samples.push_back(medium(generator));
    samples.push_back(large(generator));
    samples.push_back(1 + small(generator) * T(0.01));
  }
  return samples;
}

template <class T>
void test_comparisons(Dtype dtype, const std::vector<T>& a, const std::vector<T>& b) {
  const auto compare = [&](Opcode opcode, auto reference) {
    const auto out = compute<uint8_t, T>(opcode, dtype, Dtype::Bool, {a, b});
    bool good = true;
    for (size_t i = 0; i < a.size(); ++i) good &= out[i] == static_cast<uint8_t>(reference(a[i], b[i]));
    CHECK(good, label(opcode, dtype));
  };
  compare(Opcode::Eq, [](T x, T y) { return x == y; });
  compare(Opcode::Ne, [](T x, T y) { return x != y; });
  compare(Opcode::Lt, [](T x, T y) { return x < y; });
  compare(Opcode::Le, [](T x, T y) { return x <= y; });
  compare(Opcode::Gt, [](T x, T y) { return x > y; });
  compare(Opcode::Ge, [](T x, T y) { return x >= y; });

  std::vector<uint8_t> predicate(a.size());
  for (size_t i = 0; i < a.size(); ++i) predicate[i] = i % 3 == 0;
  std::vector<T> chosen(a.size()), clamped(a.size());
  const T low = b[3] < b[4] ? b[3] : b[4], high = b[3] < b[4] ? b[4] : b[3];
  FusedKernel kernel{.ndim = 1,
                     .inputs = {Dtype::Bool, dtype, dtype},
                     .body = {input(0, Dtype::Bool), input(1, dtype), input(2, dtype), constant(low, dtype),
                              constant(high, dtype), apply(Opcode::Select, dtype, 0, 1, 2),
                              apply(Opcode::Clamp, dtype, 3, 1, 4)},
                     .outputs = {stored(5), stored(6)},
                     .reduced_axes = {false}};
  run(kernel, {static_cast<int64_t>(a.size())}, {{predicate.data(), {1}}, {a.data(), {1}}, {b.data(), {1}}},
      {chosen.data(), clamped.data()});
  bool selects = true, clamps = true;
  for (size_t i = 0; i < a.size(); ++i) {
    const T expected = predicate[i] ? a[i] : b[i];
    selects &= std::memcmp(&chosen[i], &expected, sizeof(T)) == 0;
    const T bounded = a[i] < low ? low : a[i] > high ? high : a[i];
    clamps &= clamped[i] == bounded || (a[i] != a[i] && clamped[i] != clamped[i]);
  }
  CHECK(selects, label(Opcode::Select, dtype));
  CHECK(clamps, label(Opcode::Clamp, dtype));
}

/// Floats and complex numbers; bools, integers, conversions and 16-bit floats; runs of arithmetic.
void test_float_opcodes();
void test_integer_opcodes();
void test_chains();

}  // namespace ftrans::testing
