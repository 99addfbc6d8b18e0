"""The libraries that are measured, each behind the same few names.

A workload takes a `Peer` and is otherwise written once: `peer.xp` has the array functions (NumPy's names),
the other attributes are the function transformations. A library that is not installed is simply absent.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Peer:
    """One library: its array namespace, its transformations and how to wait for a result.

    Attributes:
        name: what the tables call it.
        version: its version.
        xp: the namespace of array functions.
        array: makes an array of an `ndarray`, keeping the dtype.
        ready: returns when every array of a pytree has been computed.
        logsumexp: `log(sum(exp(x)))` along an axis.
        jit, grad, value_and_grad, vmap, jacfwd, jacrev, jvp: the transformations, or None.
        scan: `scan(step, carry, xs) -> (carry, ys)`.
        fori_loop: `fori_loop(lower, upper, body, value) -> value`.
        while_loop: `while_loop(condition, body, value) -> value`.
        cond: `cond(predicate, true_function, false_function, *operands)`.
        reduce: `reduce(array, initial, function, axes)`, with any associative function.
    """

    name: str
    version: str
    xp: Any
    array: Callable[[np.ndarray], Any]
    ready: Callable[[Any], Any]
    logsumexp: Callable[..., Any]
    jit: Callable[..., Any] | None = None
    grad: Callable[..., Any] | None = None
    value_and_grad: Callable[..., Any] | None = None
    vmap: Callable[..., Any] | None = None
    jacfwd: Callable[..., Any] | None = None
    jacrev: Callable[..., Any] | None = None
    jvp: Callable[..., Any] | None = None
    scan: Callable[..., Any] | None = None
    fori_loop: Callable[..., Any] | None = None
    while_loop: Callable[..., Any] | None = None
    cond: Callable[..., Any] | None = None
    reduce: Callable[..., Any] | None = None


def unrolled_scan(stack: Callable[[list[Any]], Any]) -> Callable[..., Any]:
    """Returns a `scan` that is a Python loop."""

    def scan(step, carry, xs):
        ys = []
        for i in range(xs.shape[0]):
            carry, y = step(carry, xs[i])
            ys.append(y)
        return carry, stack(ys)

    return scan


def load_ftrans(x64: bool) -> Peer:
    ft = importlib.import_module("ftrans")
    return Peer(
        "ftrans",
        ft.__version__,
        ft,
        ft.array,
        ft.eval,
        ft.logsumexp,
        ft.jit,
        ft.grad,
        ft.value_and_grad,
        ft.vmap,
        ft.jacfwd,
        ft.jacrev,
        ft.jvp,
        ft.scan,
        ft.fori_loop,
        ft.while_loop,
        ft.cond,
        ft.reduce,
    )


def load_jax(x64: bool) -> Peer:
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", x64)
    jax.config.update("jax_platforms", "cpu")
    return Peer(
        "jax",
        jax.__version__,
        importlib.import_module("jax.numpy"),
        jax.numpy.asarray,
        jax.block_until_ready,
        jax.nn.logsumexp,
        jax.jit,
        jax.grad,
        jax.value_and_grad,
        jax.vmap,
        jax.jacfwd,
        jax.jacrev,
        jax.jvp,
        jax.lax.scan,
        jax.lax.fori_loop,
        jax.lax.while_loop,
        jax.lax.cond,
        jax.lax.reduce,
    )


def load_mlx(x64: bool) -> Peer:
    if x64:
        raise ImportError("MLX has no float64 on all of its devices")
    mx = importlib.import_module("mlx.core")
    mx.set_default_device(mx.cpu)
    return Peer(
        "mlx",
        mx.__version__,
        mx,
        mx.array,
        mx.eval,
        mx.logsumexp,
        mx.compile,
        mx.grad,
        mx.value_and_grad,
        mx.vmap,
        jvp=mx.jvp,
    )


def load_torch(x64: bool) -> Peer:
    torch = importlib.import_module("torch")
    func = importlib.import_module("torch.func")

    def value_and_grad(f, argnums=0):
        transformed = func.grad_and_value(f, argnums)
        return lambda *args: transformed(*args)[::-1]

    # torch.compile needs a C++ compiler and minutes for these functions, so `jit` does nothing here.
    return Peer(
        "torch",
        torch.__version__,
        torch,
        torch.from_numpy,
        lambda tree: tree,
        torch.logsumexp,
        lambda f: f,
        func.grad,
        value_and_grad,
        func.vmap,
        func.jacfwd,
        func.jacrev,
        func.jvp,
        unrolled_scan(torch.stack),
    )


def load_numpy(x64: bool) -> Peer:
    return Peer("numpy", np.__version__, np, np.asarray, lambda tree: tree, np.logaddexp.reduce, lambda f: f)


LOADERS = {
    "ftrans": load_ftrans,
    "jax": load_jax,
    "mlx": load_mlx,
    "torch": load_torch,
    "numpy": load_numpy,
}


def load_if_there(name: str, x64: bool) -> Peer | None:
    """The library of this name; or None, and a line that says why, if it cannot be imported."""
    try:
        return LOADERS[name](x64)
    except ImportError as error:
        if name == "ftrans":
            raise
        print(f"{name} is left out: {error}")
        return None


def load(names: tuple[str, ...], x64: bool = False) -> dict[str, Peer]:
    """Loads the libraries of these names that are installed.

    Args:
        names: keys of `LOADERS`.
        x64: whether JAX shall keep float64 arrays.

    Raises:
        ImportError: if ftrans itself cannot be imported.
    """
    peers = {name: load_if_there(name, x64) for name in names}
    return {name: peer for name, peer in peers.items() if peer is not None}
