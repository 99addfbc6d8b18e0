#include <cstring>

#include "cpu/blas.h"
#include "cpu/steps/block_copy.h"
#include "cpu/steps/kernels.h"
#include "kernel/contraction.h"

namespace ftrans::cpu::steps {
namespace {

constexpr int64_t kPartWork = 1 << 17;  // multiply-adds that a thread takes at least

/// Whether a BLAS call would cost more than the product.
bool is_small(int64_t rows, int64_t columns, int64_t depth) { return rows * columns * depth <= 128; }

/// A batch of matrices in memory.
struct MatrixBatch {
  const void* data;
  int64_t row_stride, column_stride;
  Dims batch_strides;
};

/// A matrix of a batch.
template <typename T>
struct Matrix {
  const T* data;
  int64_t row_stride, column_stride;

  T operator()(int64_t row, int64_t column) const { return data[row * row_stride + column * column_stride]; }
};

/// Whether the matrix has rows without gaps, that do not overlap.
bool has_dense_rows(int64_t rows, int64_t columns, int64_t row_stride, int64_t column_stride) {
  return (columns == 1 || column_stride == 1) && (rows == 1 || row_stride >= columns);
}

template <typename T>
BlasMatrix<T> blas_matrix(Matrix<T> matrix, int64_t rows, int64_t columns) {
  if (has_dense_rows(rows, columns, matrix.row_stride, matrix.column_stride)) {
    return {matrix.data, rows == 1 ? columns : matrix.row_stride, false};
  }
  return {matrix.data, columns == 1 ? rows : matrix.column_stride, true};
}

/// What layouts a kernel takes.
enum class Layout {
  Any,
  DenseRows,
  DenseRowsOrColumns,  ///< what BLAS takes
};

/// An operand as a batch of matrices, copied if its layout asks for it.
class Operand {
 public:
  Operand(const TensorView& view, const Dims& batch_axes, const Dims& row_axes, const Dims& column_axes,
          Layout layout) {
    matrices_.data = view.data;
    if (fits(view, row_axes, column_axes, layout, matrices_.row_stride, matrices_.column_stride)) {
      for (int64_t axis : batch_axes) matrices_.batch_strides.push_back(view.strides[axis]);
      return;
    }
    Dims shape, strides;
    for (const Dims* axes : {&batch_axes, &row_axes, &column_axes}) {
      for (int64_t axis : *axes) {
        shape.push_back(view.shape[axis]);
        strides.push_back(view.strides[axis]);
      }
    }
    const Dims dense = row_major(shape.data(), shape.size());
    copy_.emplace(copy_bytes(view));
    copy_block(itemsize(view.dtype), shape.data(), shape.size(), view.data, strides.data(), copy_->data(),
               dense.data());
    matrices_ = {copy_->data(), extent_of(view, column_axes), 1, Dims(dense.data(), batch_axes.size())};
  }

  const MatrixBatch& matrices() const { return matrices_; }

  /// Whether a kernel takes the operand's matrices where they are; their strides.
  static bool fits(const TensorView& view, const Dims& row_axes, const Dims& column_axes, Layout layout,
                   int64_t& row_stride, int64_t& column_stride) {
    if (!merged_stride(view, row_axes, row_stride) || !merged_stride(view, column_axes, column_stride))
      return false;
    const int64_t rows = extent_of(view, row_axes), columns = extent_of(view, column_axes);
    return layout == Layout::Any || has_dense_rows(rows, columns, row_stride, column_stride) ||
           (layout == Layout::DenseRowsOrColumns && has_dense_rows(columns, rows, column_stride, row_stride));
  }

  static int64_t copy_bytes(const TensorView& view) { return view.size() * itemsize(view.dtype); }

 private:
  MatrixBatch matrices_{};
  std::optional<Scratch> copy_;
};

/// result[batch] = lhs[batch] · rhs[batch], the result without gaps.
struct Products {
  int64_t rows, columns, depth;
  Dims batch_shape;
  const MatrixBatch& lhs;
  const MatrixBatch& rhs;
  void* result;
};

template <typename T>
struct Product {
  int64_t rows, columns, depth;
  Matrix<T> lhs, rhs;
  T* result;
};

/// Calls function(Product<T>) for every matrix of the batch: several threads take matrices if there are
/// enough.
template <typename T, typename Function>
void for_each_product(const Products& products, Function function) {
  const int axes = products.batch_shape.size();
  const int64_t count = element_count(products.batch_shape);
  const MatrixBatch &lhs = products.lhs, &rhs = products.rhs;
  const auto run = [&](int64_t begin, int64_t end) {
    Dims coordinate = coordinate_of(begin, products.batch_shape.data(), axes);
    for (int64_t i = begin; i < end; ++i) {
      const T* lhs_data = static_cast<const T*>(lhs.data);
      const T* rhs_data = static_cast<const T*>(rhs.data);
      for (int axis = 0; axis < axes; ++axis) {
        lhs_data += coordinate[axis] * lhs.batch_strides[axis];
        rhs_data += coordinate[axis] * rhs.batch_strides[axis];
      }
      function(Product<T>{products.rows,
                          products.columns,
                          products.depth,
                          {lhs_data, lhs.row_stride, lhs.column_stride},
                          {rhs_data, rhs.row_stride, rhs.column_stride},
                          static_cast<T*>(products.result) + i * products.rows * products.columns});
      next_coordinate(coordinate, products.batch_shape.data(), axes);
    }
  };
  ThreadPool& pool = ThreadPool::instance();
  if (count < pool.size()) {
    run(0, count);
  } else {
    const int64_t work = products.rows * products.columns * products.depth;
    pool.parallel_for(count, std::max<int64_t>(1, kPartWork / work), run);
  }
}

/// `width` columns of a small product, from `column` on. Their sums stay in registers.
template <int width, typename T>
void multiply_columns(const Product<T>& product, int64_t column, int64_t column_stride) {
  using Compute = ComputeType<T>;
  const Matrix<T> lhs = product.lhs, rhs = product.rhs;
  for (int64_t i = 0; i < product.rows; ++i) {
    const T* left = lhs.data + i * lhs.row_stride;
    const T* right = rhs.data + column * column_stride;
    Compute sums[width] = {};
    for (int64_t k = 0; k < product.depth; ++k) {
      const Compute factor = load(*left);
      for (int j = 0; j < width; ++j) {
        sums[j] = AddOperation::apply(sums[j], MulOperation::apply(factor, load(right[j * column_stride])));
      }
      left += lhs.column_stride;
      right += rhs.row_stride;
    }
    T* result = product.result + i * product.columns + column;
    for (int j = 0; j < width; ++j) result[j] = store<T>(sums[j]);
  }
}

template <typename T>
void multiply_all_columns(const Product<T>& product, int64_t column_stride) {
  int64_t column = 0;
  for (; column + 8 <= product.columns; column += 8) multiply_columns<8>(product, column, column_stride);
  for (; column + 4 <= product.columns; column += 4) multiply_columns<4>(product, column, column_stride);
  switch (product.columns - column) {
    case 3: return multiply_columns<3>(product, column, column_stride);
    case 2: return multiply_columns<2>(product, column, column_stride);
    case 1: return multiply_columns<1>(product, column, column_stride);
    default: return;
  }
}

template <typename T>
FTRANS_MULTIVERSION void multiply_small(const Product<T>& product) {
  if (product.rhs.column_stride == 1) {
    multiply_all_columns(product, 1);  // a constant, for vector instructions
  } else {
    multiply_all_columns(product, product.rhs.column_stride);
  }
}

/// Sum of x[i] · y[i], in chains that do not wait for each other.
template <typename T>
FTRANS_MULTIVERSION T dot(int64_t length, const T* x, int64_t x_stride, const T* y, int64_t y_stride) {
  constexpr int64_t kLanes = 32;
  T sums[kLanes] = {};
  int64_t i = 0;
  if (x_stride == 1 && y_stride == 1) {
    for (; i + kLanes <= length; i += kLanes) {
      for (int64_t lane = 0; lane < kLanes; ++lane)
        sums[lane] += MulOperation::apply(x[i + lane], y[i + lane]);
    }
  }
  for (; i < length; ++i) sums[i % kLanes] += MulOperation::apply(x[i * x_stride], y[i * y_stride]);
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (int64_t lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
  }
  return sums[0];
}

/// A long dot product in parts of fixed length, so that the result does not depend on the number of threads.
template <typename T>
T parallel_dot(int64_t length, const T* x, int64_t x_stride, const T* y, int64_t y_stride) {
  constexpr int64_t kPart = 1 << 15;
  if (length <= kPart) return dot(length, x, x_stride, y, y_stride);
  const int64_t parts = (length + kPart - 1) / kPart;
  const Scratch scratch(parts * static_cast<int64_t>(sizeof(T)));
  T* sums = scratch.as<T>();
  ThreadPool::instance().parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      sums[i] = dot(std::min(kPart, length - i * kPart), x + i * kPart * x_stride, x_stride,
                    y + i * kPart * y_stride, y_stride);
    }
  });
  T sum{};
  for (int64_t i = 0; i < parts; ++i) sum += sums[i];
  return sum;
}

template <typename T>
void multiply_blas(const Product<T>& product) {
  const auto [rows, columns, depth, lhs, rhs, result] = product;
  if (rows == 1 && columns == 1) {
    *result = parallel_dot(depth, lhs.data, lhs.column_stride, rhs.data, rhs.row_stride);
    return;
  }
  const BlasMatrix<T> a = blas_matrix(lhs, rows, depth);
  BlasMatrix<T> b = blas_matrix(rhs, depth, columns);
  if (columns == 1) {
    blas_gemv(rows, depth, a, rhs.data, depth == 1 ? 1 : rhs.row_stride, result);
  } else if (rows == 1) {
    b.transposed = !b.transposed;
    blas_gemv(columns, depth, b, lhs.data, depth == 1 ? 1 : lhs.column_stride, result);
  } else {
    blas_gemm(rows, columns, depth, a, b, result, columns);
  }
}

template <typename T>
FTRANS_MULTIVERSION void widen(const T* from, int64_t count, int64_t stride, float* to) {
  if (stride == 1) {
    for (int64_t i = 0; i < count; ++i) to[i] = load(from[i]);
  } else {
    for (int64_t i = 0; i < count; ++i) to[i] = load(from[i * stride]);
  }
}

template <typename T>
FTRANS_MULTIVERSION void round_to(const float* from, int64_t count, T* to) {
  for (int64_t i = 0; i < count; ++i) to[i] = store<T>(from[i]);
}

/// The matrix in float32, without gaps, in the order of its memory.
template <typename T>
BlasMatrix<float> widen_matrix(Matrix<T> matrix, int64_t rows, int64_t columns, float* memory) {
  const bool transposed = matrix.column_stride != 1 && matrix.row_stride == 1;
  if (transposed) {
    std::swap(rows, columns);
    std::swap(matrix.row_stride, matrix.column_stride);
  }
  ThreadPool::instance().parallel_for(
      rows, std::max<int64_t>(1, kPartWork / columns), [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          widen(matrix.data + row * matrix.row_stride, columns, matrix.column_stride, memory + row * columns);
        }
      });
  return {memory, columns, transposed};
}

constexpr int64_t kPanel = 1024;  // rows of a product of half-precision floats

/// What such a product takes in float32: a panel of the left side, the right side, a panel of the result.
int64_t half_scratch_bytes(int64_t rows, int64_t columns, int64_t depth) {
  const int64_t panel = std::min(kPanel, rows);
  return (panel * depth + depth * columns + panel * columns) * static_cast<int64_t>(sizeof(float));
}

/// Half-precision floats: panels of rows are multiplied in float32 and rounded.
template <typename T>
void multiply_half(const Product<T>& product) {
  const auto [rows, columns, depth, lhs, rhs, result] = product;
  const int64_t panel = std::min(kPanel, rows);
  const Scratch scratch(half_scratch_bytes(rows, columns, depth));
  float* rhs_memory = scratch.as<float>();
  float* lhs_memory = rhs_memory + depth * columns;
  float* product_memory = lhs_memory + panel * depth;
  const BlasMatrix<float> b = widen_matrix(rhs, depth, columns, rhs_memory);
  for (int64_t row = 0; row < rows; row += kPanel) {
    const int64_t count = std::min(kPanel, rows - row);
    const Matrix<T> part{lhs.data + row * lhs.row_stride, lhs.row_stride, lhs.column_stride};
    blas_gemm(count, columns, depth, widen_matrix(part, count, depth, lhs_memory), b, product_memory,
              columns);
    T* rounded = result + row * columns;
    ThreadPool::instance().parallel_for(count * columns, kPartWork, [&](int64_t begin, int64_t end) {
      round_to(product_memory + begin, end - begin, rounded + begin);
    });
  }
}

/// Rows [begin, end) of a product of integers (wrapping around) or booleans (or of ands). The right side has
/// dense rows.
template <typename T>
FTRANS_MULTIVERSION void multiply_integer_rows(const Product<T>& product, int64_t begin, int64_t end) {
  constexpr int64_t kDepthBlock = 128, kColumnBlock = 1024 / sizeof(T), kRows = 4;
  const auto [rows, columns, depth, lhs, rhs, result] = product;
  std::fill(result + begin * columns, result + end * columns, T{});
  for (int64_t k0 = 0; k0 < depth; k0 += kDepthBlock) {
    const int64_t k1 = std::min(k0 + kDepthBlock, depth);
    for (int64_t j0 = 0; j0 < columns; j0 += kColumnBlock) {
      const int64_t width = std::min(kColumnBlock, columns - j0);
      for (int64_t i0 = begin; i0 < end; i0 += kRows) {
        const int64_t height = std::min(kRows, end - i0);
        for (int64_t k = k0; k < k1; ++k) {
          const T* from = rhs.data + k * rhs.row_stride + j0;
          for (int64_t i = i0; i < i0 + height; ++i) {
            const T factor = lhs(i, k);
            T* to = result + i * columns + j0;
            for (int64_t j = 0; j < width; ++j)
              to[j] = AddOperation::apply(to[j], MulOperation::apply(factor, from[j]));
          }
        }
      }
    }
  }
}

template <typename T>
void multiply_integer(const Product<T>& product) {
  const int64_t grain = std::max<int64_t>(4, kPartWork / (product.columns * product.depth));
  ThreadPool::instance().parallel_for(
      product.rows, grain, [&](int64_t begin, int64_t end) { multiply_integer_rows(product, begin, end); });
}

template <typename T>
void multiply(const Products& products) {
  if (is_small(products.rows, products.columns, products.depth)) {
    for_each_product<T>(products, [](const Product<T>& product) { multiply_small(product); });
  } else if constexpr (is_half<T>) {
    for_each_product<T>(products, [](const Product<T>& product) { multiply_half(product); });
  } else if constexpr (std::is_integral_v<T>) {
    for_each_product<T>(products, [](const Product<T>& product) { multiply_integer(product); });
  } else {
    for_each_product<T>(products, [](const Product<T>& product) { multiply_blas(product); });
  }
}

/// What the shapes and layouts of the operands say of a product that has elements.
struct ProductPlan {
  SideAxes lhs_axes, rhs_axes;
  int64_t rows, columns, depth;
  bool small;
  Layout lhs_layout, rhs_layout;

  explicit ProductPlan(const StepArguments& arguments)
      : lhs_axes(arguments.inputs[0], axes(arguments), contracting(arguments),
                 axes(arguments) + 2 * contracting(arguments), batch(arguments)),
        rhs_axes(arguments.inputs[1], axes(arguments) + contracting(arguments), contracting(arguments),
                 axes(arguments) + 2 * contracting(arguments) + batch(arguments), batch(arguments)) {
    const TensorView& lhs = arguments.inputs[0];
    order_contraction(lhs, lhs_axes.contracting, rhs_axes.contracting);
    rows = extent_of(lhs, lhs_axes.free);
    columns = extent_of(arguments.inputs[1], rhs_axes.free);
    depth = extent_of(lhs, lhs_axes.contracting);
    small = is_small(rows, columns, depth);
    const char element = kind(lhs.dtype);
    const bool uses_blas = !small && (element == 'f' || element == 'c') && itemsize(lhs.dtype) >= 4;
    const bool integer = element == 'b' || element == 'i' || element == 'u';
    lhs_layout = uses_blas ? Layout::DenseRowsOrColumns : Layout::Any;
    rhs_layout = integer && !small ? Layout::DenseRows : lhs_layout;
  }

 private:
  static int contracting(const StepArguments& arguments) { return static_cast<int>(arguments.parameters[0]); }
  static int batch(const StepArguments& arguments) { return static_cast<int>(arguments.parameters[1]); }
  static const int64_t* axes(const StepArguments& arguments) { return arguments.parameters + 2; }
};

}  // namespace

int64_t dot_general_scratch(const StepArguments& arguments) {
  const TensorView& lhs = arguments.inputs[0];
  const TensorView& rhs = arguments.inputs[1];
  if (arguments.outputs[0].size() == 0 || lhs.size() == 0) return 0;
  const ProductPlan plan(arguments);
  int64_t bytes = 0, row_stride = 0, column_stride = 0;
  if (!Operand::fits(lhs, plan.lhs_axes.free, plan.lhs_axes.contracting, plan.lhs_layout, row_stride,
                     column_stride)) {
    bytes += Operand::copy_bytes(lhs);
  }
  if (!Operand::fits(rhs, plan.rhs_axes.contracting, plan.rhs_axes.free, plan.rhs_layout, row_stride,
                     column_stride)) {
    bytes += Operand::copy_bytes(rhs);
  }
  const bool half = kind(lhs.dtype) == 'f' && itemsize(lhs.dtype) == 2;
  if (half && !plan.small) bytes += half_scratch_bytes(plan.rows, plan.columns, plan.depth);
  return bytes;
}

void dot_general(const StepArguments& arguments) {
  const TensorView& lhs = arguments.inputs[0];
  const TensorView& rhs = arguments.inputs[1];
  const TensorView& output = arguments.outputs[0];
  if (output.size() == 0) return;
  if (lhs.size() == 0) {
    std::memset(output.data, 0, static_cast<size_t>(output.size() * itemsize(output.dtype)));
    return;
  }
  const ProductPlan plan(arguments);
  const auto& [lhs_axes, rhs_axes, rows, columns, depth, small, lhs_layout, rhs_layout] = plan;
  const Operand left(lhs, lhs_axes.batch, lhs_axes.free, lhs_axes.contracting, lhs_layout);
  const Operand right(rhs, rhs_axes.batch, rhs_axes.contracting, rhs_axes.free, rhs_layout);

  Dims batch_shape;
  for (int64_t axis : lhs_axes.batch) batch_shape.push_back(lhs.shape[axis]);
  const Products products{rows, columns, depth, batch_shape, left.matrices(), right.matrices(), output.data};
  dispatch(lhs.dtype, [&]<typename T>(TypeTag<T>) { multiply<T>(products); });
}

}  // namespace ftrans::cpu::steps
