"""Products and diagonals against NumPy."""

import numpy as np
import pytest

import ftrans as ft

RNG = np.random.default_rng(0)


def _random(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def _close(out, expected):
    out = np.asarray(out)
    assert out.shape == np.shape(expected)
    np.testing.assert_allclose(out, expected, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 4)),
        ((2, 3), (3, 4)),
        ((5, 2, 3), (3, 4)),
        ((5, 2, 3), (3,)),
        ((2, 3), (5, 3, 4)),
        ((3,), (5, 3, 4)),
        ((5, 2, 3), (5, 3, 4)),
        ((6, 1, 2, 3), (5, 3, 4)),
        ((1, 2, 3), (5, 3, 4)),
        ((2, 0), (0, 4)),
    ],
)
def test_matmul(a, b):
    x, y = _random(*a), _random(*b)
    _close(ft.array(x) @ ft.array(y), x @ y)
    i, j = RNG.integers(0, 9, a, np.int32), RNG.integers(0, 9, b, np.int32)
    _close(ft.matmul(i, j), i @ j)


def test_matmul_of_bools():
    x, y = RNG.random((3, 4)) > 0.5, RNG.random((4, 2)) > 0.5
    out = ft.matmul(x, y)
    assert out.dtype is ft.bool_
    np.testing.assert_array_equal(np.asarray(out), x @ y)


@pytest.mark.parametrize(
    ("a", "b", "axes"),
    [
        ((2, 3, 4), (3, 4, 5), 2),
        ((2, 3), (3, 4), 1),
        ((2,), (3,), 0),
        ((2, 3, 4), (4, 5, 2), ((0, 2), (2, 0))),
    ],
)
def test_tensordot(a, b, axes):
    x, y = _random(*a), _random(*b)
    _close(ft.tensordot(x, y, axes=axes), np.tensordot(x, y, axes))


@pytest.mark.parametrize(
    ("name", "a", "b"),
    [
        ("dot", (3,), (3,)),
        ("dot", (2, 3), (4, 3, 5)),
        ("dot", (), (4,)),
        ("inner", (2, 3), (4, 3)),
        ("inner", (), (2,)),
        ("outer", (3,), (4,)),
        ("outer", (2, 2), (3,)),
        ("vecdot", (4, 3), (3,)),
        ("vecdot", (4, 1, 3), (5, 3)),
        ("vdot", (2, 3), (3, 2)),
        ("kron", (2, 3), (4, 5)),
        ("kron", (3,), (2, 2)),
        ("cross", (4, 3), (3,)),
    ],
)
def test_products(name, a, b):
    x, y = _random(*a), _random(*b)
    _close(getattr(ft, name)(x, y), getattr(np, name)(x, y))
    if name != "cross":
        z = (x + 1j).astype(np.complex64)
        _close(getattr(ft, name)(z, y), getattr(np, name)(z, y))


def test_addmm():
    a, b, c = _random(2, 3), _random(3, 4), _random(4)
    _close(ft.addmm(c, a, b, alpha=2.0, beta=0.5), 0.5 * c + 2.0 * (a @ b))


@pytest.mark.parametrize("offset", range(-4, 6))
def test_diagonals(offset):
    x = _random(2, 3, 4)
    _close(ft.diagonal(x, offset), np.diagonal(x, offset))
    _close(ft.linalg.diagonal(x, offset=offset), np.linalg.diagonal(x, offset=offset))
    _close(ft.diagonal(x, offset, 2, 0), np.diagonal(x, offset, 2, 0))
    _close(ft.trace(x, offset=offset), np.trace(x, offset))
    _close(ft.linalg.trace(x, offset=offset), np.linalg.trace(x, offset=offset))
    _close(ft.diag(x[0], offset), np.diag(x[0], offset))
    _close(ft.diag(x[0, 0], offset), np.diag(x[0, 0], offset))


def test_diag_of_nothing():
    assert ft.diag(ft.zeros(0)).shape == (0, 0)
    assert ft.diag(ft.zeros(0), 2).shape == (2, 2)


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)]),
        ("ij,jk", [(2, 3), (3, 4)]),
        ("ij,jk->ki", [(2, 3), (3, 4)]),
        ("bij,bjk->bik", [(5, 2, 3), (5, 3, 4)]),
        ("...ij,...jk->...ik", [(5, 2, 3), (3, 4)]),
        ("...ij,...jk", [(6, 1, 2, 3), (5, 3, 4)]),
        ("i,i->", [(3,), (3,)]),
        ("i,i->i", [(3,), (3,)]),
        ("i,j->ji", [(3,), (4,)]),
        ("i,j->", [(3,), (4,)]),
        ("ii->", [(3, 3)]),
        ("ii->i", [(3, 3)]),
        ("iij->j", [(3, 3, 2)]),
        ("iii->i", [(3, 3, 3)]),
        ("ij->ji", [(2, 3)]),
        ("ba", [(2, 3)]),
        ("ij->", [(2, 3)]),
        ("...->...", [(2, 3)]),
        ("i...->...", [(2, 3)]),
        ("bij,bk->bijk", [(5, 2, 3), (5, 4)]),
        ("bhqd,bhkd->bhqk", [(2, 3, 4, 5), (2, 3, 6, 5)]),
        ("ij,jk,kl->il", [(2, 3), (3, 4), (4, 5)]),
        ("ij,jk,kl,lm->", [(2, 3), (3, 4), (4, 5), (5, 2)]),
        ("ij,ij,ij->ij", [(2, 3)] * 3),
        ("ab,ab->", [(1, 3), (2, 3)]),
        ("ab,bc->ac", [(2, 1), (3, 4)]),
        ("ijk,ilm->", [(2, 3, 4), (2, 5, 6)]),
    ],
)
def test_einsum(subscripts, shapes):
    arrays = [_random(*shape) for shape in shapes]
    _close(ft.einsum(subscripts, *arrays), np.einsum(subscripts, *arrays))


def test_einsum_of_two_is_one_dot_general():
    text = str(
        ft.make_jaxpr(lambda a, b: ft.einsum("bij,bjk->bik", a, b))(ft.ones((5, 2, 3)), ft.ones((5, 3, 4)))
    )
    assert text.count("=") - text.count("dimension_numbers=") == 1, text


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ft.matmul(ft.ones(3), 2.0), r"matmul: operands must have at least 1 dimension"),
        (
            lambda: ft.ones((2, 3)) @ ft.ones((2, 3)),
            r"matmul: axis 1 of x1, of shape \(2, 3\), and axis 0 of x2",
        ),
        (lambda: ft.tensordot(ft.ones(2), ft.ones(3), axes=1), "tensordot: axes"),
        (lambda: ft.einsum("ij,jk->ik", ft.ones((2, 3))), "names 2 operands, got 1"),
        (lambda: ft.einsum("ij->i", ft.ones(2)), "gives operand 0 2 axes, but it has 1"),
        (lambda: ft.einsum("i,i->i", ft.ones(2), ft.ones(3)), "label 'i' has extents 2 and 3"),
        (lambda: ft.einsum("i->j", ft.ones(2)), "a label of the result is not among those of the operands"),
        (lambda: ft.einsum("i->ii", ft.ones(2)), "a label occurs twice in the result"),
        (lambda: ft.einsum("i1->i", ft.ones((2, 2))), "labels must be letters"),
        (lambda: ft.cross(ft.ones(2), ft.ones(2)), "cross: axis 0 must have extent 3"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
