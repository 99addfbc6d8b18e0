"""Compaction: what only some lanes of a batch do is done for these lanes alone.

The lanes for which a mask holds are brought to the front. A branch goes over them in chunks, and stops behind
the last one; a loop goes on with fewer lanes once few of them are left. All of it is written with primitives,
so that derivatives, batches of batches and compiled programs follow. Where it would save less than it costs
(`_cost.py` estimates it), everything runs for all lanes, and each takes what is its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .._native import Array, int32, scalar
from ..core.jaxpr import ClosedJaxpr, has_effects, inner_jaxprs
from ..primitives.collective import Collective
from ..primitives.conversion import convert
from ..primitives.elementwise import add_p, lt_p, mul_p, select_p, sub_p
from ..primitives.indexing import PROMISE_IN_BOUNDS, gather_p, scatter_p
from ..primitives.layout import broadcast_in_dim, reduce_sum, reshape, zeros_like
from ..primitives.scan_ops import cumsum_p
from ..primitives.shape import iota_p
from ._cost import estimated_cost
from ._derived import Mask, batched_jaxpr

#: A chunk is to be worth more than what its steps cost beside their work, in nanoseconds.
_LEAST_CHUNK = 30_000
#: The more chunks there are, the fewer lanes of the last one are there in vain.
_MOST_CHUNKS, _FEWEST_CHUNKS = 16, 3
#: What it costs to move the entry of a lane to its chunk or back: for each array, and for each element.
_MOVE_ENTRY, _MOVE_ELEMENT = 5.0, 0.5
#: The turn of a loop that is worth leaving behind the lanes that are done; by how much, and how often.
_LEAST_TURN = 20_000
_SHRINKING, _MOST_SIZES = 4, 3


def may_compact(closed: ClosedJaxpr) -> bool:
    """Whether a lane may be left out: nothing happens in it that could be seen, or that needs the others."""
    known = closed.derived.get("may compact")
    if known is None:
        known = closed.derived["may compact"] = not has_effects(closed) and not any(
            isinstance(e.primitive, Collective) or not all(map(may_compact, inner_jaxprs(e.parameters)))
            for e in closed.jaxpr.equations
        )
    return known


class Lanes(NamedTuple):
    """The lanes of a batch, those first for which a mask holds.

    `order`: the lanes; `place`: where each lane is among them; `held`: for how many the mask holds.
    """

    order: Array
    place: Array
    held: Array


def lanes_first(mask: Array) -> Lanes:
    """The lanes of a batch, those first for which `mask` holds, both in order."""
    (size,) = mask.shape
    held = cumsum_p.bind(convert(mask, int32), axis=0, reverse=False)
    count = reduce_sum(convert(mask, int32), (0,))
    lane = iota_p.bind(shape=(size,), dtype=int32, dimension=0)
    behind = sub_p.bind(add_p.bind(count, lane), held)
    place = select_p.bind(mask, sub_p.bind(held, scalar(1, int32, False)), behind)
    return Lanes(put_lanes(zeros_like(lane), place, lane), place, count)


def take_lanes(x: Array, lanes: Array) -> Array:
    """The entries of a batch that `lanes`, integers in range, name."""
    return gather_p.bind(
        x, reshape(lanes, (*lanes.shape, 1)),
        offset_dims=tuple(range(1, x.ndim)), collapsed_slice_dims=(0,), start_index_map=(0,),
        operand_batching_dims=(), indices_batching_dims=(), slice_sizes=(1, *x.shape[1:]),
        mode=PROMISE_IN_BOUNDS,
    )  # fmt: skip


def put_lanes(x: Array, lanes: Array, values: Array) -> Array:
    """A batch with other entries at `lanes`, which differ from each other."""
    return scatter_p.bind(
        x, reshape(lanes, (*lanes.shape, 1)), values,
        update_window_dims=tuple(range(1, x.ndim)), inserted_window_dims=(0,),
        scatter_dims_to_operand_dims=(0,), operand_batching_dims=(), indices_batching_dims=(), kind="set",
        mode=PROMISE_IN_BOUNDS, unique_indices=True,
    )  # fmt: skip


def chosen_lanes(mask: Array, on_true: Sequence[Array], on_false: Sequence[Array]) -> list[Array]:
    """Entry by entry, that of the batch that the mask tells."""
    return [
        select_p.bind(broadcast_in_dim(mask, x.shape, (0,)), x, y)
        for x, y in zip(on_true, on_false, strict=True)
    ]


# ---------------------------------------------------------------- branches


def branch_chunks(branch: ClosedJaxpr, batched: Mask, size: int) -> int:
    """In how many chunks a branch is to run for its own lanes of a batch; 1: for all lanes at once."""
    if size < _FEWEST_CHUNKS or not may_compact(branch):
        return 1
    whole, _ = batched_jaxpr(branch, batched, size, [True] * len(branch.out_avals))
    cost = estimated_cost(whole)
    moved = [*(a for a, b in zip(whole.in_avals, batched, strict=True) if b), *whole.out_avals]
    if cost < sum(_MOVE_ENTRY * size + _MOVE_ELEMENT * a.size for a in moved):
        return 1
    chunks = min(_MOST_CHUNKS, size, int(cost / _LEAST_CHUNK))
    return chunks if chunks >= _FEWEST_CHUNKS else 1


class Chunks(NamedTuple):
    """The lanes for which a mask holds, in chunks, the last of which is filled up with the first lane.

    `lanes`: those of all chunks; `live`: of each chunk, whether there are any in it.
    """

    lanes: Array
    live: Array

    def split(self, x: Array) -> Array:
        """The entries of a batch: chunk after chunk."""
        chunks = self.live.size
        return reshape(take_lanes(x, self.lanes), (chunks, self.lanes.size // chunks, *x.shape[1:]))


def in_chunks(lanes: Lanes, chunks: int) -> Chunks:
    """The lanes for which the mask holds, in at most so many chunks."""
    chunk = -(-lanes.order.size // chunks)

    def is_held(step: int, count: int) -> tuple[Array, Array]:
        position = iota_p.bind(shape=(count,), dtype=int32, dimension=0)
        position = mul_p.bind(position, scalar(step, int32, False))
        return position, lt_p.bind(position, lanes.held)

    position, held = is_held(1, chunks * chunk)
    source = select_p.bind(held, position, scalar(0, int32, False))
    return Chunks(take_lanes(lanes.order, source), is_held(chunk, chunks)[1])


# ---------------------------------------------------------------- loops


def loop_sizes(turn: Sequence[ClosedJaxpr], size: int) -> list[int]:
    """With how many lanes a loop is to run one after another, for the jaxprs of a turn of all lanes."""
    cost, sizes = sum(map(estimated_cost, turn)), [size]
    while cost >= _LEAST_TURN and len(sizes) < _MOST_SIZES and sizes[-1] >= _SHRINKING:
        sizes.append(sizes[-1] // _SHRINKING)
        cost /= _SHRINKING
    return sizes
