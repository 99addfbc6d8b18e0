"""vectorize against numpy.vectorize."""

import numpy as np
import pytest

import ftrans as ft

RANDOM = np.random.default_rng(0)


def arrays(*shapes):
    return [RANDOM.standard_normal(shape) for shape in shapes]


CASES = {
    "(n),(n)->()": (lambda x, y: (x * y).sum(), [(4, 1, 3), (2, 3)]),
    "(m,n),(n)->(m)": (lambda a, x: a @ x, [(5, 2, 3), (3,)]),
    "(m,n),(n,k)->(m,k)": (lambda a, b: a @ b, [(1, 2, 3), (4, 3, 2)]),
    "(n)->(n),()": (lambda x: (2 * x, x.sum()), [(2, 1, 3)]),
    "(),(n)->(n)": (lambda a, x: a * x, [(2, 3), (3, 4)]),
    "( n , 3 ) -> ( 3 )": (lambda x: x.sum(0), [(2, 5, 3)]),
}


@pytest.mark.parametrize("signature", CASES)
def test_against_numpy(signature):
    f, shapes = CASES[signature]
    args = arrays(*shapes)
    expected = np.vectorize(f, signature=signature.replace("3", "three"))(*args)
    for g in (ft.vectorize(f, signature=signature), ft.jit(ft.vectorize(f, signature=signature))):
        actual = g(*args)
        several = isinstance(expected, tuple)
        for a, e in zip(actual if several else [actual], expected if several else [expected], strict=True):
            np.testing.assert_allclose(np.asarray(a), e, rtol=1e-13, atol=1e-14)


def test_scalars_and_exclusion():
    x, y = arrays((4, 1), (3,))
    f = ft.vectorize(lambda x, y, flag, *, power: (x * y if flag else x) ** power, excluded=(2, "power"))
    np.testing.assert_allclose(np.asarray(f(x, y, True, power=2)), (x * y) ** 2, rtol=1e-14)
    np.testing.assert_allclose(np.asarray(f(x, y, False, power=3)), np.broadcast_to(x**3, (4, 3)), rtol=1e-14)
    with pytest.raises(TypeError, match=r"keyword arguments \['power'\] are not in excluded"):
        ft.vectorize(lambda x, power: x**power)(x, power=2)


def test_composes():
    dot = ft.vectorize(lambda x, y: (x * y).sum(), signature="(n),(n)->()")
    x, y = arrays((2, 1, 3), (4, 3))
    gx, gy = ft.grad(lambda x, y: ft.sum(dot(x, y)), (0, 1))(x, y)
    np.testing.assert_allclose(np.asarray(gx), np.broadcast_to(y.sum(0), (2, 1, 3)), rtol=1e-13)
    np.testing.assert_allclose(np.asarray(gy), np.broadcast_to(x.sum((0, 1)), (4, 3)), rtol=1e-13)
    per_item = ft.vectorize(ft.grad(dot), signature="(n),(n)->(n)")
    np.testing.assert_allclose(np.asarray(per_item(x, y)), np.broadcast_to(y, (2, 4, 3)), rtol=1e-14)
    np.testing.assert_allclose(np.asarray(ft.vmap(dot)(x, np.stack([y, y]))), np.sum(x * y, -1), rtol=1e-13)


@pytest.mark.parametrize(
    ("signature", "shapes", "error", "message"),
    [
        ("(n)(n)->()", [(3,)], ValueError, "signature must look like"),
        ("(n),(n)->()", [(3,)], TypeError, "the signature has 2 arguments, got 1"),
        ("(n),(n)->()", [(3,), (4,)], ValueError, "axis n of argument 1 has size 4, expected 3"),
        ("(n),(n)->()", [(3,), ()], ValueError, "argument 1 must have at least 1 axes"),
        ("(n),(n)->()", [(2, 3), (4, 3)], ValueError, "cannot be broadcast together"),
        ("(n),(n)->(n)", [(3,), (3,)], TypeError, r"output 0 must have axes \(n\), got shape \(\)"),
        ("(n),(n)->(),()", [(3,), (3,)], TypeError, "the signature has 2 outputs, got Array"),
        ("(4),(4)->()", [(3,), (3,)], ValueError, "axis 4 of argument 0 has size 3, expected 4"),
    ],
)
def test_errors(signature, shapes, error, message):
    with pytest.raises(error, match=message):
        ft.vectorize(lambda *args: (args[0] * args[-1]).sum(), signature=signature)(*arrays(*shapes))
    with pytest.raises(TypeError, match="excluded must hold positions"):
        ft.vectorize(ft.sin, excluded=(-1,))


def test_one_output_is_no_tuple():
    with pytest.raises(TypeError, match="the signature has 1 output, got tuple of 2"):
        ft.vectorize(lambda x: (x, x), signature="(n)->(n)")(ft.ones(3))
