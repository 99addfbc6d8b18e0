#include "metal/gate.h"

#include <cstring>
#include <stdexcept>

#include "core/error.h"

namespace ftrans::metal {
namespace {

constexpr uint32_t kMostGrids = 512, kManyGrids = 64;

const PrintedKernel& gate_kernel() {
  static const auto* kernel = [] {
    auto* made = new PrintedKernel;
    made->name = "ftrans_gate";
    made->text = R"(kernel void ftrans_gate(
    device uint* state [[buffer(0)]], device const bool* predicate [[buffer(1)]], device uint* table [[buffer(2)]],
    constant uint& has_predicate [[buffer(3)]]) {
  if (has_predicate != 0 && state[0] != 0) {
    state[0] = predicate[0] ? 1 : 0;
    state[1] += state[0];
  }
  const uint count = 3 * table[0];
  for (uint i = 0; i < count; ++i) table[)" +
                 std::to_string(1 + 3 * kMostGrids) + R"( + i] = state[0] != 0 ? table[1 + i] : 0;
}
)";
    return made;
  }();
  return *kernel;
}

Ref<Memory> allocate(Device& device, size_t words) {
  Ref<Memory> memory = device.allocate(words * sizeof(uint32_t));
  if (!memory) throw MemoryLimitError("while: Device(gpu, 0) has no memory to decide how far to go");
  return memory;
}

}  // namespace

DeviceCondition::DeviceCondition(Device& device) : state_(allocate(device, 2)) {
  const uint32_t begin[2] = {1, 0};
  std::memcpy(state_->data(), begin, sizeof begin);
}

Gate::Gate(Pipelines& pipelines, Recording& recording, Ref<DeviceCondition> condition, const Place* predicate)
    : condition_(std::move(condition)), table_(allocate(pipelines.device(), 1 + 6 * kMostGrids)) {
  std::memset(table_->data(), 0, sizeof(uint32_t));
  const Place from = predicate ? *predicate : Place{&condition_->state(), 0};
  const uint32_t has_predicate = predicate != nullptr;
  recording.barrier();
  recording.set_pipeline(pipelines.get(gate_kernel()));
  recording.set_memory(0, condition_->state(), 0);
  recording.set_memory(1, *from.memory, from.offset);
  recording.set_memory(2, *table_, 0);
  recording.set_bytes(3, &has_predicate, sizeof has_predicate);
  recording.dispatch({1}, {1});
  recording.barrier();
}

Place Gate::add(Size threadgroups) {
  auto* table = static_cast<uint32_t*>(table_->data());
  const uint32_t number = table[0]++;
  if (number >= kMostGrids) throw std::logic_error("a step has more dispatches than a gate has room for");
  const uint32_t grid[3] = {threadgroups.x, threadgroups.y, threadgroups.z};
  std::memcpy(table + 1 + 3 * number, grid, sizeof grid);
  return {table_.get(), (1 + 3 * size_t{kMostGrids} + 3 * number) * sizeof(uint32_t)};
}

bool Gate::is_full() const { return static_cast<const uint32_t*>(table_->data())[0] > kManyGrids; }

}  // namespace ftrans::metal
