#pragma once

// What the tests of printed kernels share: cases that run on the host Metal device and on the CPU executor,
// and sample arrays.

#include <algorithm>
#include <cstdlib>
#include <future>
#include <memory>
#include <random>

#include "fused_testing.h"
#include "inner_reductions.h"
#include "metal/fused_kernel.h"
#include "metal/host/device.h"

namespace ftrans::metal {

using namespace ftrans::testing;

inline std::mt19937_64 generator{2024};

inline Pipelines& pipelines() {
  static auto* made = new Pipelines(*device());
  return *made;
}

/// An array of the test: its bytes, where element (0, …, 0) lies in them, and its strides.
struct Array {
  std::vector<unsigned char> bytes;
  int64_t first = 0;  ///< in elements
  std::vector<int64_t> strides;
};

/// How far the device may be from the CPU executor: in units of the last place, or absolutely.
struct Tolerance {
  double ulps = 0, absolute = 0;
};

struct Case {
  std::string name;
  FusedKernel kernel;
  std::vector<int64_t> shape;
  std::vector<Array> inputs;
  std::vector<Tolerance> tolerances;  ///< by output; exact where there is none
  std::shared_ptr<FusedFunction> function = nullptr;
};

inline std::vector<const int64_t*> strides_of(const Case& test) {
  std::vector<const int64_t*> strides;
  for (const Array& input : test.inputs) strides.push_back(input.strides.data());
  return strides;
}

inline Ref<Memory> memory_of(const std::vector<unsigned char>& bytes) {
  Ref<Memory> memory = device()->allocate(std::max<size_t>(bytes.size(), 1));
  if (!bytes.empty()) std::memcpy(memory->data(), bytes.data(), bytes.size());
  return memory;
}

/// A real number from memory.
inline double number_at(const unsigned char* at, Dtype dtype) {
  const auto read = [at](auto value) {
    std::memcpy(&value, at, sizeof value);
    return value;
  };
  switch (dtype) {
    case Dtype::Float16: {
      const uint16_t u = read(uint16_t{});
      const int exponent = u >> 10 & 31, fraction = u & 1023;
      const double size = exponent == 31  ? (fraction ? NAN : INFINITY)
                          : exponent == 0 ? std::ldexp(fraction, -24)
                                          : std::ldexp(1024 + fraction, exponent - 25);
      return u >> 15 ? -size : size;
    }
    case Dtype::BFloat16: {
      const uint32_t u = uint32_t{read(uint16_t{})} << 16;
      float value;
      std::memcpy(&value, &u, sizeof value);
      return value;
    }
    default: return read(float{});
  }
}

/// The distance to the next number of a dtype.
inline double unit_at(double value, Dtype dtype) {
  const int digits = dtype == Dtype::Float16 ? 11 : dtype == Dtype::BFloat16 ? 8 : 24;
  const int lowest = dtype == Dtype::Float16 ? -13 : -125;
  if (!std::isfinite(value)) return 0;
  int exponent;
  std::frexp(value, &exponent);
  return std::ldexp(1.0, std::max(exponent, lowest) - digits);
}

inline bool agrees(double value, double expected, Dtype dtype, const Tolerance& tolerance) {
  if (std::isnan(expected)) return std::isnan(value);
  if (value == expected) return tolerance.ulps > 0 || std::signbit(value) == std::signbit(expected);
  if (!std::isfinite(value) || !std::isfinite(expected)) {
    // The last number and infinity are neighbours.
    const double largest = dtype == Dtype::Float16 ? 65504 : dtype == Dtype::BFloat16 ? 3.38e38 : 3.4028e38;
    return tolerance.ulps > 0 && std::fabs(value) >= largest && std::fabs(expected) >= largest &&
           std::signbit(value) == std::signbit(expected);
  }
  return std::fabs(value - expected) <= tolerance.absolute + tolerance.ulps * unit_at(expected, dtype);
}

/// Checks output `number`, `count` elements, and reports the worst.
inline void check_output(const Case& test, size_t number, const unsigned char* values,
                         const unsigned char* expected, int64_t count) {
  const Instruction& instruction = test.kernel.body[test.kernel.outputs[number].instruction];
  const Dtype dtype = instruction.dtype;
  const Tolerance tolerance = number < test.tolerances.size() ? test.tolerances[number] : Tolerance{};
  const bool whole = kind(dtype) != 'f' && kind(dtype) != 'c';
  const int64_t width = itemsize(dtype);
  int64_t wrong = 0;
  std::string first;
  for (int64_t i = 0; i < count; ++i) {
    const unsigned char *a = values + i * width, *b = expected + i * width;
    bool good;
    if (whole) {
      good = std::memcmp(a, b, width) == 0;
    } else if (dtype == Dtype::Complex64) {
      const double x = number_at(a, Dtype::Float32), y = number_at(a + 4, Dtype::Float32);
      const double u = number_at(b, Dtype::Float32), v = number_at(b + 4, Dtype::Float32);
      if (tolerance.ulps == 0 || !std::isfinite(u) || !std::isfinite(v)) {
        good = agrees(x, u, Dtype::Float32, tolerance) && agrees(y, v, Dtype::Float32, tolerance);
      } else {
        good = std::hypot(x - u, y - v) <=
               tolerance.absolute + tolerance.ulps * unit_at(std::hypot(u, v), Dtype::Float32);
      }
    } else {
      good = agrees(number_at(a, dtype), number_at(b, dtype), dtype, tolerance);
    }
    if (good || ++wrong > 1) continue;
    const auto text = [&](const unsigned char* at) {
      int64_t integer = 0;
      std::memcpy(&integer, at, width);
      char buffer[64];
      if (whole) return std::to_string(integer);
      std::snprintf(buffer, sizeof buffer, "%.9g",
                    number_at(at, dtype == Dtype::Complex64 ? Dtype::Float32 : dtype));
      std::string result = buffer;
      if (dtype == Dtype::Complex64) result += " + i·" + std::to_string(number_at(at + 4, Dtype::Float32));
      return result;
    };
    first = "element " + std::to_string(i) + " is " + text(a) + ", not " + text(b);
    if (test.shape.size() == 1 && instruction.kind == Instruction::Kind::Apply) {
      for (size_t k = 0; k < test.inputs.size(); ++k) {
        const Dtype in = test.kernel.inputs[k];
        char buffer[96];
        const unsigned char* at = test.inputs[k].bytes.data() + i * itemsize(in);
        int64_t integer = 0;
        std::memcpy(&integer, at, itemsize(in));
        const double real =
            kind(in) == 'f' || kind(in) == 'c' ? number_at(at, kind(in) == 'c' ? Dtype::Float32 : in) : 0;
        std::snprintf(buffer, sizeof buffer, "; in%zu %.9g %#llx", k, real, static_cast<long long>(integer));
        first += buffer;
      }
    }
  }
  const bool is_apply = instruction.kind == Instruction::Kind::Apply;
  CHECK(wrong == 0, test.name + ", output " + std::to_string(number) + " (" +
                        (is_apply ? std::string(info(instruction.opcode).name) + " to " : "") + name(dtype) +
                        "): " + std::to_string(wrong) + " of " + std::to_string(count) + " wrong; " + first);
}

inline void run_case(const Case& test) {
  std::vector<Ref<Memory>> inputs, outputs;
  std::vector<Place> in_places, out_places;
  std::vector<const void*> cpu_inputs;
  std::vector<std::vector<unsigned char>> expected;
  std::vector<void*> cpu_outputs;
  for (size_t i = 0; i < test.inputs.size(); ++i) {
    const Array& array = test.inputs[i];
    const size_t offset = static_cast<size_t>(array.first * itemsize(test.kernel.inputs[i]));
    inputs.push_back(memory_of(array.bytes));
    in_places.push_back({inputs.back().get(), offset});
    cpu_inputs.push_back(array.bytes.data() + offset);
  }
  std::vector<int64_t> counts;
  for (const KernelOutput& output : test.kernel.outputs) {
    int64_t size = 1;
    for (size_t axis = 0; axis < test.shape.size(); ++axis) {
      if (!output.reduced || !test.kernel.reduced_axes[axis]) size *= test.shape[axis];
    }
    counts.push_back(size);
    const int64_t width = itemsize(test.kernel.body[output.instruction].dtype);
    expected.emplace_back(static_cast<size_t>(size * width + 1));
    outputs.push_back(device()->allocate(static_cast<size_t>(std::max<int64_t>(size * width, 1))));
    out_places.push_back({outputs.back().get(), 0});
  }
  for (auto& each : expected) cpu_outputs.push_back(each.data());
  const auto strides = strides_of(test);
  run_on_cpu(test.kernel, test.shape, cpu_inputs, strides, cpu_outputs);

  Ref<Queue> queue = device()->new_queue();
  Ref<CommandBuffer> buffer = queue->command_buffer();
  Recording recording;
  test.function->encode(recording, test.shape.data(), in_places.data(), strides.data(), out_places.data());
  recording.compile(pipelines());
  recording.play(*buffer);
  std::promise<std::string> ended;
  buffer->commit([&](const Outcome& outcome) { ended.set_value(outcome.error); });
  const std::string error = ended.get_future().get();
  if (!CHECK(error.empty(), test.name + ": " + error)) return;
  for (size_t i = 0; i < expected.size(); ++i)
    check_output(test, i, static_cast<const unsigned char*>(outputs[i]->data()), expected[i].data(),
                 counts[i]);
}

/// Compiles what the cases need in a few libraries, side by side, and runs them.
inline void run_cases(std::vector<Case> cases, size_t libraries = 2) {
  std::vector<Recording> recordings(libraries);
  const Ref<Memory> memory = device()->allocate(1);
  const std::vector<Place> places(31, {memory.get(), 0});
  size_t next = 0;
  for (Case& test : cases) {
    test.function = std::make_shared<FusedFunction>(pipelines(), test.kernel);
    const auto strides = strides_of(test);
    test.function->encode(recordings[next++ % libraries], test.shape.data(), places.data(), strides.data(),
                          places.data());
  }
  for (const Recording& recording : recordings) {
    try {
      recording.compile(pipelines());
    } catch (const CompileError& error) {
      std::printf("%.6000s\n", error.what());
      std::exit(1);
    }
  }
  for (const Case& test : cases) run_case(test);
}

inline const std::vector<Dtype>& metal_dtypes() {
  static const std::vector<Dtype> dtypes = {Dtype::Bool,     Dtype::Int8,    Dtype::Int16,    Dtype::Int32,
                                            Dtype::Int64,    Dtype::UInt8,   Dtype::UInt16,   Dtype::UInt32,
                                            Dtype::UInt64,   Dtype::Float16, Dtype::BFloat16, Dtype::Float32,
                                            Dtype::Complex64};
  return dtypes;
}

inline bool is_floating(Dtype dtype) { return kind(dtype) == 'f' || kind(dtype) == 'c'; }

inline void put_float(std::vector<unsigned char>& bytes, double value, Dtype dtype) {
  const float narrow = static_cast<float>(value);
  uint32_t u;
  std::memcpy(&u, &narrow, sizeof u);
  if (dtype == Dtype::Float16) {
    const FusedKernel kernel{.ndim = 0,
                             .inputs = {Dtype::Float32},
                             .body = {input(0, Dtype::Float32), apply(Opcode::Convert, Dtype::Float16, 0)},
                             .outputs = {stored(1)},
                             .reduced_axes = {}};
    static const cpu::FusedExecutor rounding(kernel);
    uint16_t half;
    const void* in[] = {&narrow};
    const int64_t* strides[] = {nullptr};
    void* out[] = {&half};
    rounding.run(nullptr, in, strides, out);
    u = half;
  } else if (dtype == Dtype::BFloat16) {
    u >>= 16;
  }
  const auto* begin = reinterpret_cast<const unsigned char*>(&u);
  bytes.insert(bytes.end(), begin, begin + (kind(dtype) == 'c' ? 4 : itemsize(dtype)));
}

/// Numbers of every size, and the special ones; `ordinary`: finite ones between −20 and 20 alone.
inline Array samples(Dtype dtype, int64_t count, bool ordinary) {
  Array array;
  array.strides = {1};
  const auto width = static_cast<size_t>(itemsize(dtype));
  if (!is_floating(dtype)) {
    for (int64_t i = 0; i < count; ++i) {
      const int64_t edges[] = {0,
                               1,
                               -1,
                               2,
                               INT64_MIN,
                               INT64_MAX,
                               static_cast<int64_t>(uint64_t{1} << (8 * width - 1)),
                               static_cast<int64_t>((uint64_t{1} << (8 * width - 1)) - 1)};
      const uint64_t random = generator();
      int64_t value = random % 4 == 0   ? edges[random / 4 % 8]
                      : random % 4 == 1 ? static_cast<int64_t>(random / 4 % 40) - 20
                                        : static_cast<int64_t>(generator());
      if (dtype == Dtype::Bool) value &= 1;
      const auto* begin = reinterpret_cast<const unsigned char*>(&value);
      array.bytes.insert(array.bytes.end(), begin, begin + width);
    }
    return array;
  }
  std::uniform_real_distribution<double> small(-1, 1), medium(-20, 20), large(-800, 800);
  const double special[] = {0.0,       -0.0, 1,      -1,           0.5,           2,      3,      INFINITY,
                            -INFINITY, NAN,  1e30,   -1e30,        1e-30,         1e-42,  3.4e38, 65504,
                            65520,     88.8, -103.9, 2147483648.0, -2147483904.0, 9.3e18, 256,    -129};
  const int64_t numbers = kind(dtype) == 'c' ? 2 * count : count;
  for (int64_t i = 0; i < numbers; ++i) {
    const uint64_t random = generator();
    double value = random % 2 ? small(generator) : medium(generator);
    if (!ordinary && random % 8 < 2) {
      value = special[random / 8 % std::size(special)];
    } else if (!ordinary && random % 8 == 4) {
      value = large(generator);
    } else if (!ordinary && random % 8 == 6) {
      const uint32_t u = static_cast<uint32_t>(generator());
      float any;
      std::memcpy(&any, &u, sizeof any);
      value = any;
    }
    put_float(array.bytes, value, dtype);
  }
  return array;
}

/// An array over `shape` with random strides: permuted axes, some reversed, some broadcast, gaps between.
inline Array strided(Dtype dtype, const std::vector<int64_t>& shape, bool plain = false) {
  std::vector<size_t> order(shape.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::vector<int64_t> strides = row_major(shape);
  int64_t low = 0, size = std::max<int64_t>(count(shape), 1);
  if (!plain) {
    std::shuffle(order.begin(), order.end(), generator);
    size = 1;
    for (const size_t axis : order) {
      const uint64_t random = generator();
      strides[axis] = random % 4 == 0 ? 0 : size + static_cast<int64_t>(random / 64 % 2);
      if (strides[axis] == 0) continue;
      size = strides[axis] * std::max<int64_t>(shape[axis], 1) + 1;
      if (random / 4 % 3 != 0) continue;
      low += strides[axis] * (std::max<int64_t>(shape[axis], 1) - 1);
      strides[axis] = -strides[axis];
    }
  }
  Array array = samples(dtype, size, true);
  array.first = low;
  array.strides = strides;
  return array;
}

}  // namespace ftrans::metal
