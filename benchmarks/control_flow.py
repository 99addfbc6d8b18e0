"""Loops that stay loops, branches and loops of a batch, reductions by any function, memory of pull-backs."""

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


LANES, WIDTH = 1024, 32


def _layer(peer: Peer):
    """A step that is dear: a matrix product for each lane."""
    matrix = np.random.default_rng(0).standard_normal((WIDTH, WIDTH)).astype(np.float32) * 0.1
    matrix = peer.array(matrix)
    return lambda v: peer.xp.tanh(peer.xp.matmul(matrix, v) + v)


def _lanes(peer: Peer):
    return peer.array(np.random.default_rng(1).standard_normal((LANES, WIDTH)).astype(np.float32))


def rare_branch(differentiated: bool):
    """A branch of 20 layers that one lane in a hundred takes."""

    def build(peer: Peer):
        layer, x = _layer(peer), _lanes(peer)
        taken = peer.array(np.random.default_rng(2).random(LANES) < 0.01)

        def dear(v):
            return peer.fori_loop(0, 20, lambda i, v: layer(v), v)

        def lane(v, taken):
            return peer.cond(taken, dear, lambda v: v * 2, v)

        f = lane
        if differentiated:
            f = peer.grad(lambda v, taken: peer.xp.sum(lane(v, taken) ** 2))
        batched = peer.jit(peer.vmap(f))
        return lambda: peer.ready(batched(x, taken))

    return build


def different_trips(peer: Peer):
    """Loops of 5 turns, of which one in a hundred has 500."""
    layer, x = _layer(peer), _lanes(peer)
    trips = np.where(np.random.default_rng(2).random(LANES) < 0.01, 500, 5).astype(np.int32)
    trips = peer.array(trips)

    def lane(v, trips):
        return peer.while_loop(lambda s: s[0] < trips, lambda s: (s[0] + 1, layer(s[1])), (0, v))[1]

    batched = peer.jit(peer.vmap(lane))
    return lambda: peer.ready(batched(x, trips))


def user_reduction(peer: Peer):
    """Velocities added as relativity does, along each row of a square."""
    x = peer.array(np.random.default_rng(0).uniform(-0.1, 0.1, (1000, 1000)).astype(np.float32))
    zero = np.float32(0)
    reduction = peer.jit(lambda x: peer.reduce(x, zero, lambda a, b: (a + b) / (1 + a * b), (1,)))
    return lambda: peer.ready(reduction(x))


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


_LOSS = """
loss = lambda w, xs: xp.sum(scan(lambda h, x: (xp.tanh(xp.matmul(w, h) + x), None), xs[0], xs)[0])
"""
_REVERSE_PEAK = {
    "ftrans": """
import numpy as np, ftrans as xp
from ftrans import scan
w, xs = xp.array(np.eye(50, dtype=np.float32)), xp.array(np.ones((10_000, 50), np.float32))
LOSS
gradient = xp.jit(xp.grad(loss))
xp.eval(w, xs)
xp.reset_peak_memory()
before = xp.get_active_memory()
xp.eval(gradient(w, xs))
print((xp.get_peak_memory() - before) / 1e6)
""",
    "jax": """
import numpy as np, jax, jax.numpy as xp
from jax.lax import scan
w, xs = xp.asarray(np.eye(50, dtype=np.float32)), xp.asarray(np.ones((10_000, 50), np.float32))
LOSS
memory = jax.jit(jax.grad(loss)).lower(w, xs).compile().memory_analysis()
print((memory.temp_size_in_bytes + memory.output_size_in_bytes) / 1e6)
""",
}


def long_reverse_scan_memory(peer: Peer):
    """Peak megabytes of a gradient over 10,000 steps of 50 units; of JAX, what its compiler says."""
    code = _REVERSE_PEAK[peer.name].replace("LOSS", _LOSS.strip())
    return lambda: run_python("-c", code)


_CHECKPOINTED_PEAK = """
import numpy as np, ftrans as ft
matrix = ft.array(np.eye(64, dtype=np.float32))
def body(s):
    return s[0] + 1, ft.tanh(ft.matmul(matrix, s[1]) + s[1])
def loss(x, n):
    return ft.sum(ft.while_loop(lambda s: s[0] < n, ft.checkpoint(body), (0, x))[1])
x, n = ft.array(np.ones((64, 64), np.float32)), ft.array(4000)
gradient = ft.jit(ft.grad(loss))
ft.eval(x, n)
ft.reset_peak_memory()
before = ft.get_active_memory()
ft.eval(gradient(x, n))
print((ft.get_peak_memory() - before) / 1e6)
"""


def checkpointed_while_memory(peer: Peer):
    """Peak megabytes of the gradient of a checkpointed loop of 4,000 turns, of 16 kB each."""
    return lambda: run_python("-c", _CHECKPOINTED_PEAK)


WORKLOADS = [
    Workload("jit(grad(LSTM scan)), first call", first_call(lstm_gradient), ("jax",), 10, "jax", repeats=5),
    Workload("jit(grad(LSTM scan)), warm", warm(lstm_gradient), ("jax",), 1.5, "jax"),
    Workload("fori_loop, 1 M steps of a scalar", warm(fori_recurrence), ("jax",), 1, "jax"),
    Workload("while_loop, 1 M steps of a scalar", warm(while_recurrence), ("jax",), 1, "jax"),
    Workload("vmap(cond), a dear rare branch", warm(rare_branch(False)), ("jax",), 2, "jax"),
    Workload("vmap(grad(cond)), the same", warm(rare_branch(True)), ("jax",), 2, "jax"),
    Workload("vmap(while_loop), one lane in 100 is long", warm(different_trips), ("jax",), 2, "jax"),
    Workload("reduce by a function of the user", warm(user_reduction), ("jax",), 1, "jax"),
    Workload("grad(scan), peak memory", reverse_scan_memory, (), limit=8, unit="MB", repeats=1),
    Workload(
        "grad(scan of 10,000 steps), peak memory",
        long_reverse_scan_memory,
        ("jax",),
        1,
        "jax",
        unit="MB",
        repeats=1,
    ),
    Workload(
        "grad(checkpointed while_loop), peak memory",
        checkpointed_while_memory,
        (),
        limit=1,
        unit="MB",
        repeats=1,
    ),
]
