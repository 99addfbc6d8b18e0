// Elementwise kernels of the special functions.

#include "cpu/scalar_kernels.h"
#include "cpu/special/functions.h"

namespace ftrans::cpu {
namespace {

using namespace special;

template <class T, auto function>
void unary_loop(void* out, const void* a, const void*, const void*, int64_t n) {
  auto* o = static_cast<T*>(out);
  auto* x = static_cast<const T*>(a);
  for (int64_t i = 0; i < n; ++i) o[i] = static_cast<T>(function(x[i]));
}

template <class T, auto function>
void binary_loop(void* out, const void* a, const void* b, const void*, int64_t n) {
  auto* o = static_cast<T*>(out);
  auto* x = static_cast<const T*>(a);
  auto* y = static_cast<const T*>(b);
  for (int64_t i = 0; i < n; ++i) o[i] = static_cast<T>(function(x[i], y[i]));
}

template <class T, auto function>
void ternary_loop(void* out, const void* a, const void* b, const void* c, int64_t n) {
  auto* o = static_cast<T*>(out);
  auto* x = static_cast<const T*>(a);
  auto* y = static_cast<const T*>(b);
  auto* z = static_cast<const T*>(c);
  for (int64_t i = 0; i < n; ++i) o[i] = static_cast<T>(function(x[i], y[i], z[i]));
}

/// ∂ᵏ/∂sᵏ of the zeta function, by k; so the others: what a variant stands for is their primitive's
/// parameter.
template <class T>
Kernel zeta_loop(int k) {
  constexpr Kernel loops[] = {binary_loop<T, zeta<0>>, binary_loop<T, zeta<1>>, binary_loop<T, zeta<2>>,
                              binary_loop<T, zeta<3>>, binary_loop<T, zeta<4>>};
  return k >= 0 && k < 5 ? loops[k] : nullptr;
}

template <class T>
Kernel gamma_p_loop(int k) {
  constexpr Kernel loops[] = {binary_loop<T, gamma_p<0>>, binary_loop<T, gamma_p<1>>,
                              binary_loop<T, gamma_p<2>>, binary_loop<T, gamma_p<3>>,
                              binary_loop<T, gamma_p<4>>};
  return k >= 0 && k < 5 ? loops[k] : nullptr;
}

/// By 4·(order in a) + (order in b).
template <class T>
Kernel beta_inc_loop(int orders) {
  switch (orders) {
    case 0: return ternary_loop<T, beta_inc<0, 0>>;
    case 1: return ternary_loop<T, beta_inc<0, 1>>;
    case 2: return ternary_loop<T, beta_inc<0, 2>>;
    case 3: return ternary_loop<T, beta_inc<0, 3>>;
    case 4: return ternary_loop<T, beta_inc<1, 0>>;
    case 5: return ternary_loop<T, beta_inc<1, 1>>;
    case 6: return ternary_loop<T, beta_inc<1, 2>>;
    case 8: return ternary_loop<T, beta_inc<2, 0>>;
    case 9: return ternary_loop<T, beta_inc<2, 1>>;
    case 12: return ternary_loop<T, beta_inc<3, 0>>;
    default: return nullptr;
  }
}

template <class T>
KernelVariants kernels(Opcode opcode, int variant) {
  switch (opcode) {
    case Opcode::Lgamma: return {{unary_loop<T, log_gamma>}, false, 60};
    case Opcode::Digamma: return {{unary_loop<T, digamma>}, false, 60};
    case Opcode::Erfcx: return {{unary_loop<T, erfcx>}, false, 60};
    case Opcode::Ndtr: return {{unary_loop<T, ndtr>}, false, 60};
    case Opcode::Ndtri: return {{unary_loop<T, ndtri>}, false, 400};
    case Opcode::LogNdtr: return {{unary_loop<T, log_ndtr>}, false, 80};
    case Opcode::BesselI0: return {{unary_loop<T, bessel_i0>}, false, 80};
    case Opcode::BesselI1: return {{unary_loop<T, bessel_i1>}, false, 80};
    case Opcode::BesselI0e: return {{unary_loop<T, bessel_i0e>}, false, 80};
    case Opcode::BesselI1e: return {{unary_loop<T, bessel_i1e>}, false, 80};
    case Opcode::LambertW: return {{unary_loop<T, lambert_w>}, false, 120};
    case Opcode::Zeta: return {{zeta_loop<T>(variant)}, false, 600};
    case Opcode::Polygamma: return {{binary_loop<T, polygamma>}, false, 600};
    case Opcode::Beta: return {{binary_loop<T, beta>}, false, 120};
    case Opcode::LogBeta: return {{binary_loop<T, log_beta>}, false, 120};
    case Opcode::GammaP: return {{gamma_p_loop<T>(variant)}, false, 600};
    case Opcode::GammaQ: return {{binary_loop<T, gamma_q>}, false, 600};
    case Opcode::GammaDensity: return {{binary_loop<T, gamma_density>}, false, 100};
    case Opcode::BetaDensity: return {{ternary_loop<T, beta_density>}, false, 200};
    case Opcode::BetaInc: return {{beta_inc_loop<T>(variant)}, false, 1000};
    default: return {};
  }
}

}  // namespace

KernelVariants special_kernels(Opcode opcode, Dtype dtype, int variant) {
  if (dtype == Dtype::Float64) {
    if (opcode == Opcode::ErfInv || opcode == Opcode::ErfInvGiles)
      return {{unary_loop<double, erf_inv>}, false, 200};
    return kernels<double>(opcode, variant);
  }
  return dtype == Dtype::Float32 ? kernels<float>(opcode, variant) : KernelVariants{};
}

}  // namespace ftrans::cpu
