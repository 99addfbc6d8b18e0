"""``python -m benchmarks.nan_safe``: what it costs that zeros annihilate infinities and NaN in derivatives.

Each row: the time of a compiled gradient under `nan_safe_derivatives(False)`, where products are IEEE's, the
same as it is by default, with a comparison and a selection in each product, and the ratio. Both take turns,
and the best of many counts.
"""

from __future__ import annotations

from functools import partial

import numpy as np

import ftrans as ft
from benchmarks.measure import best_in_turns

ROUNDS = 60


def workloads():
    """Name → function and arguments."""
    random = np.random.default_rng(0)

    def uniform(*shape):
        return ft.array(random.uniform(0.1, 2.0, shape).astype(np.float32))

    def network(weights, x):
        for weight in weights:
            x = ft.tanh(x @ weight)
        return ft.sum(x)

    return {
        "sqrt, 1 M": (lambda x: ft.sum(ft.sqrt(x)), (uniform(1_000_000),)),
        "√x·log x + 1/x, 1 M": (
            lambda x: ft.sum(ft.sqrt(x) * ft.log(x) + 1 / x),
            (uniform(1_000_000),),
        ),
        "gelu, 1 M": (lambda x: ft.sum(ft.nn.functional.gelu(x)), (uniform(1_000_000),)),
        "softmax, 1000 rows of 1000": (
            lambda x: ft.sum(ft.softmax(x, axis=-1) ** 2),
            (uniform(1000, 1000),),
        ),
        "norms of 1000 rows of 1000": (lambda x: ft.sum(ft.linalg.norm(x, axis=1)), (uniform(1000, 1000),)),
        "three layers of 256, batch 256": (network, ([uniform(256, 256)] * 3, uniform(256, 256))),
    }


def main() -> None:
    """Prints the table."""
    contexts = [partial(ft.nan_safe_derivatives, is_safe) for is_safe in (False, True)]
    print(f"{'compiled gradient':32s} {'IEEE, µs':>9s} {'safe, µs':>9s} {'ratio':>6s}")
    for name, (function, arguments) in workloads().items():
        work = partial(lambda f, args: ft.eval(f(*args)), ft.jit(ft.grad(function)), arguments)
        ieee, safe = best_in_turns(work, contexts, ROUNDS)
        print(f"{name:32s} {ieee * 1e6:9.0f} {safe * 1e6:9.0f} {safe / ieee:6.2f}")


if __name__ == "__main__":
    main()
