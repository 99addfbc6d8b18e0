"""Exchange with NumPy, DLPack, buffers, pickle and copy."""

import copy
import pickle

import ml_dtypes
import numpy as np
import pytest

import ftrans as ft

DTYPES = [
    "bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "bfloat16", "float32", "float64", "complex64", "complex128",
]  # fmt: skip
BUFFER_DTYPES = [name for name in DTYPES if name != "bfloat16"]  # Python's buffers have no format for it


def _numpy(name):
    values = np.array([[0, 1, 2], [3, 4, 5]])
    return values.astype(ml_dtypes.bfloat16 if name == "bfloat16" else getattr(np, name))


@pytest.mark.parametrize("name", DTYPES)
def test_numpy_round_trip(name):
    source = _numpy(name)
    x = ft.array(source)
    assert x.dtype == getattr(ft, name)
    assert x.shape == (2, 3)
    back = np.asarray(x)
    assert back.dtype == source.dtype
    np.testing.assert_array_equal(back, source)


def test_array_copies_and_asarray_of_numpy_keeps_values():
    source = np.arange(3.0)
    x = ft.array(source)
    source[0] = 7
    assert x.tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    "make", [lambda x: x.T, lambda x: x[:, ::2], lambda x: x[::-1], lambda x: np.asfortranarray(x)]
)
def test_numpy_layouts(make):
    source = make(np.arange(12.0).reshape(3, 4))
    np.testing.assert_array_equal(np.asarray(ft.array(source)), source)


def test_numpy_view_is_read_only_and_shares_memory():
    x = ft.arange(6, dtype=ft.float32)
    view = np.asarray(x)
    assert not view.flags.writeable  # values are immutable
    assert np.shares_memory(view, np.asarray(x))
    x[0] = 9.0
    assert view[0] == 0.0  # the update made a new value


def test_numpy_copy_is_writable():
    view = np.array(ft.arange(3))
    view[0] = 5
    assert view.tolist() == [5, 1, 2]


def test_numpy_conversion_of_dtype():
    assert np.asarray(ft.arange(3), dtype=np.float64).dtype == np.float64


def test_big_endian_and_objects():
    np.testing.assert_array_equal(np.asarray(ft.array(np.arange(3, dtype=">i4"))), [0, 1, 2])
    with pytest.raises(TypeError, match="object"):
        ft.array(np.array([object()]))


@pytest.mark.parametrize("name", BUFFER_DTYPES)
def test_dlpack_to_numpy_without_copy(name):
    x = ft.array(_numpy(name))
    first, second = np.from_dlpack(x), np.from_dlpack(x)
    np.testing.assert_array_equal(first, _numpy(name))
    assert first.ctypes.data == second.ctypes.data


@pytest.mark.parametrize("name", BUFFER_DTYPES)
def test_dlpack_from_numpy_without_copy(name):
    source = _numpy(name)
    x = ft.from_dlpack(source)
    np.testing.assert_array_equal(np.asarray(x), source)
    assert np.from_dlpack(x).ctypes.data == source.ctypes.data


def test_dlpack_keeps_the_owner_alive():
    x = ft.from_dlpack(np.arange(1000.0))
    view = np.from_dlpack(x)
    del x
    assert view.sum() == 499500
    source = np.arange(4.0)
    x = ft.from_dlpack(source)
    del source
    assert ft.sum(x).item() == 6.0


def test_dlpack_of_a_strided_view():
    x = ft.arange(12, dtype=ft.float32).reshape((3, 4))
    np.testing.assert_array_equal(np.from_dlpack(x.T[::2]), np.arange(12.0).reshape(3, 4).T[::2])


def test_dlpack_of_a_lazy_array():
    assert np.from_dlpack(ft.ones(3) + 1.0).tolist() == [2.0, 2.0, 2.0]
    assert (ft.ones(3) + 1.0).__dlpack_device__()[0] == 1  # kDLCPU


def test_dlpack_consumer_cannot_change_the_value():
    source = np.arange(3.0)
    x = ft.from_dlpack(source)
    x[0] = 5.0
    assert source.tolist() == [0.0, 1.0, 2.0]
    assert x.tolist() == [5.0, 1.0, 2.0]


def test_dlpack_refuses_what_has_none():
    with pytest.raises(TypeError, match="from_dlpack"):
        ft.from_dlpack([1, 2, 3])


@pytest.mark.parametrize("name", BUFFER_DTYPES)
def test_buffer_protocol(name):
    source = _numpy(name)
    view = memoryview(ft.array(source))
    assert (view.shape, view.itemsize, view.readonly) == (source.shape, source.itemsize, True)
    np.testing.assert_array_equal(np.asarray(view), source)


def test_buffer_of_a_scalar_and_of_nothing():
    assert memoryview(ft.array(3.0)).shape == ()
    assert memoryview(ft.zeros((0, 2))).shape == (0, 2)


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_pickle(name, protocol):
    x = ft.array(_numpy(name))
    y = pickle.loads(pickle.dumps(x, protocol))
    assert (y.dtype, y.shape) == (x.dtype, x.shape)
    np.testing.assert_array_equal(np.asarray(y), np.asarray(x))


@pytest.mark.parametrize("name", DTYPES)
def test_dtypes_pickle_to_themselves(name):
    dtype = getattr(ft, name)
    assert pickle.loads(pickle.dumps(dtype)) is dtype
    assert copy.deepcopy(dtype) is dtype
    assert {dtype: 1}[dtype] == 1


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,)])
def test_pickle_edge_shapes_and_lazy_values(shape):
    y = pickle.loads(pickle.dumps(ft.ones(shape) * 2.0))
    assert y.shape == shape
    assert np.all(np.asarray(y) == 2)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, ft.array], ids=["copy", "deepcopy", "array"])
def test_copies_are_independent(duplicate):
    x = ft.arange(3)
    y = duplicate(x)
    x[0] = 10
    y[1] = 20
    assert (x.tolist(), y.tolist()) == ([10, 1, 2], [0, 20, 2])


def test_aliases_are_not_copies():
    x = ft.arange(3)
    y = x
    y += 1
    assert x is y
    assert x.tolist() == [1, 2, 3]


def test_hash_is_refused():
    with pytest.raises(TypeError, match="unhashable"):
        hash(ft.ones(2))


def test_torch_exchanges_without_copy():
    torch = pytest.importorskip("torch")
    x = ft.arange(4, dtype=ft.float32)
    tensor = torch.from_dlpack(x)
    assert tensor.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert ft.from_dlpack(torch.ones(3) * 2).tolist() == [2.0, 2.0, 2.0]
    assert tensor.data_ptr() == np.from_dlpack(x).ctypes.data
