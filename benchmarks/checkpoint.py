"""``python -m benchmarks.checkpoint``: the memory of a 64-layer network's gradient under each policy.

Predicted is what the policy saves: the residuals that `saved_residuals` lists, but for the arguments, which
are there anyway. Measured is the peak beyond arguments and gradients, compiled and eager: it has also the
working set of the one layer that is being recomputed, and lacks what the compiler finds cheaper than keeping.
"""

from __future__ import annotations

import numpy as np

import ftrans as ft
from ftrans import checkpoint_policies as policies

LAYERS, WIDTH, BATCH = 64, 64, 2048
MEGABYTE = 1e6

POLICIES = {
    "no checkpoint": None,
    "everything_saveable": policies.everything_saveable,
    "save_anything_except_these_names": policies.save_anything_except_these_names("hidden"),
    "dots_saveable": policies.dots_saveable,
    "save_only_these_names": policies.save_only_these_names("hidden"),
    "nothing_saveable": policies.nothing_saveable,
}


def layer(weight, x):
    hidden = ft.checkpoint_name(ft.sin(x @ weight), "hidden")
    return hidden * ft.exp(-hidden)


def network(policy):
    block = layer if policy is None else ft.checkpoint(layer, policy=policy)

    def loss(weights, x):
        for weight in weights:
            x = block(weight, x)
        return ft.sum(x)

    return loss


def predicted(policy, weights, x) -> int:
    """Bytes that the backward pass keeps, beyond the arguments."""
    saved = ft.saved_residuals(network(policy), weights, x)
    return sum(
        residual.aval.size * residual.aval.dtype.itemsize
        for residual in saved
        if not residual.source.startswith("argument")
    )


def measured(policy, weights, x, compiled: bool) -> int:
    """Bytes at the peak of the gradient, beyond the arguments and the gradient itself."""
    gradient = ft.grad(network(policy))
    gradient = ft.jit(gradient) if compiled else gradient
    before = ft.get_active_memory()
    ft.reset_peak_memory()
    result = gradient(weights, x)
    ft.eval(result)
    return ft.get_peak_memory() - before - sum(g.size * g.dtype.itemsize for g in result)


def main() -> None:
    """Print the table."""
    rng = np.random.default_rng(0)
    weights = [
        ft.array(rng.standard_normal((WIDTH, WIDTH)).astype(np.float32) / WIDTH**0.5) for _ in range(LAYERS)
    ]
    x = ft.array(rng.standard_normal((BATCH, WIDTH)).astype(np.float32))
    ft.eval(weights, x)
    activation = x.size * 4 / MEGABYTE
    print(f"{LAYERS} layers of width {WIDTH}, {BATCH} examples: an activation is {activation:.2f} MB")
    print(f"{'policy':34} {'predicted MB':>12} {'jit MB':>9} {'eager MB':>9}")
    for name, policy in POLICIES.items():
        kept, jitted, eager = (
            size / MEGABYTE
            for size in (
                predicted(policy, weights, x),
                measured(policy, weights, x, compiled=True),
                measured(policy, weights, x, compiled=False),
            )
        )
        print(f"{name:34} {kept:12.1f} {jitted:9.1f} {eager:9.1f}")


if __name__ == "__main__":
    main()
