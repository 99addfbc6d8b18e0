#include <nanobind/ndarray.h>

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>

#include <cstring>
#include <memory>

#include "bindings/array.h"
#include "bindings/error.h"
#include "core/shape.h"
#include "cpu/step_kernels.h"

namespace ftrans::bindings {
namespace {

/// Keeps a value alive for whoever looks at its memory through the buffer protocol; the handle may be rebound
/// meanwhile.
struct BufferOwner {
  PyObject_HEAD Ref<Value> value;
  Dims byte_strides;
};

PyTypeObject* buffer_owner_type = nullptr;

void buffer_owner_free(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  std::destroy_at(reinterpret_cast<BufferOwner*>(self));
  type->tp_free(self);
  Py_DECREF(type);
}

PyType_Slot buffer_owner_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(buffer_owner_free)},
                                    {0, nullptr}};
PyType_Spec buffer_owner_spec = {"ftrans._native.BufferOwner", sizeof(BufferOwner), 0,
                                 Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, buffer_owner_slots};

const char* buffer_format(Dtype dtype) {
  constexpr const char* formats[kDtypeCount] = {"?", "b", "h", "i", "q", "B",  "H", "I",
                                                "Q", "e", "",  "f", "d", "Zf", "Zd"};
  return formats[static_cast<int>(dtype)];
}

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  return guarded(-1, [&] {
    view->obj = nullptr;
    if (flags & PyBUF_WRITABLE) {
      PyErr_SetString(PyExc_BufferError, "the memory of an Array is read-only");
      return -1;
    }
    Ref<Value> value = ready_value(self, "the buffer protocol");
    if (value->dtype == Dtype::BFloat16) {
      PyErr_SetString(PyExc_BufferError,
                      "the buffer protocol has no bfloat16; use numpy.asarray, or __dlpack__");
      return -1;
    }
    if (!(flags & PyBUF_STRIDES) && !value->contiguous) {
      PyErr_SetString(PyExc_BufferError,
                      "the array is not contiguous, and the buffer was asked for without strides");
      return -1;
    }
    PyObject* memory = buffer_owner_type->tp_alloc(buffer_owner_type, 0);
    if (!memory) return -1;
    BufferOwner& owner = *reinterpret_cast<BufferOwner*>(memory);
    std::construct_at(&owner.value, value);
    std::construct_at(&owner.byte_strides, value->strides);
    for (int64_t& stride : owner.byte_strides) stride *= itemsize(value->dtype);
    static_assert(sizeof(Py_ssize_t) == sizeof(int64_t));
    view->buf = value->data();
    view->obj = memory;
    view->len = value->nbytes();
    view->readonly = 1;
    view->itemsize = itemsize(value->dtype);
    view->format = flags & PyBUF_FORMAT ? const_cast<char*>(buffer_format(value->dtype)) : nullptr;
    view->ndim = value->shape.size();
    view->shape =
        flags & PyBUF_ND ? reinterpret_cast<Py_ssize_t*>(const_cast<int64_t*>(value->shape.data())) : nullptr;
    view->strides =
        flags & PyBUF_STRIDES ? reinterpret_cast<Py_ssize_t*>(owner.byte_strides.data()) : nullptr;
    view->suboffsets = nullptr;
    view->internal = nullptr;
    return 0;
  });
}

nb::object to_numpy(nb::handle self, nb::handle dtype, nb::handle copy) {
  nb::module_ numpy = nb::module_::import_("numpy");
  nb::object array = numpy_view(ready_value(self.ptr(), "__array__()"), false);
  const bool converts = !dtype.is_none() && !array.attr("dtype").equal(numpy.attr("dtype")(dtype));
  const bool may_not_copy = !copy.is_none() && !nb::cast<bool>(copy);
  if (converts && may_not_copy)
    throw nb::value_error("__array__: copy=False, but the conversion of the dtype needs a copy");
  if (converts) return array.attr("astype")(dtype);
  if (!copy.is_none() && nb::cast<bool>(copy)) return array.attr("copy")();
  return array;
}

nb::dlpack::dtype dlpack_dtype(Dtype dtype) {
  using Code = nb::dlpack::dtype_code;
  Code code = Code::Float;
  switch (kind(dtype)) {
    case 'b': code = Code::Bool; break;
    case 'i': code = Code::Int; break;
    case 'u': code = Code::UInt; break;
    case 'c': code = Code::Complex; break;
    default: code = dtype == Dtype::BFloat16 ? Code::Bfloat : Code::Float;
  }
  return {static_cast<uint8_t>(code), static_cast<uint8_t>(8 * itemsize(dtype)), 1};
}

Dtype dtype_from_dlpack(nb::dlpack::dtype type) {
  for (int i = 0; i < kDtypeCount; ++i) {
    const Dtype dtype = static_cast<Dtype>(i);
    const nb::dlpack::dtype candidate = dlpack_dtype(dtype);
    if (type.code == candidate.code && type.bits == candidate.bits && type.lanes == candidate.lanes)
      return dtype;
  }
  throw nb::type_error("from_dlpack: the dtype is none that ftrans has");
}

using ForeignArray = nb::ndarray<nb::ro, nb::device::cpu>;

/// A row-major value of its own with the elements of strided memory.
Ref<Value> copy_of(const TensorView& source, const Dims& shape) {
  Ref<Value> target = Value::allocate(source.dtype, shape);
  const TensorView to = target->view();
  if (target->size > 0) cpu::step_kernel(Opcode::Copy)({&source, 1, &to, 1, nullptr, 0});
  return target;
}

/// Looks at foreign memory where its alignment allows; otherwise, or if asked, copies it.
nb::object from_memory(const ForeignArray& source, Dtype dtype, bool copy) {
  Dims shape(static_cast<int>(source.ndim())), strides(static_cast<int>(source.ndim()));
  for (int axis = 0; axis < shape.size(); ++axis) {
    shape[axis] = static_cast<int64_t>(source.shape(axis));
    strides[axis] = source.stride(axis);
  }
  Ref<Value> value(new Value(dtype, shape));
  const bool aligned =
      reinterpret_cast<uintptr_t>(source.data()) % static_cast<uintptr_t>(itemsize(dtype)) == 0;
  if (copy || !aligned || value->size == 0) {
    const TensorView memory{const_cast<void*>(source.data()), dtype, shape.size(), shape.data(),
                            strides.data()};
    return nb::steal(new_array(copy_of(memory, shape)));
  }
  int64_t low = 0, high = 0;  // the lowest and the highest element
  for (int axis = 0; axis < shape.size(); ++axis) {
    const int64_t reach = (shape[axis] - 1) * strides[axis];
    (reach < 0 ? low : high) += reach;
  }
  auto* owner = new ForeignArray(source);
  char* first = static_cast<char*>(const_cast<void*>(source.data()));
  Ref<Buffer> buffer =
      Buffer::borrow(first + low * itemsize(dtype), static_cast<size_t>((high - low + 1) * itemsize(dtype)),
                     owner, [](void* held) {
                       nb::gil_scoped_acquire lock;
                       delete static_cast<ForeignArray*>(held);
                     });
  value->publish(std::move(buffer), -low, strides);
  return nb::steal(new_array(std::move(value)));
}

nb::object from_numpy(nb::handle array, bool copy) {
  Dtype dtype = dtype_from_object(nb::object(array.attr("dtype")).ptr());
  nb::object source = nb::borrow(array);
  if (dtype == Dtype::BFloat16) source = source.attr("view")("uint16");
  if (dtype == Dtype::Bool) source = source.attr("view")("uint8");
  ForeignArray memory;
  if (!nb::try_cast(source, memory)) {
    throw nb::type_error(("from_numpy: expected a NumPy array in native byte order, got " +
                          nb::cast<std::string>(nb::repr(array)))
                             .c_str());
  }
  return from_memory(memory, dtype, copy);
}

nb::object from_dlpack(const ForeignArray& source, bool copy) {
  return from_memory(source, dtype_from_dlpack(source.dtype()), copy);
}

// The parts of the DLPack protocol that an exporter needs (dlpack.h, version 1.0).
struct DLDevice {
  int32_t type;
  int32_t id;
};
struct DLTensor {
  void* data;
  DLDevice device;
  int32_t ndim;
  nb::dlpack::dtype dtype;
  int64_t* shape;
  int64_t* strides;
  uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor tensor;
  void* context;
  void (*deleter)(DLManagedTensor*);
};
struct DLManagedTensorVersioned {
  uint32_t major, minor;
  void* context;
  void (*deleter)(DLManagedTensorVersioned*);
  uint64_t flags;
  DLTensor tensor;
};
constexpr uint64_t kReadOnly = 1;
constexpr uint64_t kIsCopied = 2;
constexpr int32_t kCpuDevice = 1;

template <typename Managed>
struct Export {
  Managed managed{};
  Ref<Value> value;
  Dims shape, strides;
};

template <typename Managed>
nb::object export_capsule(Ref<Value> value, const char* name, uint64_t flags) {
  auto exported = std::make_unique<Export<Managed>>();
  exported->shape = value->shape;
  exported->strides = value->strides;
  Managed& managed = exported->managed;
  managed.tensor = {value->data(),
                    {kCpuDevice, 0},
                    value->shape.size(),
                    dlpack_dtype(value->dtype),
                    exported->shape.data(),
                    exported->strides.data(),
                    0};
  if constexpr (std::is_same_v<Managed, DLManagedTensorVersioned>) {
    managed.major = 1;
    managed.minor = 0;
    managed.flags = flags;
  }
  managed.context = exported.get();
  managed.deleter = [](Managed* self) { delete static_cast<Export<Managed>*>(self->context); };
  exported->value = std::move(value);
  PyObject* capsule = PyCapsule_New(&managed, name, [](PyObject* self) {
    // A consumer renames the capsule when it takes the tensor over.
    for (const char* unused : {"dltensor", "dltensor_versioned"}) {
      if (!PyCapsule_IsValid(self, unused)) continue;
      auto* tensor = static_cast<Managed*>(PyCapsule_GetPointer(self, unused));
      tensor->deleter(tensor);
    }
  });
  if (!capsule) throw nb::python_error();
  exported.release();
  return nb::steal(capsule);
}

nb::object to_dlpack(nb::handle self, nb::handle stream, nb::handle max_version, nb::handle device,
                     nb::handle copy) {
  if (!stream.is_none()) throw nb::value_error("__dlpack__: stream must be None for memory of the CPU");
  if (!device.is_none()) {
    nb::object kind = device[0];
    if (nb::hasattr(kind, "value")) kind = kind.attr("value");  // a member of an enumeration
    const int type = nb::cast<int>(kind), id = nb::cast<int>(nb::object(device[1]));
    if (type != kCpuDevice || id != 0) {
      PyErr_SetString(PyExc_BufferError,
                      "__dlpack__: the memory can only be exported to the CPU, dl_device=(1, 0)");
      throw nb::python_error();
    }
  }
  Ref<Value> value = ready_value(self.ptr(), "__dlpack__()");
  const bool copies = !copy.is_none() && nb::cast<bool>(copy);
  if (copies) value = copy_of(value->view(), value->shape);
  const bool versioned = !max_version.is_none() && nb::cast<std::pair<int, int>>(max_version).first >= 1;
  if (versioned) {
    return export_capsule<DLManagedTensorVersioned>(std::move(value), "dltensor_versioned",
                                                    copies ? kIsCopied : kReadOnly);
  }
  return export_capsule<DLManagedTensor>(std::move(value), "dltensor", 0);
}

}  // namespace

nb::object numpy_view(const Ref<Value>& value, bool writable) {
  auto* held = new Ref<Value>(value);
  nb::capsule owner(held, [](void* pointer) noexcept { delete static_cast<Ref<Value>*>(pointer); });
  const bool is_bfloat16 = value->dtype == Dtype::BFloat16;  // which NumPy itself does not know
  const nb::dlpack::dtype dtype = dlpack_dtype(is_bfloat16 ? Dtype::UInt16 : value->dtype);
  std::vector<size_t> shape(value->shape.begin(), value->shape.end());
  nb::object array;
  if (writable) {
    array = nb::cast(nb::ndarray<nb::numpy>(value->data(), shape.size(), shape.data(), owner,
                                            value->strides.data(), dtype));
  } else {
    array = nb::cast(nb::ndarray<nb::numpy, nb::ro>(value->data(), shape.size(), shape.data(), owner,
                                                    value->strides.data(), dtype));
  }
  return is_bfloat16 ? array.attr("view")(nb::module_::import_("ml_dtypes").attr("bfloat16")) : array;
}

void bind_interop(nb::module_& module) {
  buffer_owner_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&buffer_owner_spec));
  if (!buffer_owner_type) throw nb::python_error();
  array_type->tp_as_buffer->bf_getbuffer = get_buffer;
  PyType_Modified(array_type);
  nb::handle type(reinterpret_cast<PyObject*>(array_type));
  nb::cpp_function_def(&to_numpy, nb::scope(type), nb::name("__array__"), nb::is_method(),
                       nb::arg("dtype") = nb::none(), nb::kw_only(), nb::arg("copy") = nb::none());
  nb::cpp_function_def(&to_dlpack, nb::scope(type), nb::name("__dlpack__"), nb::is_method(), nb::kw_only(),
                       nb::arg("stream") = nb::none(), nb::arg("max_version") = nb::none(),
                       nb::arg("dl_device") = nb::none(), nb::arg("copy") = nb::none());
  nb::cpp_function_def([](nb::handle) { return nb::make_tuple(kCpuDevice, 0); }, nb::scope(type),
                       nb::name("__dlpack_device__"), nb::is_method());
  module.def(
      "from_numpy", &from_numpy, nb::arg("array"), nb::arg("copy") = true,
      "An array of the NumPy array's elements; with copy=False it looks at the same memory where it can.");
  module.def("from_dlpack", &from_dlpack, nb::arg("source"), nb::arg("copy") = false,
             "An array that looks at the memory of an object with __dlpack__ or the buffer protocol.");
}

}  // namespace ftrans::bindings
