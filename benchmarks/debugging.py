"""``python -m benchmarks.debugging``: what `debug_nans` costs in compiled, vectorised code.

Each row: the time of a call, the same inside of `debug_nans`, and the ratio. Both take turns, and the best of
many counts. The check is one reduction over the results, fused into what computes them where that is
possible; of a product that is larger than its operands, over these. A fixed price for each call, which waits
for the program, and for the context is felt by small ones.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial

import numpy as np

import ftrans as ft
from benchmarks.measure import best_in_turns

ROUNDS = 40


def network(parameters, x):
    for weight, bias in parameters:
        x = ft.tanh(x @ weight + bias)
    return ft.sum(x)


def mean_loss(parameters, batch):
    return ft.mean(ft.vmap(network, (None, 0))(parameters, batch))


def density(x):
    return ft.exp(-x * x) * ft.cos(3 * x) / (1 + x * x)


def pendulum(state):
    def step(state, _):
        angle, speed = state
        return (angle + 0.01 * speed, speed - 0.01 * ft.sin(angle)), None

    return ft.scan(step, state, length=200)[0]


def quadratic_form(matrix, x):
    return ft.exp(-0.5 * ft.sum(x * (matrix @ x)))


def workloads():
    """Name → function and arguments."""
    random = np.random.default_rng(0)

    def normal(*shape):
        return ft.array(random.normal(size=shape).astype(np.float32))

    parameters = [(normal(64, 64) / 8, ft.zeros(64)) for _ in range(3)]
    return {
        "gradient of a network's loss, batch 512": (
            ft.jit(ft.grad(mean_loss)),
            (parameters, normal(512, 64)),
        ),
        "gradient for each of 64 examples": (
            ft.jit(ft.vmap(ft.grad(network), (None, 0))),
            (parameters, normal(64, 64)),
        ),
        "elementwise, 1000 rows of 1000": (ft.jit(ft.vmap(density)), (normal(1000, 1000),)),
        "gradient of it": (ft.jit(ft.vmap(ft.grad(lambda x: ft.sum(density(x))))), (normal(1000, 1000),)),
        "200 steps of 1000 pendulums": (ft.jit(ft.vmap(pendulum)), ((normal(1000), normal(1000)),)),
        "Hessians of a quadratic form, 256 points": (
            ft.jit(ft.vmap(ft.hessian(quadratic_form, argnums=1), (None, 0))),
            (normal(16, 16), normal(256, 16)),
        ),
    }


def main() -> None:
    """Prints the table."""
    print(f"{'compiled function':44s} {'µs':>9s} {'checked':>9s} {'ratio':>6s}")
    for name, (function, arguments) in workloads().items():
        work = partial(lambda f, args: ft.eval(f(*args)), function, arguments)
        plain, checked = best_in_turns(work, (nullcontext, ft.debug_nans), ROUNDS)
        print(f"{name:44s} {plain * 1e6:9.0f} {checked * 1e6:9.0f} {checked / plain:6.2f}")


if __name__ == "__main__":
    main()
