#include "metal/kernel_printer.h"

#include <algorithm>

#include "metal/supported.h"

namespace ftrans::metal {

using Kind = Instruction::Kind;

size_t KernelPrinter::source_number(Source source) const {
  return static_cast<size_t>(std::find(sources_.begin(), sources_.end(), source) - sources_.begin());
}

int64_t KernelPrinter::place_of(size_t source) const {
  int64_t place = 3 + variant_.kept + variant_.reduced;
  for (size_t i = 0; i < source; ++i) {
    if (has_offset(i)) place += 1 + variant_.kept + variant_.reduced;
  }
  return place;
}

std::string KernelPrinter::offset(Source source) const {
  const size_t i = source_number(source);
  switch (access(i)) {
    case Access::Uniform: return "0";
    case Access::Linear: return "index";
    case Access::Row: return numbered("s", static_cast<int64_t>(i));
    default: return numbered(variant_.reduced > 0 ? "t" : "s", static_cast<int64_t>(i));
  }
}

void KernelPrinter::print_offsets(const char* name, const std::string& linear, int begin, int end,
                                  const std::vector<size_t>& moved) {
  if (moved.empty() || begin == end) return;
  if (end - begin > 1) line(std::string(index_) + " rest_" + name + " = " + linear + ";");
  const std::string rest = end - begin > 1 ? std::string("rest_") + name : linear;
  for (int axis = end - 1; axis >= begin; --axis) {
    const std::string extent = layout(3 + axis), coordinate = axis == begin ? rest : numbered("c", axis);
    if (axis != begin) {
      line(std::string("const ") + index_ + " " + coordinate + " = " + rest + " % " + extent + ";");
      line(rest + " /= " + extent + ";");
    }
    for (const size_t i : moved)
      line(numbered(name, static_cast<int64_t>(i)) + " += " + coordinate + " * " +
           layout(place_of(i) + 1 + axis) + ";");
  }
}

void KernelPrinter::print_kept_offsets(const std::string& linear) {
  std::vector<size_t> moved;
  for (size_t i = 0; i < sources_.size(); ++i) {
    if (!has_offset(i)) continue;
    moved.push_back(i);
    line(std::string(index_) + numbered(" s", static_cast<int64_t>(i)) + " = " + layout(place_of(i)) + ";");
  }
  print_offsets("s", linear, 0, variant_.kept, moved);
}

void KernelPrinter::print_reduced_offsets(const std::string& linear,
                                          const std::function<bool(Source)>& is_read) {
  if (variant_.reduced == 0) return;
  std::vector<size_t> moved;
  for (size_t i = 0; i < sources_.size(); ++i) {
    if (access(i) != Access::Strided || !is_read(sources_[i])) continue;
    moved.push_back(i);
    const std::string n = std::to_string(i);
    line(std::string(index_) + " t" + n + " = s" + n + ";");
  }
  print_offsets("t", linear, variant_.kept, variant_.kept + variant_.reduced, moved);
}

std::string KernelPrinter::value_of(const Instruction& instruction) const {
  const Dtype dtype = instruction.dtype;
  switch (instruction.kind) {
    case Kind::Input: {
      const std::string element =
          numbered("in", instruction.index) + "[" + offset({Source::Kind::Input, instruction.index}) + "]";
      return from_storage(element, kernel_.inputs[instruction.index]);
    }
    case Kind::Constant: return literal(instruction.constant.bytes, dtype);
    case Kind::Iota: {
      const std::string at = offset({Source::Kind::Coordinate, instruction.index});
      return converted(call("int64_t", at), Dtype::Int64, dtype);
    }
    case Kind::Piece:  // of the processor's kernels only
    case Kind::Apply: break;
  }
  const Dtype from = kernel_.body[instruction.operands[0]].dtype;
  const std::string x = reg(instruction.operands[0]);
  if (instruction.opcode == Opcode::Convert) return converted(x, from, dtype);
  if (instruction.opcode == Opcode::Bitcast) return bit_cast(x, from, dtype);
  std::string function = function_of(instruction.opcode);
  if (instruction.opcode == Opcode::Nextafter && is_half(from)) function += std::string("_") + name(from);
  std::string arguments = x;
  for (int i = 1; i < 3 && instruction.operands[i] >= 0; ++i)
    arguments += ", " + reg(instruction.operands[i]);
  return call(function, arguments);
}

void KernelPrinter::print_register(int i) {
  const Instruction& instruction = kernel_.body[i];
  line(std::string("const ") + register_type(instruction.dtype) + " " + reg(i) + " = " +
       value_of(instruction) + ";");
}

void KernelPrinter::print_store(size_t output, const std::string& at) {
  const KernelOutput& stored = kernel_.outputs[output];
  line(numbered("out", static_cast<int64_t>(output)) + "[" + at +
       "] = " + to_storage(reg(stored.instruction), dtype_of(stored)) + ";");
}

std::string KernelPrinter::signature(const std::vector<std::string>& positions) const {
  std::string parameters;
  int buffer = 0;
  const auto add = [&](const std::string& declaration) {
    parameters += (parameters.empty() ? "(" : ",\n    ") + declaration;
  };
  const auto add_buffer = [&](const std::string& declaration, int place) {
    add(declaration + numbered(" [[buffer(", place) + ")]]");
  };
  for (size_t i = 0; i < kernel_.inputs.size(); ++i, ++buffer) {
    if (source_number({Source::Kind::Input, static_cast<int>(i)}) == sources_.size()) continue;
    add_buffer(std::string("device const ") + storage_type(kernel_.inputs[i]) + "* in" + std::to_string(i),
               buffer);
  }
  for (size_t i = 0; i < kernel_.outputs.size(); ++i, ++buffer) {
    const KernelOutput& output = kernel_.outputs[i];
    const Dtype dtype =
        variant_.partial && output.reduced ? register_dtype(dtype_of(output)) : dtype_of(output);
    add_buffer(std::string("device ") + storage_type(dtype) + "* out" + std::to_string(i), buffer);
  }
  add_buffer(std::string("constant ") + index_ + "* layout", buffer);
  for (const std::string& position : positions) add(position);
  return parameters + ") {\n";
}

void KernelPrinter::note_functions(PrintedKernel& printed) const {
  for (size_t i = 0; i < kernel_.body.size(); ++i) {
    const Instruction& instruction = kernel_.body[i];
    if (!needed_[i]) continue;
    printed.uses_complex |= kind(instruction.dtype) == 'c';
    if (instruction.kind != Kind::Apply) continue;
    printed.uses_functions |= is_function(instruction.opcode);
    printed.uses_special |= is_special(instruction.opcode);
    printed.uses_gamma |= is_gamma(instruction.opcode);
  }
  printed.uses_special |= printed.uses_gamma;
  printed.uses_functions |= printed.uses_special || printed.uses_complex;
}

PrintedKernel KernelPrinter::finish(const std::vector<std::string>& positions, int most_threads) {
  PrintedKernel printed;
  const std::string text = signature(positions) + text_ + "}\n";
  printed.name = kernel_name("fused_", text);
  if (most_threads > 0)
    printed.text = "[[max_total_threads_per_threadgroup(" + std::to_string(most_threads) + ")]] ";
  printed.text += "kernel void " + printed.name + text;
  note_functions(printed);
  return printed;
}

}  // namespace ftrans::metal
