"""gather and scatter, with XLA's meaning; the index vector is the last axis of `indices`.

An index is out of range if the window that starts at it isn't wholly inside the operand. By mode,
FILL (0) reads NaN, the lowest integer or the largest unsigned, and drops updates; CLIP (1) moves the window
inside; PROMISE_IN_BOUNDS (2) trusts the caller (the reference clips). ZERO (3), of gather alone, reads zeros:
the transpose of dropping.
"""

from __future__ import annotations

import numpy as np

from .._native import Array, int32
from ..core.primitive import Primitive, Sample
from ._factories import add_p
from ._helpers import (
    ANY,
    INTEGER,
    NUMERIC,
    REAL,
    check_axes,
    check_kind,
    check_length,
    check_same_dtype,
    reference,
    shifted,
    size_of,
    with_shape,
    without,
)
from .conversion import convert
from .elementwise import div, eq, mul, select
from .layout import batch_first, full, reshape, zeros_like
from .shape import iota_p

FILL, CLIP, PROMISE_IN_BOUNDS, ZERO = 0, 1, 2, 3
KINDS = ("set", "add", "mul", "min", "max")


# ---------------------------------------------------------------- where windows are


def _window_indices(shape, indices, window_axes, sizes, start_map, operand_batching, indices_batching, mode):
    """Index arrays, one an operand axis, of shape (batch…, window…), and which batch entries are in range."""
    batch_shape = indices.shape[:-1]
    indices = indices.astype(np.int64)
    starts = [np.zeros(batch_shape, np.int64) for _ in shape]
    for k, axis in enumerate(start_map):
        starts[axis] = indices[..., k]
    for axis, indices_axis in zip(operand_batching, indices_batching, strict=True):
        starts[axis] = np.indices(batch_shape)[indices_axis]
    valid = np.ones(batch_shape, bool)
    for axis, extent in enumerate(shape):
        last = extent - sizes[axis]
        if mode in (FILL, ZERO):
            valid &= (starts[axis] >= 0) & (starts[axis] <= last)
        starts[axis] = np.clip(starts[axis], 0, max(last, 0))
    result = []
    for axis in range(len(shape)):
        index = starts[axis].reshape(batch_shape + (1,) * len(window_axes))
        if axis in window_axes:
            position = window_axes.index(axis)
            steps = [1] * len(window_axes)
            steps[position] = sizes[axis]
            index = index + np.arange(sizes[axis]).reshape(steps)
        result.append(index)
    return tuple(result), valid


def _fill_value(dtype: np.dtype, mode: int):
    if mode == ZERO:
        return 0
    if dtype.kind in "iu":
        return np.iinfo(dtype).min if dtype.kind == "i" else np.iinfo(dtype).max
    return True if dtype.kind == "b" else np.nan


# ---------------------------------------------------------------- gather


def _check_indices(name, indices, start_map, operand_ndim, indices_batching, operand_batching):
    check_kind(name, indices, INTEGER, "indices")
    if indices.ndim == 0 or indices.shape[-1] != len(start_map):
        raise ValueError(
            f"{name}: the last axis of indices must hold {len(start_map)} entries, one a mapped axis, "
            f"got shape {indices.shape}"
        )
    check_axes(name, operand_ndim, (*start_map, *operand_batching), "index-mapped and batching operand axes")
    check_axes(name, indices.ndim - 1, indices_batching, "indices_batching_dims")
    check_length(name, "indices_batching_dims", indices_batching, len(operand_batching))


def _gather_abstract(
    operand, indices, *, offset_dims, collapsed_slice_dims, start_index_map, operand_batching_dims,
    indices_batching_dims, slice_sizes, mode,
):  # fmt: skip
    if mode not in (FILL, CLIP, PROMISE_IN_BOUNDS, ZERO):
        raise ValueError(
            f"gather: mode must be 0 (fill), 1 (clip), 2 (promise in bounds) or 3 (zero), got {mode}"
        )
    _check_indices(
        "gather", indices, start_index_map, operand.ndim, indices_batching_dims, operand_batching_dims
    )
    check_length("gather", "slice_sizes", slice_sizes, operand.ndim)
    dropped = (*collapsed_slice_dims, *operand_batching_dims)
    check_axes("gather", operand.ndim, dropped, "collapsed and batching axes")
    if any(not 0 <= size <= extent for size, extent in zip(slice_sizes, operand.shape, strict=True)):
        raise ValueError(
            f"gather: slice_sizes {slice_sizes} must be within the operand's shape {operand.shape}"
        )
    if any(slice_sizes[axis] > 1 for axis in dropped):
        raise ValueError(
            f"gather: slice_sizes {slice_sizes} must be at most 1 on collapsed and batching axes {dropped}"
        )
    window = [slice_sizes[axis] for axis in without(dropped, operand.ndim)]
    ndim = indices.ndim - 1 + len(window)
    check_length("gather", "offset_dims", offset_dims, len(window))
    check_axes("gather", ndim, offset_dims, "offset_dims")
    shape = [0] * ndim
    for axis, extent in zip(offset_dims, window, strict=True):
        shape[axis] = extent
    for axis, extent in zip(without(offset_dims, ndim), indices.shape[:-1], strict=True):
        shape[axis] = extent
    if size_of(shape) and not size_of(slice_sizes):
        raise ValueError(
            f"gather: slice_sizes {slice_sizes} has no elements for a result of shape {tuple(shape)}"
        )
    return with_shape(operand, tuple(shape))


def _gather_impl(
    operand, indices, *, offset_dims, collapsed_slice_dims, start_index_map, operand_batching_dims,
    indices_batching_dims, slice_sizes, mode,
):  # fmt: skip
    window_axes = without((*collapsed_slice_dims, *operand_batching_dims), operand.ndim)
    index, valid = _window_indices(
        operand.shape, indices, window_axes, slice_sizes, start_index_map, operand_batching_dims,
        indices_batching_dims, mode,
    )  # fmt: skip
    shape = indices.shape[:-1] + tuple(slice_sizes[axis] for axis in window_axes)
    fill = np.array(_fill_value(operand.dtype, mode), operand.dtype)
    if operand.size == 0:
        out = np.full(shape, fill, operand.dtype)
    else:
        valid = valid.reshape(valid.shape + (1,) * len(window_axes))
        out = np.where(valid, np.broadcast_to(operand[index], shape), fill)
    order = np.argsort([*without(offset_dims, out.ndim), *offset_dims], kind="stable")
    return out.transpose(order).copy()


def gather_or_zero(operand: Array, indices: Array, p: dict) -> Array:
    """Gather, but with zeros where mode FILL has out of range indices."""
    return gather_p.bind(operand, indices, **(p | {"mode": ZERO if p["mode"] == FILL else p["mode"]}))


def _gather_vjp(ct, primals, out, needed, **p):
    operand, indices = primals
    return [
        scatter_p.bind(
            zeros_like(operand), indices, ct,
            update_window_dims=p["offset_dims"],
            inserted_window_dims=p["collapsed_slice_dims"],
            scatter_dims_to_operand_dims=p["start_index_map"],
            operand_batching_dims=p["operand_batching_dims"],
            indices_batching_dims=p["indices_batching_dims"],
            kind="add",
            mode=FILL if p["mode"] == ZERO else p["mode"],
            unique_indices=False,
        ),
        None,
    ]  # fmt: skip


def gather_batch(args, dims, size, **p):
    """The batching rule of gather."""
    (operand, indices), (operand_dim, indices_dim) = args, dims
    p["offset_dims"] = shifted(p["offset_dims"])
    if indices_dim is not None:
        indices = batch_first(indices, indices_dim, size)
        p["indices_batching_dims"] = shifted(p["indices_batching_dims"])
    if operand_dim is not None:
        operand = batch_first(operand, operand_dim, size)
        for name in ("collapsed_slice_dims", "start_index_map", "operand_batching_dims"):
            p[name] = shifted(p[name])
        p["slice_sizes"] = (size if indices_dim is None else min(size, 1), *p["slice_sizes"])
        if indices_dim is None:
            p["offset_dims"] = (0, *p["offset_dims"])
        else:
            p["operand_batching_dims"] = (0, *p["operand_batching_dims"])
            p["indices_batching_dims"] = (0, *p["indices_batching_dims"])
    return gather_p.bind(operand, indices, **p), 0


def _sections(*lists):
    return tuple(x for values in lists for x in (len(values), *values))


def _gather_lower(p, in_avals, out_avals):
    sections = _sections(
        p["offset_dims"], p["collapsed_slice_dims"], p["start_index_map"], p["operand_batching_dims"],
        p["indices_batching_dims"],
    )  # fmt: skip
    return (p["mode"], *sections, *p["slice_sizes"])


def _table() -> np.ndarray:
    return np.cos(np.arange(12.0) * 1.7).reshape(4, 3)


def _index(*values) -> np.ndarray:
    return np.array(values, np.int32)


_ROWS = {
    "offset_dims": (1,), "collapsed_slice_dims": (0,), "start_index_map": (0,), "operand_batching_dims": (),
    "indices_batching_dims": (), "slice_sizes": (1, 3), "mode": CLIP,
}  # fmt: skip
_WINDOWS = {
    "offset_dims": (0, 2), "collapsed_slice_dims": (), "start_index_map": (1, 0), "operand_batching_dims": (),
    "indices_batching_dims": (), "slice_sizes": (2, 2), "mode": CLIP,
}  # fmt: skip
_ALONG = {
    "offset_dims": (), "collapsed_slice_dims": (1,), "start_index_map": (1,), "operand_batching_dims": (0,),
    "indices_batching_dims": (0,), "slice_sizes": (1, 1), "mode": PROMISE_IN_BOUNDS,
}  # fmt: skip

gather_p = Primitive(
    "gather",
    abstract_eval=_gather_abstract,
    impl=_gather_impl,
    jvp=lambda primals, tangents, out, **p: gather_or_zero(tangents[0], primals[1], p),
    vjp=_gather_vjp,
    batch=gather_batch,
    lower=_gather_lower,
    samples=[
        Sample((_table, lambda: _index([3], [0], [3])), _ROWS, (0,)),
        Sample((_table, lambda: _index([[1], [9]], [[-2], [2]])), _ROWS | {"offset_dims": (0,)}, (0,)),
        Sample((_table, lambda: _index([0, 2], [1, 0], [5, 1])), _WINDOWS, (0,)),
        Sample((_table, lambda: _index([[0], [2]], [[1], [1]], [[2], [0]], [[0], [0]])), _ALONG, (0,)),
        Sample(
            (lambda: np.arange(12, dtype=np.int32).reshape(4, 3), lambda: _index([4], [1])),
            _ROWS | {"mode": FILL},
        ),
        Sample((_table, lambda: _index([3], [4], [-1], [0])), _ROWS | {"mode": ZERO}, (0,)),
    ],
)

# ---------------------------------------------------------------- scatter


def _window_sizes(operand, updates, update_window_dims, inserted, operand_batching):
    """The window's extent on each operand axis, and the axes that it has in the updates."""
    window_axes = without((*inserted, *operand_batching), operand.ndim)
    sizes = [1] * operand.ndim
    for axis, update_axis in zip(window_axes, update_window_dims, strict=True):
        sizes[axis] = updates.shape[update_axis]
    return tuple(sizes), window_axes


_SCATTERED_KINDS = {"set": ANY, "add": NUMERIC, "mul": NUMERIC, "min": REAL, "max": REAL}


def _scatter_abstract(
    operand, indices, updates, *, update_window_dims, inserted_window_dims, scatter_dims_to_operand_dims,
    operand_batching_dims, indices_batching_dims, kind, mode, unique_indices,
):  # fmt: skip
    if mode not in (FILL, CLIP, PROMISE_IN_BOUNDS):
        raise ValueError(f"scatter: mode must be 0 (fill), 1 (clip) or 2 (promise in bounds), got {mode}")
    if kind not in KINDS:
        raise ValueError(f"scatter: kind must be one of {', '.join(KINDS)}, got {kind!r}")
    check_same_dtype("scatter", operand, updates)
    check_kind("scatter", operand, _SCATTERED_KINDS[kind])
    _check_indices(
        "scatter",
        indices,
        scatter_dims_to_operand_dims,
        operand.ndim,
        indices_batching_dims,
        operand_batching_dims,
    )
    dropped = (*inserted_window_dims, *operand_batching_dims)
    check_axes("scatter", operand.ndim, dropped, "inserted and batching axes")
    check_axes("scatter", updates.ndim, update_window_dims, "update_window_dims")
    check_length("scatter", "update_window_dims", update_window_dims, operand.ndim - len(dropped))
    sizes, _ = _window_sizes(
        operand, updates, update_window_dims, inserted_window_dims, operand_batching_dims
    )
    batch = tuple(updates.shape[axis] for axis in without(update_window_dims, updates.ndim))
    if batch != indices.shape[:-1] or any(s > n and s > 1 for s, n in zip(sizes, operand.shape, strict=True)):
        raise ValueError(
            f"scatter: updates {updates.shape} must be {indices.shape[:-1]} outside "
            f"update_window_dims {update_window_dims}, and their windows fit into {operand.shape}"
        )
    return operand


def _scatter_impl(
    operand, indices, updates, *, update_window_dims, inserted_window_dims, scatter_dims_to_operand_dims,
    operand_batching_dims, indices_batching_dims, kind, mode, unique_indices,
):  # fmt: skip
    sizes, window_axes = _window_sizes(
        operand, updates, update_window_dims, inserted_window_dims, operand_batching_dims
    )
    index, valid = _window_indices(
        operand.shape, indices, window_axes, sizes, scatter_dims_to_operand_dims, operand_batching_dims,
        indices_batching_dims, mode,
    )  # fmt: skip
    ordered = updates.transpose(*without(update_window_dims, updates.ndim), *update_window_dims)
    out = operand.copy()
    if operand.size == 0:
        return out
    index = tuple(np.broadcast_to(i, ordered.shape)[valid].ravel() for i in index)
    values = ordered[valid].ravel()
    if kind == "set":
        # NumPy assigns in order: of duplicates, the last wins.
        out[index] = values
    else:
        ufuncs = {"add": np.add, "mul": np.multiply, "min": np.minimum, "max": np.maximum}
        ufuncs[kind].at(out, index, values)
    return out


def _gather_parameters(operand: Array, updates: Array, p: dict) -> dict:
    """Parameters of the gather that reads what this scatter writes."""
    sizes, _ = _window_sizes(
        operand, updates, p["update_window_dims"], p["inserted_window_dims"], p["operand_batching_dims"]
    )
    return {
        "offset_dims": p["update_window_dims"],
        "collapsed_slice_dims": p["inserted_window_dims"],
        "start_index_map": p["scatter_dims_to_operand_dims"],
        "operand_batching_dims": p["operand_batching_dims"],
        "indices_batching_dims": p["indices_batching_dims"],
        "slice_sizes": sizes,
        "mode": p["mode"],
    }


def _positions(x: Array) -> Array:
    """The int32 position of each element of `x` in row-major order."""
    return reshape(iota_p.bind(shape=(size_of(x.shape),), dtype=int32, dimension=0), x.shape)


class _Scatter:
    """One scatter's operands and parameters, for its derivative rules."""

    def __init__(self, primals, out, parameters):
        self.operand, self.indices, self.updates = primals
        self.out = out
        self.parameters = parameters
        self.gather_parameters = _gather_parameters(self.operand, self.updates, parameters)

    def scatter(self, operand: Array, updates: Array, kind: str) -> Array:
        return scatter_p.bind(operand, self.indices, updates, **(self.parameters | {"kind": kind}))

    def accumulate(self, updates: Array) -> Array:
        """Sum of the updates that go to each element of the operand."""
        return self.scatter(full(self.operand.shape, 0, updates.dtype), updates, "add")

    def read(self, operand: Array) -> Array:
        """What the operand holds where each update goes; 0 for updates that are dropped."""
        return gather_or_zero(operand, self.indices, self.gather_parameters)

    def winning_updates(self) -> Array:
        """Of kind 'set': which updates are left in the result."""
        order = _positions(self.updates)
        last = self.scatter(full(self.operand.shape, -1, int32), order, "set")
        return eq(gather_p.bind(last, self.indices, **(self.gather_parameters | {"mode": CLIP})), order)

    def other_factors(self) -> Array:
        """Of kind 'mul': for each update, the product of all else that its element is multiplied with.

        Exact with zeros among the updates too; but second derivatives of two zeros at one element are 0.
        """
        if self.parameters["unique_indices"]:
            return self.read(self.operand)
        zero = eq(self.updates, 0)
        nonzero = select(zero, 1, self.updates)
        count = self.read(self.accumulate(convert(zero, int32)))
        product = self.read(self.scatter(self.operand, nonzero, "mul"))
        contributes = eq(count, convert(zero, int32))
        return select(contributes, div(product, nonzero), 0)

    def ties(self) -> tuple[Array, Array, Array]:
        """Of kind 'min' and 'max': where operand and updates are the extremum, and how many are."""
        kept = eq(self.operand, self.out)
        won = eq(self.updates, gather_p.bind(self.out, self.indices, **self.gather_parameters))
        dtype = self.out.dtype
        return kept, won, add_p.bind(convert(kept, dtype), self.accumulate(convert(won, dtype)))


def _scatter_jvp(primals, tangents, out, **p):
    s, kind = _Scatter(primals, out, p), p["kind"]
    dx, du = tangents[0], tangents[2]
    if kind in ("set", "add"):
        dx = zeros_like(s.operand) if dx is None else dx
        return s.scatter(dx, zeros_like(s.updates) if du is None else du, kind)
    if kind == "mul":
        of_operand = None if dx is None else s.scatter(dx, s.updates, "mul")
        of_updates = None if du is None else s.accumulate(mul(du, s.other_factors()))
        if of_operand is None or of_updates is None:
            return of_updates if of_operand is None else of_operand
        return add_p.bind(of_operand, of_updates)
    kept, won, count = s.ties()
    total = zeros_like(s.operand) if dx is None else select(kept, dx, 0)
    if du is not None:
        total = s.scatter(total, select(won, du, 0), "add")
    return div(total, count)


def _scatter_vjp(ct, primals, out, needed, **p):
    s, kind = _Scatter(primals, out, p), p["kind"]
    dx = du = None
    if kind == "add":
        dx = ct
        du = s.read(ct) if needed[2] else None
    elif kind == "set":
        dx = s.scatter(ct, zeros_like(s.updates), "set") if needed[0] else None
        if needed[2]:
            du = s.read(ct)
            if not p["unique_indices"]:
                du = select(s.winning_updates(), du, 0)
    elif kind == "mul":
        dx = s.scatter(ct, s.updates, "mul") if needed[0] else None
        du = mul(s.read(ct), s.other_factors()) if needed[2] else None
    else:
        kept, won, count = s.ties()
        share = div(ct, count)
        dx = select(kept, share, 0) if needed[0] else None
        du = select(won, s.read(share), 0) if needed[2] else None
    return [dx, None, du]


def scatter_batch(args, dims, size, **p):
    """The batching rule of scatter."""
    operand, indices, updates = args
    operand, updates = batch_first(operand, dims[0], size), batch_first(updates, dims[2], size)
    for name in (
        "update_window_dims",
        "inserted_window_dims",
        "scatter_dims_to_operand_dims",
        "operand_batching_dims",
    ):
        p[name] = shifted(p[name])
    if dims[1] is None:
        p["update_window_dims"] = (0, *p["update_window_dims"])
    else:
        indices = batch_first(indices, dims[1], size)
        p["operand_batching_dims"] = (0, *p["operand_batching_dims"])
        p["indices_batching_dims"] = (0, *shifted(p["indices_batching_dims"]))
    return scatter_p.bind(operand, indices, updates, **p), 0


def _scatter_lower(p, in_avals, out_avals):
    sections = _sections(
        p["update_window_dims"], p["inserted_window_dims"], p["scatter_dims_to_operand_dims"],
        p["operand_batching_dims"], p["indices_batching_dims"],
    )  # fmt: skip
    return (p["mode"], KINDS.index(p["kind"]), int(p["unique_indices"]), *sections)


_INTO_ROWS = {
    "update_window_dims": (1,), "inserted_window_dims": (0,), "scatter_dims_to_operand_dims": (0,),
    "operand_batching_dims": (), "indices_batching_dims": (), "mode": FILL, "unique_indices": False,
}  # fmt: skip
_INTO_WINDOWS = {
    "update_window_dims": (0, 2), "inserted_window_dims": (), "scatter_dims_to_operand_dims": (1, 0),
    "operand_batching_dims": (), "indices_batching_dims": (), "mode": CLIP, "unique_indices": False,
}  # fmt: skip
_INTO_ALONG = {
    "update_window_dims": (), "inserted_window_dims": (1,), "scatter_dims_to_operand_dims": (1,),
    "operand_batching_dims": (0,), "indices_batching_dims": (0,), "mode": PROMISE_IN_BOUNDS,
    "unique_indices": True,
}  # fmt: skip


def _updates(*shape: int) -> np.ndarray:
    return np.sin(1 + np.arange(size_of(shape)) * 2.3).reshape(shape)


def _scatter_samples(kind: str) -> list[Sample]:
    with_kind = {"kind": kind}
    return [
        # A duplicate, and one out of range.
        Sample(
            (_table, lambda: _index([3], [0], [3], [7]), lambda: _updates(4, 3)),
            _INTO_ROWS | with_kind,
            (0, 2),
        ),
        Sample(
            (_table, lambda: _index([0, 2], [1, 1]), lambda: _updates(2, 2, 2)),
            _INTO_WINDOWS | with_kind,
            (0, 2),
        ),
        Sample(
            (_table, lambda: _index([[0]], [[1]], [[2]], [[0]]), lambda: _updates(4, 1)),
            _INTO_ALONG | with_kind,
            (0, 2),
        ),
        Sample(
            (
                lambda: np.arange(12, dtype=np.int32).reshape(4, 3),
                lambda: _index([1], [1]),
                lambda: np.array([[1, 2, 3], [6, 5, 4]], np.int32),
            ),
            _INTO_ROWS | with_kind,
        ),
    ]


#: Of 'set' with duplicate indices the last update wins, in the derivative too; 'min' and 'max' share the
#: derivative equally among ties.
scatter_p = Primitive(
    "scatter",
    abstract_eval=_scatter_abstract,
    impl=reference(_scatter_impl),
    jvp=_scatter_jvp,
    vjp=_scatter_vjp,
    batch=scatter_batch,
    lower=_scatter_lower,
    samples=[sample for kind in KINDS for sample in _scatter_samples(kind)],
)

# ---------------------------------------------------------------- along an axis


def take_along_axis(x: Array, indices: Array, axis: int) -> Array:
    """`x` read along `axis` at `indices`, integers in range, which only along `axis` may differ in shape."""
    others = without((axis,), x.ndim)
    return gather_p.bind(
        x, reshape(indices, (*indices.shape, 1)),
        offset_dims=(), collapsed_slice_dims=(axis,), start_index_map=(axis,), operand_batching_dims=others,
        indices_batching_dims=others, slice_sizes=(1,) * x.ndim, mode=PROMISE_IN_BOUNDS,
    )  # fmt: skip


def put_along_axis(indices: Array, values: Array, axis: int) -> Array:
    """`take_along_axis`'s inverse for `indices` that are permutations along `axis`."""
    others = without((axis,), values.ndim)
    return scatter_p.bind(
        zeros_like(values), reshape(indices, (*indices.shape, 1)), values,
        update_window_dims=(), inserted_window_dims=(axis,), scatter_dims_to_operand_dims=(axis,),
        operand_batching_dims=others, indices_batching_dims=others, kind="set", mode=PROMISE_IN_BOUNDS,
        unique_indices=True,
    )  # fmt: skip
