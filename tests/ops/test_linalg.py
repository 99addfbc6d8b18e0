"""ft.linalg against NumPy and SciPy, its derivatives to second order, and its edges."""

import numpy as np
import pytest

import ftrans as ft
from tests.primitives.derivatives import check_derivatives
from tests.primitives.numpy_bridge import array

RNG = np.random.default_rng(11)
ORTHOGONAL = np.linalg.qr(RNG.standard_normal((3, 3)))[0]
SPREAD = np.array([[2.0, 0.5, -1.0], [0.75, -1.5, 0.25], [-0.5, 1.0, 3.0]])
COMPLEX = SPREAD + 1j * SPREAD.T / 2
DEFINITE = SPREAD @ SPREAD.T + np.eye(3)


def general(*shape):
    return RNG.standard_normal(shape)


def close(actual, expected, rtol=1e-10):
    actual = np.asarray(actual)
    assert actual.shape == np.shape(expected)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=1e-12)


# ---------------------------------------------------------------- values


@pytest.mark.parametrize(
    "name", ["cholesky", "inv", "det", "pinv", "eigvalsh", "svdvals", "matrix_rank", "matrix_norm"]
)
@pytest.mark.parametrize("shape", [(3, 3), (2, 4, 3, 3), (0, 3, 3), (1, 1)])
def test_functions_of_definite_matrices(name, shape):
    x = general(*shape)
    x = x @ np.swapaxes(x, -1, -2) + np.eye(shape[-1])
    close(getattr(ft.linalg, name)(array(x)), getattr(np.linalg, name)(x), rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_dtypes(dtype):
    x = COMPLEX.astype(dtype) if np.dtype(dtype).kind == "c" else SPREAD.astype(dtype)
    real = np.zeros(0, dtype).real.dtype
    assert ft.linalg.solve(x, x).dtype == dtype
    assert ft.linalg.svdvals(x).dtype == real
    assert ft.linalg.slogdet(x).sign.dtype == dtype
    assert ft.linalg.slogdet(x).logabsdet.dtype == real
    assert ft.linalg.vector_norm(x).dtype == real
    assert ft.linalg.eigvals(x).dtype == np.result_type(dtype, np.complex64)


def test_integers_become_floats_and_half_precision_is_refused():
    assert ft.linalg.det(ft.array([[1, 2], [3, 4]])).dtype is ft.float32
    with pytest.raises(
        TypeError, match=r"linalg.det: x has dtype float16, expected float32, .*convert it first"
    ):
        ft.linalg.det(ft.ones((2, 2), dtype=ft.float16))


@pytest.mark.parametrize("shape", [(4, 2), (2, 4), (3, 3), (5, 3, 2), (5, 2, 3), (3, 0), (0, 3)])
@pytest.mark.parametrize("mode", ["reduced", "complete"])
def test_qr(shape, mode):
    x = general(*shape)
    for actual, expected in zip(ft.linalg.qr(array(x), mode=mode), np.linalg.qr(x, mode), strict=True):
        close(actual, expected)


@pytest.mark.parametrize("shape", [(4, 2), (2, 4), (5, 2, 3), (3, 0)])
def test_svd_and_pinv_of_rectangles(shape):
    x = general(*shape)
    u, s, vh = ft.linalg.svd(array(x))
    k = s.shape[-1]
    close((u[..., :k] * s[..., None, :]) @ vh[..., :k, :], x)
    close(ft.linalg.pinv(array(x)), np.linalg.pinv(x))
    assert u.shape[-1] == shape[-2]
    assert vh.shape[-2] == shape[-1]


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)])
def test_lu(shape):
    linalg = pytest.importorskip("scipy.linalg")
    x = general(*shape)
    order, lower, upper = ft.linalg.lu(array(x))
    permuted, expected_lower, expected_upper = linalg.lu(x, p_indices=True)
    np.testing.assert_array_equal(np.asarray(order), permuted)
    close(lower, expected_lower)
    close(upper, expected_upper)
    factors, pivots = ft.linalg.lu_factor(array(x))
    expected_factors, expected_pivots = linalg.lu_factor(x)
    close(factors, expected_factors)
    np.testing.assert_array_equal(np.asarray(pivots), expected_pivots)


@pytest.mark.parametrize(
    ("a", "b"),
    [((3, 3), (3,)), ((3, 3), (3, 2)), ((4, 3, 3), (3,)), ((4, 3, 3), (3, 2)), ((3, 3), (4, 3, 2))],
)
def test_solve_broadcasts(a, b):
    x, y = general(*a), general(*b)
    expected = np.linalg.solve(x, y[:, None])[..., 0] if y.ndim == 1 else np.linalg.solve(x, y)
    close(ft.linalg.solve(array(x), array(y)), expected)


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("trans", ["N", "T", "C"])
@pytest.mark.parametrize("unit_diagonal", [False, True])
def test_solve_triangular(upper, trans, unit_diagonal):
    linalg = pytest.importorskip("scipy.linalg")
    options = {"trans": trans, "unit_diagonal": unit_diagonal}
    got = ft.linalg.solve_triangular(COMPLEX, COMPLEX[:, :2], upper=upper, **options)
    close(got, linalg.solve_triangular(COMPLEX, COMPLEX[:, :2], lower=not upper, **options))


@pytest.mark.parametrize("upper", [False, True])
def test_inverses_from_factors(upper):
    factor = ft.linalg.cholesky(array(DEFINITE), upper=upper)
    close(ft.linalg.cholesky_inv(factor, upper), np.linalg.inv(DEFINITE))
    close(ft.linalg.tri_inv(factor, upper), np.linalg.inv(np.asarray(factor)))


@pytest.mark.parametrize("n", [0, 1, 2, 5, 8, -1, -3])
def test_matrix_power(n):
    close(ft.linalg.matrix_power(array(SPREAD), n), np.linalg.matrix_power(SPREAD, n))


@pytest.mark.parametrize("scale", [0.0, 0.1, 3.0, 30.0])
@pytest.mark.parametrize("x", [SPREAD, COMPLEX, np.array([[0.0, 1.0], [0.0, 0.0]])])
def test_expm(scale, x):
    linalg = pytest.importorskip("scipy.linalg")
    close(ft.linalg.expm(array(scale * x, x.dtype)), linalg.expm(scale * x), rtol=1e-9)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5)])
def test_lstsq(shape):
    x, y = general(*shape), general(shape[0], 2)
    got, expected = ft.linalg.lstsq(array(x), array(y)), np.linalg.lstsq(x, y)
    close(got.x, expected[0])
    close(got.residuals, expected[1] if len(expected[1]) else np.zeros(2))
    assert int(got.rank) == 3
    close(got.singular_values, expected[3])
    close(ft.linalg.lstsq(array(x), array(y[:, 0])).x, expected[0][:, 0])


def test_ranks_of_a_batch_with_tolerances():
    x = np.stack([np.diag([1.0, 0.1, 1e-3]), np.diag([1.0, 1e-20, 0.0])])
    np.testing.assert_array_equal(np.asarray(ft.linalg.matrix_rank(x)), [3, 1])
    np.testing.assert_array_equal(np.asarray(ft.linalg.matrix_rank(x, rtol=np.array([0.01, 1e-30]))), [2, 2])
    close(ft.linalg.pinv(x, rtol=0.01), np.linalg.pinv(x, rtol=0.01))


@pytest.mark.parametrize("order", [None, 0, 1, -1, 2, -2, 3, 0.5, -1.5, np.inf, -np.inf])
@pytest.mark.parametrize("axis", [None, 0, -1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_vector_norms(order, axis, keepdims):
    x = COMPLEX[0] if axis is None else COMPLEX
    close(ft.linalg.norm(x, order, axis, keepdims), np.linalg.norm(x, order, axis, keepdims))


@pytest.mark.parametrize("order", ["fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf])
@pytest.mark.parametrize("axis", [(0, 1), (2, 0), (-1, -2)])
def test_matrix_norms(order, axis):
    x = general(3, 4, 2)
    for keepdims in (False, True):
        close(ft.linalg.norm(array(x), order, axis, keepdims), np.linalg.norm(x, order, axis, keepdims))
    if axis == (-1, -2):
        close(ft.linalg.matrix_norm(array(x), ord=order), np.linalg.matrix_norm(x, ord=order))


def test_slogdet_beyond_the_range_of_determinants():
    x = np.diag(np.full(300, 1e-3))
    sign, logabsdet = ft.linalg.slogdet(array(x))
    assert float(sign) == 1
    assert abs(float(logabsdet) - 300 * np.log(1e-3)) < 1e-9
    for expected, actual in zip(np.linalg.slogdet(COMPLEX), ft.linalg.slogdet(COMPLEX), strict=True):
        close(actual, expected)
    assert [float(v) for v in ft.linalg.slogdet(ft.zeros((2, 2)))] == [0, -np.inf]


def test_empty_matrices():
    x = ft.zeros((2, 0, 0))
    np.testing.assert_array_equal(np.asarray(ft.linalg.det(x)), [1, 1])
    np.testing.assert_array_equal(np.asarray(ft.linalg.slogdet(x).logabsdet), [0, 0])
    for name in ("inv", "expm", "cholesky", "pinv"):
        assert getattr(ft.linalg, name)(x).shape == (2, 0, 0)
    assert ft.linalg.matrix_rank(x).shape == (2,)
    gradient = ft.grad(
        lambda x: ft.sum(ft.linalg.det(x) + ft.sum(ft.linalg.inv(x)) + ft.sum(ft.linalg.svdvals(x)))
    )
    assert gradient(x).shape == (2, 0, 0)


# ---------------------------------------------------------------- derivatives


@pytest.mark.parametrize(
    "function",
    [
        lambda x: ft.linalg.inv(x),
        lambda x: ft.linalg.pinv(x),
        lambda x: ft.linalg.slogdet(x).sign * ft.linalg.slogdet(x).logabsdet,
        lambda x: ft.linalg.matrix_power(x, -3),
        lambda x: ft.linalg.expm(x),
        lambda x: ft.linalg.lu(x).L @ ft.linalg.matrix_transpose(ft.linalg.lu(x).U),
        lambda x: ft.linalg.qr(x).Q[:, :2],
        lambda x: ft.linalg.norm(x, 3, 0),
        lambda x: ft.linalg.matrix_norm(x),
    ],
)
@pytest.mark.parametrize("x", [SPREAD, COMPLEX])
def test_derivatives(function, x):
    check_derivatives(function, x)


@pytest.mark.parametrize("shape", [(2, 4), (4, 2)])
def test_derivatives_of_rectangles(shape):
    x = np.cos(np.arange(8.0) * 1.7).reshape(shape)
    check_derivatives(lambda x: ft.concat(ft.linalg.qr(x), axis=0) if shape[0] > 2 else ft.linalg.qr(x).R, x)
    check_derivatives(ft.linalg.pinv, x)
    check_derivatives(ft.linalg.pinv, x + 1j * x[::-1])
    check_derivatives(lambda x: ft.linalg.lstsq(x, x[:, 0] ** 2).x, x)


@pytest.mark.parametrize(
    "x",
    [
        SPREAD,
        COMPLEX,
        np.eye(3),
        ORTHOGONAL,
        np.zeros((3, 3)),
        np.diag([2.0, 1.0, 0.0]),
        np.diag([2.0, 0.0, 0.0]),
        np.ones((3, 3)),
        np.stack([SPREAD, np.ones((3, 3))]),
    ],
)
def test_derivatives_of_det_of_singular_matrices(x):
    check_derivatives(ft.linalg.det, x)


@pytest.mark.parametrize("x", [np.eye(3), ORTHOGONAL, 2 * ORTHOGONAL[:, :2]])
def test_derivatives_of_pinv_at_equal_singular_values(x):
    check_derivatives(ft.linalg.pinv, x)


@pytest.mark.parametrize("x", [DEFINITE, DEFINITE + 0.25j * (SPREAD - SPREAD.T)])
def test_derivatives_of_definite_matrices(x):
    check_derivatives(ft.linalg.cholesky, x)
    check_derivatives(ft.linalg.eigvalsh, x)
    check_derivatives(lambda x: ft.abs(ft.linalg.eigh(x).eigenvectors), x)
    check_derivatives(ft.linalg.svdvals, x)


def test_first_and_higher_derivatives_of_solvers_agree():
    def through_factor(a, b):
        factor = ft.linalg.cholesky(a)
        y = ft.linalg.solve_triangular(factor, b)
        return ft.linalg.solve_triangular(factor, y, trans="T")

    check_derivatives(through_factor, DEFINITE, SPREAD[:, :2])
    check_derivatives(ft.linalg.solve, SPREAD, SPREAD[:, 0])
    direct, factored = (
        ft.hessian(lambda a, f=f: ft.sum(ft.sin(f(a, array(SPREAD)))))(array(DEFINITE))
        for f in (lambda a, b: ft.linalg.solve((a + a.T) / 2, b), through_factor)
    )
    close(direct, np.asarray(factored), rtol=1e-8)


def test_norms_of_zero_have_a_zero_derivative():
    for order in (2, 3):
        gradient = ft.grad(lambda x, order=order: ft.linalg.vector_norm(x, ord=order))(ft.zeros(3))
        np.testing.assert_array_equal(np.asarray(gradient), 0)


# ---------------------------------------------------------------- compositions


def test_compositions():
    x = general(4, 3, 3)
    gradient = ft.jit(ft.vmap(ft.grad(lambda x: ft.linalg.slogdet(x).logabsdet)))
    close(gradient(array(x)), np.swapaxes(np.linalg.inv(x), -1, -2))
    jacobian = ft.vmap(ft.jacfwd(ft.linalg.det))(array(x))
    close(jacobian, np.linalg.det(x)[:, None, None] * np.swapaxes(np.linalg.inv(x), -1, -2))
    close(
        ft.vmap(ft.linalg.pinv, in_axes=2, out_axes=1)(array(np.moveaxis(x, 0, 2))),
        np.linalg.pinv(x).swapaxes(0, 1),
    )
    out = ft.jit(lambda x: ft.linalg.eigh(x @ ft.matrix_transpose(x)))(array(x))
    close(out.eigenvalues, np.linalg.eigvalsh(x @ np.swapaxes(x, -1, -2)))


def test_other_libraries_agree():
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        hessian = jax.hessian(lambda x: jax.numpy.sum(jax.numpy.linalg.cholesky(x) ** 3))(DEFINITE)
        close(ft.hessian(lambda x: ft.sum(ft.linalg.cholesky(x) ** 3))(array(DEFINITE)), np.asarray(hessian))


# ---------------------------------------------------------------- errors


def test_errors():
    linalg = ft.linalg
    square, wide = ft.ones((2, 2)), ft.ones((2, 3))
    with pytest.raises(ValueError, match=r"linalg.inv: the matrices of x must be square, got shape \(2, 3\)"):
        linalg.inv(wide)
    with pytest.raises(ValueError, match=r"linalg.svd: x must have at least 2 dimensions, got shape"):
        linalg.svd(ft.ones(3))
    with pytest.raises(ValueError, match=r"linalg.solve: x2 must have as many rows as x1, got shapes \(3,\)"):
        linalg.solve(square, ft.ones(3))
    with pytest.raises(ValueError, match=r"linalg.qr: mode must be 'reduced' or 'complete', got 'full'"):
        linalg.qr(square, mode="full")
    with pytest.raises(ValueError, match=r"linalg.solve_triangular: trans must be 'N', 'T' or 'C', got 'H'"):
        linalg.solve_triangular(square, square, trans="H")
    with pytest.raises(ValueError, match=r"linalg.matrix_norm: ord of matrices must be .*, got 3"):
        linalg.matrix_norm(square, ord=3)
    with pytest.raises(ValueError, match=r"linalg.vector_norm: ord of vectors must be a number, got 'fro'"):
        linalg.vector_norm(square, ord="fro")
    with pytest.raises(ValueError, match=r"linalg.norm: ord=1 needs one axis or two, got 3"):
        linalg.norm(ft.ones((2, 2, 2)), 1)
    with pytest.raises(TypeError, match=r"linalg.det: x must be an array or a number, got list"):
        linalg.det([[1.0]])
