#include "bindings/array.h"

#include <complex>
#include <cstring>
#include <optional>
#include <unordered_map>

#include "bindings/error.h"
#include "bindings/host_error.h"
#include "bindings/tracebacks.h"
#include "core/half.h"
#include "core/shape.h"
#include "graph/execute.h"

namespace ftrans::bindings {

PyTypeObject* array_type = nullptr;

namespace {

PyObject* aval_factory = nullptr;
PyObject* concretization_hook = nullptr;
PyObject* operator_fallbacks = nullptr;  // dict: name → function
unsigned long main_thread = 0;           // the one that Python calls signal handlers on

class UnlockedEvaluation : public Evaluation {
 public:
  void unlock() override { state_ = PyEval_SaveThread(); }
  void relock() override { PyEval_RestoreThread(state_); }

  void check_wanted() override {
    if (PyThread_get_thread_ident() != main_thread) return;
    relock();
    std::optional<HostError> error;
    {
      const HostCallScope scope;  // what the handler of a signal evaluates does not wait for this evaluation
      if (PyErr_CheckSignals() != 0) error.emplace();
    }
    unlock();
    if (error) throw HostError(*error);
  }

 private:
  PyThreadState* state_ = nullptr;
};

struct AvalKey {
  Dtype dtype;
  bool weak_type;
  Dims shape;
  bool operator==(const AvalKey& other) const {
    return dtype == other.dtype && weak_type == other.weak_type && shape == other.shape;
  }
};

struct AvalKeyHash {
  size_t operator()(const AvalKey& key) const {
    uint64_t hash = static_cast<uint64_t>(key.dtype) * 2 + key.weak_type;
    for (int64_t extent : key.shape) hash = (hash ^ static_cast<uint64_t>(extent)) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 31);
  }
};

// Interned descriptions live as long as the process, so plain pointers may be kept.
auto& avals_by_key = *new std::unordered_map<AvalKey, PyObject*, AvalKeyHash>;
auto& infos_by_aval = *new std::unordered_map<PyObject*, AvalInfo>;

PyObject* aval_for(Dtype dtype, bool weak_type, const Dims& shape) {
  AvalKey key{dtype, weak_type, shape};
  auto found = avals_by_key.find(key);
  if (found != avals_by_key.end()) return found->second;
  if (!aval_factory) throw std::runtime_error("set_aval_factory has not been called");
  nb::object shape_tuple = nb::steal(tuple_from_dims(shape));
  PyObject* aval = PyObject_CallFunctionObjArgs(aval_factory, shape_tuple.ptr(), dtype_object(dtype),
                                                weak_type ? Py_True : Py_False, nullptr);
  if (!aval) throw nb::python_error();
  infos_by_aval.try_emplace(aval, AvalInfo{dtype, weak_type, shape});
  return avals_by_key.emplace(std::move(key), aval).first->second;
}

}  // namespace

PyObject* aval_of(const Array& array) {
  if (array.is_traced()) return array.aval;
  Value& value = *array.value;
  if (!value.aval) value.aval = aval_for(value.dtype, value.weak_type, value.shape);
  return static_cast<PyObject*>(value.aval);
}

const AvalInfo& aval_info(PyObject* aval) {
  auto found = infos_by_aval.find(aval);
  if (found != infos_by_aval.end()) return found->second;
  nb::handle object(aval);
  const Dtype dtype = dtype_from_object(nb::object(object.attr("dtype")).ptr());
  const bool weak_type = nb::cast<bool>(object.attr("weak_type"));
  Dims shape = dims_from_sequence(nb::object(object.attr("shape")).ptr());
  avals_by_key.try_emplace(AvalKey{dtype, weak_type, shape}, aval);
  Py_INCREF(aval);
  return infos_by_aval.try_emplace(aval, AvalInfo{dtype, weak_type, std::move(shape)}).first->second;
}

Dims dims_from_sequence(PyObject* sequence) {
  PyObject* items = PySequence_Fast(sequence, "expected a sequence of integers");
  if (!items) throw nb::python_error();
  nb::object keep = nb::steal(items);
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(items);
  Dims dims(static_cast<int>(count));
  for (Py_ssize_t i = 0; i < count; ++i) {
    dims[static_cast<int>(i)] = PyLong_AsLongLong(PySequence_Fast_GET_ITEM(items, i));
  }
  if (PyErr_Occurred()) throw nb::python_error();
  return dims;
}

PyObject* tuple_from_dims(const Dims& dims) {
  PyObject* tuple = PyTuple_New(dims.size());
  if (!tuple) throw nb::python_error();
  for (int i = 0; i < dims.size(); ++i) PyTuple_SET_ITEM(tuple, i, PyLong_FromLongLong(dims[i]));
  return tuple;
}

PyObject* new_array(Ref<Value> value) {
  nb::object instance = nb::inst_alloc(nb::handle(reinterpret_cast<PyObject*>(array_type)));
  Array* array = new (nb::inst_ptr<Array>(instance)) Array;
  nb::inst_mark_ready(instance);
  array->value = std::move(value);
  PyObject_GC_UnTrack(instance.ptr());  // only a tracer can be part of a cycle
  return instance.release().ptr();
}

Ref<Value> concrete_value(PyObject* object, const char* what) {
  if (!is_array(object)) throw nb::type_error((std::string(what) + ": self is not an Array").c_str());
  PyObject* current = object;
  nb::object found;
  while (array_of(current).is_traced()) {
    current = array_of(current).linked;
    if (current) continue;
    if (!concretization_hook) throw nb::type_error("the value of an abstract tracer is not known");
    nb::object name = nb::str(what);
    found = nb::steal(PyObject_CallFunctionObjArgs(concretization_hook, object, name.ptr(), nullptr));
    if (!found.is_valid()) throw nb::python_error();
    current = found.ptr();
    if (!is_array(current)) throw nb::type_error("the concretization hook must return an Array");
  }
  return array_of(current).value;
}

void evaluate(const std::vector<Ref<Value>>& roots, bool blocking) {
  UnlockedEvaluation().run(roots, blocking);
  tell_placement();
}

void make_ready(const Ref<Value>& value) {
  if (!value->is_ready()) evaluate({value}, true);
  if (value->is_immediate) value->materialize_immediate();
}

Ref<Value> ready_value(PyObject* object, const char* what) {
  Ref<Value> value = concrete_value(object, what);
  make_ready(value);
  return value;
}

namespace {

/// A Python number (or bool) for one element.
nb::object element_object(Dtype dtype, const void* data) {
  switch (dtype) {
    case Dtype::Bool: return nb::bool_(*static_cast<const bool*>(data));
    case Dtype::Int8: return nb::int_(*static_cast<const int8_t*>(data));
    case Dtype::Int16: return nb::int_(*static_cast<const int16_t*>(data));
    case Dtype::Int32: return nb::int_(*static_cast<const int32_t*>(data));
    case Dtype::Int64: return nb::int_(*static_cast<const int64_t*>(data));
    case Dtype::UInt8: return nb::int_(*static_cast<const uint8_t*>(data));
    case Dtype::UInt16: return nb::int_(*static_cast<const uint16_t*>(data));
    case Dtype::UInt32: return nb::int_(*static_cast<const uint32_t*>(data));
    case Dtype::UInt64: return nb::int_(*static_cast<const uint64_t*>(data));
    case Dtype::Float16: return nb::float_(to_float(*static_cast<const Float16*>(data)));
    case Dtype::BFloat16: return nb::float_(to_float(*static_cast<const BFloat16*>(data)));
    case Dtype::Float32: return nb::float_(static_cast<double>(*static_cast<const float*>(data)));
    case Dtype::Float64: return nb::float_(*static_cast<const double*>(data));
    case Dtype::Complex64: {
      const auto number = *static_cast<const std::complex<float>*>(data);
      return nb::steal(PyComplex_FromDoubles(number.real(), number.imag()));
    }
    case Dtype::Complex128: {
      const auto number = *static_cast<const std::complex<double>*>(data);
      return nb::steal(PyComplex_FromDoubles(number.real(), number.imag()));
    }
  }
  throw std::logic_error("element_object: unknown dtype");
}

nb::object nested_list(const Value& value, int axis, const char* data) {
  if (axis == value.shape.size()) return element_object(value.dtype, data);
  const int64_t step = value.strides[axis] * itemsize(value.dtype);
  PyObject* list = PyList_New(value.shape[axis]);
  if (!list) throw nb::python_error();
  nb::object result = nb::steal(list);
  for (int64_t i = 0; i < value.shape[axis]; ++i) {
    PyList_SET_ITEM(list, i, nested_list(value, axis + 1, data + i * step).release().ptr());
  }
  return result;
}

nb::object single_element(PyObject* self, const char* what) {
  Ref<Value> value = ready_value(self, what);
  if (value->size != 1) {
    throw nb::value_error(
        (std::string(what) + " needs an array of one element; this one has shape " + to_string(value->shape))
            .c_str());
  }
  return element_object(value->dtype, value->data());
}

/// The number of an immediate. One of Python may still take another dtype, without having been rounded to
/// this one.
nb::object immediate_number(const Value& value) {
  if (value.weak_type && value.dtype == Dtype::Float32) return nb::float_(unrounded_float32(value.immediate));
  if (value.weak_type && value.dtype == Dtype::Complex64) {
    const std::complex<double> number = unrounded_complex64(value.immediate);
    return nb::steal(PyComplex_FromDoubles(number.real(), number.imag()));
  }
  return element_object(value.dtype, value.immediate.bytes);
}

PyObject* call_fallback(const char* name, PyObject* const* arguments, size_t count) {
  PyObject* function = operator_fallbacks ? PyDict_GetItemString(operator_fallbacks, name) : nullptr;
  if (!function) return Py_NewRef(Py_NotImplemented);
  return for_user(PyObject_Vectorcall(function, arguments, count, nullptr));
}

/// A binary operator: the fast path in C++, else the method in Python, reflected where the left operand is
/// foreign.
template <Opcode kOpcode, bool kFast>
PyObject* binary_operator(PyObject* left, PyObject* right, const char* name, const char* reflected) {
  return guarded(static_cast<PyObject*>(nullptr), [&]() -> PyObject* {
    if constexpr (kFast) {
      if (PyObject* result = fast_binary(kOpcode, left, right)) return result;
      if (PyErr_Occurred()) return nullptr;
    }
    if (is_array(left)) {
      PyObject* arguments[2] = {left, right};
      return call_fallback(name, arguments, 2);
    }
    PyObject* arguments[2] = {right, left};
    return call_fallback(reflected, arguments, 2);
  });
}

#define FTRANS_BINARY_SLOT(function, opcode, fast, name)                                        \
  PyObject* function(PyObject* left, PyObject* right) {                                         \
    return binary_operator<Opcode::opcode, fast>(left, right, "__" name "__", "__r" name "__"); \
  }
FTRANS_BINARY_SLOT(slot_add, Add, true, "add")
FTRANS_BINARY_SLOT(slot_subtract, Sub, true, "sub")
FTRANS_BINARY_SLOT(slot_multiply, Mul, true, "mul")
FTRANS_BINARY_SLOT(slot_true_divide, Div, true, "truediv")
FTRANS_BINARY_SLOT(slot_floor_divide, FloorDivide, true, "floordiv")
FTRANS_BINARY_SLOT(slot_remainder, Remainder, true, "mod")
FTRANS_BINARY_SLOT(slot_divmod, Div, false, "divmod")
FTRANS_BINARY_SLOT(slot_matmul, DotGeneral, false, "matmul")
FTRANS_BINARY_SLOT(slot_and, And, true, "and")
FTRANS_BINARY_SLOT(slot_or, Or, true, "or")
FTRANS_BINARY_SLOT(slot_xor, Xor, true, "xor")
FTRANS_BINARY_SLOT(slot_lshift, ShiftLeft, false, "lshift")
FTRANS_BINARY_SLOT(slot_rshift, ShiftRight, false, "rshift")
#undef FTRANS_BINARY_SLOT

PyObject* slot_power(PyObject* left, PyObject* right, PyObject*) {
  return binary_operator<Opcode::Pow, false>(left, right, "__pow__", "__rpow__");
}

/// An in-place operator: the handle comes to stand for the result.
#define FTRANS_INPLACE_SLOT(function, name)             \
  PyObject* function(PyObject* self, PyObject* other) { \
    PyObject* arguments[2] = {self, other};             \
    return call_fallback("__" name "__", arguments, 2); \
  }
FTRANS_INPLACE_SLOT(slot_inplace_add, "iadd")
FTRANS_INPLACE_SLOT(slot_inplace_subtract, "isub")
FTRANS_INPLACE_SLOT(slot_inplace_multiply, "imul")
FTRANS_INPLACE_SLOT(slot_inplace_true_divide, "itruediv")
FTRANS_INPLACE_SLOT(slot_inplace_floor_divide, "ifloordiv")
FTRANS_INPLACE_SLOT(slot_inplace_remainder, "imod")
FTRANS_INPLACE_SLOT(slot_inplace_matmul, "imatmul")
FTRANS_INPLACE_SLOT(slot_inplace_and, "iand")
FTRANS_INPLACE_SLOT(slot_inplace_or, "ior")
FTRANS_INPLACE_SLOT(slot_inplace_xor, "ixor")
FTRANS_INPLACE_SLOT(slot_inplace_lshift, "ilshift")
FTRANS_INPLACE_SLOT(slot_inplace_rshift, "irshift")
#undef FTRANS_INPLACE_SLOT

PyObject* slot_inplace_power(PyObject* self, PyObject* other, PyObject*) {
  PyObject* arguments[2] = {self, other};
  return call_fallback("__ipow__", arguments, 2);
}

template <Opcode kOpcode>
PyObject* unary_operator(PyObject* self, const char* name) {
  return guarded(static_cast<PyObject*>(nullptr), [&]() -> PyObject* {
    if (PyObject* result = fast_unary(kOpcode, self)) return result;
    if (PyErr_Occurred()) return nullptr;
    return call_fallback(name, &self, 1);
  });
}

PyObject* slot_negative(PyObject* self) { return unary_operator<Opcode::Neg>(self, "__neg__"); }
PyObject* slot_absolute(PyObject* self) { return unary_operator<Opcode::Abs>(self, "__abs__"); }
PyObject* slot_invert(PyObject* self) { return unary_operator<Opcode::Not>(self, "__invert__"); }
PyObject* slot_positive(PyObject* self) { return call_fallback("__pos__", &self, 1); }

PyObject* slot_compare(PyObject* self, PyObject* other, int operation) {
  switch (operation) {
    case Py_EQ: return binary_operator<Opcode::Eq, true>(self, other, "__eq__", "__eq__");
    case Py_NE: return binary_operator<Opcode::Ne, true>(self, other, "__ne__", "__ne__");
    case Py_LT: return binary_operator<Opcode::Lt, true>(self, other, "__lt__", "__gt__");
    case Py_LE: return binary_operator<Opcode::Le, true>(self, other, "__le__", "__ge__");
    case Py_GT: return binary_operator<Opcode::Gt, true>(self, other, "__gt__", "__lt__");
    default: return binary_operator<Opcode::Ge, true>(self, other, "__ge__", "__le__");
  }
}

int slot_bool(PyObject* self) {
  return guarded(-1, [&] { return PyObject_IsTrue(single_element(self, "bool()").ptr()); });
}

PyObject* slot_int(PyObject* self) {
  return guarded(static_cast<PyObject*>(nullptr),
                 [&] { return PyNumber_Long(single_element(self, "int()").ptr()); });
}

PyObject* slot_float(PyObject* self) {
  return guarded(static_cast<PyObject*>(nullptr),
                 [&] { return PyNumber_Float(single_element(self, "float()").ptr()); });
}

PyObject* slot_index(PyObject* self) {
  return guarded(static_cast<PyObject*>(nullptr), [&]() -> PyObject* {
    const AvalInfo& type = aval_info(aval_of(array_of(self)));
    if ((kind(type.dtype) != 'i' && kind(type.dtype) != 'u') || !type.shape.empty()) {
      throw nb::type_error(("only an integer array of shape () can be used as an index; this one is " +
                            std::string(name(type.dtype)) + " of shape " + to_string(type.shape))
                               .c_str());
    }
    return single_element(self, "__index__()").release().ptr();
  });
}

const Dims& shape_of(const Array& array) {
  return array.is_traced() ? aval_info(array.aval).shape : array.value->shape;
}
Dtype dtype_of(const Array& array) {
  return array.is_traced() ? aval_info(array.aval).dtype : array.value->dtype;
}

/// The tuple of the aval where there is one: no new one is made, and equal shapes are mostly the same object.
nb::object shape_tuple(const Array& array) {
  PyObject* aval = array.is_traced() ? array.aval : static_cast<PyObject*>(array.value->aval);
  if (!aval) return nb::steal(tuple_from_dims(shape_of(array)));
  static PyObject* const name = PyUnicode_InternFromString("shape");
  nb::object shape = nb::steal(PyObject_GetAttr(aval, name));
  if (!shape.is_valid()) throw nb::python_error();
  return shape;
}

Py_ssize_t slot_length(PyObject* self) {
  return guarded(Py_ssize_t{-1}, [&]() -> Py_ssize_t {
    const Dims& shape = shape_of(array_of(self));
    if (shape.empty()) throw nb::type_error("len() of an array of shape ()");
    return shape[0];
  });
}

PyObject* slot_subscript(PyObject* self, PyObject* key) {
  PyObject* arguments[2] = {self, key};
  return guarded(static_cast<PyObject*>(nullptr), [&] { return call_fallback("__getitem__", arguments, 2); });
}

int slot_assign_subscript(PyObject* self, PyObject* key, PyObject* item) {
  return guarded(-1, [&] {
    if (!item) throw nb::type_error("elements of an array can't be deleted");
    PyObject* arguments[3] = {self, key, item};
    PyObject* result = call_fallback("__setitem__", arguments, 3);
    if (!result) return -1;
    Py_DECREF(result);
    return 0;
  });
}

PyObject* slot_iterate(PyObject* self) {
  return guarded(static_cast<PyObject*>(nullptr), [&]() -> PyObject* {
    const Dims& shape = shape_of(array_of(self));
    if (shape.empty()) throw nb::type_error("iteration over an array of shape ()");
    nb::object rows = nb::steal(PyList_New(shape[0]));
    for (int64_t i = 0; i < shape[0]; ++i) {
      nb::int_ index(i);
      PyObject* row = slot_subscript(self, index.ptr());
      if (!row) throw nb::python_error();
      PyList_SET_ITEM(rows.ptr(), i, row);
    }
    return PyObject_GetIter(rows.ptr());
  });
}

PyObject* slot_repr(PyObject* self) {
  return guarded(static_cast<PyObject*>(nullptr), [&]() -> PyObject* {
    PyObject* current = self;
    while (array_of(current).linked) current = array_of(current).linked;
    if (array_of(current).is_traced()) {
      const nb::object kind = nb::handle(array_of(current).trace).attr("kind_of_array");
      nb::object text = nb::steal(PyObject_Str(array_of(self).aval));
      return nb::str("{}<{}>").attr("format")(kind, text).release().ptr();
    }
    return nb::str(format_array(*ready_value(self, "repr()")).c_str()).release().ptr();
  });
}

Py_hash_t slot_hash(PyObject*) {
  PyErr_SetString(
      PyExc_TypeError,
      "unhashable type: 'Array' (a handle can come to stand for another value: a[i] = v). Use a.item(), or "
      "tuple(a.tolist()), as a key");
  return -1;
}

int slot_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  if (!nb::inst_ready(self)) return 0;
  Array& array = array_of(self);
  Py_VISIT(array.trace);
  Py_VISIT(array.variable);
  Py_VISIT(array.linked);
  return 0;
}

int slot_clear(PyObject* self) {
  array_of(self).clear_trace();
  return 0;
}

PyType_Slot array_slots[] = {
    {Py_nb_add, reinterpret_cast<void*>(slot_add)},
    {Py_nb_subtract, reinterpret_cast<void*>(slot_subtract)},
    {Py_nb_multiply, reinterpret_cast<void*>(slot_multiply)},
    {Py_nb_true_divide, reinterpret_cast<void*>(slot_true_divide)},
    {Py_nb_floor_divide, reinterpret_cast<void*>(slot_floor_divide)},
    {Py_nb_remainder, reinterpret_cast<void*>(slot_remainder)},
    {Py_nb_divmod, reinterpret_cast<void*>(slot_divmod)},
    {Py_nb_power, reinterpret_cast<void*>(slot_power)},
    {Py_nb_matrix_multiply, reinterpret_cast<void*>(slot_matmul)},
    {Py_nb_and, reinterpret_cast<void*>(slot_and)},
    {Py_nb_or, reinterpret_cast<void*>(slot_or)},
    {Py_nb_xor, reinterpret_cast<void*>(slot_xor)},
    {Py_nb_lshift, reinterpret_cast<void*>(slot_lshift)},
    {Py_nb_rshift, reinterpret_cast<void*>(slot_rshift)},
    {Py_nb_inplace_add, reinterpret_cast<void*>(slot_inplace_add)},
    {Py_nb_inplace_subtract, reinterpret_cast<void*>(slot_inplace_subtract)},
    {Py_nb_inplace_multiply, reinterpret_cast<void*>(slot_inplace_multiply)},
    {Py_nb_inplace_true_divide, reinterpret_cast<void*>(slot_inplace_true_divide)},
    {Py_nb_inplace_floor_divide, reinterpret_cast<void*>(slot_inplace_floor_divide)},
    {Py_nb_inplace_remainder, reinterpret_cast<void*>(slot_inplace_remainder)},
    {Py_nb_inplace_matrix_multiply, reinterpret_cast<void*>(slot_inplace_matmul)},
    {Py_nb_inplace_power, reinterpret_cast<void*>(slot_inplace_power)},
    {Py_nb_inplace_and, reinterpret_cast<void*>(slot_inplace_and)},
    {Py_nb_inplace_or, reinterpret_cast<void*>(slot_inplace_or)},
    {Py_nb_inplace_xor, reinterpret_cast<void*>(slot_inplace_xor)},
    {Py_nb_inplace_lshift, reinterpret_cast<void*>(slot_inplace_lshift)},
    {Py_nb_inplace_rshift, reinterpret_cast<void*>(slot_inplace_rshift)},
    {Py_nb_negative, reinterpret_cast<void*>(slot_negative)},
    {Py_nb_positive, reinterpret_cast<void*>(slot_positive)},
    {Py_nb_absolute, reinterpret_cast<void*>(slot_absolute)},
    {Py_nb_invert, reinterpret_cast<void*>(slot_invert)},
    {Py_nb_bool, reinterpret_cast<void*>(slot_bool)},
    {Py_nb_int, reinterpret_cast<void*>(slot_int)},
    {Py_nb_float, reinterpret_cast<void*>(slot_float)},
    {Py_nb_index, reinterpret_cast<void*>(slot_index)},
    {Py_mp_length, reinterpret_cast<void*>(slot_length)},
    {Py_mp_subscript, reinterpret_cast<void*>(slot_subscript)},
    {Py_mp_ass_subscript, reinterpret_cast<void*>(slot_assign_subscript)},
    {Py_tp_iter, reinterpret_cast<void*>(slot_iterate)},
    {Py_tp_richcompare, reinterpret_cast<void*>(slot_compare)},
    {Py_tp_repr, reinterpret_cast<void*>(slot_repr)},
    {Py_tp_hash, reinterpret_cast<void*>(slot_hash)},
    {Py_tp_traverse, reinterpret_cast<void*>(slot_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(slot_clear)},
    {0, nullptr},
};

nb::object or_none(PyObject* object) { return object ? nb::borrow(object) : nb::none(); }

/// Tells the garbage collector of a handle that has become traced.
void track(PyObject* handle) {
  if (array_of(handle).is_traced() && !PyObject_GC_IsTracked(handle)) PyObject_GC_Track(handle);
}

void copy_handle(PyObject* handle, const Array& source) {
  Array& target = array_of(handle);
  Ref<Value> value = source.value;
  PyObject* fields[4] = {Py_XNewRef(source.trace), Py_XNewRef(source.variable), Py_XNewRef(source.linked),
                         Py_XNewRef(source.aval)};
  target.clear_trace();
  target.value = std::move(value);
  target.trace = fields[0];
  target.variable = fields[1];
  target.linked = fields[2];
  target.aval = fields[3];
  track(handle);
}

nb::object make_tracer(nb::handle trace, nb::handle variable, nb::handle aval, nb::handle linked) {
  if (trace.is_none()) throw nb::type_error("make_tracer: trace is None");
  return nb::steal(
      new_tracer(trace.ptr(), variable.ptr(), aval.ptr(), linked.is_none() ? nullptr : linked.ptr()));
}

}  // namespace

PyObject* new_tracer(PyObject* trace, PyObject* variable, PyObject* aval, PyObject* linked) {
  aval_info(aval);
  PyObject* result = new_array(nullptr);
  Array& array = array_of(result);
  array.trace = Py_NewRef(trace);
  array.variable = Py_NewRef(variable);
  array.aval = Py_NewRef(aval);
  array.linked = Py_XNewRef(linked);
  track(result);
  return result;
}

void bind_array(nb::module_& module) {
  main_thread =
      nb::cast<unsigned long>(nb::module_::import_("threading").attr("main_thread")().attr("ident"));
  auto type = nb::class_<Array>(
      module, "Array", nb::type_slots(array_slots), nb::is_weak_referenceable(), nb::is_final(),
      "A lazy n-dimensional array: a handle to an immutable value, or to a variable of a trace.");
  array_type = reinterpret_cast<PyTypeObject*>(type.ptr());
  type.def_prop_ro(
          "shape", [](const Array& self) { return shape_tuple(self); },
          "Extents of the axes, a tuple of ints.")
      .def_prop_ro(
          "dtype", [](const Array& self) { return nb::borrow(dtype_object(dtype_of(self))); },
          "Type of the elements.")
      .def_prop_ro(
          "ndim", [](const Array& self) { return shape_of(self).size(); }, "Number of axes.")
      .def_prop_ro(
          "size", [](const Array& self) { return element_count(shape_of(self)); }, "Number of elements.")
      .def_prop_ro(
          "itemsize", [](const Array& self) { return itemsize(dtype_of(self)); }, "Bytes of one element.")
      .def_prop_ro(
          "nbytes",
          [](const Array& self) { return element_count(shape_of(self)) * itemsize(dtype_of(self)); },
          "Bytes of all elements.")
      .def_prop_ro(
          "weak_type",
          [](const Array& self) {
            return self.is_traced() ? aval_info(self.aval).weak_type : self.value->weak_type;
          },
          "Whether the dtype came from a Python scalar, and gives way to that of an array in promotion.")
      .def_prop_ro("aval", [](const Array& self) { return nb::borrow(aval_of(self)); })
      .def_prop_ro("_trace", [](const Array& self) { return or_none(self.trace); })
      .def_prop_ro("_variable", [](const Array& self) { return or_none(self.variable); })
      .def_prop_ro("_linked", [](const Array& self) { return or_none(self.linked); })
      .def_prop_ro("_immediate",
                   [](const Array& self) {
                     if (!self.value || !self.value->is_immediate) return nb::object(nb::none());
                     return immediate_number(*self.value);
                   })
      .def_prop_ro("_value_id",
                   [](const Array& self) { return reinterpret_cast<uintptr_t>(self.value.get()); })
      .def_prop_ro("_is_ready", [](const Array& self) { return self.value && self.value->is_ready(); })
      .def("_snapshot",
           [](const Array& self) {
             nb::object result = nb::steal(new_array(nullptr));
             copy_handle(result.ptr(), self);
             return result;
           })
      .def("_rebind",
           [](nb::handle self, const Array& other) {
             if (!is_array(self.ptr())) throw nb::type_error("_rebind: self is not an Array");
             copy_handle(self.ptr(), other);
           })
      .def(
          "item", [](nb::handle self) { return single_element(self.ptr(), "item()"); },
          "The single element as a Python number. ValueError if there are more.")
      .def(
          "tolist",
          [](nb::handle self) {
            Ref<Value> value = ready_value(self.ptr(), "tolist()");
            return nested_list(*value, 0, static_cast<const char*>(value->data()));
          },
          "The elements as nested lists of Python numbers (one number for shape ()).")
      .def("__complex__", [](nb::handle self) {
        nb::object element = single_element(self.ptr(), "complex()");
        return nb::steal(PyObject_CallOneArg(reinterpret_cast<PyObject*>(&PyComplex_Type), element.ptr()));
      });
  module.def("make_tracer", &make_tracer, nb::arg("trace"), nb::arg("variable"), nb::arg("aval"),
             nb::arg("linked").none());
  module.def("set_aval_factory", [](nb::object function) { aval_factory = function.release().ptr(); });
  module.def("set_concretization_hook",
             [](nb::object function) { concretization_hook = function.release().ptr(); });
  module.def(
      "install_operators", [](nb::dict table) { operator_fallbacks = nb::dict(table).release().ptr(); },
      "Python functions for what the operators' fast paths leave: {'__add__': function, …}.");
  module.def("install_methods", [](nb::dict table) {
    for (auto [key, function] : table)
      nb::setattr(nb::handle(reinterpret_cast<PyObject*>(array_type)), key, function);
  });
}

}  // namespace ftrans::bindings
