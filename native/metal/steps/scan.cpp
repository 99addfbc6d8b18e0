// Scans along an axis: rows, whose items are neighbours in the result, by threadgroups; columns by threads.

#include <algorithm>

#include "metal/kernels.h"
#include "metal/steps/arithmetic.h"
#include "metal/steps/kernel_call.h"

namespace ftrans::metal {
namespace {

constexpr int64_t kItems = 4,
                  kChunk = kItems * kThreadsPerGroup;  // of a thread and of a threadgroup at a time
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

  /// Where a row is divided for want of others, how long the parts are.
  int64_t part() const {
    constexpr int64_t kGroups = 512, kThreads = kGroups * kThreadsPerGroup;
    const int64_t wanted = (along_rows ? kGroups : kThreads) / rows;
    const int64_t useful = length / (along_rows ? 8 * kChunk : 256);
    const int64_t parts = std::clamp<int64_t>(std::min(wanted, useful), 1, kGroups);
    return along_rows ? divide_up(divide_up(length, parts), kChunk) * kChunk : divide_up(length, parts);
  }
};

void run_pass(Encoder& encoder, const Scan& scan, int64_t part, Place carries, bool totals) {
  const int64_t parts = divide_up(scan.length, part);
  const Dtype held = register_dtype(scan.dtype);
  const Dtype result = totals ? held : scan.dtype;
  const std::string value = register_type(scan.dtype);
  KernelCall call{
      .sources = {kScanSource},
      .function = scan.along_rows ? "scan_rows" : "scan_columns",
      .types = {scan.operation, storage_type(scan.dtype), value, "Index"},
      .arrays = {{elements(scan.dtype), scan.in},
                 {"device const " + value + "*", totals ? scan.in : carries},  // totals have none
                 {written(result), totals ? carries : scan.out}},
      .layout_type = "ScanLayout",
      .layout = {scan.rows, scan.length, parts, part, scan.in_first, scan.in_step, scan.out_first,
                 scan.out_step, scan.axes.count()},
      .axes = scan.axes,
      .largest = scan.largest,
  };
  if (scan.along_rows) call.types.push_back(std::to_string(kItems));
  call.types.push_back(totals ? "true" : "false");
  call.types.push_back(storage_type(result));
  const int64_t scanned = scan.rows * (totals ? parts - 1 : parts);
  if (!scan.along_rows) return call.dispatch_threads(encoder, scanned);
  call.shared = {{value, 32}};
  const int64_t threads = std::min<int64_t>(divide_up(scan.length, 32 * kItems) * 32, kThreadsPerGroup);
  call.dispatch(encoder, scanned, static_cast<uint32_t>(threads));
}

void run_scan(Encoder& encoder, const Scan& scan) {
  const int64_t part = scan.part(), parts = divide_up(scan.length, part);
  if (parts == 1) return run_pass(encoder, scan, part, scan.in, false);  // without carries
  const Dtype held = register_dtype(scan.dtype);
  const int64_t carried = parts - 1;
  const Place carries = encoder.scratch(static_cast<size_t>(scan.rows * carried * itemsize(held)));
  run_pass(encoder, scan, part, carries, true);
  encoder.recording().barrier();
  Scan joining{.operation = scan.operation,
               .dtype = held,
               .rows = scan.rows,
               .length = carried,
               .along_rows = scan.along_rows && carried >= kShortestRow,
               .in = carries,
               .out = carries,
               .in_first = 0,
               .in_step = scan.along_rows ? 1 : scan.rows,
               .out_first = 0,
               .out_step = scan.along_rows ? 1 : scan.rows,
               .axes = {},
               .largest = scan.rows * carried};
  const int64_t stride = scan.along_rows ? carried : 1;
  joining.axes.add(scan.rows, stride, stride);
  run_scan(encoder, joining);
  encoder.recording().barrier();
  run_pass(encoder, scan, part, carries, false);
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
