"""Derivatives at equal eigenvalues and singular values, of functions for which the vectors do not matter."""

import numpy as np
import pytest

import ftrans as ft
from tests.primitives.derivatives import check_degenerate, check_derivatives, check_first_order
from tests.primitives.numpy_bridge import array

RNG = np.random.default_rng(5)
ORTHOGONAL = np.linalg.qr(RNG.standard_normal((5, 5)))[0]
UNITARY = np.linalg.qr(RNG.standard_normal((5, 5)) + 1j * RNG.standard_normal((5, 5)))[0]
OTHER = np.linalg.qr(RNG.standard_normal((5, 5)))[0]


def adjoint(x):
    return ft.conj(ft.matrix_transpose(x))


def hermitian_matrix(basis, spectrum):
    return (basis[:, : len(spectrum)] * spectrum) @ basis[:, : len(spectrum)].conj().T


def rectangle(s, basis, other):
    """A matrix with these singular values."""
    k = len(s)
    return (basis[:, :k] * s) @ other[:k]


def matrix_function(g):
    """V·g(λ)·Vᴴ of a Hermitian matrix."""

    def function(x):
        values, vectors = ft.linalg.eigh(x)
        return (vectors * ft.astype(g(values), vectors.dtype)) @ adjoint(vectors)

    return function


def singular_function(g, full_matrices=False):
    """U·g(S)·Vᴴ of a matrix."""

    def function(x):
        u, s, vh = ft.linalg.svd(x, full_matrices=full_matrices)
        k = s.shape[-1]
        return (u[..., :k] * ft.astype(g(s), u.dtype)) @ vh[..., :k, :]

    return function


SPECTRA = {
    "identity": np.eye(4),
    "diagonal": np.diag([1.0, 1.0, 2.0]),
    "rotated": hermitian_matrix(ORTHOGONAL, [1.0, 1.0, 1.0, 2.0, 2.0]),
    "complex": hermitian_matrix(UNITARY, [-1.0, -1.0, 0.0, 2.0, 2.0]),
    "low rank": hermitian_matrix(ORTHOGONAL, [0.0, 0.0, 0.0, 1.0, 2.0]),
    "zero": np.zeros((3, 3)),
}
RECTANGLES = {
    "identity": np.eye(3),
    "tall": rectangle([2.0, 2.0, 1.0, 1.0], ORTHOGONAL, OTHER[:4, :4]),
    "wide": rectangle([2.0, 2.0, 1.0], ORTHOGONAL, OTHER)[:3],
    "low rank": rectangle([2.0, 2.0, 0.0, 0.0], ORTHOGONAL, np.linalg.qr(OTHER[:4, :4])[0]),
    "low rank, complex": rectangle([3.0, 2.0, 0.0], UNITARY, np.linalg.qr(UNITARY[:3, :3])[0]),
    "zero": np.zeros((3, 2)),
}


# ---------------------------------------------------------------- functions of matrices


@pytest.mark.parametrize("x", SPECTRA.values(), ids=SPECTRA)
def test_functions_of_hermitian_matrices(x):
    for g in (ft.exp, ft.square, lambda w: ft.sqrt(w + 3)):
        check_degenerate(matrix_function(g), x)


@pytest.mark.parametrize("x", RECTANGLES.values(), ids=RECTANGLES)
def test_odd_functions_of_rectangles(x):
    for g in (ft.sin, lambda s: s**3):
        check_degenerate(singular_function(g), x)
    check_first_order(singular_function(ft.sin, True), x, tolerance=1e-6, duality_tolerance=1e-6)


@pytest.mark.parametrize("name", ["rotated", "complex"])
def test_products_of_functions(name):
    exponential, root = matrix_function(ft.exp), matrix_function(lambda w: ft.sqrt(w + 3))
    x = SPECTRA[name]
    check_degenerate(lambda x: exponential(x) @ root(x @ x), x)
    check_degenerate(lambda x: matrix_function(ft.log1p)(exponential(x)), x)


def test_agreement_with_expm():
    x = array(SPECTRA["rotated"])
    composed = ft.jacrev(matrix_function(ft.exp))(x)
    np.testing.assert_allclose(composed, ft.jacrev(lambda x: ft.linalg.expm((x + x.T) / 2))(x), atol=1e-6)


def test_single_precision_has_half_of_its_digits():
    x, c = SPECTRA["rotated"].astype(np.float32), RNG.standard_normal((5, 5))
    gradient = ft.grad(lambda x: ft.sum(matrix_function(ft.exp)(x) * c.astype(np.float32)))(ft.array(x))
    expected = ft.grad(lambda x: ft.sum(ft.linalg.expm((x + x.T) / 2) * c))(array(x, np.float64))
    np.testing.assert_allclose(gradient, expected, atol=5e-3)


@pytest.mark.parametrize("small", [1e-3, 1e-6])
def test_small_eigenvalues_stay_positive(small):
    root = np.diag([1.0, small, small]) ** 0.5
    inverse = matrix_function(lambda w: 1 / w)

    def scaled(y):
        """The inverse of y, by way of a matrix with small eigenvalues, which have fewer digits."""
        return array(root) @ inverse(array(root) @ y @ array(root)) @ array(root)

    tolerance = 10 * np.sqrt(np.finfo(np.float64).eps / small)
    check_first_order(scaled, np.eye(3), tolerance=tolerance, duality_tolerance=tolerance)


# ---------------------------------------------------------------- spectra, projections, norms


@pytest.mark.parametrize("basis", [ORTHOGONAL, UNITARY])
@pytest.mark.parametrize("spectrum", [[1.0, 1.0, 1.0, 2.0, 3.0], [-2.0, -2.0, 5.0, 5.0, 5.0]])
def test_projection_on_eigenspaces(basis, spectrum):
    check_degenerate(
        matrix_function(lambda w: ft.astype(w > 1.5, w.dtype)), hermitian_matrix(basis, spectrum)
    )


@pytest.mark.parametrize("name", ["identity", "rotated", "complex"])
def test_symmetric_functions_of_spectra(name):
    x = SPECTRA[name]
    check_first_order(lambda x: ft.sum(ft.exp(ft.linalg.eigvalsh(x))), x)
    check_degenerate(lambda x: ft.sum(ft.exp(ft.linalg.eigvalsh(x))), x)
    check_degenerate(lambda x: ft.sum(ft.exp(ft.linalg.eigh(x).eigenvalues)), x)


@pytest.mark.parametrize("name", ["identity", "tall", "wide"])
def test_polar_factor_and_norms(name):
    x = RECTANGLES[name]
    check_degenerate(singular_function(ft.ones_like), x)
    check_degenerate(lambda x: ft.linalg.matrix_norm(x, ord="nuc"), x)
    check_degenerate(lambda x: ft.sum(ft.square(ft.linalg.svdvals(x))), x)


@pytest.mark.parametrize("name", ["tall", "low rank", "low rank, complex"])
def test_pinv_and_projection_among_matrices_of_a_rank(name):
    x = array(RECTANGLES[name], RECTANGLES[name].dtype)
    n = x.shape[0]
    projection = singular_function(lambda s: ft.astype(s > 0.5, s.dtype))

    def moved(y):
        return ft.linalg.expm(y) @ x @ ft.linalg.expm(-y[: x.shape[1], : x.shape[1]])

    zero = np.zeros((n, n), RECTANGLES[name].dtype)
    check_derivatives(lambda y: ft.linalg.pinv(moved(y)), zero, tolerance=1e-6)
    check_degenerate(lambda y: projection(moved(y)), zero)


# ---------------------------------------------------------------- values stay, compositions


def loss(x):
    weights = ft.arange(float(x.size), dtype=x.dtype).reshape(x.shape)
    return ft.sum(ft.sin(matrix_function(ft.exp)(x)) * weights)


def test_values_and_decisions_are_those_of_the_matrix_itself():
    seen = []

    def function(x):
        values, vectors = ft.linalg.eigh(x)
        seen.append(np.asarray(values))
        kept = ft.where(values > 1e-12, 1 / ft.where(values > 1e-12, values, 1), 0)  # a pseudoinverse
        return ft.sum((vectors * kept) @ adjoint(vectors))

    x = np.diag([0.0, 0.0, 2.0, 2.0])
    value, gradient = ft.value_and_grad(function)(array(x))
    np.testing.assert_array_equal(seen[0], [0, 0, 2, 2])
    assert value == 1
    np.testing.assert_allclose(gradient[2:, 2:], -0.25, atol=1e-6)


@pytest.mark.parametrize("mode", [ft.grad, ft.jacfwd])
def test_transformations_compose(mode):
    xs = np.stack([SPECTRA["rotated"], np.eye(5), OTHER + OTHER.T])
    single = [np.asarray(ft.grad(loss)(array(x))) for x in xs]
    for derivative in (mode(loss), ft.jit(mode(loss)), mode(ft.jit(loss)), mode(ft.checkpoint(loss))):
        for x, expected in zip(xs, single, strict=True):
            np.testing.assert_allclose(derivative(array(x)), expected, atol=1e-5)
        np.testing.assert_allclose(ft.vmap(derivative)(array(xs)), np.stack(single), atol=1e-5)
    expected = np.asarray(ft.hessian(loss)(array(xs[0])))
    for hessian in (ft.jit(ft.hessian(loss)), ft.hessian(ft.jit(loss))):
        np.testing.assert_allclose(hessian(array(xs[0])), expected, atol=1e-4 * np.abs(expected).max())


def test_decompositions_inside_of_jitted_functions():
    decompose = ft.jit(ft.linalg.eigh)

    def function(x):
        values, vectors = decompose(x)
        return ft.sum(((vectors * ft.exp(values)) @ adjoint(vectors)) ** 2)

    x = array(SPECTRA["rotated"])
    np.testing.assert_allclose(ft.grad(function)(x), 2 * ft.linalg.expm(2 * x), atol=1e-5)


def test_effects_happen_once():
    seen = []

    def function(x):
        values, vectors = ft.linalg.eigh(x)
        ft.debug.callback(lambda w: seen.append(np.asarray(w)), values)
        return ft.sum((vectors * ft.exp(values)) @ adjoint(vectors))

    ft.eval(ft.grad(function)(array(np.eye(2))))
    assert [w.tolist() for w in seen] == [[1, 1]]
