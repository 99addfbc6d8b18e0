#include "metal/row_printer.h"

#include <algorithm>

#include "metal/kernel_printer.h"
#include "metal/row_plan.h"

namespace ftrans::metal {
namespace {

/// `lanes` threads a row: those of a SIMD-group, which then has some rows, or those of a threadgroup.
class RowPrinter : KernelPrinter {
 public:
  RowPrinter(const FusedKernel& kernel, const std::vector<Source>& sources, const Variant& variant)
      : KernelPrinter(kernel, sources, variant), plan_(kernel, sources, variant.access, variant.held > 0) {}

  PrintedKernel print() {
    print_place();
    print_kept_offsets("row");
    for (const RowPlan::Loop& loop : plan_.loops) {
      for (const int i : loop.kept) declare_kept(i);
    }
    for (size_t number = 0; number <= plan_.loops.size(); ++number) {
      print_row_registers(static_cast<int>(number));
      if (number < plan_.loops.size()) print_loop(number);
    }
    print_row_stores();
    std::vector<std::string> positions = {"uint3 group [[threadgroup_position_in_grid]]",
                                          "uint thread_number [[thread_index_in_threadgroup]]"};
    if (groups() > 1) {
      positions.push_back("uint lane [[thread_index_in_simdgroup]]");
      positions.push_back("uint simdgroup [[simdgroup_index_in_threadgroup]]");
    }
    if (variant_.wide) positions.push_back("uint3 grid [[threadgroups_per_grid]]");
    PrintedKernel printed = finish(positions, std::max(variant_.lanes, static_cast<int>(kThreadsPerGroup)));
    printed.uses_exchange = variant_.lanes > 1;
    return printed;
  }

 private:
  /// SIMD-groups of a row.
  int groups() const { return variant_.lanes / 32; }

  /// Which row and which of its elements. Threads behind the last row have none, but take part in exchanges.
  void print_place() {
    const std::string index = index_, lanes = std::to_string(variant_.lanes);
    const std::string group = variant_.wide ? "(group.x + uint64_t(group.z) * grid.x)" : "group.x";
    const std::string rows = std::to_string(kThreadsPerGroup / static_cast<uint32_t>(variant_.lanes));
    line("const " + index + " result = " +
         (variant_.lanes <= 32 ? group + " * " + rows + " + thread_number / " + lanes : group) + ";");
    line("const bool exists = result < layout[0];");
    line("const " + index + " row = exists ? result : layout[0] - 1;");
    line("const " + index + " count = exists ? layout[1] : 0;");
    line("const " + index + " first = thread_number % " + lanes + ";");
  }

  /// Memory for a register that later loops go on with.
  void declare_kept(int i) {
    if (std::find(declared_.begin(), declared_.end(), i) != declared_.end()) return;
    declared_.push_back(i);
    line(std::string(register_type(kernel_.body[i].dtype)) + " " + kept(i) + "[" +
         std::to_string(variant_.held) + "];");
  }
  static std::string kept(int i) { return numbered("kept", i); }
  static std::string sum(int i) { return numbered("a", i); }

  /// What there is one of in a row, and known behind so many loops.
  void print_row_registers(int stage) {
    for (size_t i = 0; i < kernel_.body.size(); ++i) {
      const Instruction& instruction = kernel_.body[i];
      if (!needed_[i] || !plan_.of_row[i] || plan_.stage[i] != stage) continue;
      const int number = static_cast<int>(i);
      if (!is_reduction(instruction)) {
        print_register(number);
        continue;
      }
      const Dtype dtype = instruction.dtype;
      line(std::string("const ") + register_type(dtype) + " " + reg(number) + " = " +
           converted(sum(number), register_dtype(dtype), dtype) + ";");
    }
  }

  void print_loop(size_t number) {
    const RowPlan::Loop& loop = plan_.loops[number];
    const bool is_last = number + 1 == plan_.loops.size();
    for (const int i : loop.reduced) {
      const Instruction& instruction = kernel_.body[i];
      line(std::string(register_type(instruction.dtype)) + " " + sum(i) + " = " +
           identity(instruction.opcode, instruction.dtype) + ";");
    }
    open_elements();
    print_reduced_offsets("element", [&](Source source) { return is_read(loop, is_last, source); });
    for (const int i : loop.kept) {
      line(std::string("const ") + register_type(kernel_.body[i].dtype) + " " + reg(i) + " = " + kept(i) +
           "[step];");
    }
    for (const int i : loop.computed) {
      print_register(i);
      if (std::find(declared_.begin(), declared_.end(), i) != declared_.end())
        line(kept(i) + "[step] = " + reg(i) + ";");
    }
    for (const int i : loop.reduced) line(joined(i, reg(kernel_.body[i].operands[0])));
    for (size_t i = 0; is_last && i < kernel_.outputs.size(); ++i) {
      if (!kernel_.outputs[i].reduced) print_store(i, offset({Source::Kind::Target, 0}));
    }
    close();
    if (variant_.held > 0) close();
    print_join(loop.reduced);
  }

  /// Whether a loop needs the place of an element in a source.
  bool is_read(const RowPlan::Loop& loop, bool is_last, Source source) const {
    if (source.kind == Source::Kind::Target) return is_last;
    const auto kind = source.kind == Source::Kind::Input ? Instruction::Kind::Input : Instruction::Kind::Iota;
    return std::any_of(loop.computed.begin(), loop.computed.end(), [&](int i) {
      return kernel_.body[i].kind == kind && kernel_.body[i].index == source.index;
    });
  }

  void open_elements() {
    const std::string index = index_, lanes = std::to_string(variant_.lanes);
    if (variant_.held == 0)
      return open("for (" + index + " element = first; element < count; element += " + lanes + ")");
    open("for (uint step = 0; step < " + std::to_string(variant_.held) + "; ++step)");
    line("const " + index + " element = first + step * " + lanes + ";");
    open("if (element < count)");
  }

  std::string joined(int i, const std::string& other) const {
    return sum(i) + " = " + call(function_of(joining(kernel_.body[i].opcode)), sum(i) + ", " + other) + ";";
  }

  /// Every thread of a row gets what all of them have: by exchanges within SIMD-groups, then among these.
  void print_join(const std::vector<int>& reductions) {
    if (reductions.empty()) return;
    const auto exchange = [&](int lanes) {
      if (lanes < 2) return;
      open("for (uint16_t mask = " + std::to_string(lanes / 2) + "; mask > 0; mask /= 2)");
      for (const int i : reductions) line(joined(i, "exchanged(" + sum(i) + ", mask)"));
      close();
    };
    exchange(std::min(variant_.lanes, 32));
    if (groups() < 2) return;
    const std::string count = std::to_string(groups());
    for (const int i : reductions) {
      line(std::string("threadgroup ") + register_type(kernel_.body[i].dtype) + numbered(" shared", i) + "[" +
           count + "];");
      line(numbered("if (lane == 0) shared", i) + "[simdgroup] = " + sum(i) + ";");
    }
    line("threadgroup_barrier(mem_flags::mem_threadgroup);");
    for (const int i : reductions) line(sum(i) + numbered(" = shared", i) + "[lane % " + count + "];");
    exchange(groups());
  }

  void print_row_stores() {
    const bool any = std::any_of(kernel_.outputs.begin(), kernel_.outputs.end(),
                                 [](const KernelOutput& output) { return output.reduced; });
    if (!any) return;
    open("if (exists && first == 0)");
    for (size_t i = 0; i < kernel_.outputs.size(); ++i) {
      if (kernel_.outputs[i].reduced) print_store(i, "row");
    }
    close();
  }

  const RowPlan plan_;
  std::vector<int> declared_;  ///< registers that loops keep for later ones
};

}  // namespace

PrintedKernel print_rows(const FusedKernel& kernel, const std::vector<Source>& sources,
                         const Variant& variant) {
  return RowPrinter(kernel, sources, variant).print();
}

}  // namespace ftrans::metal
