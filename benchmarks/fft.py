"""Fourier transforms of one large array and of a picture, call by call and compiled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.measure import Workload, warm
from benchmarks.peers import Peer

LENGTH = 2**20
PICTURE = (512, 512)


def complex_array(peer: Peer, shape):
    random = np.random.default_rng(0)
    return peer.array(
        (random.standard_normal(shape) + 1j * random.standard_normal(shape)).astype(np.complex64)
    )


def transform(name: str, shape, jit: bool) -> Callable:
    """Makes the `build` of a workload of one function of the library's `fft`."""

    def build(peer: Peer):
        x, f = complex_array(peer, shape), getattr(peer.xp.fft, name)
        f = peer.jit(f) if jit else f
        return lambda: peer.ready(f(x))

    return warm(build)


ALL = ("jax", "mlx", "numpy")
WORKLOADS = [
    Workload("fft, 1 M complex64", transform("fft", LENGTH, False), ALL, target=1, against="jax"),
    Workload("jit(fft), 1 M complex64", transform("fft", LENGTH, True), ALL, target=1, against="jax"),
    Workload("fft2, 512 × 512 complex64", transform("fft2", PICTURE, False), ALL, target=1, against="jax"),
    Workload(
        "jit(fft2), 512 × 512 complex64", transform("fft2", PICTURE, True), ALL, target=1, against="jax"
    ),
]
