"""Gradients of models such as research code has: first call and warm call of value and gradient, beside JAX.

A Transformer, a graph network, a physics-informed network (Hessians of a network at many points), the
Runge-Kutta solution of an ordinary differential equation, a Kalman filter and a Gaussian process.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.measure import Workload, first_call, warm
from benchmarks.peers import Peer

SEQUENCES, LENGTH, WIDTH, HEADS, LAYERS, TOKENS = 8, 64, 128, 4, 2, 500
NODES, EDGES, FEATURES = 2_000, 20_000, 64
POINTS = 1_024
STEPS = 100

#: Parameters and data, as NumPy arrays.
Inputs = tuple[dict[str, Any], list[np.ndarray]]


def weights(random: np.random.Generator, *shape: int) -> np.ndarray:
    return (random.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32)


def transformer_inputs(random: np.random.Generator) -> Inputs:
    parameters = {"embedding": weights(random, TOKENS, WIDTH)}
    for layer in range(LAYERS):
        parameters |= {
            f"attention{layer}": weights(random, WIDTH, 3 * WIDTH),
            f"mixing{layer}": weights(random, WIDTH, WIDTH),
            f"inner{layer}": weights(random, WIDTH, 4 * WIDTH),
            f"outer{layer}": weights(random, 4 * WIDTH, WIDTH),
        }
    return parameters, [random.integers(0, TOKENS, (SEQUENCES, LENGTH)).astype(np.int32)]


def transformer(peer: Peer, parameters: dict[str, Any], tokens: Any) -> Any:
    """The cross entropy of each next token."""
    xp = peer.xp

    def normalized(x):
        centred = x - xp.mean(x, axis=-1, keepdims=True)
        return centred / xp.sqrt(xp.mean(centred**2, axis=-1, keepdims=True) + 1e-5)

    def attention(x, layer):
        mixed = xp.reshape(normalized(x) @ parameters[f"attention{layer}"], (*tokens.shape, 3, HEADS, -1))
        query, key, value = (xp.swapaxes(mixed[:, :, i], 1, 2) for i in range(3))
        scores = query @ xp.swapaxes(key, -1, -2) / np.float32((WIDTH / HEADS) ** 0.5)
        scores = xp.where(xp.tril(xp.ones((LENGTH, LENGTH))) > 0, scores, -1e9)
        share = xp.exp(scores - peer.logsumexp(scores, axis=-1, keepdims=True))
        return xp.reshape(xp.swapaxes(share @ value, 1, 2), x.shape) @ parameters[f"mixing{layer}"]

    x = parameters["embedding"][tokens]
    for layer in range(LAYERS):
        x = x + attention(x, layer)
        x = x + xp.tanh(normalized(x) @ parameters[f"inner{layer}"]) @ parameters[f"outer{layer}"]
    logits = x @ parameters["embedding"].T
    of_next = xp.take_along_axis(logits, xp.roll(tokens, -1, axis=1)[..., None], axis=-1)[..., 0]
    return xp.mean(peer.logsumexp(logits, axis=-1) - of_next)


def graph_inputs(random: np.random.Generator) -> Inputs:
    parameters = {
        "first": weights(random, FEATURES // 2, FEATURES),
        "second": weights(random, FEATURES, FEATURES),
        "last": weights(random, FEATURES, 1),
    }
    ends = [random.integers(0, NODES, EDGES).astype(np.int32) for _ in range(2)]
    return parameters, [*ends, weights(random, NODES, FEATURES // 2)]


def graph_network(peer: Peer, parameters: dict[str, Any], source: Any, target: Any, x: Any) -> Any:
    """Two rounds of messages along the edges."""
    for name in ("first", "second"):
        messages = (x @ parameters[name])[source]
        x = peer.xp.maximum(peer.xp.zeros((NODES, FEATURES)).at[target].add(messages), 0)
    return peer.xp.mean((x @ parameters["last"]) ** 2)


def physics_inputs(random: np.random.Generator) -> Inputs:
    sizes = (2, 32, 32, 1)
    layers = [weights(random, *shape) for shape in pairwise(sizes)]
    return dict(enumerate(layers)), [random.standard_normal((POINTS, 2)).astype(np.float32)]


def physics_network(peer: Peer, parameters: dict[str, Any], points: Any) -> Any:
    """The mean square by which a network misses Poisson's equation."""
    *hidden, last = parameters.values()

    def network(x):
        for weight in hidden:
            x = peer.xp.tanh(x @ weight)
        return (x @ last)[0]

    def residual(x):
        return peer.xp.trace(peer.jacfwd(peer.jacrev(network))(x)) + peer.xp.sin(x[0])

    return peer.xp.mean(peer.vmap(residual)(points) ** 2)


def equation_inputs(random: np.random.Generator) -> Inputs:
    parameters = {"inner": weights(random, 4, 32), "outer": weights(random, 32, 4)}
    return parameters, [weights(random, 64, 4), np.zeros(STEPS, np.float32)]


def differential_equation(peer: Peer, parameters: dict[str, Any], start: Any, steps: Any) -> Any:
    """The end of a trajectory by the classical Runge-Kutta method."""

    def velocity(x):
        return peer.xp.tanh(x @ parameters["inner"]) @ parameters["outer"]

    def step(x, _):
        a = velocity(x)
        b = velocity(x + 0.05 * a)
        c = velocity(x + 0.05 * b)
        d = velocity(x + 0.1 * c)
        return x + (a + 2 * b + 2 * c + d) * (0.1 / 6), x[0, 0]

    return peer.xp.mean(peer.scan(step, start, steps)[0] ** 2)


def filter_inputs(random: np.random.Generator) -> Inputs:
    dynamics = (0.9 * np.eye(4) + 0.05 * random.standard_normal((4, 4))).astype(np.float32)
    return {"dynamics": dynamics}, [random.standard_normal((STEPS, 4)).astype(np.float32)]


def kalman_filter(peer: Peer, parameters: dict[str, Any], observations: Any) -> Any:
    """The negative logarithm of the likelihood."""
    xp, dynamics = peer.xp, parameters["dynamics"]
    identity = xp.eye(4)

    def step(state, observation):
        mean, covariance = dynamics @ state[0], dynamics @ state[1] @ dynamics.T + 0.1 * identity
        total, residual = covariance + 0.5 * identity, observation - mean
        gain = xp.linalg.solve(total, covariance).T
        likelihood = residual @ xp.linalg.solve(total, residual) + xp.linalg.slogdet(total)[1]
        return (mean + gain @ residual, (identity - gain) @ covariance), likelihood

    return xp.sum(peer.scan(step, (xp.zeros(4), identity), observations)[1])


def process_inputs(random: np.random.Generator) -> Inputs:
    parameters = {"scale": np.array(0.1, np.float32), "length": np.array(-0.5, np.float32)}
    return parameters, [random.standard_normal(shape).astype(np.float32) for shape in ((200, 3), (200,))]


def gaussian_process(peer: Peer, parameters: dict[str, Any], x: Any, y: Any) -> Any:
    """The negative logarithm of the marginal likelihood."""
    xp = peer.xp
    distances = xp.sum((x[:, None] - x[None]) ** 2, axis=-1)
    kernel = xp.exp(parameters["scale"] - distances * xp.exp(parameters["length"])) + 0.1 * xp.eye(len(x))
    factor = xp.linalg.cholesky(kernel)
    return 0.5 * y @ xp.linalg.solve(kernel, y) + xp.sum(xp.log(xp.diagonal(factor)))


MODELS: dict[str, tuple[Callable[..., Any], Callable[[np.random.Generator], Inputs]]] = {
    "Transformer": (transformer, transformer_inputs),
    "graph network": (graph_network, graph_inputs),
    "physics-informed network": (physics_network, physics_inputs),
    "differential equation": (differential_equation, equation_inputs),
    "Kalman filter": (kalman_filter, filter_inputs),
    "Gaussian process": (gaussian_process, process_inputs),
}


def gradient(name: str) -> Callable[[Peer], Callable[[], Any]]:
    """Makes the `build` of a model's value and gradient, compiled."""
    loss, inputs = MODELS[name]

    def build(peer: Peer) -> Callable[[], Any]:
        parameters, data = inputs(np.random.default_rng(0))
        parameters = {key: peer.array(value) for key, value in parameters.items()}
        data = [peer.array(value) for value in data]
        f = peer.jit(peer.value_and_grad(lambda parameters, *data: loss(peer, parameters, *data)))
        return lambda: peer.ready(f(parameters, *data))

    return build


WORKLOADS = [
    row
    for name in MODELS
    for row in (
        Workload(
            f"{name}, first call",
            first_call(gradient(name)),
            ("jax",),
            target=10,
            against="jax",
            repeats=3,
        ),
        Workload(f"{name}, warm", warm(gradient(name)), ("jax",), target=1, against="jax"),
    )
]
