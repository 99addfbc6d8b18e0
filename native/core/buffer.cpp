#include "core/buffer.h"

#include <unistd.h>

#include <bit>
#include <cstdlib>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/gpu.h"

namespace ftrans {
namespace {

constexpr size_t kSmallest = 64;
constexpr size_t kSlabPages = 32;

/// Size classes: powers of two cut into four, so that at most a fifth of a block is unused.
size_t round_to_class(size_t size) {
  if (size <= kSmallest) return kSmallest;
  const int log = std::bit_width(size - 1) - 1;  // 2^log < size ≤ 2^(log+1)
  const size_t step = std::max<size_t>(size_t{1} << log >> 2, kSmallest);
  return (size + step - 1) / step * step;
}

int class_index(size_t rounded) {
  const int log = std::bit_width(rounded) - 1;
  return 4 * log + static_cast<int>((rounded - (size_t{1} << log)) >> (log >= 2 ? log - 2 : 0));
}

size_t physical_memory() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  return pages > 0 ? static_cast<size_t>(pages) * static_cast<size_t>(sysconf(_SC_PAGE_SIZE))
                   : size_t{8} << 30;
}

/// A piece of memory for a block.
struct Piece {
  void* data = nullptr;
  Ref<Region> region;  ///< that it lies in, where a GPU is live
};

}  // namespace

struct Allocator::State {
  mutable std::mutex mutex;
  std::vector<Piece> free_blocks[4 * 64];
  size_t active = 0;
  size_t peak = 0;
  size_t cached = 0;
  size_t limit = 0;
  size_t cache_limit = 0;
  const bool in_regions = gpu() != nullptr;
  Ref<Region> slab;  ///< that small blocks are cut from
  size_t slab_used = 0;

  /// Memory for a new block; its data is null if the system has none. Blocks below a page share pages.
  Piece new_piece(size_t size) {
    if (!in_regions) return {system_allocate(size), nullptr};
    const size_t page = Region::page_size();
    if (size >= page) {
      Ref<Region> region = Region::allocate(size);
      void* data = region ? region->data() : nullptr;
      return {data, std::move(region)};
    }
    std::lock_guard lock(mutex);
    if (!slab || slab_used + size > slab->size()) {
      slab = Region::allocate(kSlabPages * page);
      slab_used = 0;
    }
    if (!slab) return {};
    void* data = static_cast<char*>(slab->data()) + slab_used;
    slab_used += size;
    return {data, slab};
  }

  /// Gives blocks back to the system until at most `target` bytes are cached, the largest classes first.
  void trim(size_t target) {
    for (int index = 4 * 64 - 1; index >= 0 && cached > target; --index) {
      const int log = index / 4;
      const size_t size = (size_t{1} << log) + (static_cast<size_t>(index % 4) << (log >= 2 ? log - 2 : 0));
      auto& blocks = free_blocks[index];
      while (!blocks.empty() && cached > target) {
        if (!blocks.back().region) std::free(blocks.back().data);
        blocks.pop_back();
        cached -= size;
      }
    }
  }
};

Allocator::Allocator() : state_(new State) {
  const size_t total = physical_memory();
  state_->limit = total / 20 * 19;
  state_->cache_limit = total / 4;
}

size_t Allocator::block_size(size_t size) { return round_to_class(size); }

Allocator& Allocator::instance() {
  static Allocator* allocator = new Allocator;  // never destroyed: buffers may outlive static destruction
  return *allocator;
}

Ref<Buffer> Allocator::allocate(size_t size) {
  const size_t rounded = round_to_class(size);
  Piece piece;
  {
    std::lock_guard lock(state_->mutex);
    if (state_->active + rounded > state_->limit || rounded < size) {
      throw MemoryLimitError("allocating " + std::to_string(size) + " bytes would pass the memory limit: " +
                             std::to_string(state_->active) + " bytes are in use and the limit is " +
                             std::to_string(state_->limit) + " (see set_memory_limit)");
    }
    auto& blocks = state_->free_blocks[class_index(rounded)];
    if (!blocks.empty()) {
      piece = std::move(blocks.back());
      blocks.pop_back();
      state_->cached -= rounded;
    } else if (state_->active + state_->cached + rounded > state_->limit) {
      state_->trim(state_->limit - state_->active - rounded);
    }
    state_->active += rounded;
    state_->peak = std::max(state_->peak, state_->active);
  }
  if (!piece.data) piece = state_->new_piece(rounded);
  if (!piece.data) {
    clear_cache();
    piece = state_->new_piece(rounded);
  }
  if (!piece.data) {
    std::lock_guard lock(state_->mutex);
    state_->active -= rounded;
    throw MemoryLimitError("the system has no memory for " + std::to_string(size) + " bytes");
  }
  Buffer* buffer = new Buffer;
  buffer->data_ = piece.data;
  buffer->size_ = rounded;
  buffer->region_ = std::move(piece.region);
  return Ref<Buffer>(buffer);
}

void Allocator::recycle(void* data, size_t size, Ref<Region> region) {
  std::lock_guard lock(state_->mutex);
  state_->active -= size;
  state_->free_blocks[class_index(size)].push_back({data, std::move(region)});
  state_->cached += size;
  if (state_->cached > state_->cache_limit) state_->trim(state_->cache_limit);
}

size_t Allocator::active_memory() const {
  std::lock_guard lock(state_->mutex);
  return state_->active;
}

size_t Allocator::peak_memory() const {
  std::lock_guard lock(state_->mutex);
  return state_->peak;
}

size_t Allocator::cache_memory() const {
  std::lock_guard lock(state_->mutex);
  return state_->cached;
}

size_t Allocator::memory_limit() const {
  std::lock_guard lock(state_->mutex);
  return state_->limit;
}

void Allocator::reset_peak_memory() {
  std::lock_guard lock(state_->mutex);
  state_->peak = state_->active;
}

size_t Allocator::set_memory_limit(size_t limit) {
  std::lock_guard lock(state_->mutex);
  std::swap(state_->limit, limit);
  return limit;
}

size_t Allocator::set_cache_limit(size_t limit) {
  std::lock_guard lock(state_->mutex);
  std::swap(state_->cache_limit, limit);
  state_->trim(state_->cache_limit);
  return limit;
}

void Allocator::clear_cache() {
  std::lock_guard lock(state_->mutex);
  state_->trim(0);
}

Ref<Buffer> Buffer::borrow(void* data, size_t size, void* owner, void (*free_owner)(void*)) {
  Buffer* buffer = new Buffer;
  buffer->data_ = data;
  buffer->size_ = size;
  buffer->owner_ = owner;
  buffer->free_owner_ = free_owner;
  return Ref<Buffer>(buffer);
}

void Buffer::destroy() {
  if (region_) {
    drop_hold();
  } else {
    give_back();
  }
}

void Buffer::give_back() {
  if (free_owner_) {
    free_owner_(owner_);
  } else {
    Allocator::instance().recycle(data_, size_, std::move(region_));
  }
  delete this;
}

}  // namespace ftrans
