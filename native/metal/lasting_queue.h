#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "metal/api.h"

namespace ftrans::metal {

/// A queue of the device that outlives errors. After one, the device may refuse to begin what the same queue
/// has behind it. Then what has been refused, and what comes meanwhile, goes to a new queue, in the same
/// order, as soon as the old one has nothing left.
class LastingQueue {
 public:
  using Make = std::function<Ref<CommandBuffer>(Queue&)>;
  using Done = std::function<void(const std::string& error)>;

  explicit LastingQueue(Device& device) : device_(device), queue_(device.new_queue()) {}

  /// Runs the command buffer that `make` makes and records, after what came before; `make` may be called
  /// again, on any thread. `done` is called on any thread when it has ended, with what went wrong. The queue
  /// lives until then. Any thread.
  void run(Make make, Done done);

 private:
  struct Work {
    uint64_t number;
    Make make;
    Done done;
    bool is_first;  ///< that its queue of the device got
  };

  void give(Work work);
  void take_back(const Work& work, const Outcome& outcome);
  void renew();
  void go_on();

  Device& device_;
  std::mutex mutex_;
  Ref<Queue> queue_;
  uint64_t given_ = 0;                ///< how much work there has been
  uint64_t under_way_ = 0;            ///< what the device's queue has
  uint64_t last_begun_ = 0;           ///< the number of the last that began
  std::map<uint64_t, Work> waiting_;  ///< for a new queue, by number
  bool has_failed_ = false;           ///< the device's queue: it gets nothing more
  bool is_new_ = true;                ///< the device's queue: it has had nothing yet
};

}  // namespace ftrans::metal
