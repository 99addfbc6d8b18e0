// Apple's Metal behind api.h. Everything that names Apple's API is here; objects are counted by ARC.

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <unistd.h>

#import <Foundation/Foundation.h>
#import <Metal/Metal.h>

#include "metal/api.h"
#include "metal/counters.h"
#include "metal/disk_cache.h"
#include "metal/source_text.h"

namespace ftrans::metal {
namespace {

constexpr int kMostBindings = 31;

std::string text_of(NSString* text) { return text ? text.UTF8String : ""; }
NSString* string_of(const std::string& text) { return [NSString stringWithUTF8String:text.c_str()]; }
NSURL* url_of(const std::string& path) { return [NSURL fileURLWithPath:string_of(path)]; }
std::string text_of(NSError* error) { return error ? text_of(error.localizedDescription) : "unknown error"; }

MTLSize size_of(Size size) { return MTLSizeMake(size.x, size.y, size.z); }

class AppleMemory : public Memory {
 public:
  AppleMemory(id<MTLBuffer> buffer, size_t size) : buffer_(buffer), size_(size) {}
  void* data() const override { return buffer_.contents; }
  size_t size() const override { return size_; }
  id<MTLBuffer> buffer() const { return buffer_; }

 private:
  id<MTLBuffer> buffer_;
  size_t size_;  ///< that was asked for
};

class AppleFunction : public Function {
 public:
  AppleFunction(id<MTLComputePipelineState> pipeline, std::string name)
      : pipeline_(pipeline), name_(std::move(name)) {}
  uint32_t most_threads_per_threadgroup() const override {
    return static_cast<uint32_t>(pipeline_.maxTotalThreadsPerThreadgroup);
  }
  id<MTLComputePipelineState> pipeline() const { return pipeline_; }
  const std::string& name() const { return name_; }

 private:
  id<MTLComputePipelineState> pipeline_;
  std::string name_;
};

class AppleLibrary : public Library {
 public:
  AppleLibrary(id<MTLLibrary> library, id<MTLBinaryArchive> archive) : library_(library), archive_(archive) {}

  Ref<Function> function(const std::string& name) override {
    @autoreleasepool {
      id<MTLFunction> function = [library_ newFunctionWithName:string_of(name)];
      if (!function) throw std::invalid_argument("the library has no kernel '" + name + "'");
      MTLComputePipelineDescriptor* descriptor = [MTLComputePipelineDescriptor new];
      descriptor.computeFunction = function;
      if (archive_) descriptor.binaryArchives = @[ archive_ ];
      NSError* error = nil;
      id<MTLComputePipelineState> pipeline =
          [library_.device newComputePipelineStateWithDescriptor:descriptor
                                                         options:MTLPipelineOptionNone
                                                      reflection:nil
                                                           error:&error];
      if (!pipeline) throw CompileError("kernel '" + name + "': " + text_of(error));
      return new AppleFunction(pipeline, name);
    }
  }

 private:
  id<MTLLibrary> library_;
  id<MTLBinaryArchive> archive_;  ///< machine code of all of its kernels; nil if there is none
};

class AppleEvent : public SharedEvent {
 public:
  explicit AppleEvent(id<MTLSharedEvent> event) : event_(event) {}
  uint64_t value() const override { return event_.signaledValue; }
  void signal(uint64_t value) override { raise(event_, value); }

  void wait(uint64_t value) override {
    struct Arrival {
      std::mutex mutex;
      std::condition_variable condition;
      bool has_come = false;
    };
    if (event_.signaledValue >= value) return;
    @autoreleasepool {
      static MTLSharedEventListener* const listener = [MTLSharedEventListener new];
      const auto arrival = std::make_shared<Arrival>();
      [event_ notifyListener:listener
                     atValue:value
                       block:^(id<MTLSharedEvent>, uint64_t) {
                         const std::lock_guard lock(arrival->mutex);
                         arrival->has_come = true;
                         arrival->condition.notify_all();
                       }];
      std::unique_lock lock(arrival->mutex);
      arrival->condition.wait(lock, [&] { return arrival->has_come; });
    }
  }

  id<MTLSharedEvent> event() const { return event_; }

  /// The counter never falls, whoever raises it at the same time on the processor.
  static void raise(id<MTLSharedEvent> event, uint64_t value) {
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    if (event.signaledValue < value) event.signaledValue = value;
  }

 private:
  id<MTLSharedEvent> event_;
};

/// What went wrong in a command buffer, and in which of its encoders, whose labels name their kernels.
std::string failure_of(id<MTLCommandBuffer> buffer) {
  if (buffer.status != MTLCommandBufferStatusError) return "";
  std::string text = "the GPU failed: " + text_of(buffer.error);
  NSArray<id<MTLCommandBufferEncoderInfo>>* encoders =
      buffer.error.userInfo[MTLCommandBufferEncoderInfoErrorKey];
  for (id<MTLCommandBufferEncoderInfo> encoder in encoders) {
    if (encoder.errorState == MTLCommandEncoderErrorStateFaulted) {
      text += "; faulted in " + text_of(encoder.label);
    } else if (encoder.errorState == MTLCommandEncoderErrorStateAffected) {
      text += "; stopped in " + text_of(encoder.label);
    }
  }
  return text;
}

/// Metal may ignore what a queue submits after it has caused an error.
bool has_begun(id<MTLCommandBuffer> buffer) {
  if (buffer.status != MTLCommandBufferStatusError) return true;
  if (buffer.error.code == MTLCommandBufferErrorAccessRevoked) return false;
  NSArray<id<MTLCommandBufferEncoderInfo>>* encoders =
      buffer.error.userInfo[MTLCommandBufferEncoderInfoErrorKey];
  for (id<MTLCommandBufferEncoderInfo> encoder in encoders) {
    if (encoder.errorState != MTLCommandEncoderErrorStatePending) return true;
  }
  return encoders.count == 0;
}

class AppleCommandBuffer : public CommandBuffer {
 public:
  explicit AppleCommandBuffer(id<MTLCommandBuffer> buffer) : buffer_(buffer) {}
  /// Metal does not forgive an encoder that is never ended.
  ~AppleCommandBuffer() override { end_encoder(); }

  void wait(SharedEvent& event, uint64_t value) override {
    @autoreleasepool {
      end_encoder();
      [buffer_ encodeWaitForEvent:static_cast<AppleEvent&>(event).event() value:value];
    }
  }

  void signal(SharedEvent& event, uint64_t value) override {
    @autoreleasepool {
      end_encoder();
      [buffer_ encodeSignalEvent:static_cast<AppleEvent&>(event).event() value:value];
    }
  }

  void set_function(Function& function) override {
    function_ = Ref<AppleFunction>(&static_cast<AppleFunction&>(function));
    function_changed_ = true;
  }
  void set_memory(int index, Memory& memory, size_t offset) override {
    binding(index) = {static_cast<AppleMemory&>(memory).buffer(), offset, {}, true};
  }
  void set_bytes(int index, const void* bytes, size_t size) override {
    if (size == 0 || size > 4096) throw std::invalid_argument("set_bytes: takes 1 to 4096 bytes");
    const char* begin = static_cast<const char*>(bytes);
    binding(index) = {nil, 0, {begin, begin + size}, true};
  }
  void set_threadgroup_memory(int index, size_t size) override {
    binding(index);  // for its check
    threadgroup_sizes_[index] = size;
    threadgroup_sizes_changed_ = true;
  }

  void dispatch(Size threadgroups, Size threads) override {
    @autoreleasepool {
      prepare_dispatch();
      [encoder_ dispatchThreadgroups:size_of(threadgroups) threadsPerThreadgroup:size_of(threads)];
    }
  }

  void dispatch_indirectly(Memory& grid, size_t offset, Size threads) override {
    @autoreleasepool {
      prepare_dispatch();
      [encoder_ dispatchThreadgroupsWithIndirectBuffer:static_cast<AppleMemory&>(grid).buffer()
                                  indirectBufferOffset:offset
                                 threadsPerThreadgroup:size_of(threads)];
    }
  }

  void barrier() override {
    if (encoder_) [encoder_ memoryBarrierWithScope:MTLBarrierScopeBuffers];
  }

  void commit(std::function<void(const Outcome&)> done) override {
    @autoreleasepool {
      end_encoder();
      [buffer_ addCompletedHandler:^(id<MTLCommandBuffer> buffer) {
        done({failure_of(buffer), has_begun(buffer)});
      }];
      [buffer_ commit];
    }
  }

 private:
  struct Binding {
    id<MTLBuffer> buffer = nil;
    size_t offset = 0;
    std::vector<char> bytes{};
    bool changed = false;
  };

  Binding& binding(int index) {
    if (index < 0 || index >= kMostBindings)
      throw std::invalid_argument("the index of a binding is not below 31");
    return bindings_[index];
  }

  void prepare_dispatch() {
    if (!function_) throw std::invalid_argument("dispatch: no function is set");
    if (!encoder_) begin_encoder();
    bind();
    counters().kernel_launches.fetch_add(1, std::memory_order_relaxed);
    if (std::find(kernels_.begin(), kernels_.end(), function_->name()) == kernels_.end())
      kernels_.push_back(function_->name());
  }

  /// Dispatches of an encoder may overlap, but for the barriers between them. A new encoder knows nothing of
  /// what is bound.
  void begin_encoder() {
    encoder_ = [buffer_ computeCommandEncoderWithDispatchType:MTLDispatchTypeConcurrent];
    function_changed_ = threadgroup_sizes_changed_ = true;
    for (Binding& each : bindings_) each.changed = each.buffer || !each.bytes.empty();
  }

  void end_encoder() {
    if (!encoder_) return;
    std::string label;
    for (const std::string& kernel : kernels_) label += (label.empty() ? "" : ", ") + kernel;
    encoder_.label = string_of(label);
    [encoder_ endEncoding];
    encoder_ = nil;
    kernels_.clear();
  }

  void bind() {
    if (std::exchange(function_changed_, false)) [encoder_ setComputePipelineState:function_->pipeline()];
    for (int i = 0; i < kMostBindings; ++i) {
      Binding& each = bindings_[i];
      if (!std::exchange(each.changed, false)) continue;
      if (each.buffer) {
        [encoder_ setBuffer:each.buffer offset:each.offset atIndex:static_cast<NSUInteger>(i)];
      } else {
        [encoder_ setBytes:each.bytes.data() length:each.bytes.size() atIndex:static_cast<NSUInteger>(i)];
      }
    }
    if (!std::exchange(threadgroup_sizes_changed_, false)) return;
    for (int i = 0; i < kMostBindings; ++i) {
      if (threadgroup_sizes_[i])
        [encoder_ setThreadgroupMemoryLength:threadgroup_sizes_[i] atIndex:static_cast<NSUInteger>(i)];
    }
  }

  id<MTLCommandBuffer> buffer_;
  id<MTLComputeCommandEncoder> encoder_ = nil;
  Ref<AppleFunction> function_;
  bool function_changed_ = false, threadgroup_sizes_changed_ = false;
  Binding bindings_[kMostBindings];
  size_t threadgroup_sizes_[kMostBindings] = {};
  std::vector<std::string> kernels_;  ///< that the current encoder runs, each once
};

class AppleQueue : public Queue {
 public:
  explicit AppleQueue(id<MTLCommandQueue> queue) : queue_(queue) {}
  Ref<CommandBuffer> command_buffer() override {
    @autoreleasepool {
      MTLCommandBufferDescriptor* descriptor = [MTLCommandBufferDescriptor new];
      descriptor.errorOptions = MTLCommandBufferErrorOptionEncoderExecutionStatus;
      return new AppleCommandBuffer([queue_ commandBufferWithDescriptor:descriptor]);
    }
  }

 private:
  id<MTLCommandQueue> queue_;
};

/// IEEE arithmetic, which the kernels rely on (what macOS 15 also calls MTLMathModeSafe), in the first
/// language version with bfloat.
MTLCompileOptions* compile_options() {
  MTLCompileOptions* options = [MTLCompileOptions new];
  options.languageVersion = MTLLanguageVersion3_1;
  options.fastMathEnabled = NO;
  return options;
}

class AppleDevice : public Device {
 public:
  explicit AppleDevice(id<MTLDevice> device) : device_(device), cache_(DiskCache::default_folder()) {}

  DeviceInfo info() const override {
    @autoreleasepool {
      return {text_of(device_.name),
              text_of(device_.architecture.name),
              static_cast<size_t>(NSProcessInfo.processInfo.physicalMemory),
              device_.maxThreadgroupMemoryLength,
              device_.maxBufferLength,
              static_cast<size_t>(device_.recommendedMaxWorkingSetSize)};
    }
  }

  Ref<Library> compile(const std::string& source) override {
    dump_source(source);
    @autoreleasepool {
      NSError* error = nil;
      id<MTLLibrary> library = [device_ newLibraryWithSource:string_of(source)
                                                     options:compile_options()
                                                       error:&error];
      if (!library) throw CompileError(text_of(error) + "\n" + with_line_numbers(source));
      return new AppleLibrary(library, archive_of(library, source));
    }
  }

  Ref<Memory> allocate(size_t size) override {
    @autoreleasepool {
      id<MTLBuffer> buffer = [device_ newBufferWithLength:std::max<size_t>(size, 1)
                                                  options:MTLResourceStorageModeShared];
      if (!buffer) return nullptr;
      return new AppleMemory(buffer, size);
    }
  }

  Ref<Memory> wrap(void* data, size_t size, void* owner, void (*free_owner)(void*)) override {
    const auto page = static_cast<size_t>(getpagesize());
    if (reinterpret_cast<uintptr_t>(data) % page != 0)
      throw std::invalid_argument("wrap: the memory does not begin on a page");
    @autoreleasepool {
      // Metal maps whole pages. The last one belongs to the process in any case. The deallocator may also be
      // called for a buffer that could not be made, whose owner stays the caller's.
      __block bool is_ours = false;
      id<MTLBuffer> buffer = [device_ newBufferWithBytesNoCopy:data
                                                        length:std::max(page, (size + page - 1) / page * page)
                                                       options:MTLResourceStorageModeShared
                                                   deallocator:^(void*, NSUInteger) {
                                                     if (is_ours && free_owner) free_owner(owner);
                                                   }];
      if (!buffer) return nullptr;
      is_ours = true;
      return new AppleMemory(buffer, size);
    }
  }

  Ref<Queue> new_queue() override {
    @autoreleasepool {
      // A queue that is full makes its thread wait for a command buffer to end; one of these may wait for
      // that very thread to signal an event. So there is room for more than are ever recorded ahead.
      id<MTLCommandQueue> queue = [device_ newCommandQueueWithMaxCommandBufferCount:1024];
      if (!queue) throw std::runtime_error("Metal has no more command queues");
      return new AppleQueue(queue);
    }
  }

  Ref<SharedEvent> new_event() override {
    @autoreleasepool {
      id<MTLSharedEvent> event = [device_ newSharedEvent];
      if (!event) throw std::runtime_error("Metal has no more shared events");
      return new AppleEvent(event);
    }
  }

  void start_capture(const std::string& path) override {
    @autoreleasepool {
      MTLCaptureManager* manager = [MTLCaptureManager sharedCaptureManager];
      if (manager.isCapturing) throw std::runtime_error("start_capture: a capture is going on already");
      MTLCaptureDescriptor* descriptor = [MTLCaptureDescriptor new];
      descriptor.captureObject = device_;
      descriptor.destination = MTLCaptureDestinationGPUTraceDocument;
      descriptor.outputURL = url_of(path);
      NSError* error = nil;
      if (![manager startCaptureWithDescriptor:descriptor error:&error])
        throw std::runtime_error("start_capture: " + text_of(error) +
                                 "; captures need the environment variable MTL_CAPTURE_ENABLED=1");
    }
  }

  void stop_capture() override {
    @autoreleasepool {
      MTLCaptureManager* manager = [MTLCaptureManager sharedCaptureManager];
      if (!manager.isCapturing) throw std::runtime_error("stop_capture: nothing is being captured");
      [manager stopCapture];
    }
  }

 private:
  /// The machine code of a library's kernels from the disk, or compiled now and kept there. Nil where that is
  /// not possible; then Metal compiles each kernel when it is asked for.
  id<MTLBinaryArchive> archive_of(id<MTLLibrary> library, const std::string& source) const {
    const std::string key = Hash()
                                .add(source)
                                .add(text_of(device_.name))
                                .add(text_of(device_.architecture.name))
                                .add(text_of(NSProcessInfo.processInfo.operatingSystemVersionString))
                                .digits();
    MTLBinaryArchiveDescriptor* descriptor = [MTLBinaryArchiveDescriptor new];
    if (const auto file = cache_.find(key)) {
      descriptor.url = url_of(file->string());
      if (id<MTLBinaryArchive> archive = [device_ newBinaryArchiveWithDescriptor:descriptor error:nil])
        return archive;
      descriptor.url = nil;
    }
    id<MTLBinaryArchive> archive = [device_ newBinaryArchiveWithDescriptor:descriptor error:nil];
    for (NSString* name in library.functionNames) {
      MTLComputePipelineDescriptor* pipeline = [MTLComputePipelineDescriptor new];
      pipeline.computeFunction = [library newFunctionWithName:name];
      if (![archive addComputePipelineFunctionsWithDescriptor:pipeline error:nil]) return nil;
    }
    NSString* path = [NSTemporaryDirectory() stringByAppendingPathComponent:NSUUID.UUID.UUIDString];
    if ([archive serializeToURL:[NSURL fileURLWithPath:path] error:nil]) cache_.add(key, text_of(path));
    [NSFileManager.defaultManager removeItemAtPath:path error:nil];
    return archive;
  }

  id<MTLDevice> device_;
  DiskCache cache_;
};

}  // namespace

Device* device() {
  static Device* found = []() -> Device* {
    id<MTLDevice> device = MTLCreateSystemDefaultDevice();
    return device ? new AppleDevice(device) : nullptr;
  }();
  return found;
}

}  // namespace ftrans::metal
