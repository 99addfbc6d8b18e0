#include "core/value.h"

#include <cmath>
#include <cstring>

#include "core/error.h"
#include "core/gpu.h"
#include "core/half.h"
#include "core/shape.h"

namespace ftrans {
namespace {

/// Values and nodes refer to each other in chains of any length; they are deleted from a list, not
/// recursively.
class DeferredDeletion {
 public:
  template <typename T>
  static void run(T* object) {
    thread_local DeferredDeletion self;
    self.add(object);
    if (self.active_) return;
    self.active_ = true;
    while (!self.nodes_.empty() || !self.values_.empty()) {
      if (!self.nodes_.empty()) {
        Node* node = self.nodes_.back();
        self.nodes_.pop_back();
        delete node;
      } else {
        Value* value = self.values_.back();
        self.values_.pop_back();
        delete value;
      }
    }
    self.active_ = false;
  }

 private:
  void add(Node* node) { nodes_.push_back(node); }
  void add(Value* value) { values_.push_back(value); }
  std::vector<Node*> nodes_;
  std::vector<Value*> values_;
  bool active_ = false;
};

// Pending work is flushed once a graph spans this many nodes or bytes (counted as they were created).
constexpr int64_t kFlushNodes = 16384;
constexpr int64_t kFlushBytes = int64_t{2} << 30;

std::atomic<int64_t> node_sequence{0};
std::atomic<int64_t> byte_sequence{0};

/// A conversion to a dtype that the GPU has may come from one that it has not: the processor makes it. What
/// holds operations, or moves nothing, has no say.
bool takes_every_dtype(Opcode opcode) {
  switch (info(opcode).category) {
    case OpcodeCategory::View:
    case OpcodeCategory::Control: return true;
    default:
      return opcode == Opcode::Convert || opcode == Opcode::OptimizationBarrier ||
             opcode == Opcode::CallProgram || opcode == Opcode::HostCall;
  }
}

/// Throws DtypeError where an operation on a GPU has an operand or result of a dtype that it does not have.
void require_dtypes(Opcode opcode, const Ref<Value>* inputs, int input_count, const Dtype* dtypes,
                    int output_count) {
  if (takes_every_dtype(opcode)) return;
  const auto require = [opcode](Dtype dtype) {
    if (gpu()->has_dtype(dtype)) return;
    const Dtype narrower = dtype == Dtype::Complex128 ? Dtype::Complex64 : Dtype::Float32;
    throw DtypeError(std::string(info(opcode).name) + ": Device(gpu, 0) has no " + name(dtype) +
                     "; convert to " + name(narrower) + ", or run the operation with stream=ft.cpu");
  };
  for (int i = 0; i < input_count; ++i) require(inputs[i]->dtype);
  for (int i = 0; i < output_count; ++i) require(dtypes[i]);
}

}  // namespace

Value::~Value() {
  if (node) node->outputs[output_index] = nullptr;
}

void Value::destroy() { DeferredDeletion::run(this); }

void Node::destroy() { DeferredDeletion::run(this); }

void Value::materialize_immediate() {
  if (buffer || !is_immediate) return;
  Ref<Buffer> block = Allocator::instance().allocate(itemsize(dtype));
  std::memcpy(block->data(), immediate.bytes, itemsize(dtype));
  buffer = std::move(block);
}

void Value::publish(Ref<Buffer> new_buffer, int64_t new_offset, const Dims& new_strides) {
  buffer = std::move(new_buffer);
  offset = new_offset;
  strides = new_strides;
  contiguous = ftrans::is_contiguous(shape, strides);
  state.store(State::Ready, std::memory_order_release);
}

Ref<Value> Value::scalar(Dtype dtype, ScalarStorage storage, bool weak_type) {
  Ref<Value> value(new Value(dtype, Dims{}));
  value->weak_type = weak_type;
  value->is_immediate = true;
  value->immediate = storage;
  value->state.store(State::Ready, std::memory_order_relaxed);
  return value;
}

Ref<Value> Value::allocate(Dtype dtype, const Dims& shape) {
  Ref<Value> value(new Value(dtype, shape));
  value->buffer = Allocator::instance().allocate(value->nbytes());
  value->strides = contiguous_strides(shape);
  value->state.store(State::Ready, std::memory_order_relaxed);
  return value;
}

Ref<Value> Value::alias(const Value& source, const Dims& shape, const Dims& strides, int64_t offset) {
  Ref<Value> value(new Value(source.dtype, shape));
  value->weak_type = source.weak_type;
  value->publish(source.buffer, offset, strides);
  return value;
}

bool view_layout(Opcode opcode, const Dims& parameters, const Dims& shape, const Dims& strides,
                 int64_t offset, const Dims& new_shape, Dims& new_strides, int64_t& new_offset) {
  const int ndim = shape.size();
  new_offset = offset;
  switch (opcode) {
    case Opcode::Reshape: return reshape_strides(shape, strides, new_shape, new_strides);
    case Opcode::BroadcastInDim:
      new_strides = Dims(new_shape.size(), 0);
      for (int axis = 0; axis < ndim; ++axis) {
        if (shape[axis] != 1 || new_shape[parameters[axis]] == 1)
          new_strides[parameters[axis]] = strides[axis];
      }
      return true;
    case Opcode::Transpose:
      new_strides.resize(ndim);
      for (int axis = 0; axis < ndim; ++axis) new_strides[axis] = strides[parameters[axis]];
      return true;
    case Opcode::Slice:
      new_strides.resize(ndim);
      for (int axis = 0; axis < ndim; ++axis) {
        new_offset += parameters[axis] * strides[axis];
        new_strides[axis] = parameters[ndim + axis] * strides[axis];
      }
      return true;
    case Opcode::Rev:
      new_strides = strides;
      for (int64_t axis : parameters) {
        if (shape[axis] > 0) new_offset += (shape[axis] - 1) * strides[axis];
        new_strides[axis] = -strides[axis];
      }
      return true;
    default: return false;
  }
}

void make_node(Opcode opcode, const Ref<Value>* inputs, int input_count, const Dims& parameters,
               const Dtype* dtypes, const Dims* shapes, int output_count, Stream* stream,
               const Ref<RefCounted>& payload, Ref<Value>* outputs) {
  if (stream->queue()) require_dtypes(opcode, inputs, input_count, dtypes, output_count);
  Ref<Node> node(new Node);
  node->opcode = opcode;
  node->stream = stream;
  node->inputs.reserve(input_count);
  node->sequence = node->first_sequence = node_sequence.fetch_add(1, std::memory_order_relaxed);
  node->first_bytes = byte_sequence.load(std::memory_order_relaxed);
  for (int i = 0; i < input_count; ++i) {
    const Value& input = *inputs[i];
    const Value::State state = input.state.load(std::memory_order_acquire);
    if (state == Value::State::Placeholder) {
      node->symbolic = true;
    } else if (state == Value::State::Pending) {
      node->symbolic |= input.node->symbolic;
      node->first_sequence = std::min(node->first_sequence, input.node->first_sequence);
      node->first_bytes = std::min(node->first_bytes, input.node->first_bytes);
    }
    node->inputs.push_back(inputs[i]);
  }
  node->parameters = parameters;
  node->payload = payload;
  node->outputs.resize(output_count, nullptr);
  int64_t bytes = 0;
  for (int i = 0; i < output_count; ++i) {
    if (output_count > 1) node->output_types.push_back({dtypes[i], shapes[i]});
    Ref<Value> value(new Value(dtypes[i], shapes[i]));
    value->node = node;
    value->output_index = i;
    node->outputs[i] = value.get();
    bytes += value->nbytes();
    outputs[i] = std::move(value);
  }
  byte_sequence.fetch_add(bytes, std::memory_order_relaxed);
}

Ref<Value> make_node(Opcode opcode, const Ref<Value>* inputs, int input_count, const Dims& parameters,
                     Dtype dtype, const Dims& shape, Stream* stream) {
  if (info(opcode).category == OpcodeCategory::View && inputs[0]->is_ready()) {
    Value& source = *inputs[0];
    Dims strides;
    int64_t offset;
    if (source.is_immediate) {
      Ref<Value> splat(new Value(dtype, shape));
      splat->is_immediate = true;
      splat->immediate = source.immediate;
      splat->strides = Dims(shape.size(), 0);
      splat->contiguous = splat->size <= 1;
      splat->state.store(Value::State::Ready, std::memory_order_relaxed);
      return splat;
    }
    if (view_layout(opcode, parameters, source.shape, source.strides, source.offset, shape, strides,
                    offset)) {
      return Value::alias(source, shape, strides, offset);
    }
  }
  Ref<Value> result;
  make_node(opcode, inputs, input_count, parameters, &dtype, &shape, 1, stream, nullptr, &result);
  return result;
}

bool should_flush(const Value& value) {
  if (value.state.load(std::memory_order_acquire) != Value::State::Pending || value.node->symbolic)
    return false;
  return node_sequence.load(std::memory_order_relaxed) - value.node->first_sequence > kFlushNodes ||
         byte_sequence.load(std::memory_order_relaxed) - value.node->first_bytes > kFlushBytes;
}

namespace {

constexpr size_t kUnrounded = 8;  ///< where in a scalar's storage there is what it was rounded from

}  // namespace

ScalarStorage scalar_from_double(Dtype dtype, double value) {
  ScalarStorage storage{};
  switch (dtype) {
    case Dtype::Bool: storage.as_bool = value != 0; break;
    case Dtype::Float16: {
      const Float16 half = to_float16(static_cast<float>(value));
      std::memcpy(storage.bytes, &half, sizeof half);
      break;
    }
    case Dtype::BFloat16: {
      const BFloat16 half = to_bfloat16(static_cast<float>(value));
      std::memcpy(storage.bytes, &half, sizeof half);
      break;
    }
    case Dtype::Float32:
      storage.as_float32 = static_cast<float>(value);
      std::memcpy(storage.bytes + kUnrounded, &value, sizeof value);
      break;
    case Dtype::Float64: storage.as_float64 = value; break;
    case Dtype::Complex64: return complex64_from(value);
    case Dtype::Complex128: {
      const double parts[2] = {value, 0};
      std::memcpy(storage.bytes, parts, sizeof parts);
      break;
    }
    default: return scalar_from_int64(dtype, static_cast<int64_t>(value));
  }
  return storage;
}

ScalarStorage complex64_from(std::complex<double> value) {
  ScalarStorage storage{};
  const std::complex<float> rounded(value);
  std::memcpy(storage.bytes, &rounded, sizeof rounded);
  std::memcpy(storage.bytes + kUnrounded, &value, sizeof value);
  return storage;
}

double unrounded_float32(const ScalarStorage& storage) {
  double value;
  std::memcpy(&value, storage.bytes + kUnrounded, sizeof value);
  return static_cast<float>(value) == storage.as_float32 ? value : storage.as_float32;
}

std::complex<double> unrounded_complex64(const ScalarStorage& storage) {
  std::complex<float> rounded;
  std::complex<double> value;
  std::memcpy(&rounded, storage.bytes, sizeof rounded);
  std::memcpy(&value, storage.bytes + kUnrounded, sizeof value);
  return std::complex<float>(value) == rounded ? value : std::complex<double>(rounded);
}

ScalarStorage scalar_from_int64(Dtype dtype, int64_t value) {
  switch (kind(dtype)) {
    case 'b':
    case 'f':
    case 'c': return scalar_from_double(dtype, static_cast<double>(value));
    default: break;
  }
  ScalarStorage storage{};
  std::memcpy(storage.bytes, &value, itemsize(dtype));  // little-endian: the low bytes
  return storage;
}

}  // namespace ftrans
