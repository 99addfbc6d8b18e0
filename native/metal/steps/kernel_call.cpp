#include "metal/steps/kernel_call.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "metal/kernels.h"

namespace ftrans::metal {
namespace {

template <class T>
void set_numbers(Recording& recording, int index, const std::vector<int64_t>& numbers) {
  std::vector<T> narrow(std::max<size_t>(numbers.size(), 1));
  std::transform(numbers.begin(), numbers.end(), narrow.begin(), [](int64_t n) { return static_cast<T>(n); });
  recording.set_bytes(index, narrow.data(), narrow.size() * sizeof(T));
}

/// A grid of `count` threadgroups; what is too long goes on along y.
Size grid_of(int64_t count) {
  constexpr int64_t kLongest = int64_t{1} << 20;
  const int64_t x = std::min(count, kLongest);
  return {static_cast<uint32_t>(x), static_cast<uint32_t>(divide_up(count, x)), 1};
}

}  // namespace

void Axes::add(int64_t extent, int64_t first_stride, int64_t second_stride) {
  if (extent == 1) return;
  if (count() > 0) {
    int64_t* last = numbers_.data() + numbers_.size() - 3;
    if (last[1] == first_stride * extent && last[2] == second_stride * extent) {
      last[0] *= extent;
      last[1] = first_stride;
      last[2] = second_stride;
      return;
    }
  }
  numbers_.insert(numbers_.end(), {extent, first_stride, second_stride});
}

Axes Axes::swapped() const {
  Axes result = *this;
  for (size_t i = 0; i < numbers_.size(); i += 3) std::swap(result.numbers_[i + 1], result.numbers_[i + 2]);
  return result;
}

Bound::Bound(const Operand& operand) : place(operand.place), first(0), span(1) {
  for (int axis = 0; axis < operand.ndim; ++axis) {
    const int64_t reach = operand.strides[axis] * (operand.shape[axis] - 1);
    if (reach < 0) first -= reach;
    span += std::abs(reach);
  }
  place.offset -= static_cast<size_t>(first * itemsize(operand.dtype));
}

int64_t element_count(const Operand& operand) {
  int64_t count = 1;
  for (int axis = 0; axis < operand.ndim; ++axis) count *= operand.shape[axis];
  return count;
}

std::string elements(Dtype dtype) { return std::string("device const ") + storage_type(dtype) + "*"; }
std::string written(Dtype dtype) { return std::string("device ") + storage_type(dtype) + "*"; }

bool KernelCall::is_wide(int64_t threads) const {
  constexpr int64_t kSlack = 1 << 20;  // of the last threadgroups, and of the last part of an axis
  return std::max(threads, largest) > std::numeric_limits<int32_t>::max() - kSlack;
}

PrintedKernel KernelCall::printed(bool wide) const {
  const std::string index = wide ? "int64_t" : "int32_t";
  std::string parameters, arguments, variables, list;
  int buffer = 0;
  const auto add = [&](const std::string& type, const std::string& name) {
    parameters += type + " " + name + " [[buffer(" + std::to_string(buffer++) + ")]],\n    ";
    arguments += name + ", ";
  };
  for (const Array& array : arrays) add(array.type, "array" + std::to_string(buffer));
  add("constant " + layout_type + "<" + index + layout_arguments + ">&", "layout");
  add("constant Axis<" + index + ">*", "axes");
  for (size_t i = 0; i < shared.size(); ++i) {
    const std::string name = "shared" + std::to_string(i);
    variables +=
        "  threadgroup " + shared[i].type + " " + name + "[" + std::to_string(shared[i].count) + "];\n";
    arguments += name + ", ";
  }
  if (!constant.empty()) arguments += constant + ", ";
  for (const std::string& type : types) list += (list.empty() ? "" : ", ") + (type == "Index" ? index : type);

  PrintedKernel result;
  const std::string text =
      "(\n    " + parameters +
      "uint3 group [[threadgroup_position_in_grid]],\n    uint3 grid [[threadgroups_per_grid]],\n"
      "    uint3 threads [[threads_per_threadgroup]],\n    uint number [[thread_index_in_threadgroup]],\n"
      "    uint lane [[thread_index_in_simdgroup]],\n    uint simdgroup [[simdgroup_index_in_threadgroup]]) "
      "{\n" +
      variables + "  const Position<" + index + "> here = {" + index + "(group.y) * " + index +
      "(grid.x) + " + index + "(group.x), number, threads.x, lane, simdgroup};\n  " + function + "<" + list +
      ">(" + arguments + "here);\n}\n";
  result.name = kernel_name(function + "_", text);
  result.text = "[[max_total_threads_per_threadgroup(" + std::to_string(kThreadsPerGroup) +
                ")]] kernel void " + result.name + text;
  result.uses_complex = text.find("float2") != std::string::npos;
  result.uses_functions = result.uses_complex;
  result.sources = {kStepsSource};
  result.sources.insert(result.sources.end(), sources.begin(), sources.end());
  return result;
}

void KernelCall::dispatch(Encoder& encoder, int64_t threadgroups, uint32_t threads) const {
  const bool wide = is_wide(threadgroups * threads);
  Recording& recording = encoder.recording();
  recording.set_pipeline(encoder.pipelines().get(printed(wide)));
  int index = 0;
  for (const Array& array : arrays) recording.set_memory(index++, *array.place.memory, array.place.offset);
  for (const std::vector<int64_t>* numbers : {&layout, &axes.numbers()}) {
    if (wide) {
      set_numbers<int64_t>(recording, index++, *numbers);
    } else {
      set_numbers<int32_t>(recording, index++, *numbers);
    }
  }
  recording.dispatch(grid_of(threadgroups), {threads});
}

void KernelCall::dispatch_threads(Encoder& encoder, int64_t count) const {
  const int64_t threads = std::min<int64_t>(divide_up(count, 32) * 32, kThreadsPerGroup);
  dispatch(encoder, divide_up(count, threads), static_cast<uint32_t>(threads));
}

}  // namespace ftrans::metal
