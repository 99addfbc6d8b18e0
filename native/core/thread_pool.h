#pragma once

#include <cstdint>
#include <type_traits>

namespace ftrans {

/// The one pool of worker threads of the process. The calling thread takes part in its own loop, so a pool of
/// n threads has n − 1 workers. Several threads (streams) may call `run` at once; a nested call runs
/// serially.
class ThreadPool {
 public:
  static ThreadPool& instance();

  /// Number of threads that take part in a loop (≥ 1).
  int size() const;

  /// Sets the number of threads; takes effect for later loops.
  void resize(int threads);

  /// Calls body(begin, end) over disjoint parts of [0, count), in parallel, each part at least `grain` long
  /// (but for the last). Returns when all are done; the first exception thrown by a part is rethrown here.
  template <typename Body>
  void parallel_for(int64_t count, int64_t grain, Body&& body) {
    if (count <= 0) return;
    if (count <= grain || size() == 1) {
      body(int64_t{0}, count);
      return;
    }
    run(
        count, grain,
        [](void* context, int64_t begin, int64_t end) {
          (*static_cast<std::remove_reference_t<Body>*>(context))(begin, end);
        },
        const_cast<void*>(static_cast<const void*>(&body)));
  }

  using Function = void (*)(void* context, int64_t begin, int64_t end);
  void run(int64_t count, int64_t grain, Function function, void* context);

  ~ThreadPool();

 private:
  ThreadPool();
  struct State;
  State* state_;
};

}  // namespace ftrans
