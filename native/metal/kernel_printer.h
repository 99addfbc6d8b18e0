#pragma once

#include <functional>
#include <string>
#include <vector>

#include "metal/printer.h"

namespace ftrans::metal {

/// What the printers of all forms of fused kernels share: the text, the offsets of the sources, the values of
/// registers.
class KernelPrinter {
 public:
  KernelPrinter(const FusedKernel& kernel, const std::vector<Source>& sources, const Variant& variant)
      : kernel_(kernel),
        sources_(sources),
        variant_(variant),
        needed_(needed_registers(kernel)),
        index_(variant.wide ? "uint64_t" : "uint32_t") {}

 protected:
  using Access = Variant::Access;

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
  static std::string layout(int64_t place) { return numbered("layout[", place) + "]"; }

  Access access(size_t source) const { return variant_.access[source]; }
  size_t source_number(Source source) const;
  /// The offset of a source's element.
  std::string offset(Source source) const;

  /// `s`<i> of the sources that have offsets, moved by what `linear` gives along the kept axes.
  void print_kept_offsets(const std::string& linear);
  /// `t`<i> of those sources that change along the reduced axes, and that `is_read` tells: `s`<i> moved by
  /// what `linear` gives along these axes.
  void print_reduced_offsets(const std::string& linear, const std::function<bool(Source)>& is_read);

  std::string value_of(const Instruction& instruction) const;
  void print_register(int i);
  void print_store(size_t output, const std::string& at);

  /// Which library functions the registers need.
  void note_functions(PrintedKernel& printed) const;

  Dtype dtype_of(const KernelOutput& output) const { return kernel_.body[output.instruction].dtype; }

  /// The whole kernel around the body that has been printed; `positions` are the parameters that tell a
  /// thread where it is, `most_threads` of a threadgroup (0: as many as the device decides).
  PrintedKernel finish(const std::vector<std::string>& positions, int most_threads);

  const FusedKernel& kernel_;
  const std::vector<Source>& sources_;
  const Variant& variant_;
  std::vector<bool> needed_;
  const char* index_;  ///< type of offsets
  std::string text_;
  size_t depth_ = 1;

 private:
  bool has_offset(size_t source) const {
    return access(source) == Access::Strided || access(source) == Access::Row;
  }
  /// Where the parameters of a source begin.
  int64_t place_of(size_t source) const;
  /// Takes `linear` apart into coordinates along the axes [begin, end) and moves the offsets `name`<i> of
  /// `moved` sources by them.
  void print_offsets(const char* name, const std::string& linear, int begin, int end,
                     const std::vector<size_t>& moved);
  std::string signature(const std::vector<std::string>& positions) const;
};

}  // namespace ftrans::metal
