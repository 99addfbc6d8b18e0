#include "metal/recording.h"

#include <algorithm>

#include "metal/gate.h"

namespace ftrans::metal {

Ref<Pipeline> Pipelines::get(const PrintedKernel& kernel) {
  const std::lock_guard lock(mutex_);
  Ref<Pipeline>& pipeline = pipelines_[kernel.text];
  if (!pipeline) pipeline = new Pipeline(kernel);
  return pipeline;
}

void Pipelines::compile(const std::vector<Ref<Pipeline>>& pipelines) {
  const std::lock_guard lock(mutex_);
  std::vector<Ref<Pipeline>> missing;
  std::vector<PrintedKernel> kernels;
  for (const Ref<Pipeline>& each : pipelines) {
    const bool is_known = each->function || std::any_of(missing.begin(), missing.end(),
                                                        [&](const auto& other) { return &*other == &*each; });
    if (is_known) continue;
    missing.push_back(each);
    kernels.push_back(each->kernel);
  }
  if (missing.empty()) return;
  const Ref<Library> library = device_.compile(library_source(kernels));
  for (const Ref<Pipeline>& each : missing) each->function = library->function(each->kernel.name);
}

void Recording::wait(SharedEvent& event, uint64_t value) {
  commands_.emplace_back(
      [held = Ref<SharedEvent>(&event), value](CommandBuffer& buffer) { buffer.wait(*held, value); });
}

void Recording::set_pipeline(Ref<Pipeline> pipeline) {
  pipelines_.push_back(pipeline);
  commands_.emplace_back(
      [held = std::move(pipeline)](CommandBuffer& buffer) { buffer.set_function(*held->function); });
}

void Recording::set_function(Ref<Function> function) {
  commands_.emplace_back([held = std::move(function)](CommandBuffer& buffer) { buffer.set_function(*held); });
}

void Recording::set_memory(int index, Memory& memory, size_t offset) {
  commands_.emplace_back([index, held = Ref<Memory>(&memory), offset](CommandBuffer& buffer) {
    buffer.set_memory(index, *held, offset);
  });
}

void Recording::set_bytes(int index, const void* bytes, size_t size) {
  const auto* begin = static_cast<const unsigned char*>(bytes);
  commands_.emplace_back([index, copy = std::vector<unsigned char>(begin, begin + size)](
                             CommandBuffer& buffer) { buffer.set_bytes(index, copy.data(), copy.size()); });
}

void Recording::dispatch(Size threadgroups, Size threads) {
  if (gate_) {
    const Place grid = gate_->add(threadgroups);
    commands_.emplace_back(
        [held = Ref<Memory>(grid.memory), offset = grid.offset, threads](CommandBuffer& buffer) {
          buffer.dispatch_indirectly(*held, offset, threads);
        });
    return;
  }
  commands_.emplace_back([=](CommandBuffer& buffer) { buffer.dispatch(threadgroups, threads); });
}

void Recording::barrier() {
  commands_.emplace_back([](CommandBuffer& buffer) { buffer.barrier(); });
}

void Recording::play(CommandBuffer& buffer) const {
  for (const auto& command : commands_) command(buffer);
}

}  // namespace ftrans::metal
