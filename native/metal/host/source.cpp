#include "metal/host/source.h"

#include <algorithm>
#include <map>
#include <regex>

#include "metal/api.h"
#include "metal/source_text.h"

namespace ftrans::metal::host {
namespace {

/// Comments become spaces, so that places in the text stay the same.
std::string without_comments(std::string text) {
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] != '/' || (text[i + 1] != '/' && text[i + 1] != '*')) continue;
    const bool block = text[i + 1] == '*';
    size_t end = text.find(block ? "*/" : "\n", i + 2);
    end = end == std::string::npos ? text.size() : end + (block ? 2 : 0);
    for (; i < end; ++i) {
      if (text[i] != '\n') text[i] = ' ';
    }
  }
  return text;
}

std::string trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\n");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t\n") - begin + 1);
}

int line_of(const std::string& text, size_t place) {
  return 1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<long>(place), '\n'));
}

[[noreturn]] void refuse(const std::string& text, size_t place, const std::string& reason) {
  std::string message = "line ";
  message += std::to_string(line_of(text, place)) + ": " + reason + "\n" + with_line_numbers(text);
  throw CompileError(message);
}

/// Where the bracket that opens at `open` closes.
size_t closing(const std::string& text, size_t open) {
  int depth = 0;
  for (size_t i = open; i < text.size(); ++i) {
    if (text[i] == '(') ++depth;
    if (text[i] == ')' && --depth == 0) return i;
  }
  refuse(text, open, "a parenthesis is never closed");
}

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  int depth = 0;
  size_t begin = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && (text[i] == '(' || text[i] == '[' || text[i] == '<')) ++depth;
    if (i < text.size() && (text[i] == ')' || text[i] == ']' || text[i] == '>')) --depth;
    if (i == text.size() || (text[i] == ',' && depth == 0)) {
      const std::string part = trimmed(text.substr(begin, i - begin));
      if (!part.empty()) parts.push_back(part);
      begin = i + 1;
    }
  }
  return parts;
}

const std::map<std::string, std::string>& position_fields() {
  static const auto* fields = new std::map<std::string, std::string>{
      {"thread_position_in_grid", "position_in_grid"},
      {"thread_position_in_threadgroup", "position_in_threadgroup"},
      {"threadgroup_position_in_grid", "threadgroup_position"},
      {"threads_per_threadgroup", "threads_per_threadgroup"},
      {"threadgroups_per_grid", "threadgroups_per_grid"},
      {"threads_per_grid", "threads_per_grid"},
      {"thread_index_in_threadgroup", "&index_in_threadgroup"},
      {"thread_index_in_simdgroup", "&lane"},
      {"simdgroup_index_in_threadgroup", "&simdgroup"},
      {"simdgroups_per_threadgroup", "&simdgroups"},
  };
  return *fields;
}

Parameter parse_parameter(const std::string& text, size_t place, const std::string& declaration) {
  static const std::regex form(
      R"(^([\s\S]*[\s*&])([A-Za-z_]\w*)\s*\[\[\s*(\w+)\s*(?:\(\s*(\d+)\s*\))?\s*\]\]$)");
  std::smatch match;
  if (!std::regex_match(declaration, match, form))
    refuse(text, place, "a parameter of a kernel needs one [[attribute]]: " + declaration);
  Parameter parameter;
  parameter.type = trimmed(match[1]);
  const std::string attribute = match[3];
  if (attribute == "buffer" || attribute == "threadgroup") {
    parameter.kind = attribute == "buffer" ? Parameter::Kind::Buffer : Parameter::Kind::Threadgroup;
    parameter.index = match[4].matched ? std::stoi(match[4]) : 0;
    if (parameter.index > 30) refuse(text, place, "an index is above 30: " + declaration);
    const char last = parameter.type.back();
    if (last != '*' && last != '&')
      refuse(text, place, "a buffer or threadgroup parameter is a pointer or a reference: " + declaration);
    return parameter;
  }
  const auto field = position_fields().find(attribute);
  if (field == position_fields().end()) refuse(text, place, "an unknown attribute: " + declaration);
  parameter.kind = Parameter::Kind::Position;
  parameter.attribute = field->second;
  return parameter;
}

std::vector<KernelSignature> find_kernels(const std::string& text) {
  static const std::regex form(R"((?:\bkernel\b|\[\[\s*kernel\s*\]\])\s+void\s+([A-Za-z_]\w*)\s*\()");
  std::vector<KernelSignature> kernels;
  for (std::sregex_iterator it(text.begin(), text.end(), form), end; it != end; ++it) {
    const size_t open = static_cast<size_t>(it->position() + it->length() - 1);
    KernelSignature kernel{(*it)[1], {}};
    for (const std::string& declaration :
         split_at_commas(text.substr(open + 1, closing(text, open) - open - 1))) {
      kernel.parameters.push_back(parse_parameter(text, open, declaration));
    }
    kernels.push_back(std::move(kernel));
  }
  return kernels;
}

std::string without_attributes(std::string text) {
  for (size_t begin = text.find("[["); begin != std::string::npos; begin = text.find("[[", begin)) {
    const size_t end = text.find("]]", begin);
    if (end == std::string::npos) refuse(text, begin, "an attribute is never closed");
    text.replace(begin, end + 2 - begin, end + 2 - begin, ' ');
  }
  return text;
}

/// A variable in threadgroup memory is a reference to what all threads of the threadgroup share.
std::string share_threadgroup_variables(const std::string& text) {
  static const std::regex statement(R"(([;{}]\s*)threadgroup\s+([^;{}()=*&]+)(?=;))");
  static const std::regex declaration(R"(^([A-Za-z_][\w:<>, ]*?)\s+([A-Za-z_]\w*)\s*((?:\[[^\]]*\]\s*)*)$)");
  std::string result;
  size_t done = 0;
  int number = 0;
  for (std::sregex_iterator it(text.begin(), text.end(), statement), end; it != end; ++it) {
    const std::string declared = trimmed((*it)[2]);
    std::smatch match;
    if (!std::regex_match(declared, match, declaration) || match[1].str().find(',') != std::string::npos)
      refuse(text, static_cast<size_t>(it->position()),
             "declare one threadgroup variable at a time: " + declared);
    result += text.substr(done, static_cast<size_t>(it->position()) - done) + (*it)[1].str() + "auto& " +
              match[2].str() + " = ::ftrans::metal::host::threadgroup_variable<" + match[1].str() +
              match[3].str() + ">(" + std::to_string(number++) + ")";
    done = static_cast<size_t>(it->position() + it->length());
  }
  return result + text.substr(done);
}

}  // namespace

HostSource prepare(const std::string& msl) {
  HostSource source;
  const std::string text = without_comments(msl);
  source.kernels = find_kernels(text);
  source.text = share_threadgroup_variables(without_attributes(text));
  source.cooperative = std::regex_search(text, std::regex(R"(barrier\s*\(|\bsimd_|\bsimdgroup_)"));
  return source;
}

std::string HostSource::entry_points() const {
  std::string result =
      "\n#define FTRANS_EXPORT extern \"C\" __attribute__((visibility(\"default\"), "
      "no_sanitize(\"thread\"), no_sanitize_coverage))\n"
      "FTRANS_EXPORT void ftrans_connect(ftrans::metal::host::ThreadContext* (*running_thread)()) {\n"
      "  ftrans::metal::host::running_thread = running_thread;\n}\n";
  for (const KernelSignature& each : kernels) {
    result += "FTRANS_EXPORT void ftrans_run_" + each.name + "(ftrans::metal::host::ThreadContext* c) {\n  " +
              each.name + "(";
    bool first = true;
    for (const Parameter& parameter : each.parameters) {
      if (!first) result += ", ";
      first = false;
      if (parameter.kind == Parameter::Kind::Position) {
        const bool scalar = parameter.attribute[0] == '&';
        result += std::string("::ftrans::metal::host::Position{") + (scalar ? "&" : "") + "c->" +
                  parameter.attribute.substr(scalar ? 1 : 0) + "}";
        continue;
      }
      const bool is_buffer = parameter.kind == Parameter::Kind::Buffer;
      result += "::ftrans::metal::host::Binding<" + parameter.type + ">::get(c->" +
                (is_buffer ? "buffers" : "threadgroup_arguments") + "[" + std::to_string(parameter.index) +
                "])";
    }
    result += ");\n}\n";
  }
  return result;
}

}  // namespace ftrans::metal::host
