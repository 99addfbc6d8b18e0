#include <concepts>
#include <cstring>
#include <memory>
#include <vector>

#include "cpu/steps/block_copy.h"
#include "cpu/steps/kernels.h"
#include "cpu/steps/order_key.h"

namespace ftrans::cpu::steps {
namespace {

constexpr int64_t kRadixLength = 192;          // shorter rows are merge sorted
constexpr int64_t kWideDigitLength = 1 << 14;  // from here on fewer, wider digits pay
constexpr int64_t kParallelLength = 1 << 16;   // from here on several threads share a row

/// A key and where its element comes from.
template <typename Key>
struct Entry {
  Key key;
  Key index;
};

/// The key of an item to sort: a bare key or an entry.
struct KeyOf {
  template <typename Key>
  Key operator()(const Entry<Key>& entry) const {
    return entry.key;
  }
  template <std::integral Key>
  Key operator()(Key key) const {
    return key;
  }
};
constexpr KeyOf key_of;

/// One pass of a radix sort that keeps the order of equal digits: each chunk of `source` counts its digits,
/// then writes its items behind those with smaller digits and those of earlier chunks.
/// False, and nothing written, if all digits are equal.
template <int digit_bits, typename Item>
bool radix_pass(const Item* source, Item* destination, int64_t length, int shift, int chunks) {
  constexpr int64_t kBuckets = int64_t{1} << digit_bits;
  const auto digit = [&](const Item& item) { return static_cast<size_t>(key_of(item) >> shift) % kBuckets; };
  const auto chunk_begin = [&](int64_t chunk) { return length * chunk / chunks; };
  std::vector<int64_t> next(static_cast<size_t>(chunks * kBuckets), 0);
  ThreadPool& pool = ThreadPool::instance();

  pool.parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      int64_t* counts = &next[chunk * kBuckets];
      for (int64_t i = chunk_begin(chunk); i < chunk_begin(chunk + 1); ++i) ++counts[digit(source[i])];
    }
  });
  int64_t position = 0;
  for (int64_t bucket = 0; bucket < kBuckets; ++bucket) {
    const int64_t bucket_begin = position;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      position += std::exchange(next[chunk * kBuckets + bucket], position);
    }
    if (position - bucket_begin == length) return false;
  }
  pool.parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      int64_t* positions = &next[chunk * kBuckets];
      for (int64_t i = chunk_begin(chunk); i < chunk_begin(chunk + 1); ++i) {
        destination[positions[digit(source[i])]++] = source[i];
      }
    }
  });
  return true;
}

template <int digit_bits, typename Item>
void radix_sort(Item* items, Item* scratch, int64_t length, int chunks) {
  constexpr int kKeyBits = 8 * sizeof(key_of(*items));
  Item* source = items;
  Item* destination = scratch;
  for (int shift = 0; shift < kKeyBits; shift += digit_bits) {
    if (radix_pass<digit_bits>(source, destination, length, shift, chunks)) std::swap(source, destination);
  }
  if (source != items) std::memcpy(items, source, static_cast<size_t>(length) * sizeof(Item));
}

/// Stable. `scratch` has room for `length` items.
template <typename Item>
void sort_items(Item* items, Item* scratch, int64_t length) {
  ThreadPool& pool = ThreadPool::instance();
  if (length < kRadixLength) {
    if constexpr (std::is_integral_v<Item>) {
      std::sort(items, items + length);
    } else {
      std::stable_sort(items, items + length,
                       [](const Item& a, const Item& b) { return key_of(a) < key_of(b); });
    }
  } else if (length < kWideDigitLength) {
    radix_sort<8>(items, scratch, length, 1);
  } else {
    radix_sort<11>(items, scratch, length, length < kParallelLength ? 1 : pool.size());
  }
}

template <typename T>
FTRANS_MULTIVERSION void to_keys(const T* values, int64_t length, decltype(order_key(T{}))* keys) {
  for (int64_t i = 0; i < length; ++i) keys[i] = order_key(values[i]);
}

template <typename T>
FTRANS_MULTIVERSION void from_keys(const decltype(order_key(T{}))* keys, int64_t length, T* values) {
  for (int64_t i = 0; i < length; ++i) values[i] = value_of_key<T>(keys[i]);
}

/// Gives the zeros of a sorted row the signs that they have, in this order, in the row it was made from.
template <typename T>
void restore_zeros(const T* original, int64_t length, T* sorted) {
  T* zero =
      std::lower_bound(sorted, sorted + length, T{}, [](T a, T b) { return order_key(a) < order_key(b); });
  const T* end = sorted + length;
  for (int64_t i = 0; zero < end && load(*zero) == 0 && i < length; ++i) {
    if (load(original[i]) == 0) *zero++ = original[i];
  }
}

/// Brings the entries, whose order breaks ties, into the order of keys[entry.index].
template <typename Key, typename T, typename Project>
void sort_by(const T* keys, Entry<Key>* entries, Entry<Key>* scratch, int64_t length, Project project) {
  for (int64_t i = 0; i < length; ++i) entries[i].key = order_key(project(keys[entries[i].index]));
  sort_items(entries, scratch, length);
}

/// Sorts rows of equal length, without gaps, of several operands by the first `key_count` of them.
class RowSorter {
 public:
  RowSorter(const StepArguments& arguments, int64_t length)
      : dtypes_(arguments.input_count),
        length_(length),
        key_count_(static_cast<int>(arguments.parameters[1])) {
    for (int i = 0; i < arguments.input_count; ++i) dtypes_[i] = arguments.inputs[i].dtype;
    for (int i = 0; i < key_count_; ++i) wide_ |= itemsize(dtypes_[i]) >= 8 && dtypes_[i] != Dtype::Complex64;
    wide_ |= length >= int64_t{1} << 32;
  }

  /// Sorts rows [begin, end).
  void run(const std::vector<const char*>& inputs, const std::vector<char*>& outputs, int64_t begin,
           int64_t end) const {
    if (dtypes_.size() == 1 && kind(dtypes_[0]) != 'c') {
      run_single(inputs[0], outputs[0], begin, end);
    } else if (wide_) {
      run_entries<uint64_t>(inputs, outputs, begin, end);
    } else {
      run_entries<uint32_t>(inputs, outputs, begin, end);
    }
  }

 private:
  /// Real numbers alone: their keys are sorted and turned back.
  void run_single(const char* input, char* output, int64_t begin, int64_t end) const {
    dispatch(dtypes_[0], [&]<typename T>(TypeTag<T>) {
      if constexpr (!is_complex<T>) {
        using Key = decltype(order_key(T{}));
        const Scratch scratch(2 * length_ * static_cast<int64_t>(sizeof(Key)));
        Key* keys = scratch.as<Key>();
        for (int64_t row = begin; row < end; ++row) {
          const T* values = reinterpret_cast<const T*>(input) + row * length_;
          T* sorted = reinterpret_cast<T*>(output) + row * length_;
          to_keys(values, length_, keys);
          sort_items(keys, keys + length_, length_);
          from_keys(keys, length_, sorted);
          if constexpr (!std::is_integral_v<T>) restore_zeros(values, length_, sorted);
        }
      }
    });
  }

  template <typename Key>
  void run_entries(const std::vector<const char*>& inputs, const std::vector<char*>& outputs, int64_t begin,
                   int64_t end) const {
    const Scratch scratch(2 * length_ * static_cast<int64_t>(sizeof(Entry<Key>)));
    auto* entries = scratch.as<Entry<Key>>();
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t i = 0; i < length_; ++i) entries[i].index = static_cast<Key>(i);
      for (int key = key_count_ - 1; key >= 0; --key) {  // the stable sort by the first key comes last
        const char* keys = inputs[key] + row * length_ * itemsize(dtypes_[key]);
        dispatch(dtypes_[key], [&]<typename T>(TypeTag<T>) {
          const T* values = reinterpret_cast<const T*>(keys);
          if constexpr (is_complex<T>) {
            sort_by(values, entries, entries + length_, length_, [](T value) { return value.imag(); });
            sort_by(values, entries, entries + length_, length_, [](T value) { return value.real(); });
            sort_by(values, entries, entries + length_, length_,  // x+NaNi before NaN+xi, both last
                    [](T value) {
                      return int8_t(is_nan(value.real()) ? 2 : is_nan(value.imag()) ? 1 : 0);
                    });
          } else {
            sort_by(values, entries, entries + length_, length_, [](T value) { return value; });
          }
        });
      }
      for (size_t operand = 0; operand < dtypes_.size(); ++operand) {
        const int64_t offset = row * length_ * itemsize(dtypes_[operand]);
        dispatch(dtypes_[operand], [&]<typename T>(TypeTag<T>) {
          const T* from = reinterpret_cast<const T*>(inputs[operand] + offset);
          T* to = reinterpret_cast<T*>(outputs[operand] + offset);
          for (int64_t i = 0; i < length_; ++i) to[i] = from[entries[i].index];
        });
      }
    }
  }

  std::vector<Dtype> dtypes_;
  int64_t length_;
  int key_count_;
  bool wide_ = false;  ///< keys or indices need 64 bits
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
