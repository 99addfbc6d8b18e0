#include "metal/steps/product.h"

#include <algorithm>

#include "metal/kernels.h"

namespace ftrans::metal {

Tiling tiling(Dtype dtype, int64_t rows, int64_t columns, Along left, Along right) {
  constexpr int64_t kDepth = 16, kDown = 2, kAcross = 2;
  const bool is_float = kind(dtype) == 'f';
  const int64_t side = is_float && std::min(rows, columns) > 32 ? 64 : 32;
  std::string type = is_float ? "SimdTiles<" : "PlainTiles<";
  for (const int64_t extent : {side, side, kDepth}) type += std::to_string(extent) + ", ";
  if (is_float) type += std::to_string(kDown) + ", " + std::to_string(kAcross) + ", ";
  type += left == Along::Depth ? "true, " : "false, ";
  type += right == Along::Depth ? "true>" : "false>";
  const int64_t pitch = kDepth + 16 / itemsize(dtype);
  const int64_t staging = is_float ? kDown * kAcross * 8 * (side / kAcross) : 1;
  return {.type = type,
          .rows = side,
          .columns = side,
          .threads = is_float ? 32 * kDown * kAcross : 256,
          .memory = {{storage_type(dtype), 2 * side * pitch}, {register_type(dtype), staging}}};
}

Splits::Splits(int64_t depth, int64_t items, int64_t wanted, int64_t least) {
  constexpr int64_t kTileDepth = 16;
  const int64_t most = std::clamp<int64_t>(std::min(wanted / items, depth / least), 1, 512);
  length = divide_up(std::max<int64_t>(divide_up(depth, most), 1), kTileDepth) * kTileDepth;
  count = std::max<int64_t>(divide_up(depth, length), 1);
}

ProductOutput::ProductOutput(Encoder& encoder, Dtype dtype, int64_t count, int64_t splits, Place output)
    : dtype_(dtype), count_(count), splits_(splits), output_(output), sums_(output) {
  if (splits > 1)
    sums_ = encoder.scratch(static_cast<size_t>(count * splits * itemsize(register_dtype(dtype))));
}

void ProductOutput::finish(Encoder& encoder) const {
  if (splits_ == 1) return;
  encoder.recording().barrier();
  const Dtype sums = dtype_of_sums();
  const LayoutCall call{
      .sources = {kProductSource},
      .function = "join_splits",
      .types = {storage_type(sums), register_type(dtype_), storage_type(dtype_), "Index"},
      .arrays = {{elements(sums), sums_}, {written(dtype_), output_}},
      .layout_type = "JoinLayout",
      .layout = {count_, splits_},
      .largest = count_ * splits_,
  };
  call.dispatch_threads(encoder, count_);
}

}  // namespace ftrans::metal
