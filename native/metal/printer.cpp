#include "metal/printer.h"

#include <algorithm>
#include <stdexcept>

#include "metal/kernel_printer.h"
#include "metal/kernels.h"
#include "metal/row_printer.h"
#include "metal/supported.h"

namespace ftrans::metal {
namespace {

using Form = Variant::Form;

/// A thread an element.
class ElementPrinter : KernelPrinter {
 public:
  using KernelPrinter::KernelPrinter;

  PrintedKernel print() {
    std::vector<std::string> positions = {"uint3 position [[thread_position_in_grid]]"};
    if (variant_.wide) positions.push_back("uint3 grid [[threads_per_grid]]");
    line(std::string("const ") + index_ + " index = position.x" +
         (variant_.wide ? " + uint64_t(position.z) * grid.x;" : ";"));
    line("if (index >= layout[0]) return;");
    print_kept_offsets("index");
    for (size_t i = 0; i < kernel_.body.size(); ++i) {
      if (needed_[i]) print_register(static_cast<int>(i));
    }
    for (size_t i = 0; i < kernel_.outputs.size(); ++i) print_store(i, "index");
    return finish(positions, 0);
  }
};

/// A threadgroup or a thread a result.
class ReductionPrinter : KernelPrinter {
 public:
  using KernelPrinter::KernelPrinter;

  PrintedKernel print() {
    const bool rows = variant_.form == Form::Rows;
    print_reduction();
    std::vector<std::string> positions = {"uint3 position [[thread_position_in_grid]]"};
    if (rows)
      positions = {"uint3 group [[threadgroup_position_in_grid]]",
                   "uint3 threads [[threads_per_threadgroup]]",
                   "uint thread_number [[thread_index_in_threadgroup]]",
                   "uint lane [[thread_index_in_simdgroup]]",
                   "uint simdgroup [[simdgroup_index_in_threadgroup]]",
                   "uint simdgroups [[simdgroups_per_threadgroup]]"};
    if (variant_.wide)
      positions.push_back(rows ? "uint3 grid [[threadgroups_per_grid]]" : "uint3 grid [[threads_per_grid]]");
    PrintedKernel printed = finish(positions, rows ? 1024 : 0);
    printed.uses_exchange = rows;
    return printed;
  }

 private:
  template <class F>
  void for_each_reduction(F f) {
    for (size_t i = 0; i < kernel_.outputs.size(); ++i) {
      if (kernel_.outputs[i].reduced) f(kernel_.outputs[i], std::to_string(i));
    }
  }

  void print_reduction() {
    const bool rows = variant_.form == Form::Rows;
    const std::string start = rows ? "group" : "position";
    line(std::string("const ") + index_ + " result = " +
         (variant_.wide ? start + ".x + uint64_t(" + start + ".z) * grid.x" : start + ".x") + ";");
    line("if (result >= layout[0]) return;");
    line(std::string("const ") + index_ + " begin = " + start + ".y * layout[2];");
    line(std::string("const ") + index_ + " end = min(begin + layout[2], layout[1]);");
    print_kept_offsets("result");
    for_each_reduction([&](const KernelOutput& output, const std::string& i) {
      line(std::string(register_type(dtype_of(output))) + " a" + i + " = " +
           identity(output.reduction, dtype_of(output)) + ";");
    });
    open(std::string("for (") + index_ + " element = begin" + (rows ? " + thread_number" : "") +
         "; element < end; element += " + (rows ? "threads.x" : "1") + ")");
    print_reduced_offsets("element", [](Source) { return true; });
    for (size_t i = 0; i < kernel_.body.size(); ++i) {
      if (needed_[i]) print_register(static_cast<int>(i));
    }
    for_each_reduction([&](const KernelOutput& output, const std::string& i) {
      line("a" + i + " = " +
           call(function_of(joining(output.reduction)), "a" + i + ", " + reg(output.instruction)) + ";");
    });
    for (size_t i = 0; i < kernel_.outputs.size(); ++i) {
      if (!kernel_.outputs[i].reduced) print_store(i, offset({Source::Kind::Target, 0}));
    }
    close();
    if (rows) print_row_end();
    const std::string at = "[" + start + ".y * layout[0] + result] = ";
    for_each_reduction([&](const KernelOutput& output, const std::string& i) {
      const Dtype dtype = variant_.partial ? register_dtype(dtype_of(output)) : dtype_of(output);
      line((rows ? "if (thread_number == 0) out" : "out") + i + at + to_storage("a" + i, dtype) + ";");
    });
  }

  /// The threads of a threadgroup join their accumulators: within SIMD-groups, then the first one those of
  /// all.
  void print_row_end() {
    for_each_reduction([&](const KernelOutput& output, const std::string& i) {
      line(std::string("threadgroup ") + register_type(dtype_of(output)) + " shared" + i + "[32];");
    });
    const auto join_lanes = [&] {
      open("for (uint16_t mask = 16; mask > 0; mask /= 2)");
      for_each_reduction([&](const KernelOutput& output, const std::string& i) {
        line("a" + i + " = " +
             call(function_of(joining(output.reduction)), "a" + i + ", exchanged(a" + i + ", mask)") + ";");
      });
      close();
    };
    join_lanes();
    open("if (lane == 0)");
    for_each_reduction(
        [&](const KernelOutput&, const std::string& i) { line("shared" + i + "[simdgroup] = a" + i + ";"); });
    close();
    line("threadgroup_barrier(mem_flags::mem_threadgroup);");
    line("if (simdgroup != 0) return;");
    for_each_reduction([&](const KernelOutput& output, const std::string& i) {
      line("a" + i + " = " + identity(output.reduction, dtype_of(output)) + ";");
      line("if (lane < simdgroups) a" + i + " = shared" + i + "[lane];");
    });
    join_lanes();
  }
};

}  // namespace

std::string kernel_name(const std::string& prefix, const std::string& text) {
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return prefix + hexadecimal(hash, "").substr(2);
}

PrintedKernel print(const FusedKernel& kernel, const std::vector<Source>& sources, const Variant& variant) {
  if (kernel.inputs.size() + kernel.outputs.size() > 30) {
    throw std::invalid_argument(numbered("metal: a fused kernel takes at most 30 inputs and outputs, not ",
                                         static_cast<int64_t>(kernel.inputs.size() + kernel.outputs.size())));
  }
  require_supported(kernel);
  switch (variant.form) {
    case Form::Elements: return ElementPrinter(kernel, sources, variant).print();
    case Form::Phases: return print_rows(kernel, sources, variant);
    default: return ReductionPrinter(kernel, sources, variant).print();
  }
}

std::string library_source(const std::vector<PrintedKernel>& kernels) {
  const auto any = [&](bool PrintedKernel::* uses) {
    return std::any_of(kernels.begin(), kernels.end(), [&](const PrintedKernel& each) { return each.*uses; });
  };
  std::string text = "#include <metal_stdlib>\nusing namespace metal;\n";
  text += kNumbersSource;
  if (any(&PrintedKernel::uses_functions)) text += kFunctionsSource;
  if (any(&PrintedKernel::uses_complex)) text += kComplexSource;
  if (any(&PrintedKernel::uses_special)) text += kSpecialSource;
  if (any(&PrintedKernel::uses_gamma)) text += kGammaSource;
  if (any(&PrintedKernel::uses_exchange)) text += kReductionsSource;
  std::vector<const char*> included;
  for (const PrintedKernel& each : kernels) {
    for (const char* source : each.sources) {
      if (std::find(included.begin(), included.end(), source) != included.end()) continue;
      included.push_back(source);
      text += source;
    }
  }
  for (const PrintedKernel& each : kernels) text += "\n" + each.text;
  return text;
}

}  // namespace ftrans::metal
