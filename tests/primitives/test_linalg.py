"""What the harness cannot ask of linear algebra: choices of vectors, failures, layouts."""

import itertools

import numpy as np
import pytest

import ftrans as ft
from tests.primitives.derivatives import check_derivatives
from tests.primitives.numpy_bridge import apply, array

RNG = np.random.default_rng(5)
ORTHOGONAL = np.linalg.qr(RNG.standard_normal((4, 4)))[0]
UNITARY = np.linalg.qr(RNG.standard_normal((4, 4)) + 1j * RNG.standard_normal((4, 4)))[0]
FULL = {"vectors": True, "full_matrices": True}
REDUCED = {"vectors": True, "full_matrices": False}


def general(*shape, complex_=False):
    x = RNG.standard_normal(shape)
    return x + 1j * RNG.standard_normal(shape) if complex_ else x


def adjoint(x):
    return ft.conj(ft.matrix_transpose(x))


# ---------------------------------------------------------------- vectors that are a matter of choice


def test_functions_of_distinct_eigenvalues():
    def root(x):
        values, vectors = ft.linalg.eigh(x)
        return (vectors * ft.astype(ft.sqrt(values), vectors.dtype)) @ adjoint(vectors)

    for basis in (ORTHOGONAL, UNITARY):
        check_derivatives(root, (basis * [1.0, 2.0, 4.0, 7.0]) @ basis.conj().T)


@pytest.mark.parametrize("shape", [(4, 4), (4, 3), (3, 4)])
@pytest.mark.parametrize("parameters", [FULL, REDUCED])
@pytest.mark.parametrize("complex_", [False, True])
def test_functions_of_singular_vectors(shape, parameters, complex_):
    m, n = shape

    def invariants(x):
        u, s, vh = ft.linalg.svd(x, full_matrices=parameters["full_matrices"])
        k = s.shape[0]
        rank_two = (u[:, :2] * ft.astype(s[:2] ** 3, u.dtype)) @ vh[:2]
        outside = u[:, k:] @ adjoint(u[:, k:]) if u.shape[1] > k else adjoint(vh[k:]) @ vh[k:]
        return ft.concat([ft.ravel(rank_two), ft.ravel(u[:, :k] @ vh[:k]), ft.ravel(outside)])

    check_derivatives(invariants, general(m, n, complex_=complex_), tolerance=1e-6)


def test_complement_of_a_complete_qr():
    def projection(x):
        q, _ = ft.linalg.qr(x, mode="complete")
        return q[:, 2:] @ adjoint(q[:, 2:])

    check_derivatives(projection, general(4, 2))
    check_derivatives(projection, general(4, 2, complex_=True))


@pytest.mark.parametrize("complex_", [False, True])
def test_functions_of_eigenvectors(complex_):
    def sign_like(x):
        values, vectors = ft.linalg.eig(x)
        return (vectors * ft.tanh(values)) @ ft.linalg.inv(vectors)

    x = general(3, 3, complex_=complex_)
    check_derivatives(sign_like, x, tolerance=1e-6)
    check_derivatives(lambda x: ft.sum(ft.abs(ft.linalg.eig(x).eigenvectors) ** 3), x, tolerance=1e-6)


def test_eigenvectors_are_normalised():
    vectors = apply("eig", general(5, 5), vectors=True)[1]
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=0), 1)
    largest = vectors[np.abs(vectors).argmax(0), np.arange(5)]
    np.testing.assert_allclose(largest, np.abs(largest))


# ---------------------------------------------------------------- reconstruction, from every layout


def layouts(x):
    """Arrays of the values of `x` with other strides."""
    spread = np.repeat(np.repeat(x, 2, -1), 2, -2)
    return [
        array(x, x.dtype),
        ft.matrix_transpose(array(np.swapaxes(x, -1, -2).copy(), x.dtype)),
        array(spread, x.dtype)[..., ::2, ::2],
        ft.flip(array(np.flip(x).copy(), x.dtype)),
    ]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("n", [1, 2, 7, 33, 70])
def test_factors_multiply_to_the_matrix(dtype, n):
    x = general(2, n, n, complex_=np.dtype(dtype).kind == "c").astype(dtype)
    definite = (x @ x.conj().swapaxes(-1, -2) + n * np.eye(n)).astype(dtype)
    close = 50 * n * np.finfo(dtype).eps

    def same(actual, expected):
        np.testing.assert_allclose(np.asarray(actual), expected, atol=close * np.abs(expected).max())

    for a, d in zip(layouts(x), layouts(definite), strict=True):
        factor = ft.linalg.cholesky(d)
        same(factor @ adjoint(factor), definite)
        q, r = ft.linalg.qr(a)
        same(q @ r, x)
        same(adjoint(q) @ q, np.broadcast_to(np.eye(n), x.shape))
        u, s, vh = ft.linalg.svd(a)
        same((u * ft.astype(s[..., None, :], a.dtype)) @ vh, x)
        values, vectors = ft.linalg.eigh(d)
        same(d @ vectors, np.asarray(vectors * ft.astype(values[..., None, :], a.dtype)))
        values, vectors = ft.linalg.eig(a)
        same(ft.astype(a, vectors.dtype) @ vectors, np.asarray(vectors * values[..., None, :]))
        order, lower, upper = ft.linalg.lu(a)
        same(ft.take_along_axis(lower @ upper, order[..., None], axis=-2), x)
        same(d @ ft.linalg.solve(d, a), x)
        same(factor @ ft.linalg.solve_triangular(factor, a), x)


def test_many_small_and_one_large():
    for shape in ((300, 5, 5), (200, 200)):
        x = general(*shape)
        np.testing.assert_allclose(
            np.asarray(ft.linalg.solve(x, x)), np.broadcast_to(np.eye(shape[-1]), shape), atol=1e-8
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 3, 16, 21, 32])
def test_many_cholesky_factors_at_once(dtype, n):
    x = general(2, 19, n, n).astype(dtype)
    x = x @ np.swapaxes(x, -1, -2) + np.eye(n, dtype=dtype)
    x[0, 3, 0, 0] = x[1, 5, n - 1, n - 1] = -1
    x[1, 18] = np.nan
    factor = np.asarray(ft.linalg.cholesky(ft.matrix_transpose(array(x, dtype))))
    bad = np.zeros((2, 19), bool)
    bad[0, 3] = bad[1, 5] = bad[1, 18] = True
    assert np.isnan(factor[bad][:, np.tri(n) == 1]).all()
    np.testing.assert_array_equal(factor[..., np.tri(n) == 0], 0)
    tolerance = 10 * n * np.finfo(dtype).eps
    np.testing.assert_allclose(
        factor[~bad], np.linalg.cholesky(x[~bad]), atol=tolerance * np.abs(x[~bad]).max()
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_one_large_eigensystem(dtype):
    n, epsilon = 170, np.finfo(dtype).eps
    x = general(n, n, complex_=True)
    x = (x if np.iscomplexobj(dtype()) else x.real).astype(dtype)
    x = x + x.conj().T
    for scale in (0, 1e-25, 1, 1e25):
        a = x * np.asarray(scale, dtype)
        values, vectors = apply("eigh", a, vectors=True)
        norm = np.abs(values).max()
        np.testing.assert_allclose(a @ vectors, vectors * values, rtol=0, atol=10 * n * epsilon * norm)
        np.testing.assert_allclose(vectors.conj().T @ vectors, np.eye(n), atol=10 * n * epsilon)
        assert (np.diff(values) >= 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("shape", [(170, 170), (165, 200), (200, 165), (165, 250)])
def test_one_large_singular_value_decomposition(shape, dtype):
    k, epsilon = min(shape), np.finfo(dtype).eps
    x = general(*shape, complex_=True)
    x = (x if np.iscomplexobj(dtype()) else x.real).astype(dtype)
    for scale in (0, 1e-25, 1, 1e25):
        for full in (False, True):
            a = x * np.asarray(scale, dtype)
            u, s, vh = apply("svd", a, vectors=True, full_matrices=full)
            np.testing.assert_allclose(
                (u[:, :k] * s) @ vh[:k], a, rtol=0, atol=10 * max(shape) * epsilon * s[0]
            )
            for q in (u.conj().T @ u, vh @ vh.conj().T):
                np.testing.assert_allclose(q, np.eye(len(q)), atol=10 * max(shape) * epsilon)
            assert (np.diff(s) <= 0).all()
            assert (s >= 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
@pytest.mark.parametrize("kind", ["diagonal", "equal", "rank one", "two blocks", "clusters"])
def test_one_large_eigensystem_of_which_much_is_known(kind, dtype):
    """The parts of its tridiagonal matrix share eigenvalues, or have no link between them."""
    n, epsilon = 200, np.finfo(dtype).eps
    basis = np.linalg.qr(general(n, n, complex_=True))[0]
    if not np.iscomplexobj(dtype()):
        basis = np.linalg.qr(basis.real)[0]
    spread = np.linspace(-3, 5, n)
    expected = np.sort(
        {"rank one": np.arange(n) == 0, "equal": np.full(n, 2), "clusters": np.round(spread)}.get(
            kind, spread
        )
    )
    a = (basis * expected) @ basis.conj().T
    if kind == "diagonal":
        a = np.diag(spread[::-1])
    elif kind == "two blocks":
        a = np.kron(np.eye(2), a[: n // 2, : n // 2])
        expected = np.linalg.eigvalsh(a)
    a = a.astype(dtype)
    values, vectors = apply("eigh", a, vectors=True)
    np.testing.assert_allclose(values, expected, rtol=0, atol=50 * n * epsilon)
    np.testing.assert_allclose(a @ vectors, vectors * values, rtol=0, atol=50 * n * epsilon)
    np.testing.assert_allclose(vectors.conj().T @ vectors, np.eye(n), atol=10 * n * epsilon)


# ---------------------------------------------------------------- failures are values


def test_matrices_that_are_not_positive_definite():
    x = np.stack([np.eye(3), -np.eye(3), np.full((3, 3), np.nan)])
    got = apply("cholesky", x)
    np.testing.assert_array_equal(got[0], np.eye(3))
    assert np.isnan(got[1:][:, np.tri(3) == 1]).all()
    np.testing.assert_array_equal(got[:, np.tri(3) == 0], 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_matrices_that_are_not_finite(bad):
    x = general(3, 4, 4)
    x[1, 2, 2] = bad
    results = [
        *apply("eigh", x, vectors=True),
        *apply("svd", x, **FULL),
        *apply("eig", x, vectors=True),
        apply("expm", x),
    ]
    for result in results:
        assert np.isnan(result[1]).all()
        assert np.isfinite(result[[0, 2]]).all()


def test_singular_systems():
    assert not np.isfinite(apply("solve", np.zeros((2, 2)), np.ones((2, 1)))).any()
    assert not np.isfinite(
        apply("triangular_solve", np.zeros((2, 2)), np.ones((2, 1)), lower=True, unit_diagonal=False)
    ).any()


def test_huge_exponentials_of_bounded_value():
    angle = 1e6
    got = apply("expm", np.array([[0.0, angle], [-angle, 0.0]]))
    c, s = np.cos(angle), np.sin(angle)
    np.testing.assert_allclose(got, [[c, s], [-s, c]], atol=1e-8)


# ---------------------------------------------------------------- batching and errors


@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("unit", [False, True])
def test_triangular_solve_in_every_in_axes(lower, unit):
    a, b = general(3, 3) + 4 * np.eye(3), general(3, 2)

    def function(a, b):
        return ft.linalg.solve_triangular(a, b, upper=not lower, unit_diagonal=unit)

    for in_axes in itertools.product([None, 0, 1, 2], repeat=2):
        if in_axes == (None, None):
            continue
        copies = [[x, 2 * x, x - 1] for x in (a, b)]
        stacked = [
            c[0] if axis is None else np.stack(c, axis) for c, axis in zip(copies, in_axes, strict=True)
        ]
        each = [
            function(*[c[0 if axis is None else i] for c, axis in zip(copies, in_axes, strict=True)])
            for i in range(3)
        ]
        got = ft.vmap(function, in_axes=in_axes)(*map(array, stacked))
        np.testing.assert_allclose(np.asarray(got), np.stack(each), err_msg=str(in_axes))


def test_the_other_triangle_has_no_derivative():
    a, b = array(general(3, 3) + 4 * np.eye(3)), array(general(3, 2))

    def loss(a):
        return ft.sum(ft.linalg.solve_triangular(a, b, unit_diagonal=True) ** 2)

    gradient = np.asarray(ft.grad(loss)(a))
    assert (gradient[np.triu_indices(3)] == 0).all()
    assert (gradient[np.tril_indices(3, -1)] != 0).all()


def test_errors():
    with pytest.raises(
        ValueError, match=r"cholesky: the matrices of the operand must be square, got shape \(2, 3\)"
    ):
        apply("cholesky", np.ones((2, 3)))
    with pytest.raises(TypeError, match=r"svd: the operand has dtype float16, expected float32, float64"):
        apply("svd", np.ones((2, 2), np.float16), **FULL)
    with pytest.raises(ValueError, match=r"eigh: the operand must have at least 2 dimensions"):
        apply("eigh", np.ones(3), vectors=True)
    with pytest.raises(ValueError, match=r"solve: a and b must have the same batch extents and as many rows"):
        apply("solve", np.ones((2, 2)), np.ones((3, 1)))
    with pytest.raises(TypeError, match=r"solve: operands must have the same dtype"):
        apply("solve", np.ones((2, 2)), np.ones((2, 1), np.float32))
    with pytest.raises(ValueError, match=r"qr: the matrices must have at least as many rows as columns"):
        apply("qr", np.ones((2, 3)), full_matrices=False)
