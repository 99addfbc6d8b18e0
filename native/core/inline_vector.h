#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <type_traits>

namespace ftrans {

/// A vector of trivially copyable elements whose first N need no heap.
template <typename T, int N>
class InlineVector {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  InlineVector() = default;
  InlineVector(std::initializer_list<T> items) { assign(items.begin(), static_cast<int>(items.size())); }
  explicit InlineVector(int size, T fill = T{}) { resize(size, fill); }
  InlineVector(const T* items, int size) { assign(items, size); }
  InlineVector(const InlineVector& other) { assign(other.data(), other.size_); }
  InlineVector(InlineVector&& other) noexcept { steal(other); }
  ~InlineVector() { delete[] heap_; }

  InlineVector& operator=(const InlineVector& other) {
    if (this != &other) assign(other.data(), other.size_);
    return *this;
  }
  InlineVector& operator=(InlineVector&& other) noexcept {
    if (this != &other) {
      delete[] heap_;
      steal(other);
    }
    return *this;
  }

  int size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return heap_ ? heap_ : inline_; }
  const T* data() const { return heap_ ? heap_ : inline_; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  T& operator[](int index) { return data()[index]; }
  const T& operator[](int index) const { return data()[index]; }
  T& back() { return data()[size_ - 1]; }
  const T& back() const { return data()[size_ - 1]; }

  void clear() { size_ = 0; }
  void push_back(T item) {
    reserve(size_ + 1);
    data()[size_++] = item;
  }
  void resize(int size, T fill = T{}) {
    reserve(size);
    for (int i = size_; i < size; ++i) data()[i] = fill;
    size_ = size;
  }
  void assign(const T* items, int size) {
    reserve(size);
    if (size) std::memmove(data(), items, sizeof(T) * size);
    size_ = size;
  }

  bool operator==(const InlineVector& other) const {
    return size_ == other.size_ && std::equal(begin(), end(), other.begin());
  }

 private:
  void reserve(int capacity) {
    if (capacity <= capacity_) return;
    capacity = std::max(capacity, 2 * capacity_);
    T* grown = new T[capacity];
    if (size_) std::memcpy(grown, data(), sizeof(T) * size_);
    delete[] heap_;
    heap_ = grown;
    capacity_ = capacity;
  }
  void steal(InlineVector& other) {
    size_ = other.size_;
    capacity_ = other.capacity_;
    heap_ = other.heap_;
    if (!heap_ && size_) std::memcpy(inline_, other.inline_, sizeof(T) * size_);
    other.heap_ = nullptr;
    other.size_ = 0;
    other.capacity_ = N;
  }

  T* heap_ = nullptr;
  int32_t size_ = 0;
  int32_t capacity_ = N;
  T inline_[N];
};

/// Extents, strides, axes and operation parameters.
using Dims = InlineVector<int64_t, 5>;

}  // namespace ftrans
