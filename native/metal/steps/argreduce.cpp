// Where the extremes along an axis are: rows, whose elements are neighbours, by threadgroups; columns by
// threads.

#include <algorithm>

#include "metal/kernels.h"
#include "metal/steps/arithmetic.h"
#include "metal/steps/layout_call.h"

namespace ftrans::metal {
namespace {

struct Search {
  std::string order;  ///< of steps.metal
  Dtype dtype;
  int64_t results, length;
  bool along_rows;
  Bound in;
  int64_t step;
  Axes axes;

  /// Into how many parts an axis goes for want of others.
  int64_t parts() const {
    constexpr int64_t kGroups = 512, kThreads = kGroups * kThreadsPerGroup;
    const int64_t wanted = (along_rows ? kGroups : kThreads) / results;
    const int64_t useful = length / (along_rows ? 16 * 1024 : 256);
    return std::clamp<int64_t>(std::min(wanted, useful), 1, kGroups);
  }
};

/// Searches all parts. `values` is only used if there are several.
void search(Encoder& encoder, const Search& of, int64_t part, Place places, Place values) {
  const int64_t parts = divide_up(of.length, part);
  const std::string value = register_type(of.dtype);
  LayoutCall call{
      .sources = {kArgreduceSource},
      .function = of.along_rows ? "search_rows" : "search_columns",
      .types = {of.order, storage_type(of.dtype), value, "Index", parts > 1 ? "true" : "false"},
      .arrays = {{elements(of.dtype), of.in.place},
                 {"device int32_t*", places},
                 {"device " + value + "*", values}},
      .layout_type = "SearchLayout",
      .layout = {of.results, of.length, parts, part, of.in.first, of.step, of.axes.count()},
      .axes = of.axes,
      .largest = std::max(of.in.span, of.length),
  };
  if (!of.along_rows) return call.dispatch_threads(encoder, of.results * parts);
  call.shared = {{value, 32}, {"int32_t", 32}};
  const int64_t threads = std::min<int64_t>(divide_up(part, 4 * 32) * 32, kThreadsPerGroup);
  call.dispatch(encoder, of.results * parts, static_cast<uint32_t>(threads));
}

void join_parts(Encoder& encoder, const Search& of, int64_t parts, Place places, Place values, Place out) {
  const std::string value = register_type(of.dtype);
  const LayoutCall call{
      .sources = {kArgreduceSource},
      .function = "join_extremes",
      .types = {of.order, value, "Index"},
      .arrays = {{"device const int32_t*", places},
                 {"device const " + value + "*", values},
                 {"device int32_t*", out}},
      .layout_type = "SearchLayout",
      .layout = {of.results, of.length, parts, 0, 0, 0, 0},
      .largest = of.results * parts,
  };
  call.dispatch_threads(encoder, of.results);
}

void search_axis(Encoder& encoder, const StepArguments& arguments, const char* order) {
  constexpr int64_t kShortestRow = 64;
  const Operand& input = arguments.inputs[0];
  if (element_count(input) == 0) return;
  const Place out = arguments.outputs[0].place;
  const auto axis = static_cast<int>(arguments.parameters[0]);
  Search of{.order = order,
            .dtype = input.dtype,
            .results = element_count(input) / input.shape[axis],
            .length = input.shape[axis],
            .along_rows = input.shape[axis] >= kShortestRow,
            .in = Bound(input),
            .step = input.strides[axis],
            .axes = {}};
  for (int i = 0; i < input.ndim; ++i) {
    if (i == axis) continue;
    of.axes.add(input.shape[i], input.strides[i], 0);
    const int64_t stride = std::abs(input.strides[i]);
    if (input.shape[i] > 1 && stride > 0 && stride < std::abs(of.step)) of.along_rows = false;
  }
  const int64_t part = divide_up(of.length, of.parts()), parts = divide_up(of.length, part);
  if (parts == 1) return search(encoder, of, part, out, out);
  const auto count = static_cast<size_t>(of.results * parts);
  const Place places = encoder.scratch(count * sizeof(int32_t));
  const Place values = encoder.scratch(count * static_cast<size_t>(itemsize(register_dtype(of.dtype))));
  search(encoder, of, part, places, values);
  encoder.recording().barrier();
  join_parts(encoder, of, parts, places, values, out);
}

}  // namespace

void argmax(Encoder& encoder, const StepArguments& arguments) { search_axis(encoder, arguments, "Maximum"); }
void argmin(Encoder& encoder, const StepArguments& arguments) { search_axis(encoder, arguments, "Minimum"); }

}  // namespace ftrans::metal
