#include "cpu/steps/block_copy.h"
#include "cpu/steps/kernels.h"
#include "cpu/steps/order_key.h"

namespace ftrans::cpu::steps {
namespace {

constexpr int64_t kGrain = 1 << 15;
constexpr int64_t kBlock = 512;

/// Rank of an element for the search of the first maximum: argmin turns the order round, but NaN stays
/// greatest.
template <typename T, bool minimum>
auto rank(T value) {
  const auto key = order_key(value);
  if constexpr (!minimum) return key;
  return key == static_cast<decltype(key)>(-1) && is_nan(load(value)) ? key
                                                                      : static_cast<decltype(key)>(~key);
}

/// Index of the first element of greatest rank in a row without gaps.
template <typename T, bool minimum>
FTRANS_MULTIVERSION int64_t search_row(const T* row, int64_t length) {
  using Key = decltype(rank<T, minimum>(T{}));
  Key best = rank<T, minimum>(row[0]);
  int64_t best_index = 0;
  Key keys[kBlock];
  for (int64_t begin = 0; begin < length; begin += kBlock) {
    const int64_t count = std::min(kBlock, length - begin);
    for (int64_t i = 0; i < count; ++i) keys[i] = rank<T, minimum>(row[begin + i]);
    Key greatest = 0;
    for (int64_t i = 0; i < count; ++i) greatest = std::max(greatest, keys[i]);
    if (greatest <= best) continue;
    best = greatest;
    best_index = begin + (std::find(keys, keys + count, greatest) - keys);
  }
  return best_index;
}

/// The same for `width` (≤ kBlock) neighbouring columns, whose elements are `stride` apart.
template <typename T, bool minimum>
FTRANS_MULTIVERSION void search_columns(const T* data, int64_t length, int64_t stride, int64_t width,
                                        int32_t* output) {
  using Key = decltype(rank<T, minimum>(T{}));
  Key best[kBlock];
  for (int64_t j = 0; j < width; ++j) {
    best[j] = rank<T, minimum>(data[j]);
    output[j] = 0;
  }
  for (int64_t i = 1; i < length; ++i) {
    const T* row = data + i * stride;
    for (int64_t j = 0; j < width; ++j) {
      const Key key = rank<T, minimum>(row[j]);
      output[j] = key > best[j] ? static_cast<int32_t>(i) : output[j];
      best[j] = key > best[j] ? key : best[j];
    }
  }
}

template <bool minimum>
void arg_reduce(const StepArguments& arguments) {
  const TensorView& input = arguments.inputs[0];
  int32_t* output = arguments.outputs[0].as<int32_t>();
  const AxisSplit split(input.shape, input.ndim, static_cast<int>(arguments.parameters[0]));
  if (input.size() == 0) return;
  const Contiguous contiguous(input);
  dispatch(input.dtype, [&]<typename T>(TypeTag<T>) {
    if constexpr (!is_complex<T>) {
      const T* data = contiguous.as<T>();
      const int64_t width = std::min(split.inner, kBlock);
      const int64_t blocks = (split.inner + width - 1) / width;  // of columns, per outer index
      const int64_t grain = std::max<int64_t>(1, kGrain / (split.length * width));
      ThreadPool::instance().parallel_for(split.outer * blocks, grain, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t outer = i / blocks, column = i % blocks * width;
          const T* first = data + outer * split.length * split.inner + column;
          int32_t* result = output + outer * split.inner + column;
          if (split.inner == 1) {
            *result = static_cast<int32_t>(search_row<T, minimum>(first, split.length));
          } else {
            search_columns<T, minimum>(first, split.length, split.inner,
                                       std::min(width, split.inner - column), result);
          }
        }
      });
    }
  });
}

}  // namespace

void argmax(const StepArguments& arguments) { arg_reduce<false>(arguments); }
void argmin(const StepArguments& arguments) { arg_reduce<true>(arguments); }

}  // namespace ftrans::cpu::steps
