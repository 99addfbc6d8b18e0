#pragma once

namespace ftrans::cpu::wide_angle {

/// Trigonometry of arguments that need the C library's exact reduction.
float sin(float x);
float cos(float x);
float tan(float x);
double sin(double x);
double cos(double x);

}  // namespace ftrans::cpu::wide_angle
