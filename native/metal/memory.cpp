#include "metal/memory.h"

#include <cstring>
#include <mutex>
#include <string>

#include "core/error.h"
#include "metal/counters.h"

namespace ftrans::metal {
namespace {

[[noreturn]] void refuse(size_t size) {
  throw MemoryLimitError("Device(gpu, 0) has no memory for " + std::to_string(size) + " bytes");
}

/// Null if the device cannot use the pages.
Ref<RefCounted> map_pages(Device& device, const Region& region) {
  return Ref<RefCounted>(device.wrap(region.data(), region.size(), nullptr, nullptr).get());
}

/// Pages with what a foreign owner's memory holds: its own where it begins on a page and the device takes it.
Ref<Region> region_of_borrowed(Device& device, const Buffer& buffer) {
  const size_t page = Region::page_size();
  const size_t whole = (buffer.size() + page - 1) / page * page;
  if (whole && reinterpret_cast<uintptr_t>(buffer.data()) % page == 0) {
    Ref<Region> region = Region::borrow(buffer.data(), whole);
    if (Ref<RefCounted> mapped = map_pages(device, *region)) {
      region->mapping([&] { return mapped; });
      return region;
    }
  }
  Ref<Region> copy = Region::allocate(buffer.size());
  if (!copy) refuse(buffer.size());
  if (buffer.size()) std::memcpy(copy->data(), buffer.data(), buffer.size());
  counters().bytes_copied += buffer.size();
  return copy;
}

/// The region of a buffer, and where in it the buffer begins.
Region& region_of(Device& device, Buffer& buffer, size_t& offset) {
  if (!buffer.is_borrowed()) {
    Region& region = *buffer.region();
    offset = static_cast<size_t>(static_cast<char*>(buffer.data()) - static_cast<char*>(region.data()));
    return region;
  }
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  if (!buffer.region()) buffer.set_region(region_of_borrowed(device, buffer));
  offset = 0;
  return *buffer.region();
}

}  // namespace

Place place_of(Device& device, const GpuOperand& operand) {
  size_t offset;
  Region& region = region_of(device, *operand.buffer, offset);
  RefCounted& memory = region.mapping([&] {
    Ref<RefCounted> mapped = map_pages(device, region);
    if (!mapped) refuse(region.size());
    return mapped;
  });
  return {static_cast<Memory*>(&memory), offset + static_cast<size_t>(operand.offset)};
}

Counters& counters() {
  static Counters* counters = new Counters;
  return *counters;
}

}  // namespace ftrans::metal
