// Scans along an axis: rows, whose items are neighbours in the result, by threadgroups; columns by threads; a
// few long ones by tiles.

#include <algorithm>
#include <cstring>

#include "metal/kernels.h"
#include "metal/steps/arithmetic.h"
#include "metal/steps/layout_call.h"

namespace ftrans::metal {
namespace {

constexpr int64_t kShortestRow = 64;  // below, threads beside each other take rows, as if they were columns

struct Scan {
  std::string operation;  ///< of steps.metal
  Dtype dtype;
  int64_t rows, length;
  bool along_rows;
  Place in, out;
  int64_t in_first, in_step, out_first, out_step;
  Axes axes;
  int64_t largest;

  LayoutCall call(const char* function) const {
    return {.sources = {kScanSource},
            .function = function,
            .types = {operation, storage_type(dtype), register_type(dtype), "Index"},
            .arrays = {{elements(dtype), in}, {written(dtype), out}},
            .layout_type = "ScanLayout",
            .layout = {rows, length, in_first, in_step, out_first, out_step, axes.count()},
            .axes = axes,
            .largest = largest};
  }
};

/// How rows or columns are divided for want of others.
struct Tiles {
  int64_t width = 1;  ///< columns of a tile
  int64_t items;      ///< of a thread
  int64_t length;     ///< of a tile
  int64_t count;      ///< of a row or column

  explicit Tiles(const Scan& scan) : items(scan.along_rows ? 8 : 16) {
    constexpr int64_t kWidest = 32;
    while (!scan.along_rows && width < std::min(scan.rows, kWidest)) width *= 2;
    length = kThreadsPerGroup / width * items;
    count = divide_up(scan.length, length);
  }

  bool are_wanted(const Scan& scan) const {
    constexpr int64_t kGroups = 512;  // are enough to keep a device busy
    const int64_t groups = scan.along_rows ? scan.rows : divide_up(scan.rows, kThreadsPerGroup);
    return count > 2 && groups < kGroups;
  }
};

void scan_rows(Encoder& encoder, const Scan& scan) {
  constexpr int64_t kItems = 4;
  LayoutCall call = scan.call("scan_rows");
  call.types.push_back(std::to_string(kItems));
  call.shared = {{register_type(scan.dtype), 32}};
  const int64_t threads = std::min<int64_t>(divide_up(scan.length, 32 * kItems) * 32, kThreadsPerGroup);
  call.dispatch(encoder, scan.rows, static_cast<uint32_t>(threads));
}

void scan_tiles(Encoder& encoder, const Scan& scan, const Tiles& tiles) {
  const int64_t groups = divide_up(scan.rows, tiles.width) * tiles.count;
  const int64_t words = divide_up(itemsize(register_dtype(scan.dtype)), 2);  // of a number: 16 bits each
  const auto bytes = static_cast<size_t>(1 + groups * tiles.width * words) * sizeof(uint32_t);
  const Place told = encoder.scratch(bytes);
  std::memset(told.memory->data(), 0, bytes);
  LayoutCall call = scan.call("scan_tiles");
  call.arrays.push_back({"device atomic_uint*", told});
  call.types.push_back(std::to_string(tiles.items));
  call.types.push_back(std::to_string(tiles.width));
  call.shared = {{register_type(scan.dtype), 2 * kThreadsPerGroup}, {"int32_t", tiles.width}};
  call.largest = std::max(call.largest, static_cast<int64_t>(bytes));
  call.dispatch(encoder, groups, kThreadsPerGroup);
}

void run_scan(Encoder& encoder, const Scan& scan) {
  const Tiles tiles(scan);
  if (tiles.are_wanted(scan)) return scan_tiles(encoder, scan, tiles);
  if (scan.along_rows) return scan_rows(encoder, scan);
  scan.call("scan_columns").dispatch_threads(encoder, scan.rows);
}

void scan_axis(Encoder& encoder, const StepArguments& arguments, const char* operation) {
  const Operand &input = arguments.inputs[0], &output = arguments.outputs[0];
  if (element_count(input) == 0) return;
  const Bound in(input), out(output);
  const auto axis = static_cast<int>(arguments.parameters[0]);
  Scan scan{.operation = operation,
            .dtype = input.dtype,
            .rows = element_count(input) / input.shape[axis],
            .length = input.shape[axis],
            .along_rows = false,
            .in = in.place,
            .out = out.place,
            .in_first = in.first,
            .in_step = input.strides[axis],
            .out_first = 0,
            .out_step = output.strides[axis],
            .axes = {},
            .largest = std::max(in.span, out.span)};
  scan.along_rows = scan.length >= kShortestRow && scan.out_step == 1;
  for (int i = 0; i < input.ndim; ++i) {
    if (i != axis) scan.axes.add(input.shape[i], input.strides[i], output.strides[i]);
  }
  if (arguments.parameters[1] != 0) {
    scan.in_first += (scan.length - 1) * scan.in_step;
    scan.out_first += (scan.length - 1) * scan.out_step;
    scan.in_step = -scan.in_step;
    scan.out_step = -scan.out_step;
  }
  run_scan(encoder, scan);
}

}  // namespace

void cumsum(Encoder& encoder, const StepArguments& arguments) { scan_axis(encoder, arguments, "Sum"); }
void cumprod(Encoder& encoder, const StepArguments& arguments) { scan_axis(encoder, arguments, "Product"); }
void cummax(Encoder& encoder, const StepArguments& arguments) { scan_axis(encoder, arguments, "Maximum"); }
void cummin(Encoder& encoder, const StepArguments& arguments) { scan_axis(encoder, arguments, "Minimum"); }

}  // namespace ftrans::metal
