#include "core/region.h"

#include <sys/mman.h>
#include <unistd.h>

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
  const size_t whole = (size + page - 1) / page * page;
  void* data = system_allocate(whole);
  return data ? Ref<Region>(new Region(data, whole, true)) : nullptr;
}

Ref<Region> Region::borrow(void* data, size_t size) { return Ref<Region>(new Region(data, size, false)); }

Region::~Region() {
  owned_mapping_ = nullptr;
  if (owned_) std::free(data_);
}

}  // namespace ftrans
