"""What an operation costs before any arithmetic: building, evaluating, calling a compiled function."""

from __future__ import annotations

import numpy as np

from benchmarks.measure import Workload, warm
from benchmarks.peers import Peer


def operands(peer: Peer, size: int = 4):
    values = np.arange(size, dtype=np.float32)
    return peer.array(values), peer.array(values + 1)


def build_add(peer: Peer):
    a, b = operands(peer)
    return lambda: a + b


def evaluate_add(peer: Peer):
    a, b = operands(peer)
    return lambda: peer.ready(a + b)


def evaluate_sin(peer: Peer):
    a, _ = operands(peer)
    return lambda: peer.ready(peer.xp.sin(a))


def evaluate_sequence(peer: Peer):
    a, b = operands(peer, 1000)
    return lambda: peer.ready(peer.xp.sum(peer.xp.exp(a * -0.5) * b + 1.0))


def jit_add(peer: Peer):
    a, b = operands(peer)
    add = peer.jit(lambda a, b: a + b)
    return lambda: peer.ready(add(a, b))


def jit_many_arguments(peer: Peer):
    arrays = [operands(peer)[0] for _ in range(50)]
    total = peer.jit(lambda arrays: arrays[0] + arrays[-1])
    return lambda: peer.ready(total(arrays))


def to_numpy(peer: Peer):
    a, b = operands(peer)
    return lambda: np.asarray(a + b)


WORKLOADS = [
    Workload("build a + b, not evaluated", warm(build_add, 2000), ("mlx",), target=1, against="mlx"),
    Workload("a + b, 4 elements", warm(evaluate_add, 2000), ("jax", "mlx"), target=2, against="jax"),
    Workload("sin(a), 4 elements", warm(evaluate_sin, 2000), ("jax", "mlx")),
    Workload("sum(exp(-a / 2) · b + 1), 1000 elements", warm(evaluate_sequence, 500), ("jax", "mlx")),
    Workload("jit(a + b), 4 elements, warm", warm(jit_add, 2000), ("jax", "mlx"), target=2, against="jax"),
    Workload("jit of a list of 50 arrays, warm", warm(jit_many_arguments, 500), ("jax", "mlx")),
    Workload("np.asarray(a + b), 4 elements", warm(to_numpy, 2000), ("jax", "mlx")),
]
