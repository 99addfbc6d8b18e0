"""`ft.fast`."""

import numpy as np
import scipy.special

from tests.harness.call import BOOLS, COUNTS, Call, V, W, X, call, floats

QUERIES, KEYS, VALUES = (floats(1, 2, n, 4, seed=seed) for n, seed in ((3, 10), (5, 11), (5, 12)))
LOGITS = floats(5, 4, seed=13)


def _layer_norm(x, weight, bias, eps):
    centred = x - x.mean(-1, keepdims=True)
    out = centred / np.sqrt(x.var(-1, keepdims=True) + eps)
    return out if weight is None else out * weight + bias


def _rms_norm(x, weight, eps):
    out = x / np.sqrt(np.mean(x * x, -1, keepdims=True) + eps)
    return out if weight is None else out * weight


def _attention(q, k, v, scale):
    return scipy.special.softmax(q @ np.swapaxes(k, -1, -2) * scale, -1) @ v


def _cross_entropy(logits, targets):
    return -np.take_along_axis(scipy.special.log_softmax(logits, -1), targets[:, None], -1)[:, 0]


CALLS: dict[str, list[Call]] = {
    "cross_entropy": [call(LOGITS, COUNTS, reference=_cross_entropy)],
    "layer_norm": [
        call(X, V[:3], W[:3], 1e-3, reference=_layer_norm),
        call(X, None, None, 1e-3, reference=_layer_norm),
    ],
    "rms_norm": [call(X, V[:3], 1e-3, reference=_rms_norm), call(X, None, 1e-3, reference=_rms_norm)],
    "rope": [
        call(QUERIES, 4, traditional=True, base=100.0, scale=1.0, offset=2, reference=None),
        call(QUERIES, 2, traditional=False, base=None, scale=0.5, offset=0, freqs=V[:1], reference=None),
    ],
    "scaled_dot_product_attention": [
        call(QUERIES, KEYS, VALUES, scale=0.5, reference=_attention),
        call(QUERIES[:, :, :2], KEYS[:, :, :3], VALUES[:, :, :3], scale=0.5, mask=BOOLS, reference=None),
        call(QUERIES, QUERIES, VALUES[:, :, :3], scale=0.5, mask="causal", reference=None),
    ],
}
