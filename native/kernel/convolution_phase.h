#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>

namespace ftrans {

/// One axis of a phase of a convolution: of the positions `phase`, `phase` + dilation, … Their windows meet
/// the same elements of the rhs; the others meet the zeros between elements of the lhs.
struct ConvolutionPhase {
  int64_t positions, first, step, low, rhs_dilation;
  int64_t window;  ///< elements of the rhs, `step` apart from the `first`

  ConvolutionPhase(int64_t phase, int64_t all_positions, int64_t extent, int64_t all_low, int64_t dilation,
                   int64_t all_rhs_dilation)
      : positions(all_positions > phase ? (all_positions - phase + dilation - 1) / dilation : 0),
        first(0),
        step(dilation / std::gcd(dilation, all_rhs_dilation)),
        rhs_dilation(step * all_rhs_dilation / dilation) {
    const auto place = [&](int64_t k) { return phase + k * all_rhs_dilation - all_low; };
    while (first < std::min(step, extent) && place(first) % dilation != 0) ++first;
    window = first < std::min(step, extent) ? (extent - first + step - 1) / step : 0;
    low = -place(first) / dilation;
  }
};

}  // namespace ftrans
