#pragma once

#include <string>
#include <vector>

namespace ftrans::metal::host {

/// A parameter of a kernel.
struct Parameter {
  enum class Kind { Buffer, Threadgroup, Position };
  Kind kind;
  std::string type;       ///< as written, without name and attribute
  int index = 0;          ///< of a Buffer or Threadgroup
  std::string attribute;  ///< of a Position: the name of the field in ThreadContext
};

struct KernelSignature {
  std::string name;
  std::vector<Parameter> parameters;
};

/// MSL made ready for a C++ compiler.
struct HostSource {
  std::string text;  ///< `threadgroup` variables are shared by the threads of a threadgroup
  std::vector<KernelSignature> kernels;
  bool cooperative = false;  ///< threads wait for each other somewhere

  /// C++ functions `ftrans_run_<kernel>(ThreadContext*)`, which call the kernels with what is bound.
  std::string entry_points() const;
};

/// Throws CompileError for what is no MSL, or more of it than the kernels here use.
HostSource prepare(const std::string& msl);

}  // namespace ftrans::metal::host
