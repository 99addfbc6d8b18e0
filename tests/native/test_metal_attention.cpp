// Attention on the host Metal device, against its definition in float64.

#include <sys/mman.h>

#include <cstdlib>

#include "core/shape.h"
#include "metal/steps/attention.h"
#include "metal/steps/layout_call.h"
#include "metal_testing.h"

using namespace ftrans;
using namespace ftrans::metal;
using namespace ftrans::testing;

namespace {

struct Sizes {
  int64_t batch, queries, keys, depth, width;
};

std::vector<float> random_numbers(int64_t count) {
  std::normal_distribution<float> normal;
  std::vector<float> numbers(static_cast<size_t>(count));
  for (float& number : numbers) number = normal(generator);
  return numbers;
}

/// Scores are products, less `row · key` where `falls`.
AttentionKernel kernel_of(bool falls) {
  AttentionKernel kernel{.scores = {.ndim = 3,
                                    .inputs = {Dtype::Float32},
                                    .body = {input(0, Dtype::Float32)},
                                    .outputs = {stored(0)},
                                    .reduced_axes = {false, false, false}},
                         .product = 0,
                         .first = {1, 1, 2, 2, 0, 0},
                         .second = {1, 1, 2, 1, 0, 0},
                         .blind_is_zero = false,
                         .no_sum_is_one = false};
  if (!falls) return kernel;
  kernel.scores.inputs = {Dtype::Float32, Dtype::Float32};
  kernel.scores.body = {input(0, Dtype::Float32), input(1, Dtype::Float32), iota(2, Dtype::Float32),
                        apply(Opcode::Mul, Dtype::Float32, 0, 2), apply(Opcode::Sub, Dtype::Float32, 1, 3)};
  kernel.scores.outputs = {stored(4)};
  kernel.product = 1;
  return kernel;
}

std::vector<double> expected(const Sizes& n, const std::vector<float>& q, const std::vector<float>& k,
                             const std::vector<float>& v, const std::vector<float>& row) {
  std::vector<double> result;
  for (int64_t i = 0; i < n.batch * n.queries; ++i) {
    const int64_t first_key = i / n.queries * n.keys;
    std::vector<double> scores(static_cast<size_t>(n.keys));
    for (int64_t j = 0; j < n.keys; ++j) {
      for (int64_t d = 0; d < n.depth; ++d)
        scores[j] += double{q[i * n.depth + d]} * k[(first_key + j) * n.depth + d];
      if (!row.empty()) scores[j] -= double{row[i]} * static_cast<double>(j);
    }
    const double top = *std::max_element(scores.begin(), scores.end());
    double total = 0;
    for (double& score : scores) total += score = std::exp(score - top);
    for (int64_t e = 0; e < n.width; ++e) {
      double sum = 0;
      for (int64_t j = 0; j < n.keys; ++j) sum += scores[j] * v[(first_key + j) * n.width + e];
      result.push_back(sum / total);
    }
  }
  return result;
}

/// Memory with an array of float32 in it, whose rows may lie far apart.
class Stored {
 public:
  Stored(const std::vector<float>& numbers, Dims shape, int64_t pitch) : shape_(std::move(shape)) {
    const int64_t columns = shape_[2], rows = static_cast<int64_t>(numbers.size()) / columns;
    strides_ = {shape_[1] * pitch, pitch, 1};
    size_ = static_cast<size_t>(rows * pitch) * 4;
    data_ = static_cast<float*>(
        mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    for (int64_t i = 0; i < rows; ++i) std::copy_n(numbers.begin() + i * columns, columns, data_ + i * pitch);
    memory_ = device()->wrap(data_, size_, nullptr, nullptr);
  }
  ~Stored() {
    memory_ = nullptr;
    munmap(data_, size_);
  }
  Stored(const Stored&) = delete;
  Stored& operator=(const Stored&) = delete;

  GpuOperand operand() const { return {nullptr, 0, Dtype::Float32, 3, shape_.data(), strides_.data()}; }
  Place place() const { return {memory_.get(), 0}; }

 private:
  Dims shape_, strides_;
  size_t size_;
  float* data_;
  Ref<Memory> memory_;
};

void run(const Sizes& n, bool falls, int64_t gap = 0) {
  const std::string text = std::to_string(n.queries) + " queries, " + std::to_string(n.keys) + " keys of " +
                           std::to_string(n.depth) + " and " + std::to_string(n.width);
  const std::vector<float> q = random_numbers(n.batch * n.queries * n.depth),
                           k = random_numbers(n.batch * n.keys * n.depth),
                           v = random_numbers(n.batch * n.keys * n.width),
                           row = falls ? random_numbers(n.batch * n.queries) : std::vector<float>();
  const Stored queries(q, {n.batch, n.queries, n.depth}, n.depth + gap),
      keys(k, {n.batch, n.keys, n.depth}, n.depth), values(v, {n.batch, n.keys, n.width}, n.width);
  const Dims space = {n.batch, n.queries, n.keys}, row_strides = {n.queries, 1, 0};
  const Dims result_shape = {n.batch, n.queries, n.width};
  const Dims result_strides = {n.queries * n.width, n.width, 1};
  const Ref<Memory> out = device()->allocate(static_cast<size_t>(element_count(result_shape) * 4));
  std::vector<GpuOperand> inputs = {queries.operand(), keys.operand(), values.operand()};
  std::vector<Place> places = {queries.place(), keys.place(), values.place()};
  Ref<Memory> rows;
  if (falls) {
    rows = device()->allocate(row.size() * 4);
    std::memcpy(rows->data(), row.data(), row.size() * 4);
    inputs.push_back({nullptr, 0, Dtype::Float32, 3, space.data(), row_strides.data()});
    places.push_back({rows.get(), 0});
  }
  const GpuOperand result{nullptr, 0, Dtype::Float32, 3, result_shape.data(), result_strides.data()};
  const Place result_place{out.get(), 0};
  GpuArguments arguments{inputs.data(), static_cast<int>(inputs.size()), &result, 1};
  arguments.space = space.data();

  const auto step = attention_step(pipelines(), kernel_of(falls));
  Recording recording;
  Encoder encoder(pipelines(), recording);
  static_cast<const RecordedKernel&>(*step).encode(encoder, arguments, places.data(), &result_place);
  recording.compile(pipelines());
  const Ref<CommandBuffer> buffer = device()->new_queue()->command_buffer();
  recording.play(*buffer);
  auto& counters = host::counters();
  counters.bytes_read = counters.bytes_written = counters.dispatches = 0;
  std::promise<std::string> ended;
  buffer->commit([&](const Outcome& outcome) { ended.set_value(outcome.error); });
  const std::string error = ended.get_future().get();
  if (!CHECK(error.empty(), text + ": " + error)) return;

  const std::vector<double> wanted = expected(n, q, k, v, row);
  const auto* got = static_cast<const float*>(out->data());
  double worst = 0;
  for (size_t i = 0; i < wanted.size(); ++i) worst = std::max(worst, std::fabs(got[i] - wanted[i]));
  CHECK(worst < 2e-5, text + ": off by " + std::to_string(worst));
  CHECK(counters.dispatches == 1, text + " are one dispatch");
  // Queries are read once, keys and values once for each 32 queries; results are written, and nothing else.
  const int64_t blocks = n.batch * divide_up(n.queries, 32);
  const int64_t least = 4 * (n.batch * n.queries * n.depth + blocks * n.keys * (n.depth + n.width));
  const auto read = static_cast<double>(counters.bytes_read);
  const int64_t of_scores = falls ? 4 * n.batch * n.queries * n.keys : 0;
  CHECK(read >= static_cast<double>(least) && read <= 1.1 * static_cast<double>(least + of_scores),
        text + ": read " + std::to_string(read) + " of " + std::to_string(least));
  CHECK(counters.bytes_written == static_cast<uint64_t>(element_count(result_shape)) * 4,
        text + ": written " + std::to_string(counters.bytes_written));
}

}  // namespace

int main() {
  setenv("FTRANS_METAL", "host", 1);
  for (const bool falls : {false, true}) {
    run({1, 8, 1, 1, 1}, falls);
    run({2, 33, 70, 16, 24}, falls);
    run({3, 64, 64, 64, 64}, falls);
    run({1, 40, 33, 128, 100}, falls);
    run({1, 100, 15, 7, 128}, falls);
  }
  run({1, 2, 40, 8, 8}, true, int64_t{1} << 31);  // offsets of 64 bits
  if (failures == 0) std::printf("all passed\n");
  return failures != 0;
}
