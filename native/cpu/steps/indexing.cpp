#include <cstring>
#include <limits>
#include <vector>

#include "cpu/steps/block_copy.h"
#include "cpu/steps/kernels.h"

namespace ftrans::cpu::steps {
namespace {

constexpr int64_t kGrain = 1 << 13;   // elements (and at least one index) a thread takes at a time
constexpr int64_t kBlock = 256;       // windows located at a time
constexpr int64_t kSharedWindow = 8;  // smaller windows cost less to apply than to pass over
constexpr int64_t kOutside =
    std::numeric_limits<int64_t>::min();  // for the offset of a window not inside the operand

enum class IndexMode : int64_t { Fill, Clip, PromiseInBounds, Zero };

/// Whether windows are moved inside of the operand, rather than known to be outside.
bool moves_inside(IndexMode mode) { return mode == IndexMode::Clip || mode == IndexMode::PromiseInBounds; }

/// Reads the parameters of gather and scatter: numbers, and lists preceded by their length.
class ParameterReader {
 public:
  explicit ParameterReader(const int64_t* parameters) : next_(parameters) {}
  int64_t number() { return *next_++; }
  Dims list() {
    const int count = static_cast<int>(number());
    return list(count);
  }
  Dims list(int count) {
    Dims result(next_, count);
    next_ += count;
    return result;
  }

 private:
  const int64_t* next_;
};

bool contains(const Dims& axes, int64_t axis) {
  return std::find(axes.begin(), axes.end(), axis) != axes.end();
}

/// Where a window starts that may start at 0 … limit; kOutside if not there, unless indices are clipped.
template <typename Index>
int64_t window_start(Index index, int64_t limit, bool clips) {
  const int64_t start = static_cast<int64_t>(index);
  if (static_cast<uint64_t>(start) <= static_cast<uint64_t>(limit)) return start;
  if (!clips) return kOutside;
  return std::is_signed_v<Index> && start < 0 ? 0 : limit;
}

/// How the index vectors map to windows of the operand; gather and scatter share it.
struct WindowMap {
  TensorView operand;  ///< of the gather; the result of the scatter
  TensorView indices;
  Dims window_shape{};  ///< extent of the window along every operand axis
  Dims start_axes{};    ///< operand axis of each component of an index vector
  Dims operand_batching{};
  Dims indices_batching{};
  Dims batch_strides{};  ///< of the windows' side (gather's output, scatter's updates) along the batch axes
  IndexMode mode{};

  int batch_axes() const { return indices.ndim - 1; }
  int64_t batch_count() const {
    int64_t count = 1;
    for (int axis = 0; axis < batch_axes(); ++axis) count *= indices.shape[axis];
    return count;
  }
};

/// Strides of an array's axes that belong to the window (in the order of the operand's axes, 0 where the
/// window has extent 1 and no axis) and to the batch.
void split_strides(const Dims& strides, const Dims& window_axes, const Dims& missing_axes, int operand_ndim,
                   Dims& window_strides, Dims& batch_strides) {
  window_strides.resize(operand_ndim);
  int next = 0;
  for (int axis = 0; axis < operand_ndim; ++axis) {
    window_strides[axis] = contains(missing_axes, axis) ? 0 : strides[static_cast<int>(window_axes[next++])];
  }
  for (int axis = 0; axis < strides.size(); ++axis) {
    if (!contains(window_axes, axis)) batch_strides.push_back(strides[axis]);
  }
}

/// Finds where windows start.
class WindowLocator {
 public:
  explicit WindowLocator(const WindowMap& map) : map_(map), clip_(moves_inside(map.mode)) {
    const int axes = map.batch_axes();
    operand_strides_.resize(axes);
    for (int i = 0; i < map.operand_batching.size(); ++i) {
      operand_strides_[static_cast<int>(map.indices_batching[i])] =
          map.operand.strides[map.operand_batching[i]];
    }
  }

  /// For windows [begin, begin + count) in row-major order of the batch: their offsets, in elements, in the
  /// operand (kOutside if not inside) and in the array on the windows' side.
  void locate(int64_t begin, int64_t count, int64_t* operand_offsets, int64_t* window_offsets) const {
    dispatch(map_.indices.dtype, [&]<typename T>(TypeTag<T>) {
      if constexpr (std::is_integral_v<T>) locate_as<T>(begin, count, operand_offsets, window_offsets);
    });
  }

 private:
  template <typename Index>
  void locate_as(int64_t begin, int64_t count, int64_t* operand_offsets, int64_t* window_offsets) const {
    const TensorView& indices = map_.indices;
    const int last = map_.batch_axes() - 1;
    Dims coordinate = coordinate_of(begin, indices.shape, last + 1);
    for (int64_t done = 0; done < count;) {
      int64_t index_offset = 0, operand_offset = 0, window_offset = 0;
      for (int axis = 0; axis <= last; ++axis) {
        index_offset += coordinate[axis] * indices.strides[axis];
        operand_offset += coordinate[axis] * operand_strides_[axis];
        window_offset += coordinate[axis] * map_.batch_strides[axis];
      }
      // A run along the last batch axis.
      const int64_t run = last < 0 ? 1 : std::min(count - done, indices.shape[last] - coordinate[last]);
      const int64_t index_stride = last < 0 ? 0 : indices.strides[last];
      const int64_t operand_stride = last < 0 ? 0 : operand_strides_[last];
      const int64_t window_stride = last < 0 ? 0 : map_.batch_strides[last];
      for (int64_t i = 0; i < run; ++i) {
        operand_offsets[done + i] = operand_offset + i * operand_stride;
        window_offsets[done + i] = window_offset + i * window_stride;
      }
      for (int component = 0; component < map_.start_axes.size(); ++component) {
        const int axis = static_cast<int>(map_.start_axes[component]);
        add_component(indices.as<const Index>() + index_offset + component * indices.strides[last + 1],
                      index_stride, run, map_.operand.shape[axis] - map_.window_shape[axis],
                      map_.operand.strides[axis], operand_offsets + done);
      }
      done += run;
      if (done == count) return;
      coordinate[last] += run - 1;
      next_coordinate(coordinate, indices.shape, last + 1);
    }
  }

  /// Adds one component's share to the offsets of a run of windows.
  template <typename Index>
  void add_component(const Index* index, int64_t index_stride, int64_t run, int64_t limit,
                     int64_t operand_stride, int64_t* offsets) const {
    for (int64_t i = 0; i < run; ++i) {
      const int64_t start = window_start(index[i * index_stride], limit, clip_);
      const bool inside = start != kOutside && offsets[i] != kOutside;
      offsets[i] = inside ? offsets[i] + start * operand_stride : kOutside;
    }
  }

  const WindowMap& map_;
  bool clip_;
  Dims operand_strides_;  ///< of the operand along the batch axes
};

/// What a gather gives where it reads outside: NaN, the lowest integer, the largest unsigned integer.
template <typename T>
T fill_value() {
  if constexpr (std::is_same_v<T, bool>) {
    return true;
  } else if constexpr (is_half<T>) {
    return store<T>(std::numeric_limits<float>::quiet_NaN());
  } else if constexpr (is_complex<T>) {
    using Part = typename T::value_type;
    return {std::numeric_limits<Part>::quiet_NaN(), Part{0}};
  } else if constexpr (std::is_floating_point_v<T>) {
    return std::numeric_limits<T>::quiet_NaN();
  } else {
    return std::is_signed_v<T> ? std::numeric_limits<T>::min() : std::numeric_limits<T>::max();
  }
}

/// Whether neighbours in the output belong to different windows.
bool windows_interleave(const WindowMap& map) {
  const int last = map.batch_axes() - 1;
  return last >= 0 && map.batch_strides[last] == 1 && map.indices.shape[last] > 1;
}

/// Gathers windows that interleave: an element of all of them, then the next, which goes along the output.
template <typename T>
void gather_interleaved(const WindowMap& map, const Dims& window_strides, const T* from, T* to, T fill) {
  constexpr int64_t kMostWindows = 1 << 12;
  const WindowLocator locator(map);
  const int64_t windows = map.batch_count();
  const int ndim = map.operand.ndim;
  std::vector<int64_t> sources(std::min(windows, kMostWindows)), destinations(sources.size());
  for (int64_t first = 0; first < windows; first += kMostWindows) {
    const int64_t count = std::min(kMostWindows, windows - first);
    locator.locate(first, count, sources.data(), destinations.data());
    const int64_t grain = std::max<int64_t>(1, kGrain / count);
    ThreadPool::instance().parallel_for(
        element_count(map.window_shape), grain, [&](int64_t begin, int64_t end) {
          Dims place = coordinate_of(begin, map.window_shape.data(), ndim);
          for (; begin < end; ++begin) {
            int64_t source = 0, destination = 0;
            for (int axis = 0; axis < ndim; ++axis) {
              source += place[axis] * map.operand.strides[axis];
              destination += place[axis] * window_strides[axis];
            }
            for (int64_t i = 0; i < count; ++i)
              to[destination + destinations[i]] = sources[i] == kOutside ? fill : from[source + sources[i]];
            next_coordinate(place, map.window_shape.data(), ndim);
          }
        });
  }
}

/// Whether each window is one element whose place one index of a vector gives.
bool takes_points_of_a_vector(const WindowMap& map) {
  return map.start_axes.size() == 1 && map.operand_batching.size() == 0 && map.batch_axes() == 1 &&
         element_count(map.window_shape) == 1;
}

/// Where the windows of such a map are: calls visit(i, offset in the operand) for those of [begin, end) that
/// are inside, and skip(i) for the others.
template <typename Index, typename Visit, typename Skip>
void for_each_point(const WindowMap& map, int64_t begin, int64_t end, Visit visit, Skip skip) {
  const int axis = static_cast<int>(map.start_axes[0]);
  const int64_t limit = map.operand.shape[axis] - 1, stride = map.operand.strides[axis];
  const int64_t index_stride = map.indices.strides[0];
  const bool clips = moves_inside(map.mode);
  const Index* index = map.indices.as<const Index>();
  for (int64_t i = begin; i < end; ++i) {
    const int64_t place = window_start(index[i * index_stride], limit, clips);
    if (place == kOutside) {
      skip(i);
    } else {
      visit(i, place * stride);
    }
  }
}

/// `for_each_point` for the indices' dtype.
template <typename Visit, typename Skip>
void for_points(const WindowMap& map, int64_t begin, int64_t end, Visit visit, Skip skip) {
  dispatch(map.indices.dtype, [&]<typename Index>(TypeTag<Index>) {
    if constexpr (std::is_integral_v<Index>) for_each_point<Index>(map, begin, end, visit, skip);
  });
}

}  // namespace

void gather(const StepArguments& arguments) {
  const TensorView& operand = arguments.inputs[0];
  const TensorView& output = arguments.outputs[0];
  ParameterReader parameters(arguments.parameters);
  WindowMap map{.operand = operand, .indices = arguments.inputs[1]};
  map.mode = static_cast<IndexMode>(parameters.number());
  const Dims offset_axes = parameters.list();
  Dims missing_axes = parameters.list();
  map.start_axes = parameters.list();
  map.operand_batching = parameters.list();
  map.indices_batching = parameters.list();
  map.window_shape = parameters.list(operand.ndim);
  for (int64_t axis : map.operand_batching) missing_axes.push_back(axis);
  if (output.size() == 0) return;

  Dims window_strides;
  split_strides(row_major(output.shape, output.ndim), offset_axes, missing_axes, operand.ndim, window_strides,
                map.batch_strides);
  const int64_t size = itemsize(operand.dtype);
  const int64_t window_size = element_count(map.window_shape);
  const BlockCopy window(size, map.window_shape.data(), operand.ndim, operand.strides, window_strides.data());
  const WindowLocator locator(map);

  dispatch(operand.dtype, [&]<typename T>(TypeTag<T>) {
    const T fill = map.mode == IndexMode::Zero ? T{} : fill_value<T>();
    const Dims zeros(operand.ndim);
    const BlockCopy fill_window(size, map.window_shape.data(), operand.ndim, zeros.data(),
                                window_strides.data());
    const T* from = operand.as<const T>();
    T* to = output.as<T>();
    if (window_size > 1 && windows_interleave(map))
      return gather_interleaved(map, window_strides, from, to, fill);
    const auto gather_block = [&](int64_t begin, int64_t count) {
      int64_t sources[kBlock], destinations[kBlock];
      locator.locate(begin, count, sources, destinations);
      for (int64_t i = 0; i < count; ++i) {
        if (window_size == 1) {
          to[destinations[i]] = sources[i] == kOutside ? fill : from[sources[i]];
        } else if (sources[i] == kOutside) {
          fill_window.run_parallel(&fill, to + destinations[i]);
        } else {
          window.run_parallel(from + sources[i], to + destinations[i]);
        }
      }
    };
    const int64_t grain = std::max<int64_t>(1, kGrain / window_size);
    const bool points = takes_points_of_a_vector(map);
    ThreadPool::instance().parallel_for(map.batch_count(), grain, [&](int64_t begin, int64_t end) {
      if (points) {
        return for_points(
            map, begin, end, [&](int64_t i, int64_t place) { to[i] = from[place]; },
            [&](int64_t i) { to[i] = fill; });
      }
      for (; begin < end; begin += kBlock) gather_block(begin, std::min(kBlock, end - begin));
    });
  });
}

namespace {

struct SetOperation {
  template <typename T>
  static T apply(T, T update) {
    return update;
  }
};

/// Combines windows of updates into the result.
template <typename Operation, typename T>
class WindowCombiner {
 public:
  WindowCombiner(const Dims& shape, const int64_t* target_strides, const Dims& update_strides) {
    for (int axis = 0; axis < shape.size(); ++axis) {
      if (shape[axis] == 1) continue;
      shape_.push_back(shape[axis]);
      target_strides_.push_back(target_strides[axis]);
      update_strides_.push_back(update_strides[axis]);
    }
    if (shape_.empty()) {
      shape_.push_back(1);
      target_strides_.push_back(1);
      update_strides_.push_back(1);
    }
  }

  void run(T* target, const T* update) const { run_axes(0, target, update); }

  static void combine(T& target, T update) {
    if constexpr (std::is_same_v<Operation, SetOperation>) {
      target = update;
    } else {
      target = store<T>(Operation::apply(load(target), load(update)));
    }
  }

 private:
  void run_axes(int axis, T* target, const T* update) const {
    const int64_t extent = shape_[axis], target_stride = target_strides_[axis],
                  update_stride = update_strides_[axis];
    if (axis < shape_.size() - 1) {
      for (int64_t i = 0; i < extent; ++i)
        run_axes(axis + 1, target + i * target_stride, update + i * update_stride);
    } else if (target_stride == 1 && update_stride == 1) {
      run_row(extent, target, update);
    } else if (target_stride == 1 && update_stride == 0) {
      run_constant(extent, target, *update);
    } else {
      for (int64_t i = 0; i < extent; ++i) combine(target[i * target_stride], update[i * update_stride]);
    }
  }

  FTRANS_MULTIVERSION static void run_row(int64_t extent, T* target, const T* update) {
    for (int64_t i = 0; i < extent; ++i) combine(target[i], update[i]);
  }

  FTRANS_MULTIVERSION static void run_constant(int64_t extent, T* target, T update) {
    for (int64_t i = 0; i < extent; ++i) combine(target[i], update);
  }

  Dims shape_, target_strides_, update_strides_;
};

/// Whether two windows that start at different places never overlap: then threads may own ranges of starts.
bool windows_are_disjoint(const WindowMap& map) {
  return std::all_of(map.start_axes.begin(), map.start_axes.end(),
                     [&](int64_t axis) { return map.window_shape[static_cast<int>(axis)] == 1; });
}

template <typename Operation, typename T>
void scatter_windows(const WindowMap& map, const Dims& update_strides, const T* updates, bool unique) {
  const WindowCombiner<Operation, T> combiner(map.window_shape, map.operand.strides, update_strides);
  const WindowLocator locator(map);
  T* target = map.operand.as<T>();
  const int64_t windows = map.batch_count();
  const int64_t window_size = element_count(map.window_shape);

  // Applies, in order, those of the windows [begin, end) that start in the range [low, high) of the target.
  const auto apply = [&](int64_t begin, int64_t end, int64_t low, int64_t high) {
    if (takes_points_of_a_vector(map)) {  // which no thread has only a part of the target for
      const int64_t stride = map.batch_strides[0];
      const auto combine = [&](int64_t i, int64_t place) {
        WindowCombiner<Operation, T>::combine(target[place], updates[i * stride]);
      };
      return for_points(map, begin, end, combine, [](int64_t) {});
    }
    int64_t targets[kBlock], sources[kBlock];
    for (; begin < end; begin += kBlock) {
      const int64_t count = std::min(kBlock, end - begin);
      locator.locate(begin, count, targets, sources);
      for (int64_t i = 0; i < count; ++i) {
        if (targets[i] < low || targets[i] >= high) continue;
        if (window_size == 1) {
          WindowCombiner<Operation, T>::combine(target[targets[i]], updates[sources[i]]);
        } else {
          combiner.run(target + targets[i], updates + sources[i]);
        }
      }
    }
  };

  ThreadPool& pool = ThreadPool::instance();
  const int64_t target_size = map.operand.size();
  const int64_t grain = std::max<int64_t>(1, kGrain / window_size);
  if (unique && map.mode != IndexMode::Clip) {  // clipping may bring different indices together
    pool.parallel_for(windows, grain, [&](int64_t begin, int64_t end) { apply(begin, end, 0, target_size); });
  } else if (pool.size() > 1 && window_size >= kSharedWindow && windows * window_size > 4 * kGrain &&
             windows_are_disjoint(map)) {
    // Every thread looks at all windows and applies those that start in its part of the target: the order in
    // which an element is updated stays that of the updates.
    const int64_t parts = pool.size();
    pool.parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
      apply(0, windows, target_size * begin / parts, target_size * end / parts);
    });
  } else {
    apply(0, windows, 0, target_size);
  }
}

}  // namespace

void scatter(const StepArguments& arguments) {
  const TensorView& updates = arguments.inputs[2];
  const TensorView& output = arguments.outputs[0];
  if (!arguments.first_input_is_output) copy_view(arguments.inputs[0], output);
  ParameterReader parameters(arguments.parameters);
  const Dims output_strides = row_major(output.shape, output.ndim);
  WindowMap map{.operand = output, .indices = arguments.inputs[1]};
  map.operand.strides = output_strides.data();
  map.mode = static_cast<IndexMode>(parameters.number());
  const int64_t kind = parameters.number();
  const bool unique = parameters.number() != 0;
  const Dims window_axes = parameters.list();
  Dims missing_axes = parameters.list();
  map.start_axes = parameters.list();
  map.operand_batching = parameters.list();
  map.indices_batching = parameters.list();
  for (int64_t axis : map.operand_batching) missing_axes.push_back(axis);
  if (updates.size() == 0 || output.size() == 0) return;

  map.window_shape.resize(output.ndim, 1);
  int next = 0;
  for (int axis = 0; axis < output.ndim; ++axis) {
    if (!contains(missing_axes, axis)) map.window_shape[axis] = updates.shape[window_axes[next++]];
  }
  Dims window_strides;
  split_strides(Dims(updates.strides, updates.ndim), window_axes, missing_axes, output.ndim, window_strides,
                map.batch_strides);

  dispatch(output.dtype, [&]<typename T>(TypeTag<T>) {
    const T* source = updates.as<const T>();
    switch (kind) {
      case 0: return scatter_windows<SetOperation>(map, window_strides, source, unique);
      case 1: return scatter_windows<AddOperation>(map, window_strides, source, unique);
      case 2: return scatter_windows<MulOperation>(map, window_strides, source, unique);
      case 3: return scatter_windows<MinOperation>(map, window_strides, source, unique);
      default: return scatter_windows<MaxOperation>(map, window_strides, source, unique);
    }
  });
}

}  // namespace ftrans::cpu::steps
