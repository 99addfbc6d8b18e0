"""Array operations that are not arithmetic: sorting, scans, random numbers."""

from __future__ import annotations

import numpy as np

from benchmarks.kernels import compiled, vector
from benchmarks.measure import Workload, warm
from benchmarks.peers import Peer

MILLION = 2**20


def sort(peer: Peer):
    x = vector(peer, (MILLION,))
    f = peer.jit(lambda x: peer.xp.sort(x))
    return lambda: peer.ready(f(x))


def normal(peer: Peer):
    if peer.name == "jax":
        import jax

        draw = jax.jit(lambda key: jax.random.normal(key, (4 * MILLION,)))
        key = jax.random.key(0, impl="threefry2x32")
    elif peer.name == "numpy":
        generator = np.random.default_rng(0)
        return lambda: generator.standard_normal(4 * MILLION, np.float32)
    else:
        key = peer.xp.random.key(0)
        draw = peer.jit(lambda key: peer.xp.random.normal((4 * MILLION,), key=key))
    return lambda: peer.ready(draw(key))


ALL = ("jax", "mlx", "numpy")
WORKLOADS = [
    Workload("sort, 1 M float32", warm(sort), ALL, against="numpy", target=0.67),
    Workload(
        "cumsum, 4 M float32", compiled(lambda xp, x: xp.cumsum(x, axis=0)), ALL, against="mlx", target=1
    ),
    Workload("random.normal, 4 M float32", warm(normal), ALL, against="jax", target=2),
]
