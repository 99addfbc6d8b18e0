"""jet: every elementwise primitive to order 6 against repeated derivatives, and everything around it."""

import math

import numpy as np
import pytest

import ftrans as ft
from tests.harness.cases import all_cases, in_double

ORDER = 6
V = np.array([0.4, -0.7, 1.3])


def curve(coefficients, t):
    """Σ cₖ tᵏ."""
    total = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        total = total * t + c
    return total


def repeated_derivatives(f, order):
    """f(0), f'(0), …, each a tuple of arrays, by jvp within jvp."""
    functions = [f]
    for _ in range(order):
        functions.append(lambda t, g=functions[-1]: ft.jvp(g, (t,), (np.float64(1),))[1])
    results = [g(np.float64(0)) for g in functions]
    return [tuple(map(np.asarray, r)) if isinstance(r, tuple) else (np.asarray(r),) for r in results]


def check(function, operands, positions):
    """The derivatives along random curves through `operands`, at these positions."""
    random = np.random.default_rng(0)
    operands = [np.asarray(x) for x in operands]
    coefficients = {
        i: [operands[i]]
        + [(random.standard_normal(operands[i].shape) / 2**k).astype(operands[i].dtype) for k in range(ORDER)]
        for i in positions
    }

    def along(t):
        return function(
            *[curve(coefficients[i], t) if i in coefficients else x for i, x in enumerate(operands)]
        )

    def of_moving(*moving):
        placed = dict(zip(positions, moving, strict=True))
        return function(*[placed.get(i, x) for i, x in enumerate(operands)])

    series = tuple([math.factorial(k) * c for k, c in enumerate(coefficients[i])][1:] for i in positions)
    value, terms = ft.jet(of_moving, tuple(operands[i] for i in positions), series)
    values, terms = (value, terms) if isinstance(value, tuple) else ((value,), (terms,))
    expected = zip(*repeated_derivatives(along, ORDER), strict=True)
    for result, derivatives, references in zip(values, terms, expected, strict=True):
        for found, reference in zip([result, *derivatives], references, strict=True):
            # Both lose digits to cancellation between terms, of which those of high order are large.
            scale = max(1, np.abs(reference).max())
            np.testing.assert_allclose(np.asarray(found), reference, rtol=1e-9, atol=1e-9 * scale)


def differentiable_cases():
    for case in all_cases():
        declares_none = case.declares_zero_derivative or case.declares_no_derivative
        if (
            case.sample.differentiable
            and not declares_none
            and all(x.size for x in case.reference(*in_double(case)))
        ):
            yield case


#: Functions with parameters in which derivatives end at some order, and the operands that have all of them.
ALL_ORDERS_IN = {"zeta": (1,), "gamma_p": (1,), "gamma_q": (1,), "beta_inc": (2,)}


@pytest.mark.parametrize("case", list(differentiable_cases()), ids=str)
def test_every_primitive(case):
    check(
        lambda *operands: tuple(case.bind(*map(ft.asarray, operands))),
        in_double(case),
        ALL_ORDERS_IN.get(case.primitive.name, case.sample.differentiable),
    )


@pytest.mark.parametrize(
    ("function", "operands", "place", "highest"),
    [
        pytest.param(ft.special.zeta, (2.5, 1.2), 0, 4, id="zeta"),
        pytest.param(ft.special.gammainc, (1.7, 0.9), 0, 4, id="gammainc"),
        pytest.param(ft.special.gammaincc, (1.7, 0.9), 0, 4, id="gammaincc"),
        pytest.param(ft.special.betainc, (1.7, 0.9, 0.4), 0, 3, id="betainc a"),
        pytest.param(ft.special.betainc, (1.7, 0.9, 0.4), 1, 3, id="betainc b"),
    ],
)
def test_derivatives_in_parameters_end_at_the_documented_order(function, operands, place, highest):
    operands = list(map(np.float64, operands))

    def of_parameter(x):
        return function(*operands[:place], x, *operands[place + 1 :])

    def series(order):
        return ([np.float64(1)] + [np.float64(0)] * (order - 1),)

    _, terms = ft.jet(of_parameter, (operands[place],), series(highest))
    expected = repeated_derivatives(lambda t: of_parameter(operands[place] + t), highest)[1:]
    np.testing.assert_allclose([float(t) for t in terms], np.ravel(expected), rtol=1e-9)
    with pytest.raises(TypeError, match=f"available up to order {highest}, got order {highest + 1}"):
        ft.jet(of_parameter, (operands[place],), series(highest + 1))


def test_every_elementwise_primitive_is_among_them():
    checked = {case.primitive.name for case in differentiable_cases()}
    assert checked >= {
        "exp",
        "sin",
        "pow",
        "div",
        "lgamma",
        "erf_inv",
        "atan2",
        "hypot",
        "select",
        "logaddexp",
    }


def _softmax(x):
    e = ft.exp(x - ft.max(x))
    return e / ft.sum(e)


COMPOSITIONS = {
    "softmax": _softmax,
    "quotient": lambda x: (x * x + 1) / (2 + ft.cos(x)),
    "power": lambda x: (2.0 + x) ** x,
    "matrices": lambda x: ft.sum(ft.tanh(ft.reshape(x, (3, 1)) @ ft.reshape(x, (1, 3)))),
    "jit": ft.jit(lambda x: ft.sin(x) * x),
    "constant part": lambda x: (ft.floor(x) + 3.0, x),
    "norm": lambda x: ft.sqrt(ft.sum(x * x)),
}


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_compositions(name):
    check(COMPOSITIONS[name], [V], [0])


def test_trees_integers_and_zeros():
    def f(p, n):
        return {"y": p["a"] * p["b"] * n, "n": n, "c": ft.array(2.0)}

    primals = ({"a": np.float64(2), "b": np.float64(3)}, np.int32(4))
    series = ([{"a": np.float64(1), "b": np.float64(0)}] * 2, [0, 0])
    out, terms = ft.jet(f, primals, series)
    assert (float(out["y"]), [float(t) for t in terms["y"]]) == (24, [12, 12])
    assert [int(t) for t in terms["n"]] == [0, 0]
    assert [float(t) for t in terms["c"]] == [0, 0]
    assert ft.jet(ft.sin, (1.0,), ([],))[1] == []


def test_taylor_coefficients():
    zero, one = np.float64(0), np.float64(1)
    _, terms = ft.jet(ft.exp, (zero,), ([one, zero, zero, zero],), factorial_scaled=False)
    np.testing.assert_allclose([float(t) for t in terms], [1, 1 / 2, 1 / 6, 1 / 24], rtol=1e-14)


def test_composes():
    one, zero = np.ones(3), np.zeros(3)

    def third(x):
        return ft.jet(ft.sin, (x,), ([one, zero, zero],))[1][2]

    same = np.testing.assert_allclose
    same(np.asarray(ft.jit(third)(V)), -np.cos(V), rtol=1e-13)
    same(np.asarray(ft.grad(lambda x: ft.sum(third(x)))(V)), np.sin(V), rtol=1e-13)
    same(np.asarray(ft.vmap(third)(np.stack([V, 2 * V]))), -np.cos(np.stack([V, 2 * V])), rtol=1e-13)

    def outer(x):  # a jet within a jet
        return ft.jet(third, (x,), ([one, zero],))[1][1]

    same(np.asarray(outer(V)), np.cos(V), rtol=1e-12)

    def closed_over(y):
        return ft.sum(ft.jet(lambda x: x * x * y, (V,), ([one, zero],))[1][1])

    same(np.asarray(ft.grad(closed_over)(V)), [2.0, 2.0, 2.0])


def test_custom_rules_are_used():
    @ft.custom_jvp
    def f(x):
        return ft.sin(x)

    f.defjvp(lambda primals, tangents: (ft.sin(primals[0]), 10.0 * tangents[0]))
    one, zero = np.float64(1), np.float64(0)
    assert [float(t) for t in ft.jet(f, (zero,), ([one, zero],))[1]] == [10, 0]


def test_wrong_arguments():
    with pytest.raises(TypeError, match="jet: primals must be a tuple"):
        ft.jet(ft.sin, 1.0, ([1.0],))
    with pytest.raises(TypeError, match="one list for each of the 1 primals, got 2"):
        ft.jet(ft.sin, (1.0,), ([1.0], [1.0]))
    with pytest.raises(TypeError, match="series of argument 0 of sin must be a list"):
        ft.jet(ft.sin, (1.0,), (1.0,))
    with pytest.raises(ValueError, match=r"as many terms for every argument of multiply, got \[1, 2\]"):
        ft.jet(ft.multiply, (1.0, 1.0), ([1.0], [1.0, 0.0]))
    with pytest.raises(
        ValueError, match=r"term 1 of the series of argument x of sin must have .* \(\), got \(3,\)"
    ):
        ft.jet(ft.sin, (1.0,), ([V],))
    with pytest.raises(TypeError, match="must have the primal's dtype float32, got float64"):
        ft.jet(ft.sin, (1.0,), ([np.float64(1)],))
    with pytest.raises(TypeError, match="must have the structure of the primal"):
        ft.jet(lambda t: t["a"], ({"a": 1.0},), ([1.0],))


def test_against_jax():
    jax = pytest.importorskip("jax")
    jet = pytest.importorskip("jax.experimental.jet").jet
    series = ([np.float32(1), np.float32(0.5), np.float32(-2)],)
    _, ours = ft.jet(lambda x: ft.exp(ft.sin(x)) / (1 + x * x), (np.float32(0.3),), series)
    _, theirs = jet(lambda x: jax.numpy.exp(jax.numpy.sin(x)) / (1 + x * x), (np.float32(0.3),), series)
    np.testing.assert_allclose([float(t) for t in ours], [float(t) for t in theirs], rtol=1e-4)
