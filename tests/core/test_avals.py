"""Descriptions of arrays."""

import pytest

import ftrans as ft
from ftrans.core.avals import shaped_array


def test_equal_descriptions_are_one_object():
    assert shaped_array((3, 2), ft.float32) is shaped_array((3, 2), ft.float32)
    assert shaped_array((), ft.float32, True) is not shaped_array((), ft.float32)


@pytest.mark.parametrize("shape", [(2**40, 2**40), (2**61,), (1,) * 65])
def test_impossible_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="too large"):
        ft.ones(shape)
