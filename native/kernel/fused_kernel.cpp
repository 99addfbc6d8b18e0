#include "kernel/fused_kernel.h"

#include <algorithm>
#include <complex>
#include <cstring>
#include <sstream>

#include "core/shape.h"

namespace ftrans {
namespace {

template <class T>
T read(const ScalarStorage& scalar) {
  T value;
  std::memcpy(&value, scalar.bytes, sizeof value);
  return value;
}

void print_constant(std::ostream& out, const Instruction& instruction) {
  const ScalarStorage& scalar = instruction.constant;
  switch (instruction.dtype) {
    case Dtype::Bool: out << (read<bool>(scalar) ? "true" : "false"); break;
    case Dtype::Int8: out << int{read<int8_t>(scalar)}; break;
    case Dtype::Int16: out << read<int16_t>(scalar); break;
    case Dtype::Int32: out << read<int32_t>(scalar); break;
    case Dtype::Int64: out << read<int64_t>(scalar); break;
    case Dtype::UInt8: out << int{read<uint8_t>(scalar)}; break;
    case Dtype::UInt16: out << read<uint16_t>(scalar); break;
    case Dtype::UInt32: out << read<uint32_t>(scalar); break;
    case Dtype::UInt64: out << read<uint64_t>(scalar); break;
    case Dtype::Float16:
    case Dtype::BFloat16: out << "bits 0x" << std::hex << read<uint16_t>(scalar) << std::dec; break;
    case Dtype::Float32: out << read<float>(scalar); break;
    case Dtype::Float64: out << read<double>(scalar); break;
    case Dtype::Complex64: out << read<std::complex<float>>(scalar); break;
    case Dtype::Complex128: out << read<std::complex<double>>(scalar); break;
  }
}

void print_instruction(std::ostream& out, const Instruction& instruction) {
  switch (instruction.kind) {
    case Instruction::Kind::Input: out << "input " << instruction.index; break;
    case Instruction::Kind::Constant:
      out << "constant ";
      print_constant(out, instruction);
      break;
    case Instruction::Kind::Iota: out << "iota axis " << instruction.index; break;
    case Instruction::Kind::Piece:
      out << "piece " << instruction.index;
      if (instruction.operands[0] >= 0) out << " over %" << instruction.operands[0];
      break;
    case Instruction::Kind::Apply:
      out << info(instruction.opcode).name;
      if (instruction.index != 0) out << '[' << instruction.index << ']';
      for (const int16_t operand : instruction.operands) {
        if (operand >= 0) out << " %" << operand;
      }
      break;
  }
}

}  // namespace

bool reduces_inside(const FusedKernel& kernel) {
  return std::any_of(kernel.body.begin(), kernel.body.end(),
                     [](const Instruction& instruction) { return is_reduction(instruction); });
}

std::string to_string(const FusedKernel& kernel) {
  const bool inside = reduces_inside(kernel);
  std::string axes = " over axes";
  for (size_t axis = 0; axis < kernel.reduced_axes.size(); ++axis) {
    if (kernel.reduced_axes[axis]) axes += " " + std::to_string(axis);
  }
  std::ostringstream out;
  for (size_t i = 0; i < kernel.body.size(); ++i) {
    out << '%' << i << ':' << name(kernel.body[i].dtype) << " = ";
    print_instruction(out, kernel.body[i]);
    if (is_reduction(kernel.body[i])) out << axes;
    out << '\n';
  }
  for (size_t i = 0; i < kernel.pieces.size(); ++i) {
    const InputPiece& piece = kernel.pieces[i];
    out << "piece " << i << " = input " << piece.input << " from " << to_string(piece.start) << " on\n";
  }
  for (size_t i = 0; i < kernel.outputs.size(); ++i) {
    const KernelOutput& output = kernel.outputs[i];
    out << "output " << i << " = ";
    if (output.reduced && !inside) out << info(output.reduction).name << axes << " of ";
    out << '%' << output.instruction << '\n';
  }
  return out.str();
}

}  // namespace ftrans
