"""The axes that `vmap` has given a name, while its function runs.

A named axis is represented by the traced index of an item along it. Collectives take this index as an
operand: so data flow, not a name, leads from a collective to the `vmap` that resolves it, through any other
transformation, and no part of the system but `vmap` and the collectives knows of named axes.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from .._native import Array


class NamedAxis:
    """An axis of `size` items; `index` is a traced int32 scalar, the position of an item."""

    __slots__ = ("name", "size", "index", "lookups")

    def __init__(self, name: Hashable, size: int, index: Array):
        self.name = name
        self.size = size
        self.index = index
        self.lookups = 0


class _ThisThread(threading.local):
    def __init__(self) -> None:
        self.axes: list[NamedAxis] = []


_this_thread = _ThisThread()


@contextmanager
def bound_axis(name: Hashable, size: int, index: Array) -> Iterator[None]:
    """Bind a name within this context; it hides an outer axis of the same name."""
    axes = _this_thread.axes
    axes.append(NamedAxis(name, size, index))
    try:
        yield
    finally:
        axes.pop()


def find_axis(function: str, name: Hashable) -> NamedAxis:
    """The innermost axis of this name; `function` is who asks.

    Raises:
        NameError: no axis has this name here.
    """
    axes = _this_thread.axes
    for axis in reversed(axes):
        if axis.name == name:
            axis.lookups += 1
            return axis
    found = f"only {', '.join(repr(a.name) for a in axes)} are" if axes else "no axis is"
    raise NameError(
        f"{function}: the axis name {name!r} is not bound, {found} here; "
        f"call the function inside of ft.vmap(…, axis_name={name!r})"
    )


def axis_lookups() -> int:
    """How often the axes that are bound now were asked for: a trace that changes it depends on them."""
    return sum(axis.lookups for axis in _this_thread.axes)
