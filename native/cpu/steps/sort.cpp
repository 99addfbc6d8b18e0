#include <atomic>
#include <memory>
#include <numeric>
#include <vector>

#include "cpu/steps/block_copy.h"
#include "cpu/steps/kernels.h"
#include "cpu/steps/order_key.h"
#include "cpu/steps/sort_keys.h"

namespace ftrans::cpu::steps {
namespace {

template <typename T>
using KeyType = decltype(order_key(T{}));

/// Whether there is a negative zero among the values.
template <typename T>
FTRANS_MULTIVERSION bool to_keys(const T* values, int64_t length, KeyType<T>* keys) {
  KeyType<T> negative_zeros = 0;
  for (int64_t i = 0; i < length; ++i) {
    keys[i] = order_key(values[i]);
    if constexpr (!std::is_integral_v<T>) negative_zeros |= is_negative_zero(values[i]);
  }
  return negative_zeros != 0;
}

template <typename T>
FTRANS_MULTIVERSION void from_keys(const KeyType<T>* keys, int64_t length, T* values) {
  for (int64_t i = 0; i < length; ++i) values[i] = value_of_key<T>(keys[i]);
}

/// Gives the zeros of a sorted row the signs that they have, in this order, in the row it was made from.
template <typename T>
void restore_zeros(const T* original, int64_t length, T* sorted) {
  const auto [first, last] =
      std::equal_range(sorted, sorted + length, T{}, [](T a, T b) { return order_key(a) < order_key(b); });
  for (T* zero = first; zero != last; ++original) {
    *zero = *original;  // without a branch that nobody can foresee
    zero += load(*original) == 0;
  }
}

/// body(begin, end) for parts of a row, which several threads take.
template <typename Body>
void for_parts(int64_t length, Body body) {
  constexpr int64_t kPartLength = 1 << 15;
  ThreadPool::instance().parallel_for(length, kPartLength, body);
}

/// The order of a row's elements, which stable sorts by one key after the other bring about.
template <typename Index>
class RowOrder {
 public:
  explicit RowOrder(int64_t length)
      : length_(length),
        memory_(2 * length * static_cast<int64_t>(sizeof(Index))),
        keys_(2 * length * static_cast<int64_t>(sizeof(uint64_t))),
        order_(memory_.as<Index>()),
        next_order_(order_ + length) {}

  /// Starts anew with the order in memory.
  void reset() { in_memory_order_ = true; }

  /// The index of the element that comes i-th.
  Index operator[](int64_t i) const { return in_memory_order_ ? static_cast<Index>(i) : order_[i]; }

  /// By order_key(project(value)); elements of equal keys stay in the order that they have.
  template <typename T, typename Project>
  void sort_by(const T* values, Project project) {
    const auto key_at = [&](int64_t i) { return order_key(project(values[(*this)[i]])); };
    const auto identity = [](int64_t i) { return i; };
    if constexpr (sizeof(Index) > 4) {  // too long for what follows
      if (std::exchange(in_memory_order_, false)) std::iota(order_, order_ + length_, Index{0});
      std::stable_sort(order_, order_ + length_, [&](Index a, Index b) {
        return order_key(project(values[a])) < order_key(project(values[b]));
      });
      return;
    } else if constexpr (sizeof(key_at(0)) == 4) {
      sort_range(0, length_, identity, key_at);
    } else {
      sort_range(0, length_, identity, [&](int64_t i) { return static_cast<uint32_t>(key_at(i) >> 32); });
      sort_runs([&](int64_t i) { return static_cast<uint32_t>(key_at(i)); });
    }
    for_parts(length_, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) next_order_[i] = (*this)[position(i)];
    });
    std::swap(order_, next_order_);
    in_memory_order_ = false;
  }

 private:
  /// Where the element that comes i-th now came before this sort.
  int64_t position(int64_t i) const { return static_cast<uint32_t>(keys_.as<uint64_t>()[i]); }
  uint32_t key(int64_t i) const { return static_cast<uint32_t>(keys_.as<uint64_t>()[i] >> 32); }

  /// Sorts a range by keys, to be in the upper half, of the elements whose positions are in the lower one
  /// then.
  template <typename PositionAt, typename KeyAt>
  void sort_range(int64_t begin, int64_t end, PositionAt position_at, KeyAt key_at) {
    uint64_t* const keys = keys_.as<uint64_t>();
    for_parts(end - begin, [&](int64_t first, int64_t last) {
      for (int64_t i = begin + first; i < begin + last; ++i) {
        const int64_t from = position_at(i);
        keys[i] = uint64_t{key_at(from)} << 32 | static_cast<uint64_t>(from);
      }
    });
    sort_keys(keys + begin, keys + length_ + begin, end - begin, 32);
  }

  /// Sorts each run of equal keys by further ones.
  template <typename KeyAt>
  void sort_runs(KeyAt key_at) {
    for (int64_t begin = 0, end = 0; begin < length_; begin = end) {
      end = begin + 1;
      while (end < length_ && key(end) == key(begin)) ++end;
      if (end - begin > 1) sort_range(begin, end, [this](int64_t i) { return position(i); }, key_at);
    }
  }

  int64_t length_;
  Scratch memory_, keys_;
  Index *order_, *next_order_;
  bool in_memory_order_ = true;  ///< then there is nothing in `order_`
};

/// Sorts rows of equal length, without gaps, of several operands by the first `key_count` of them.
class RowSorter {
 public:
  RowSorter(const StepArguments& arguments, int64_t length)
      : dtypes_(arguments.input_count),
        length_(length),
        key_count_(static_cast<int>(arguments.parameters[1])) {
    for (int i = 0; i < arguments.input_count; ++i) dtypes_[i] = arguments.inputs[i].dtype;
  }

  /// Sorts rows [begin, end).
  void run(const std::vector<const char*>& inputs, const std::vector<char*>& outputs, int64_t begin,
           int64_t end) const {
    if (dtypes_.size() == 1 && kind(dtypes_[0]) != 'c') {
      run_single(inputs[0], outputs[0], begin, end);
    } else if (length_ < int64_t{1} << 32) {
      run_ordered<uint32_t>(inputs, outputs, begin, end);
    } else {
      run_ordered<int64_t>(inputs, outputs, begin, end);
    }
  }

 private:
  /// Real numbers alone: their keys are sorted and turned back.
  void run_single(const char* input, char* output, int64_t begin, int64_t end) const {
    dispatch(dtypes_[0], [&]<typename T>(TypeTag<T>) {
      if constexpr (!is_complex<T>) {
        using Key = KeyType<T>;
        const Scratch scratch(2 * length_ * static_cast<int64_t>(sizeof(Key)));
        Key* keys = scratch.as<Key>();
        for (int64_t row = begin; row < end; ++row) {
          const T* values = reinterpret_cast<const T*>(input) + row * length_;
          T* sorted = reinterpret_cast<T*>(output) + row * length_;
          std::atomic<bool> negative_zeros{false};
          for_parts(length_, [&](int64_t first, int64_t last) {
            if (to_keys(values + first, last - first, keys + first)) negative_zeros = true;
          });
          sort_keys(keys, keys + length_, length_);
          for_parts(length_, [&](int64_t first, int64_t last) {
            from_keys(keys + first, last - first, sorted + first);
          });
          if (negative_zeros) restore_zeros(values, length_, sorted);
        }
      }
    });
  }

  template <typename Index>
  void run_ordered(const std::vector<const char*>& inputs, const std::vector<char*>& outputs, int64_t begin,
                   int64_t end) const {
    RowOrder<Index> order(length_);
    for (int64_t row = begin; row < end; ++row) {
      order.reset();
      for (int key = key_count_ - 1; key >= 0; --key) {  // the stable sort by the first key comes last
        dispatch(dtypes_[key], [&]<typename T>(TypeTag<T>) {
          sort_by(reinterpret_cast<const T*>(inputs[key]) + row * length_, order);
        });
      }
      for (size_t operand = 0; operand < dtypes_.size(); ++operand) {
        dispatch(dtypes_[operand], [&]<typename T>(TypeTag<T>) {
          const T* from = reinterpret_cast<const T*>(inputs[operand]) + row * length_;
          T* to = reinterpret_cast<T*>(outputs[operand]) + row * length_;
          for_parts(length_, [&](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) to[i] = from[order[i]];
          });
        });
      }
    }
  }

  template <typename T, typename Index>
  static void sort_by(const T* values, RowOrder<Index>& order) {
    if constexpr (is_complex<T>) {
      order.sort_by(values, [](T value) { return value.imag(); });
      order.sort_by(values, [](T value) { return value.real(); });
      order.sort_by(values, [](T value) {  // x+NaNi before NaN+xi, both last
        return int8_t(is_nan(value.real()) ? 2 : is_nan(value.imag()) ? 1 : 0);
      });
    } else {
      order.sort_by(values, [](T value) { return value; });
    }
  }

  std::vector<Dtype> dtypes_;
  int64_t length_;
  int key_count_;
};

Dims move_to_end(const int64_t* items, int count, int axis) {
  Dims moved(items, count);
  std::rotate(moved.begin() + axis, moved.begin() + axis + 1, moved.end());
  return moved;
}

}  // namespace

void sort(const StepArguments& arguments) {
  const TensorView& first = arguments.inputs[0];
  const int ndim = first.ndim;
  const int axis = static_cast<int>(arguments.parameters[0]);
  if (first.size() == 0) return;
  const int64_t length = first.shape[axis];
  const int64_t rows = first.size() / length;
  const Dims shape = move_to_end(first.shape, ndim, axis);
  const Dims row_strides = row_major(shape.data(), ndim);

  std::vector<std::unique_ptr<Scratch>> copies;
  std::vector<const char*> inputs;
  std::vector<char*> outputs;
  for (int i = 0; i < arguments.input_count; ++i) {
    const TensorView& input = arguments.inputs[i];
    const TensorView& output = arguments.outputs[i];
    const int64_t size = itemsize(input.dtype);
    const Dims strides = move_to_end(input.strides, ndim, axis);
    const TensorView moved{input.data, input.dtype, ndim, shape.data(), strides.data()};
    if (moved.is_contiguous()) {
      inputs.push_back(input.as<const char>());
    } else {
      copies.push_back(std::make_unique<Scratch>(input.size() * size));
      inputs.push_back(copies.back()->as<char>());
      copy_block(size, shape.data(), ndim, input.data, strides.data(), copies.back()->data(),
                 row_strides.data());
    }
    if (axis == ndim - 1) {
      outputs.push_back(output.as<char>());
    } else {
      copies.push_back(std::make_unique<Scratch>(input.size() * size));
      outputs.push_back(copies.back()->as<char>());
    }
  }

  const RowSorter sorter(arguments, length);
  const int64_t grain = std::max<int64_t>(1, (1 << 12) / length);
  if (rows < ThreadPool::instance().size()) {
    sorter.run(inputs, outputs, 0, rows);
  } else {
    ThreadPool::instance().parallel_for(
        rows, grain, [&](int64_t begin, int64_t end) { sorter.run(inputs, outputs, begin, end); });
  }
  if (axis == ndim - 1) return;
  for (int i = 0; i < arguments.input_count; ++i) {
    const TensorView& output = arguments.outputs[i];
    const Dims output_strides = row_major(output.shape, ndim);
    copy_block(itemsize(output.dtype), shape.data(), ndim, outputs[i], row_strides.data(), output.data,
               move_to_end(output_strides.data(), ndim, axis).data());
  }
}

}  // namespace ftrans::cpu::steps
