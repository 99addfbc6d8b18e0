// Elementwise operations on bools and integers, conversions and 16-bit floats, against scalar references.

#include <algorithm>

#include "fused_opcode_testing.h"

namespace ftrans::testing {
namespace {

using Wide = __int128;

template <class T>
T wrap(Wide x) {
  return static_cast<T>(static_cast<std::make_unsigned_t<T>>(x));
}

Wide product(Wide x, Wide y) {
  return static_cast<Wide>(static_cast<unsigned __int128>(x) * static_cast<unsigned __int128>(y));
}

template <class T>
Wide power(T base, T exponent) {
  if (exponent < 0) {
    if (Wide(base) == -1) return exponent % 2 ? -1 : 1;
    return base == 1;
  }
  T result = 1;
  for (T i = 0; i < exponent; ++i) result = wrap<T>(product(result, base));
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
  binary(Opcode::Mul, b, product);
  binary(Opcode::SafeMul, b, product);
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
  unary(Opcode::Square, [](Wide x) { return product(x, x); });
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

}  // namespace

void test_integer_opcodes() {
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
  test_conversions(Dtype::Float32, float_samples<float>());
  test_conversions(Dtype::Float64, float_samples<double>());
  test_half({Dtype::Float16, 10, -14, 65504});
  test_half({Dtype::BFloat16, 7, -126, static_cast<double>(0x1.fep127)});
}

}  // namespace ftrans::testing
