#pragma once

#include <string>
#include <vector>

#include "metal/step_kernel.h"

namespace ftrans::metal {

/// A kernel that does nothing but call a function template of kernels/*.metal. Its arguments are the buffers,
/// then the arrays in threadgroup memory, the literal, and the position.
struct KernelCall {
  enum class Form {
    Grid,    ///< the function takes its thread's position in the grid, and the grid's size in threads
    Groups,  ///< it takes the position of its threadgroup, its own in it, and the threadgroup's size
    Place    ///< it takes a `Position` (steps.metal), whose numbers have the type `index`
  };
  struct Shared {
    std::string type;
    int64_t count;
  };

  std::string function;
  std::vector<const char*> sources;  ///< of kernels.h, with the function: each after those that it needs
  std::vector<std::string> types;    ///< template arguments
  std::vector<std::string> buffers;  ///< types of the function's first parameters
  Form form = Form::Grid;
  std::vector<Shared> shared{};  ///< arrays in threadgroup memory
  std::string literal{};         ///< none if empty
  std::string index{};

  PrintedKernel printed() const;
};

/// How many threadgroups of how many threads, at most kThreadsPerGroup.
struct Grid {
  Size groups, threads;
};

/// The constant numbers of a dispatch: 32 or 64 bits wide. What is too large for them wraps, as offsets do in
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
void record(Encoder& encoder, const PrintedKernel& kernel, const std::vector<Place>& memory,
            const std::vector<std::vector<unsigned char>>& constants, const Grid& grid);

}  // namespace ftrans::metal
