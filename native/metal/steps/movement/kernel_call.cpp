#include "metal/steps/movement/kernel_call.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <stdexcept>

namespace ftrans::metal::movement {
namespace {

constexpr int64_t kGroupThreads = 256;
constexpr int64_t kMostGroups = 1 << 20;  // along an axis

int64_t power_of_two_from(int64_t count) {
  return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(count, 1))));
}

int64_t power_of_two_up_to(int64_t count) {
  return static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(count)));
}

std::string joined(const std::vector<std::string>& words, const char* separator) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : separator) + word;
  return text;
}

}  // namespace

PrintedKernel KernelCall::print() const {
  std::string name = function;
  for (const std::string& type : types) name += "_" + type;
  std::vector<std::string> parameters, arguments;
  std::string arrays;
  for (size_t i = 0; i < buffers.size(); ++i) {
    arguments.push_back("buffer" + std::to_string(i));
    parameters.push_back(buffers[i] + " " + arguments.back() + " [[buffer(" + std::to_string(i) + ")]]");
  }
  for (size_t i = 0; i < shared.size(); ++i) {
    arguments.push_back("shared" + std::to_string(i));
    arrays += "  threadgroup " + shared[i].type + " " + arguments.back() + "[" +
              std::to_string(shared[i].count) + "];\n";
  }
  const auto add = [&](const char* variable, const char* attribute) {
    parameters.push_back(std::string("uint3 ") + variable + " [[" + attribute + "]]");
    arguments.push_back(variable);
  };
  if (form == Form::Grid) {
    add("position", "thread_position_in_grid");
    add("threads", "threads_per_grid");
  } else {
    add("group", "threadgroup_position_in_grid");
    add("position", "thread_position_in_threadgroup");
    add("threads", "threads_per_threadgroup");
  }
  PrintedKernel kernel;
  kernel.name = name;
  kernel.text = "kernel void " + name + "(" + joined(parameters, ",\n    ") + ") {\n" +
                "  using namespace movement;\n" + arrays + "  " + function + "<" + joined(types, ", ") +
                ">(" + joined(arguments, ", ") + ");\n}\n";
  kernel.sources = sources;
  return kernel;
}

Grid grid_of_rows(int64_t x, int64_t rows, int64_t unit, int64_t least_bytes) {
  constexpr int64_t kLineBytes = 64, kElements = 16;
  const int64_t lanes = std::min(x, std::clamp<int64_t>(kLineBytes / unit, 8, 32));
  const int64_t along_x = std::max(lanes, x / kElements);
  const int64_t width =
      std::min(along_x > lanes ? power_of_two_up_to(along_x) : power_of_two_from(lanes), kGroupThreads);
  const int64_t rows_each = std::max<int64_t>(1, least_bytes / unit * along_x / x);
  const int64_t height = std::min(power_of_two_from(rows), kGroupThreads / width);
  const auto groups = [](int64_t count, int64_t size) {
    return static_cast<uint32_t>(std::clamp<int64_t>(count / size, 1, kMostGroups));
  };
  return {{groups(along_x, width), groups(rows + height * rows_each - 1, height * rows_each)},
          {static_cast<uint32_t>(width), static_cast<uint32_t>(height)}};
}

void Numbers::append(int64_t value) {
  const size_t size = wide_ ? 8 : 4, end = bytes_.size();
  bytes_.resize(end + size);
  const uint32_t narrow = static_cast<uint32_t>(value);
  if (wide_) {
    std::memcpy(bytes_.data() + end, &value, size);
  } else {
    std::memcpy(bytes_.data() + end, &narrow, size);
  }
}

void record(Encoder& encoder, const KernelCall& call, const std::vector<Place>& memory,
            const std::vector<std::vector<unsigned char>>& constants, const Grid& grid) {
  Recording& recording = encoder.recording();
  recording.set_pipeline(encoder.pipelines().get(call.print()));
  int index = 0;
  for (const Place& place : memory) recording.set_memory(index++, *place.memory, place.offset);
  for (const auto& bytes : constants) recording.set_bytes(index++, bytes.data(), bytes.size());
  recording.dispatch(grid.groups, grid.threads);
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
