#pragma once

#include <cstddef>
#include <cstdint>

#include "core/region.h"

namespace ftrans {

/// A block of memory that every device sees. Owned by the allocator, or borrowed from a foreign owner.
/// References are held by whoever reads its values; where nobody else does, they may be overwritten. Work
/// that a GPU has yet to do holds the memory without being a reader.
class Buffer : public RefCounted {
 public:
  void* data() const { return data_; }
  size_t size() const { return size_; }

  /// Whether a Python object or another library owns the memory.
  bool is_borrowed() const { return free_owner_ != nullptr; }

  /// The pages that the memory lies in. Null where no GPU is live, and of borrowed memory that none has used.
  const Ref<Region>& region() const { return region_; }

  /// Tells the pages of borrowed memory, or of a copy of it, before a GPU uses it.
  void set_region(Ref<Region> region) { region_ = std::move(region); }

  /// Keeps the memory until `drop_hold`, whether somebody refers to it or not. It has a region.
  void hold() { holds_.fetch_add(1, std::memory_order_relaxed); }
  void drop_hold() {
    if (holds_.fetch_sub(1, std::memory_order_acq_rel) == 1) give_back();
  }

  /// Memory of a foreign owner; `free_owner(owner)` is called, on any thread, when the last reference is
  /// gone.
  static Ref<Buffer> borrow(void* data, size_t size, void* owner, void (*free_owner)(void*));

 protected:
  void destroy() override;

 private:
  friend class Allocator;
  void give_back();

  void* data_ = nullptr;
  size_t size_ = 0;  ///< of the block, at least what was asked for
  void* owner_ = nullptr;
  void (*free_owner_)(void*) = nullptr;
  Ref<Region> region_;
  std::atomic<uint32_t> holds_{1};  ///< one for all references together
};

/// The caching allocator: freed blocks are kept by size class and handed out again.
class Allocator {
 public:
  static Allocator& instance();

  /// The size of the block that holds `size` bytes.
  static size_t block_size(size_t size);

  /// A block of at least `size` bytes, 64-byte aligned (page-aligned from a page on).
  /// Throws MemoryLimitError when the limit would be passed.
  Ref<Buffer> allocate(size_t size);

  size_t active_memory() const;  ///< bytes in blocks that are in use
  size_t peak_memory() const;    ///< most of active_memory since the start or the last reset
  size_t cache_memory() const;   ///< bytes in blocks kept for reuse
  size_t memory_limit() const;
  void reset_peak_memory();
  size_t set_memory_limit(size_t limit);  ///< returns the previous one
  size_t set_cache_limit(size_t limit);   ///< returns the previous one
  void clear_cache();

 private:
  friend class Buffer;
  Allocator();
  void recycle(void* data, size_t size, Ref<Region> region);
  struct State;
  State* state_;
};

}  // namespace ftrans
