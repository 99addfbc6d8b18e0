"""How arrays read."""

import pytest

import ftrans as ft


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: ft.array([2.0, 4.0, 6.0, 8.0]), "array([2, 4, 6, 8], dtype=float32)"),
        (lambda: ft.array([1, 2, 3]), "array([1, 2, 3], dtype=int32)"),
        (lambda: ft.array(3), "array(3, dtype=int32)"),
        (lambda: ft.array(True), "array(True, dtype=bool)"),
        (lambda: ft.array([True, False]), "array([True, False], dtype=bool)"),
        (lambda: ft.array(3.14159265), "array(3.14159, dtype=float32)"),
        (lambda: ft.array([0.5, 1e-10, 123456.0]), "array([0.5, 1e-10, 123456], dtype=float32)"),
        (lambda: ft.log(ft.array([-1.0, 0.0])) * ft.array([1.0, -1.0]), "array([nan, inf], dtype=float32)"),
        (lambda: ft.array([1.5], dtype=ft.bfloat16), "array([1.5], dtype=bfloat16)"),
        (lambda: ft.array([1.5], dtype=ft.float16), "array([1.5], dtype=float16)"),
        (lambda: ft.array([0.1], dtype=ft.float64), "array([0.1], dtype=float64)"),
        (lambda: ft.array([200, 3], dtype=ft.uint8), "array([200, 3], dtype=uint8)"),
        (lambda: ft.array([-5], dtype=ft.int64), "array([-5], dtype=int64)"),
        (lambda: ft.array([1 + 2j, -0.5j]), "array([1+2j, -0-0.5j], dtype=complex64)"),
        (lambda: ft.zeros(0), "array([], dtype=float32)"),
        (lambda: ft.zeros((2, 0)), "array([], shape=(2, 0), dtype=float32)"),
    ],
)  # fmt: skip
def test_repr(make, text):
    assert repr(make()) == text


def test_rows_are_aligned():
    assert repr(ft.array([[1, 2], [3, 4]])) == "array([[1, 2],\n       [3, 4]], dtype=int32)"
    cube = ft.arange(8).reshape((2, 2, 2))
    assert repr(cube) == (
        "array([[[0, 1],\n        [2, 3]],\n\n       [[4, 5],\n        [6, 7]]], dtype=int32)"
    )


def test_long_axes_are_summarised():
    assert repr(ft.arange(2000)) == "array([0, 1, 2, ..., 1997, 1998, 1999], dtype=int32)"
    lines = repr(ft.zeros((2000, 2000))).splitlines()
    assert lines[0] == "array([[0, 0, 0, ..., 0, 0, 0],"
    assert lines[3] == "       ...,"
    assert lines[-1] == "       [0, 0, 0, ..., 0, 0, 0]], dtype=float32)"
    assert len(lines) == 7


def test_str_is_repr():
    assert str(ft.array([1, 2])) == "array([1, 2], dtype=int32)"


def test_dtype_repr_is_its_name():
    assert repr(ft.float32) == "float32"
    assert repr(ft.bool_) == "bool"
    assert repr(ft.bfloat16) == "bfloat16"


def test_traced_arrays_print_without_values():
    seen = []

    def f(x):
        seen.append(repr(x))
        return x

    ft.vmap(f)(ft.ones((2, 3)))
    assert "f32[3]" in seen[0]


def test_format_of_scalars():
    assert f"{ft.array(2.5):.2f}" == "2.50"
    assert f"{ft.array(7):d}" == "7"
