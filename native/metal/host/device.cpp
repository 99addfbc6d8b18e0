#include "metal/host/device.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <thread>
#include <variant>

#include "core/region.h"
#include "core/thread_pool.h"
#include "metal/counters.h"
#include "metal/disk_cache.h"
#include "metal/source_text.h"

namespace ftrans::metal::host {
namespace {

const size_t kPage = Region::page_size();

/// Takes one from a counter of failures to inject.
bool injected(std::atomic<int>& failures) {
  int left = failures.load();
  while (left > 0 && !failures.compare_exchange_weak(left, left - 1)) {
  }
  return left > 0;
}

/// Pages between two pages without access, full of NaN.
class GuardedMemory : public Memory {
 public:
  static Ref<Memory> make(size_t size) {
    const size_t pages = std::max<size_t>(1, (size + kPage - 1) / kPage) * kPage;
    void* whole = mmap(nullptr, pages + 2 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (whole == MAP_FAILED) return nullptr;
    char* data = static_cast<char*>(whole) + kPage;
    if (mprotect(data, pages, PROT_READ | PROT_WRITE) != 0) {
      munmap(whole, pages + 2 * kPage);
      return nullptr;
    }
    std::memset(data, 0xff, pages);
    return new GuardedMemory(data, size, pages);
  }
  ~GuardedMemory() override { munmap(data_ - kPage, pages_ + 2 * kPage); }
  void* data() const override { return data_; }
  size_t size() const override { return size_; }

 private:
  GuardedMemory(char* data, size_t size, size_t pages) : data_(data), size_(size), pages_(pages) {}
  char* data_;
  size_t size_, pages_;
};

class WrappedMemory : public Memory {
 public:
  WrappedMemory(void* data, size_t size, void* owner, void (*free_owner)(void*))
      : data_(data), size_(size), owner_(owner), free_owner_(free_owner) {}
  ~WrappedMemory() override {
    if (free_owner_) free_owner_(owner_);
  }
  void* data() const override { return data_; }
  size_t size() const override { return size_; }

 private:
  void* data_;
  size_t size_;
  void* owner_;
  void (*free_owner_)(void*);
};

/// The text that shows what command buffers did while it was captured.
class Capture {
 public:
  void start(const std::string& path) {
    const std::lock_guard lock(mutex_);
    if (file_.is_open()) throw std::runtime_error("start_capture: a capture is going on already");
    if (std::filesystem::exists(path)) throw std::runtime_error("start_capture: " + path + " exists already");
    file_.open(path);
    if (!file_) {
      file_.close();
      throw std::runtime_error("start_capture: cannot write " + path);
    }
  }
  void stop() {
    const std::lock_guard lock(mutex_);
    if (!file_.is_open()) throw std::runtime_error("stop_capture: nothing is being captured");
    file_.close();
  }
  void note(const std::string& line) {
    const std::lock_guard lock(mutex_);
    if (file_.is_open()) file_ << line << '\n';
  }

 private:
  std::mutex mutex_;
  std::ofstream file_;
};

Capture& capture() {
  static auto* capture = new Capture;
  return *capture;
}

std::string text_of(Size size) {
  return std::to_string(size.x) + "×" + std::to_string(size.y) + "×" + std::to_string(size.z);
}

class HostFunction : public Function {
 public:
  HostFunction(Ref<Library> library, const LoadedKernel& kernel)
      : library_(std::move(library)), kernel_(kernel) {}
  uint32_t most_threads_per_threadgroup() const override { return kMostThreads; }
  const LoadedKernel& kernel() const { return kernel_; }

 private:
  Ref<Library> library_;  ///< the machine code
  const LoadedKernel& kernel_;
};

class HostLibrary : public Library {
 public:
  explicit HostLibrary(std::unique_ptr<Image> image) : image_(std::move(image)) {}
  Ref<Function> function(const std::string& name) override {
    const LoadedKernel* kernel = image_->kernel(name);
    if (!kernel) throw std::invalid_argument("the library has no kernel '" + name + "'");
    return new HostFunction(Ref<Library>(this), *kernel);
  }

 private:
  std::unique_ptr<Image> image_;
};

class HostEvent : public SharedEvent {
 public:
  uint64_t value() const override {
    std::lock_guard lock(mutex_);
    return value_;
  }
  void signal(uint64_t value) override {
    {
      std::lock_guard lock(mutex_);
      value_ = std::max(value_, value);
    }
    condition_.notify_all();
  }
  void wait(uint64_t value) override {
    std::unique_lock lock(mutex_);
    condition_.wait(lock, [&] { return value_ >= value; });
  }
  /// Returns false if the counter does not come so far in time.
  bool wait_until(uint64_t value, std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    return condition_.wait_until(lock, deadline, [&] { return value_ >= value; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable condition_;
  uint64_t value_ = 0;
};

struct WaitCommand {
  Ref<HostEvent> event;
  uint64_t value;
};
struct SignalCommand {
  Ref<HostEvent> event;
  uint64_t value;
};
struct BarrierCommand {};
struct DispatchCommand {
  Dispatch dispatch;
  Ref<Function> function;
  std::vector<Ref<Memory>> memory;
  std::vector<std::shared_ptr<std::vector<char>>> bytes;
  Ref<Memory> grid{};  ///< that the number of threadgroups comes from; null: it is given
  size_t grid_offset = 0;
};

/// Runs the threadgroups of a grid on the processor's threads, in a random order.
void run_grid(const Dispatch& dispatch) {
  const Size grid = dispatch.threadgroups;
  std::vector<uint32_t> order(size_t{grid.x} * grid.y * grid.z);
  std::iota(order.begin(), order.end(), 0u);
  std::mt19937_64 random(dispatch.seed);
  std::shuffle(order.begin(), order.end(), random);
  const auto position = [&](size_t i) {
    const uint32_t n = order[i];
    return Size{n % grid.x, n / grid.x % grid.y, n / (grid.x * grid.y)};
  };
  if (options().overtaking.load() && dispatch.kernel->cooperative) {
    thread_local ThreadgroupRunner first, others;
    size_t next = 1;
    const auto run_others = [&] {
      for (; next < order.size(); ++next) others.run(dispatch, position(next));
    };
    first.run(dispatch, position(0), run_others);
    return run_others();
  }
  std::atomic<bool> failed{false};
  ThreadPool::instance().parallel_for(static_cast<int64_t>(order.size()), 1, [&](int64_t begin, int64_t end) {
    thread_local ThreadgroupRunner runner;
    for (int64_t i = begin; i < end && !failed.load(std::memory_order_relaxed); ++i) {
      try {
        runner.run(dispatch, position(static_cast<size_t>(i)));
      } catch (...) {
        failed.store(true, std::memory_order_relaxed);
        throw;
      }
    }
  });
}

class HostQueue;

class HostCommandBuffer : public CommandBuffer {
 public:
  explicit HostCommandBuffer(Ref<HostQueue> queue) : queue_(std::move(queue)) {}

  void wait(SharedEvent& event, uint64_t value) override {
    commands_.emplace_back(WaitCommand{Ref<HostEvent>(static_cast<HostEvent*>(&event)), value});
  }
  void signal(SharedEvent& event, uint64_t value) override {
    commands_.emplace_back(SignalCommand{Ref<HostEvent>(static_cast<HostEvent*>(&event)), value});
  }
  void set_function(Function& function) override { next_.function = Ref<Function>(&function); }
  void set_memory(int index, Memory& memory, size_t offset) override {
    require(index >= 0 && index < static_cast<int>(kMostBindings), "set_memory: the index is not below 31");
    require(offset <= memory.size(), "set_memory: the offset lies beyond the memory");
    next_.dispatch.buffers[index] = {static_cast<char*>(memory.data()) + offset, memory.size() - offset,
                                     true};
    next_.memory.emplace_back(&memory);
  }
  void set_bytes(int index, const void* bytes, size_t size) override {
    require(index >= 0 && index < static_cast<int>(kMostBindings), "set_bytes: the index is not below 31");
    require(size > 0 && size <= 4096, "set_bytes: takes 1 to 4096 bytes");
    const char* begin = static_cast<const char*>(bytes);
    auto copy = std::make_shared<std::vector<char>>(begin, begin + size);
    next_.dispatch.buffers[index] = {copy->data(), size, false};
    next_.bytes.push_back(std::move(copy));
  }
  void set_threadgroup_memory(int index, size_t size) override {
    require(index >= 0 && index < static_cast<int>(kMostBindings),
            "set_threadgroup_memory: the index is not below 31");
    require(size % 16 == 0, "set_threadgroup_memory: the size is no multiple of 16");
    next_.dispatch.threadgroup_sizes[index] = size;
  }
  void dispatch(Size threadgroups, Size threads) override;
  void dispatch_indirectly(Memory& grid, size_t offset, Size threads) override;
  void barrier() override { commands_.emplace_back(BarrierCommand{}); }
  void commit(std::function<void(const Outcome&)> done) override;

  /// On the queue's thread. Returns what went wrong.
  std::string run();
  void finish(const Outcome& outcome) { done_(outcome); }

 private:
  using Deadline = std::chrono::steady_clock::time_point;
  std::string run(DispatchCommand& command, Deadline deadline, uint64_t seed);
  void shuffle_dispatches(uint64_t seed);

  static void require(bool condition, const char* message) {
    if (!condition) throw std::invalid_argument(message);
  }

  Ref<HostQueue> queue_;
  std::vector<std::variant<WaitCommand, SignalCommand, BarrierCommand, DispatchCommand>> commands_;
  DispatchCommand next_;
  std::function<void(const Outcome&)> done_;
};

/// Runs command buffers one after the other on a thread of its own, and none after an error.
class HostQueue : public Queue {
 public:
  HostQueue() : state_(std::make_shared<State>()), thread_([state = state_] { work(*state); }) {}
  ~HostQueue() override {
    {
      std::lock_guard lock(state_->mutex);
      state_->ends = true;
    }
    state_->condition.notify_all();
    if (thread_.get_id() == std::this_thread::get_id()) {
      thread_.detach();  // the last command buffer held the last reference
    } else {
      thread_.join();
    }
  }
  Ref<CommandBuffer> command_buffer() override { return new HostCommandBuffer(Ref<HostQueue>(this)); }

  void submit(Ref<HostCommandBuffer> buffer) {
    {
      std::lock_guard lock(state_->mutex);
      state_->waiting.push_back(std::move(buffer));
    }
    state_->condition.notify_all();
  }

 private:
  /// Outlives the queue when its own thread drops it.
  struct State {
    std::mutex mutex;
    std::condition_variable condition;
    std::deque<Ref<HostCommandBuffer>> waiting;
    bool ends = false;
  };

  static void work(State& state) {
    bool has_failed = false;
    while (true) {
      Ref<HostCommandBuffer> buffer;
      {
        std::unique_lock lock(state.mutex);
        state.condition.wait(lock, [&] { return state.ends || !state.waiting.empty(); });
        if (state.waiting.empty()) return;
        buffer = std::move(state.waiting.front());
        state.waiting.pop_front();
      }
      if (has_failed) {
        buffer->finish({"its queue begins nothing more after an error", false});
        continue;
      }
      counters().command_buffers.fetch_add(1);
      const std::string error = buffer->run();
      has_failed = !error.empty();
      buffer->finish({error});
    }
  }

  std::shared_ptr<State> state_;
  std::thread thread_;
};

void HostCommandBuffer::dispatch(Size threadgroups, Size threads) {
  require(static_cast<bool>(next_.function), "dispatch: no function is set");
  const LoadedKernel& kernel = static_cast<HostFunction&>(*next_.function).kernel();
  const uint64_t count = uint64_t{threads.x} * threads.y * threads.z;
  require(count >= 1 && count <= kMostThreads, "dispatch: a threadgroup has 1 to 1024 threads");
  require(threadgroups.x > 0 && threadgroups.y > 0 && threadgroups.z > 0, "dispatch: the grid is empty");
  for (const Parameter& parameter : kernel.signature.parameters) {
    const bool missing =
        (parameter.kind == Parameter::Kind::Buffer && !next_.dispatch.buffers[parameter.index].data) ||
        (parameter.kind == Parameter::Kind::Threadgroup &&
         !next_.dispatch.threadgroup_sizes[parameter.index]);
    if (missing) {
      throw std::invalid_argument(
          "dispatch: kernel '" + kernel.name + "' has nothing bound to " +
          (parameter.kind == Parameter::Kind::Buffer ? "buffer " : "threadgroup memory ") +
          std::to_string(parameter.index));
    }
  }
  metal::counters().kernel_launches.fetch_add(1, std::memory_order_relaxed);
  next_.dispatch.kernel = &kernel;
  next_.dispatch.threadgroups = threadgroups;
  next_.dispatch.threads = threads;
  commands_.emplace_back(next_);
}

void HostCommandBuffer::dispatch_indirectly(Memory& grid, size_t offset, Size threads) {
  require(offset % sizeof(uint32_t) == 0 && offset + sizeof(Size) <= grid.size(),
          "dispatch_indirectly: the grid does not lie in the memory, or not at a multiple of 4");
  dispatch({1}, threads);
  auto& command = std::get<DispatchCommand>(commands_.back());
  command.grid = Ref<Memory>(&grid);
  command.grid_offset = offset;
}

void HostCommandBuffer::commit(std::function<void(const Outcome&)> done) {
  require(!done_, "commit: the command buffer has been committed");
  done_ = std::move(done);
  queue_->submit(Ref<HostCommandBuffer>(this));
}

/// Dispatches that no barrier separates may overlap: they come in a random order, one after the other.
void HostCommandBuffer::shuffle_dispatches(uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto is_dispatch = [](const auto& command) {
    return std::holds_alternative<DispatchCommand>(command);
  };
  for (auto begin = commands_.begin(); begin != commands_.end();) {
    begin = std::find_if(begin, commands_.end(), is_dispatch);
    const auto end = std::find_if_not(begin, commands_.end(), is_dispatch);
    std::shuffle(begin, end, random);
    begin = end;
  }
}

std::string HostCommandBuffer::run(DispatchCommand& command, Deadline deadline, uint64_t seed) {
  Dispatch& dispatch = command.dispatch;
  if (command.grid) {
    Size& grid = dispatch.threadgroups;
    std::memcpy(&grid, static_cast<const char*>(command.grid->data()) + command.grid_offset, sizeof grid);
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) return "";
  }
  Traffic traffic;
  dispatch.traffic = &traffic;
  dispatch.deadline = deadline;
  dispatch.seed = seed;
  std::string error;
  try {
    run_grid(dispatch);
  } catch (const std::exception& fault) {
    error = fault.what();
  }
  capture().note(dispatch.kernel->name + " " + text_of(dispatch.threadgroups) + " threadgroups of " +
                 text_of(dispatch.threads) + (error.empty() ? "" : ": " + error));
  counters().dispatches.fetch_add(1);
  for (const auto& bytes : traffic.read) counters().bytes_read.fetch_add(bytes.load());
  for (const auto& bytes : traffic.written) counters().bytes_written.fetch_add(bytes.load());
  counters().matrix_products.fetch_add(traffic.matrix_products.load());
  return error;
}

std::string HostCommandBuffer::run() {
  const uint64_t seed = options().seed.load();
  std::string error;
  const Deadline deadline =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(options().milliseconds.load());
  while (options().held.load() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  shuffle_dispatches(seed);
  uint64_t number = 0;
  for (auto& command : commands_) {
    if (!error.empty()) break;
    if (auto* signal = std::get_if<SignalCommand>(&command)) {
      capture().note("signal " + std::to_string(signal->value));
      signal->event->signal(signal->value);
    } else if (auto* wait = std::get_if<WaitCommand>(&command)) {
      capture().note("wait " + std::to_string(wait->value));
      if (!wait->event->wait_until(wait->value, deadline)) error = "waited too long for an event (time-out)";
    } else if (auto* dispatch = std::get_if<DispatchCommand>(&command)) {
      if (number == 0 && injected(options().failing_command_buffers)) {
        error = "a command buffer failed because a test asked for it";
        continue;
      }
      error = run(*dispatch, deadline, seed + ++number * 0xD1B54A32D192ED03u);
    }
  }
  commands_.clear();
  next_ = {};
  return error;
}

}  // namespace

Options& options() {
  static Options* options = new Options;
  return *options;
}

Counters& counters() {
  static Counters* counters = new Counters;
  return *counters;
}

DeviceInfo HostDevice::info() const {
  const size_t memory =
      static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGE_SIZE));
  return {"host Metal device (this machine's processor, for tests)",
          "host",
          memory,
          kMostThreadgroupMemory,
          size_t{1} << 40,
          memory / 4 * 3};
}

Ref<Library> HostDevice::compile(const std::string& source) {
  dump_source(source);
  counters().compilations.fetch_add(1);
  if (injected(options().failing_compilations))
    throw CompileError("the compilation failed because a test asked for it\n" + with_line_numbers(source));
  return new HostLibrary(
      Image::compile(source, options().checked.load(), DiskCache(DiskCache::default_folder())));
}

Ref<Memory> HostDevice::allocate(size_t size) {
  if (injected(options().failing_allocations)) return nullptr;
  return GuardedMemory::make(size);
}

Ref<Memory> HostDevice::wrap(void* data, size_t size, void* owner, void (*free_owner)(void*)) {
  if (reinterpret_cast<uintptr_t>(data) % kPage != 0)
    throw std::invalid_argument("wrap: the memory does not begin on a page");
  if (injected(options().failing_allocations)) return nullptr;
  return new WrappedMemory(data, size, owner, free_owner);
}

Ref<Queue> HostDevice::new_queue() { return new HostQueue; }

Ref<SharedEvent> HostDevice::new_event() { return new HostEvent; }

void HostDevice::start_capture(const std::string& path) { capture().start(path); }

void HostDevice::stop_capture() { capture().stop(); }

}  // namespace ftrans::metal::host

namespace ftrans::metal {

Device* device() {
  static Device* found = []() -> Device* {
    const char* chosen = std::getenv("FTRANS_METAL");
    return chosen && std::strcmp(chosen, "host") == 0 ? new host::HostDevice : nullptr;
  }();
  return found;
}

}  // namespace ftrans::metal
