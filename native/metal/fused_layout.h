#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "kernel/fused_kernel.h"

namespace ftrans::metal {

/// Threads of a threadgroup in which each thread has a result of its own.
inline constexpr uint32_t kThreadsPerGroup = 256;

/// Something with an offset that changes from element to element.
struct Source {
  enum class Kind : uint8_t {
    Input,       ///< element of input `index`
    Coordinate,  ///< along axis `index`, for an Iota
    Target,      ///< row-major position, where a kernel that reduces also stores
  };
  Kind kind;
  int index;
  bool operator==(const Source&) const = default;
};

/// The body's registers that some output needs.
std::vector<bool> needed_registers(const FusedKernel& kernel);

/// The sources of what is needed, each once.
std::vector<Source> sources_of(const FusedKernel& kernel);

inline bool reduces(const FusedKernel& kernel) {
  for (const KernelOutput& output : kernel.outputs) {
    if (output.reduced) return true;
  }
  return reduces_inside(kernel);
}

/// Everything but the kernel that its printed text depends on.
struct Variant {
  enum class Form : uint8_t {
    Elements,  ///< nothing is reduced: a thread an element
    Rows,      ///< a threadgroup a result, whose threads walk along the reduced axes side by side
    Columns,  ///< a thread a result: for short reductions, or where neighbours in memory are neighbours there
    Phases,  ///< reductions inside: `lanes` threads a row, which walk along it once for each of its RowPlan's
             ///< loops
  };
  enum class Access : uint8_t {
    Uniform,  ///< one element for all
    Linear,   ///< the offset is the number of the thread
    Row,      ///< in Phases: one element for all of a row
    Strided,
  };
  Form form = Form::Elements;
  bool wide = false;          ///< offsets need 64 bits
  bool partial = false;       ///< results are accumulators: of a part of the reduced axes, not yet rounded
  int kept = 0, reduced = 0;  ///< axes
  int lanes = 1;  ///< of Phases: a power of two; up to 32 are a part of a SIMD-group, more a threadgroup
  int held = 0;  ///< of Phases: how many elements a thread keeps from loop to loop; 0: it computes them again
  std::vector<Access> access;  ///< of each source

  auto operator<=>(const Variant&) const = default;
};

/// A kernel's iteration space for one call, with as few axes as describe it: those that are kept, then those
/// that are reduced.
struct Layout {
  /// `strides[i]`: of input i, as for cpu::FusedExecutor::run.
  Layout(const FusedKernel& kernel, const std::vector<Source>& sources, const int64_t* shape,
         const int64_t* const* strides);

  /// Rows of a threadgroup in Phases.
  int64_t rows_per_group() const { return variant.lanes <= 32 ? kThreadsPerGroup / variant.lanes : 1; }

  Variant variant;
  int64_t kept_size = 1, reduced_size = 1;
  std::vector<int64_t> extents;               ///< by axis
  std::vector<std::vector<int64_t>> strides;  ///< by source and axis
  std::vector<int64_t> below;  ///< by source: how many elements the lowest lies below the first

  /// What the printed kernel reads: kept_size, reduced_size, the reduced elements of one split, the extents,
  /// then the first offset and the strides of each strided source.
  std::vector<int64_t> parameters(int64_t per_split) const;

 private:
  /// Sets `below`, and whether offsets are wide.
  void measure();
};

}  // namespace ftrans::metal
