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


def rosenbrock_hessian(peer: Peer):
    """The Hessian of Rosenbrock's function of 200 variables."""
    x = peer.array(np.linspace(-1, 1, 200, dtype=np.float32))

    def rosenbrock(x):
        return peer.xp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)

    hessian = peer.jit(peer.jacfwd(peer.jacrev(rosenbrock)))
    return lambda: peer.ready(hessian(x))


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
    Workload(
        "jit(hessian(Rosenbrock of 200)), first call",
        first_call(rosenbrock_hessian),
        ("jax",),
        10,
        "jax",
        repeats=5,
    ),
    Workload("jit(hessian(Rosenbrock of 200)), warm", warm(rosenbrock_hessian, 20), ("jax",), 1, "jax"),
    Workload("grad(loop of 10,000 equations), first call", first_call(grad_long_chain), limit=0.5, repeats=3),
]
