"""Arithmetic at speed: large elementwise groups, reductions, matrix products."""

from __future__ import annotations

import os

import numpy as np

from benchmarks.measure import Workload, run_python, warm
from benchmarks.peers import Peer

SIZE = 4 * 2**20
MATRIX = 1024
OPENBLAS_CORES = ("", "Haswell", "Zen", "SkylakeX", "Cooperlake", "SapphireRapids")
TIME_MATMUL = f"""
import statistics, time
import numpy as np
a = np.random.default_rng(0).standard_normal(({MATRIX}, {MATRIX})).astype(np.float32)
b = a.copy()
def once():
    start = time.perf_counter()
    a @ b
    return time.perf_counter() - start
once()
print(statistics.median(once() for _ in range(20)))
"""


def vector(peer: Peer, shape=(SIZE,)):
    return peer.array(np.random.default_rng(0).standard_normal(shape).astype(np.float32))


def compiled(function, shape=(SIZE,)):
    """Makes the `build` of a workload of a function (xp, x)."""

    def build(peer: Peer):
        x, f = vector(peer, shape), peer.jit(lambda x: function(peer.xp, x))
        return lambda: peer.ready(f(x))

    return warm(build)


def gelu(xp, x):
    return 0.5 * x * (1 + xp.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))


def polynomial(xp, x):
    return 1 + x * (0.5 + x * (0.25 + x * (0.125 + x * (0.0625 + x * 0.03125))))


def softmax(xp, x):
    e = xp.exp(x - xp.max(x, axis=-1, keepdims=True))
    return e / xp.sum(e, axis=-1, keepdims=True)


def layer_norm(xp, x):
    centred = x - xp.mean(x, axis=-1, keepdims=True)
    return centred / xp.sqrt(xp.mean(centred * centred, axis=-1, keepdims=True) + 1e-5)


def total(xp, x):
    return xp.sum(x)


def column_sums(xp, x):
    return xp.sum(x, axis=0)


def add_transpose(xp, x):
    return x + x.T


def matmul(peer: Peer):
    if peer.name == "numpy":
        return best_openblas()
    a, b = vector(peer, (MATRIX, MATRIX)), vector(peer, (MATRIX, MATRIX))
    f = peer.jit(peer.xp.matmul) if peer.name == "jax" else peer.xp.matmul
    return warm(lambda peer: lambda: peer.ready(f(a, b)))(peer)


def best_openblas():
    """A sampler of NumPy's product with the best of OpenBLAS's kernels, which are chosen as it loads."""

    def sample(core: str) -> float:
        chosen = {"OPENBLAS_CORETYPE": core} if core else {}
        return run_python("-c", TIME_MATMUL, environment={**os.environ, **chosen})

    best = min(OPENBLAS_CORES, key=sample)
    return lambda: sample(best)


ALL = ("jax", "mlx", "numpy")
WORKLOADS = [
    Workload("gelu, 4 M float32", compiled(gelu), ALL, target=1),
    Workload("polynomial of degree 5, 4 M float32", compiled(polynomial), ALL, target=1),
    Workload("softmax, 4096 × 1024 float32", compiled(softmax, (4096, 1024)), ALL, target=1),
    Workload("layer norm, 4096 × 1024 float32", compiled(layer_norm, (4096, 1024)), ALL),
    Workload("sum, 4 M float32", compiled(total), ALL),
    Workload("sum over the first axis, 4096 × 1024 float32", compiled(column_sums, (4096, 1024)), ALL),
    Workload("transposed sum x + xᵀ, 2048 × 2048 float32", compiled(add_transpose, (2048, 2048)), ALL),
    Workload("matmul, 1024 × 1024 float32", matmul, ALL, target=0.95),
]
