#pragma once

#include <vector>

#include "metal/fused_layout.h"

namespace ftrans::metal {

/// How a kernel with reductions inside (Variant::Form::Phases) goes through a row: in loops over its
/// elements, each of which ends with reductions whose results the next one needs. All stores are in the last
/// one, so that memory that is read may be written over.
struct RowPlan {
  struct Loop {
    std::vector<int> kept;      ///< registers of an earlier loop that it goes on with
    std::vector<int> computed;  ///< registers of each element, ascending
    std::vector<int> reduced;   ///< reductions that end with it, ascending
  };

  /// `access`: of each source. `holds`: what earlier loops have computed is kept, not computed again.
  RowPlan(const FusedKernel& kernel, const std::vector<Source>& sources,
          const std::vector<Variant::Access>& access, bool holds);

  /// Of the registers that loops keep for later ones: the most 32-bit words at one time, for each element.
  int most_words(const FusedKernel& kernel) const;

  std::vector<bool> of_row;  ///< by register: one value for a whole row
  std::vector<int> stage;    ///< by register: how many loops have to come before it
  std::vector<Loop> loops;
};

/// Sets `lanes` and `held` of a variant in Phases for rows of `length` elements. `across`: neighbours in
/// memory are those of different rows.
void choose_lanes(const FusedKernel& kernel, const std::vector<Source>& sources, int64_t length, bool across,
                  Variant& variant);

}  // namespace ftrans::metal
