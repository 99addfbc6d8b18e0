#include "metal/fused_layout.h"

#include <algorithm>
#include <cstdlib>

#include "metal/row_plan.h"

namespace ftrans::metal {
namespace {

/// Axes of one class that every source walks as if they were one become one.
void merge_axes(std::vector<int64_t>& extents, std::vector<std::vector<int64_t>>& strides, size_t begin) {
  for (size_t axis = begin; axis < extents.size();) {
    if (extents[axis] == 1) {
      extents.erase(extents.begin() + static_cast<long>(axis));
      for (auto& each : strides) each.erase(each.begin() + static_cast<long>(axis));
      continue;
    }
    const bool joins = axis > begin && std::all_of(strides.begin(), strides.end(), [&](const auto& each) {
                         return each[axis - 1] == each[axis] * extents[axis];
                       });
    if (!joins) {
      ++axis;
      continue;
    }
    extents[axis - 1] *= extents[axis];
    extents.erase(extents.begin() + static_cast<long>(axis));
    for (auto& each : strides) each.erase(each.begin() + static_cast<long>(axis) - 1);
  }
}

bool is_row_major(const std::vector<int64_t>& extents, const std::vector<int64_t>& strides) {
  int64_t expected = 1;
  for (size_t axis = extents.size(); axis-- > 0; expected *= extents[axis]) {
    if (strides[axis] != expected) return false;
  }
  return true;
}

bool is_all_zero(const std::vector<int64_t>& strides) {
  return std::all_of(strides.begin(), strides.end(), [](int64_t s) { return s == 0; });
}

/// How far apart neighbours along the innermost of some axes are, in all inputs together.
int64_t innermost_steps(const std::vector<Source>& sources,
                        const std::vector<std::vector<int64_t>>& strides) {
  int64_t total = 0;
  for (size_t i = 0; i < sources.size(); ++i) {
    if (sources[i].kind == Source::Kind::Input && !strides[i].empty()) total += std::abs(strides[i].back());
  }
  return total;
}

/// Of each source, along the axes in this order.
std::vector<std::vector<int64_t>> strides_of(const std::vector<Source>& sources,
                                             const std::vector<int>& order, const int64_t* shape,
                                             const int64_t* const* input_strides) {
  std::vector<int64_t> row_major(order.size());
  int64_t size = 1;
  for (size_t axis = order.size(); axis-- > 0; size *= shape[axis]) row_major[axis] = size;
  std::vector<std::vector<int64_t>> strides;
  for (const Source& source : sources) {
    std::vector<int64_t> own;
    for (const int axis : order) {
      if (source.kind == Source::Kind::Coordinate) {
        own.push_back(axis == source.index);
      } else {
        const int64_t* all =
            source.kind == Source::Kind::Input ? input_strides[source.index] : row_major.data();
        own.push_back(shape[axis] == 1 ? 0 : all[axis]);
      }
    }
    strides.push_back(std::move(own));
  }
  return strides;
}

/// How a source with these strides along the kept axes, of these extents, and the reduced ones is read.
Variant::Access access_of(Variant::Form form, const std::vector<int64_t>& extents,
                          const std::vector<int64_t>& kept, const std::vector<int64_t>& reduced) {
  using enum Variant::Access;
  if (is_all_zero(reduced)) {
    if (is_all_zero(kept)) return Uniform;
    if (form == Variant::Form::Phases) return Row;
  }
  return form == Variant::Form::Elements && is_row_major(extents, kept) ? Linear : Strided;
}

}  // namespace

std::vector<bool> needed_registers(const FusedKernel& kernel) {
  std::vector<bool> needed(kernel.body.size(), false);
  for (const KernelOutput& output : kernel.outputs) needed[output.instruction] = true;
  for (size_t i = kernel.body.size(); i-- > 0;) {
    if (!needed[i] || kernel.body[i].kind != Instruction::Kind::Apply) continue;
    for (const int operand : kernel.body[i].operands) {
      if (operand >= 0) needed[operand] = true;
    }
  }
  return needed;
}

std::vector<Source> sources_of(const FusedKernel& kernel) {
  std::vector<Source> sources;
  const auto add = [&](Source source) {
    if (std::find(sources.begin(), sources.end(), source) == sources.end()) sources.push_back(source);
  };
  const std::vector<bool> needed = needed_registers(kernel);
  for (size_t i = 0; i < kernel.body.size(); ++i) {
    const Instruction& instruction = kernel.body[i];
    if (!needed[i]) continue;
    if (instruction.kind == Instruction::Kind::Input) add({Source::Kind::Input, instruction.index});
    if (instruction.kind == Instruction::Kind::Iota) add({Source::Kind::Coordinate, instruction.index});
  }
  if (reduces(kernel)) {
    for (const KernelOutput& output : kernel.outputs) {
      if (!output.reduced) add({Source::Kind::Target, 0});
    }
  }
  return sources;
}

Layout::Layout(const FusedKernel& kernel, const std::vector<Source>& sources, const int64_t* shape,
               const int64_t* const* input_strides) {
  const bool is_reduction = reduces(kernel), has_phases = reduces_inside(kernel);
  std::vector<int> order;
  size_t first_reduced = 0;
  for (const bool reduced : {false, true}) {
    for (int axis = 0; axis < kernel.ndim; ++axis) {
      if ((is_reduction && kernel.reduced_axes[axis]) != reduced) continue;
      order.push_back(axis);
      first_reduced += !reduced;
      (reduced ? reduced_size : kept_size) *= shape[axis];
    }
  }
  for (const int axis : order) extents.push_back(shape[axis]);
  strides = strides_of(sources, order, shape, input_strides);
  merge_axes(extents, strides, first_reduced);
  // The kept axes lie before: merged apart from the others.
  const std::vector<int64_t> reduced_extents(extents.begin() + static_cast<long>(first_reduced),
                                             extents.end());
  std::vector<std::vector<int64_t>> reduced_strides;
  for (auto& each : strides) {
    reduced_strides.emplace_back(each.begin() + static_cast<long>(first_reduced), each.end());
    each.resize(first_reduced);
  }
  extents.resize(first_reduced);
  merge_axes(extents, strides, 0);
  variant.kept = static_cast<int>(extents.size());
  variant.reduced = static_cast<int>(reduced_extents.size());

  const int64_t along_kept = innermost_steps(sources, strides);
  const int64_t along_reduced = innermost_steps(sources, reduced_strides);
  if (has_phases) {
    variant.form = Variant::Form::Phases;
  } else if (is_reduction) {
    // Rows where the elements of a reduction are closer to each other than those of neighbouring results.
    const bool rows = reduced_size >= 32 && (kept_size < 32 || along_reduced < along_kept);
    variant.form = rows ? Variant::Form::Rows : Variant::Form::Columns;
  }
  for (size_t i = 0; i < sources.size(); ++i)
    variant.access.push_back(access_of(variant.form, extents, strides[i], reduced_strides[i]));
  extents.insert(extents.end(), reduced_extents.begin(), reduced_extents.end());
  for (size_t i = 0; i < sources.size(); ++i)
    strides[i].insert(strides[i].end(), reduced_strides[i].begin(), reduced_strides[i].end());
  measure();
  if (!has_phases) return;
  constexpr int64_t kManyRows = 4096;  // fewer have more threads each, though these read far apart
  choose_lanes(kernel, sources, reduced_size, kept_size >= kManyRows && along_reduced > along_kept, variant);
}

void Layout::measure() {
  int64_t farthest = std::max(kept_size, reduced_size);
  for (const std::vector<int64_t>& own : strides) {
    int64_t low = 0, high = 0;
    for (size_t axis = 0; axis < extents.size(); ++axis) {
      if (extents[axis] > 0) (own[axis] < 0 ? low : high) += own[axis] * (extents[axis] - 1);
    }
    below.push_back(-low);
    farthest = std::max(farthest, high - low);
  }
  variant.wide = farthest >= (int64_t{1} << 32) - (1 << 20);
}

std::vector<int64_t> Layout::parameters(int64_t per_split) const {
  std::vector<int64_t> result = {kept_size, reduced_size, per_split};
  result.insert(result.end(), extents.begin(), extents.end());
  for (size_t i = 0; i < strides.size(); ++i) {
    if (variant.access[i] != Variant::Access::Strided && variant.access[i] != Variant::Access::Row) continue;
    result.push_back(below[i]);
    result.insert(result.end(), strides[i].begin(), strides[i].end());
  }
  return result;
}

}  // namespace ftrans::metal
