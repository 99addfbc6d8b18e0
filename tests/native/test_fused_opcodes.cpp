// Every elementwise operation on every dtype, against scalar references.

#include <functional>
#include <limits>
#include <random>

#include "fused_testing.h"

namespace ftrans::testing {
namespace {

constexpr int64_t kCount = 5003;  // some tiles and a part of one

std::mt19937_64 generator{12345};

uint64_t random_bits() { return generator(); }

std::string label(Opcode opcode, Dtype dtype) {
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

// Floating point
// -----------------------------------------------------------------------------------------------------

using L = long double;

struct UnaryCase {
  Opcode opcode;
  std::function<L(L)> reference;
  double float32_ulps, float64_ulps;
  L low = -INFINITY, high = INFINITY;  ///< where accuracy is asked for
};

L digamma(L x) {
  if (x == 0) return std::copysign(INFINITY, -x);
  if (std::isinf(x)) return x > 0 ? x : NAN;
  L result = 0;
  if (x < 0) {
    if (x == std::rint(x)) return NAN;
    result = -M_PIl / std::tan(M_PIl * (x - std::rint(x)));
    x = 1 - x;
  }
  for (; x < 40; x += 1) result -= 1 / x;
  const L z = 1 / (x * x);
  return result + std::log(x) - 0.5L / x -
         z * (1 / 12.0L - z * (1 / 120.0L - z * (1 / 252.0L - z * (1 / 240.0L - z * (1 / 132.0L)))));
}

L erf_inv(L x) {
  const L a = std::fabs(x);
  if (!(a < 1)) return a == 1 ? std::copysign(INFINITY, x) : NAN;
  L low = 0, high = 10;
  for (int step = 0; step < 90; ++step) {
    const L middle = (low + high) / 2;
    const bool below = a > 0.5L ? std::erfc(middle) > 1 - a : std::erf(middle) < a;
    (below ? low : high) = middle;
  }
  if (a < 1e-5L) return x * std::sqrt(M_PIl) / 2 * (1 + M_PIl * x * x / 12);
  return std::copysign((low + high) / 2, x);
}

const std::vector<UnaryCase>& unary_cases() {
  static const std::vector<UnaryCase> cases = {
      {Opcode::Neg, [](L x) { return -x; }, 0, 0},
      {Opcode::Abs, [](L x) { return std::fabs(x); }, 0, 0},
      {Opcode::Sign, [](L x) { return std::isnan(x) || x == 0 ? x : L((x > 0) - (x < 0)); }, 0, 0},
      {Opcode::Floor, [](L x) { return std::floor(x); }, 0, 0},
      {Opcode::Ceil, [](L x) { return std::ceil(x); }, 0, 0},
      {Opcode::Round, [](L x) { return std::rint(x); }, 0, 0},
      {Opcode::Trunc, [](L x) { return std::trunc(x); }, 0, 0},
      {Opcode::Sqrt, [](L x) { return std::sqrt(x); }, 0.51, 0.51},
      {Opcode::Rsqrt, [](L x) { return 1 / std::sqrt(x); }, 1.6, 1.6},
      {Opcode::Cbrt, [](L x) { return std::cbrt(x); }, 1, 4},
      {Opcode::Exp, [](L x) { return std::exp(x); }, 1, 1},
      {Opcode::Exp2, [](L x) { return std::exp2(x); }, 1, 1},
      {Opcode::Expm1, [](L x) { return std::expm1(x); }, 1, 2},
      {Opcode::Log, [](L x) { return std::log(x); }, 1.5, 1},
      {Opcode::Log2, [](L x) { return std::log2(x); }, 1, 1.5},
      {Opcode::Log10, [](L x) { return std::log10(x); }, 1, 1.5},
      {Opcode::Log1p, [](L x) { return std::log1p(x); }, 1, 1.5},
      {Opcode::Sin, [](L x) { return std::sin(x); }, 1.5, 1},
      {Opcode::Cos, [](L x) { return std::cos(x); }, 1.5, 1},
      {Opcode::Tan, [](L x) { return std::tan(x); }, 1, 2},
      {Opcode::Asin, [](L x) { return std::asin(x); }, 1, 2},
      {Opcode::Acos, [](L x) { return std::acos(x); }, 1, 2},
      {Opcode::Atan, [](L x) { return std::atan(x); }, 1, 2},
      {Opcode::Sinh, [](L x) { return std::sinh(x); }, 1, 2},
      {Opcode::Cosh, [](L x) { return std::cosh(x); }, 1, 2},
      {Opcode::Tanh, [](L x) { return std::tanh(x); }, 2, 2},
      {Opcode::Asinh, [](L x) { return std::asinh(x); }, 1, 3},
      {Opcode::Acosh, [](L x) { return std::acosh(x); }, 1, 3},
      {Opcode::Atanh, [](L x) { return std::atanh(x); }, 1, 3},
      {Opcode::Erf, [](L x) { return std::erf(x); }, 2, 2},
      {Opcode::Erfc, [](L x) { return std::erfc(x); }, 1, 4},
      {Opcode::ErfInv, erf_inv, 1.5, 4},
      {Opcode::Lgamma, [](L x) { return std::lgamma(x); }, 1, 4, 0.01L, 1e30L},
      {Opcode::Digamma, digamma, 1, 8, 0.01L, 1e30L},
      {Opcode::Logistic, [](L x) { return 1 / (1 + std::exp(-x)); }, 2, 2},
      {Opcode::Square, [](L x) { return x * x; }, 0.51, 0.51},
      {Opcode::Real, [](L x) { return x; }, 0, 0},
      {Opcode::Conj, [](L x) { return x; }, 0, 0},
      {Opcode::Imag, [](L) { return 0.0L; }, 0, 0},
  };
  return cases;
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
void test_float_unary(Dtype dtype) {
  const std::vector<T> x = float_samples<T>();
  for (const UnaryCase& each : unary_cases()) {
    const std::vector<T> out = compute<T, T>(each.opcode, dtype, dtype, {x});
    const double allowed = sizeof(T) == 4 ? each.float32_ulps : each.float64_ulps;
    double worst = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      const L reference = each.reference(x[i]);
      if (std::isfinite(x[i]) && (x[i] < each.low || x[i] > each.high)) continue;
      const double error = ulps(out[i], reference);
      if (error <= worst) continue;
      worst = error;
      CHECK(error <= allowed, label(each.opcode, dtype) + " at " + std::to_string(x[i]) + " (" +
                                  std::to_string(i) + "): " + std::to_string(out[i]) + ", off by " +
                                  std::to_string(error) + " ulp");
    }
    if (std::getenv("FTRANS_TEST_VERBOSE"))
      std::printf("%-24s %.3f ulp\n", label(each.opcode, dtype).c_str(), worst);
    for (const int zero : {0, 1}) {  // +0 and −0
      const L reference = each.reference(x[zero]);
      CHECK(reference != 0 || std::signbit(out[zero]) == std::signbit(reference),
            label(each.opcode, dtype) + ": sign of 0");
    }
  }
}

L python_remainder(L a, L b) {
  const L r = std::fmod(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

L python_floor_divide(L a, L b) {
  if (std::isinf(a) || std::isnan(a) || std::isnan(b)) return NAN;
  if (b == 0) return a / b;
  if (std::isinf(b)) return a == 0 || (a < 0) == (b < 0) ? 0 : -1;
  const L r = python_remainder(a, b);
  return std::rint((a - r) / b);
}

L log_add_exp(L a, L b) {
  if (a == b) return a + M_LN2l;
  const L high = std::max(a, b), low = std::min(a, b);
  if (std::isnan(a) || std::isnan(b)) return NAN;
  return std::isinf(high) ? high : high + std::log1p(std::exp(low - high));
}

struct BinaryCase {
  Opcode opcode;
  std::function<L(L, L)> reference;
  double float32_ulps, float64_ulps;
  bool ordinary = false;  ///< only arguments of ordinary size
};

const std::vector<BinaryCase>& binary_cases() {
  const auto maximum = [](L a, L b) { return std::isnan(a) || std::isnan(b) ? L(NAN) : std::max(a, b); };
  const auto minimum = [](L a, L b) { return std::isnan(a) || std::isnan(b) ? L(NAN) : std::min(a, b); };
  static const std::vector<BinaryCase> cases = {
      {Opcode::Add, [](L a, L b) { return a + b; }, 0.51, 0.51},
      {Opcode::Sub, [](L a, L b) { return a - b; }, 0.51, 0.51},
      {Opcode::Mul, [](L a, L b) { return a * b; }, 0.51, 0.51},
      {Opcode::Div, [](L a, L b) { return a / b; }, 0.51, 0.51},
      {Opcode::SafeMul, [](L a, L b) { return a == 0 ? 0 : a * b; }, 0.51, 0.51},
      {Opcode::Max, maximum, 0, 0},
      {Opcode::Min, minimum, 0, 0},
      {Opcode::Pow, [](L a, L b) { return std::pow(a, b); }, 1, 2},
      {Opcode::Atan2, [](L a, L b) { return std::atan2(a, b); }, 1, 2},
      {Opcode::Hypot, [](L a, L b) { return std::hypot(a, b); }, 1, 2},
      {Opcode::Copysign, [](L a, L b) { return std::copysign(a, b); }, 0, 0},
      {Opcode::Fmod, [](L a, L b) { return std::fmod(a, b); }, 0, 0},
      {Opcode::Remainder, python_remainder, 1, 1},
      {Opcode::FloorDivide, python_floor_divide, 1, 1, true},
      {Opcode::Logaddexp, log_add_exp, 1, 2, true},
  };
  return cases;
}

template <class T>
void test_float_binary(Dtype dtype) {
  for (const BinaryCase& each : binary_cases()) {
    std::vector<T> a = float_samples<T>(each.ordinary), b = a;
    std::shuffle(b.begin(), b.end(), generator);
    std::vector<T> special = float_samples<T>();
    special.resize(39);
    for (const T x : special) {
      for (const T y : special) a.push_back(x), b.push_back(y);
    }
    const std::vector<T> out = compute<T, T>(each.opcode, dtype, dtype, {a, b});
    const double allowed = sizeof(T) == 4 ? each.float32_ulps : each.float64_ulps;
    for (size_t i = 0; i < a.size(); ++i) {
      double error = ulps(out[i], each.reference(a[i], b[i]));
      if (each.opcode == Opcode::Logaddexp &&
          std::isfinite(out[i])) {  // accurate relative to the larger operand
        const T size = std::max({std::fabs(a[i]), std::fabs(b[i]), T(0.7)});
        error = std::fabs(static_cast<double>(out[i] - each.reference(a[i], b[i]))) / size /
                std::numeric_limits<T>::epsilon();
      }
      CHECK(error <= allowed, label(each.opcode, dtype) + " at " + std::to_string(a[i]) + ", " +
                                  std::to_string(b[i]) + ": " + std::to_string(out[i]) + ", off by " +
                                  std::to_string(error) + " ulp");
    }
  }
  using Limits = std::numeric_limits<T>;
  const std::vector<T> a = {
      0, -T{0}, 1, 1, 1, Limits::infinity(), Limits::quiet_NaN(), Limits::denorm_min(), Limits::max()};
  const std::vector<T> b = {1, 1, 2, -2, 1, 0, 1, 0, Limits::infinity()};
  const std::vector<T> next = compute<T, T>(Opcode::Nextafter, dtype, dtype, {a, b});
  for (size_t i = 0; i < a.size(); ++i) {
    CHECK(ulps(next[i], std::nextafter(a[i], b[i])) == 0,
          label(Opcode::Nextafter, dtype) + " at " + std::to_string(a[i]));
  }
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

template <class T>
void test_float_predicates(Dtype dtype) {
  const std::vector<T> x = float_samples<T>();
  const auto nan = compute<uint8_t, T>(Opcode::IsNan, dtype, Dtype::Bool, {x});
  const auto inf = compute<uint8_t, T>(Opcode::IsInf, dtype, Dtype::Bool, {x});
  const auto finite = compute<uint8_t, T>(Opcode::IsFinite, dtype, Dtype::Bool, {x});
  bool good = true;
  for (size_t i = 0; i < x.size(); ++i) {
    good &= nan[i] == std::isnan(x[i]) && inf[i] == std::isinf(x[i]) && finite[i] == std::isfinite(x[i]);
  }
  CHECK(good, std::string("predicates of ") + name(dtype));
}

// Integers
// -----------------------------------------------------------------------------------------------------------

using Wide = __int128;

template <class T>
T wrap(Wide x) {
  return static_cast<T>(static_cast<std::make_unsigned_t<T>>(x));
}

template <class T>
Wide power(T base, T exponent) {
  if (exponent < 0) {
    if (Wide(base) == -1) return exponent % 2 ? -1 : 1;
    return base == 1;
  }
  T result = 1;
  for (T i = 0; i < exponent; ++i) result = wrap<T>(Wide(result) * Wide(base));
  return result;
}

template <class T>
std::vector<T> integer_samples() {
  std::vector<T> samples;
  using Limits = std::numeric_limits<T>;
  for (const int x : {0, 1, 2, 3, 5, 7, 8, 31, 63, 64}) samples.push_back(static_cast<T>(x));
  for (const int x : {-1, -2, -3, -7}) samples.push_back(static_cast<T>(x));
  for (const T x : {Limits::min(), Limits::max()}) samples.push_back(x);
  while (samples.size() < static_cast<size_t>(kCount)) {
    const uint64_t bits = random_bits();
    samples.push_back(static_cast<T>(bits >> (bits % 60)));
  }
  return samples;
}

template <class T>
void test_integers(Dtype dtype) {
  std::vector<T> a = integer_samples<T>(), b = a;
  std::shuffle(b.begin(), b.end(), generator);
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < 16; ++j) a.push_back(a[i]), b.push_back(a[j]);
  }
  test_comparisons<T>(dtype, a, b);

  constexpr int width = sizeof(T) * 8;
  const auto binary = [&](Opcode opcode, const std::vector<T>& y, auto reference) {
    const auto out = compute<T, T>(opcode, dtype, dtype, {a, y});
    for (size_t i = 0; i < a.size(); ++i) {
      const T expected = wrap<T>(reference(a[i], y[i]));
      if (!CHECK(out[i] == expected, label(opcode, dtype) + " of " + std::to_string(a[i]) + ", " +
                                         std::to_string(y[i]) + ": " + std::to_string(out[i]))) {
        break;
      }
    }
  };
  binary(Opcode::Add, b, [](Wide x, Wide y) { return x + y; });
  binary(Opcode::Sub, b, [](Wide x, Wide y) { return x - y; });
  binary(Opcode::Mul, b, [](Wide x, Wide y) {
    return static_cast<Wide>(static_cast<unsigned __int128>(x) * static_cast<unsigned __int128>(y));
  });
  binary(Opcode::SafeMul, b, [](Wide x, Wide y) {
    return static_cast<Wide>(static_cast<unsigned __int128>(x) * static_cast<unsigned __int128>(y));
  });
  binary(Opcode::Max, b, [](Wide x, Wide y) { return std::max(x, y); });
  binary(Opcode::Min, b, [](Wide x, Wide y) { return std::min(x, y); });
  binary(Opcode::And, b, [](Wide x, Wide y) { return x & y; });
  binary(Opcode::Or, b, [](Wide x, Wide y) { return x | y; });
  binary(Opcode::Xor, b, [](Wide x, Wide y) { return x ^ y; });
  binary(Opcode::Fmod, b, [](Wide x, Wide y) { return y == 0 ? 0 : x % y; });
  binary(Opcode::Remainder, b, [](Wide x, Wide y) { return y == 0 ? 0 : ((x % y) + y) % y; });
  binary(Opcode::FloorDivide, b,
         [](Wide x, Wide y) { return y == 0 ? 0 : x / y - (x % y != 0 && (x < 0) != (y < 0)); });
  binary(Opcode::ShiftLeft, b, [](Wide x, Wide y) {
    return y < 0 || y >= width ? 0 : static_cast<Wide>(static_cast<unsigned __int128>(x) << y);
  });
  binary(Opcode::ShiftRight, b,
         [](Wide x, Wide y) { return y < 0 || y >= width ? (x < 0 ? -1 : 0) : x >> y; });
  std::vector<T> exponents(a.size());
  for (size_t i = 0; i < a.size(); ++i)
    exponents[i] = static_cast<T>(static_cast<T>(random_bits() % 20) - (T(-1) < 0 ? 3 : 0));
  binary(Opcode::Pow, exponents, [](Wide x, Wide y) { return power(static_cast<T>(x), static_cast<T>(y)); });

  const auto unary = [&](Opcode opcode, auto reference) {
    const auto out = compute<T, T>(opcode, dtype, dtype, {a});
    bool good = true;
    for (size_t i = 0; i < a.size(); ++i) good &= out[i] == wrap<T>(reference(a[i]));
    CHECK(good, label(opcode, dtype));
  };
  unary(Opcode::Neg, [](Wide x) { return -x; });
  unary(Opcode::Abs, [](Wide x) { return x < 0 ? -x : x; });
  unary(Opcode::Sign, [](Wide x) { return Wide((x > 0) - (x < 0)); });
  unary(Opcode::Not, [](Wide x) { return ~x; });
  unary(Opcode::Floor, [](Wide x) { return x; });
  unary(Opcode::Square, [](Wide x) {
    return static_cast<Wide>(static_cast<unsigned __int128>(x) * static_cast<unsigned __int128>(x));
  });
  unary(Opcode::PopulationCount,
        [](Wide x) { return Wide(__builtin_popcountll(static_cast<std::make_unsigned_t<T>>(x))); });
}

void test_bools() {
  std::vector<uint8_t> a(kCount), b(kCount);
  for (int64_t i = 0; i < kCount; ++i) a[i] = i & 1, b[i] = i >> 1 & 1;
  test_comparisons<uint8_t>(Dtype::Bool, a, b);
  const auto binary = [&](Opcode opcode, auto reference) {
    const auto out = compute<uint8_t, uint8_t>(opcode, Dtype::Bool, Dtype::Bool, {a, b});
    bool good = true;
    for (int64_t i = 0; i < kCount; ++i) good &= out[i] == reference(a[i], b[i]);
    CHECK(good, label(opcode, Dtype::Bool));
  };
  binary(Opcode::And, [](int x, int y) { return x & y; });
  binary(Opcode::Or, [](int x, int y) { return x | y; });
  binary(Opcode::Xor, [](int x, int y) { return x ^ y; });
  binary(Opcode::Max, [](int x, int y) { return x | y; });
  binary(Opcode::Min, [](int x, int y) { return x & y; });
  const auto inverted = compute<uint8_t, uint8_t>(Opcode::Not, Dtype::Bool, Dtype::Bool, {a});
  bool good = true;
  for (int64_t i = 0; i < kCount; ++i) good &= inverted[i] == !a[i];
  CHECK(good, "not of bool");
}

// Conversions
// --------------------------------------------------------------------------------------------------------

template <class To, class From>
To converted(From x) {
  if constexpr (std::is_same_v<To, bool>) {
    return x != 0;
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    if (x != x) return 0;
    const long double wide = std::trunc(static_cast<long double>(x));
    if (wide <= static_cast<long double>(std::numeric_limits<To>::min()))
      return std::numeric_limits<To>::min();
    if (wide >= static_cast<long double>(std::numeric_limits<To>::max()))
      return std::numeric_limits<To>::max();
    return static_cast<To>(wide);
  } else {
    return static_cast<To>(x);
  }
}

template <class To, class From>
void test_conversion(Dtype from, Dtype to, const std::vector<From>& x) {
  using Stored = std::conditional_t<std::is_same_v<To, bool>, uint8_t, To>;
  const auto out = compute<Stored, From>(Opcode::Convert, from, to, {x});
  for (size_t i = 0; i < x.size(); ++i) {
    const To expected = converted<To>(x[i]);
    const bool same = out[i] == expected || (expected != expected && out[i] != out[i]);
    if (!CHECK(same,
               std::string("convert ") + name(from) + " to " + name(to) + " of " + std::to_string(x[i])))
      break;
  }
}

template <class From>
void test_conversions(Dtype from, const std::vector<From>& x) {
  test_conversion<bool>(from, Dtype::Bool, x);
  test_conversion<int8_t>(from, Dtype::Int8, x);
  test_conversion<int16_t>(from, Dtype::Int16, x);
  test_conversion<int32_t>(from, Dtype::Int32, x);
  test_conversion<int64_t>(from, Dtype::Int64, x);
  test_conversion<uint8_t>(from, Dtype::UInt8, x);
  test_conversion<uint16_t>(from, Dtype::UInt16, x);
  test_conversion<uint32_t>(from, Dtype::UInt32, x);
  test_conversion<uint64_t>(from, Dtype::UInt64, x);
  test_conversion<float>(from, Dtype::Float32, x);
  test_conversion<double>(from, Dtype::Float64, x);
  const auto complex = compute<std::complex<double>, From>(Opcode::Convert, from, Dtype::Complex128, {x});
  bool good = true;
  for (size_t i = 0; i < x.size(); ++i) {
    const double expected = static_cast<double>(x[i]);
    good &= (complex[i].real() == expected || expected != expected) && complex[i].imag() == 0;
  }
  CHECK(good, std::string("convert ") + name(from) + " to complex128");
}

// 16-bit floats
// ------------------------------------------------------------------------------------------------------

struct HalfFormat {
  Dtype dtype;
  int mantissa, lowest_exponent;  ///< stored bits; exponent of the smallest normal number
  double largest;
};

double decode(uint16_t bits, const HalfFormat& format) {
  const int magnitude = bits & 0x7fff, exponent = magnitude >> format.mantissa;
  const int fraction = magnitude & ((1 << format.mantissa) - 1);
  double value;
  if (exponent == 0x7fff >> format.mantissa) {
    value = fraction ? NAN : INFINITY;
  } else if (exponent == 0) {
    value = std::ldexp(fraction, format.lowest_exponent - format.mantissa);
  } else {
    value = std::ldexp(fraction + (1 << format.mantissa),
                       format.lowest_exponent - format.mantissa + exponent - 1);
  }
  return bits & 0x8000 ? -value : value;
}

/// x rounded to nearest even.
double half_rounded(double x, const HalfFormat& format) {
  if (!std::isfinite(x) || x == 0) return x;
  int exponent;
  std::frexp(x, &exponent);
  const double unit = std::ldexp(1.0, std::max(exponent - 1, format.lowest_exponent) - format.mantissa);
  const double rounded = std::rint(x / unit) * unit;
  return std::fabs(rounded) > format.largest ? std::copysign(INFINITY, x) : rounded;
}

void test_half(const HalfFormat& format) {
  const std::string dtype = name(format.dtype);
  std::vector<uint16_t> all(65536);
  for (int i = 0; i < 65536; ++i) all[i] = static_cast<uint16_t>(i);
  const auto same = [](double a, double b) { return a == b || (a != a && b != b); };

  const auto wide = compute<double, uint16_t>(Opcode::Convert, format.dtype, Dtype::Float64, {all});
  const auto copied = compute<uint16_t, uint16_t>(Opcode::Conj, format.dtype, format.dtype, {all});
  bool widens = true, copies = true;
  for (int i = 0; i < 65536; ++i) {
    const double expected = decode(all[i], format);
    widens &= same(wide[i], expected);
    copies &= expected != expected || copied[i] == all[i];
  }
  CHECK(widens, dtype + " to float64");
  CHECK(copies, dtype + " load and store");

  const auto check_rounding = [&]<class T>(Dtype from, const std::vector<T>& x) {
    const auto out = compute<uint16_t, T>(Opcode::Convert, from, format.dtype, {x});
    for (size_t i = 0; i < x.size(); ++i) {
      const double expected = half_rounded(static_cast<double>(x[i]), format);
      if (!CHECK(same(decode(out[i], format), expected),
                 dtype + " from " + name(from) + " " + std::to_string(x[i])))
        break;
    }
  };
  std::vector<float> floats = float_samples<float>();
  std::vector<double> doubles = float_samples<double>();
  for (int i = 0; i < 65535; ++i) {  // ties and their neighbours
    const double middle = (decode(all[i], format) + decode(all[i + 1], format)) / 2;
    floats.push_back(static_cast<float>(middle));
    for (const double x : {middle, std::nextafter(middle, INFINITY), std::nextafter(middle, -INFINITY)})
      doubles.push_back(x);
  }
  check_rounding(Dtype::Float32, floats);
  check_rounding(Dtype::Float64, doubles);
  check_rounding(Dtype::Int32, integer_samples<int32_t>());
  check_rounding(Dtype::UInt8, integer_samples<uint8_t>());

  std::vector<uint16_t> shuffled = all;
  std::shuffle(shuffled.begin(), shuffled.end(), generator);
  const auto sums = compute<uint16_t, uint16_t>(Opcode::Add, format.dtype, format.dtype, {all, shuffled});
  bool adds = true;
  for (int i = 0; i < 65536; ++i) {
    const float sum =
        static_cast<float>(decode(all[i], format)) + static_cast<float>(decode(shuffled[i], format));
    adds &= same(decode(sums[i], format), half_rounded(sum, format));
  }
  CHECK(adds, "add of " + dtype);

  const std::vector<uint16_t> zeros(all.size(), 0);
  const auto next = compute<uint16_t, uint16_t>(Opcode::Nextafter, format.dtype, format.dtype, {all, zeros});
  const auto bits = compute<uint16_t, uint16_t>(Opcode::Bitcast, format.dtype, Dtype::UInt16, {all});
  bool steps = true, casts = true;
  for (int i = 0; i < 65536; ++i) {
    const double x = decode(all[i], format);
    if (x != x) continue;
    steps &= next[i] == (x == 0 ? 0 : all[i] - 1);
    casts &= bits[i] == all[i];
  }
  CHECK(steps, "nextafter of " + dtype);
  CHECK(casts, "bitcast of " + dtype);
}

// Complex
// ------------------------------------------------------------------------------------------------------------

template <class R>
void test_complex(Dtype dtype, Dtype real) {
  using C = std::complex<R>;
  using W = std::complex<long double>;
  std::uniform_real_distribution<R> uniform(-3, 3);
  std::vector<C> a(kCount), b(kCount);
  for (auto& z : a) z = {uniform(generator), uniform(generator)};
  for (auto& z : b) z = {uniform(generator), uniform(generator)};
  const long double tolerance = 32 * std::numeric_limits<R>::epsilon();
  const auto close = [&](W value, W expected) {
    return std::abs(value - expected) <= tolerance * (std::abs(expected) + 1);
  };
  const auto unary = [&](Opcode opcode, auto reference) {
    const auto out = compute<C, C>(opcode, dtype, dtype, {a});
    bool good = true;
    for (int64_t i = 0; i < kCount; ++i) good &= close(W(out[i]), reference(W(a[i])));
    CHECK(good, label(opcode, dtype));
  };
  unary(Opcode::Neg, [](W z) { return -z; });
  unary(Opcode::Conj, [](W z) { return std::conj(z); });
  unary(Opcode::Sign, [](W z) { return z / std::abs(z); });
  unary(Opcode::Sqrt, [](W z) { return std::sqrt(z); });
  unary(Opcode::Rsqrt, [](W z) { return 1.0L / std::sqrt(z); });
  unary(Opcode::Exp, [](W z) { return std::exp(z); });
  unary(Opcode::Exp2, [](W z) { return std::exp(z * M_LN2l); });
  unary(Opcode::Expm1, [](W z) { return std::exp(z) - 1.0L; });
  unary(Opcode::Log, [](W z) { return std::log(z); });
  unary(Opcode::Log2, [](W z) { return std::log(z) / M_LN2l; });
  unary(Opcode::Log10, [](W z) { return std::log10(z); });
  unary(Opcode::Log1p, [](W z) { return std::log(1.0L + z); });
  unary(Opcode::Sin, [](W z) { return std::sin(z); });
  unary(Opcode::Cos, [](W z) { return std::cos(z); });
  unary(Opcode::Tan, [](W z) { return std::tan(z); });
  unary(Opcode::Asin, [](W z) { return std::asin(z); });
  unary(Opcode::Acos, [](W z) { return std::acos(z); });
  unary(Opcode::Atan, [](W z) { return std::atan(z); });
  unary(Opcode::Sinh, [](W z) { return std::sinh(z); });
  unary(Opcode::Cosh, [](W z) { return std::cosh(z); });
  unary(Opcode::Tanh, [](W z) { return std::tanh(z); });
  unary(Opcode::Asinh, [](W z) { return std::asinh(z); });
  unary(Opcode::Acosh, [](W z) { return std::acosh(z); });
  unary(Opcode::Atanh, [](W z) { return std::atanh(z); });
  unary(Opcode::Logistic, [](W z) { return 1.0L / (1.0L + std::exp(-z)); });
  unary(Opcode::Square, [](W z) { return z * z; });
  const auto binary = [&](Opcode opcode, auto reference) {
    const auto out = compute<C, C>(opcode, dtype, dtype, {a, b});
    bool good = true;
    for (int64_t i = 0; i < kCount; ++i) good &= close(W(out[i]), reference(W(a[i]), W(b[i])));
    CHECK(good, label(opcode, dtype));
  };
  binary(Opcode::Add, [](W x, W y) { return x + y; });
  binary(Opcode::Sub, [](W x, W y) { return x - y; });
  binary(Opcode::Mul, [](W x, W y) { return x * y; });
  binary(Opcode::Div, [](W x, W y) { return x / y; });
  binary(Opcode::SafeMul, [](W x, W y) { return x * y; });
  binary(Opcode::Pow, [](W x, W y) { return std::pow(x, y); });

  const auto absolute = compute<R, C>(Opcode::Abs, dtype, real, {a});
  const auto imaginary = compute<R, C>(Opcode::Imag, dtype, real, {a});
  const auto integers = compute<int32_t, C>(Opcode::Convert, dtype, Dtype::Int32, {a});
  std::vector<C> half_equal = b;
  for (int64_t i = 0; i < kCount; i += 2) half_equal[i] = a[i];
  const auto equal = compute<uint8_t, C>(Opcode::Eq, dtype, Dtype::Bool, {a, half_equal});
  const auto unequal = compute<uint8_t, C>(Opcode::Ne, dtype, Dtype::Bool, {a, half_equal});
  std::vector<R> parts(kCount);
  for (int64_t i = 0; i < kCount; ++i) parts[i] = a[i].real();
  const auto made = compute<C, R>(Opcode::Complex, real, dtype, {parts, imaginary});
  bool good = true;
  for (int64_t i = 0; i < kCount; ++i) {
    good &= close(absolute[i], std::abs(W(a[i]))) && imaginary[i] == a[i].imag() &&
            integers[i] == static_cast<int32_t>(a[i].real()) && equal[i] == (i % 2 == 0) &&
            unequal[i] == (i % 2 == 1) && made[i] == a[i];
  }
  CHECK(good, std::string("parts and comparisons of ") + name(dtype));
}

}  // namespace

void test_opcodes() {
  test_float_unary<float>(Dtype::Float32);
  test_float_unary<double>(Dtype::Float64);
  test_float_binary<float>(Dtype::Float32);
  test_float_binary<double>(Dtype::Float64);
  test_float_predicates<float>(Dtype::Float32);
  test_float_predicates<double>(Dtype::Float64);
  auto floats = float_samples<float>(), other_floats = floats;
  std::shuffle(other_floats.begin() + 10, other_floats.end(), generator);
  test_comparisons<float>(Dtype::Float32, floats, other_floats);
  auto doubles = float_samples<double>(), other_doubles = doubles;
  std::shuffle(other_doubles.begin() + 10, other_doubles.end(), generator);
  test_comparisons<double>(Dtype::Float64, doubles, other_doubles);
  test_integers<int8_t>(Dtype::Int8);
  test_integers<int16_t>(Dtype::Int16);
  test_integers<int32_t>(Dtype::Int32);
  test_integers<int64_t>(Dtype::Int64);
  test_integers<uint8_t>(Dtype::UInt8);
  test_integers<uint16_t>(Dtype::UInt16);
  test_integers<uint32_t>(Dtype::UInt32);
  test_integers<uint64_t>(Dtype::UInt64);
  test_bools();
  test_conversions(Dtype::Int8, integer_samples<int8_t>());
  test_conversions(Dtype::Int16, integer_samples<int16_t>());
  test_conversions(Dtype::Int32, integer_samples<int32_t>());
  test_conversions(Dtype::Int64, integer_samples<int64_t>());
  test_conversions(Dtype::UInt8, integer_samples<uint8_t>());
  test_conversions(Dtype::UInt16, integer_samples<uint16_t>());
  test_conversions(Dtype::UInt32, integer_samples<uint32_t>());
  test_conversions(Dtype::UInt64, integer_samples<uint64_t>());
  test_conversions(Dtype::Float32, floats);
  test_conversions(Dtype::Float64, doubles);
  test_half({Dtype::Float16, 10, -14, 65504});
  test_half({Dtype::BFloat16, 7, -126, static_cast<double>(0x1.fep127)});
  test_complex<float>(Dtype::Complex64, Dtype::Float32);
  test_complex<double>(Dtype::Complex128, Dtype::Float64);
}

}  // namespace ftrans::testing
