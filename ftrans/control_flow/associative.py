"""associative_scan: prefixes of an associative operation in logarithmically many steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._native import Array, user_function
from ..core.pytree import flatten, leaf_names, unflatten
from ..core.source import function_name
from ..primitives.layout import reshape
from ..primitives.shape import concatenate_p, rev_p, slice_axis
from ..transforms.arguments import argument_arrays, check_callable, output_arrays


@user_function
def associative_scan(fn: Callable, elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """All prefixes of an associative operation: ``e0, fn(e0, e1), fn(fn(e0, e1), e2), …``.

    Where `scan` goes step by step, this combines neighbours in pairs, all at once, and the pairs likewise:
    about 2·n applications in 2·log₂(n) rounds (Blelloch, "Prefix sums and their applications", 1990,
    section 1.2).

    Args:
        fn: ``(a, b) -> c`` on trees like `elems` of slices, one after another along `axis`; it must be
            associative and treat the slices independently (as with `vmap`).
        elems: a pytree of arrays of one size along `axis`.
        reverse: whether to begin at the end: ``…, fn(en, en-1), en``.
        axis: the axis of the arrays along which to go.

    Returns:
        A tree like `elems`, with the prefixes.

    Raises:
        TypeError: the result of `fn` has another structure, shape or dtype than its arguments, naming the
            leaf.
        ValueError: the sizes differ, an axis is out of range, or there are no arrays.

    >>> ft.associative_scan(ft.add, ft.array([1.0, 2.0, 3.0, 4.0]))
    array([1, 3, 6, 10], dtype=float32)
    """
    check_callable("associative_scan", fn)
    if not isinstance(axis, int):
        raise TypeError(f"associative_scan: axis must be an int, got {axis!r}")
    leaves, structure = flatten(elems)
    arrays = argument_arrays("associative_scan", fn, leaves, flatten(((elems,), {}))[1])
    names = leaf_names(elems, "elems")
    axes = [_checked_axis(x, axis, name) for x, name in zip(arrays, names, strict=True)]
    sizes = {x.shape[a] for x, a in zip(arrays, axes, strict=True)}
    if len(sizes) != 1:
        found = "\n".join(f"  {name}: shape {x.shape}" for x, name in zip(arrays, names, strict=True))
        raise ValueError(
            f"associative_scan: elems must be arrays of one size along axis {axis}, got\n{found}"
        )

    def combine(left: list[Array], right: list[Array]) -> list[Array]:
        result = fn(unflatten(structure, left), unflatten(structure, right))
        outs, out_structure = flatten(result)
        if out_structure != structure:
            raise TypeError(
                f"associative_scan: {function_name(fn)} must return a tree like its arguments, {structure}, "
                f"got {out_structure}"
            )
        outs = output_arrays("associative_scan", fn, outs, result)
        for x, y, name in zip(left, outs, names, strict=True):
            if (x.shape, x.dtype) != (y.shape, y.dtype):
                raise TypeError(
                    f"associative_scan: {function_name(fn)} returns {y.aval} for {name}, "
                    f"of which it got {x.aval}"
                )
        return outs

    def flipped(xs: list[Array]) -> list[Array]:
        return [rev_p.bind(x, axes=(a,)) for x, a in zip(xs, axes, strict=True)] if reverse else xs

    return unflatten(structure, flipped(_prefixes(combine, flipped(arrays), axes)))


def _checked_axis(x: Array, axis: int, name: str) -> int:
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(
            f"associative_scan: axis {axis} is out of range for {name}, which has shape {x.shape}"
        )
    return axis % x.ndim


def _prefixes(combine: Callable, xs: list[Array], axes: list[int]) -> list[Array]:
    size = xs[0].shape[axes[0]]
    if size < 2:
        return xs
    pairs = combine(_strided(xs, axes, 0, size - 1, 2), _strided(xs, axes, 1, size, 2))
    odd = _prefixes(combine, pairs, axes)  # the prefixes that end at odd places
    rest = _strided(xs, axes, 2, size, 2)
    before = _strided(odd, axes, 0, rest[0].shape[axes[0]], 1)
    first = _strided(xs, axes, 0, 1, 1)
    even = [
        concatenate_p.bind(f, e, axis=a)
        for f, e, a in zip(first, combine(before, rest) if size > 2 else rest, axes, strict=True)
    ]
    return [_interleaved(e, o, a) for e, o, a in zip(even, odd, axes, strict=True)]


def _strided(xs: list[Array], axes: list[int], start: int, limit: int, stride: int) -> list[Array]:
    """Every `stride`-th slice along the axes."""
    return [slice_axis(x, a, start, limit, stride) for x, a in zip(xs, axes, strict=True)]


def _interleaved(even: Array, odd: Array, axis: int) -> Array:
    """Slices of `even` and `odd` in turn; `even` may have one more."""
    count, shape = odd.shape[axis], odd.shape

    def inserted(x: Array) -> Array:
        (x,) = _strided([x], [axis], 0, count, 1)
        return reshape(x, (*shape[: axis + 1], 1, *shape[axis + 1 :]))

    both = concatenate_p.bind(inserted(even), inserted(odd), axis=axis + 1)
    both = reshape(both, (*shape[:axis], 2 * count, *shape[axis + 1 :]))
    if even.shape[axis] == count:
        return both
    last = _strided([even], [axis], count, count + 1, 1)
    return concatenate_p.bind(both, *last, axis=axis)
