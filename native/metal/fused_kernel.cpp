#include "metal/fused_kernel.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>

#include "metal/supported.h"

namespace ftrans::metal {
namespace {

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Threads of a threadgroup that reduces a row: whole SIMD-groups, each thread with some elements.
uint32_t threads_of_row(int64_t elements) {
  constexpr int64_t kSimdWidth = 32, kElements = 4, kMost = 1024;
  return static_cast<uint32_t>(
      std::clamp(divide_up(elements, kElements * kSimdWidth) * kSimdWidth, kSimdWidth, kMost));
}

/// Into how many parts the reduced elements go so that the whole device has work.
int64_t splits_of(const Layout& layout) {
  constexpr int64_t kGroups = 512, kThreads = kGroups * kThreadsPerGroup;
  if (layout.kept_size == 0 || layout.variant.form == Variant::Form::Elements ||
      layout.variant.form == Variant::Form::Phases)
    return 1;
  const bool rows = layout.variant.form == Variant::Form::Rows;
  const int64_t wanted = (rows ? kGroups : kThreads) / layout.kept_size;
  const int64_t useful = layout.reduced_size / (rows ? 16 * 1024 : 256);
  return std::clamp<int64_t>(std::min(wanted, useful), 1, kGroups);
}

/// A grid of `count` along x; what is too long goes on along z.
Size grid_of(int64_t count, int64_t splits, bool wide) {
  constexpr int64_t kLongest = int64_t{1} << 20;
  const int64_t x = wide ? std::min(count, kLongest) : count;
  return {static_cast<uint32_t>(x), static_cast<uint32_t>(splits),
          static_cast<uint32_t>(divide_up(count, x))};
}

template <class T>
std::vector<unsigned char> bytes_of(const std::vector<int64_t>& numbers) {
  std::vector<unsigned char> bytes(numbers.size() * sizeof(T));
  for (size_t i = 0; i < numbers.size(); ++i) {
    const T number = static_cast<T>(numbers[i]);  // strides below 0 wrap, and so do the offsets in the kernel
    std::memcpy(bytes.data() + i * sizeof(T), &number, sizeof(T));
  }
  return bytes;
}

}  // namespace

FusedFunction::FusedFunction(Pipelines& pipelines, FusedKernel kernel)
    : pipelines_(pipelines), kernel_(std::move(kernel)), sources_(sources_of(kernel_)) {
  require_supported(kernel_);
}

Ref<Pipeline> FusedFunction::pipeline_of(const Variant& variant) const {
  std::lock_guard lock(mutex_);
  Ref<Pipeline>& pipeline = pipelines_of_variants_[variant];
  if (!pipeline) pipeline = pipelines_.get(print(kernel_, sources_, variant));
  return pipeline;
}

FusedKernel FusedFunction::joining_kernel(const KernelOutput& output) const {
  const Dtype dtype = kernel_.body[output.instruction].dtype;
  const Instruction element{Instruction::Kind::Input, Opcode::Add, dtype, {-1, -1, -1}, 0, {}};
  return {.ndim = 2,
          .inputs = {register_dtype(dtype)},
          .body = {element},
          .outputs = {{0, true, output.reduction}},
          .reduced_axes = {true, false}};
}

void FusedFunction::dispatch(Recording& recording, const Layout& layout, int64_t splits, const Place* inputs,
                             const Place* outputs) const {
  const Variant& variant = layout.variant;
  recording.set_pipeline(pipeline_of(variant));
  int index = 0;
  for (size_t i = 0; i < kernel_.inputs.size(); ++i, ++index) {
    const auto source =
        std::find(sources_.begin(), sources_.end(), Source{Source::Kind::Input, static_cast<int>(i)});
    if (source == sources_.end()) continue;
    const int64_t below = layout.below[static_cast<size_t>(source - sources_.begin())];
    recording.set_memory(index, *inputs[i].memory,
                         inputs[i].offset - static_cast<size_t>(below * itemsize(kernel_.inputs[i])));
  }
  for (size_t i = 0; i < kernel_.outputs.size(); ++i, ++index)
    recording.set_memory(index, *outputs[i].memory, outputs[i].offset);
  const std::vector<int64_t> parameters = layout.parameters(divide_up(layout.reduced_size, splits));
  const std::vector<unsigned char> bytes =
      variant.wide ? bytes_of<uint64_t>(parameters) : bytes_of<uint32_t>(parameters);
  recording.set_bytes(index, bytes.data(), bytes.size());
  if (variant.form == Variant::Form::Rows) {
    const uint32_t threads = threads_of_row(divide_up(layout.reduced_size, splits));
    recording.dispatch(grid_of(layout.kept_size, splits, variant.wide), {threads});
  } else if (variant.form == Variant::Form::Phases) {
    const int64_t rows = layout.rows_per_group();
    const int64_t threads = std::min(rows, layout.kept_size) * variant.lanes;
    recording.dispatch(grid_of(divide_up(layout.kept_size, rows), 1, variant.wide),
                       {static_cast<uint32_t>(divide_up(threads, 32) * 32)});
  } else {
    const auto threads = static_cast<uint32_t>(std::min<int64_t>(layout.kept_size, kThreadsPerGroup));
    recording.dispatch(grid_of(divide_up(layout.kept_size, threads), splits, variant.wide), {threads});
  }
}

void FusedFunction::encode(Recording& recording, const int64_t* shape, const Place* inputs,
                           const int64_t* const* input_strides, const Place* outputs) const {
  Layout layout(kernel_, sources_, shape, input_strides);
  if (layout.kept_size == 0) return;
  const int64_t splits = splits_of(layout);
  if (splits == 1) return dispatch(recording, layout, 1, inputs, outputs);

  layout.variant.partial = true;
  std::vector<Place> places(outputs, outputs + kernel_.outputs.size());
  std::vector<Ref<Memory>> parts;  // the recording keeps them
  for (size_t i = 0; i < kernel_.outputs.size(); ++i) {
    if (!kernel_.outputs[i].reduced) continue;
    const int64_t width = itemsize(register_dtype(kernel_.body[kernel_.outputs[i].instruction].dtype));
    parts.push_back(pipelines_.device().allocate(static_cast<size_t>(splits * layout.kept_size * width)));
    if (!parts.back()) throw std::bad_alloc();
    places[i] = {parts.back().get(), 0};
  }
  dispatch(recording, layout, splits, inputs, places.data());
  recording.barrier();
  const int64_t part_shape[] = {splits, layout.kept_size}, strides[] = {layout.kept_size, 1};
  const int64_t* const part_strides[] = {strides};
  for (size_t i = 0; i < kernel_.outputs.size(); ++i) {
    if (!kernel_.outputs[i].reduced) continue;
    FusedFunction(pipelines_, joining_kernel(kernel_.outputs[i]))
        .encode(recording, part_shape, &places[i], part_strides, &outputs[i]);
  }
}

}  // namespace ftrans::metal
