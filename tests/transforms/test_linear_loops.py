"""Loops and branches of a linear function are linear, and transpose."""

import pytest

import ftrans as ft


def test_transposes():
    def doubled_and_added(x):
        return ft.fori_loop(0, 3, lambda i, c: c * 2.0 + x, x)

    def summed(xs):
        return ft.scan(lambda c, x: (c + 3.0 * x, c), 0.0, xs)[0]

    assert float(ft.linear_transpose(doubled_and_added, 1.0)(3.0)[0]) == 45.0
    assert ft.linear_transpose(summed, ft.ones(3))(2.0)[0].tolist() == [6.0, 6.0, 6.0]
    branches = ft.linear_transpose(lambda x: ft.cond(True, lambda x: 2.0 * x, lambda x: x, x), 1.0)
    assert float(branches(3.0)[0]) == 6.0


@pytest.mark.parametrize(
    "affine",
    [
        lambda x: ft.fori_loop(0, 3, lambda i, c: c * 2.0 + 1.0, x),
        lambda x: ft.while_loop(lambda c: c < 3.0, lambda c: c * 2.0, x),
        lambda x: ft.scan(lambda c, y: (c + y, None), x, ft.ones(3))[0],
        lambda x: ft.cond(True, lambda x: x, lambda x: 1.0, x),
    ],
)
def test_what_is_not_linear_is_refused(affine):
    with pytest.raises(TypeError, match="must be linear in its arguments"):
        ft.linear_transpose(affine, 1.0)(3.0)
