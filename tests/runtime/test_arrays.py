"""Arrays as Python objects: conversions, length, iteration, updates."""

import operator

import numpy as np
import pytest

import ftrans as ft


def test_item():
    assert ft.array(2.5).item() == 2.5
    assert type(ft.array(2).item()) is int
    assert type(ft.array(2.0).item()) is float
    assert type(ft.array(True).item()) is bool
    assert type(ft.array(1j).item()) is complex
    assert type(ft.array(1.5, dtype=ft.bfloat16).item()) is float
    assert ft.ones((1, 1)).item() == 1.0
    with pytest.raises(ValueError, match="item"):
        ft.ones(2).item()


def test_item_keeps_wide_integers():
    assert ft.array(np.array(2**63, np.uint64)).item() == 2**63
    assert ft.array(np.array(-(2**63), np.int64)).item() == -(2**63)


def test_tolist():
    assert ft.array(2).tolist() == 2
    assert ft.array([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]
    assert ft.zeros((2, 0)).tolist() == [[], []]
    assert ft.array([True]).tolist() == [True]
    assert ft.arange(6).reshape((2, 3)).T.tolist() == [[0, 3], [1, 4], [2, 5]]


def test_conversions_of_scalars():
    assert float(ft.array(2.5)) == 2.5
    assert int(ft.array(2.9)) == 2
    assert complex(ft.array(1j)) == 1j
    assert bool(ft.array(0.0)) is False
    assert operator.index(ft.array(3)) == 3
    assert [10, 20, 30][ft.array(1)] == 20


@pytest.mark.parametrize("convert", [float, int, complex, bool, operator.index])
def test_conversions_of_several_elements_are_refused(convert):
    with pytest.raises((TypeError, ValueError)):
        convert(ft.arange(2))


def test_index_is_for_integers_only():
    for x in (ft.array(1.0), ft.array(True)):
        with pytest.raises(TypeError):
            operator.index(x)


def test_len_and_iteration():
    x = ft.arange(6).reshape((3, 2))
    assert len(x) == 3
    assert [row.tolist() for row in x] == [[0, 1], [2, 3], [4, 5]]
    first, second = ft.array([1, 2])
    assert (first.item(), second.item()) == (1, 2)
    for use in (len, iter):
        with pytest.raises(TypeError, match=r"shape|0-d"):
            use(ft.array(1.0))


def test_attributes():
    x = ft.zeros((2, 3), dtype=ft.float64)
    assert (x.shape, x.ndim, x.size, x.itemsize, x.nbytes) == ((2, 3), 2, 6, 8, 48)
    assert x.dtype is ft.float64
    assert x.dtype == np.float64
    assert x.dtype == "float64"
    assert x.T.shape == (3, 2)


def test_contains_and_bool_of_comparison():
    x = ft.arange(3)
    assert 2 in x
    assert 5 not in x


def test_augmented_assignment_rebinds_the_handle():
    x = ft.arange(3)
    y = x + 0
    handle = x
    for update in (operator.iadd, operator.isub, operator.imul):
        x = update(x, 2)
    assert x is handle
    assert x.tolist() == [0, 2, 4]
    assert y.tolist() == [0, 1, 2]


def test_assignment_to_items():
    x = ft.zeros((3, 3))
    x[0] = 1.0
    x[1:, 2] = ft.array([5.0, 6.0])
    x[ft.array([2, 0]), 0] = 9.0
    x[x == 0.0] = -1.0
    assert x.tolist() == [[9.0, 1.0, 1.0], [-1.0, -1.0, 5.0], [9.0, -1.0, 6.0]]
    with pytest.raises((IndexError, ValueError)):
        x[5] = 1.0
    with pytest.raises(ValueError, match="shape"):
        x[0] = ft.ones(4)


def test_assignment_does_not_reach_views_taken_before():
    x = ft.arange(4)
    row = x[1:3]
    total = x.sum()
    x[1] = 100
    assert row.tolist() == [1, 2]
    assert total.item() == 6


def test_comparison_with_other_types():
    assert (ft.arange(2) == np.array([0, 5])).tolist() == [True, False]
    assert (ft.ones(2) == None).__class__ is not ft.Array  # noqa: E711
    with pytest.raises(TypeError):
        operator.lt(ft.ones(2), "a")
