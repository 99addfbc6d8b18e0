#pragma once

#include <atomic>
#include <complex>
#include <vector>

#include "core/buffer.h"
#include "core/dtype.h"
#include "core/inline_vector.h"
#include "core/interruption.h"
#include "core/ref.h"
#include "core/stream.h"
#include "core/tensor_view.h"
#include "kernel/opcode.h"

namespace ftrans {

class Node;

/// An immutable array value: a window on a buffer, a scalar constant, or an output of a node that has not
/// run. Pending values are touched under the interpreter's lock; only the publication of a result may come
/// from elsewhere.
class Value : public RefCounted {
 public:
  enum class State : uint8_t {
    Pending,      ///< `node` computes it
    Scheduled,    ///< a submitted program computes it; `event` tells when
    Ready,        ///< `buffer`, `offset` and `strides` hold it
    Placeholder,  ///< an input of a program that is being compiled
  };

  Value(Dtype dtype, const Dims& shape) : dtype(dtype), shape(shape), size(element_count_of(shape)) {}
  ~Value() override;

  const Dtype dtype;
  bool weak_type = false;
  bool contiguous = true;  ///< of a Ready value
  bool is_immediate =
      false;  ///< every element is `immediate`; a buffer of one element appears when somebody needs it
  const Dims shape;
  const int64_t size;

  std::atomic<State> state{State::Pending};
  ScalarStorage immediate{};
  Ref<Buffer> buffer;
  int64_t offset = 0;  ///< of the first element, in elements
  Dims strides;
  Ref<Node> node;
  int output_index = 0;
  Ref<Event> event;
  void* aval = nullptr;  ///< the interned Python description, once asked for (immortal, not owned)
  int64_t mark = -1;     ///< place in the graph that is being built (see graph/build.cpp)

  int64_t nbytes() const { return size * itemsize(dtype); }
  bool is_ready() const { return state.load(std::memory_order_acquire) == State::Ready; }
  void* data() const { return static_cast<char*>(buffer->data()) + offset * itemsize(dtype); }
  TensorView view() const { return {data(), dtype, shape.size(), shape.data(), strides.data()}; }

  /// Throws, once, what went wrong with an earlier evaluation of a Pending value that nobody waited for. One
  /// that was given up is no failure: it begins anew.
  void tell_failure() {
    if (!event || !event->has_failed()) return;
    try {
      std::exchange(event, nullptr)->wait();
    } catch (const Interrupted&) {
    }
  }

  /// Gives an immediate its buffer.
  void materialize_immediate();

  /// Makes the value Ready; from any thread.
  void publish(Ref<Buffer> new_buffer, int64_t new_offset, const Dims& new_strides);

  static Ref<Value> scalar(Dtype dtype, ScalarStorage storage, bool weak_type);
  static Ref<Value> allocate(Dtype dtype, const Dims& shape);

  /// A Ready value that looks at the same memory.
  static Ref<Value> alias(const Value& source, const Dims& shape, const Dims& strides, int64_t offset);

 protected:
  void destroy() override;

 private:
  static int64_t element_count_of(const Dims& shape) {
    int64_t count = 1;
    for (int64_t extent : shape) count *= extent;
    return count;
  }
};

/// A pending operation.
class Node : public RefCounted {
 public:
  struct OutputType {
    Dtype dtype;
    Dims shape;
  };

  Opcode opcode;
  Stream* stream = nullptr;
  bool symbolic = false;       ///< depends on a placeholder: can be compiled, not evaluated
  int64_t sequence = 0;        ///< grows in the order of creation
  int64_t first_sequence = 0;  ///< smallest sequence number among the pending nodes it depends on
  int64_t first_bytes = 0;     ///< bytes created when that node was
  int64_t mark = -1;           ///< place in the graph that is being built
  std::vector<Ref<Value>> inputs;
  InlineVector<Value*, 2> outputs;       ///< not owned; null where the value is gone
  std::vector<OutputType> output_types;  ///< of a node with several outputs, some of which may be gone
  Dims parameters;
  Ref<RefCounted>
      payload;  ///< of a CallProgram the Program, of control flow SubPrograms, else a HostFunction

 protected:
  void destroy() override;
};

/// Adds an operation on values to the pending graph; a view of a Ready value is made at once.
/// `outputs` receives one value per entry of `dtypes` and `shapes`.
Ref<Value> make_node(Opcode opcode, const Ref<Value>* inputs, int input_count, const Dims& parameters,
                     Dtype dtype, const Dims& shape, Stream* stream);
void make_node(Opcode opcode, const Ref<Value>* inputs, int input_count, const Dims& parameters,
               const Dtype* dtypes, const Dims* shapes, int output_count, Stream* stream,
               const Ref<RefCounted>& payload, Ref<Value>* outputs);

/// Layout of a view of an array; false if a copy is needed (only a reshape can ask for one).
bool view_layout(Opcode opcode, const Dims& parameters, const Dims& shape, const Dims& strides,
                 int64_t offset, const Dims& new_shape, Dims& new_strides, int64_t& new_offset);

/// Whether a pending graph ends here that is long enough, or makes enough bytes, to be run by itself.
bool should_flush(const Value& value);

/// A number as one element.
ScalarStorage scalar_from_double(Dtype dtype, double value);
ScalarStorage complex64_from(std::complex<double> value);
/// What a float32 or complex64 was rounded from, if the storage tells, or else its value.
double unrounded_float32(const ScalarStorage& storage);
std::complex<double> unrounded_complex64(const ScalarStorage& storage);
ScalarStorage scalar_from_int64(Dtype dtype, int64_t value);

}  // namespace ftrans
