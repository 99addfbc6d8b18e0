#pragma once

namespace ftrans::cpu::any_complex {

/// Functions of complex numbers for which vectors have no formula: infinities, NaN, zeros, huge angles.
/// The result takes the argument's place.
void exp(float& real, float& imag);
void log(float& real, float& imag);
void sqrt(float& real, float& imag);
/// The quotient takes the place of the dividend.
void divide(float& real, float& imag, float divisor_real, float divisor_imag);

}  // namespace ftrans::cpu::any_complex
