"""The checks find what they are there to find."""

from functools import partial

import ml_dtypes
import numpy as np
import pytest

import ftrans as ft
from ftrans import testing

X = np.array([0.3, -1.1, 0.8])


def wrong(factor):
    """sin, with a derivative that is off by a factor."""
    f = ft.custom_jvp(ft.sin)
    f.defjvp(lambda p, t: (ft.sin(*p), factor * ft.cos(p[0]) * t[0]))
    return f


def test_assert_allclose_says_where_and_by_how_much():
    testing.assert_allclose({"a": ft.ones(3)}, {"a": np.ones(3)})
    testing.assert_allclose(np.array([np.nan, np.inf]), np.array([np.nan, np.inf]))
    actual = {"a": X, "b": [np.float32(1 + 1e-3), np.arange(3)]}
    desired = {"a": X, "b": [np.float32(1), np.array([0, 1, 3])]}
    with pytest.raises(AssertionError) as error:
        testing.assert_allclose(actual, desired, err_msg="so")
    lines = str(error.value).splitlines()
    assert lines[0] == "so"
    assert lines[1].startswith("output['b'][0]: 1 of 1 entries differ")
    assert "8.39e+03 ulp" in lines[1]
    assert "the worst is output['b'][1][2] = 2, expected 3" in lines[2]
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("actual", "desired", "message"),
    [
        (X, X[:2], r"the shape is \(3,\), expected \(2,\)"),
        ((X,), [X], "the structure is"),
        (np.array([1.0, np.nan]), np.array([1.0, 2.0]), r"output\[1\] = nan, expected 2.0"),
        (np.array([1.0, np.inf]), np.array([1.0, 2.0]), r"output\[1\] = inf"),
        (np.array(1 + 1j), np.array(1 - 1j), "absolute error 2"),
        (np.array([True]), np.array([False]), "1 of 1 entries differ"),
    ],
)
def test_assert_allclose_differences(actual, desired, message):
    with pytest.raises(AssertionError, match=message):
        testing.assert_allclose(actual, desired)


def test_tolerances_are_those_of_the_least_precise_dtype():
    testing.assert_allclose(np.float32(1 + 1e-6), np.float64(1))
    testing.assert_allclose(ml_dtypes.bfloat16(1.01), np.float64(1))
    with pytest.raises(AssertionError):
        testing.assert_allclose(np.float64(1 + 1e-6), np.float64(1))
    testing.assert_allclose(np.float64(1.1), np.float64(1), rtol=0.2)
    with pytest.raises(AssertionError):
        testing.assert_allclose(np.float64(1.1), np.float64(1), atol=0.05)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex128])
def test_check_grads_passes(dtype):
    x = (X * (1 + 0.5j)).astype(dtype) if dtype == np.complex128 else X.astype(dtype)
    testing.check_grads(lambda x, t: {"o": ft.sin(x) * t["y"], "n": t["n"]}, (x, {"y": x, "n": 3}), order=2)


@pytest.mark.parametrize(("modes", "message"), [(("fwd",), "forward mode"), (("rev",), "reverse mode")])
def test_check_grads_finds_a_wrong_derivative(modes, message):
    with pytest.raises(AssertionError, match=f"{message}: check_"):
        testing.check_grads(wrong(1.001), (X,), 1, modes)


def test_check_grads_finds_a_wrong_second_derivative():
    stopped = ft.custom_jvp(ft.sin)
    stopped.defjvp(lambda p, t: (ft.sin(*p), ft.stop_gradient(ft.cos(p[0])) * t[0]))
    testing.check_grads(stopped, (X,), 1)
    with pytest.raises(AssertionError, match="forward mode, then forward mode"):
        testing.check_grads(stopped, (X,), 2)
    with pytest.raises(ValueError, match="order must be at least 1"):
        testing.check_grads(ft.sin, (X,), 0)
    with pytest.raises(ValueError, match="modes of 'fwd' and 'rev'"):
        testing.check_grads(ft.sin, (X,), 1, modes=("forward",))


def test_check_jvp_and_vjp():
    testing.check_jvp(ft.sin, partial(ft.jvp, ft.sin), (X,))
    testing.check_vjp(ft.sin, partial(ft.vjp, ft.sin), (X,))
    with pytest.raises(AssertionError, match="the value of"):
        testing.check_jvp(ft.sin, partial(ft.jvp, ft.cos), (X,))
    with pytest.raises(AssertionError, match="differ from finite differences"):
        testing.check_vjp(ft.sin, lambda x: (ft.sin(x), lambda c: (c,)), (X,))


def test_check_vmap():
    testing.check_vmap(lambda x, y: x @ y, (np.ones((2, 3)), np.ones((3, 4))), in_axes=(None, 1))
    unequal = ft.custom_vmap(ft.sin)
    unequal.def_vmap(lambda size, batched, x: (ft.cos(x), True))
    with pytest.raises(AssertionError, match=r"check_vmap: vmap of .* differs from a loop"):
        testing.check_vmap(unequal, (X,))
    with pytest.raises(ValueError, match="an argument must be mapped"):
        testing.check_vmap(ft.sin, (X,), in_axes=None)


def test_count_retraces():
    f = ft.jit(ft.sin)
    with testing.count_retraces(f) as count:
        for x in (X, X + 1.0, X[:2]):
            f(x)
        assert count() == 2
    with pytest.raises(TypeError, match="functions that jit returned"), testing.count_retraces(ft.sin):
        pass


def test_check_agrees():
    report = ft.check(lambda p, n, scale: {"o": ft.sin(p["w"]) * n * scale, "n": n})(
        {"w": X.astype(np.float32)}, 3, scale=np.float64(2.0)
    )
    assert report, str(report)
    assert [f.comparison for f in report.findings][2:4] == [
        "forward = differences, by p['w']", "forward = differences, by scale",
    ]  # fmt: skip
    assert "all agree" in str(report)
    assert len(ft.check(lambda n: n + 1)(3).findings) == 2


def test_check_says_what_differs():
    def f(x, y):
        return wrong(2.0)(x) + ft.sin(y)

    report = ft.check(f)(X, X)
    assert not report
    assert [p.comparison for p in report.problems] == ["forward = differences, by x"]
    assert "entries differ" in str(report)
    half = ft.custom_vjp(lambda x, y: x * y)
    half.defvjp(lambda x, y: (x * y, (x, y)), lambda r, g: (g * r[1], 0.5 * g * r[0]))
    half.defjvp(lambda p, t: (p[0] * p[1], t[0] * p[1] + p[0] * t[1]))
    (problem,) = [p for p in ft.check(half)(X, X).problems if p.comparison == "reverse = forward"]
    assert problem.problem.startswith("by y:")
    assert "by x" not in problem.problem


def test_check_reports_what_is_raised():
    report = ft.check(lambda x: x if x > 0 else -x)(1.0)
    assert [p.comparison for p in report.problems] == ["jit = eager"]
    assert "ConcretizationError" in report.problems[0].problem
