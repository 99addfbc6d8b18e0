#pragma once

// Cases of steps that move elements: any number of results, in place, far apart in memory; run on the host
// Metal device under three orders of threads, and on the CPU.

#include <sys/mman.h>

#include <cstdlib>
#include <functional>
#include <future>
#include <string>

#include "core/shape.h"
#include "metal/host/device.h"
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
  bool in_place = false;       ///< the first input is row-major, and its memory is that of the output
  double most_traffic = 0;     ///< bytes read and written, at most; 0: any
  bool ignores_signs = false;  ///< of zeros
};

inline std::vector<Case>& cases() {
  static std::vector<Case> cases;
  return cases;
}

inline void add(Opcode opcode, std::vector<Data> inputs, std::vector<Data> outputs, Parameters parameters) {
  cases().push_back({opcode, std::move(inputs), std::move(outputs), std::move(parameters)});
}

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

/// Compiles the kernels of all cases in one library.
inline void compile_all() {
  metal::Recording recording;
  metal::Encoder encoder(pipelines(), recording);
  for (const Case& test : cases()) encode(test, encoder, memory_of(test));
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

/// Runs a case on the device and returns the bytes of its outputs.
inline std::vector<std::vector<char>> run_on_device(const Case& test) {
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
  buffer->commit([&](const std::string& error) { ended.set_value(error); });
  const std::string error = ended.get_future().get();
  check(error.empty(), (description(test) + ": " + error).c_str());
  const auto traffic =
      static_cast<double>(metal::host::counters().bytes_read + metal::host::counters().bytes_written);
  if (test.most_traffic > 0 && traffic > test.most_traffic) {
    check(false, (description(test) + ": moves " + std::to_string(traffic / test.most_traffic) +
                  " times what it may")
                     .c_str());
  }
  std::vector<std::vector<char>> results;
  for (size_t i = 0; i < test.outputs.size(); ++i) {
    const char* begin = static_cast<const char*>(memory[test.inputs.size() + i]->data());
    results.emplace_back(begin, begin + test.outputs[i].bytes.size());
  }
  return results;
}

/// Equal bits, or NaN on both sides.
template <typename T>
bool agree(T a, T b, bool ignores_signs) {
  const Value x = to_value(a), y = to_value(b);
  const auto equal = [&](double p, double q) {
    return p != p ? q != q : p == q && (ignores_signs || std::signbit(p) == std::signbit(q));
  };
  if constexpr (std::is_integral_v<T>) return a == b;
  return equal(x.real(), y.real()) && equal(x.imag(), y.imag());
}

inline void run_case(Case test) {
  std::vector<std::vector<char>> results;
  for (const uint64_t seed : {1, 20, 300}) {
    metal::host::options().seed = seed;
    std::vector<std::vector<char>> again = run_on_device(test);
    if (!results.empty() && again != results)
      check(false, (description(test) + ": depends on the order of threads").c_str());
    results = std::move(again);
  }
  std::vector<TensorView> inputs, outputs;
  for (Data& input : test.inputs) inputs.push_back(input.view());
  for (Data& output : test.outputs) outputs.push_back(output.view());
  run(test.opcode, inputs, outputs, test.parameters);
  for (size_t k = 0; k < test.outputs.size(); ++k) {
    const Data& output = test.outputs[k];
    cpu::steps::dispatch(output.dtype, [&]<typename T>(TypeTag<T>) {
      const T* actual = reinterpret_cast<const T*>(results[k].data());
      const T* expected = reinterpret_cast<const T*>(output.bytes.data());
      for (int64_t i = 0; i < output.size(); ++i) {
        if (agree(actual[i], expected[i], test.ignores_signs)) continue;
        const Value a = to_value(actual[i]), b = to_value(expected[i]);
        char text[160];
        std::snprintf(text, sizeof text, ": element %lld of output %zu is %.9g %+.9gi, not %.9g %+.9gi",
                      static_cast<long long>(i), k, a.real(), a.imag(), b.real(), b.imag());
        return check(false, (description(test) + text).c_str());
      }
    });
  }
}

template <typename Function>
void for_each_metal_dtype(Function function) {
  for_each_dtype([&]<typename T>(TypeTag<T> tag) {
    if constexpr (!std::is_same_v<T, double> && !std::is_same_v<T, std::complex<double>>) function(tag);
  });
}

/// An integer vector with these elements.
template <typename T>
Array<T> vector_of(const std::vector<int64_t>& items) {
  Array<T> array({static_cast<int64_t>(items.size())});
  for (size_t i = 0; i < items.size(); ++i) array.origin[i] = static_cast<T>(items[i]);
  return array;
}

inline double bytes_of(const Data& data) { return static_cast<double>(data.size() * itemsize(data.dtype)); }

/// Allows the last case 1.1 times these bytes.
inline void limit_traffic(double least) { cases().back().most_traffic = 1.1 * least; }

}  // namespace ftrans::test
