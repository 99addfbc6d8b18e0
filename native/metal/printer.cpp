#include "metal/printer.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include "metal/kernels.h"
#include "metal/supported.h"

namespace ftrans::metal {
namespace {

using Kind = Instruction::Kind;
using Form = Variant::Form;
using Access = Variant::Access;

bool is_half(Dtype dtype) { return dtype == Dtype::Float16 || dtype == Dtype::BFloat16; }

std::string numbered(std::string prefix, int64_t number) { return prefix += std::to_string(number); }

std::string call(const std::string& function, const std::string& a) { return function + "(" + a + ")"; }

/// The register's value as it is in memory, and back.
std::string to_storage(const std::string& value, Dtype dtype) {
  return dtype == Dtype::Bool || is_half(dtype) ? call(storage_type(dtype), value) : value;
}
std::string from_storage(const std::string& value, Dtype dtype) {
  if (dtype == Dtype::Bool) return "(" + value + " != 0)";
  return is_half(dtype) ? call("float", value) : value;
}

std::string hexadecimal(uint64_t bits, const char* suffix) {
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx%s", static_cast<unsigned long long>(bits), suffix);
  return text;
}

/// A constant by its bits, so that every value arrives, NaN too.
std::string literal(const void* bytes, Dtype dtype) {
  const auto bits = [bytes](auto zero, int index = 0) {
    std::memcpy(&zero, static_cast<const char*>(bytes) + index * sizeof zero, sizeof zero);
    return uint64_t{zero};
  };
  const auto float32 = [&](int index) {
    return "as_type<float>(" + hexadecimal(bits(uint32_t{}, index), "u") + ")";
  };
  switch (dtype) {
    case Dtype::Bool: return bits(uint8_t{}) != 0 ? "true" : "false";
    case Dtype::Float32: return float32(0);
    case Dtype::Complex64: return "float2(" + float32(0) + ", " + float32(1) + ")";
    case Dtype::Float16:
    case Dtype::BFloat16:
      return from_storage(std::string("as_type<") + storage_type(dtype) + ">(uint16_t(" +
                              hexadecimal(bits(uint16_t{}), "u") + "))",
                          dtype);
    default: break;
  }
  switch (itemsize(dtype)) {
    case 1: return call(register_type(dtype), hexadecimal(bits(uint8_t{}), "u"));
    case 2: return call(register_type(dtype), hexadecimal(bits(uint16_t{}), "u"));
    case 4: return call(register_type(dtype), hexadecimal(bits(uint32_t{}), "u"));
    default: return call(register_type(dtype), hexadecimal(bits(uint64_t{}), "ul"));
  }
}

/// The operation that joins two accumulators.
Opcode joining(Opcode reduction) {
  switch (reduction) {
    case Opcode::ReduceProd: return Opcode::Mul;
    case Opcode::ReduceMax: return Opcode::Max;
    case Opcode::ReduceMin: return Opcode::Min;
    case Opcode::ReduceOr: return Opcode::Or;
    case Opcode::ReduceAnd: return Opcode::And;
    default: return Opcode::Add;
  }
}

std::string function_of(Opcode opcode) { return std::string("op_") + info(opcode).name; }

std::string converted(const std::string& x, Dtype from, Dtype to) {
  if (from == to) return x;
  if (to == Dtype::Bool) return kind(from) == 'c' ? call("op_is_nonzero", x) : "(" + x + " != 0)";
  if (kind(from) == 'c') return converted(x + ".x", Dtype::Float32, to);
  if (kind(to) == 'c') return "float2(" + converted(x, from, Dtype::Float32) + ", 0.0f)";
  if (is_half(to)) return call(std::string("to_") + name(to), from == Dtype::Bool ? call("float", x) : x);
  if (kind(from) == 'f' && kind(to) != 'f')
    return std::string("saturating<") + register_type(to) + ">(" + x + ")";
  return call(register_type(to), x);
}

std::string bit_cast(const std::string& x, Dtype from, Dtype to) {
  if (from == to) return x;
  return from_storage(std::string("as_type<") + storage_type(to) + ">(" + to_storage(x, from) + ")", to);
}

class Printer {
 public:
  Printer(const FusedKernel& kernel, const std::vector<Source>& sources, const Variant& variant)
      : kernel_(kernel),
        sources_(sources),
        variant_(variant),
        needed_(needed_registers(kernel)),
        index_(variant.wide ? "uint64_t" : "uint32_t") {}

  PrintedKernel print() {
    if (kernel_.inputs.size() + kernel_.outputs.size() > 30) {
      throw std::invalid_argument(
          numbered("metal: a fused kernel takes at most 30 inputs and outputs, not ",
                   static_cast<int64_t>(kernel_.inputs.size() + kernel_.outputs.size())));
    }
    require_supported(kernel_);
    print_body();
    print_signature();
    printed_.name = kernel_name("fused_", text_);
    // Rows are reduced by as many threads as a threadgroup can have.
    const char* most =
        variant_.form == Variant::Form::Rows ? "[[max_total_threads_per_threadgroup(1024)]] " : "";
    printed_.text = most + ("kernel void " + printed_.name + text_);
    printed_.uses_exchange = variant_.form == Form::Rows;
    note_functions();
    return printed_;
  }

 private:
  void line(const std::string& text) { text_ += std::string(2 * depth_, ' ') + text + "\n"; }
  void open(const std::string& text) {
    line(text + " {");
    ++depth_;
  }
  void close() {
    --depth_;
    line("}");
  }

  static std::string reg(int i) { return numbered("r", i); }
  std::string layout(int64_t place) const { return numbered("layout[", place) + "]"; }

  /// Where the parameters of a source begin.
  int64_t place_of(size_t source) const {
    int64_t place = 3 + variant_.kept + variant_.reduced;
    for (size_t i = 0; i < source; ++i) {
      if (variant_.access[i] == Access::Strided) place += 1 + variant_.kept + variant_.reduced;
    }
    return place;
  }

  size_t source_number(Source source) const {
    return static_cast<size_t>(std::find(sources_.begin(), sources_.end(), source) - sources_.begin());
  }

  std::string offset(Source source) const {
    const size_t i = source_number(source);
    switch (variant_.access[i]) {
      case Access::Uniform: return "0";
      case Access::Linear: return "index";
      default: return numbered(variant_.reduced > 0 ? "t" : "s", static_cast<int64_t>(i));
    }
  }

  /// Takes `linear` apart into coordinates along the axes [begin, end) and moves the strided sources' offsets
  /// `name`<i> by them.
  void print_offsets(const char* name, const char* linear, int begin, int end) {
    const bool any =
        std::find(variant_.access.begin(), variant_.access.end(), Access::Strided) != variant_.access.end();
    if (!any || begin == end) return;
    if (end - begin > 1) line(std::string(index_) + " rest_" + name + " = " + linear + ";");
    const std::string rest = end - begin > 1 ? std::string("rest_") + name : linear;
    for (int axis = end - 1; axis >= begin; --axis) {
      const std::string extent = layout(3 + axis), coordinate = axis == begin ? rest : numbered("c", axis);
      if (axis != begin) {
        line(std::string("const ") + index_ + " " + coordinate + " = " + rest + " % " + extent + ";");
        line(rest + " /= " + extent + ";");
      }
      for (size_t i = 0; i < sources_.size(); ++i) {
        if (variant_.access[i] != Access::Strided) continue;
        line(numbered(name, static_cast<int64_t>(i)) + " += " + coordinate + " * " +
             layout(place_of(i) + 1 + axis) + ";");
      }
    }
  }

  void print_kept_offsets(const char* linear) {
    for (size_t i = 0; i < sources_.size(); ++i) {
      if (variant_.access[i] == Access::Strided)
        line(std::string(index_) + numbered(" s", static_cast<int64_t>(i)) + " = " + layout(place_of(i)) +
             ";");
    }
    print_offsets("s", linear, 0, variant_.kept);
  }

  std::string value_of(const Instruction& instruction) const {
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

  void print_values() {
    for (size_t i = 0; i < kernel_.body.size(); ++i) {
      if (!needed_[i]) continue;
      const Instruction& instruction = kernel_.body[i];
      line(std::string("const ") + register_type(instruction.dtype) + " " + reg(static_cast<int>(i)) + " = " +
           value_of(instruction) + ";");
    }
  }

  Dtype dtype_of(const KernelOutput& output) const { return kernel_.body[output.instruction].dtype; }

  void print_stores(const std::string& at) {
    for (size_t i = 0; i < kernel_.outputs.size(); ++i) {
      const KernelOutput& output = kernel_.outputs[i];
      if (output.reduced) continue;
      line(numbered("out", static_cast<int64_t>(i)) + "[" + at +
           "] = " + to_storage(reg(output.instruction), dtype_of(output)) + ";");
    }
  }

  template <class F>
  void for_each_reduction(F f) {
    for (size_t i = 0; i < kernel_.outputs.size(); ++i) {
      if (kernel_.outputs[i].reduced) f(kernel_.outputs[i], std::to_string(i));
    }
  }

  void print_body() {
    depth_ = 1;
    if (variant_.form == Form::Elements) {
      line(std::string("const ") + index_ + " index = " + thread_number() + ";");
      line("if (index >= layout[0]) return;");
      print_kept_offsets("index");
      print_values();
      print_stores("index");
    } else {
      print_reduction();
    }
    text_ += "}\n";
  }

  std::string thread_number() const {
    if (!variant_.wide) return "position.x";
    return "position.x + uint64_t(position.z) * grid.x";
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
    if (variant_.reduced > 0) {
      for (size_t i = 0; i < sources_.size(); ++i) {
        if (variant_.access[i] != Access::Strided) continue;
        const std::string n = std::to_string(i);
        line(std::string(index_) + " t" + n + " = s" + n + ";");
      }
    }
    print_offsets("t", "element", variant_.kept, variant_.kept + variant_.reduced);
    print_values();
    for_each_reduction([&](const KernelOutput& output, const std::string& i) {
      line("a" + i + " = " +
           call(function_of(joining(output.reduction)), "a" + i + ", " + reg(output.instruction)) + ";");
    });
    print_stores(reduces_with_target() ? offset({Source::Kind::Target, 0}) : "0");
    close();
    if (rows) print_row_end();
    const std::string at = "[" + start + ".y * layout[0] + result] = ";
    for_each_reduction([&](const KernelOutput& output, const std::string& i) {
      const Dtype dtype = variant_.partial ? register_dtype(dtype_of(output)) : dtype_of(output);
      line((rows ? "if (thread_number == 0) out" : "out") + i + at + to_storage("a" + i, dtype) + ";");
    });
  }

  bool reduces_with_target() const { return source_number({Source::Kind::Target, 0}) < sources_.size(); }

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

  void print_signature() {
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
    if (variant_.form == Form::Rows) {
      add("uint3 group [[threadgroup_position_in_grid]]");
      add("uint3 threads [[threads_per_threadgroup]]");
      add("uint thread_number [[thread_index_in_threadgroup]]");
      add("uint lane [[thread_index_in_simdgroup]]");
      add("uint simdgroup [[simdgroup_index_in_threadgroup]]");
      add("uint simdgroups [[simdgroups_per_threadgroup]]");
      if (variant_.wide) add("uint3 grid [[threadgroups_per_grid]]");
    } else {
      add("uint3 position [[thread_position_in_grid]]");
      if (variant_.wide) add("uint3 grid [[threads_per_grid]]");
    }
    text_ = parameters + ") {\n" + text_;
  }

  void note_functions() {
    for (size_t i = 0; i < kernel_.body.size(); ++i) {
      const Instruction& instruction = kernel_.body[i];
      if (!needed_[i]) continue;
      printed_.uses_complex |= kind(instruction.dtype) == 'c';
      if (instruction.kind != Kind::Apply) continue;
      printed_.uses_functions |= is_function(instruction.opcode);
      printed_.uses_special |= is_special(instruction.opcode);
      printed_.uses_gamma |= is_gamma(instruction.opcode);
    }
    printed_.uses_special |= printed_.uses_gamma;
    printed_.uses_functions |= printed_.uses_special || printed_.uses_complex;
  }

  const FusedKernel& kernel_;
  const std::vector<Source>& sources_;
  const Variant& variant_;
  std::vector<bool> needed_;
  const char* index_;
  PrintedKernel printed_;
  std::string text_;
  size_t depth_ = 0;
};

}  // namespace

const char* register_type(Dtype dtype) {
  switch (dtype) {
    case Dtype::Bool: return "bool";
    case Dtype::Int8: return "int8_t";
    case Dtype::Int16: return "int16_t";
    case Dtype::Int32: return "int32_t";
    case Dtype::Int64: return "int64_t";
    case Dtype::UInt8: return "uint8_t";
    case Dtype::UInt16: return "uint16_t";
    case Dtype::UInt32: return "uint32_t";
    case Dtype::UInt64: return "uint64_t";
    case Dtype::Complex64: return "float2";
    default: return "float";
  }
}

const char* storage_type(Dtype dtype) {
  switch (dtype) {
    case Dtype::Bool: return "uint8_t";
    case Dtype::Float16: return "half";
    case Dtype::BFloat16: return "bfloat";
    default: return register_type(dtype);
  }
}

std::string identity(Opcode reduction, Dtype dtype) {
  const Dtype held = register_dtype(dtype);
  const int width = static_cast<int>(itemsize(dtype)) * 8;
  const uint64_t top = uint64_t{1} << (width - 1);
  const bool is_signed = kind(dtype) == 'i';
  uint64_t bits = 0;
  switch (reduction) {
    case Opcode::ReduceProd:
      bits = held == Dtype::Float32 || held == Dtype::Complex64 ? 0x3f800000 : 1;
      break;
    case Opcode::ReduceMax: bits = held == Dtype::Float32 ? 0xff800000 : is_signed ? top : 0; break;
    case Opcode::ReduceMin:
      bits = held == Dtype::Float32 ? 0x7f800000 : is_signed ? top - 1 : (top - 1) | top;
      break;
    case Opcode::ReduceAnd: bits = ~uint64_t{0}; break;
    default: break;
  }
  return literal(&bits, held);
}

std::string kernel_name(const std::string& prefix, const std::string& text) {
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return prefix + hexadecimal(hash, "").substr(2);
}

Dtype register_dtype(Dtype dtype) { return is_half(dtype) ? Dtype::Float32 : dtype; }

PrintedKernel print(const FusedKernel& kernel, const std::vector<Source>& sources, const Variant& variant) {
  return Printer(kernel, sources, variant).print();
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
