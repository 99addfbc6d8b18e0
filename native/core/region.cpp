#include "core/region.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace ftrans {

void* system_allocate(size_t size) {
  constexpr size_t kLine = 64, kHugePage = size_t{2} << 20;
  const size_t page = Region::page_size();
  const size_t alignment = size >= kHugePage ? kHugePage : size >= page ? page : kLine;
  void* data = nullptr;
  if (posix_memalign(&data, alignment, size) != 0) return nullptr;
#ifdef MADV_HUGEPAGE
  if (size >= kHugePage) madvise(data, size, MADV_HUGEPAGE);
#endif
  return data;
}

size_t Region::page_size() {
  static const size_t size = static_cast<size_t>(sysconf(_SC_PAGE_SIZE));
  return size;
}

Ref<Region> Region::allocate(size_t size) {
  const size_t page = page_size();
  const size_t whole = std::max(page, (size + page - 1) / page * page);
  // A mapping of its own: Metal does not promise to take pages of the heap.
  void* data = mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return data != MAP_FAILED ? Ref<Region>(new Region(data, whole, true)) : nullptr;
}

Ref<Region> Region::borrow(void* data, size_t size) { return Ref<Region>(new Region(data, size, false)); }

Region::~Region() {
  owned_mapping_ = nullptr;
  if (owned_) munmap(data_, size_);
}

}  // namespace ftrans
