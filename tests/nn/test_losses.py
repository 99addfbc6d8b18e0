"""Losses: values against PyTorch or the formula in NumPy, derivatives against differences, errors by text."""

import numpy as np
import pytest
import scipy.special

import ftrans as ft
from tests.harness.numerics import directional_difference

RANDOM = np.random.default_rng(0)
X, Y, Z = (RANDOM.normal(size=(4, 5)) * 2 for _ in range(3))
SIGNS = np.sign(Y)
PROBABILITIES = scipy.special.softmax(Y, axis=1)
CLASSES = np.array([0, 4, 2, 1])

#: Name of the loss: operands, and the formula of each element or example.
FORMULAS = {
    "mse_loss": ((X, Y), lambda x, y: (x - y) ** 2),
    "l1_loss": ((X, Y), lambda x, y: np.abs(x - y)),
    "smooth_l1_loss": ((X, Y), lambda x, y: scipy.special.huber(1.0, x - y)),
    "huber_loss": ((X, Y), lambda x, y: scipy.special.huber(1.0, x - y)),
    "log_cosh_loss": ((X, Y), lambda x, y: np.log(np.cosh(x - y))),
    "hinge_loss": ((X, SIGNS), lambda x, y: np.maximum(1 - x * y, 0)),
    "margin_ranking_loss": ((X, Y, SIGNS), lambda x, y, z: np.maximum(-z * (x - y), 0)),
    "binary_cross_entropy": (
        (X, PROBABILITIES),
        lambda x, y: -(y * scipy.special.log_expit(x) + (1 - y) * scipy.special.log_expit(-x)),
    ),
    "gaussian_nll_loss": ((X, Y, Z**2), lambda x, y, v: 0.5 * (np.log(v) + (x - y) ** 2 / v)),
    "cross_entropy": (
        (X, PROBABILITIES),
        lambda x, y: -np.sum(y * scipy.special.log_softmax(x, axis=-1), axis=-1),
    ),
    "kl_div_loss": ((X, np.log(PROBABILITIES)), lambda x, y: np.sum(np.exp(y) * (y - x), axis=-1)),
    "triplet_loss": (
        (X, Y, Z),
        lambda x, y, z: np.maximum(
            np.sqrt(np.sum((x - y) ** 2, -1) + 1e-6) - np.sqrt(np.sum((x - z) ** 2, -1) + 1e-6) + 1, 0
        ),
    ),
    "cosine_similarity_loss": (
        (X, Y),
        lambda x, y: np.sum(x * y, 1) / (np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)),
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_value(name, reduction):
    operands, formula = FORMULAS[name]
    expected = {"none": lambda x: x, "mean": np.mean, "sum": np.sum}[reduction](formula(*operands))
    loss = getattr(ft.nn, name)(*map(ft.array, operands), reduction=reduction)
    # float64 on both sides; the sums over twenty elements round in another order.
    np.testing.assert_allclose(np.asarray(loss), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", FORMULAS)
def test_derivatives(name):
    operands, formula = FORMULAS[name]
    loss = getattr(ft.nn, name)
    direction = [RANDOM.normal(size=operands[0].shape), *map(np.zeros_like, operands[1:])]

    def f(x):
        return loss(x, *map(ft.array, operands[1:]), reduction="sum")

    x, t = ft.array(operands[0]), ft.array(direction[0])
    slope = ft.sum(ft.grad(f)(x) * t).item()
    (expected,) = directional_difference(lambda *o: [np.sum(formula(*o))], operands, direction)
    assert abs(slope - expected) < 1e-7 * max(1, abs(expected))
    curvature = ft.sum(ft.grad(lambda x: ft.sum(ft.grad(f)(x) * t))(x) * t).item()
    (expected,) = directional_difference(
        lambda x: [np.sum(np.asarray(ft.grad(f)(ft.array(x))) * direction[0])], operands[:1], direction[:1]
    )
    assert abs(curvature - expected) < 1e-6 * max(1, abs(expected))


def test_cross_entropy_of_classes():
    expected = -scipy.special.log_softmax(X, axis=1)[np.arange(4), CLASSES]
    for loss in (ft.nn.cross_entropy, ft.fast.cross_entropy):
        np.testing.assert_allclose(np.asarray(loss(ft.array(X), ft.array(CLASSES))), expected, rtol=1e-12)
    along_first = ft.nn.cross_entropy(ft.array(X.T.copy()), ft.array(CLASSES), axis=0)
    np.testing.assert_allclose(np.asarray(along_first), expected, rtol=1e-12)
    scores = scipy.special.log_softmax(X, axis=1)
    negative = ft.nn.nll_loss(ft.array(scores), ft.array(CLASSES))
    np.testing.assert_allclose(np.asarray(negative), expected, rtol=1e-12)


def test_cross_entropy_agrees_with_torch():
    torch = pytest.importorskip("torch")
    for targets in (CLASSES, PROBABILITIES):
        x = torch.tensor(X, requires_grad=True)
        expected = torch.nn.functional.cross_entropy(x, torch.tensor(targets), label_smoothing=0.1)
        expected.backward()
        value, gradient = ft.value_and_grad(
            lambda x, targets=targets: ft.nn.cross_entropy(
                x, ft.array(targets), label_smoothing=0.1, reduction="mean"
            )
        )(ft.array(X))
        assert abs(value.item() - expected.item()) < 1e-12
        np.testing.assert_allclose(np.asarray(gradient), x.grad.numpy(), atol=1e-14)


def test_cross_entropy_at_the_edges():
    logits = ft.array(np.array([[1e4, 0.0], [0.0, -np.inf], [0.0, 0.0]], np.float32))
    loss = np.asarray(ft.nn.cross_entropy(logits, ft.array([1, 0, 2])))
    np.testing.assert_array_equal(loss, [1e4, 0, np.nan])
    np.testing.assert_array_equal(np.asarray(ft.fast.cross_entropy(logits, ft.array([1, 0, -1]))), loss)
    certain = ft.array(np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]], np.float32))
    np.testing.assert_allclose(
        np.asarray(ft.nn.cross_entropy(logits, certain)), [1e4, 0, np.log(2)], rtol=1e-6
    )
    # Numbers of classes do not wrap around in the dtype of the targets.
    many = ft.nn.cross_entropy(ft.zeros((1, 300)), ft.array(np.array([44], np.uint8)))
    np.testing.assert_allclose(np.asarray(many), np.log(300), rtol=1e-6)


def test_weights_and_probabilities():
    weights = np.array([1.0, 0.0, 2.0, 0.5])
    loss = ft.nn.cross_entropy(ft.array(X), ft.array(CLASSES), ft.array(weights))
    plain = ft.nn.cross_entropy(ft.array(X), ft.array(CLASSES))
    np.testing.assert_allclose(np.asarray(loss), weights * np.asarray(plain), rtol=1e-12)
    logits = ft.nn.binary_cross_entropy(ft.array(X), ft.array(PROBABILITIES))
    direct = ft.nn.binary_cross_entropy(
        ft.array(scipy.special.expit(X)), ft.array(PROBABILITIES), with_logits=False
    )
    np.testing.assert_allclose(np.asarray(direct), np.asarray(logits), rtol=1e-12)
    # The logarithm of 0 is bounded.
    impossible = ft.nn.binary_cross_entropy(ft.array([0.0]), ft.array([1.0]), with_logits=False)
    assert impossible.item() == 100


def test_log_cosh_does_not_cancel():
    x = np.array([1e-4, -1e-2, 0.5, 3.0, -200.0], np.float32)
    wide = x.astype(np.float64)
    expected = np.where(
        np.abs(wide) < 1, np.log1p(2 * np.sinh(wide / 2) ** 2), np.logaddexp(wide, -wide) - np.log(2)
    )
    np.testing.assert_allclose(np.asarray(ft.nn.log_cosh_loss(x, np.zeros_like(x))), expected, rtol=1e-6)


def test_cosine_similarity_of_zero_vectors():
    gradient = ft.grad(lambda x: ft.sum(ft.nn.cosine_similarity_loss(x, ft.ones((1, 3)))))(ft.zeros((1, 3)))
    assert np.isfinite(np.asarray(gradient)).all()


def test_errors():
    x = ft.zeros((2, 3))
    with pytest.raises(
        ValueError, match=r"mse_loss: predictions \(2, 3\) and targets \(3,\) must have one shape"
    ):
        ft.nn.mse_loss(x, ft.zeros(3))
    with pytest.raises(ValueError, match=r"l1_loss: reduction must be 'none', 'mean' or 'sum', got 'max'"):
        ft.nn.l1_loss(x, x, reduction="max")
    with pytest.raises(ValueError, match=r"cross_entropy: targets must be classes of shape \(2,\)"):
        ft.nn.cross_entropy(x, ft.array([0, 1, 2]))
    with pytest.raises(TypeError, match=r"cross_entropy: targets must have an integer dtype, got float32"):
        ft.nn.cross_entropy(x, ft.zeros(2))
    with pytest.raises(ValueError, match=r"cross_entropy: label_smoothing must be in \[0, 1\), got 1"):
        ft.nn.cross_entropy(x, ft.array([0, 1]), label_smoothing=1.0)
    with pytest.raises(TypeError, match=r"nll_loss: inputs must have a real dtype, got complex64"):
        ft.nn.nll_loss(ft.zeros((2, 3), dtype=ft.complex64), ft.array([0, 1]))
    with pytest.raises(ValueError, match=r"huber_loss: delta must be positive, got 0"):
        ft.nn.huber_loss(x, x, delta=0.0)
    with pytest.raises(ValueError, match=r"smooth_l1_loss: beta must be positive"):
        ft.nn.smooth_l1_loss(x, x, beta=-1.0)
    with pytest.raises(
        ValueError, match=r"cross_entropy: weights \(2, 2\) must broadcast to the losses \(2,\)"
    ):
        ft.nn.cross_entropy(x, ft.array([0, 1]), ft.ones((2, 2)))
