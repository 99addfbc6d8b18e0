#include <memory>

#include "cpu/steps/block_copy.h"
#include "cpu/steps/kernels.h"

namespace ftrans::cpu::steps {
namespace {

constexpr int64_t kGrain = 1 << 15;
constexpr int64_t kLanes = 8;  // independent chains of operations, to hide the latency of each
constexpr int64_t kLaneLength = 128;
constexpr int64_t kBlock = kLanes * kLaneLength;

/// A row, read and written forwards or backwards.
template <typename T, bool reverse>
struct Row {
  const T* input;
  T* output;
  int64_t length;

  int64_t position(int64_t index) const { return reverse ? length - 1 - index : index; }
  ComputeType<T> operator[](int64_t index) const { return load(input[position(index)]); }
  void set(int64_t index, ComputeType<T> value) const { output[position(index)] = store<T>(value); }
};

/// Scans a row in blocks of kBlock elements. The order of operations depends on the length alone (not on who
/// scans which block), so results do not change with the number of threads.
template <typename Operation, typename T, bool reverse>
struct RowScan {
  using Compute = ComputeType<T>;

  /// Reads the full block that starts at `begin`.
  FTRANS_MULTIVERSION static void read(Row<T, reverse> row, int64_t begin, Compute* block) {
    for (int64_t i = 0; i < kBlock; ++i) block[i] = row[begin + i];
  }

  /// Scans each lane of a block for itself.
  static void scan_lanes(Compute* block) {
    Compute running[kLanes];
    for (int64_t lane = 0; lane < kLanes; ++lane) running[lane] = block[lane * kLaneLength];
    for (int64_t i = 1; i < kLaneLength; ++i) {
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        Compute& element = block[lane * kLaneLength + i];
        running[lane] = element = Operation::apply(running[lane], element);
      }
    }
  }

  /// Writes a scanned lane, combined with all that comes before it (nullptr: nothing).
  FTRANS_MULTIVERSION static void write(Row<T, reverse> row, int64_t begin, const Compute* lane,
                                        const Compute* before) {
    if (before == nullptr) {
      for (int64_t i = 0; i < kLaneLength; ++i) row.set(begin + i, lane[i]);
    } else {
      const Compute offset = *before;
      for (int64_t i = 0; i < kLaneLength; ++i) row.set(begin + i, Operation::apply(offset, lane[i]));
    }
  }

  /// Combination of all elements of a block whose lanes are scanned.
  static Compute total(const Compute* block) {
    Compute result = block[kLaneLength - 1];
    for (int64_t lane = 1; lane < kLanes; ++lane) {
      result = Operation::apply(result, block[lane * kLaneLength + kLaneLength - 1]);
    }
    return result;
  }

  /// Combination of all elements of the full block that starts at `begin`.
  static Compute total(Row<T, reverse> row, int64_t begin) {
    Compute block[kBlock];
    read(row, begin, block);
    scan_lanes(block);
    return total(block);
  }

  /// Scans the full block that starts at `begin`, after `*carry` (nullptr: nothing); returns its own total.
  static Compute scan(Row<T, reverse> row, int64_t begin, const Compute* carry) {
    Compute block[kBlock];
    read(row, begin, block);
    scan_lanes(block);
    Compute within{}, before{};  // of the lanes so far, without and with the carry
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const Compute* scanned = block + lane * kLaneLength;
      if (lane == 0) {
        write(row, begin, scanned, carry);
        within = scanned[kLaneLength - 1];
      } else {
        before = carry == nullptr ? within : Operation::apply(*carry, within);
        write(row, begin + lane * kLaneLength, scanned, &before);
        within = Operation::apply(within, scanned[kLaneLength - 1]);
      }
    }
    return within;
  }

  /// Scans what is left after the full blocks.
  static void scan_rest(Row<T, reverse> row, int64_t begin, const Compute* carry) {
    if (begin == row.length) return;
    Compute running = carry == nullptr ? row[begin] : Operation::apply(*carry, row[begin]);
    row.set(begin, running);
    for (int64_t i = begin + 1; i < row.length; ++i) {
      running = Operation::apply(running, row[i]);
      row.set(i, running);
    }
  }

  static void serial(Row<T, reverse> row) {
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
  static void parallel(Row<T, reverse> row) {
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

template <typename Operation, typename T, bool reverse>
void scan_rows(const T* input, T* output, int64_t rows, int64_t length) {
  using Scan = RowScan<Operation, T, reverse>;
  ThreadPool& pool = ThreadPool::instance();
  if (rows < pool.size() && length > 4 * kGrain && pool.size() > 1) {
    for (int64_t i = 0; i < rows; ++i) Scan::parallel({input + i * length, output + i * length, length});
    return;
  }
  pool.parallel_for(rows, std::max<int64_t>(1, kGrain / length), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) Scan::serial({input + i * length, output + i * length, length});
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
    if (split.inner == 1) {
      if (reverse) {
        scan_rows<Operation, T, true>(from, to, split.outer, split.length);
      } else {
        scan_rows<Operation, T, false>(from, to, split.outer, split.length);
      }
      return;
    }
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
