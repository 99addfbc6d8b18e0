#include <memory>

#include "cpu/steps/block_copy.h"
#include "cpu/steps/kernels.h"

namespace ftrans::cpu::steps {
namespace {

constexpr int64_t kGrain = 1 << 15;
constexpr int64_t kLanes = 8;  // independent chains of operations, to hide the latency of each
constexpr int64_t kLaneLength = 128;
constexpr int64_t kBlock = kLanes * kLaneLength;

/// A row, scanned forwards or backwards.
template <typename T>
struct Row {
  const T* input;
  T* output;
  int64_t length;
  bool reverse;

  /// Where the `count` elements lie that the scan comes to after `index` others.
  int64_t position(int64_t index, int64_t count = 1) const {
    return reverse ? length - index - count : index;
  }
  ComputeType<T> operator[](int64_t index) const { return load(input[position(index)]); }
  void set(int64_t index, ComputeType<T> value) const { output[position(index)] = store<T>(value); }
};

/// Scans each lane of a block for itself, into `totals` and, unless totals are all that is wanted, `scanned`.
template <typename Operation, bool only_totals, typename T>
FTRANS_MULTIVERSION void scan_lanes(const T* input, bool reverse, ComputeType<T>* totals,
                                    ComputeType<T>* scanned) {
  ComputeType<T> running[kLanes] = {};
  for (int64_t i = 0; i < kLaneLength; ++i) {
    int64_t place = reverse ? kLaneLength - 1 - i : i;
    for (int64_t lane = 0; lane < kLanes; ++lane, place += kLaneLength) {
      const ComputeType<T> element = load(input[place]);
      running[lane] = i == 0 ? element : Operation::apply(running[lane], element);
      if constexpr (!only_totals) scanned[place] = running[lane];
    }
  }
  for (int64_t lane = 0; lane < kLanes; ++lane) totals[lane] = running[lane];
}

template <typename T>
FTRANS_MULTIVERSION void write_lane(const ComputeType<T>* lane, T* output) {
  for (int64_t i = 0; i < kLaneLength; ++i) output[i] = store<T>(lane[i]);
}

/// Writes a scanned lane, combined with what comes before it.
template <typename Operation, typename T>
FTRANS_MULTIVERSION void write_combined_lane(const ComputeType<T>* lane, ComputeType<T> before, T* output) {
  for (int64_t i = 0; i < kLaneLength; ++i) output[i] = store<T>(Operation::apply(before, lane[i]));
}

/// Scans a row in blocks of kBlock elements. The order of operations depends on the length alone (not on who
/// scans which block), so results do not change with the number of threads.
template <typename Operation, typename T>
struct RowScan {
  using Compute = ComputeType<T>;

  /// The lane that the scan of a block comes to after `index` others.
  static int64_t lane_after(Row<T> row, int64_t index) { return row.reverse ? kLanes - 1 - index : index; }

  /// What the scan of the full block that starts at `begin` comes to.
  static Compute total(Row<T> row, int64_t begin) {
    Compute totals[kLanes];
    scan_lanes<Operation, true>(row.input + row.position(begin, kBlock), row.reverse, totals, nullptr);
    Compute result = totals[lane_after(row, 0)];
    for (int64_t i = 1; i < kLanes; ++i) result = Operation::apply(result, totals[lane_after(row, i)]);
    return result;
  }

  /// Scans the full block that starts at `begin`, after `*carry` (nullptr: nothing); returns its own total.
  static Compute scan(Row<T> row, int64_t begin, const Compute* carry) {
    const int64_t position = row.position(begin, kBlock);
    Compute totals[kLanes], scanned[kBlock];
    scan_lanes<Operation, false>(row.input + position, row.reverse, totals, scanned);
    Compute within{};  // of the lanes so far
    for (int64_t i = 0; i < kLanes; ++i) {
      const int64_t lane = lane_after(row, i);
      const Compute* from = scanned + lane * kLaneLength;
      T* to = row.output + position + lane * kLaneLength;
      if (i > 0) {
        const Compute before = carry == nullptr ? within : Operation::apply(*carry, within);
        write_combined_lane<Operation>(from, before, to);
        within = Operation::apply(within, totals[lane]);
      } else {
        within = totals[lane];
        if (carry == nullptr) {
          write_lane(from, to);
        } else {
          write_combined_lane<Operation>(from, *carry, to);
        }
      }
    }
    return within;
  }

  /// Scans what is left after the full blocks.
  static void scan_rest(Row<T> row, int64_t begin, const Compute* carry) {
    if (begin == row.length) return;
    Compute running = carry == nullptr ? row[begin] : Operation::apply(*carry, row[begin]);
    row.set(begin, running);
    for (int64_t i = begin + 1; i < row.length; ++i) {
      running = Operation::apply(running, row[i]);
      row.set(i, running);
    }
  }

  static void serial(Row<T> row) {
    Compute carry{};
    const Compute* before = nullptr;
    int64_t begin = 0;
    for (; begin + kBlock <= row.length; begin += kBlock) {
      const Compute block = scan(row, begin, before);
      carry = before == nullptr ? block : Operation::apply(carry, block);
      before = &carry;
    }
    scan_rest(row, begin, before);
  }

  /// Two passes: the totals of all blocks, then the scan of each block after the sum of the earlier totals.
  static void parallel(Row<T> row) {
    ThreadPool& pool = ThreadPool::instance();
    const int64_t blocks = row.length / kBlock;
    const auto carries = std::make_unique_for_overwrite<Compute[]>(static_cast<size_t>(blocks));
    pool.parallel_for(blocks, kGrain / kBlock, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) carries[i] = total(row, i * kBlock);
    });
    for (int64_t i = 1; i < blocks; ++i) carries[i] = Operation::apply(carries[i - 1], carries[i]);
    pool.parallel_for(blocks, kGrain / kBlock, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) scan(row, i * kBlock, i == 0 ? nullptr : &carries[i - 1]);
    });
    scan_rest(row, blocks * kBlock, &carries[blocks - 1]);
  }
};

/// Scans `width` (≤ kBlock) neighbouring columns, whose elements are `stride` apart.
template <typename Operation, typename T>
FTRANS_MULTIVERSION void scan_columns(const T* input, T* output, int64_t length, int64_t stride,
                                      int64_t width, bool reverse) {
  ComputeType<T> running[kBlock];
  for (int64_t i = 0; i < length; ++i) {
    const int64_t offset = (reverse ? length - 1 - i : i) * stride;
    const T* from = input + offset;
    T* to = output + offset;
    if (i == 0) {
      for (int64_t j = 0; j < width; ++j) running[j] = load(from[j]);
    } else {
      for (int64_t j = 0; j < width; ++j) running[j] = Operation::apply(running[j], load(from[j]));
    }
    for (int64_t j = 0; j < width; ++j) to[j] = store<T>(running[j]);
  }
}

template <typename Operation, typename T>
void scan_rows(const T* input, T* output, int64_t rows, int64_t length, bool reverse) {
  using Scan = RowScan<Operation, T>;
  ThreadPool& pool = ThreadPool::instance();
  const auto row = [&](int64_t i) {
    return Row<T>{input + i * length, output + i * length, length, reverse};
  };
  if (rows < pool.size() && length > 4 * kGrain && pool.size() > 1) {
    for (int64_t i = 0; i < rows; ++i) Scan::parallel(row(i));
    return;
  }
  pool.parallel_for(rows, std::max<int64_t>(1, kGrain / length), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) Scan::serial(row(i));
  });
}

template <typename Operation>
void cumulative(const StepArguments& arguments) {
  const TensorView& input = arguments.inputs[0];
  const AxisSplit split(input.shape, input.ndim, static_cast<int>(arguments.parameters[0]));
  const bool reverse = arguments.parameters[1] != 0;
  if (input.size() == 0) return;
  const Contiguous contiguous(input);
  dispatch(input.dtype, [&]<typename T>(TypeTag<T>) {
    const T* from = contiguous.as<T>();
    T* to = arguments.outputs[0].as<T>();
    if (split.inner == 1) return scan_rows<Operation>(from, to, split.outer, split.length, reverse);
    const int64_t width = std::min(split.inner, kBlock);
    const int64_t blocks = (split.inner + width - 1) / width;  // of columns, per outer index
    const int64_t grain = std::max<int64_t>(1, kGrain / (split.length * width));
    ThreadPool::instance().parallel_for(split.outer * blocks, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t column = i % blocks * width;
        const int64_t offset = i / blocks * split.length * split.inner + column;
        scan_columns<Operation>(from + offset, to + offset, split.length, split.inner,
                                std::min(width, split.inner - column), reverse);
      }
    });
  });
}

}  // namespace

void cumsum(const StepArguments& arguments) { cumulative<AddOperation>(arguments); }
void cumprod(const StepArguments& arguments) { cumulative<MulOperation>(arguments); }
void cummax(const StepArguments& arguments) { cumulative<MaxOperation>(arguments); }
void cummin(const StepArguments& arguments) { cumulative<MinOperation>(arguments); }

}  // namespace ftrans::cpu::steps
