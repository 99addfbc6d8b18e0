// Products of matrices: tiles by threadgroups, products with vectors, and small ones by threads.

#include <algorithm>

#include "metal/kernels.h"
#include "metal/steps/arithmetic.h"
#include "metal/steps/product.h"
#include "metal/steps/side.h"

namespace ftrans::metal {
namespace {

struct MatrixProduct {
  Dtype dtype;
  int64_t batches, rows, columns, depth;
  Side left, right;  ///< the right one transposed
  Axes axes;
  Place out;

  int64_t size() const { return batches * rows * columns; }
};

/// Runs a kernel of matmul.metal on `items` threads, or threadgroups if `threads` is not 0.
void run(Encoder& encoder, const MatrixProduct& product, const char* function, const Splits& splits,
         int64_t items, int64_t threads, std::vector<KernelCall::Shared> shared, const std::string& tiles) {
  const ProductOutput output(encoder, product.dtype, product.size(), splits.count, product.out);
  const Side &left = product.left, &right = product.right;
  LayoutCall call{
      .sources = {kProductSource, kMatmulSource},
      .function = function,
      .types = {storage_type(product.dtype), register_type(product.dtype), output.type(), "Index"},
      .arrays = {{elements(product.dtype), left.place},
                 {elements(product.dtype), right.place},
                 output.array()},
      .layout_type = "MatrixLayout",
      .layout = {product.rows, product.columns, product.depth, splits.count, splits.length, product.batches,
                 product.axes.count(), left.first, left.row_stride, left.depth_stride, right.first,
                 right.row_stride, right.depth_stride},
      .axes = product.axes,
      .shared = std::move(shared),
      .largest = std::max({left.reach(), right.reach(), product.size() * splits.count, product.depth}),
  };
  if (!tiles.empty()) call.types.insert(call.types.begin(), tiles);
  if (threads == 0) {
    call.dispatch_threads(encoder, items * splits.count);
  } else {
    call.dispatch(encoder, items * splits.count, static_cast<uint32_t>(threads));
  }
  output.finish(encoder);
}

void multiply_vector(Encoder& encoder, const MatrixProduct& product) {
  if (product.left.along() == Along::Depth) {
    constexpr int64_t kSimdgroups = 4096, kLeast = 1024;
    const int64_t items = product.batches * product.rows;
    const Splits splits(product.depth, items, kSimdgroups, kLeast);
    return run(encoder, product, "multiply_vector_by_rows", splits, items * 32, 0, {}, "");
  }
  constexpr int64_t kThreadgroups = 512, kLeast = 256;
  const int64_t items = product.batches * divide_up(product.rows, 32);
  const int64_t threads = std::clamp<int64_t>(divide_up(product.depth, 4) * 32, 32, kThreadsPerGroup);
  const Splits splits(product.depth, items, kThreadgroups, kLeast);
  run(encoder, product, "multiply_vector_by_columns", splits, items, threads,
      {{register_type(product.dtype), threads}}, "");
}

void multiply(Encoder& encoder, const MatrixProduct& product) {
  constexpr int64_t kThreadgroups = 128, kLeast = 256;
  if (product.rows <= 8 && product.columns <= 8 && product.depth <= 64) {
    const Splits one(product.depth, 1, 1, 1);
    return run(encoder, product, "multiply_elements", one, product.size(), 0, {}, "");
  }
  if (product.columns == 1) return multiply_vector(encoder, product);
  if (product.rows == 1) {
    MatrixProduct turned = product;
    std::swap(turned.left, turned.right);
    std::swap(turned.rows, turned.columns);
    turned.axes = product.axes.swapped();
    return multiply_vector(encoder, turned);
  }
  const Tiling tiles =
      tiling(product.dtype, product.rows, product.columns, product.left.along(), product.right.along());
  const int64_t items = product.batches * tiles.count(product.rows, product.columns);
  const Splits splits(product.depth, items, kThreadgroups, kLeast);
  run(encoder, product, "multiply_tiles", splits, items, tiles.threads, tiles.memory, tiles.type);
}

}  // namespace

void dot_general(Encoder& encoder, const StepArguments& arguments) {
  const Operand &lhs = arguments.inputs[0], &rhs = arguments.inputs[1], &output = arguments.outputs[0];
  if (element_count(output) == 0) return;
  const auto contracting = static_cast<int>(arguments.parameters[0]);
  const auto batch = static_cast<int>(arguments.parameters[1]);
  const int64_t* axes = arguments.parameters + 2;
  SideAxes left(lhs, axes, contracting, axes + 2 * contracting, batch);
  SideAxes right(rhs, axes + contracting, contracting, axes + 2 * contracting + batch, batch);
  order_contraction(lhs, left.contracting, right.contracting);
  MatrixProduct product{.dtype = lhs.dtype,
                        .batches = extent_of(lhs, left.batch),
                        .rows = extent_of(lhs, left.free),
                        .columns = extent_of(rhs, right.free),
                        .depth = extent_of(lhs, left.contracting),
                        .left = {output.place, 0, 0, 0, 0, {}},
                        .right = {output.place, 0, 0, 0, 0, {}},
                        .axes = {},
                        .out = output.place};
  if (product.depth == 0) {  // sums of nothing
    const Splits one(0, 1, 1, 1);
    return run(encoder, product, "multiply_elements", one, product.size(), 0, {}, "");
  }
  product.left = side_of(encoder, lhs, left);
  product.right = side_of(encoder, rhs, right);
  for (int i = 0; i < left.batch.size(); ++i) {
    product.axes.add(lhs.shape[left.batch[i]], product.left.batch_strides[i], product.right.batch_strides[i]);
  }
  multiply(encoder, product);
}

}  // namespace ftrans::metal
