#pragma once

// Cases for hand-written step kernels: the host Metal device against the CPU's step kernels.

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <future>
#include <string>

#include "metal/host/device.h"
#include "metal/kernels.h"
#include "metal/step_kernel.h"
#include "step_testing.h"

namespace ftrans::test {

/// An array of any dtype: the bytes from its lowest element to its highest.
struct Data {
  Dtype dtype;
  Dims shape, strides;
  int64_t first = 0;  ///< where element (0, …, 0) is
  std::vector<char> bytes{};

  template <typename T>
  explicit Data(const Array<T>& array) : dtype(dtype_of<T>()), shape(array.shape), strides(array.strides) {
    int64_t span = array.size() > 0 ? 1 : 0;
    for (int axis = 0; axis < shape.size() && span > 0; ++axis) {
      const int64_t reach = strides[axis] * (shape[axis] - 1);
      first -= std::min<int64_t>(reach, 0);
      span += std::abs(reach);
    }
    const char* begin = reinterpret_cast<const char*>(array.origin - first);
    bytes.assign(begin, begin + span * static_cast<int64_t>(sizeof(T)));
  }
  /// Row-major, to be written.
  Data(Dtype of, const Dims& extents) : dtype(of), shape(extents), strides(contiguous_strides(extents)) {
    bytes.assign(static_cast<size_t>(element_count(shape) * itemsize(dtype)), 0);
  }

  TensorView view() {
    return {bytes.data() + first * itemsize(dtype), dtype, shape.size(), shape.data(), strides.data()};
  }
  metal::Operand operand(metal::Memory& memory) const {
    return {{&memory, static_cast<size_t>(first * itemsize(dtype))},
            dtype,
            shape.size(),
            shape.data(),
            strides.data()};
  }
};

/// A step that both run.
struct Case {
  Opcode opcode;
  std::vector<Data> inputs;
  Data output;
  Parameters parameters;
  double tolerance = 0;  ///< relative to what is greater, 1 or the number
};

inline metal::Pipelines& pipelines() {
  static auto* made = new metal::Pipelines(*metal::device());
  return *made;
}

inline void encode(const Case& test, metal::Encoder& encoder, const std::vector<Ref<metal::Memory>>& memory) {
  std::vector<metal::Operand> inputs;
  for (size_t i = 0; i < test.inputs.size(); ++i) inputs.push_back(test.inputs[i].operand(*memory[i]));
  const metal::Operand output = test.output.operand(*memory.back());
  const metal::StepKernel kernel = metal::step_kernel(test.opcode, inputs[0].dtype);
  if (!kernel) return check(false, (std::string("no kernel: ") + info(test.opcode).name).c_str());
  kernel(encoder, {inputs.data(), static_cast<int>(inputs.size()), &output, 1, test.parameters.data(),
                   static_cast<int>(test.parameters.size())});
}

/// Compiles, in one library, what the cases need.
inline void compile(const std::vector<Case>& cases) {
  metal::Recording recording;
  metal::Encoder encoder(pipelines(), recording);
  for (const Case& test : cases) {
    const std::vector<Ref<metal::Memory>> memory(test.inputs.size() + 1, metal::device()->allocate(1));
    encode(test, encoder, memory);
  }
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
  return text;
}

/// Bytes read and written.
struct Traffic {
  int64_t read = 0, written = 0;
};

inline Ref<metal::Memory> device_memory(const std::vector<char>& bytes) {
  Ref<metal::Memory> memory = metal::device()->allocate(std::max<size_t>(bytes.size(), 1));
  if (!bytes.empty()) std::memcpy(memory->data(), bytes.data(), bytes.size());
  return memory;
}

/// Runs a case on the device, on the memory of its inputs; the result is in `bytes`.
inline Traffic run_on_device(const Case& test, std::vector<Ref<metal::Memory>> memory,
                             std::vector<char>& bytes) {
  memory.push_back(metal::device()->allocate(std::max<size_t>(test.output.bytes.size(), 1)));
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
  const char* result = static_cast<const char*>(memory.back()->data());
  bytes.assign(result, result + test.output.bytes.size());
  return {static_cast<int64_t>(metal::host::counters().bytes_read),
          static_cast<int64_t>(metal::host::counters().bytes_written)};
}
inline Traffic run_on_device(const Case& test, std::vector<char>& bytes) {
  std::vector<Ref<metal::Memory>> memory;
  for (const Data& input : test.inputs) memory.push_back(device_memory(input.bytes));
  return run_on_device(test, memory, bytes);
}

template <typename T>
bool agree(T a, T b, double tolerance) {
  const Value x = to_value(a), y = to_value(b);
  const auto close = [&](double p, double q) {
    return p == q || (p != p && q != q) ||
           std::abs(p - q) <= tolerance * std::max({1.0, std::abs(y.real()), std::abs(y.imag())});
  };
  return close(x.real(), y.real()) && close(x.imag(), y.imag());
}

/// Runs a case on the CPU, whose inputs lie there, and compares.
inline void check_result(Case& test, const std::vector<TensorView>& inputs, const std::vector<char>& bytes) {
  run(test.opcode, inputs, {test.output.view()}, test.parameters);
  cpu::steps::dispatch(test.output.dtype, [&]<typename T>(TypeTag<T>) {
    const T* actual = reinterpret_cast<const T*>(bytes.data());
    const T* expected = reinterpret_cast<const T*>(test.output.bytes.data());
    const int64_t size = element_count(test.output.shape);
    for (int64_t i = 0; i < size; ++i) {
      if (agree(actual[i], expected[i], test.tolerance)) continue;
      const Value a = to_value(actual[i]), b = to_value(expected[i]);
      char text[160];
      std::snprintf(text, sizeof text, ": element %lld is %.9g %+.9gi, not %.9g %+.9gi",
                    static_cast<long long>(i), a.real(), a.imag(), b.real(), b.imag());
      return check(false, (description(test) + text).c_str());
    }
  });
}

/// Runs a case on both sides; returns the traffic of the device.
inline Traffic run_case(Case test) {
  std::vector<char> bytes;
  const Traffic traffic = run_on_device(test, bytes);
  std::vector<TensorView> inputs;
  for (Data& input : test.inputs) inputs.push_back(input.view());
  check_result(test, inputs, bytes);
  return traffic;
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
