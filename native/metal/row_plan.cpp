#include "metal/row_plan.h"

#include <algorithm>
#include <bit>

#include "metal/expressions.h"

namespace ftrans::metal {
namespace {

using Kind = Instruction::Kind;
using Access = Variant::Access;

/// Finds what each loop has to compute for its reductions, or for the stores behind them all.
class Planner {
 public:
  Planner(const FusedKernel& kernel, bool holds, RowPlan& plan)
      : kernel_(kernel), holds_(holds), plan_(plan), loop_of_(kernel.body.size(), -1) {}

  void plan(const std::vector<bool>& needed) {
    int last = 0;
    for (size_t i = 0; i < kernel_.body.size(); ++i) {
      if (needed[i] && is_reduction(kernel_.body[i])) last = std::max(last, plan_.stage[i] - 1);
    }
    for (const KernelOutput& output : kernel_.outputs) {
      if (!output.reduced) last = std::max(last, plan_.stage[output.instruction]);
    }
    for (int stage = 0; stage <= last; ++stage) {
      plan_.loops.emplace_back();
      number_ = stage;
      for (size_t i = 0; i < kernel_.body.size(); ++i) {
        if (!needed[i] || !is_reduction(kernel_.body[i]) || plan_.stage[i] != stage + 1) continue;
        plan_.loops.back().reduced.push_back(static_cast<int>(i));
        need(kernel_.body[i].operands[0]);
      }
      if (stage == last) {
        for (const KernelOutput& output : kernel_.outputs) {
          if (!output.reduced) need(output.instruction);
        }
      }
      std::sort(plan_.loops.back().computed.begin(), plan_.loops.back().computed.end());
    }
  }

 private:
  void need(int i) {
    RowPlan::Loop& loop = plan_.loops.back();
    if (plan_.of_row[i] || loop_of_[i] == number_) return;
    const bool is_known = loop_of_[i] >= 0 && holds_ && kernel_.body[i].kind != Kind::Iota;
    loop_of_[i] = number_;
    if (is_known) return loop.kept.push_back(i);
    loop.computed.push_back(i);
    if (kernel_.body[i].kind != Kind::Apply) return;
    for (const int operand : kernel_.body[i].operands) {
      if (operand >= 0) need(operand);
    }
  }

  const FusedKernel& kernel_;
  const bool holds_;
  RowPlan& plan_;
  std::vector<int> loop_of_;  ///< the last that has a register
  int number_ = 0;
};

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// The least power of two that is not below `number`.
int power_of_two(int64_t number) {
  return static_cast<int>(std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(number, 1))));
}

}  // namespace

RowPlan::RowPlan(const FusedKernel& kernel, const std::vector<Source>& sources,
                 const std::vector<Access>& access, bool holds)
    : of_row(kernel.body.size(), true), stage(kernel.body.size(), 0) {
  const std::vector<bool> needed = needed_registers(kernel);
  const auto is_of_row = [&](Source source) {
    const auto found = std::find(sources.begin(), sources.end(), source);
    const Access how = access[static_cast<size_t>(found - sources.begin())];
    return how == Access::Uniform || how == Access::Row;
  };
  for (size_t i = 0; i < kernel.body.size(); ++i) {
    const Instruction& instruction = kernel.body[i];
    if (!needed[i]) continue;
    switch (instruction.kind) {
      case Kind::Input: of_row[i] = is_of_row({Source::Kind::Input, instruction.index}); break;
      case Kind::Iota: of_row[i] = is_of_row({Source::Kind::Coordinate, instruction.index}); break;
      case Kind::Constant:
      case Kind::Piece: break;  // of the processor's kernels only
      case Kind::Apply:
        for (const int operand : instruction.operands) {
          if (operand < 0) continue;
          of_row[i] = of_row[i] && of_row[operand];
          stage[i] = std::max(stage[i], stage[operand]);
        }
        if (!is_reduction(instruction)) break;
        of_row[i] = true;
        ++stage[i];
    }
  }
  Planner(kernel, holds, *this).plan(needed);
}

int RowPlan::most_words(const FusedKernel& kernel) const {
  int most = 0;
  for (size_t boundary = 1; boundary < loops.size(); ++boundary) {
    std::vector<int> alive;
    for (size_t later = boundary; later < loops.size(); ++later) {
      for (const int i : loops[later].kept) {
        const bool is_known =
            std::any_of(loops.begin(), loops.begin() + static_cast<long>(boundary), [&](const Loop& loop) {
              return std::binary_search(loop.computed.begin(), loop.computed.end(), i);
            });
        if (is_known && std::find(alive.begin(), alive.end(), i) == alive.end()) alive.push_back(i);
      }
    }
    int words = 0;
    for (const int i : alive)
      words += static_cast<int>(divide_up(itemsize(register_dtype(kernel.body[i].dtype)), 4));
    most = std::max(most, words);
  }
  return most;
}

void choose_lanes(const FusedKernel& kernel, const std::vector<Source>& sources, int64_t length, bool across,
                  Variant& variant) {
  constexpr int kFew = 4, kMany = 16;  // elements of a thread
  const int words = RowPlan(kernel, sources, variant.access, true).most_words(kernel);
  // Registers of a thread, where a threadgroup has so many threads.
  const auto fits = [words](int lanes, int64_t held) {
    return held <= kMany && words * held <= (lanes >= 1024 ? 32 : lanes >= 512 ? 64 : 128);
  };
  int lanes = across ? 1 : std::min(power_of_two(divide_up(length, kFew)), 512);
  const auto share = [&] { return power_of_two(divide_up(length, lanes)); };
  if (!across && (share() > 2 * kFew || !fits(lanes, share()))) {
    while (lanes < 1024 && (share() > 2 * kFew || !fits(lanes, share()))) lanes *= 2;
  }
  variant.lanes = lanes;
  variant.held = words > 0 && fits(lanes, share()) ? share() : 0;
}

}  // namespace ftrans::metal
