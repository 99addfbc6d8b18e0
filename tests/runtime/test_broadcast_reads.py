"""Kernels that read arrays with short rows, over and over: the elements are those that NumPy reads."""

import itertools

import numpy as np
import pytest

import ftrans as ft

DTYPES = [np.uint8, np.float16, np.float32, np.float64, np.complex128]


def reads(shape):
    """Views of arrays of every broadcast kind that fit the shape, transposed and reversed ones too."""
    for kept in itertools.product([True, False], repeat=len(shape)):
        x = np.arange(np.prod([n if k else 1 for n, k in zip(shape, kept, strict=True)]))
        x = (x % 117).reshape([n if k else 1 for n, k in zip(shape, kept, strict=True)])
        yield x, lambda a: a
        yield np.ascontiguousarray(x.T), lambda a: a.T
        yield x, lambda a: a[..., ::-1]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(700, 3), (150, 7, 3), (2, 41, 5, 6), (5, 1, 300, 2)])
def test_short_rows(shape, dtype):
    whole = np.arange(np.prod(shape)).reshape(shape) % 101
    for x, view in reads(shape):
        x, y = x.astype(dtype), whole.astype(dtype)
        expected = view(x) + y
        np.testing.assert_array_equal(np.asarray(view(ft.array(x)) + ft.array(y)), expected)
        total = np.asarray(ft.sum(view(ft.array(x)) + ft.array(y), axis=-1, dtype=ft.array(x).dtype))
        np.testing.assert_array_equal(total, expected.sum(-1, dtype=dtype))
