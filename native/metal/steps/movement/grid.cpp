#include "metal/steps/movement/grid.h"

#include <algorithm>
#include <bit>
#include <stdexcept>

namespace ftrans::metal::movement {
namespace {

constexpr int64_t kMostGroups = 1 << 20;  // along an axis

int64_t power_of_two_from(int64_t count) {
  return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(count, 1))));
}

int64_t power_of_two_up_to(int64_t count) {
  return static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(count)));
}

}  // namespace

Grid grid_of_rows(int64_t x, int64_t rows, int64_t unit, int64_t least_bytes) {
  constexpr int64_t kLineBytes = 64, kElements = 16, kThreads = kThreadsPerGroup;
  const int64_t lanes = std::min(x, std::clamp<int64_t>(kLineBytes / unit, 8, 32));
  const int64_t along_x = std::max(lanes, x / kElements);
  const int64_t width =
      std::min(along_x > lanes ? power_of_two_up_to(along_x) : power_of_two_from(lanes), kThreads);
  const int64_t rows_each = std::max<int64_t>(1, least_bytes / unit * along_x / x);
  const int64_t height = std::min(power_of_two_from(rows), kThreads / width);
  const auto groups = [](int64_t count, int64_t size) {
    return static_cast<uint32_t>(std::clamp<int64_t>(count / size, 1, kMostGroups));
  };
  return {{groups(along_x, width), groups(rows + height * rows_each - 1, height * rows_each)},
          {static_cast<uint32_t>(width), static_cast<uint32_t>(height)}};
}

const char* unit_type(int64_t bytes) {
  switch (bytes) {
    case 1: return "uint8_t";
    case 2: return "uint16_t";
    case 4: return "uint32_t";
    case 8: return "uint64_t";
    default: return "uint4";
  }
}

void require_countable(const char* operation, const char* what, int64_t count) {
  if (count < int64_t{1} << 31) return;
  throw std::invalid_argument(std::string(operation) + ": " + std::to_string(count) + " " + what +
                              " are more than the Metal device counts (2147483647); use stream=ft.cpu");
}

}  // namespace ftrans::metal::movement
