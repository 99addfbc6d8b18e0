#include "metal/steps/kernel_call.h"

#include <cstring>

namespace ftrans::metal {
namespace {

std::string joined(const std::vector<std::string>& words, const char* separator) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : separator) + word;
  return text;
}

/// What tells a thread where it is: parameters of the kernel, and arguments of the function.
void add_position(const KernelCall& call, std::vector<std::string>& parameters,
                  std::vector<std::string>& arguments) {
  const auto add = [&](const std::string& type, const std::string& variable, const char* attribute) {
    parameters.push_back(type + " " + variable + " [[" + attribute + "]]");
    if (call.form != KernelCall::Form::Place) arguments.push_back(variable);
  };
  switch (call.form) {
    case KernelCall::Form::Grid:
      add("uint3", "position", "thread_position_in_grid");
      add("uint3", "threads", "threads_per_grid");
      break;
    case KernelCall::Form::Groups:
      add("uint3", "group", "threadgroup_position_in_grid");
      add("uint3", "position", "thread_position_in_threadgroup");
      add("uint3", "threads", "threads_per_threadgroup");
      break;
    case KernelCall::Form::Place:
      add("uint3", "group", "threadgroup_position_in_grid");
      add("uint3", "grid", "threadgroups_per_grid");
      add("uint3", "threads", "threads_per_threadgroup");
      add("uint", "number", "thread_index_in_threadgroup");
      add("uint", "lane", "thread_index_in_simdgroup");
      add("uint", "simdgroup", "simdgroup_index_in_threadgroup");
      arguments.push_back("Position<" + call.index + ">{" + call.index + "(group.y) * " + call.index +
                          "(grid.x) + " + call.index + "(group.x), number, threads.x, lane, simdgroup}");
  }
}

}  // namespace

PrintedKernel KernelCall::printed() const {
  std::vector<std::string> parameters, arguments;
  std::string arrays;
  for (size_t i = 0; i < buffers.size(); ++i) {
    arguments.push_back("buffer" + std::to_string(i));
    parameters.push_back(buffers[i] + " " + arguments.back() + " [[buffer(" + std::to_string(i) + ")]]");
  }
  for (size_t i = 0; i < shared.size(); ++i) {
    arguments.push_back("shared" + std::to_string(i));
    arrays += "  threadgroup " + shared[i].type + " " + arguments.back() + "[" +
              std::to_string(shared[i].count) + "];\n";
  }
  if (!literal.empty()) arguments.push_back(literal);
  add_position(*this, parameters, arguments);
  const std::string text = "(" + joined(parameters, ",\n    ") + ") {\n" + arrays + "  " + function + "<" +
                           joined(types, ", ") + ">(" + joined(arguments, ", ") + ");\n}\n";
  PrintedKernel kernel;
  kernel.name = kernel_name(function.substr(function.rfind(':') + 1) + "_", text);
  kernel.text = "[[max_total_threads_per_threadgroup(" + std::to_string(kThreadsPerGroup) +
                ")]] kernel void " + kernel.name + text;
  kernel.sources = sources;
  return kernel;
}

void Numbers::append(int64_t value) {
  const size_t size = wide_ ? 8 : 4, end = bytes_.size();
  bytes_.resize(end + size);
  const uint32_t narrow = static_cast<uint32_t>(value);
  if (wide_) {
    std::memcpy(bytes_.data() + end, &value, size);
  } else {
    std::memcpy(bytes_.data() + end, &narrow, size);
  }
}

void record(Encoder& encoder, const PrintedKernel& kernel, const std::vector<Place>& memory,
            const std::vector<std::vector<unsigned char>>& constants, const Grid& grid) {
  Recording& recording = encoder.recording();
  recording.set_pipeline(encoder.pipelines().get(kernel));
  int index = 0;
  for (const Place& place : memory) recording.set_memory(index++, *place.memory, place.offset);
  for (const auto& bytes : constants) recording.set_bytes(index++, bytes.data(), bytes.size());
  recording.dispatch(grid.groups, grid.threads);
}

}  // namespace ftrans::metal
