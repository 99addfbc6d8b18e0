#include "metal/expressions.h"

#include <cstdio>
#include <cstring>

namespace ftrans::metal {

const char* register_type(Dtype dtype) {
  switch (dtype) {
    case Dtype::Bool: return "bool";
    case Dtype::Int8: return "int8_t";
    case Dtype::Int16: return "int16_t";
    case Dtype::Int32: return "int32_t";
    case Dtype::Int64: return "int64_t";
    case Dtype::UInt8: return "uint8_t";
    case Dtype::UInt16: return "uint16_t";
    case Dtype::UInt32: return "uint32_t";
    case Dtype::UInt64: return "uint64_t";
    case Dtype::Complex64: return "float2";
    default: return "float";
  }
}

const char* storage_type(Dtype dtype) {
  switch (dtype) {
    case Dtype::Bool: return "uint8_t";
    case Dtype::Float16: return "half";
    case Dtype::BFloat16: return "bfloat";
    default: return register_type(dtype);
  }
}

std::string identity(Opcode reduction, Dtype dtype) {
  const Dtype held = register_dtype(dtype);
  const int width = static_cast<int>(itemsize(dtype)) * 8;
  const uint64_t top = uint64_t{1} << (width - 1);
  const bool is_signed = kind(dtype) == 'i';
  uint64_t bits = 0;
  switch (reduction) {
    case Opcode::ReduceProd:
      bits = held == Dtype::Float32 || held == Dtype::Complex64 ? 0x3f800000 : 1;
      break;
    case Opcode::ReduceMax: bits = held == Dtype::Float32 ? 0xff800000 : is_signed ? top : 0; break;
    case Opcode::ReduceMin:
      bits = held == Dtype::Float32 ? 0x7f800000 : is_signed ? top - 1 : (top - 1) | top;
      break;
    case Opcode::ReduceAnd: bits = ~uint64_t{0}; break;
    default: break;
  }
  return literal(&bits, held);
}

Dtype register_dtype(Dtype dtype) { return is_half(dtype) ? Dtype::Float32 : dtype; }

std::string numbered(std::string prefix, int64_t number) { return prefix += std::to_string(number); }

std::string hexadecimal(uint64_t bits, const char* suffix) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx%s", static_cast<unsigned long long>(bits), suffix);
  return text;
}

std::string call(const std::string& function, const std::string& a) { return function + "(" + a + ")"; }

std::string to_storage(const std::string& value, Dtype dtype) {
  return dtype == Dtype::Bool || is_half(dtype) ? call(storage_type(dtype), value) : value;
}
std::string from_storage(const std::string& value, Dtype dtype) {
  if (dtype == Dtype::Bool) return "(" + value + " != 0)";
  return is_half(dtype) ? call("float", value) : value;
}

std::string literal(const void* bytes, Dtype dtype) {
  const auto bits = [bytes](auto zero, int index = 0) {
    std::memcpy(&zero, static_cast<const char*>(bytes) + index * sizeof zero, sizeof zero);
    return uint64_t{zero};
  };
  const auto float32 = [&](int index) {
    return "as_type<float>(" + hexadecimal(bits(uint32_t{}, index), "u") + ")";
  };
  switch (dtype) {
    case Dtype::Bool: return bits(uint8_t{}) != 0 ? "true" : "false";
    case Dtype::Float32: return float32(0);
    case Dtype::Complex64: return "float2(" + float32(0) + ", " + float32(1) + ")";
    case Dtype::Float16:
    case Dtype::BFloat16:
      return from_storage(std::string("as_type<") + storage_type(dtype) + ">(uint16_t(" +
                              hexadecimal(bits(uint16_t{}), "u") + "))",
                          dtype);
    default: break;
  }
  switch (itemsize(dtype)) {
    case 1: return call(register_type(dtype), hexadecimal(bits(uint8_t{}), "u"));
    case 2: return call(register_type(dtype), hexadecimal(bits(uint16_t{}), "u"));
    case 4: return call(register_type(dtype), hexadecimal(bits(uint32_t{}), "u"));
    default: return call(register_type(dtype), hexadecimal(bits(uint64_t{}), "ul"));
  }
}

Opcode joining(Opcode reduction) {
  switch (reduction) {
    case Opcode::ReduceProd: return Opcode::Mul;
    case Opcode::ReduceMax: return Opcode::Max;
    case Opcode::ReduceMin: return Opcode::Min;
    case Opcode::ReduceOr: return Opcode::Or;
    case Opcode::ReduceAnd: return Opcode::And;
    default: return Opcode::Add;
  }
}

std::string function_of(Opcode opcode) { return std::string("op_") + info(opcode).name; }

std::string converted(const std::string& x, Dtype from, Dtype to) {
  if (from == to) return x;
  if (to == Dtype::Bool) return kind(from) == 'c' ? call("op_is_nonzero", x) : "(" + x + " != 0)";
  if (kind(from) == 'c') return converted(x + ".x", Dtype::Float32, to);
  if (kind(to) == 'c') return "float2(" + converted(x, from, Dtype::Float32) + ", 0.0f)";
  if (is_half(to)) return call(std::string("to_") + name(to), from == Dtype::Bool ? call("float", x) : x);
  if (kind(from) == 'f' && kind(to) != 'f')
    return std::string("saturating<") + register_type(to) + ">(" + x + ")";
  return call(register_type(to), x);
}

std::string bit_cast(const std::string& x, Dtype from, Dtype to) {
  if (from == to) return x;
  return from_storage(std::string("as_type<") + storage_type(to) + ">(" + to_storage(x, from) + ")", to);
}

}  // namespace ftrans::metal
