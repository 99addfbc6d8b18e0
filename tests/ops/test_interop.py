"""Arrays from other objects."""

import array as buffers

import ml_dtypes
import numpy as np
import pytest

import ftrans as ft


@pytest.mark.parametrize(
    ("obj", "dtype", "shape"),
    [
        (1, "int32", ()),
        (True, "bool", ()),
        (1.5, "float32", ()),
        (1j, "complex64", ()),
        ([1, 2, 3, 4], "int32", (4,)),
        ([1.0], "float32", (1,)),
        ([1, 2.5], "float32", (2,)),
        ([True, 2], "int32", (2,)),
        ([1, 1j], "complex64", (2,)),
        ([], "float32", (0,)),
        ([[], []], "float32", (2, 0)),
        (((1, 2), [3, 4]), "int32", (2, 2)),
        (np.zeros((2, 3)), "float64", (2, 3)),
        (np.float64(1.0), "float64", ()),
        ([np.float64(1), 2], "float64", (2,)),
        ([np.int8(1), 2], "int8", (2,)),
        (np.zeros(2, ml_dtypes.bfloat16), "bfloat16", (2,)),
        (np.zeros(2, ">f4"), "float32", (2,)),
        (buffers.array("d", [1, 2]), "float64", (2,)),
        (bytearray(b"abc"), "uint8", (3,)),
        (range(3), None, None),
    ],
)
def test_dtype_and_shape(obj, dtype, shape):
    if dtype is None:
        with pytest.raises(TypeError, match="array: expected an array, a number or a nested list"):
            ft.array(obj)
        return
    out = ft.array(obj)
    assert out.dtype.name == dtype
    assert out.shape == shape
    assert not out.weak_type


def test_values_survive():
    x = np.random.default_rng(0).normal(size=(3, 4))
    for dtype in ("float16", "float32", "float64", "complex64"):
        np.testing.assert_array_equal(np.asarray(ft.array(x.astype(dtype))), x.astype(dtype))
    np.testing.assert_array_equal(np.asarray(ft.array(x.T[::-2])), x.T[::-2])
    half = x.astype(ml_dtypes.bfloat16)
    assert np.array_equal(np.asarray(ft.array(half)), half)
    assert ft.array(x.tolist(), dtype=ft.bfloat16).dtype is ft.bfloat16


def test_numpy_is_copied():
    x = np.ones(2, np.float32)
    a = ft.array(x)
    x[0] = 5
    assert a.tolist() == [1, 1]


def test_lists_of_arrays():
    a = ft.array([1.0, 2.0])
    assert ft.array([a, [3, 4]]).tolist() == [[1, 2], [3, 4]]
    assert ft.array([a[0], 3]).dtype is ft.float32
    out = ft.grad(lambda x: ft.array([x * 2, x**2, 1.0])[1])(3.0)
    assert out.item() == 6


def test_asarray_and_copies():
    a = ft.array([1.0])
    assert ft.asarray(a) is a
    assert ft.asarray(a, copy=True) is not a
    assert ft.asarray(a, dtype=ft.int32).dtype is ft.int32
    for obj in (
        1.0,
        [1.0],
    ):
        with pytest.raises(ValueError, match="asarray: copy=False"):
            ft.asarray(obj, copy=False)
    with pytest.raises(ValueError, match="copy=False, but converting"):
        ft.asarray(a, dtype=ft.int32, copy=False)


@pytest.mark.parametrize("transform", [ft.grad, lambda f: ft.jit(ft.grad(f))])
def test_lists_of_tracers(transform):
    def f(x):
        return ft.sum(ft.array([[x, 1.0], (np.float32(2), x * x)]))

    assert transform(f)(3.0).item() == 7.0
    assert ft.vmap(f)(ft.array([1.0, 2.0])).tolist() == [5.0, 9.0]


@pytest.mark.parametrize("ragged", [[[1], [2, 3]], [1, [2]], [ft.array([1.0]), ft.array([1.0, 2.0])]])
def test_ragged_lists(ragged):
    with pytest.raises(ValueError, match="array: the nested lists are ragged"):
        ft.array(ragged)


@pytest.mark.parametrize(
    "obj", ["text", None, object(), {"a": 1}, {1, 2}, ["a"], [None], np.array(["a"]), [object()]]
)
def test_not_numbers(obj):
    with pytest.raises(TypeError, match="array: "):
        ft.array(obj)


def test_other_libraries():
    torch = pytest.importorskip("torch")
    assert ft.array(torch.arange(3, dtype=torch.int32)).tolist() == [0, 1, 2]
    assert ft.from_dlpack(torch.ones(2)).dtype is ft.float32
    with pytest.raises(TypeError, match="from_dlpack: x must have __dlpack__, got list"):
        ft.from_dlpack([1])


REDUCTIONS = ("sum", "prod", "max", "min", "mean", "var", "std", "any", "all")


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions_of_numpy_take_arrays(name):
    x = np.arange(6.0).reshape(2, 3)
    function = getattr(np, name)
    np.testing.assert_allclose(function(ft.asarray(x), axis=1), function(x, axis=1))
    compiled = ft.jit(lambda x: function(x, axis=0))(ft.asarray(x))  # NumPy calls the method, also of tracers
    np.testing.assert_allclose(compiled, function(x, axis=0))
    with pytest.raises(TypeError, match=f"{name}: out must be None"):
        function(ft.asarray(x), out=np.zeros(()))


def test_round_of_python():
    assert round(ft.array(2.567), 1).item() == pytest.approx(2.6)
    assert round(ft.array(-2.5)).item() == -2.0
