// The Metal steps that move elements, on the host device, against the CPU's step kernels: every dtype, any
// strides, and the same results under three orders of threads.

#include <sys/mman.h>

#include <cstdlib>
#include <functional>
#include <future>
#include <numeric>
#include <string>

#include "core/shape.h"
#include "metal/host/device.h"
#include "metal/kernels.h"
#include "metal_recording.h"
#include "step_testing.h"

namespace ftrans::test {
namespace {

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

std::vector<Case>& cases() {
  static std::vector<Case> cases;
  return cases;
}

void add(Opcode opcode, std::vector<Data> inputs, std::vector<Data> outputs, Parameters parameters) {
  cases().push_back({opcode, std::move(inputs), std::move(outputs), std::move(parameters)});
}

metal::Pipelines& pipelines() {
  static auto* made = new metal::Pipelines(*metal::device());
  return *made;
}

std::vector<Ref<metal::Memory>> memory_of(const Case& test) {
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

void encode(const Case& test, metal::Encoder& encoder, const std::vector<Ref<metal::Memory>>& memory) {
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

/// Compiles the kernels of all cases, a library for each file of kernels.
void compile_all() {
  RecordingDevice recorder(*metal::device());
  metal::Pipelines recording(recorder);
  for (const Case& test : cases()) {
    ForgetfulBuffer buffer;
    metal::Encoder encoder(recording, buffer);
    encode(test, encoder, memory_of(test));
  }
  const std::vector<std::pair<std::vector<const char*>, std::vector<const char*>>> files = {
      {{"copy_block"}, {metal::kBlocksSource, metal::kCopySource}},
      {{"copy_transposed"}, {metal::kBlocksSource, metal::kTransposeSource}},
      {{"pad"}, {metal::kBlocksSource, metal::kPadSource}},
      {{"gather"}, {metal::kBlocksSource, metal::kGatherSource}},
      {{"scatter"}, {metal::kBlocksSource, metal::kGatherSource, metal::kScatterSource}},
      {{"sort", "merge", "take"}, {metal::kSortSource}},
      {{"random"}, {metal::kBlocksSource, metal::kRandomSource}}};
  size_t compiled = 0;
  for (const auto& [prefixes, sources] : files) {
    std::vector<metal::PrintedKernel> kernels;
    for (metal::PrintedKernel kernel : recorder.kernels) {
      for (const char* prefix : prefixes) {
        if (kernel.name.rfind(prefix, 0) != 0) continue;
        kernel.sources = sources;
        kernels.push_back(kernel);
      }
    }
    compiled += kernels.size();
    try {
      pipelines().compile(kernels);
    } catch (const metal::CompileError& error) {
      std::printf("%.6000s\n", error.what());
      std::exit(1);
    }
  }
  CHECK(compiled == recorder.kernels.size());
}

std::string description(const Case& test) {
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
std::vector<std::vector<char>> run_on_device(const Case& test) {
  const std::vector<Ref<metal::Memory>> memory = memory_of(test);
  static auto* queue = new Ref<metal::Queue>(metal::device()->new_queue());
  const Ref<metal::CommandBuffer> buffer = (*queue)->command_buffer();
  metal::host::counters().bytes_read = metal::host::counters().bytes_written = 0;
  {
    metal::Encoder encoder(pipelines(), *buffer);
    encode(test, encoder, memory);
  }
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

void run_case(Case test) {
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

double bytes_of(const Data& data) { return static_cast<double>(data.size() * itemsize(data.dtype)); }

/// Allows the last case 1.1 times these bytes.
void limit_traffic(double least) { cases().back().most_traffic = 1.1 * least; }

// ------------------------------------------------------------------ copies

template <typename T>
void add_copies() {
  const Dtype dtype = dtype_of<T>();
  for (const Order order : kOrders) {
    for (const Dims& shape : {Dims{}, Dims{1}, Dims{7, 0}, Dims{3, 1, 5}, Dims{2, 33, 40}, Dims{64, 6}})
      add(Opcode::Copy, {Array<T>(shape, order)}, {{dtype, shape}}, {});
  }
}

template <typename T>
void add_concatenations() {
  const Dtype dtype = dtype_of<T>();
  add(Opcode::Concatenate, {Array<T>({2, 3, 4}), Array<T>({2, 1, 4}, Order::Reversed), Array<T>({2, 0, 4})},
      {{dtype, {2, 4, 4}}}, {1});
  add(Opcode::Concatenate, {Array<T>({5}), Array<T>({3}, Order::Spread)}, {{dtype, {8}}}, {0});
  add(Opcode::Concatenate, {Array<T>({4, 16}), Array<T>({4, 32}, Order::Transposed)}, {{dtype, {4, 48}}},
      {1});
}

template <typename T, typename Index>
void add_dynamic_slices() {
  const Dtype dtype = dtype_of<T>();
  for (const Order order : kOrders) {
    const Array<Index> start = vector_of<Index>({random_integer(0, 9), random_integer(0, 2), 3});
    const Array<T> operand({6, 4, 16}, order);
    const Array<T> update({2, 4, 8}, order);
    add(Opcode::DynamicSlice, {operand, start}, {{dtype, {2, 4, 8}}}, {2, 4, 8});
    add(Opcode::DynamicUpdateSlice, {operand, update, start}, {{dtype, {6, 4, 16}}}, {});
    add(Opcode::DynamicUpdateSlice, {Array<T>({6, 4, 16}), update, start}, {{dtype, {6, 4, 16}}}, {});
    cases().back().in_place = true;
  }
  add(Opcode::DynamicSlice, {Array<T>({6, 4}), vector_of<Index>({1, 1})}, {{dtype, {0, 2}}}, {0, 2});
  add(Opcode::DynamicUpdateSlice, {Array<T>({6, 4}), Array<T>({6, 0}), vector_of<Index>({1, 1})},
      {{dtype, {6, 4}}}, {});
  add(Opcode::DynamicSlice, {Array<T>(Dims{}), Array<Index>({0})}, {{dtype, {}}}, {});
}

/// Parameters: low…, high…, interior….
template <typename T>
void add_pad(const Dims& shape, Order order, const Parameters& parameters) {
  Dims result(shape.size());
  for (int i = 0; i < shape.size(); ++i) {
    const size_t n = static_cast<size_t>(shape.size()), axis = static_cast<size_t>(i);
    result[i] = parameters[axis] + parameters[n + axis] + shape[i] +
                std::max<int64_t>(0, shape[i] - 1) * parameters[2 * n + axis];
  }
  add(Opcode::Pad, {Array<T>(shape, order), Array<T>(Dims{})}, {{dtype_of<T>(), result}}, parameters);
}

template <typename T>
void add_pads() {
  for (const Order order : kOrders) {
    add_pad<T>({3, 4}, order, {1, 2, 0, 3, 0, 0});
    add_pad<T>({3, 5}, order, {-1, 2, 2, -3, 1, 2});
    add_pad<T>({2, 3, 8}, order, {4, 0, 0, 1, 0, 0, 0, 0, 0});
    add_pad<T>({1, 3, 2}, order, {0, -1, 0, 2, -1, 0, 0, 0, 3});
  }
  add_pad<T>({0, 3}, Order::Dense, {2, 0, 0, 1, 0, 0});
  add_pad<T>({3}, Order::Dense, {-3, 0, 2});
  add_pad<T>({}, Order::Dense, {});
  add_pad<T>({7}, Order::Dense, {-9, 30, 4});
}

/// Moving bytes takes no arithmetic.
void add_copies_of_other_dtypes() {
  add(Opcode::Copy, {Array<double>({5, 40}, Order::Transposed)}, {{Dtype::Float64, {5, 40}}}, {});
  add(Opcode::Copy, {Array<std::complex<double>>({3, 4}, Order::Reversed)}, {{Dtype::Complex128, {3, 4}}},
      {});
}

void add_rooflines() {
  const auto copied = [] { limit_traffic(2 * bytes_of(cases().back().outputs[0])); };
  add(Opcode::Copy, {Array<float>({100, 70}, Order::Transposed)}, {{Dtype::Float32, {100, 70}}}, {});
  copied();
  add(Opcode::Copy, {Array<int8_t>({3, 50, 41}, Order::Spread)}, {{Dtype::Int8, {3, 50, 41}}}, {});
  copied();
  add(Opcode::Concatenate, {Array<float>({64, 100}), Array<float>({64, 28})}, {{Dtype::Float32, {64, 128}}},
      {1});
  copied();
  add(Opcode::DynamicSlice, {Array<float>({200, 400}), vector_of<int32_t>({70, 3})},
      {{Dtype::Float32, {100, 300}}}, {100, 300});
  copied();
  const auto padded = [] {
    limit_traffic(bytes_of(cases().back().inputs[0]) + bytes_of(cases().back().outputs[0]));
  };
  add_pad<float>({3, 60, 60}, Order::Dense, {0, 2, 2, 0, 2, 2, 0, 0, 0});
  padded();
  add_pad<int8_t>({4000}, Order::Dense, {100, 3000, 0});
  padded();
  add_pad<float>({40, 200}, Order::Transposed, {0, 5, 0, 5, 0, 1});
  padded();
  const Array<int64_t> rows({50, 1});
  for (int64_t i = 0; i < 50; ++i) rows.origin[i] = random_integer(-3, 40);
  for (const int64_t width : {128, 301}) {
    add(Opcode::Gather, {Array<float>({30, width}), rows}, {{Dtype::Float32, {50, width}}},
        {1, 1, 1, 1, 0, 1, 0, 0, 0, 1, width});
    copied();
  }
}

// ------------------------------------------------------------------ indices

/// Random dimension numbers that gather and scatter share.
struct WindowCase {
  Dims operand_shape, window_shape, start_axes, missing_axes, operand_batching, indices_batching,
      indices_shape;
  Dims window_axes, side_shape;  ///< of gather's output or scatter's updates

  WindowCase() {
    const int ndim = static_cast<int>(random_integer(1, 4));
    operand_shape = random_shape(ndim);
    indices_shape = random_shape(static_cast<int>(random_integer(0, 2)), 1, 6);
    window_shape = Dims(ndim, 1);
    std::vector<int64_t> extents;
    for (int axis = 0; axis < ndim; ++axis) {
      const int64_t choice = random_integer(0, 4);
      if (choice == 0 && operand_batching.size() < indices_shape.size()) {
        indices_batching.push_back(operand_batching.size());
        indices_shape[operand_batching.size()] = operand_shape[axis];
        operand_batching.push_back(axis);
        continue;
      }
      if (choice <= 3) start_axes.push_back(axis);
      if (choice == 1) {
        missing_axes.push_back(axis);
      } else {
        window_shape[axis] = choice == 4 ? operand_shape[axis] : random_integer(1, operand_shape[axis]);
        extents.push_back(window_shape[axis]);
      }
    }
    std::shuffle(start_axes.begin(), start_axes.end(), generator());
    std::vector<int64_t> axes(static_cast<size_t>(indices_shape.size()) + extents.size());
    std::iota(axes.begin(), axes.end(), 0);
    std::shuffle(axes.begin(), axes.end(), generator());
    std::sort(axes.begin(), axes.begin() + static_cast<int64_t>(extents.size()));
    for (size_t i = 0; i < extents.size(); ++i) window_axes.push_back(axes[i]);
    int window = 0, batch = 0;
    for (int axis = 0; axis < static_cast<int>(axes.size()); ++axis) {
      const bool within = window < window_axes.size() && window_axes[window] == axis;
      side_shape.push_back(within ? extents[static_cast<size_t>(window++)] : indices_shape[batch++]);
    }
    indices_shape.push_back(start_axes.size());
  }

  template <typename Index>
  Array<Index> indices(int64_t mode, Order order) const {
    const Array<Index> array(indices_shape, order);
    for_each_coordinate(indices_shape, [&](const Dims& at) {
      const auto axis = static_cast<int>(start_axes[static_cast<int>(at.back())]);
      const int64_t limit = operand_shape[axis] - window_shape[axis];
      array[at] = static_cast<Index>(mode == 2 ? random_integer(0, limit) : random_integer(-2, 6));
    });
    return array;
  }

  void append_to(Parameters& parameters) const {
    for (const Dims* list : {&window_axes, &missing_axes, &start_axes, &operand_batching, &indices_batching})
      append_list(parameters, *list);
  }
};

template <typename T, typename Index>
void add_gathers(int count) {
  for (int i = 0; i < count; ++i) {
    const WindowCase window;
    const int64_t mode = i % 3;
    const Order order = kOrders[i % 5];
    Parameters parameters{mode};
    window.append_to(parameters);
    append(parameters, window.window_shape);
    const Array<Index> indices =
        window.indices<Index>(mode, order == Order::Broadcast ? Order::Dense : order);
    add(Opcode::Gather, {Array<T>(window.operand_shape, order), indices},
        {{dtype_of<T>(), window.side_shape}}, parameters);
  }
}

template <typename T>
void add_scatter(const Data& operand, const Data& indices, const Data& updates,
                 const Parameters& parameters) {
  const Data output(operand.dtype, operand.shape);
  add(Opcode::Scatter, {operand, indices, updates}, {output}, parameters);
  const bool extreme = parameters[1] >= 3;
  cases().back().ignores_signs = extreme;
  if (operand.strides != output.strides) return;
  cases().push_back(cases().back());
  cases().back().in_place = true;
}

template <typename T, typename Index>
void add_scatters(int count) {
  for (int i = 0; i < count; ++i) {
    const WindowCase window;
    const int64_t mode = i % 3, kind = i % 5;
    const Order order = kOrders[i / 2 % 5];
    Parameters parameters{mode, kind, 0};
    window.append_to(parameters);
    add_scatter<T>(Array<T>(window.operand_shape, order), window.indices<Index>(mode, Order::Dense),
                   Array<T>(window.side_shape, order), parameters);
  }
  // Many updates of few elements, of rows, and each of another one.
  for (int64_t kind = 0; kind < 5; ++kind) {
    const Array<Index> bins({300, 1}), rows({40, 1});
    for (int64_t i = 0; i < 300; ++i) bins.origin[i] = static_cast<Index>(random_integer(0, 11));
    for (int64_t i = 0; i < 40; ++i) rows.origin[i] = static_cast<Index>(random_integer(0, 11));
    add_scatter<T>(Array<T>({9}), bins, Array<T>({300}), {0, kind, 0, 0, 1, 0, 1, 0, 0, 0});
    add_scatter<T>(Array<T>({10, 45}), rows, Array<T>({40, 45}), {kind % 2, kind, 0, 1, 1, 1, 0, 1, 0, 0, 0});
    std::vector<int64_t> places(50);
    std::iota(places.begin(), places.end(), 0);
    std::shuffle(places.begin(), places.end(), generator());
    const Array<Index> unique({50, 1});
    for (size_t i = 0; i < 50; ++i) unique.origin[i] = static_cast<Index>(places[i]);
    add_scatter<T>(Array<T>({50, 3}), unique, Array<T>({50, 3}, Order::Transposed),
                   {2, kind, 1, 1, 1, 1, 0, 1, 0, 0, 0});
  }
}

// ------------------------------------------------------------------ sorting

/// Few different values, among them zeros of both signs, infinities and NaN where there are such.
template <typename T>
Array<T> sortable(const Dims& shape, Order order = Order::Dense) {
  const Array<T> array(shape, order);
  for_each_coordinate(shape, [&](const Dims& at) {
    const auto number = [] {
      const double special[] = {0.0,
                                -0.0,
                                std::numeric_limits<double>::infinity(),
                                -std::numeric_limits<double>::infinity(),
                                std::numeric_limits<double>::quiet_NaN(),
                                1.0};
      return random_integer(0, 2) == 0 ? special[random_integer(0, 5)]
                                       : static_cast<double>(random_integer(-40, 40)) / 4;
    };
    if constexpr (std::is_same_v<T, bool>) {
      array[at] = random_integer(0, 1) != 0;
    } else if constexpr (std::is_integral_v<T>) {
      const int64_t low = std::numeric_limits<T>::min() == 0 ? 0 : -20;
      array[at] = random_integer(0, 9) == 0
                      ? (random_integer(0, 1) ? std::numeric_limits<T>::max() : std::numeric_limits<T>::min())
                      : static_cast<T>(random_integer(low, 60));
    } else {
      array[at] = from_value<T>({number(), number()});
    }
  });
  return array;
}

void add_sort(const std::vector<Data>& operands, int64_t axis, int64_t keys) {
  std::vector<Data> outputs;
  for (const Data& each : operands) outputs.emplace_back(each.dtype, each.shape);
  add(Opcode::Sort, operands, outputs, {axis, keys});
}

/// 0, 1, 2, … along the last axis.
Array<int32_t> counting(const Dims& shape) {
  const Array<int32_t> array(shape);
  for_each_coordinate(shape, [&](const Dims& at) { array[at] = static_cast<int32_t>(at.back()); });
  return array;
}

template <typename T>
void add_sorts() {
  for (const Order order : kOrders) {
    add_sort({sortable<T>({5, 4, 6}, order)}, 1, 1);
    add_sort({sortable<T>({3, 37}, order), Array<int16_t>({3, 37}, order)}, 1, 1);
  }
  add_sort({sortable<T>({1300})}, 0, 1);
  add_sort({sortable<T>({1100}), counting({1100})}, 0, 1);
  add_sort({Array<int32_t>({2, 40}), sortable<T>({2, 40}), counting({2, 40})}, 1, 2);
}

void add_more_sorts() {
  add_sort({sortable<float>({1})}, 0, 1);
  add_sort({sortable<float>({2, 0})}, 1, 1);
  add_sort({sortable<float>({3, 1, 4})}, 1, 1);
  add_sort({sortable<float>({2, 1500})}, 1, 1);
  add_sort({sortable<float>({20000})}, 0, 1);
  add_sort({sortable<std::complex<float>>({4099}), counting({4099})}, 0, 1);
  add_sort({sortable<float>({500, 3})}, 0, 1);
  add_sort({sortable<int8_t>({3000, 3})}, 1, 1);
  add_sort(
      {Array<uint8_t>({2, 1300}), Array<int8_t>({2, 1300}), Array<int64_t>({2, 1300}), counting({2, 1300})},
      1, 3);
  add_sort({sortable<float>({50}), Array<double>({50})}, 0, 1);  // float64 is carried along
}

// ------------------------------------------------------------------ random bits

void add_random_bits() {
  const auto add_bits = [](const Dims& keys, Order order, const Dims& shape) {
    Array<uint32_t> key(keys, order);
    for_each_coordinate(keys, [&](const Dims& at) { key[at] = static_cast<uint32_t>(generator()()); });
    Dims result(keys.data(), keys.size() - 1);
    for (const int64_t extent : shape) result.push_back(extent);
    add(Opcode::RandomBits, {key}, {{Dtype::UInt32, result}}, {});
  };
  add_bits({2}, Order::Dense, {});
  add_bits({2}, Order::Reversed, {3000});
  add_bits({4, 3, 2}, Order::Transposed, {5, 7});
  add_bits({6, 2}, Order::Spread, {1});
  add_bits({0, 2}, Order::Dense, {4});
  add_bits({3, 2}, Order::Dense, {0});
}

void add_arrays_far_apart() {
  const Data source = Data::far_apart({3, 6});
  const Array<int32_t> rows = vector_of<int32_t>({2, 0, 1, 2});
  const Data vectors = Data(Array<int32_t>({4, 1}));
  add(Opcode::Copy, {source}, {{Dtype::Int8, {3, 6}}}, {});
  add(Opcode::Pad, {source, Array<int8_t>(Dims{})}, {{Dtype::Int8, {4, 7}}}, {1, 0, 0, 1, 0, 0});
  add(Opcode::DynamicSlice, {source, rows}, {{Dtype::Int8, {1, 6}}}, {1, 6});
  add(Opcode::Gather, {source, vectors}, {{Dtype::Int8, {4, 6}}}, {0, 1, 1, 1, 0, 1, 0, 0, 0, 1, 6});
  add(Opcode::Sort, {source}, {{Dtype::Int8, {3, 6}}}, {0, 1});
  for (const int64_t kind : {0, 1}) {
    add(Opcode::Scatter, {Array<int8_t>({2, 6}), Array<int32_t>({3, 1}), source}, {{Dtype::Int8, {2, 6}}},
        {0, kind, 0, 1, 1, 1, 0, 1, 0, 0, 0});
  }
}

void add_all() {
  for_each_metal_dtype([]<typename T>(TypeTag<T>) {
    add_concatenations<T>();
    add_pads<T>();
    add_gathers<T, int32_t>(15);
    add_scatters<T, int32_t>(20);
    add_sorts<T>();
    if constexpr (sizeof(T) == 1 || std::is_same_v<T, int16_t> || std::is_floating_point_v<T> ||
                  std::is_same_v<T, std::complex<float>>) {  // one of each size
      add_copies<T>();
      add_dynamic_slices<T, int32_t>();
    }
  });
  add_dynamic_slices<float, int64_t>();
  add_dynamic_slices<float, uint8_t>();
  add_gathers<float, int8_t>(15);
  add_gathers<float, uint32_t>(15);
  add_gathers<float, int64_t>(15);
  add_gathers<float, uint64_t>(15);
  add_scatters<float, uint64_t>(5);
  add_scatters<float, int16_t>(5);
  add_copies_of_other_dtypes();
  add_more_sorts();
  add_random_bits();
  add_rooflines();
  add_arrays_far_apart();
}

}  // namespace
}  // namespace ftrans::test

namespace ftrans::test {
namespace {

/// What the device cannot count, or sort by, is refused in words.
void test_errors() {
  ForgetfulBuffer buffer;
  RecordingDevice recorder(*metal::device());
  metal::Pipelines recording(recorder);
  metal::Encoder encoder(recording, buffer);
  const Ref<metal::Memory> memory = metal::device()->allocate(8);
  const auto sort = [&](Dtype dtype, int64_t length, int operands) {
    const int64_t stride = 0;
    const metal::Operand operand{{memory.get(), 0}, dtype, 1, &length, &stride};
    const metal::Operand integers{{memory.get(), 0}, Dtype::Int32, 1, &length, &stride};
    const metal::Operand inputs[] = {integers, operand}, outputs[] = {integers, operand};
    const int64_t parameters[] = {0, operands};
    try {
      metal::step_kernel(Opcode::Sort, Dtype::Int32)(encoder,
                                                     {inputs, operands, outputs, operands, parameters, 2});
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(sort(Dtype::Int32, int64_t{1} << 31, 1).find("sort: 2147483648 elements") == 0);
  CHECK(sort(Dtype::Float64, 4, 2).find("sort: keys of float64") == 0);
  CHECK(!metal::step_kernel(Opcode::Gather, Dtype::Float64));
  CHECK(!metal::step_kernel(Opcode::Sort, Dtype::Complex128));
}

}  // namespace
}  // namespace ftrans::test

int main() {
  setenv("FTRANS_METAL", "host", 1);
  using namespace ftrans::test;
  add_all();
  compile_all();
  for (const Case& test : cases()) run_case(test);
  test_errors();
  std::printf("%zu cases, %d failures\n", cases().size(), failures);
  return failures > 0;
}
