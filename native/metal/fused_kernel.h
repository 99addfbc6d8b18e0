#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "metal/recording.h"

namespace ftrans::metal {

/// Where an array begins: its element (0, …, 0).
struct Place {
  Memory* memory;
  size_t offset;  ///< in bytes
};

/// A fused kernel made ready for a Metal device.
class FusedFunction {
 public:
  /// Throws std::invalid_argument for what Metal cannot do (see print).
  FusedFunction(Pipelines& pipelines, FusedKernel kernel);

  /// Records the work over the iteration space `shape` (kernel.ndim extents). `input_strides[i]` are the ndim
  /// element strides of input i over that space. Outputs are row-major without gaps; one may be the memory of
  /// an input that is read without gaps and has the same item size. Throws std::bad_alloc if there is no
  /// memory for the parts of a long reduction. Reentrant.
  void encode(Recording& recording, const int64_t* shape, const Place* inputs,
              const int64_t* const* input_strides, const Place* outputs) const;

 private:
  /// Printing takes longer than looking the variant up.
  Ref<Pipeline> pipeline_of(const Variant& variant) const;
  void dispatch(Recording& recording, const Layout& layout, int64_t splits, const Place* inputs,
                const Place* outputs) const;
  /// Joins the accumulators [splits][results] that the reductions left: kernel output `output`.
  FusedKernel joining_kernel(const KernelOutput& output) const;

  Pipelines& pipelines_;
  FusedKernel kernel_;
  std::vector<Source> sources_;
  mutable std::mutex mutex_;
  mutable std::map<Variant, Ref<Pipeline>> pipelines_of_variants_;
};

}  // namespace ftrans::metal
