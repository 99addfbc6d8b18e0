"""The same five transformations, spelled for ftrans, for JAX and for plain NumPy.

A library here offers `xp`, a namespace of array functions, `array`, which makes a float64 array, and the
primitive transformations `grad`, `jvp`, `vjp`, `vmap` and `jit` in JAX's signatures, each of a function of
one array. JAX is the oracle where it is installed; elsewhere NumPy is, which differentiates by finite
differences and maps by a loop.
"""

import contextlib
import importlib.util
from types import SimpleNamespace

import numpy as np

import ftrans as ft

# The fourth-order central difference: truncation h⁴·f⁽⁵⁾/30 and rounding ε/h are both near 1e-13 here, so
# that even a difference of differences of differences keeps about five digits.
STEP = 1e-3
STENCIL = ((-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12))


def numeric_jvp(f, primals, tangents):
    """`jax.jvp` for a NumPy function of one array, by finite differences."""
    (x,), (t,) = primals, tangents
    return f(x), sum(weight / STEP * f(x + offset * STEP * t) for offset, weight in STENCIL)


def numeric_vjp(f, x):
    """`jax.vjp` for a NumPy function of one array, by finite differences."""

    def pullback(cotangent):
        basis = np.eye(x.size).reshape((x.size, *x.shape))
        products = [np.sum(cotangent * numeric_jvp(f, (x,), (direction,))[1]) for direction in basis]
        return (np.asarray(products).reshape(x.shape),)

    return f(x), pullback


def numeric_grad(f):
    """`jax.grad` for a NumPy function of one array, by finite differences."""
    return lambda x: numeric_vjp(f, x)[1](1.0)[0]


def numeric_vmap(f):
    """`jax.vmap` over axis 0 for a NumPy function of one array, by a loop."""
    return lambda xs: np.stack([np.asarray(f(x)) for x in xs])


ftrans = SimpleNamespace(
    xp=ft, array=lambda x: ft.array(x, dtype=ft.float64),
    grad=ft.grad, jvp=ft.jvp, vjp=ft.vjp, vmap=ft.vmap, jit=ft.jit,
)  # fmt: skip

numeric = SimpleNamespace(
    xp=np, array=lambda x: np.asarray(x, np.float64), evaluate=lambda f, x: f(x),
    grad=numeric_grad, jvp=numeric_jvp, vjp=numeric_vjp, vmap=numeric_vmap, jit=lambda f: f,
)  # fmt: skip

if importlib.util.find_spec("jax") is not None:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_disable_most_optimizations", True)  # each program runs once
    # `jit` changes no value, so the oracle's is the identity; `evaluate` compiles all that is asked for at
    # once.
    oracle = SimpleNamespace(
        xp=jnp, array=lambda x: jnp.asarray(x, jnp.float64), evaluate=lambda f, x: jax.jit(f)(x),
        grad=jax.grad, jvp=jax.jvp, vjp=jax.vjp, vmap=jax.vmap, jit=lambda f: f,
    )  # fmt: skip
    relative_tolerance = 1e-11  # a few hundred roundings of float64, in another order
else:
    oracle = numeric
    relative_tolerance = 1e-4  # three nested finite differences, see STEP


@contextlib.contextmanager
def double_precision():
    """Turns JAX's float64 on where JAX is the oracle, and back."""
    if oracle is numeric:
        yield
        return
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)
