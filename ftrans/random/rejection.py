"""Rejection sampling of whole arrays."""

from __future__ import annotations

from collections.abc import Callable

from .. import primitives as p
from .._native import Array, uint32
from ..control_flow.loops import while_loop
from ..interop import asarray
from ..ops import pointwise
from .keys import folded

State = tuple[Array, Array, Array]


def first_accepted(
    key: Array, propose: Callable[[Array], tuple[Array, Array]], possible: Array, otherwise: Array
) -> Array:
    """For each element the first value that is accepted, and `otherwise` where none is possible.

    Each round proposes for all elements with the key that `key` and its number determine. So an element's
    value depends on nothing but its position, however many rounds the others (or, under `vmap`, other
    arrays) need.

    Args:
        key: of the numbers.
        propose: from a key to values, and whether each is accepted, which has to be likely.
        possible: bools; where it is False, nothing is waited for.
        otherwise: an array of the result's shape and dtype.
    """

    def is_unfinished(state: State) -> Array:
        pending = state[1]
        return p.reduce_or_p.bind(pending, axes=tuple(range(pending.ndim)))

    def round_(state: State) -> State:
        number, pending, values = state
        proposed, accepted = propose(folded(key, number))
        return number + 1, pending & ~accepted, pointwise.where(pending & accepted, proposed, values)

    return while_loop(is_unfinished, round_, (asarray(0, dtype=uint32), possible, otherwise))[2]
