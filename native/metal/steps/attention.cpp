#include "metal/steps/attention.h"

#include <algorithm>
#include <array>
#include <limits>

#include "metal/kernel_printer.h"
#include "metal/kernels.h"
#include "metal/steps/side.h"
#include "metal/supported.h"

namespace ftrans::metal {
namespace {

/// How the kernel's tiles are, for the longest rows that it multiplies.
struct Tiles {
  int keys, width;
  explicit Tiles(int64_t widest)
      : keys(widest > 64 ? 16 : 32),
        width(widest > 64   ? 128
              : widest > 32 ? 64
                            : 32) {}
};
constexpr uint32_t kQueries = 32, kThreads = 128;

/// Of queries, keys, values and results in memory.
using Types = std::array<std::string, 4>;

/// Prints the scores as a structure with a function, and a kernel that calls `attend` with it.
class AttentionPrinter : KernelPrinter {
 public:
  AttentionPrinter(const AttentionKernel& kernel, const std::vector<Source>& sources, const Variant& variant,
                   const Tiles& tiles, const Types& types)
      : KernelPrinter(kernel.scores, sources, variant), attention_(kernel), tiles_(tiles), types_(types) {}

  PrintedKernel print() {
    print_score();
    const std::string name = kernel_name("attend_", text_ + arguments());
    const std::string scores = "Scores_" + name;
    PrintedKernel printed;
    printed.name = name;
    printed.text = "struct " + scores + " {\n" + text_ + "};\n[[max_total_threads_per_threadgroup(" +
                   std::to_string(kThreads) + ")]] kernel void " + name + signature() + body(scores);
    printed.sources = {kStepsSource, kAttentionSource};
    note_functions(printed);
    printed.uses_functions = true;  // the exponential
    return printed;
  }

 private:
  const char* number() const { return variant_.wide ? "int64_t" : "int32_t"; }

  void print_score() {
    for (size_t i = 0; i < kernel_.inputs.size(); ++i) {
      if (is_bound(i)) line(type_of(i) + " in" + std::to_string(i) + ";");
    }
    line(std::string("constant ") + index_ + "* layout;");
    open(std::string("float at(float product, ") + index_ + " index)");
    print_kept_offsets("index");
    for (size_t i = 0; i < kernel_.body.size(); ++i) {
      if (!needed_[i]) continue;
      const Instruction& instruction = kernel_.body[i];
      const bool is_product =
          instruction.kind == Instruction::Kind::Input && instruction.index == attention_.product;
      if (is_product) {
        line("const float " + reg(static_cast<int>(i)) + " = product;");
      } else {
        print_register(static_cast<int>(i));
      }
    }
    line("return " + reg(kernel_.outputs[0].instruction) + ";");
    close();
  }

  bool is_bound(size_t input) const {
    return static_cast<int32_t>(input) != attention_.product &&
           source_number({Source::Kind::Input, static_cast<int>(input)}) < sources_.size();
  }
  std::string type_of(size_t input) const {
    return std::string("device const ") + storage_type(kernel_.inputs[input]) + "*";
  }

  std::string signature() const {
    const std::string index = number();
    int buffer = 0;
    std::string text = "(";
    const auto add = [&](const std::string& declaration) {
      text += declaration + numbered(" [[buffer(", buffer++) + ")]],\n    ";
    };
    add("device const " + types_[0] + "* query");
    add("device const " + types_[1] + "* key");
    add("device const " + types_[2] + "* value");
    add("device " + types_[3] + "* out");
    add("constant AttentionLayout<" + index + ">& shape");
    add("constant Axis<" + index + ">* axes");
    add(std::string("constant ") + index_ + "* layout");
    for (size_t i = 0; i < kernel_.inputs.size(); ++i) {
      if (static_cast<int32_t>(i) == attention_.product) continue;
      if (is_bound(i)) {
        add(type_of(i) + " in" + std::to_string(i));
      } else {
        ++buffer;
      }
    }
    return text +
           "uint3 group [[threadgroup_position_in_grid]],\n    uint3 grid [[threadgroups_per_grid]],\n    "
           "uint number [[thread_index_in_threadgroup]],\n    uint lane [[thread_index_in_simdgroup]],\n    "
           "uint simdgroup [[simdgroup_index_in_threadgroup]]) {\n";
  }

  /// Template arguments behind the scores.
  std::string arguments() const {
    const auto truth = [](bool value) { return value ? ", true" : ", false"; };
    return types_[0] + ", " + types_[1] + ", " + types_[2] + ", " + types_[3] + ", " + number() + ", " +
           std::to_string(tiles_.keys) + ", " + std::to_string(tiles_.width) +
           truth(attention_.blind_is_zero) + truth(attention_.no_sum_is_one);
  }

  std::string body(const std::string& scores) const {
    const int pitch = tiles_.width + 4;
    std::string members;
    for (size_t i = 0; i < kernel_.inputs.size(); ++i) {
      if (is_bound(i)) members += "in" + std::to_string(i) + ", ";
    }
    const std::string index = number();
    const auto shared = [](const char* name, int64_t count) {
      return std::string("  threadgroup float ") + name + "[" + std::to_string(count) + "];\n";
    };
    return shared("queries", kQueries * pitch) + shared("others", tiles_.keys * pitch) +
           shared("tiles", int64_t{kQueries} * tiles_.keys) + "  const " + index + " place = " + index +
           "(group.y) * " + index + "(grid.x) + " + index + "(group.x);\n  attend<" + scores + ", " +
           arguments() + ">(" + scores + "{" + members +
           "layout}, query, key, value, out, shape, axes, queries, others, tiles,\n      Position<" + index +
           ">{place, number, " + std::to_string(kThreads) + ", lane, simdgroup});\n}\n";
  }

  const AttentionKernel& attention_;
  const Tiles& tiles_;
  const Types& types_;
};

Operand operand_of(const GpuOperand& operand, const Place& place) {
  return {place, operand.dtype, operand.ndim, operand.shape, operand.strides};
}

/// The operands of the products, and what they are multiplied along.
struct Operands {
  Side queries, keys, values;
  Axes product_axes, value_axes;  ///< batches
  int64_t batches, rows, count, depth, width;

  Operands(Encoder& encoder, const AttentionKernel& kernel, const Operand& query, const Operand& key,
           const Operand& value)
      : Operands(encoder, query, key, value, side_axes(query, kernel.first, true),
                 side_axes(key, kernel.first, false), side_axes(value, kernel.second, false)) {}

  int64_t groups() const { return batches * divide_up(rows, kQueries); }
  int64_t largest() const {
    return std::max({queries.span, keys.span, values.span, batches * rows * std::max(count, width)});
  }

  /// The numbers of an AttentionLayout.
  std::vector<int64_t> layout() const {
    return {batches,
            rows,
            count,
            depth,
            width,
            queries.first,
            queries.row_stride,
            queries.depth_stride,
            keys.first,
            keys.row_stride,
            keys.depth_stride,
            values.first,
            values.depth_stride,
            values.row_stride,
            product_axes.count(),
            value_axes.count()};
  }

  /// The axes of the products, then those of the values.
  std::vector<int64_t> axes() const {
    std::vector<int64_t> numbers = product_axes.numbers();
    numbers.insert(numbers.end(), value_axes.numbers().begin(), value_axes.numbers().end());
    if (numbers.empty()) numbers.push_back(0);  // a buffer must not be empty
    return numbers;
  }

 private:
  static SideAxes side_axes(const Operand& operand, const Dims& parameters, bool is_left) {
    const auto batch = static_cast<int>(parameters[1]);
    return {operand, parameters.data() + (is_left ? 2 : 3), 1, parameters.data() + 4 + (is_left ? 0 : batch),
            batch};
  }

  Operands(Encoder& encoder, const Operand& query, const Operand& key, const Operand& value,
           const SideAxes& of_query, const SideAxes& of_key, const SideAxes& of_value)
      : queries(side_of(encoder, query, of_query)),
        keys(side_of(encoder, key, of_key)),
        values(side_of(encoder, value, of_value)),
        batches(extent_of(query, of_query.batch)),
        rows(extent_of(query, of_query.free)),
        count(extent_of(key, of_key.free)),
        depth(extent_of(query, of_query.contracting)),
        width(extent_of(value, of_value.free)) {
    for (int i = 0; i < of_query.batch.size(); ++i)
      product_axes.add(query.shape[of_query.batch[i]], queries.batch_strides[i], keys.batch_strides[i]);
    for (int i = 0; i < of_value.batch.size(); ++i)
      value_axes.add(value.shape[of_value.batch[i]], values.batch_strides[i], 0);
  }
};

std::vector<unsigned char> bytes_of(const std::vector<int64_t>& list, bool wide) {
  Numbers numbers(wide);
  for (const int64_t each : list) numbers.add(each);
  return numbers.bytes();
}

class AttentionStep : public RecordedKernel {
 public:
  AttentionStep(Pipelines& pipelines, const AttentionKernel& kernel)
      : pipelines_(pipelines), kernel_(kernel), sources_(sources_of(kernel.scores)) {
    require_supported(kernel.scores);
  }

  const std::string& name() const override {
    static const std::string name = "attention";
    return name;
  }

  void encode(Encoder& encoder, const GpuArguments& arguments, const Place* inputs,
              const Place* outputs) const override {
    const GpuOperand* in = arguments.inputs;
    const Operands operands(encoder, kernel_, operand_of(in[0], inputs[0]), operand_of(in[1], inputs[1]),
                            operand_of(in[2], inputs[2]));
    Layout layout(kernel_.scores, sources_, arguments.space, strides_of(arguments).data());
    constexpr int64_t kSlack = 1 << 20;  // of the last tiles
    layout.variant.wide |= operands.largest() > std::numeric_limits<int32_t>::max() - kSlack;
    const bool wide = layout.variant.wide;
    const Tiles tiles(std::max(operands.depth, operands.width));
    const Types types = {storage_type(in[0].dtype), storage_type(in[1].dtype), storage_type(in[2].dtype),
                         storage_type(arguments.outputs[0].dtype)};
    Recording& recording = encoder.recording();
    recording.set_pipeline(
        pipelines_.get(AttentionPrinter(kernel_, sources_, layout.variant, tiles, types).print()));
    int index = 0;
    for (const Place& place :
         {operands.queries.place, operands.keys.place, operands.values.place, outputs[0]})
      recording.set_memory(index++, *place.memory, place.offset);
    for (const std::vector<int64_t>& list : {operands.layout(), operands.axes(), layout.parameters(0)}) {
      const std::vector<unsigned char> bytes = bytes_of(list, wide);
      recording.set_bytes(index++, bytes.data(), bytes.size());
    }
    bind_inputs(recording, layout, inputs, index);
    constexpr int64_t kLongest = int64_t{1} << 20;  // what is too long goes on along y
    const int64_t across = std::min(operands.groups(), kLongest);
    recording.dispatch(
        {static_cast<uint32_t>(across), static_cast<uint32_t>(divide_up(operands.groups(), across)), 1},
        {kThreads});
  }

 private:
  /// Of the inputs of the scores. The product is not in memory: any will do.
  std::vector<const int64_t*> strides_of(const GpuArguments& arguments) const {
    static constexpr int64_t kZeros[64] = {};
    std::vector<const int64_t*> strides;
    int next = 3;
    for (size_t i = 0; i < kernel_.scores.inputs.size(); ++i)
      strides.push_back(static_cast<int32_t>(i) == kernel_.product ? kZeros
                                                                   : arguments.inputs[next++].strides);
    return strides;
  }

  void bind_inputs(Recording& recording, const Layout& layout, const Place* inputs, int index) const {
    int next = 3;
    for (size_t i = 0; i < kernel_.scores.inputs.size(); ++i) {
      if (static_cast<int32_t>(i) == kernel_.product) continue;
      const Place& place = inputs[next++];
      const auto source =
          std::find(sources_.begin(), sources_.end(), Source{Source::Kind::Input, static_cast<int>(i)});
      if (source != sources_.end()) {
        const int64_t below = layout.below[static_cast<size_t>(source - sources_.begin())];
        recording.set_memory(index, *place.memory,
                             place.offset - static_cast<size_t>(below * itemsize(kernel_.scores.inputs[i])));
      }
      ++index;
    }
  }

  Pipelines& pipelines_;
  const AttentionKernel kernel_;
  const std::vector<Source> sources_;
};

}  // namespace

std::shared_ptr<const GpuKernel> attention_step(Pipelines& pipelines, const AttentionKernel& kernel) {
  return std::make_shared<AttentionStep>(pipelines, kernel);
}

}  // namespace ftrans::metal
