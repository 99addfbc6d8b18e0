#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "metal/api.h"
#include "metal/printer.h"

namespace ftrans::metal {

/// Where an array begins: its element (0, …, 0).
struct Place {
  Memory* memory;
  size_t offset;  ///< in bytes
};

/// The pipelines of a device, by the printed text. Reentrant.
class Pipelines {
 public:
  explicit Pipelines(Device& device) : device_(device) {}

  /// Compiles those that are new, in one library.
  void compile(const std::vector<PrintedKernel>& kernels);
  Ref<Function> get(const PrintedKernel& kernel);

  Device& device() const { return device_; }

 private:
  Device& device_;
  std::mutex mutex_;
  std::map<std::string, Ref<Function>> functions_;
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
  void encode(CommandBuffer& buffer, const int64_t* shape, const Place* inputs,
              const int64_t* const* input_strides, const Place* outputs) const;

  /// What `encode` would run for this space: for compiling several at once.
  std::vector<PrintedKernel> printed(const int64_t* shape, const int64_t* const* input_strides) const;

 private:
  PrintedKernel printed(const Variant& variant) const;
  /// Printing takes longer than looking the variant up.
  Ref<Function> function_of(const Variant& variant) const;
  void dispatch(CommandBuffer& buffer, const Layout& layout, int64_t splits, const Place* inputs,
                const Place* outputs) const;
  /// Joins the accumulators [splits][results] that the reductions left: kernel output `output`.
  FusedKernel joining_kernel(const KernelOutput& output) const;

  Pipelines& pipelines_;
  FusedKernel kernel_;
  std::vector<Source> sources_;
  mutable std::mutex mutex_;
  mutable std::map<Variant, Ref<Function>> functions_;
};

}  // namespace ftrans::metal
