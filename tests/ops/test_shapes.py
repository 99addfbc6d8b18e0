"""Manipulation and creation functions against NumPy."""

import numpy as np
import pytest

import ftrans as ft

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
V = np.arange(5)


def _check(out, expected, exact_dtype=False):
    if isinstance(expected, (list, tuple)):
        assert len(out) == len(expected)
        for o, e in zip(out, expected, strict=True):
            _check(o, e)
        return
    out = np.asarray(out)
    assert out.shape == np.shape(expected)
    np.testing.assert_allclose(out, expected, rtol=1e-6, atol=1e-7)


# (name, arguments, keywords): the same in both libraries
SAME = [
    ("reshape", (X, (4, -1)), {}),
    ("reshape", (X, 24), {}),
    ("reshape", (np.zeros((0, 3), np.float32), (3, 0)), {}),
    ("ravel", (X,), {}),
    ("expand_dims", (X, (0, 2)), {}),
    ("expand_dims", (X, -1), {}),
    ("squeeze", (X[:1, :, :1],), {}),
    ("squeeze", (X[:1, :, :1], 0), {}),
    ("transpose", (X,), {}),
    ("transpose", (X, (1, 0, 2)), {}),
    ("moveaxis", (X, 0, -1), {}),
    ("moveaxis", (X, (0, 1), (2, 0)), {}),
    ("swapaxes", (X, 0, 2), {}),
    ("flip", (X,), {}),
    ("flip", (X,), {"axis": (0, -1)}),
    ("flipud", (X,), {}),
    ("fliplr", (X,), {}),
    ("roll", (X, 3), {}),
    ("roll", (X, (1, -2)), {"axis": (0, 2)}),
    ("roll", (X, 7), {"axis": 1}),
    ("concatenate", ([X, X],), {"axis": 1}),
    ("concatenate", ([X, X],), {"axis": None}),
    ("stack", ([X, X],), {"axis": -1}),
    ("hstack", ([V, V],), {}),
    ("vstack", ([V, V],), {}),
    ("split", (X, 2), {"axis": 2}),
    ("split", (V, [1, 3]), {}),
    ("split", (V, [3, 1, 9]), {}),
    ("broadcast_to", (V, (2, 5)), {}),
    ("broadcast_arrays", (V, V[:, None]), {}),
    ("repeat", (X, 2), {"axis": 1}),
    ("repeat", (X, 2), {}),
    ("repeat", (X, [1, 0, 2]), {"axis": 1}),
    ("tile", (X, 2), {}),
    ("tile", (V, (2, 3)), {}),
    ("pad", (V, 2), {}),
    ("pad", (X, ((0, 1), (2, 0), (1, 1))), {"constant_values": 9}),
    ("pad", (V, (1, 3)), {"mode": "edge"}),
    ("pad", (V, (1, 3)), {"mode": "reflect"}),
    ("pad", (V, (1, 3)), {"mode": "wrap"}),
    ("atleast_1d", (3.0,), {}),
    ("atleast_2d", (V,), {}),
    ("atleast_3d", (X[0],), {}),
    ("arange", (5,), {}),
    ("arange", (1, 8, 3), {}),
    ("arange", (8, 1, -3), {}),
    ("arange", (0, 1, 0.3), {}),
    ("arange", (3, 1), {}),
    ("linspace", (0, 1, 7), {}),
    ("linspace", (2.0, -3.0, 5), {"endpoint": False}),
    ("linspace", (1, 2, 1), {}),
    ("linspace", (1, 2, 0), {}),
    ("logspace", (0, 2, 5), {}),
    ("eye", (3,), {}),
    ("eye", (2, 4), {"k": 1}),
    ("eye", (4, 2), {"k": -1}),
    ("tri", (3, 4, 1), {}),
    ("tril", (X,), {}),
    ("tril", (X,), {"k": -1}),
    ("triu", (X,), {"k": 1}),
    ("meshgrid", (V, V[:2], V[:3]), {}),
    ("meshgrid", (V, V[:2]), {"indexing": "ij"}),
    ("zeros", ((2, 3),), {}),
    ("ones", (4,), {}),
    ("full", ((2, 2), 7.5), {}),
    ("full", ((2, 3), np.array([1.0, 2.0, 3.0], np.float32)), {}),
    ("zeros_like", (V,), {}),
    ("full_like", (V, 3), {}),
    ("identity", (3,), {}),
]


@pytest.mark.parametrize(
    ("name", "arguments", "keywords"), SAME, ids=[f"{i}-{row[0]}" for i, row in enumerate(SAME)]
)
def test_as_numpy(name, arguments, keywords):
    _check(getattr(ft, name)(*arguments, **keywords), getattr(np, name)(*arguments, **keywords))


@pytest.mark.parametrize("k", range(5))
def test_rot90(k):
    _check(ft.rot90(X, k), np.rot90(X, k))
    _check(ft.rot90(X, k, (2, 1)), np.rot90(X, k, (2, 1)))


def test_flatten_unflatten_unstack():
    x = ft.array(X)
    assert x.flatten().shape == (24,)
    assert ft.flatten(x, 1, 2).shape == (2, 12)
    assert ft.flatten(ft.array(1.0)).shape == (1,)
    assert ft.unflatten(x, 2, (2, -1)).shape == (2, 3, 2, 2)
    _check(ft.unstack(x, axis=1), [X[:, i] for i in range(3)])


def test_default_dtypes():
    assert ft.zeros(2).dtype is ft.float32
    assert ft.arange(3).dtype is ft.int32
    assert ft.arange(3.0).dtype is ft.float32
    assert ft.linspace(0, 1, 3).dtype is ft.float32
    assert ft.full(2, 1).dtype is ft.int32
    assert ft.full(2, True).dtype is ft.bool_
    assert ft.eye(2, dtype=ft.int8).dtype is ft.int8
    assert ft.arange(-100, 100, dtype=ft.int8).tolist() == list(range(-100, 100))
    assert ft.arange(5, 0, -1, dtype=ft.uint32).tolist() == [5, 4, 3, 2, 1]
    assert not ft.full(2, 1.0).weak_type


def test_linspace_ends_are_exact():
    x = ft.linspace(0.1, 0.7, 11)
    assert x[0].item() == np.float32(0.1)
    assert x[-1].item() == np.float32(0.7)


def test_methods():
    x = ft.array(X)
    assert x.T.shape == (4, 3, 2)
    assert x.mT.shape == (2, 4, 3)
    assert x.reshape(4, 6).shape == x.reshape((4, 6)).shape == (4, 6)
    assert x.transpose(2, 0, 1).shape == x.transpose((2, 0, 1)).shape == (4, 2, 3)
    assert x.__array_namespace__() is ft
    assert x.sum(axis=0).shape == (3, 4)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ft.reshape(X, (5, 5)), ValueError, r"reshape: cannot reshape an array of shape \(2, 3, 4\)"),
        (lambda: ft.reshape(X, (-1, -1)), ValueError, "reshape: cannot reshape"),
        (lambda: ft.sum(X, axis=3), IndexError, "sum: axis 3 is out of range for an array of ndim 3"),
        (lambda: ft.sum(X, axis=3), ValueError, "sum: axis 3 is out of range for an array of ndim 3"),
        (lambda: ft.sum(X, axis=(0, -3)), ValueError, "sum: an axis is given twice"),
        (lambda: ft.sum(X, axis="x"), TypeError, "sum: axis must be an integer, got str"),
        (lambda: ft.permute_dims(X, (0, 0, 1)), ValueError, "permute_dims: axes must be a permutation"),
        (lambda: ft.squeeze(X, 0), ValueError, "squeeze: axis 0 of an array of shape"),
        (lambda: ft.concat([]), ValueError, "concat: at least one array is needed"),
        (lambda: ft.concat([X, X[0]]), ValueError, r"arrays\[1\] \(3, 4\)"),
        (lambda: ft.concat(3), TypeError, "concat: arrays must be a sequence of arrays, got int"),
        (
            lambda: ft.concat([V, "a"]),
            TypeError,
            r"concat: arrays\[1\] must be an array or a number, got str",
        ),
        (lambda: ft.stack([X, X[0]]), ValueError, "stack: arrays must have one shape"),
        (lambda: ft.broadcast_to(X, (4,)), ValueError, "broadcast_to: an array of shape"),
        (lambda: ft.split(V, 2), ValueError, "does not divide into 2 equal parts"),
        (lambda: ft.pad(V, -1), ValueError, "pad: pad_width must not be negative"),
        (lambda: ft.arange(0, 1, 0), ValueError, "arange: step must not be zero"),
        (lambda: ft.arange("a"), TypeError, "arange: stop must be a real number, got str"),
        (lambda: ft.zeros((-1,)), ValueError, "zeros: shape must not be negative"),
        (lambda: ft.tril(V), ValueError, "tril: x must have at least 2 dimensions"),
        (lambda: ft.meshgrid(V, indexing="k"), ValueError, "meshgrid: indexing must be"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(("rows", "columns"), [(1, 5), (7, 1), (3, 4), (40, 3), (5, 130), (300, 40)])
def test_broadcast_operands_of_compiled_functions(rows, columns):
    # Tiles of a kernel begin and end anywhere within the rows of operands that repeat.
    random = np.random.default_rng(0)
    row, column = random.normal(size=(6, 1, columns)), random.normal(size=(6, rows, 1))
    last = random.normal(size=(6, 1, 1))
    turned = random.normal(size=(columns, 2, 3, rows))
    function = ft.jit(
        lambda a, b, c, d: a * b + c * ft.permute_dims(ft.reshape(d, (columns, 6, rows)), (1, 2, 0)) - a / c
    )
    expected = row * column + last * turned.reshape(columns, 6, rows).transpose(1, 2, 0) - row / last
    np.testing.assert_allclose(
        np.asarray(function(*map(ft.array, (row, column, last, turned)))), expected, rtol=1e-12
    )
