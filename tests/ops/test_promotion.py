"""The promotion table against JAX's lattice where NumPy agrees, weak scalars, and the dtype functions."""

import itertools

import numpy as np
import pytest

import ftrans as ft

INTEGERS = [ft.int8, ft.int16, ft.int32, ft.int64, ft.uint8, ft.uint16, ft.uint32, ft.uint64]
FLOATS = [ft.float16, ft.bfloat16, ft.float32, ft.float64]
COMPLEX = [ft.complex64, ft.complex128]
ALL = [ft.bool_, *INTEGERS, *FLOATS, *COMPLEX]


def test_same_kind_is_as_numpy():
    for a, b in itertools.product([ft.bool_, *INTEGERS], repeat=2):
        if {a, b} >= {ft.uint64} and any(d.kind == "i" for d in (a, b)):
            expected = ft.float32
        else:
            expected = np.promote_types(a.name, b.name)
        assert ft.promote_types(a, b) == expected, (a, b)
    for a, b in itertools.product([d for d in FLOATS if d is not ft.bfloat16] + COMPLEX, repeat=2):
        expected = np.promote_types(a.name, b.name)
        assert ft.promote_types(a, b) == expected, (a, b)


def test_integers_do_not_widen_floats():
    for integer, inexact in itertools.product([ft.bool_, *INTEGERS], FLOATS + COMPLEX):
        assert ft.promote_types(integer, inexact) is inexact


def test_table_is_a_lattice():
    for a, b in itertools.product(ALL, repeat=2):
        joined = ft.promote_types(a, b)
        assert joined is ft.promote_types(b, a)
        if not (joined is ft.float32 and {a.kind, b.kind} <= set("iu")):
            assert ft.promote_types(a, joined) is joined
    assert ft.promote_types(ft.float16, ft.bfloat16) is ft.float32
    assert ft.promote_types(ft.float64, ft.complex64) is ft.complex128


@pytest.mark.parametrize(
    ("dtype", "scalar", "expected"),
    [
        (ft.int8, 1, ft.int8),
        (ft.int8, True, ft.int8),
        (ft.int8, 1.0, ft.float32),
        (ft.uint64, 1, ft.uint64),
        (ft.float16, 1, ft.float16),
        (ft.float16, 1.0, ft.float16),
        (ft.bfloat16, 2.5, ft.bfloat16),
        (ft.float64, 1.0, ft.float64),
        (ft.float32, 1j, ft.complex64),
        (ft.float64, 1j, ft.complex128),
        (ft.int32, 1j, ft.complex64),
        (ft.bool_, 1, ft.int32),
        (ft.bool_, 1.0, ft.float32),
    ],
)
def test_python_scalars_are_weak(dtype, scalar, expected):
    x = ft.ones(2, dtype=dtype)
    assert (x * scalar).dtype is expected
    assert (scalar * x).dtype is expected
    assert ft.result_type(dtype, scalar) is expected


def test_integers_out_of_range():
    x = ft.ones(2, dtype=ft.uint8)
    for scalar in (256, -1):
        with pytest.raises(OverflowError, match=rf"add: Python int {scalar} does not fit uint8"):
            x + scalar
    with pytest.raises(OverflowError):
        ft.array(2**31)
    with pytest.raises(OverflowError):
        ft.array([2**31])
    assert ft.array(2**31, dtype=ft.int64).item() == 2**31


def test_integers_become_float32_where_floats_are_needed():
    for dtype in (ft.int32, ft.uint8, ft.int64, ft.bool_):
        x = ft.ones(2, dtype=dtype)
        assert ft.sin(x).dtype is ft.float32
        assert (x / x).dtype is ft.float32
        assert ft.mean(x).dtype is ft.float32
        assert ft.atan2(x, x).dtype is ft.float32


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(ft.bool_, ft.int32), (ft.int8, ft.int32), (ft.uint16, ft.uint32), (ft.int64, ft.int64)],
)
def test_sum_dtype(dtype, expected):
    assert ft.sum(ft.ones(2, dtype=dtype)).dtype is expected
    assert ft.cumulative_sum(ft.ones(2, dtype=dtype)).dtype is expected


def test_half_floats_are_summed_in_float32():
    x = ft.full((4096,), 1.0, dtype=ft.float16)
    assert ft.sum(x).dtype is ft.float16
    assert ft.sum(x).item() == 4096
    assert ft.mean(ft.full((100_000,), 3.0, dtype=ft.float16)).item() == 3


def test_dtype_functions():
    assert ft.can_cast(ft.int32, ft.int64)
    assert not ft.can_cast(ft.int64, ft.int32)
    assert ft.isdtype(ft.float32, ("integral", "real floating"))
    assert not ft.isdtype(ft.bool_, "numeric")
    with pytest.raises(ValueError, match="isdtype: kind must be one of"):
        ft.isdtype(ft.int8, "float")
    for name in ("float16", "float32", "float64"):
        expected, found = np.finfo(name), ft.finfo(name)
        assert (found.bits, found.eps, found.max, found.min, found.smallest_normal) == (
            expected.bits,
            float(expected.eps),
            float(expected.max),
            float(expected.min),
            float(expected.smallest_normal),
        )
    for dtype in INTEGERS:
        assert (ft.iinfo(dtype).min, ft.iinfo(dtype).max) == (
            np.iinfo(dtype.name).min,
            np.iinfo(dtype.name).max,
        )
    with pytest.raises(TypeError, match="astype: dtype must be one of bool, int8"):
        ft.astype(ft.ones(2), "float8")


def test_astype():
    x = ft.array([1.7, -1.7, 0.0])
    assert ft.astype(x, ft.int32).tolist() == [1, -1, 0]
    assert ft.astype(x, bool).tolist() == [True, True, False]
    assert x.astype(complex).dtype is ft.complex64
    with pytest.raises(TypeError, match="astype: complex64 cannot become float32"):
        x.astype(ft.complex64).astype(ft.float32)
