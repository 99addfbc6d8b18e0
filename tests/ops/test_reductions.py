"""Reductions, cumulative operations, sorting and searching against NumPy and SciPy."""

import numpy as np
import pytest
import scipy.special

import ftrans as ft

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 4, 5)).astype(np.float32)
N = RNG.integers(-5, 6, (3, 4, 5)).astype(np.int32)
C = (X + 1j * X[::-1]).astype(np.complex64)
AXES = [None, 0, -1, (0, 2)]


def _close(out, expected, rtol=2e-5):
    out = np.asarray(out)
    assert out.shape == np.shape(expected)
    np.testing.assert_allclose(out, expected, rtol=rtol, atol=1e-6)


@pytest.mark.parametrize("length", [1, 15, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 255, 257, 5000])
def test_rows_of_any_length(length):
    # They are cut into vectors, whose extremes may lie anywhere.
    x = np.random.default_rng(length).normal(size=(3, length)).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(ft.max(x, axis=1)), x.max(1))
    np.testing.assert_allclose(np.asarray(ft.sum(x, axis=1)), x.sum(1, dtype=np.float64), atol=1e-3)
    for place in {0, length // 3, length - 1}:
        with_nan = x.copy()
        with_nan[1, place] = np.nan
        assert np.isnan(np.asarray(ft.max(with_nan, axis=1))).tolist() == [False, True, False]


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(
    "name",
    ["sum", "prod", "max", "min", "mean", "var", "std", "any", "all", "median", "ptp", "count_nonzero"],
)
def test_reduction(name, axis, keepdims):
    for x in (X, N):
        expected = getattr(np, name)(x, axis=axis, keepdims=keepdims)
        _close(getattr(ft, name)(ft.array(x), axis=axis, keepdims=keepdims), expected)


@pytest.mark.parametrize("axis", AXES)
def test_complex_reductions(axis):
    for name in ("sum", "mean", "var", "std"):
        _close(getattr(ft, name)(C, axis=axis), getattr(np, name)(C, axis=axis))


def test_variance():
    _close(ft.var(X, 0, correction=1), np.var(X, 0, ddof=1))
    _close(ft.std(X, 0, ddof=1), np.std(X, 0, ddof=1))
    shifted = X.astype(np.float32) + 1e4  # a single pass would cancel
    _close(ft.var(shifted), np.var(shifted.astype(np.float64)), rtol=1e-3)


def test_reductions_of_nothing():
    empty = ft.zeros((0, 3))
    assert ft.sum(empty).item() == 0
    assert ft.prod(empty).item() == 1
    assert ft.max(empty, axis=1).shape == (0,)
    for name in ("max", "min"):
        with pytest.raises(ValueError, match=f"{name}: no elements to reduce along axes"):
            getattr(ft, name)(empty, axis=0)


def test_nan_propagates():
    x = np.array([[1, np.nan, 2], [3, 4, 5]], np.float32)
    for name in ("max", "min", "median", "sum", "mean"):
        _close(getattr(ft, name)(x, axis=1), getattr(np, name)(x, axis=1))


@pytest.mark.parametrize("axis", [None, 0, -1])
@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
def test_cumulative(name, axis):
    for x in (X, N):
        _close(getattr(ft, name)(ft.array(x), axis=axis), getattr(np, name)(x, axis=axis), rtol=1e-4)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("reverse", [False, True])
def test_running_extremes_and_reverse(axis, reverse):
    def turned(f, x):
        return np.flip(f(np.flip(x, axis)), axis) if reverse else f(x)

    for name, f in (("cummax", np.maximum), ("cummin", np.minimum), ("cumsum", np.add)):
        expected = turned(lambda x, f=f: f.accumulate(x, axis), X)
        _close(getattr(ft, name)(X, axis=axis, reverse=reverse), expected)
    expected = turned(lambda x: np.logaddexp.accumulate(x, axis), X)
    _close(ft.logcumsumexp(X, axis=axis, reverse=reverse), expected)


def test_standard_cumulative_functions():
    v = np.array([1, 2, 3], np.int32)
    assert ft.cumulative_sum(v, include_initial=True).tolist() == [0, 1, 3, 6]
    assert ft.cumulative_prod(v, include_initial=True).tolist() == [1, 1, 2, 6]
    with pytest.raises(ValueError, match="cumulative_sum: axis must be given for an array of ndim 3"):
        ft.cumulative_sum(X)
    _close(ft.diff(X, axis=1, n=2), np.diff(X, axis=1, n=2))
    _close(ft.diff(v, prepend=0), [1, 1, 1])


@pytest.mark.parametrize("axis", AXES)
def test_log_space(axis):
    _close(ft.logsumexp(X, axis), scipy.special.logsumexp(X, axis))
    if axis is not None:
        _close(ft.softmax(X, axis), scipy.special.softmax(X, axis))
        _close(ft.log_softmax(X, axis), scipy.special.log_softmax(X, axis))


def test_log_space_at_infinity():
    inf = np.inf
    x = np.array([[-inf, -inf], [inf, 0], [-inf, 1], [1000, 1000]], np.float32)
    assert ft.logsumexp(x, 1).tolist() == [-inf, inf, 1, np.float32(1000 + np.log(2))]
    _close(ft.softmax(x[2:], 1), [[0, 1], [0.5, 0.5]])
    _close(ft.logcumsumexp(x[2]), [-inf, 1])
    gradient = ft.grad(lambda v: ft.logsumexp(v))(ft.array([-inf, 1.0, 1.0]))
    _close(gradient, [0, 0.5, 0.5])


@pytest.mark.parametrize(
    "row", [[1.0, 2.0, 3.0], [1.0, 1.0, 1.0], [-np.inf, 1.0, 2.0], [1000.0, 1000.0, 0.0]]
)
def test_derivatives_of_logsumexp(row):
    """The gradient is softmax, the Hessian diag(p) - p pᵀ; the shift by the maximum does not show."""
    x, p = ft.array(np.array(row)), scipy.special.softmax(row)
    _close(ft.grad(ft.logsumexp)(x), p)
    _close(ft.hessian(ft.logsumexp)(x), np.diag(p) - np.outer(p, p))
    _close(ft.jacrev(ft.softmax)(x), np.diag(p) - np.outer(p, p))
    assert "reduce_max" in str(ft.make_jaxpr(ft.logsumexp)(x))
    assert "eq" not in str(ft.make_jaxpr(ft.grad(ft.logsumexp))(x)).split()


def test_softmax_derivative():
    x = X[0, 0]
    weights = X[0, 1]
    p = scipy.special.softmax(x)
    expected = p * (weights - (p * weights).sum())
    _close(ft.grad(lambda v: ft.sum(ft.softmax(v) * weights))(ft.array(x)), expected)


@pytest.mark.parametrize("axis", [None, 0, -1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_argmax(axis, keepdims):
    for name in ("argmax", "argmin"):
        for x in (X, N, N > 0):
            out = getattr(ft, name)(ft.array(x), axis=axis, keepdims=keepdims)
            assert out.dtype is ft.int32
            _close(out, getattr(np, name)(x, axis=axis, keepdims=keepdims))


@pytest.mark.parametrize("axis", [None, 0, -1])
@pytest.mark.parametrize("descending", [False, True])
def test_sorting(axis, descending):
    for x in (X, N):
        sign = -1 if descending else 1
        _close(ft.sort(x, axis=axis, descending=descending), sign * np.sort(sign * x, axis=axis))
        expected = np.argsort(sign * x, axis=axis, kind="stable")
        np.testing.assert_array_equal(np.asarray(ft.argsort(x, axis=axis, descending=descending)), expected)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int32", "int64", "uint32"])
@pytest.mark.parametrize("shape", [(70, 33), (3, 257), (2, 2000), (70000,)])
def test_sorting_long_rows(shape, dtype):
    x = RNG.standard_normal(shape) * 40
    if dtype.startswith("float"):
        x[..., ::5] = np.round(x[..., ::5] / 40)  # many zeros, of both signs
    x = (np.abs(x) if dtype == "uint32" else x).astype(dtype)
    index = np.argsort(x, axis=-1, kind="stable")
    np.testing.assert_array_equal(np.asarray(ft.argsort(x)), index)
    got, expected = np.asarray(ft.sort(x)), np.take_along_axis(x, index, -1)
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(expected))
    np.testing.assert_array_equal(np.asarray(ft.sort(x, descending=True)), expected[..., ::-1])
    ranks = np.unique(x, return_inverse=True)[1].reshape(shape)
    index = np.argsort(-ranks, axis=-1, kind="stable")
    np.testing.assert_array_equal(np.asarray(ft.argsort(x, descending=True)), index)
    if dtype.startswith("float"):
        x[..., 3::7], x[..., 4::9], x[..., 6::11] = np.nan, np.inf, -np.inf
        np.testing.assert_array_equal(np.asarray(ft.sort(x)), np.sort(x))
        np.testing.assert_array_equal(np.asarray(ft.argsort(x)), np.argsort(x, kind="stable"))


def test_lexsort_and_topk():
    a, b = N[0, 0], N[0, 1]
    np.testing.assert_array_equal(np.asarray(ft.lexsort((a, b))), np.lexsort((a, b)))
    _close(ft.topk(X, 2, axis=1), -np.sort(-X, axis=1)[:, :2])
    _close(ft.topk(X, 3, axis=None), -np.sort(-X, axis=None)[:3])
    with pytest.raises(ValueError, match="topk: k must be between 0 and the extent 5"):
        ft.topk(X, 6)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("n", [0, 1, 2, 7, 8, 9])
def test_searchsorted(side, n):
    ordered = np.sort(RNG.integers(0, 10, n)).astype(np.int32)
    values = np.arange(-1, 12, dtype=np.int32).reshape(1, -1)
    if n:
        _close(ft.searchsorted(ordered, values, side=side), np.searchsorted(ordered, values, side))
    unsorted = ordered[::-1]
    if n:
        order = np.argsort(unsorted)
        _close(
            ft.searchsorted(unsorted, values, side=side, sorter=order),
            np.searchsorted(unsorted, values, side, sorter=order),
        )


def test_nonzero():
    x = np.where(N > 2, N, 0)
    for out, expected in zip(ft.nonzero(x), np.nonzero(x), strict=True):
        np.testing.assert_array_equal(np.asarray(out), expected)
    count = len(np.nonzero(x)[0])
    for size in (count - 3, count, count + 2):
        for out, expected in zip(ft.nonzero(x, size=size, fill_value=-1), np.nonzero(x), strict=True):
            padded = np.concatenate([expected[:size], np.full(max(0, size - count), -1)])
            np.testing.assert_array_equal(np.asarray(out), padded)
    np.testing.assert_array_equal(np.asarray(ft.argwhere(x)), np.argwhere(x))
    np.testing.assert_array_equal(np.asarray(ft.flatnonzero(x)), np.flatnonzero(x))


def test_nonzero_under_a_transformation_needs_size():
    with pytest.raises(
        ft.ConcretizationError, match=r"nonzero: the shape of the result depends on .* give size="
    ):
        ft.vmap(ft.nonzero)(ft.array(N[0]))
    (out,) = ft.vmap(lambda x: ft.nonzero(x, size=2))(ft.array([[0, 1, 1], [1, 0, 0]]))
    assert out.tolist() == [[1, 2], [0, 0]]


def test_sets():
    x = N[0]
    values, first, inverse, counts = np.unique(x, return_index=True, return_inverse=True, return_counts=True)
    out = ft.unique_all(x)
    np.testing.assert_array_equal(np.asarray(out.values), values)
    np.testing.assert_array_equal(np.asarray(out.indices), first)
    np.testing.assert_array_equal(np.asarray(out.inverse_indices), inverse.reshape(x.shape))
    np.testing.assert_array_equal(np.asarray(out.counts), counts)
    np.testing.assert_array_equal(np.asarray(ft.isin(x, np.array([[1, 2]]))), np.isin(x, [1, 2]))


def test_average_and_one_hot():
    _close(ft.average(X, axis=1, weights=np.abs(X)), np.average(X, axis=1, weights=np.abs(X)))
    assert ft.one_hot(ft.array([2, 0, 5]), 3).tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 0]]
    assert ft.one_hot(ft.array([2, 0]), 3, axis=0, dtype=ft.int32).tolist() == [[0, 1], [0, 0], [1, 0]]
