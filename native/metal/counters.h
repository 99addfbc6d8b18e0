#pragma once

#include <atomic>
#include <cstdint>

namespace ftrans::metal {

/// What this process has had the device do since it began.
struct Counters {
  std::atomic<uint64_t> kernel_launches{0};
  std::atomic<uint64_t> command_buffers{0};
  /// Of arrays of foreign owners that do not begin on a page, or whose pages the device does not take, at
  /// their first use. All other memory is shared.
  std::atomic<uint64_t> bytes_copied{0};
};
Counters& counters();

}  // namespace ftrans::metal
