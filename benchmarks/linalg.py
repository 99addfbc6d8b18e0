"""Linear algebra: many small matrices, and one large one."""

from __future__ import annotations

import numpy as np

from benchmarks.measure import Workload, warm
from benchmarks.peers import Peer

SHAPES = {"1,000 of 16 × 16": (1000, 16, 16), "one of 512 × 512": (512, 512)}


def matrices(shape: tuple[int, ...]) -> np.ndarray:
    """Symmetric positive definite matrices."""
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    return x @ np.swapaxes(x, -1, -2) / shape[-1] + np.eye(shape[-1], dtype=np.float32)


def cholesky(xp, x):
    return xp.linalg.cholesky(x)


def solve(xp, x):
    return xp.linalg.solve(x, x[..., :1])


def eigh(xp, x):
    return xp.linalg.eigh(x)


def svd(xp, x):
    return xp.linalg.svd(x)


def compiled(function, shape):
    """Makes the `build` of a workload of a function (xp, x)."""

    def build(peer: Peer):
        x, f = peer.array(matrices(shape)), peer.jit(lambda x: function(peer.xp, x))
        return lambda: peer.ready(f(x))

    return warm(build)


ALL = ("jax", "mlx", "numpy")
WORKLOADS = [
    Workload(f"{function.__name__}, {name} float32", compiled(function, shape), ALL, target=1, against="jax")
    for function in (cholesky, solve, eigh, svd)
    for name, shape in SHAPES.items()
]
