#include "metal/kernels.h"
#include "metal/steps/movement/steps.h"

namespace ftrans::metal::movement {

void random_bits(Encoder& encoder, const StepArguments& arguments) {
  const Operand &key = arguments.inputs[0], &output = arguments.outputs[0];
  const int64_t size = size_of(output);
  if (size == 0) return;
  Axes<1> axes;
  for (int i = 0; i + 1 < key.ndim; ++i) axes.push_back({key.shape[i], {key.strides[i]}});
  axes = merged(axes);
  const int64_t keys = element_count(axes), per_key = size / keys;
  const Origin from = origin_of(key);
  const bool wide = is_wide({size, from.span});
  Numbers layout(wide);
  layout.add(per_key, keys, from.base, key.strides[key.ndim - 1], axes.size());
  add_axes(layout, axes);
  const std::string number = Numbers::type(wide);
  const KernelCall call{"movement::random_bits",
                        {kBlocksSource, kRandomSource},
                        {number},
                        {"device const uint32_t*", "device uint32_t*", "constant " + number + "*"}};
  record(encoder, call.printed(), {from.lowest, output.place}, {layout.bytes()},
         grid_of_rows(per_key, keys, 4, 128));
}

}  // namespace ftrans::metal::movement
