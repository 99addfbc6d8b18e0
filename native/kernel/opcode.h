#pragma once

#include <cstdint>

namespace ftrans {

enum class Opcode : uint16_t {
#define X(enumerator, name, category) enumerator,
#include "kernel/opcodes.def"
#undef X
};

enum class OpcodeCategory : uint8_t { Nullary, Unary, Binary, Ternary, Reduction, View, Step, Control };

struct OpcodeInfo {
  const char* name;
  OpcodeCategory category;
};

inline constexpr OpcodeInfo kOpcodeTable[] = {
#define X(enumerator, name, category) {name, OpcodeCategory::category},
#include "kernel/opcodes.def"
#undef X
};

inline constexpr int kOpcodeCount = sizeof(kOpcodeTable) / sizeof(kOpcodeTable[0]);

constexpr const OpcodeInfo& info(Opcode opcode) { return kOpcodeTable[static_cast<int>(opcode)]; }

/// Whether the operation can be an instruction of a fused kernel's body.
constexpr bool is_elementwise(Opcode opcode) { return info(opcode).category <= OpcodeCategory::Ternary; }

}  // namespace ftrans
