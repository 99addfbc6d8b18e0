"""Loops that stay loops: an LSTM, a million steps of a recurrence, and the memory of a pull-back."""

from __future__ import annotations

import numpy as np

from benchmarks.measure import Workload, first_call, run_python, warm
from benchmarks.peers import Peer

STEPS, BATCH, UNITS = 200, 16, 64
A_MILLION = 1_000_000


def lstm_gradient(peer: Peer):
    """The gradient of a scalar of an LSTM's outputs by its weights."""
    xp, random = peer.xp, np.random.default_rng(0)
    weight = peer.array(random.standard_normal((2 * UNITS, 4 * UNITS)).astype(np.float32) * 0.1)
    bias, zero = (peer.array(np.zeros(shape, np.float32)) for shape in (4 * UNITS, (BATCH, UNITS)))
    xs = peer.array(random.standard_normal((STEPS, BATCH, UNITS)).astype(np.float32))

    def sigmoid(x):
        return 1 / (1 + xp.exp(-x))

    def loss(weight, bias):
        def step(state, x):
            hidden, memory = state
            gates = xp.matmul(xp.concatenate([x, hidden], axis=1), weight) + bias
            i, f, g, o = (gates[:, k * UNITS : (k + 1) * UNITS] for k in range(4))
            memory = sigmoid(f) * memory + sigmoid(i) * xp.tanh(g)
            hidden = sigmoid(o) * xp.tanh(memory)
            return (hidden, memory), hidden

        _, outputs = peer.scan(step, (zero, zero), xs)
        return xp.sum(outputs * outputs)

    gradient = peer.jit(peer.grad(loss, argnums=(0, 1)))
    return lambda: peer.ready(gradient(weight, bias))


def fori_recurrence(peer: Peer):
    x = peer.array(np.array(1.0, np.float32))
    loop = peer.jit(lambda x: peer.fori_loop(0, A_MILLION, lambda i, x: x * 0.999 + 0.1, x))
    return lambda: peer.ready(loop(x))


def while_recurrence(peer: Peer):
    x, n = peer.array(np.array(1.0, np.float32)), peer.array(np.array(A_MILLION, np.int32))
    loop = peer.jit(
        lambda x, n: peer.while_loop(lambda s: s[0] < n, lambda s: (s[0] + 1, s[1] * 0.999 + 0.1), (0, x))
    )
    return lambda: peer.ready(loop(x, n))


_PEAK = """
import numpy as np, ftrans as ft
weight, xs = ft.array(np.eye(200, dtype=np.float32)), ft.ones((1000, 200))
loss = lambda w, xs: ft.sum(ft.scan(lambda h, x: (ft.tanh(ft.matmul(w * w, h) + x), None), xs[0], xs)[0])
ft.eval(weight, xs)
ft.reset_peak_memory()
before = ft.get_active_memory()
ft.eval(ft.grad(loss)(weight, xs))
print((ft.get_peak_memory() - before) / 1e6)
"""


def reverse_scan_memory(peer: Peer):
    """Peak megabytes of a gradient over 1000 steps of 200 units: arrays of 0.8 MB, and no weight a step."""
    return lambda: run_python("-c", _PEAK)


WORKLOADS = [
    Workload("jit(grad(LSTM scan)), first call", first_call(lstm_gradient), ("jax",), 10, "jax", repeats=5),
    Workload("jit(grad(LSTM scan)), warm", warm(lstm_gradient), ("jax",), 1.5, "jax"),
    Workload("fori_loop, 1 M steps of a scalar", warm(fori_recurrence), ("jax",), 1, "jax"),
    Workload("while_loop, 1 M steps of a scalar", warm(while_recurrence), ("jax",), 1, "jax"),
    Workload("grad(scan), peak memory", reverse_scan_memory, (), limit=8, unit="MB", repeats=1),
]
