"""A convolution of a residual network, 32 × 56 × 56 × 64 by 3 × 3; its gradients; that of a look-up."""

from __future__ import annotations

import importlib

import numpy as np

from benchmarks.measure import Workload, warm
from benchmarks.peers import Peer

IMAGES = (32, 56, 56, 64)
WEIGHTS = (64, 3, 3, 64)
TABLE, LOOKUPS = (50_000, 128), 8_192


def convolution(peer: Peer):
    """The convolution, channels last, stride 1, padding 1, and the shape of the weights that it wants."""
    if peer.name != "jax":
        return lambda x, w: peer.xp.conv2d(x, w, padding=1), WEIGHTS
    lax = importlib.import_module("jax.lax")
    layouts = ("NHWC", "HWIO", "NHWC")
    outputs, *window, channels = WEIGHTS
    return (
        lambda x, w: lax.conv_general_dilated(x, w, (1, 1), ((1, 1), (1, 1)), dimension_numbers=layouts),
        (*window, channels, outputs),
    )


def operands(peer: Peer, weights):
    random = np.random.default_rng(0)
    return [peer.array(random.standard_normal(shape).astype(np.float32)) for shape in (IMAGES, weights)]


def forward(peer: Peer):
    function, weights = convolution(peer)
    x, w = operands(peer, weights)
    f = peer.jit(function)
    return lambda: peer.ready(f(x, w))


def gradient(argument: int):
    """Makes the `build` of a gradient alone: of a weighted sum, for which the value is not needed."""

    def build(peer: Peer):
        function, weights = convolution(peer)
        x, w = operands(peer, weights)
        ct = peer.array(np.random.default_rng(1).standard_normal(IMAGES).astype(np.float32))
        f = peer.jit(peer.grad(lambda x, w, ct: peer.xp.sum(function(x, w) * ct), argument))
        return lambda: peer.ready(f(x, w, ct))

    return build


def embedding_gradient(peer: Peer):
    random = np.random.default_rng(0)
    table = peer.array(random.standard_normal(TABLE).astype(np.float32))
    indices = peer.array(random.integers(0, TABLE[0], LOOKUPS).astype(np.int32))
    f = peer.jit(peer.grad(lambda table, indices: peer.xp.sum(peer.xp.take(table, indices, axis=0))))
    return lambda: peer.ready(f(table, indices))


WORKLOADS = [
    Workload("convolution, 32 × 56 × 56 × 64 by 3 × 3", warm(forward), target=1, against="jax", repeats=3),
    Workload("its gradient by the images", warm(gradient(0)), target=1, against="jax", repeats=3),
    Workload("its gradient by the weights", warm(gradient(1)), target=1, against="jax", repeats=3),
    Workload("gradient of 8,192 rows of 50,000 × 128", warm(embedding_gradient), target=1, against="jax"),
]
