"""`ft.nn.functional`, whose functions are in `ft.nn` too. Values beside these: tests/nn."""

import numpy as np
import scipy.special

from tests.harness.call import POSITIVE, UNIT, Call, T, V, W, X, Y, call, each, floats
from tests.harness.calls.fast import LOGITS
from tests.harness.calls.random import KEY

PROBABILITIES = 0.5 + UNIT / 2.5
CLASSES = np.array([3, 1, 1, 0, 2], np.int32)
SIGNS = np.sign(Y)


def _images(spatial: int) -> np.ndarray:
    return floats(2, *[4] * spatial, 2, seed=14)


def _pools(spatial: int) -> list[Call]:
    padded = {"reference": None, "stride": 1, "padding": 1}
    return [call(_images(spatial), 2, reference=None), call(_images(spatial), 3, **padded)]


CALLS: dict[str, list[Call]] = {
    **each(
        "hard_sigmoid hard_swish hard_tanh log_sigmoid mish selu softplus softsign",
        [call(X, reference=None)],
    ),
    "relu": [call(X, reference=lambda x: np.maximum(x, 0))],
    "relu6": [call(4 * X, reference=lambda x: np.clip(x, 0, 6))],
    "silu": [call(X, reference=lambda x: x * scipy.special.expit(x))],
    "celu": [call(X, 0.7, reference=lambda x, a: np.where(x > 0, x, a * np.expm1(x / a)))],
    "elu": [call(X, 0.7, reference=lambda x, a: np.where(x > 0, x, a * np.expm1(x)))],
    "gelu": [call(X, reference=lambda x: x * scipy.special.ndtr(x)), call(X, True, reference=None)],
    "glu": [
        call(T, reference=lambda x: x[..., :2] * scipy.special.expit(x[..., 2:])),
        call(X, 0, reference=None),
    ],
    "leaky_relu": [call(X, 0.1, reference=lambda x, s: np.where(x > 0, x, s * x))],
    "squareplus": [call(X, 3.0, reference=lambda x, b: (x + np.sqrt(x * x + b)) / 2)],
    "softmax": [call(T, reference=lambda x: scipy.special.softmax(x, -1)), call(T, 1, reference=None)],
    "log_softmax": [
        call(T, reference=lambda x: scipy.special.log_softmax(x, -1)),
        call(T, 1, reference=None),
    ],
    "binary_cross_entropy": [
        call(X, PROBABILITIES, reference=None),
        call(PROBABILITIES, PROBABILITIES[::-1].copy(), POSITIVE, with_logits=False, reference=None),
    ],
    "cosine_similarity_loss": [
        call(X, Y, reference=None),
        call(T, T + 1, axis=2, reduction="sum", reference=None),
    ],
    "cross_entropy": [
        call(LOGITS, CLASSES, reference=None),
        call(LOGITS, CLASSES, V, label_smoothing=0.1, reduction="mean", reference=None),
    ],
    "gaussian_nll_loss": [call(X, Y, POSITIVE, reference=None), call(X, Y, POSITIVE, True, reference=None)],
    "hinge_loss": [call(X, SIGNS, reference=None, differentiable=False)],
    **each("huber_loss smooth_l1_loss", [call(X, Y, 0.7, reduction="mean", reference=None)]),
    "kl_div_loss": [call(X, np.log(PROBABILITIES), reduction="sum", reference=None)],
    "l1_loss": [call(X, Y, reference=lambda x, y: np.mean(np.abs(x - y)))],
    "mse_loss": [
        call(X, Y, reference=lambda x, y: np.mean((x - y) ** 2)),
        call(X, Y, "none", reference=None),
    ],
    "log_cosh_loss": [call(X, Y, reference=lambda x, y: np.log(np.cosh(x - y)))],
    "margin_ranking_loss": [call(X, Y, SIGNS, 0.3, reference=None, differentiable=False)],
    "nll_loss": [call(LOGITS, CLASSES, reference=None)],
    "triplet_loss": [call(X, Y, X[::-1].copy(), reference=None)],
    "dropout": [call(X, 0.3, key=KEY, reference=None)],
    "layer_norm": [call(X, reference=None), call(X, V[:3], W[:3], reference=None)],
    "rms_norm": [call(X, reference=None), call(X, V[:3], reference=None)],
    **{f"{kind}_pool{n}d": _pools(n) for kind in ("avg", "max") for n in (1, 2, 3)},
}
