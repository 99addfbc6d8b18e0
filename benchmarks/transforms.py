"""What a transformation costs: the first call, and the call without `jit`."""

from __future__ import annotations

import numpy as np

from benchmarks.measure import Workload, first_call, warm
from benchmarks.peers import Peer

OPERATIONS_A_LINK = 3


def chain(peer: Peer, operations: int):
    """A fresh function of one scalar with a Python loop of so many operations."""

    def f(x):
        for _ in range(operations // OPERATIONS_A_LINK):
            x = peer.xp.sin(x) * 0.9 + 0.1
        return x

    return f


def scalar(peer: Peer):
    return peer.array(np.array(0.5, np.float32))


def jit_grad_chain(peer: Peer):
    x, gradient = scalar(peer), peer.jit(peer.grad(chain(peer, 300)))
    return lambda: peer.ready(gradient(x))


def grad_chain(peer: Peer):
    x, gradient = scalar(peer), peer.grad(chain(peer, 300))
    return lambda: peer.ready(gradient(x))


def grad_long_chain(peer: Peer):
    x, gradient = scalar(peer), peer.grad(chain(peer, 10_000))
    return lambda: peer.ready(gradient(x))


def vmap_grad(peer: Peer):
    y = peer.array(np.linspace(0, 3, 100, dtype=np.float32))
    derivative = peer.vmap(peer.grad(lambda y: peer.xp.sin(y) * y))
    return lambda: peer.ready(derivative(y))


def grad_vmap(peer: Peer):
    y = peer.array(np.linspace(0, 3, 100, dtype=np.float32))
    derivative = peer.grad(lambda y: peer.xp.sum(peer.vmap(lambda y: peer.xp.sin(y) * y)(y)))
    return lambda: peer.ready(derivative(y))


def second_derivative(peer: Peer):
    x, derivative = scalar(peer), peer.grad(peer.grad(chain(peer, 60)))
    return lambda: peer.ready(derivative(x))


def jit_jacobian(peer: Peer):
    x = peer.array(np.linspace(0, 1, 20, dtype=np.float32))
    jacobian = peer.jit(peer.jacrev(lambda x: peer.xp.tanh(x) * peer.xp.sum(x * x)))
    return lambda: peer.ready(jacobian(x))


WORKLOADS = [
    Workload(
        "jit(grad(chain of 300)), first call", first_call(jit_grad_chain), target=10, against="jax", repeats=5
    ),
    Workload("jit(grad(chain of 300)), warm", warm(jit_grad_chain, 20)),
    Workload("grad(chain of 300) without jit", warm(grad_chain), target=5, against="jax"),
    Workload("vmap(grad(sin(y)·y)) without jit", warm(vmap_grad, 20), target=5, against="jax"),
    Workload("grad(sum(vmap(sin(y)·y))) without jit", warm(grad_vmap, 20)),
    Workload("grad(grad(chain of 60)) without jit", warm(second_derivative)),
    Workload("jit(jacrev), 20 inputs and outputs, first call", first_call(jit_jacobian), ("jax",), repeats=5),
    Workload("grad(loop of 10,000 equations), first call", first_call(grad_long_chain), limit=0.5, repeats=3),
]
