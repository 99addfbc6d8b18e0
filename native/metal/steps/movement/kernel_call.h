#pragma once

#include <string>
#include <vector>

#include "metal/step_kernel.h"

namespace ftrans::metal::movement {

/// A kernel that does nothing but call a function template of kernels/*.metal.
struct KernelCall {
  enum class Form {
    Grid,   ///< the function takes its thread's position in the grid, and the grid's size in threads
    Groups  ///< it takes the position of its threadgroup, its own in it, and the threadgroup's size
  };
  struct Shared {
    std::string type;
    int64_t count;
  };

  const char* function;
  std::vector<const char*> sources;  ///< with the function, each after those that it needs
  std::vector<std::string> types;    ///< template arguments
  std::vector<std::string> buffers;  ///< types of the function's first parameters
  Form form = Form::Grid;
  std::vector<Shared> shared{};  ///< arrays in threadgroup memory, the parameters behind the buffers

  PrintedKernel print() const;
};

/// How many threadgroups of how many threads.
struct Grid {
  Size groups, threads;
};

/// A grid for `rows` rows of `x` elements of `unit` bytes. Neighbours in a row go to neighbouring threads, a
/// cache line at least; of long rows each thread has several elements, and of short ones several rows if it
/// should move `least_bytes`. Kernels go on with the next elements and rows where the grid ends.
Grid grid_of_rows(int64_t x, int64_t rows, int64_t unit, int64_t least_bytes = 0);

/// The constant numbers of a dispatch: 32 or 64 bits wide. What is below 0 wraps, and so do offsets in
/// kernels.
class Numbers {
 public:
  explicit Numbers(bool wide) : wide_(wide) {}

  template <class... Values>
  void add(Values... values) {
    (append(static_cast<int64_t>(values)), ...);
  }
  const std::vector<unsigned char>& bytes() const { return bytes_; }
  static const char* type(bool wide) { return wide ? "uint64_t" : "uint32_t"; }

 private:
  void append(int64_t value);

  bool wide_;
  std::vector<unsigned char> bytes_;
};

/// Records a dispatch: the kernel's buffers are `memory`, then `constants`.
void record(Encoder& encoder, const KernelCall& call, const std::vector<Place>& memory,
            const std::vector<std::vector<unsigned char>>& constants, const Grid& grid);

/// The unsigned type of 1, 2, 4, 8 or 16 bytes, for elements that are only moved.
const char* unit_type(int64_t bytes);

/// Throws std::invalid_argument if a count is above what 31 bits hold.
void require_countable(const char* operation, const char* what, int64_t count);

}  // namespace ftrans::metal::movement
