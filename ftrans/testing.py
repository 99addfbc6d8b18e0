"""Checks of derivatives, batches and compiled functions, for tests and for one's own functions.

>>> ft.testing.check_grads(lambda x: ft.sin(x) * x, (np.array([0.3, 1.7]),), order=2)
>>> ft.testing.check_vmap(ft.cumsum, (np.ones((3, 4)),))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ._native import user_function
from .core.pytree import flatten, leaf_names, tree_map, unflatten
from .core.source import function_name
from .differences import (
    Directions,
    difference_quotient,
    inexact_leaves,
    inner,
    is_inexact,
    leaf_arrays,
    precision_of,
    wide,
)
from .interop import asarray
from .transforms.arguments import check_callable
from .transforms.autodiff import jvp, vjp
from .transforms.vmap import vmap

__all__ = [
    "assert_allclose",
    "check_grads",
    "check_jvp",
    "check_vjp",
    "check_vmap",
    "count_retraces",
]


def __dir__() -> list[str]:
    return __all__


@user_function
def assert_allclose(
    actual: Any, desired: Any, rtol: float | None = None, atol: float | None = None, err_msg: str = ""
) -> None:
    """Assert that two trees have the same structure, shapes, and values to a tolerance.

    Args:
        actual, desired: pytrees of arrays.
        rtol, atol: ``|actual − desired| <= atol + rtol·|desired|``. If neither is given, `rtol` is 64 units
            in the last place of the least precise dtype, and `atol` as much of the largest entry of
            `desired`; integers and bools must be equal.
        err_msg: what to say first if they differ.

    Raises:
        AssertionError: they differ; it names each leaf that does, how many of its entries, and the worst one
            with its absolute and relative error and its distance in units in the last place.

    >>> ft.testing.assert_allclose(ft.array([1.0, 2.0]) / 3.0, np.array([1.0, 2.0]) / 3.0)
    """
    problems = _differences(actual, desired, rtol, atol)
    if problems:
        raise AssertionError("\n".join([*([err_msg] if err_msg else []), *problems]))


def _differences(actual: Any, desired: Any, rtol: float | None, atol: float | None) -> list[str]:
    leaves, structure = flatten(actual)
    desired_leaves, desired_structure = flatten(desired)
    if structure != desired_structure:
        return [f"the structure is {structure}, expected {desired_structure}"]
    names = leaf_names(actual, "output")
    found = (
        _difference(name, x, y, rtol, atol) for name, x, y in zip(names, leaves, desired_leaves, strict=True)
    )
    return [problem for problem in found if problem]


def _difference(name: str, actual: Any, desired: Any, rtol: float | None, atol: float | None) -> str:
    inexact = [x for x in (actual, desired) if is_inexact(x)]
    epsilon = precision_of(inexact).epsilon
    x, y = wide(actual), wide(desired)
    if x.shape != y.shape:
        return f"{name}: the shape is {x.shape}, expected {y.shape}"
    with np.errstate(all="ignore"):
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        error = np.where(same, 0.0, np.abs(np.subtract(x, y, dtype=np.result_type(x, y, np.float64))))
        if not inexact:
            wrong = ~same
        elif rtol is None and atol is None:
            largest = np.max(np.abs(y[np.isfinite(y)]), initial=0.0)
            wrong = ~same & ~(error <= 64 * epsilon * (np.abs(y) + largest))
        else:
            wrong = ~same & ~(error <= (atol or 0.0) + (rtol or 0.0) * np.abs(y))
        wrong |= ~same & ~(np.isfinite(x) & np.isfinite(y))
        if not wrong.any():
            return ""
        ranked = np.where(wrong, np.where(np.isnan(error), np.inf, error), -1.0)
        worst = np.unravel_index(np.argmax(ranked), x.shape)
        relative = error[worst] / np.abs(y[worst])
    place = f"[{', '.join(map(str, worst))}]" if x.ndim else ""
    return (
        f"{name}: {wrong.sum()} of {x.size} entries differ; the worst is {name}{place} = {x[worst]!s}, "
        f"expected {y[worst]!s} (absolute error {error[worst]:.3g}, relative {relative:.3g}"
        + (f", {relative / epsilon:.3g} ulp)" if inexact else ")")
    )


@user_function
def check_jvp(
    f: Callable,
    f_jvp: Callable,
    args: tuple,
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
    err_msg: str = "",
) -> None:
    """Assert that a forward-mode derivative agrees with finite differences along a random direction.

    Args:
        f: the function.
        f_jvp: ``f_jvp(primals, tangents) -> (output, output_tangent)``, such as ``partial(ft.jvp, f)``.
        args: the tuple of arguments, where `f` must be smooth.
        atol, rtol: tolerances of the comparison, by default those that suit the dtypes.
        eps: the step of the differences, of fourth order.
        err_msg: what to say first if they differ.

    Raises:
        AssertionError: values or derivatives differ.

    >>> ft.testing.check_jvp(ft.sin, lambda p, t: (ft.sin(*p), ft.cos(*p) * t[0]), (1.0,))
    """
    tangents = Directions().like(args)
    outs = f(*args)
    precision = precision_of([args, outs])
    values, derivative = f_jvp(args, tangents)
    assert_allclose(values, outs, err_msg=f"{err_msg}check_jvp: the value of {function_name(f_jvp)} differs")
    expected = difference_quotient(f, args, tangents, eps or precision.step)
    _assert_near(
        inexact_leaves(derivative),
        expected,
        precision.tolerance if atol is None else atol,
        precision.tolerance if rtol is None else rtol,
        f"{err_msg}check_jvp: the tangent of {function_name(f)} differs from finite differences",
    )


def _assert_near(
    actual: list[np.ndarray], desired: list[np.ndarray], atol: float, rtol: float, err_msg: str
) -> None:
    # Errors of difference quotients are relative to the largest entry, not to each.
    scale = max((float(np.max(np.abs(y), initial=0.0)) for y in desired), default=0.0)
    assert_allclose(actual, desired, 0.0, atol + rtol * scale, err_msg)


@user_function
def check_vjp(
    f: Callable,
    f_vjp: Callable,
    args: tuple,
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
    err_msg: str = "",
) -> None:
    """Assert that a reverse-mode derivative agrees with finite differences: ⟨c, J·t⟩ = ⟨Jᵀ·c, t⟩.

    Args:
        f: the function.
        f_vjp: ``f_vjp(*args) -> (output, pullback)``, such as ``partial(ft.vjp, f)``.
        args: the tuple of arguments, where `f` must be smooth.
        atol, rtol, eps, err_msg: as for `check_jvp`.

    Raises:
        AssertionError: values or derivatives differ.

    >>> ft.testing.check_vjp(ft.sin, lambda x: (ft.sin(x), lambda c: (c * ft.cos(x),)), (1.0,))
    """
    directions = Directions()
    tangents = directions.like(args)
    outs, pullback = f_vjp(*args)
    expected_outs = f(*args)
    precision = precision_of([args, expected_outs])
    what = f"{err_msg}check_vjp: the value of {function_name(f_vjp)} differs"
    assert_allclose(outs, expected_outs, err_msg=what)
    cotangent = directions.like(outs)
    forward = difference_quotient(f, args, tangents, eps or precision.step)
    left, left_scale = inner(inexact_leaves(cotangent), forward)
    pairs = [
        (wide(g), wide(t))
        for x, g, t in zip(
            flatten(args)[0], flatten(tuple(pullback(cotangent)))[0], flatten(tangents)[0], strict=True
        )
        if is_inexact(x)
    ]
    right, right_scale = inner([g for g, _ in pairs], [t for _, t in pairs])
    atol = precision.tolerance if atol is None else atol
    rtol = precision.tolerance if rtol is None else rtol
    if not abs(left - right) <= atol + rtol * max(left_scale, right_scale):
        raise AssertionError(
            f"{err_msg}check_vjp: the cotangents of {function_name(f)} differ from finite differences: "
            f"along a random direction {right:.8g}, expected {left:.8g}"
        )


@user_function
def check_grads(
    f: Callable,
    args: tuple,
    order: int,
    modes: Sequence[str] = ("fwd", "rev"),
    atol: float | None = None,
    rtol: float | None = None,
    eps: float | None = None,
) -> None:
    """Assert that the derivatives of a function agree with finite differences, to an order, in all modes.

    Args:
        f: a function of arrays or pytrees of arrays.
        args: the tuple of arguments, where `f` must be smooth; float64 ones are checked best.
        order: of the derivatives; those of order n are differences of those of order n − 1.
        modes: "fwd" for `jvp`, "rev" for `vjp`; of higher order in every combination.
        atol, rtol, eps: as for `check_jvp`.

    Raises:
        AssertionError: they differ, naming the modes.
        ValueError: `order` or `modes` makes no sense.

    >>> ft.testing.check_grads(lambda x, y: ft.exp(x) * y, (np.float64(0.5), np.float64(2.0)), order=2)
    """
    check_callable("check_grads", f)
    if order < 1 or not modes or not set(modes) <= {"fwd", "rev"}:
        raise ValueError(
            f"check_grads: order must be at least 1 and modes of 'fwd' and 'rev', got {order} and {modes!r}"
        )
    _check_grads(f, tuple(args), order, modes, (atol, rtol, eps), "")


def _check_grads(
    f: Callable, args: tuple, order: int, modes: Sequence[str], tolerances: tuple, path: str
) -> None:
    atol, rtol, eps = tolerances
    if "fwd" in modes:
        err_msg = f"{path}forward mode: "
        check_jvp(f, lambda primals, tangents: jvp(f, primals, tangents), args, atol, rtol, eps, err_msg)
        if order > 1:
            tangents = Directions(order).like(args)

            def forward(*args: Any) -> Any:
                return jvp(f, args, tangents)[1]

            _check_grads(forward, args, order - 1, modes, tolerances, f"{path}forward mode, then ")
    if "rev" in modes:
        check_vjp(f, lambda *args: vjp(f, *args), args, atol, rtol, eps, f"{path}reverse mode: ")
        if order > 1:
            cotangent = Directions(order).like(f(*args))

            def reverse(*args: Any) -> Any:
                return vjp(f, *args)[1](cotangent)

            _check_grads(reverse, args, order - 1, modes, tolerances, f"{path}reverse mode, then ")


@user_function
def check_vmap(
    f: Callable, args: tuple, in_axes: Any = 0, rtol: float | None = None, atol: float | None = None
) -> None:
    """Assert that `vmap` of a function is what a loop over the batch gives.

    Args:
        f: a function of arrays or pytrees of arrays.
        args: the tuple of its arguments, with batch axes.
        in_axes: an int or None for each argument, or one for all.
        rtol, atol: tolerances, as for `assert_allclose`.

    Raises:
        AssertionError: they differ.
        ValueError: no argument is mapped, or the batch is empty.

    >>> ft.testing.check_vmap(lambda x, y: x @ y, (np.ones((3, 2)), np.ones((2, 4))), in_axes=(0, None))
    """
    axes = tuple(in_axes) if isinstance(in_axes, (tuple, list)) else (in_axes,) * len(args)
    sizes = [x.shape[a] for arg, a in zip(args, axes, strict=True) if a is not None for x in leaf_arrays(arg)]
    if not sizes or sizes[0] == 0:
        raise ValueError("check_vmap: an argument must be mapped, over an axis that is not empty")

    def member(i: int) -> list[np.ndarray]:
        chosen = [
            arg if a is None else tree_map(lambda x, a=a: asarray(np.take(np.asarray(x), i, axis=a)), arg)
            for arg, a in zip(args, axes, strict=True)
        ]
        return [np.asarray(y) for y in flatten(f(*chosen))[0]]

    results = vmap(f, in_axes=axes)(*args)
    leaves, structure = flatten(results)
    looped = [np.stack(members) for members in zip(*map(member, range(sizes[0])), strict=True)]
    if len(looped) == len(leaves):
        looped = unflatten(structure, looped)
    assert_allclose(
        results, looped, rtol, atol, f"check_vmap: vmap of {function_name(f)} differs from a loop"
    )


@contextmanager
def count_retraces(*functions: Callable) -> Iterator[Callable[[], int]]:
    """Within this context, count how many times jitted functions are traced.

    Args:
        *functions: what `jit` returned.

    Returns:
        A context manager, which gives a function that returns the count so far.

    Raises:
        TypeError: a function is not a jitted one.

    >>> f = ft.jit(lambda x: x + 1)
    >>> with ft.testing.count_retraces(f) as count:
    ...     _ = f(1.0), f(2.0), f(3)
    >>> count()
    2
    """
    for f in functions:
        if not hasattr(f, "trace_count"):
            raise TypeError(f"count_retraces expects functions that jit returned, got {f!r}")
    jitted: Sequence[Any] = functions
    before = sum(f.trace_count for f in jitted)
    yield lambda: sum(f.trace_count for f in jitted) - before
