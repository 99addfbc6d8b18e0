#pragma once

#include <cstdlib>
#include <string>
#include <vector>

#include "metal/steps/kernel_call.h"

// What the steps have in common that compute with elements.
namespace ftrans::metal {

/// Axes along which two operands are walked together, the fewest that describe them.
class Axes {
 public:
  void add(int64_t extent, int64_t first_stride, int64_t second_stride);
  int64_t count() const { return static_cast<int64_t>(numbers_.size()) / 3; }
  /// The same with the operands in the other order.
  Axes swapped() const;
  /// Extent, first and second stride of each.
  const std::vector<int64_t>& numbers() const { return numbers_; }

 private:
  std::vector<int64_t> numbers_;
};

/// An operand with elements, as kernels see it: from its lowest element on, so that offsets are never below
/// 0.
struct Bound {
  Place place;
  int64_t first;  ///< offset of element (0, …, 0)
  int64_t span;   ///< elements from the lowest to the highest

  explicit Bound(const Operand& operand);
};

inline int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

int64_t element_count(const Operand& operand);

/// One dispatch of a template over a type Index of signed numbers, which takes a layout of such numbers and
/// the axes along which it walks.
struct LayoutCall {
  struct Array {
    std::string type;  ///< "device const float*"
    Place place;
  };

  std::vector<const char*> sources;  ///< of kernels.h, besides kStepsSource
  std::string function;
  std::vector<std::string> types;  ///< template arguments; "Index" stands for the type of numbers
  std::vector<Array> arrays;       ///< the first arguments of the function
  std::string layout_type;         ///< "ScanLayout": a template over the type of its numbers
  std::string layout_arguments{};  ///< more template arguments of it
  std::vector<int64_t> layout;     ///< its numbers, in order
  Axes axes{};
  std::vector<KernelCall::Shared> shared{};
  std::string literal{};
  int64_t largest = 0;  ///< the largest number that the kernel computes with, but for those of the grid

  /// Whether the kernel counts in 64 bits, when this many threads run.
  bool is_wide(int64_t threads) const;
  PrintedKernel printed(bool wide) const;
  /// Runs `threadgroups` of `threads` each.
  void dispatch(Encoder& encoder, int64_t threadgroups, uint32_t threads) const;
  /// A thread for each of `count` items, and some more.
  void dispatch_threads(Encoder& encoder, int64_t count) const;
};

/// "device const float*" for elements of a dtype in memory, "device float*" for what is written.
std::string elements(Dtype dtype);
std::string written(Dtype dtype);

}  // namespace ftrans::metal
