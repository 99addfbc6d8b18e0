// The Metal steps that move elements, on the host device, against the CPU's step kernels: every dtype, any
// strides, and the same results under three orders of threads.

#include <map>
#include <numeric>

#include "metal_step_testing.h"

namespace ftrans::test {
namespace {

std::vector<Case>& cases() {
  static std::vector<Case> cases;
  return cases;
}

/// The most bytes that cases may read and write, by their numbers.
std::map<size_t, double>& traffic_limits() {
  static std::map<size_t, double> limits;
  return limits;
}

void add(Opcode opcode, std::vector<Data> inputs, std::vector<Data> outputs, Parameters parameters) {
  cases().emplace_back(opcode, std::move(inputs), std::move(outputs), std::move(parameters));
}

double bytes_of(const Data& data) { return static_cast<double>(data.size() * itemsize(data.dtype)); }

/// Allows the last case 1.1 times these bytes.
void limit_traffic(double least) { traffic_limits()[cases().size() - 1] = 1.1 * least; }

/// An integer vector with these elements.
template <typename T>
Array<T> vector_of(const std::vector<int64_t>& items) {
  Array<T> array({static_cast<int64_t>(items.size())});
  for (size_t i = 0; i < items.size(); ++i) array.origin[i] = static_cast<T>(items[i]);
  return array;
}

void run_all() {
  compile(cases());
  for (size_t i = 0; i < cases().size(); ++i) {
    const Results results = run_case_in_orders(cases()[i]);
    const auto limit = traffic_limits().find(i);
    const auto traffic = static_cast<double>(results.read + results.written);
    if (limit == traffic_limits().end() || traffic <= limit->second) continue;
    check(false, (description(cases()[i]) + ": moves " + std::to_string(traffic / limit->second) +
                  " times what it may")
                     .c_str());
  }
}

// ------------------------------------------------------------------ copies

template <typename T>
void add_copies() {
  const Dtype dtype = dtype_of<T>();
  for (const Order order : kOrders) {
    for (const Dims& shape : {Dims{}, Dims{1}, Dims{7, 0}, Dims{3, 1, 5}, Dims{2, 33, 40}, Dims{64, 6}})
      add(Opcode::Copy, {Array<T>(shape, order)}, {{dtype, shape}}, {});
  }
}

template <typename T>
void add_concatenations() {
  const Dtype dtype = dtype_of<T>();
  add(Opcode::Concatenate, {Array<T>({2, 3, 4}), Array<T>({2, 1, 4}, Order::Reversed), Array<T>({2, 0, 4})},
      {{dtype, {2, 4, 4}}}, {1});
  add(Opcode::Concatenate, {Array<T>({5}), Array<T>({3}, Order::Spread)}, {{dtype, {8}}}, {0});
  add(Opcode::Concatenate, {Array<T>({4, 16}), Array<T>({4, 32}, Order::Transposed)}, {{dtype, {4, 48}}},
      {1});
}

template <typename T, typename Index>
void add_dynamic_slices() {
  const Dtype dtype = dtype_of<T>();
  for (const Order order : kOrders) {
    const Array<Index> start = vector_of<Index>({random_integer(0, 9), random_integer(0, 2), 3});
    const Array<T> operand({6, 4, 16}, order);
    const Array<T> update({2, 4, 8}, order);
    add(Opcode::DynamicSlice, {operand, start}, {{dtype, {2, 4, 8}}}, {2, 4, 8});
    add(Opcode::DynamicUpdateSlice, {operand, update, start}, {{dtype, {6, 4, 16}}}, {});
    add(Opcode::DynamicUpdateSlice, {Array<T>({6, 4, 16}), update, start}, {{dtype, {6, 4, 16}}}, {});
    cases().back().in_place = true;
  }
  add(Opcode::DynamicSlice, {Array<T>({6, 4}), vector_of<Index>({1, 1})}, {{dtype, {0, 2}}}, {0, 2});
  add(Opcode::DynamicUpdateSlice, {Array<T>({6, 4}), Array<T>({6, 0}), vector_of<Index>({1, 1})},
      {{dtype, {6, 4}}}, {});
  add(Opcode::DynamicSlice, {Array<T>(Dims{}), Array<Index>({0})}, {{dtype, {}}}, {});
}

/// Parameters: low…, high…, interior….
template <typename T>
void add_pad(const Dims& shape, Order order, const Parameters& parameters) {
  Dims result(shape.size());
  for (int i = 0; i < shape.size(); ++i) {
    const size_t n = static_cast<size_t>(shape.size()), axis = static_cast<size_t>(i);
    result[i] = parameters[axis] + parameters[n + axis] + shape[i] +
                std::max<int64_t>(0, shape[i] - 1) * parameters[2 * n + axis];
  }
  add(Opcode::Pad, {Array<T>(shape, order), Array<T>(Dims{})}, {{dtype_of<T>(), result}}, parameters);
}

template <typename T>
void add_pads() {
  for (const Order order : kOrders) {
    add_pad<T>({3, 4}, order, {1, 2, 0, 3, 0, 0});
    add_pad<T>({3, 5}, order, {-1, 2, 2, -3, 1, 2});
    add_pad<T>({2, 3, 8}, order, {4, 0, 0, 1, 0, 0, 0, 0, 0});
    add_pad<T>({1, 3, 2}, order, {0, -1, 0, 2, -1, 0, 0, 0, 3});
  }
  add_pad<T>({0, 3}, Order::Dense, {2, 0, 0, 1, 0, 0});
  add_pad<T>({3}, Order::Dense, {-3, 0, 2});
  add_pad<T>({}, Order::Dense, {});
  add_pad<T>({7}, Order::Dense, {-9, 30, 4});
}

/// Moving bytes takes no arithmetic.
void add_copies_of_other_dtypes() {
  add(Opcode::Copy, {Array<double>({5, 40}, Order::Transposed)}, {{Dtype::Float64, {5, 40}}}, {});
  add(Opcode::Copy, {Array<std::complex<double>>({3, 4}, Order::Reversed)}, {{Dtype::Complex128, {3, 4}}},
      {});
}

void add_rooflines() {
  const auto copied = [] { limit_traffic(2 * bytes_of(cases().back().outputs[0])); };
  add(Opcode::Copy, {Array<float>({100, 70}, Order::Transposed)}, {{Dtype::Float32, {100, 70}}}, {});
  copied();
  add(Opcode::Copy, {Array<int8_t>({3, 50, 41}, Order::Spread)}, {{Dtype::Int8, {3, 50, 41}}}, {});
  copied();
  add(Opcode::Concatenate, {Array<float>({64, 100}), Array<float>({64, 28})}, {{Dtype::Float32, {64, 128}}},
      {1});
  copied();
  add(Opcode::DynamicSlice, {Array<float>({200, 400}), vector_of<int32_t>({70, 3})},
      {{Dtype::Float32, {100, 300}}}, {100, 300});
  copied();
  const auto padded = [] {
    limit_traffic(bytes_of(cases().back().inputs[0]) + bytes_of(cases().back().outputs[0]));
  };
  add_pad<float>({3, 60, 60}, Order::Dense, {0, 2, 2, 0, 2, 2, 0, 0, 0});
  padded();
  add_pad<int8_t>({4000}, Order::Dense, {100, 3000, 0});
  padded();
  add_pad<float>({40, 200}, Order::Transposed, {0, 5, 0, 5, 0, 1});
  padded();
  const Array<int64_t> rows({50, 1});
  for (int64_t i = 0; i < 50; ++i) rows.origin[i] = random_integer(-3, 40);
  for (const int64_t width : {128, 301}) {
    add(Opcode::Gather, {Array<float>({30, width}), rows}, {{Dtype::Float32, {50, width}}},
        {1, 1, 1, 1, 0, 1, 0, 0, 0, 1, width});
    copied();
  }
}

// ------------------------------------------------------------------ indices

/// Random dimension numbers that gather and scatter share.
struct WindowCase {
  Dims operand_shape, window_shape, start_axes, missing_axes, operand_batching, indices_batching,
      indices_shape;
  Dims window_axes, side_shape;  ///< of gather's output or scatter's updates

  WindowCase() {
    const int ndim = static_cast<int>(random_integer(1, 4));
    operand_shape = random_shape(ndim);
    indices_shape = random_shape(static_cast<int>(random_integer(0, 2)), 1, 6);
    window_shape = Dims(ndim, 1);
    std::vector<int64_t> extents;
    for (int axis = 0; axis < ndim; ++axis) {
      const int64_t choice = random_integer(0, 4);
      if (choice == 0 && operand_batching.size() < indices_shape.size()) {
        indices_batching.push_back(operand_batching.size());
        indices_shape[operand_batching.size()] = operand_shape[axis];
        operand_batching.push_back(axis);
        continue;
      }
      if (choice <= 3) start_axes.push_back(axis);
      if (choice == 1) {
        missing_axes.push_back(axis);
      } else {
        window_shape[axis] = choice == 4 ? operand_shape[axis] : random_integer(1, operand_shape[axis]);
        extents.push_back(window_shape[axis]);
      }
    }
    std::shuffle(start_axes.begin(), start_axes.end(), generator());
    std::vector<int64_t> axes(static_cast<size_t>(indices_shape.size()) + extents.size());
    std::iota(axes.begin(), axes.end(), 0);
    std::shuffle(axes.begin(), axes.end(), generator());
    std::sort(axes.begin(), axes.begin() + static_cast<int64_t>(extents.size()));
    for (size_t i = 0; i < extents.size(); ++i) window_axes.push_back(axes[i]);
    int window = 0, batch = 0;
    for (int axis = 0; axis < static_cast<int>(axes.size()); ++axis) {
      const bool within = window < window_axes.size() && window_axes[window] == axis;
      side_shape.push_back(within ? extents[static_cast<size_t>(window++)] : indices_shape[batch++]);
    }
    indices_shape.push_back(start_axes.size());
  }

  template <typename Index>
  Array<Index> indices(int64_t mode, Order order) const {
    const Array<Index> array(indices_shape, order);
    for_each_coordinate(indices_shape, [&](const Dims& at) {
      const auto axis = static_cast<int>(start_axes[static_cast<int>(at.back())]);
      const int64_t limit = operand_shape[axis] - window_shape[axis];
      array[at] = static_cast<Index>(mode == 2 ? random_integer(0, limit) : random_integer(-2, 6));
    });
    return array;
  }

  void append_to(Parameters& parameters) const {
    for (const Dims* list : {&window_axes, &missing_axes, &start_axes, &operand_batching, &indices_batching})
      append_list(parameters, *list);
  }
};

template <typename T, typename Index>
void add_gathers(int count) {
  for (int i = 0; i < count; ++i) {
    const WindowCase window;
    const int64_t mode = i % 3;
    const Order order = kOrders[i % 5];
    Parameters parameters{mode};
    window.append_to(parameters);
    append(parameters, window.window_shape);
    const Array<Index> indices =
        window.indices<Index>(mode, order == Order::Broadcast ? Order::Dense : order);
    add(Opcode::Gather, {Array<T>(window.operand_shape, order), indices},
        {{dtype_of<T>(), window.side_shape}}, parameters);
  }
}

template <typename T>
void add_scatter(const Data& operand, const Data& indices, const Data& updates,
                 const Parameters& parameters) {
  const Data output(operand.dtype, operand.shape);
  add(Opcode::Scatter, {operand, indices, updates}, {output}, parameters);
  const bool extreme = parameters[1] >= 3;
  cases().back().ignores_signs = extreme;
  if (operand.strides != output.strides) return;
  cases().push_back(cases().back());
  cases().back().in_place = true;
}

template <typename T, typename Index>
void add_scatters(int count) {
  for (int i = 0; i < count; ++i) {
    const WindowCase window;
    const int64_t mode = i % 3, kind = i % 5;
    const Order order = kOrders[i / 2 % 5];
    Parameters parameters{mode, kind, 0};
    window.append_to(parameters);
    add_scatter<T>(Array<T>(window.operand_shape, order), window.indices<Index>(mode, Order::Dense),
                   Array<T>(window.side_shape, order), parameters);
  }
  // Many updates of few elements, of rows, and each of another one.
  for (int64_t kind = 0; kind < 5; ++kind) {
    const Array<Index> bins({300, 1}), rows({40, 1});
    for (int64_t i = 0; i < 300; ++i) bins.origin[i] = static_cast<Index>(random_integer(0, 11));
    for (int64_t i = 0; i < 40; ++i) rows.origin[i] = static_cast<Index>(random_integer(0, 11));
    add_scatter<T>(Array<T>({9}), bins, Array<T>({300}), {0, kind, 0, 0, 1, 0, 1, 0, 0, 0});
    add_scatter<T>(Array<T>({10, 45}), rows, Array<T>({40, 45}), {kind % 2, kind, 0, 1, 1, 1, 0, 1, 0, 0, 0});
    std::vector<int64_t> places(50);
    std::iota(places.begin(), places.end(), 0);
    std::shuffle(places.begin(), places.end(), generator());
    const Array<Index> unique({50, 1});
    for (size_t i = 0; i < 50; ++i) unique.origin[i] = static_cast<Index>(places[i]);
    add_scatter<T>(Array<T>({50, 3}), unique, Array<T>({50, 3}, Order::Transposed),
                   {2, kind, 1, 1, 1, 1, 0, 1, 0, 0, 0});
  }
}

// ------------------------------------------------------------------ sorting

/// Few different values, among them zeros of both signs, infinities and NaN where there are such.
template <typename T>
Array<T> sortable(const Dims& shape, Order order = Order::Dense) {
  const Array<T> array(shape, order);
  for_each_coordinate(shape, [&](const Dims& at) {
    const auto number = [] {
      const double special[] = {0.0,
                                -0.0,
                                std::numeric_limits<double>::infinity(),
                                -std::numeric_limits<double>::infinity(),
                                std::numeric_limits<double>::quiet_NaN(),
                                1.0};
      return random_integer(0, 2) == 0 ? special[random_integer(0, 5)]
                                       : static_cast<double>(random_integer(-40, 40)) / 4;
    };
    if constexpr (std::is_same_v<T, bool>) {
      array[at] = random_integer(0, 1) != 0;
    } else if constexpr (std::is_integral_v<T>) {
      const int64_t low = std::numeric_limits<T>::min() == 0 ? 0 : -20;
      array[at] = random_integer(0, 9) == 0
                      ? (random_integer(0, 1) ? std::numeric_limits<T>::max() : std::numeric_limits<T>::min())
                      : static_cast<T>(random_integer(low, 60));
    } else {
      array[at] = from_value<T>({number(), number()});
    }
  });
  return array;
}

void add_sort(const std::vector<Data>& operands, int64_t axis, int64_t keys) {
  std::vector<Data> outputs;
  for (const Data& each : operands) outputs.emplace_back(each.dtype, each.shape);
  add(Opcode::Sort, operands, outputs, {axis, keys});
}

/// 0, 1, 2, … along the last axis.
Array<int32_t> counting(const Dims& shape) {
  const Array<int32_t> array(shape);
  for_each_coordinate(shape, [&](const Dims& at) { array[at] = static_cast<int32_t>(at.back()); });
  return array;
}

template <typename T>
void add_sorts() {
  for (const Order order : kOrders) {
    add_sort({sortable<T>({5, 4, 6}, order)}, 1, 1);
    add_sort({sortable<T>({3, 37}, order), Array<int16_t>({3, 37}, order)}, 1, 1);
  }
  add_sort({sortable<T>({1300})}, 0, 1);
  add_sort({sortable<T>({1100}), counting({1100})}, 0, 1);
  add_sort({Array<int32_t>({2, 40}), sortable<T>({2, 40}), counting({2, 40})}, 1, 2);
}

void add_more_sorts() {
  add_sort({sortable<float>({1})}, 0, 1);
  add_sort({sortable<float>({2, 0})}, 1, 1);
  add_sort({sortable<float>({3, 1, 4})}, 1, 1);
  add_sort({sortable<float>({2, 1500})}, 1, 1);
  add_sort({sortable<float>({20000})}, 0, 1);
  add_sort({sortable<std::complex<float>>({4099}), counting({4099})}, 0, 1);
  add_sort({sortable<float>({500, 3})}, 0, 1);
  add_sort({sortable<int8_t>({3000, 3})}, 1, 1);
  add_sort(
      {Array<uint8_t>({2, 1300}), Array<int8_t>({2, 1300}), Array<int64_t>({2, 1300}), counting({2, 1300})},
      1, 3);
  add_sort({sortable<float>({50}), Array<double>({50})}, 0, 1);  // float64 is carried along
}

// ------------------------------------------------------------------ random bits

void add_random_bits() {
  const auto add_bits = [](const Dims& keys, Order order, const Dims& shape) {
    Array<uint32_t> key(keys, order);
    for_each_coordinate(keys, [&](const Dims& at) { key[at] = static_cast<uint32_t>(generator()()); });
    Dims result(keys.data(), keys.size() - 1);
    for (const int64_t extent : shape) result.push_back(extent);
    add(Opcode::RandomBits, {key}, {{Dtype::UInt32, result}}, {});
  };
  add_bits({2}, Order::Dense, {});
  add_bits({2}, Order::Reversed, {3000});
  add_bits({4, 3, 2}, Order::Transposed, {5, 7});
  add_bits({6, 2}, Order::Spread, {1});
  add_bits({0, 2}, Order::Dense, {4});
  add_bits({3, 2}, Order::Dense, {0});
}

void add_arrays_far_apart() {
  const Data source = Data::far_apart({3, 6});
  const Array<int32_t> rows = vector_of<int32_t>({2, 0, 1, 2});
  const Data vectors = Data(Array<int32_t>({4, 1}));
  add(Opcode::Copy, {source}, {{Dtype::Int8, {3, 6}}}, {});
  add(Opcode::Pad, {source, Array<int8_t>(Dims{})}, {{Dtype::Int8, {4, 7}}}, {1, 0, 0, 1, 0, 0});
  add(Opcode::DynamicSlice, {source, rows}, {{Dtype::Int8, {1, 6}}}, {1, 6});
  add(Opcode::Gather, {source, vectors}, {{Dtype::Int8, {4, 6}}}, {0, 1, 1, 1, 0, 1, 0, 0, 0, 1, 6});
  add(Opcode::Sort, {source}, {{Dtype::Int8, {3, 6}}}, {0, 1});
  for (const int64_t kind : {0, 1}) {
    add(Opcode::Scatter, {Array<int8_t>({2, 6}), Array<int32_t>({3, 1}), source}, {{Dtype::Int8, {2, 6}}},
        {0, kind, 0, 1, 1, 1, 0, 1, 0, 0, 0});
  }
}

void add_all() {
  for_each_metal_dtype([]<typename T>(TypeTag<T>) {
    add_concatenations<T>();
    add_pads<T>();
    add_gathers<T, int32_t>(15);
    add_scatters<T, int32_t>(20);
    add_sorts<T>();
    if constexpr (sizeof(T) == 1 || std::is_same_v<T, int16_t> || std::is_floating_point_v<T> ||
                  std::is_same_v<T, std::complex<float>>) {  // one of each size
      add_copies<T>();
      add_dynamic_slices<T, int32_t>();
    }
  });
  add_dynamic_slices<float, int64_t>();
  add_dynamic_slices<float, uint8_t>();
  add_gathers<float, int8_t>(15);
  add_gathers<float, uint32_t>(15);
  add_gathers<float, int64_t>(15);
  add_gathers<float, uint64_t>(15);
  add_scatters<float, uint64_t>(5);
  add_scatters<float, int16_t>(5);
  add_copies_of_other_dtypes();
  add_more_sorts();
  add_random_bits();
  add_rooflines();
  add_arrays_far_apart();
}

}  // namespace
}  // namespace ftrans::test

namespace ftrans::test {
namespace {

/// What the device cannot count, or sort by, is refused in words.
void test_errors() {
  metal::Recording recording;
  metal::Encoder encoder(pipelines(), recording);
  const Ref<metal::Memory> memory = metal::device()->allocate(8);
  const auto sort = [&](Dtype dtype, int64_t length, int operands) {
    const int64_t stride = 0;
    const metal::Operand operand{{memory.get(), 0}, dtype, 1, &length, &stride};
    const metal::Operand integers{{memory.get(), 0}, Dtype::Int32, 1, &length, &stride};
    const metal::Operand inputs[] = {integers, operand}, outputs[] = {integers, operand};
    const int64_t parameters[] = {0, operands};
    try {
      metal::step_kernel(Opcode::Sort, Dtype::Int32)(encoder,
                                                     {inputs, operands, outputs, operands, parameters, 2});
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(sort(Dtype::Int32, int64_t{1} << 31, 1).find("sort: 2147483648 elements") == 0);
  CHECK(sort(Dtype::Float64, 4, 2).find("sort: keys of float64") == 0);
  CHECK(!metal::step_kernel(Opcode::Gather, Dtype::Float64));
  CHECK(!metal::step_kernel(Opcode::Sort, Dtype::Complex128));
}

}  // namespace
}  // namespace ftrans::test

int main() {
  setenv("FTRANS_METAL", "host", 1);
  using namespace ftrans::test;
  add_all();
  run_all();
  test_errors();
  std::printf("%zu cases, %d failures\n", cases().size(), failures);
  return failures > 0;
}
