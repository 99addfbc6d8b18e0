#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "metal/api.h"
#include "metal/printer.h"

namespace ftrans::metal {

/// A printed kernel; its function is there once the pipelines have compiled it.
class Pipeline : public RefCounted {
 public:
  explicit Pipeline(PrintedKernel kernel) : kernel(std::move(kernel)) {}

  const PrintedKernel kernel;
  Ref<Function> function;
};

/// The pipelines of a device, by the printed text. Reentrant.
class Pipelines {
 public:
  explicit Pipelines(Device& device) : device_(device) {}

  Ref<Pipeline> get(const PrintedKernel& kernel);

  /// Compiles those that have not been, in one library. Throws CompileError.
  void compile(const std::vector<Ref<Pipeline>>& pipelines);

  Device& device() const { return device_; }

 private:
  Device& device_;
  std::mutex mutex_;
  std::map<std::string, Ref<Pipeline>> pipelines_;
};

class Gate;

/// What a command buffer is going to do. Nothing is compiled while it is recorded, so that all that it needs
/// is compiled together. Keeps what it uses alive.
class Recording {
 public:
  void wait(SharedEvent& event, uint64_t value);
  void set_pipeline(Ref<Pipeline> pipeline);
  void set_function(Ref<Function> function);
  void set_memory(int index, Memory& memory, size_t offset);
  void set_bytes(int index, const void* bytes, size_t size);
  /// Through the gate, where there is one.
  void dispatch(Size threadgroups, Size threads_per_threadgroup);
  void barrier();

  /// Makes dispatches depend on it; null: on nothing.
  void set_gate(Gate* gate) { gate_ = gate; }

  /// Compiles what is new. Throws CompileError.
  void compile(Pipelines& pipelines) const { pipelines.compile(pipelines_); }
  /// Gives the commands to a command buffer, when everything is compiled.
  void play(CommandBuffer& buffer) const;

 private:
  std::vector<Ref<Pipeline>> pipelines_;
  std::vector<std::function<void(CommandBuffer&)>> commands_;
  Gate* gate_ = nullptr;
};

}  // namespace ftrans::metal
