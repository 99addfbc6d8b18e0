#pragma once

// What the Metal backend needs of a device. Two implementations: Apple's Metal, and the host device, which
// runs the same kernels on this machine's processor (host/). Nothing above this interface knows which one
// runs.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>

#include "core/ref.h"

namespace ftrans::metal {

/// The compiler refused a kernel; the text shows its messages beside the numbered lines of the source.
class CompileError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Memory that processor and device both see.
class Memory : public RefCounted {
 public:
  virtual void* data() const = 0;
  virtual size_t size() const = 0;
};

/// A kernel, compiled for the device (a compute pipeline).
class Function : public RefCounted {
 public:
  virtual uint32_t most_threads_per_threadgroup() const = 0;
};

/// Compiled source text.
class Library : public RefCounted {
 public:
  /// Throws std::invalid_argument if the source has no kernel of this name.
  virtual Ref<Function> function(const std::string& name) = 0;
};

/// A counter on which queues and the processor wait for each other (a shared event).
class SharedEvent : public RefCounted {
 public:
  virtual uint64_t value() const = 0;
  virtual void signal(uint64_t value) = 0;  ///< by the processor; the counter never falls
  virtual void wait(uint64_t value) = 0;    ///< the processor waits until the counter is at least `value`
};

struct Size {
  uint32_t x = 1, y = 1, z = 1;
};

/// How a command buffer ended.
struct Outcome {
  std::string error;      ///< what went wrong; empty if nothing did
  bool has_begun = true;  ///< whether anything of it can have run
};

/// A batch of work. It is recorded by one thread, committed once, and keeps what it uses alive until it is
/// done.
class CommandBuffer : public RefCounted {
 public:
  /// Later commands wait until the event's counter is at least `value`.
  virtual void wait(SharedEvent& event, uint64_t value) = 0;
  /// The event's counter becomes `value` when all earlier commands are done; after an error it does not.
  virtual void signal(SharedEvent& event, uint64_t value) = 0;

  virtual void set_function(Function& function) = 0;
  virtual void set_memory(int index, Memory& memory, size_t offset) = 0;
  /// At most 4096 bytes, copied.
  virtual void set_bytes(int index, const void* bytes, size_t size) = 0;
  virtual void set_threadgroup_memory(int index, size_t size) = 0;
  /// Runs the function over a grid. Dispatches may overlap, but for those that a barrier separates.
  virtual void dispatch(Size threadgroups, Size threads_per_threadgroup) = 0;
  /// The same with a grid that earlier commands write: three 32-bit integers at `offset`, a multiple of 4.
  /// One of 0 threadgroups does nothing.
  virtual void dispatch_indirectly(Memory& grid, size_t offset, Size threads_per_threadgroup) = 0;
  /// Later dispatches see what earlier ones wrote.
  virtual void barrier() = 0;

  /// Hands the batch to its queue. `done` is called on any thread when it has ended.
  virtual void commit(std::function<void(const Outcome&)> done) = 0;
};

/// Command buffers of a queue run in the order in which they were committed. After an error it may refuse to
/// begin those that follow.
class Queue : public RefCounted {
 public:
  virtual Ref<CommandBuffer> command_buffer() = 0;
};

struct DeviceInfo {
  std::string name;
  std::string architecture;
  size_t memory_size;
  size_t most_threadgroup_memory;
  size_t longest_buffer;
  size_t recommended_working_set;  ///< bytes of memory in use beyond which the device slows down
};

class Device {
 public:
  virtual ~Device() = default;
  virtual DeviceInfo info() const = 0;
  /// Throws CompileError.
  virtual Ref<Library> compile(const std::string& source) = 0;
  /// Memory of at least `size` bytes; null if there is none.
  virtual Ref<Memory> allocate(size_t size) = 0;
  /// Page-aligned memory of a foreign owner, without a copy; `free_owner(owner)` is called when nobody uses
  /// it. Null if the device cannot use it; then nothing is called.
  virtual Ref<Memory> wrap(void* data, size_t size, void* owner, void (*free_owner)(void*)) = 0;
  virtual Ref<Queue> new_queue() = 0;
  virtual Ref<SharedEvent> new_event() = 0;

  /// Records what command buffers do from now on into the file `path`, which must not exist yet: a GPU trace
  /// for Xcode ("….gputrace"), or, from the host device, a text with a line a command. Throws
  /// std::runtime_error if that is not possible now.
  virtual void start_capture(const std::string& path) = 0;
  /// Throws std::runtime_error if nothing is being captured.
  virtual void stop_capture() = 0;
};

/// The device of this process; null if there is none. Made at the first call, never destroyed.
Device* device();

}  // namespace ftrans::metal
