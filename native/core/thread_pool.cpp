#include "core/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <pthread.h>
#if defined(__linux__)
#include <sched.h>
#endif

namespace ftrans {
namespace {

/// How long an idle thread looks for work before it sleeps: longer than a gap between the steps of a program,
/// shorter than anyone would notice as load.
constexpr auto kSpinTime = std::chrono::microseconds(30);

/// Parts a thread gets on average: enough to even out unequal speeds, few enough to keep each part long.
constexpr int64_t kPartsPerThread = 4;

thread_local bool inside_loop = false;

void pause_processor() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Spins until `ready()`, for kSpinTime at most; says whether it became ready.
template <typename Ready>
bool spin_until(Ready&& ready) {
  const auto end = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      pause_processor();
    }
  } while (std::chrono::steady_clock::now() < end);
  return ready();
}

int available_processors() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1u, std::thread::hardware_concurrency());
}

int initial_size() {
  const char* text = std::getenv("FTRANS_NUM_THREADS");
  if (text == nullptr || *text == '\0') return available_processors();
  char* end = nullptr;
  errno = 0;
  const long threads = std::strtol(text, &end, 10);
  if (errno != 0 || *end != '\0' || threads < 1 || threads > 4096) {
    throw std::invalid_argument(std::string("FTRANS_NUM_THREADS must be an integer from 1 to 4096, got '") +
                                text + "'");
  }
  return static_cast<int>(threads);
}

/// A loop in progress; lives on its caller's stack.
struct Loop {
  ThreadPool::Function function;
  void* context;
  int64_t count;
  int64_t part;
  int places;                    ///< workers that may still join; guarded by State::mutex
  std::atomic<int64_t> next{0};  ///< first index that nobody has taken
  std::atomic<int> helpers{0};   ///< workers that are inside the loop
  std::atomic<bool> failed{false};
  std::exception_ptr error;  ///< written by the thread that set `failed`

  /// Takes parts until none is left.
  void work() {
    inside_loop = true;
    for (;;) {
      const int64_t begin = next.fetch_add(part, std::memory_order_relaxed);
      if (begin >= count) break;
      try {
        function(context, begin, std::min(begin + part, count));
      } catch (...) {
        if (!failed.exchange(true)) error = std::current_exception();
        next.store(count, std::memory_order_relaxed);
      }
    }
    inside_loop = false;
  }
};

}  // namespace

/// Never freed: workers may look at it until the process ends.
struct ThreadPool::State {
  explicit State(int size) : threads(size) {}

  std::mutex mutex;
  std::vector<Loop*> loops;  ///< that may be joined; guarded by `mutex`
  int workers = 0;           ///< started so far; guarded by `mutex`
  std::atomic<int> threads;
  std::atomic<uint32_t> announced{0};  ///< counts new loops; idle workers wait for a change
  std::atomic<uint32_t> left{0};       ///< counts workers leaving a loop; callers wait for a change

  /// Starts the workers that are missing. The caller holds `mutex`.
  void start_workers() {
    sigset_t all, previous;
    sigfillset(&all);  // signals are for the threads of the user
    pthread_sigmask(SIG_SETMASK, &all, &previous);
    try {
      for (; workers < threads.load(std::memory_order_relaxed) - 1; ++workers) {
        std::thread([this] { serve(); }).detach();
      }
    } catch (const std::system_error&) {  // out of threads: the callers do the work themselves
    }
    pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  }

  /// A loop that has a place and parts left, joined; or nullptr.
  Loop* join() {
    std::lock_guard lock(mutex);
    for (Loop* loop : loops) {
      if (loop->places > 0 && loop->next.load(std::memory_order_relaxed) < loop->count) {
        --loop->places;
        loop->helpers.fetch_add(1, std::memory_order_relaxed);
        return loop;
      }
    }
    return nullptr;
  }

  /// The life of a worker.
  [[noreturn]] void serve() {
    for (;;) {
      const uint32_t seen = announced.load(std::memory_order_acquire);
      if (Loop* loop = join()) {
        loop->work();
        loop->helpers.fetch_sub(1, std::memory_order_acq_rel);  // the loop may be gone from here on
        left.fetch_add(1, std::memory_order_acq_rel);
        left.notify_all();
        continue;
      }
      if (!spin_until([&] { return announced.load(std::memory_order_relaxed) != seen; }))
        announced.wait(seen);
    }
  }

  void announce(Loop& loop) {
    const int wanted = loop.places;
    int started;
    {
      std::lock_guard lock(mutex);
      if (workers < threads.load(std::memory_order_relaxed) - 1) start_workers();
      started = workers;
      loops.push_back(&loop);
    }
    announced.fetch_add(1, std::memory_order_acq_rel);
    if (wanted >= started) {
      announced.notify_all();
    } else {
      for (int i = 0; i < wanted; ++i) announced.notify_one();
    }
  }

  /// Lets no further worker in and waits for those inside.
  void withdraw(Loop& loop) {
    {
      std::lock_guard lock(mutex);
      loops.erase(std::find(loops.begin(), loops.end(), &loop));
    }
    const auto done = [&] { return loop.helpers.load(std::memory_order_acquire) == 0; };
    if (spin_until(done)) return;
    for (;;) {
      const uint32_t seen = left.load(std::memory_order_acquire);
      if (done()) return;
      left.wait(seen);
    }
  }
};

ThreadPool::ThreadPool() : state_(new State(initial_size())) {
  // A forked child has none of the workers, and perhaps a locked mutex: it starts anew, with workers of its
  // own.
  pthread_atfork(nullptr, nullptr, [] {
    ThreadPool& pool = instance();
    pool.state_ = new State(pool.size());
  });
}

ThreadPool::~ThreadPool() = default;

ThreadPool& ThreadPool::instance() {
  static ThreadPool* const pool = new ThreadPool;  // never destroyed, as workers outlive static objects
  return *pool;
}

int ThreadPool::size() const { return state_->threads.load(std::memory_order_relaxed); }

void ThreadPool::resize(int threads) {
  if (threads < 1)
    throw std::invalid_argument("ThreadPool::resize: expected at least 1 thread, got " +
                                std::to_string(threads));
  state_->threads.store(threads, std::memory_order_relaxed);
}

void ThreadPool::run(int64_t count, int64_t grain, Function function, void* context) {
  if (count <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  const int64_t threads = std::min<int64_t>(size(), (count + grain - 1) / grain);
  if (threads == 1 || inside_loop) {
    function(context, 0, count);
    return;
  }
  const int64_t fair = (count + threads * kPartsPerThread - 1) / (threads * kPartsPerThread);
  Loop loop{.function = function,
            .context = context,
            .count = count,
            .part = (std::max(fair, grain) + grain - 1) / grain * grain,
            .places = static_cast<int>(threads - 1),
            .error = nullptr};
  state_->announce(loop);
  loop.work();
  state_->withdraw(loop);
  if (loop.error) std::rethrow_exception(loop.error);
}

}  // namespace ftrans
