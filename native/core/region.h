#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>

#include "core/ref.h"

namespace ftrans {

/// Whole pages that blocks of memory lie in: what a device maps at once. There are regions only where a GPU
/// is live.
class Region : public RefCounted {
 public:
  /// Pages from the system for at least `size` bytes; null if there are none.
  static Ref<Region> allocate(size_t size);

  /// Pages of a foreign owner, who keeps them for longer than the region lives.
  static Ref<Region> borrow(void* data, size_t size);

  static size_t page_size();

  ~Region() override;

  void* data() const { return data_; }
  size_t size() const { return size_; }

  /// What the device knows the pages by; `make()` gives it at the first call. Any thread.
  template <typename Make>
  RefCounted& mapping(Make&& make) {
    if (RefCounted* known = mapping_.load(std::memory_order_acquire)) return *known;
    std::lock_guard lock(mutex_);
    if (!owned_mapping_) {
      owned_mapping_ = make();
      mapping_.store(owned_mapping_.get(), std::memory_order_release);
    }
    return *owned_mapping_;
  }

 private:
  Region(void* data, size_t size, bool owned) : data_(data), size_(size), owned_(owned) {}

  void* const data_;
  const size_t size_;
  const bool owned_;
  std::atomic<RefCounted*> mapping_{nullptr};
  std::mutex mutex_;
  Ref<RefCounted> owned_mapping_;
};

/// Memory of the system: aligned to 64 bytes, to a page from a page on, to a huge page from that on; null if
/// there is none. To be freed by std::free.
void* system_allocate(size_t size);

}  // namespace ftrans
