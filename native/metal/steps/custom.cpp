#include "metal/steps/custom.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>

#include "core/shape.h"
#include "metal/steps/movement/steps.h"
#include "metal/steps/steps.h"

namespace ftrans::metal {
namespace {

using movement::Origin;

struct CustomKernel {
  std::string name, text;
  Ref<Function> function{};
};

/// Those of this process, by their numbers.
class CustomKernels {
 public:
  static CustomKernels& instance() {
    static auto* kernels = new CustomKernels;
    return *kernels;
  }

  int64_t number_of(const std::string& name, const std::string& text) {
    std::lock_guard lock(mutex_);
    const auto [at, is_new] = numbers_.try_emplace({name, text}, static_cast<int64_t>(kernels_.size()));
    if (is_new) kernels_.push_back({name, text});
    return at->second;
  }

  Ref<Function> function(Device& device, int64_t number) {
    std::lock_guard lock(mutex_);
    CustomKernel& kernel = kernels_.at(static_cast<size_t>(number));
    if (!kernel.function) kernel.function = device.compile(kernel.text)->function(kernel.name);
    return kernel.function;
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, int64_t> numbers_;
  std::deque<CustomKernel> kernels_;
};

/// The native parameters of a MetalKernel.
struct Parameters {
  int64_t number;
  bool row_major;          ///< inputs are copied where they have gaps
  const int64_t* grid;     ///< in threads
  const int64_t* threads;  ///< of a threadgroup
  bool has_initial_values;
  const int64_t* initial_values;  ///< the bits of an element of each output

  explicit Parameters(const int64_t* p)
      : number(p[0]),
        row_major(p[1] != 0),
        grid(p + 2),
        threads(p + 5),
        has_initial_values(p[8] != 0),
        initial_values(p + 9) {}
};

void fill(Encoder& encoder, const Operand& output, int64_t bits) {
  const Place value = encoder.scratch(sizeof bits);
  std::memcpy(value.memory->data(), &bits, sizeof bits);
  const int64_t size = movement::size_of(output);
  movement::copy_block(encoder, itemsize(output.dtype), {{size, {0, 1}}}, {value}, {output.place, 0, size});
}

/// What the kernel gets of its inputs.
struct Inputs {
  std::vector<Place> places;
  std::vector<int32_t> shapes;
  std::vector<int64_t> offsets, strides;

  Inputs(Encoder& encoder, const StepArguments& arguments, bool row_major) {
    for (int i = 0; i < arguments.input_count; ++i) add(encoder, arguments.inputs[i], row_major);
    shapes.push_back(0);  // so that there is something to bind
    offsets.insert(offsets.end(), strides.begin(), strides.end());
    offsets.push_back(0);
  }

 private:
  void add(Encoder& encoder, const Operand& input, bool row_major) {
    const Dims shape(input.shape, input.ndim);
    Dims steps(input.strides, input.ndim);
    const int64_t size = movement::size_of(input);
    Origin origin = size > 0 ? movement::origin_of(input) : Origin{input.place};
    if (row_major && size > 0 && !is_contiguous(shape, steps)) {
      origin = {encoder.scratch(static_cast<size_t>(size * itemsize(input.dtype)))};
      movement::copy_to_row_major(encoder, input, origin.lowest);
    }
    if (row_major) steps = contiguous_strides(shape);
    places.push_back(origin.lowest);
    offsets.push_back(origin.base);
    for (const int64_t extent : shape) shapes.push_back(static_cast<int32_t>(extent));
    strides.insert(strides.end(), steps.begin(), steps.end());
  }
};

/// Threadgroups along an axis that have the same size.
struct Stretch {
  int64_t first, count, threads;
};

/// The whole threadgroups, and a smaller one at the end.
std::vector<Stretch> stretches(int64_t grid, int64_t threads) {
  std::vector<Stretch> result;
  if (grid >= threads) result.push_back({0, grid / threads, threads});
  if (grid % threads != 0) result.push_back({grid / threads, 1, grid % threads});
  return result;
}

void dispatch(Recording& recording, const Parameters& parameters, int grid_index) {
  const auto narrow = [](int64_t number) { return static_cast<uint32_t>(number); };
  const int64_t *grid = parameters.grid, *threads = parameters.threads;
  for (const Stretch& x : stretches(grid[0], threads[0])) {
    for (const Stretch& y : stretches(grid[1], threads[1])) {
      for (const Stretch& z : stretches(grid[2], threads[2])) {
        const uint32_t numbers[] = {narrow(grid[0]),    narrow(grid[1]),    narrow(grid[2]),
                                    narrow(threads[0]), narrow(threads[1]), narrow(threads[2]),
                                    narrow(x.first),    narrow(y.first),    narrow(z.first)};
        recording.set_bytes(grid_index, numbers, sizeof numbers);
        recording.dispatch({narrow(x.count), narrow(y.count), narrow(z.count)},
                           {narrow(x.threads), narrow(y.threads), narrow(z.threads)});
      }
    }
  }
}

void custom(Encoder& encoder, const StepArguments& arguments) {
  const Parameters parameters(arguments.parameters);
  Recording& recording = encoder.recording();
  for (int i = 0; parameters.has_initial_values && i < arguments.output_count; ++i)
    fill(encoder, arguments.outputs[i], parameters.initial_values[i]);
  const Inputs inputs(encoder, arguments, parameters.row_major);
  recording.barrier();
  recording.set_function(CustomKernels::instance().function(encoder.pipelines().device(), parameters.number));
  int index = 0;
  for (const Place& place : inputs.places) recording.set_memory(index++, *place.memory, place.offset);
  for (int i = 0; i < arguments.output_count; ++i) {
    const Place& place = arguments.outputs[i].place;
    recording.set_memory(index++, *place.memory, place.offset);
  }
  recording.set_bytes(index++, inputs.shapes.data(), inputs.shapes.size() * sizeof(int32_t));
  recording.set_bytes(index++, inputs.offsets.data(), inputs.offsets.size() * sizeof(int64_t));
  dispatch(recording, parameters, index);
}

}  // namespace

int64_t custom_kernel_number(const std::string& name, const std::string& text) {
  return CustomKernels::instance().number_of(name, text);
}

StepKernel custom_step(Opcode opcode) { return opcode == Opcode::MetalKernel ? custom : nullptr; }

}  // namespace ftrans::metal
