// The choice of kernels by what the processor offers.

#include <cstdlib>
#include <string_view>

#include "cpu/fused_executor.h"
#include "cpu/simd/kernel_set.h"

namespace ftrans::cpu {

namespace baseline {
extern const KernelSet kKernelSet;
}
#if defined(FTRANS_X86_KERNEL_SETS)
namespace v3 {
extern const KernelSet kKernelSet;
}
namespace v4 {
extern const KernelSet kKernelSet;
}
#endif

namespace {

const KernelSet& choose() {
#if defined(FTRANS_X86_KERNEL_SETS)
  const char* variable = std::getenv("FTRANS_ISA");
  const std::string_view limit = variable ? variable : "x86-64-v4";
  __builtin_cpu_init();
  const bool has_v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                      __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const bool has_v4 = has_v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  if (has_v4 && limit != "x86-64-v3" && limit != "baseline") return v4::kKernelSet;
  if (has_v3 && limit != "baseline") return v3::kKernelSet;
#endif
  return baseline::kKernelSet;
}

}  // namespace

const KernelSet& kernel_set() {
  static const KernelSet& chosen = choose();
  return chosen;
}

const char* instruction_set() { return kernel_set().name; }

}  // namespace ftrans::cpu
