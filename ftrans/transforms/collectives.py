"""Functions of all the items along a named axis: psum, all_gather and the like, for use inside of `vmap`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from .. import _native
from .._native import Array, user_function
from ..core.named_axes import NamedAxis, find_axis
from ..core.primitive import Primitive
from ..core.pytree import as_array, tree_map
from ..primitives.collective import (
    all_gather_p,
    all_to_all_p,
    pmax_p,
    pmin_p,
    ppermute_p,
    psum_p,
)
from ..primitives.conversion import convert
from ..primitives.elementwise import add, div, mul
from ..primitives.layout import reshape


def _axes(function: str, axis_name: Hashable | Sequence[Hashable]) -> list[NamedAxis]:
    names = axis_name if isinstance(axis_name, (tuple, list)) else (axis_name,)
    return [find_axis(function, name) for name in names]


def _map_arrays(function: str, apply: Callable[[Array], Array], x: Any) -> Any:
    return tree_map(lambda leaf: apply(as_array(leaf, lambda: f"{function}: x")), x)


def _reduced(primitive: Primitive, x: Any, axis_name: Any) -> Any:
    axes = _axes(primitive.name, axis_name)

    def reduce(leaf: Array) -> Array:
        for axis in axes:
            leaf = primitive.bind(leaf, axis.index, axis_name=axis.name)
        return leaf

    return _map_arrays(primitive.name, reduce, x)


@user_function
def psum(x: Any, axis_name: Hashable | Sequence[Hashable]) -> Any:
    """The sum over all items along a named axis.

    The transpose of `psum` is `psum`: derivatives taken inside of the mapped function add up those of all
    items, as in JAX.

    Args:
        x: a pytree of numeric arrays.
        axis_name: a name given to `vmap`, or a tuple of these.

    Returns:
        A tree like `x`, the same for all items. A Python number gives a Python number: ``psum(1, name)`` is
        the size of the axis.

    Raises:
        NameError: the name is not bound here.
        TypeError: `x` is not numeric.

    >>> ft.vmap(lambda x: x / ft.psum(x, "i"), axis_name="i")(ft.array([1.0, 3.0]))
    array([0.25, 0.75], dtype=float32)
    """
    if isinstance(x, (int, float, complex)) and not isinstance(x, bool):
        return x * axis_size(axis_name)
    return _reduced(psum_p, x, axis_name)


@user_function
def pmean(x: Any, axis_name: Hashable | Sequence[Hashable]) -> Any:
    """The mean over all items along a named axis.

    Args and errors: as `psum`. Integers give the default float dtype.

    >>> ft.vmap(lambda x: x - ft.pmean(x, "i"), axis_name="i")(ft.array([1.0, 3.0]))
    array([-1, 1], dtype=float32)
    """
    size = _size("pmean", axis_name)

    def divide(total: Array) -> Array:
        return div(total if total.aval.is_inexact else convert(total, _native.float32), size)

    return tree_map(
        divide, _reduced(psum_p, tree_map(lambda leaf: as_array(leaf, lambda: "pmean: x"), x), axis_name)
    )


@user_function
def pmax(x: Any, axis_name: Hashable | Sequence[Hashable]) -> Any:
    """The largest over all items along a named axis; NaN if one is NaN.

    Items that share the maximum share its derivative equally.

    Args and errors: as `psum`, but `x` must be real.

    >>> ft.vmap(lambda x: ft.pmax(x, "i"), axis_name="i", out_axes=None)(ft.array([1.0, 3.0]))
    array(3, dtype=float32)
    """
    return _reduced(pmax_p, x, axis_name)


@user_function
def pmin(x: Any, axis_name: Hashable | Sequence[Hashable]) -> Any:
    """The smallest over all items along a named axis; NaN if one is NaN.

    Args and errors: as `pmax`.

    >>> ft.vmap(lambda x: ft.pmin(x, "i"), axis_name="i", out_axes=None)(ft.array([1.0, 3.0]))
    array(1, dtype=float32)
    """
    return _reduced(pmin_p, x, axis_name)


@user_function
def axis_index(axis_name: Hashable | Sequence[Hashable]) -> Array:
    """The position of the item along a named axis, an int32 scalar.

    Args:
        axis_name: a name given to `vmap`; a tuple of these gives the position in row-major order.

    Raises:
        NameError: the name is not bound here.

    >>> ft.vmap(lambda x: x * ft.axis_index("i"), axis_name="i")(ft.array([1, 1, 1]))
    array([0, 1, 2], dtype=int32)
    """
    first, *rest = _axes("axis_index", axis_name) or (None,)
    if first is None:
        raise ValueError("axis_index: axis_name must be a name or several, got none")
    index = first.index
    for axis in rest:
        index = add(mul(index, axis.size), axis.index)
    return index._snapshot()


@user_function
def axis_size(axis_name: Hashable | Sequence[Hashable]) -> int:
    """The number of items along a named axis; along several, their product.

    Raises:
        NameError: the name is not bound here.

    >>> ft.vmap(lambda x: x * ft.axis_size("i"), axis_name="i")(ft.array([1, 2]))
    array([2, 4], dtype=int32)
    """
    return _size("axis_size", axis_name)


def _size(function: str, axis_name: Hashable | Sequence[Hashable]) -> int:
    size = 1
    for axis in _axes(function, axis_name):
        size *= axis.size
    return size


def _normalized(function: str, parameter: str, axis: Any, ndim: int) -> int:
    if not isinstance(axis, int):
        raise TypeError(f"{function}: {parameter} must be an int, got {axis!r}")
    if not -ndim <= axis < ndim:
        raise ValueError(f"{function}: {parameter} must be in [{-ndim}, {ndim}), got {axis}")
    return axis % ndim


def _merged(x: Array, axis: int) -> Array:
    """`x` with `axis` and the one after it made one."""
    return reshape(x, (*x.shape[:axis], x.shape[axis] * x.shape[axis + 1], *x.shape[axis + 2 :]))


@user_function
def all_gather(x: Any, axis_name: Hashable, *, axis: int = 0, tiled: bool = False) -> Any:
    """All items along a named axis, as one array.

    Args:
        x: a pytree of arrays.
        axis_name: a name given to `vmap`.
        axis: where the items go: a new axis of the result.
        tiled: concatenate the items along the existing `axis` instead.

    Returns:
        A tree like `x`, the same for all items.

    Raises:
        NameError: the name is not bound here.
        ValueError: `axis` is out of range.

    >>> ft.vmap(lambda x: ft.all_gather(x, "i"), axis_name="i", out_axes=None)(ft.array([1.0, 3.0]))
    array([1, 3], dtype=float32)
    """
    (named,) = _axes("all_gather", (axis_name,))

    def gather(leaf: Array) -> Array:
        position = _normalized("all_gather", "axis", axis, leaf.ndim + (not tiled))
        items = all_gather_p.bind(
            leaf, named.index, axis_name=named.name, axis_size=named.size, axis=position
        )
        return _merged(items, position) if tiled else items

    return _map_arrays("all_gather", gather, x)


@user_function
def all_to_all(x: Any, axis_name: Hashable, split_axis: int, concat_axis: int, *, tiled: bool = False) -> Any:
    """Slice i along `split_axis` goes to item i, where what comes from all items is put side by side.

    Args:
        x: a pytree of arrays.
        axis_name: a name given to `vmap`.
        split_axis: the axis to take apart, of as many slices as there are items.
        concat_axis: where the slices that arrive go: a new axis of the result.
        tiled: slices of equal extent instead of single ones, concatenated along the existing `concat_axis`;
            both axes stay.

    Returns:
        A tree like `x`.

    Raises:
        NameError: the name is not bound here.
        ValueError: an axis is out of range, or the extent of `split_axis` is not the size of the named axis
            (with `tiled`: not a multiple of it).

    >>> x = ft.array([[1, 2], [3, 4]])
    >>> ft.vmap(lambda row: ft.all_to_all(row, "i", 0, 0), axis_name="i")(x)
    array([[1, 3],
           [2, 4]], dtype=int32)
    """
    (named,) = _axes("all_to_all", (axis_name,))

    def exchange(leaf: Array) -> Array:
        split = _normalized("all_to_all", "split_axis", split_axis, leaf.ndim)
        concat = _normalized("all_to_all", "concat_axis", concat_axis, leaf.ndim)
        if tiled:
            extent = leaf.shape[split]
            if extent % named.size:
                raise ValueError(
                    f"all_to_all: axis {split} of shape {leaf.shape} is split into {named.size} parts, the "
                    f"size of axis {named.name!r}, of which {extent} is not a multiple"
                )
            shape = (*leaf.shape[:split], named.size, extent // named.size, *leaf.shape[split + 1 :])
            leaf = reshape(leaf, shape)
        received = all_to_all_p.bind(
            leaf,
            named.index,
            axis_name=named.name,
            axis_size=named.size,
            split_axis=split,
            concat_axis=concat,
        )
        return _merged(received, concat) if tiled else received

    return _map_arrays("all_to_all", exchange, x)


@user_function
def ppermute(x: Any, axis_name: Hashable, perm: Sequence[tuple[int, int]]) -> Any:
    """Send each item's value to another item.

    Args:
        x: a pytree of numeric arrays.
        axis_name: a name given to `vmap`.
        perm: pairs (source, destination) of positions; no source and no destination may come twice. Items to
            which nothing is sent get zeros.

    Returns:
        A tree like `x`.

    Raises:
        NameError: the name is not bound here.
        ValueError: `perm` is not as described.

    >>> shift = lambda x: ft.ppermute(x, "i", [(0, 1), (1, 2)])
    >>> ft.vmap(shift, axis_name="i")(ft.array([1.0, 2.0, 3.0]))
    array([0, 1, 2], dtype=float32)
    """
    (named,) = _axes("ppermute", (axis_name,))
    try:
        pairs = tuple([(operator.index(source), operator.index(destination)) for source, destination in perm])
    except (TypeError, ValueError):
        raise TypeError(f"ppermute: perm must be pairs of integers, got {perm!r}") from None
    return _map_arrays(
        "ppermute",
        lambda leaf: ppermute_p.bind(
            leaf, named.index, axis_name=named.name, axis_size=named.size, perm=pairs
        ),
        x,
    )
