#include "core/backend.h"

#include <mutex>
#include <stdexcept>
#include <unordered_map>

#include "core/gpu.h"
#include "cpu/fused_executor.h"

namespace ftrans {
namespace {

class CpuKernel : public CompiledKernel {
 public:
  explicit CpuKernel(const FusedKernel& kernel) : executor_(kernel) {}

  void run(const int64_t* shape, const void* const* inputs, const int64_t* const* input_strides,
           void* const* outputs) const override {
    executor_.run(shape, inputs, input_strides, outputs);
  }

 private:
  cpu::FusedExecutor executor_;
};

/// Bytes that are equal exactly for equal kernels.
std::string kernel_key(const FusedKernel& kernel) {
  std::string key;
  key.reserve(16 + kernel.inputs.size() + 32 * kernel.body.size() + 8 * kernel.outputs.size());
  auto put = [&key](const auto& item) { key.append(reinterpret_cast<const char*>(&item), sizeof item); };
  put(kernel.ndim);
  put(static_cast<int32_t>(kernel.inputs.size()));
  for (Dtype dtype : kernel.inputs) put(dtype);
  put(static_cast<int32_t>(kernel.pieces.size()));
  for (const InputPiece& piece : kernel.pieces) {
    put(piece.input);
    for (int64_t start : piece.start) put(start);
    for (int64_t extent : piece.extent) put(extent);
  }
  put(static_cast<int32_t>(kernel.body.size()));
  for (const Instruction& instruction : kernel.body) {
    put(instruction.kind);
    put(instruction.dtype);
    put(instruction.index);
    if (instruction.kind == Instruction::Kind::Constant) put(instruction.constant);
    if (instruction.kind == Instruction::Kind::Piece) put(instruction.operands[0]);
    if (instruction.kind == Instruction::Kind::Apply) {
      put(instruction.opcode);
      for (int16_t operand : instruction.operands) put(operand);
    }
  }
  for (const KernelOutput& output : kernel.outputs) {
    put(output.instruction);
    put(output.reduced);
    put(output.reduced ? output.reduction : Opcode{});
  }
  for (bool reduced : kernel.reduced_axes) key.push_back(reduced ? 1 : 0);
  return key;
}

class CpuBackend : public Backend {
 public:
  std::shared_ptr<const CompiledKernel> compile(const FusedKernel& kernel) override {
    std::string key = kernel_key(kernel);
    {
      std::lock_guard lock(mutex_);
      auto found = kernels_.find(key);
      if (found != kernels_.end()) return found->second;
    }
    auto compiled = std::make_shared<const CpuKernel>(kernel);
    std::lock_guard lock(mutex_);
    if (kernels_.size() >= kMostKernels) kernels_.clear();
    kernels_.emplace(std::move(key), compiled);
    return compiled;
  }

  cpu::StepKernel step(Opcode opcode) override {
    cpu::StepKernel kernel = cpu::step_kernel(opcode);
    if (!kernel) throw std::runtime_error(std::string("the CPU has no kernel for ") + info(opcode).name);
    return kernel;
  }

  int64_t step_scratch(Opcode opcode, const cpu::StepArguments& arguments) override {
    return cpu::step_scratch(opcode, arguments);
  }

 private:
  static constexpr size_t kMostKernels = 4096;
  std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<const CpuKernel>> kernels_;
};

}  // namespace

Backend& backend() {
  static CpuBackend* cpu = new CpuBackend;  // never destroyed: stream threads may outlive main
  return *cpu;
}

bool is_available(DeviceKind device) { return device == DeviceKind::Cpu || gpu(); }

void require_available(DeviceKind device) {
  if (is_available(device)) return;
  throw std::runtime_error(
      "no GPU backend is available in this build of ftrans: the devices here are [Device(cpu, 0)]. The Metal "
      "backend comes with the macOS wheel on Apple silicon; elsewhere use ft.cpu");
}

}  // namespace ftrans
