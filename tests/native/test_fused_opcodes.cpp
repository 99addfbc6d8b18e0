// Elementwise operations on floating-point and complex numbers, against scalar references.

#include <algorithm>
#include <functional>
#include <numbers>

#include "fused_opcode_testing.h"

namespace ftrans::testing {
namespace {

using L = long double;

constexpr L kPi = std::numbers::pi_v<L>, kLn2 = std::numbers::ln2_v<L>;

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
    result = -kPi / std::tan(kPi * (x - std::rint(x)));
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
  if (a < 1e-5L) return x * std::sqrt(kPi) / 2 * (1 + kPi * x * x / 12);
  return std::copysign((low + high) / 2, x);
}

const std::vector<UnaryCase>& unary_cases() {
  static const std::vector<UnaryCase> cases = {
      {Opcode::Neg, [](L x) { return -x; }, 0, 0},
      {Opcode::Abs, [](L x) { return std::fabs(x); }, 0, 0},
      {Opcode::Sign, [](L x) { return std::isnan(x) ? x : L((x > 0) - (x < 0)); }, 0, 0},
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
      {Opcode::Tanh, [](L x) { return std::tanh(x); }, 2, 2.5},
      {Opcode::Asinh, [](L x) { return std::asinh(x); }, 1, 3},
      {Opcode::Acosh, [](L x) { return std::acosh(x); }, 1, 3},
      {Opcode::Atanh, [](L x) { return std::atanh(x); }, 1, 3},
      {Opcode::Erf, [](L x) { return std::erf(x); }, 2, 2},
      {Opcode::Erfc, [](L x) { return std::erfc(x); }, 1, 4},
      {Opcode::ErfInv, erf_inv, 1.5, 4},
      {Opcode::ErfInvGiles, erf_inv, 80, 4},  // near ±1 the rounding of 1 − x² counts
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
  if (std::isnan(a) || std::isnan(b)) return NAN;
  if (b == 0 || std::isinf(a) || std::isinf(b)) return a / b;
  const L r = python_remainder(a, b);
  return std::rint((a - r) / b);
}

L log_add_exp(L a, L b) {
  if (a == b) return a + kLn2;
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
      {Opcode::SafeMul, [](L a, L b) { return a == 0 || b == 0 ? 0 : a * b; }, 0.51, 0.51},
      {Opcode::Excess, [](L a, L b) { return a == b ? 0 : a - b; }, 0.51, 0.51},
      {Opcode::Max, maximum, 0, 0},
      {Opcode::Min, minimum, 0, 0},
      {Opcode::Pow, [](L a, L b) { return std::pow(a, b); }, 1, 2},
      {Opcode::Atan2, [](L a, L b) { return std::atan2(a, b); }, 1, 2},
      {Opcode::Hypot, [](L a, L b) { return std::hypot(a, b); }, 1.5, 2},
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
  unary(Opcode::Exp2, [](W z) { return std::exp(z * kLn2); });
  unary(Opcode::Expm1, [](W z) { return std::exp(z) - 1.0L; });
  unary(Opcode::Log, [](W z) { return std::log(z); });
  unary(Opcode::Log2, [](W z) { return std::log(z) / kLn2; });
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

void test_float_opcodes() {
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
  test_complex<float>(Dtype::Complex64, Dtype::Float32);
  test_complex<double>(Dtype::Complex128, Dtype::Float64);
}

}  // namespace ftrans::testing
