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

/// Pages with what a foreign owner's memory holds: its own where it begins on a page.
Ref<Region> region_of_borrowed(const Buffer& buffer) {
  const size_t page = Region::page_size();
  const size_t whole = (buffer.size() + page - 1) / page * page;
  if (reinterpret_cast<uintptr_t>(buffer.data()) % page == 0) return Region::borrow(buffer.data(), whole);
  Ref<Region> copy = Region::allocate(buffer.size());
  if (!copy) refuse(buffer.size());
  std::memcpy(copy->data(), buffer.data(), buffer.size());
  counters().bytes_copied += buffer.size();
  return copy;
}

/// The region of a buffer, and where in it the buffer begins.
Region& region_of(Buffer& buffer, size_t& offset) {
  if (!buffer.is_borrowed()) {
    Region& region = *buffer.region();
    offset = static_cast<size_t>(static_cast<char*>(buffer.data()) - static_cast<char*>(region.data()));
    return region;
  }
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  if (!buffer.region()) buffer.set_region(region_of_borrowed(buffer));
  offset = 0;
  return *buffer.region();
}

}  // namespace

Place place_of(Device& device, const GpuOperand& operand) {
  size_t offset;
  Region& region = region_of(*operand.buffer, offset);
  RefCounted& memory = region.mapping([&]() -> Ref<RefCounted> {
    Ref<Memory> mapped = device.wrap(region.data(), region.size(), nullptr, nullptr);
    if (!mapped) refuse(region.size());
    return Ref<RefCounted>(mapped.get());
  });
  return {static_cast<Memory*>(&memory), offset + static_cast<size_t>(operand.offset)};
}

Counters& counters() {
  static Counters* counters = new Counters;
  return *counters;
}

}  // namespace ftrans::metal
