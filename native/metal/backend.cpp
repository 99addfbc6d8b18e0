// Metal behind core/gpu.h.

#include "core/gpu.h"
#include "metal/gate.h"
#include "metal/queue.h"
#include "metal/steps/attention.h"
#include "metal/supported.h"

namespace ftrans::metal {
namespace {

constexpr int kMostBuffers = 31;  // that a kernel can have bound, its parameters among them

/// What a fused kernel consists of: "exp, mul, reduce_sum".
std::string names_of(const FusedKernel& kernel) {
  std::string text;
  const auto add = [&text](Opcode opcode) {
    if (!text.empty()) text += "+";
    text += info(opcode).name;
  };
  for (const Instruction& instruction : kernel.body) {
    if (instruction.kind == Instruction::Kind::Apply) add(instruction.opcode);
    if (instruction.kind == Instruction::Kind::Iota) add(Opcode::Iota);
  }
  for (const KernelOutput& output : kernel.outputs) {
    if (output.reduced && !reduces_inside(kernel)) add(output.reduction);
  }
  return text.empty() ? "copy" : text;
}

class FusedStep : public RecordedKernel {
 public:
  FusedStep(Pipelines& pipelines, const FusedKernel& kernel)
      : function_(pipelines, kernel), name_(names_of(kernel)) {}

  void encode(Encoder& encoder, const GpuArguments& arguments, const Place* inputs,
              const Place* outputs) const override {
    InlineVector<const int64_t*, 8> strides;
    for (int i = 0; i < arguments.input_count; ++i) strides.push_back(arguments.inputs[i].strides);
    function_.encode(encoder.recording(), arguments.space, inputs, strides.data(), outputs);
  }

  const std::string& name() const override { return name_; }

 private:
  FusedFunction function_;
  std::string name_;
};

class OperationStep : public RecordedKernel {
 public:
  OperationStep(StepKernel kernel, Opcode opcode) : kernel_(kernel), name_(info(opcode).name) {}

  void encode(Encoder& encoder, const GpuArguments& arguments, const Place* inputs,
              const Place* outputs) const override {
    InlineVector<Operand, 6> in, out;
    const auto add = [](InlineVector<Operand, 6>& to, const GpuOperand& from, const Place& place) {
      to.push_back({place, from.dtype, from.ndim, from.shape, from.strides});
    };
    for (int i = 0; i < arguments.input_count; ++i) add(in, arguments.inputs[i], inputs[i]);
    for (int i = 0; i < arguments.output_count; ++i) add(out, arguments.outputs[i], outputs[i]);
    kernel_(encoder, {in.data(), in.size(), out.data(), out.size(), arguments.parameters,
                      arguments.parameter_count, arguments.first_input_is_output});
  }

  const std::string& name() const override { return name_; }

 private:
  StepKernel kernel_;
  std::string name_;
};

class MetalGpu : public Gpu {
 public:
  explicit MetalGpu(Device& device) : pipelines_(device) {}

  bool has_dtype(Dtype dtype) const override { return metal::has_dtype(dtype); }

  bool can_run(Opcode opcode, Dtype operand, Dtype result, const Dims& parameters) const override {
    if (!has_dtype(operand) || !has_dtype(result)) return false;
    if (is_elementwise(opcode) || info(opcode).category == OpcodeCategory::Reduction)
      return is_printable(opcode, operand, result, parameters.empty() ? 0 : parameters[0]);
    return step_kernel(opcode, operand);
  }

  int most_operands() const override { return kMostBuffers - 1; }

  std::shared_ptr<const GpuKernel> fused(const FusedKernel& kernel) override {
    return std::make_shared<FusedStep>(pipelines_, kernel);
  }

  std::shared_ptr<const GpuKernel> attention(const AttentionKernel& kernel) override {
    return attention_step(pipelines_, kernel);
  }

  std::shared_ptr<const GpuKernel> step(Opcode opcode, Dtype operand) override {
    return std::make_shared<OperationStep>(step_kernel(opcode, operand), opcode);
  }

  std::unique_ptr<GpuQueue> new_queue() override { return std::make_unique<MetalQueue>(pipelines_); }

  Ref<GpuCondition> new_condition() override {
    return Ref<GpuCondition>(new DeviceCondition(pipelines_.device()));
  }

 private:
  Pipelines pipelines_;
};

}  // namespace
}  // namespace ftrans::metal

namespace ftrans {

Gpu* gpu() {
  static Gpu* const found = [] {
    metal::Device* device = metal::device();
    return device ? new metal::MetalGpu(*device) : nullptr;
  }();
  return found;
}

}  // namespace ftrans
