#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "kernel/fused_kernel.h"

namespace ftrans::metal {

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
  return false;
}

/// Everything but the kernel that its printed text depends on.
struct Variant {
  enum class Form : uint8_t {
    Elements,  ///< nothing is reduced: a thread an element
    Rows,      ///< a threadgroup a result, whose threads walk along the reduced axes side by side
    Columns,  ///< a thread a result: for short reductions, or where neighbours in memory are neighbours there
  };
  enum class Access : uint8_t {
    Uniform,  ///< one element for all
    Linear,   ///< the offset is the number of the thread
    Strided,
  };
  Form form = Form::Elements;
  bool wide = false;           ///< offsets need 64 bits
  bool partial = false;        ///< results are accumulators: of a part of the reduced axes, not yet rounded
  int kept = 0, reduced = 0;   ///< axes
  std::vector<Access> access;  ///< of each source

  auto operator<=>(const Variant&) const = default;
};

/// A kernel's iteration space for one call, with as few axes as describe it: those that are kept, then those
/// that are reduced.
struct Layout {
  /// `strides[i]`: of input i, as for cpu::FusedExecutor::run.
  Layout(const FusedKernel& kernel, const std::vector<Source>& sources, const int64_t* shape,
         const int64_t* const* strides);

  Variant variant;
  int64_t kept_size = 1, reduced_size = 1;
  std::vector<int64_t> extents;               ///< by axis
  std::vector<std::vector<int64_t>> strides;  ///< by source and axis
  std::vector<int64_t> below;  ///< by source: how many elements the lowest lies below the first

  /// What the printed kernel reads: kept_size, reduced_size, the reduced elements of one split, the extents,
  /// then the first offset and the strides of each strided source.
  std::vector<int64_t> parameters(int64_t per_split) const;
};

}  // namespace ftrans::metal
