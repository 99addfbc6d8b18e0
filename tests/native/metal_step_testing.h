#pragma once

// Cases for hand-written step kernels: they run on the host Metal device and on the CPU.

#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <future>
#include <memory>
#include <string>

#include "core/shape.h"
#include "metal/host/device.h"
#include "metal/kernels.h"
#include "metal/step_kernel.h"
#include "step_testing.h"

namespace ftrans::test {

/// Memory of which few pages are ever touched.
class SparseMemory {
 public:
  explicit SparseMemory(size_t size)
      : size_(size),
        data_(
            mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)),
        memory_(metal::device()->wrap(data_, size, nullptr, nullptr)) {}
  ~SparseMemory() { munmap(data_, size_); }
  SparseMemory(const SparseMemory&) = delete;
  SparseMemory& operator=(const SparseMemory&) = delete;
  const Ref<metal::Memory>& memory() const { return memory_; }
  char* bytes() const { return static_cast<char*>(data_); }

 private:
  size_t size_;
  void* data_;
  Ref<metal::Memory> memory_;
};

/// An array of any dtype: the bytes from its lowest element to its highest.
struct Data {
  Dtype dtype;
  Dims shape, strides;
  int64_t first = 0;  ///< where element (0, …, 0) is
  std::vector<char> bytes{};
  std::shared_ptr<SparseMemory> sparse{};  ///< in place of the bytes, of an input

  template <typename T>
  Data(const Array<T>& array) : dtype(dtype_of<T>()), shape(array.shape), strides(array.strides) {
    int64_t span = array.size() > 0 ? 1 : 0;
    for (int axis = 0; axis < shape.size() && span > 0; ++axis) {
      const int64_t reach = strides[axis] * (shape[axis] - 1);
      first -= std::min<int64_t>(reach, 0);
      span += std::abs(reach);
    }
    const char* begin = reinterpret_cast<const char*>(array.origin - first);
    bytes.assign(begin, begin + span * static_cast<int64_t>(sizeof(T)));
  }
  /// Row-major, for a result.
  Data(Dtype of, const Dims& extents) : dtype(of), shape(extents), strides(contiguous_strides(extents)) {
    bytes.assign(static_cast<size_t>(element_count(shape) * itemsize(dtype)), 0);
  }

  /// Rows of int8 that lie so far apart that their offsets need more than 32 bits.
  static Data far_apart(const Dims& extents) {
    constexpr int64_t kPitch = int64_t{1} << 31;
    Data data(Dtype::Int8, extents);
    data.strides = {kPitch, 1};
    data.bytes.clear();
    data.sparse = std::make_shared<SparseMemory>(static_cast<size_t>(extents[0] * kPitch));
    for_each_coordinate(extents, [&](const Dims& at) {
      data.sparse->bytes()[at[0] * kPitch + at[1]] = static_cast<char>(random_integer(-9, 9));
    });
    return data;
  }

  int64_t size() const { return element_count(shape); }
  TensorView view() {
    return {(sparse ? sparse->bytes() : bytes.data()) + first * itemsize(dtype), dtype, shape.size(),
            shape.data(), strides.data()};
  }
  metal::Operand operand(metal::Memory& memory) const {
    return {{&memory, static_cast<size_t>(first * itemsize(dtype))},
            dtype,
            shape.size(),
            shape.data(),
            strides.data()};
  }
};

/// A step that both sides run.
struct Case {
  Opcode opcode;
  std::vector<Data> inputs, outputs;
  Parameters parameters;
  double tolerance =
      0;  ///< relative to what is greater, 1 or the number; 0: equal bits, or NaN on both sides
  bool in_place = false;       ///< the first input is row-major, and its memory is that of the output
  bool ignores_signs = false;  ///< of zeros

  Case(Opcode opcode, std::vector<Data> inputs, std::vector<Data> outputs, Parameters parameters)
      : opcode(opcode),
        inputs(std::move(inputs)),
        outputs(std::move(outputs)),
        parameters(std::move(parameters)) {}

  /// One that computes, where the sign of a zero may differ.
  Case(Opcode opcode, std::vector<Data> inputs, Data output, Parameters parameters, double tolerance = 0)
      : Case(opcode, std::move(inputs), std::vector<Data>{std::move(output)}, std::move(parameters)) {
    this->tolerance = tolerance;
    ignores_signs = true;
  }
};

inline metal::Pipelines& pipelines() {
  static auto* made = new metal::Pipelines(*metal::device());
  return *made;
}

inline std::vector<Ref<metal::Memory>> memory_of(const Case& test) {
  std::vector<Ref<metal::Memory>> memory;
  const auto add = [&](const Data& data, bool filled) {
    if (data.sparse) return memory.push_back(data.sparse->memory());
    memory.push_back(metal::device()->allocate(std::max<size_t>(data.bytes.size(), 1)));
    if (filled && !data.bytes.empty())
      std::memcpy(memory.back()->data(), data.bytes.data(), data.bytes.size());
  };
  for (const Data& input : test.inputs) add(input, true);
  for (const Data& output : test.outputs) add(output, false);
  if (test.in_place) memory[test.inputs.size()] = memory[0];
  return memory;
}

inline void encode(const Case& test, metal::Encoder& encoder, const std::vector<Ref<metal::Memory>>& memory) {
  std::vector<metal::Operand> inputs, outputs;
  for (size_t i = 0; i < test.inputs.size(); ++i) inputs.push_back(test.inputs[i].operand(*memory[i]));
  for (size_t i = 0; i < test.outputs.size(); ++i)
    outputs.push_back(test.outputs[i].operand(*memory[test.inputs.size() + i]));
  const metal::StepKernel kernel = metal::step_kernel(test.opcode, test.inputs[0].dtype);
  if (!kernel) return check(false, (std::string("no kernel: ") + info(test.opcode).name).c_str());
  kernel(encoder,
         {inputs.data(), static_cast<int>(inputs.size()), outputs.data(), static_cast<int>(outputs.size()),
          test.parameters.data(), static_cast<int>(test.parameters.size()), test.in_place});
}

/// Compiles, in one library, what the cases need.
inline void compile(const std::vector<Case>& cases) {
  metal::Recording recording;
  metal::Encoder encoder(pipelines(), recording);
  for (const Case& test : cases) encode(test, encoder, memory_of(test));
  try {
    recording.compile(pipelines());
  } catch (const metal::CompileError& error) {
    std::printf("%.6000s\n", error.what());
    std::exit(1);
  }
}

inline std::string description(const Case& test) {
  std::string text = info(test.opcode).name;
  for (const Data& input : test.inputs) {
    text += std::string(" ") + name(input.dtype) + to_string(input.shape) + " strides " +
            to_string(input.strides);
  }
  text += " parameters";
  for (const int64_t parameter : test.parameters) text += " " + std::to_string(parameter);
  return text + (test.in_place ? " in place" : "");
}

/// What a case gives on the device: the bytes of its outputs, and those that were read and written for them.
struct Results {
  std::vector<std::vector<char>> outputs;
  int64_t read = 0, written = 0;
};

inline Results run_on_device(const Case& test) {
  const std::vector<Ref<metal::Memory>> memory = memory_of(test);
  static auto* queue = new Ref<metal::Queue>(metal::device()->new_queue());
  const Ref<metal::CommandBuffer> buffer = (*queue)->command_buffer();
  metal::host::counters().bytes_read = metal::host::counters().bytes_written = 0;
  metal::Recording recording;
  metal::Encoder encoder(pipelines(), recording);
  encode(test, encoder, memory);
  recording.compile(pipelines());
  recording.play(*buffer);
  std::promise<std::string> ended;
  buffer->commit([&](const metal::Outcome& outcome) { ended.set_value(outcome.error); });
  const std::string error = ended.get_future().get();
  check(error.empty(), (description(test) + ": " + error).c_str());
  Results results{{},
                  static_cast<int64_t>(metal::host::counters().bytes_read),
                  static_cast<int64_t>(metal::host::counters().bytes_written)};
  for (size_t i = 0; i < test.outputs.size(); ++i) {
    const char* begin = static_cast<const char*>(memory[test.inputs.size() + i]->data());
    results.outputs.emplace_back(begin, begin + test.outputs[i].bytes.size());
  }
  return results;
}

template <typename T>
bool agree(T a, T b, const Case& test) {
  if constexpr (std::is_integral_v<T>) return a == b;
  const Value x = to_value(a), y = to_value(b);
  const double scale = std::max({1.0, std::abs(y.real()), std::abs(y.imag())});
  const auto close = [&](double p, double q) {
    if (p != p || q != q) return p != p && q != q;
    if (p == q) return test.ignores_signs || std::signbit(p) == std::signbit(q);
    return std::abs(p - q) <= test.tolerance * scale;
  };
  return close(x.real(), y.real()) && close(x.imag(), y.imag());
}

/// Runs a case on the CPU, and compares.
inline void check_results(Case test, const Results& results) {
  std::vector<TensorView> inputs, outputs;
  for (Data& input : test.inputs) inputs.push_back(input.view());
  for (Data& output : test.outputs) outputs.push_back(output.view());
  run(test.opcode, inputs, outputs, test.parameters);
  for (size_t k = 0; k < test.outputs.size(); ++k) {
    const Data& output = test.outputs[k];
    cpu::steps::dispatch(output.dtype, [&]<typename T>(TypeTag<T>) {
      const T* actual = reinterpret_cast<const T*>(results.outputs[k].data());
      const T* expected = reinterpret_cast<const T*>(output.bytes.data());
      for (int64_t i = 0; i < output.size(); ++i) {
        if (agree(actual[i], expected[i], test)) continue;
        const Value a = to_value(actual[i]), b = to_value(expected[i]);
        char text[160];
        std::snprintf(text, sizeof text, ": element %lld of output %zu is %.9g %+.9gi, not %.9g %+.9gi",
                      static_cast<long long>(i), k, a.real(), a.imag(), b.real(), b.imag());
        return check(false, (description(test) + text).c_str());
      }
    });
  }
}

/// Runs a case on both sides.
inline Results run_case(const Case& test) {
  Results results = run_on_device(test);
  check_results(test, results);
  return results;
}

/// The same under three orders of threads, which must not matter.
inline Results run_case_in_orders(const Case& test) {
  Results results;
  for (const uint64_t seed : {1, 20, 300}) {
    metal::host::options().seed = seed;
    Results again = run_on_device(test);
    if (!results.outputs.empty() && again.outputs != results.outputs)
      check(false, (description(test) + ": depends on the order of threads").c_str());
    results = std::move(again);
  }
  metal::host::options().seed = 0;
  check_results(test, results);
  return results;
}

/// Compiles the kernels of the cases together, and runs them.
inline void run_cases(const std::vector<Case>& cases) {
  compile(cases);
  for (const Case& test : cases) run_case(test);
}

/// function(TypeTag<T>) for every dtype that Metal has.
template <typename Function>
void for_each_metal_dtype(Function function) {
  for_each_dtype([&]<typename T>(TypeTag<T> tag) {
    if constexpr (!std::is_same_v<T, double> && !std::is_same_v<T, std::complex<double>>) function(tag);
  });
}

}  // namespace ftrans::test
