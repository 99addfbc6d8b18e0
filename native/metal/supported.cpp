// Which operations the printed kernels have, by the kind of the operands.

#include "metal/supported.h"

#include <algorithm>
#include <initializer_list>
#include <stdexcept>
#include <string>

namespace ftrans::metal {
namespace {

bool among(Opcode opcode, std::initializer_list<Opcode> opcodes) {
  return std::find(opcodes.begin(), opcodes.end(), opcode) != opcodes.end();
}

bool for_every_dtype(Opcode opcode) {
  return among(opcode, {Opcode::Convert, Opcode::Bitcast, Opcode::Eq, Opcode::Ne, Opcode::Select,
                        Opcode::Real, Opcode::Imag, Opcode::Conj, Opcode::Abs, Opcode::Square, Opcode::IsNan,
                        Opcode::IsInf, Opcode::IsFinite, Opcode::Add, Opcode::Mul, Opcode::SafeMul});
}

bool for_real(Opcode opcode) {
  return for_every_dtype(opcode) || among(opcode, {Opcode::Lt, Opcode::Le, Opcode::Gt, Opcode::Ge,
                                                   Opcode::Max, Opcode::Min, Opcode::Clamp});
}

bool for_bits(Opcode opcode) { return among(opcode, {Opcode::And, Opcode::Or, Opcode::Xor, Opcode::Not}); }

/// Of every dtype but bool.
bool for_numbers(Opcode opcode) {
  return among(opcode, {Opcode::Neg, Opcode::Sign, Opcode::Sub, Opcode::Pow});
}

bool for_real_numbers(Opcode opcode) {
  return for_numbers(opcode) || among(opcode, {Opcode::Floor, Opcode::Ceil, Opcode::Round, Opcode::Trunc,
                                               Opcode::FloorDivide, Opcode::Remainder, Opcode::Fmod});
}

/// Elementary functions that complex numbers have too.
bool is_elementary(Opcode opcode) {
  return among(opcode,
               {Opcode::Sqrt,  Opcode::Rsqrt, Opcode::Exp,   Opcode::Exp2,    Opcode::Expm1, Opcode::Log,
                Opcode::Log2,  Opcode::Log10, Opcode::Log1p, Opcode::Sin,     Opcode::Cos,   Opcode::Tan,
                Opcode::Asin,  Opcode::Acos,  Opcode::Atan,  Opcode::Sinh,    Opcode::Cosh,  Opcode::Tanh,
                Opcode::Asinh, Opcode::Acosh, Opcode::Atanh, Opcode::Logistic});
}

bool is_supported(Opcode opcode, Dtype dtype) {
  switch (kind(dtype)) {
    case 'b': return for_real(opcode) || for_bits(opcode);
    case 'i':
    case 'u':
      return for_real(opcode) || for_bits(opcode) || for_real_numbers(opcode) ||
             among(opcode, {Opcode::ShiftLeft, Opcode::ShiftRight, Opcode::PopulationCount});
    case 'f':
      return for_real(opcode) || for_real_numbers(opcode) || is_function(opcode) || is_special(opcode) ||
             is_gamma(opcode) ||
             among(opcode, {Opcode::Sqrt, Opcode::Rsqrt, Opcode::Div, Opcode::Excess, Opcode::Copysign,
                            Opcode::Nextafter, Opcode::Complex, Opcode::Fma});
    default:
      return for_every_dtype(opcode) || for_numbers(opcode) || is_elementary(opcode) || opcode == Opcode::Div;
  }
}

bool reduces(Opcode reduction, Dtype dtype) {
  switch (reduction) {
    case Opcode::ReduceSum:
    case Opcode::ReduceProd: return true;
    case Opcode::ReduceMax:
    case Opcode::ReduceMin: return kind(dtype) != 'c';
    default: return kind(dtype) != 'c' && kind(dtype) != 'f';
  }
}

[[noreturn]] void refuse(const std::string& operation, Dtype dtype, const std::string& advice) {
  throw std::invalid_argument("metal: " + operation + " of " + name(dtype) +
                              " is not possible on this device; " + advice);
}

std::string operation_name(const Instruction& instruction) {
  switch (instruction.kind) {
    case Instruction::Kind::Input: return "an input";
    case Instruction::Kind::Constant: return "a constant";
    default: return info(instruction.opcode).name;
  }
}

}  // namespace

bool is_function(Opcode opcode) {
  return (is_elementary(opcode) && !among(opcode, {Opcode::Sqrt, Opcode::Rsqrt})) ||
         among(opcode, {Opcode::Cbrt, Opcode::Pow, Opcode::Atan2, Opcode::Hypot, Opcode::Logaddexp});
}

bool is_special(Opcode opcode) {
  return among(opcode,
               {Opcode::Erf, Opcode::Erfc, Opcode::ErfInv, Opcode::ErfInvGiles, Opcode::Erfcx, Opcode::Ndtr,
                Opcode::Ndtri, Opcode::LogNdtr, Opcode::Lgamma, Opcode::Digamma, Opcode::BesselI0,
                Opcode::BesselI1, Opcode::BesselI0e, Opcode::BesselI1e, Opcode::LambertW});
}

bool is_gamma(Opcode opcode) {
  return among(opcode, {Opcode::Zeta, Opcode::Polygamma, Opcode::Beta, Opcode::LogBeta, Opcode::GammaP,
                        Opcode::GammaQ, Opcode::GammaDensity});
}

bool is_printable(Opcode opcode, Dtype operand, Dtype result, int64_t parameter) {
  if (!has_dtype(operand) || !has_dtype(result)) return false;
  if (info(opcode).category == OpcodeCategory::Reduction) return reduces(opcode, operand);
  if (info(opcode).category == OpcodeCategory::Nullary) return true;
  return is_supported(opcode, operand) && !(is_gamma(opcode) && parameter != 0);
}

void require_supported(const FusedKernel& kernel) {
  const auto require_dtype = [](const std::string& operation, Dtype dtype) {
    if (dtype == Dtype::Float64) refuse(operation, dtype, "use float32, or stream=ft.cpu");
    if (dtype == Dtype::Complex128) refuse(operation, dtype, "use complex64, or stream=ft.cpu");
  };
  for (const Instruction& instruction : kernel.body) {
    require_dtype(operation_name(instruction), instruction.dtype);
    if (instruction.kind != Instruction::Kind::Apply) continue;
    const bool is_select = instruction.opcode == Opcode::Select;
    const Dtype from = kernel.body[instruction.operands[is_select ? 1 : 0]].dtype;
    const bool is_there = is_reduction(instruction) ? reduces(instruction.opcode, from)
                                                    : is_supported(instruction.opcode, from);
    if (!is_there) refuse(operation_name(instruction), from, "use stream=ft.cpu");
    if (is_gamma(instruction.opcode) && instruction.index != 0)
      refuse("a derivative of " + operation_name(instruction), from, "use stream=ft.cpu");
  }
  for (const KernelOutput& output : kernel.outputs) {
    const Dtype dtype = kernel.body[output.instruction].dtype;
    if (output.reduced && !reduces_inside(kernel) && !reduces(output.reduction, dtype))
      refuse(info(output.reduction).name, dtype, "use stream=ft.cpu");
  }
}

}  // namespace ftrans::metal
