"""Collectives: operations along an axis that `vmap` has named.

Each takes, besides its operand, the index of the item along that axis (see `core.named_axes`). Mapping the
index is what resolves a collective: its batching rule then sees all the items. Where another axis is mapped,
the collective is recorded again for the larger operand.

Derivatives are per item, in the convention of JAX: the cotangents of all items flow back, so that the
transpose of psum is psum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from .._native import Array, from_numpy
from ..core.avals import ShapedArray
from ..core.primitive import Primitive
from ._helpers import NUMERIC, REAL_OR_BOOL, check_kind, constant_like, with_shape
from .conversion import convert
from .dynamic_slice import dynamic_slice_p
from .elementwise import div, eq, mul, select
from .indexing import PROMISE_IN_BOUNDS, gather_p
from .layout import batch_first, broadcast_in_dim_p, move_axis, reduce_sum, reshape
from .reduction import reduce_max_p, reduce_min_p
from .shape import concatenate_p, pad_p

Result = tuple[Array, int | None]


class Collective(Primitive):
    """A primitive with operands (x, index of the item). It has a meaning only within `vmap`.

    Args:
        name, abstract_eval, jvp, vjp: as of any primitive; `abstract_eval` without the aval of the index.
        resolve: (x, its batch axis or None, size, **parameters) → (result, its batch axis or None).
        rebind: (x, its batch axis, index, **parameters) → (result, batch axis), where another axis is mapped.
    """

    __slots__ = ()

    def __init__(
        self,
        name: str,
        *,
        abstract_eval: Callable[..., ShapedArray],
        jvp: Callable,
        vjp: Callable,
        resolve: Callable[..., Result],
        rebind: Callable[..., Result] | None = None,
    ):
        def same_shape(x: Array, dim: int | None, index: Array, **parameters: Any) -> Result:
            return self.bind(x, index, **parameters), dim

        def batch(args: Sequence[Array], dims: Sequence[int | None], size: int, **parameters: Any) -> Result:
            if dims[1] is not None:
                return resolve(args[0], dims[0], size, **parameters)
            return (rebind or same_shape)(args[0], dims[0], args[1], **parameters)

        super().__init__(
            name,
            abstract_eval=lambda x, index, **parameters: abstract_eval(x, **parameters),
            impl=lambda *_, axis_name, **parameters: self._fail(axis_name),
            jvp=lambda primals, tangents, out, **parameters: jvp(
                tangents[0], primals[0], out, primals[1], **parameters
            ),
            vjp=lambda ct, primals, out, needed, **parameters: [
                vjp(ct, primals[0], out, primals[1], **parameters),
                None,
            ],
            batch=batch,
        )

    def execute(self, operands: Sequence[Array], parameters: dict[str, Any]) -> NoReturn:
        """Raise NameError: a collective of concrete arrays belongs to no `vmap`."""
        self._fail(parameters["axis_name"])

    def _fail(self, axis_name: Any) -> NoReturn:
        raise NameError(
            f"{self.name}: the axis {axis_name!r} is not mapped; run it inside of ft.vmap(…, axis_name=…)"
        )


# ---------------------------------------------------------------- reductions


def _checked(name: str, kinds: str) -> Callable[..., ShapedArray]:
    def abstract_eval(x: ShapedArray, *, axis_name: Any) -> ShapedArray:
        check_kind(name, x, kinds)
        return x

    return abstract_eval


psum_p = Collective(
    "psum",
    abstract_eval=_checked("psum", NUMERIC),
    jvp=lambda t, x, out, index, **p: psum_p.bind(t, index, **p),
    vjp=lambda ct, x, out, index, **p: psum_p.bind(ct, index, **p),
    resolve=lambda x, dim, size, **_: (mul(x, size) if dim is None else reduce_sum(x, (dim,)), None),
)


def _extremum(name: str, reduction: Primitive) -> Collective:
    """Items that share the extremum share its derivative equally, as in the reductions."""

    def share(x, out, index, p):
        hit = eq(x, out)
        return hit, psum_p.bind(convert(hit, x.dtype), index, **p)

    def jvp(t, x, out, index, **p):
        hit, count = share(x, out, index, p)
        return div(psum_p.bind(select(hit, t, 0), index, **p), count)

    def vjp(ct, x, out, index, **p):
        hit, count = share(x, out, index, p)
        return select(hit, div(psum_p.bind(ct, index, **p), count), 0)

    return Collective(
        name,
        abstract_eval=_checked(name, REAL_OR_BOOL),
        jvp=jvp,
        vjp=vjp,
        resolve=lambda x, dim, size, **_: (x if dim is None else reduction.bind(x, axes=(dim,)), None),
    )


pmax_p = _extremum("pmax", reduce_max_p)
pmin_p = _extremum("pmin", reduce_min_p)

# ---------------------------------------------------------------- exchange of items


def _all_gather_abstract(x, *, axis_name, axis_size, axis):
    if not 0 <= axis <= x.ndim:
        raise ValueError(f"all_gather: axis must be in [0, {x.ndim}], got {axis}")
    return with_shape(x, (*x.shape[:axis], axis_size, *x.shape[axis:]))


def _all_gather_resolve(x, dim, size, *, axis_name, axis_size, axis):
    return move_axis(batch_first(x, dim, size), 0, axis), None


def _all_gather_rebind(x, dim, index, *, axis_name, axis_size, axis):
    x = move_axis(x, dim, 0)
    return all_gather_p.bind(x, index, axis_name=axis_name, axis_size=axis_size, axis=axis + 1), 0


def _all_gather_vjp(ct, x, out, index, *, axis_name, axis_size, axis):
    """The sum of all items' cotangents, of which each item takes its own slice."""
    total = move_axis(psum_p.bind(ct, index, axis_name=axis_name), axis, 0)
    rest = pad_p.bind(reshape(index, (1,)), constant_like(index, 0), low=(0,), high=(x.ndim,), interior=(0,))
    return reshape(dynamic_slice_p.bind(total, rest, slice_sizes=(1, *x.shape)), x.shape)


all_gather_p = Collective(
    "all_gather",
    abstract_eval=_all_gather_abstract,
    jvp=lambda t, x, out, index, **p: all_gather_p.bind(t, index, **p),
    vjp=_all_gather_vjp,
    resolve=_all_gather_resolve,
    rebind=_all_gather_rebind,
)


def _all_to_all_abstract(x, *, axis_name, axis_size, split_axis, concat_axis):
    for name, axis in (("split_axis", split_axis), ("concat_axis", concat_axis)):
        if not 0 <= axis < x.ndim:
            raise ValueError(f"all_to_all: {name} must be in [0, {x.ndim}), got {axis}")
    if x.shape[split_axis] != axis_size:
        raise ValueError(
            f"all_to_all: axis {split_axis} of shape {x.shape} is split among the items of axis "
            f"{axis_name!r}, so its extent must be {axis_size}"
        )
    rest = [*x.shape[:split_axis], *x.shape[split_axis + 1 :]]
    return with_shape(x, (*rest[:concat_axis], axis_size, *rest[concat_axis:]))


def _all_to_all_resolve(x, dim, size, *, axis_name, axis_size, split_axis, concat_axis):
    swapped = move_axis(batch_first(x, dim, size), split_axis + 1, 0)
    return move_axis(swapped, 1, concat_axis + 1), 0


def _all_to_all_rebind(x, dim, index, *, split_axis, concat_axis, **p):
    x = move_axis(x, dim, 0)
    return all_to_all_p.bind(x, index, split_axis=split_axis + 1, concat_axis=concat_axis + 1, **p), 0


all_to_all_p = Collective(
    "all_to_all",
    abstract_eval=_all_to_all_abstract,
    jvp=lambda t, x, out, index, **p: all_to_all_p.bind(t, index, **p),
    vjp=lambda ct, x, out, index, *, split_axis, concat_axis, **p: all_to_all_p.bind(
        ct, index, split_axis=concat_axis, concat_axis=split_axis, **p
    ),
    resolve=_all_to_all_resolve,
    rebind=_all_to_all_rebind,
)


def _ppermute_abstract(x, *, axis_name, axis_size, perm):
    for what, positions in (("sources", [a for a, _ in perm]), ("destinations", [b for _, b in perm])):
        if len(set(positions)) != len(positions) or any(not 0 <= i < axis_size for i in positions):
            raise ValueError(
                f"ppermute: the {what} of perm must be distinct and in [0, {axis_size}), the size of axis "
                f"{axis_name!r}; got {perm}"
            )
    return x


def _ppermute_resolve(x, dim, size, *, axis_name, axis_size, perm):
    items = batch_first(x, dim, size)
    shape = items.shape[1:]
    zeros = broadcast_in_dim_p.bind(constant_like(x, 0), shape=(1, *shape), dims=())
    sources = np.full((size, 1), size, np.int32)  # the row of zeros, where nothing arrives
    for source, destination in perm:
        sources[destination] = source
    moved = gather_p.bind(
        concatenate_p.bind(items, zeros, axis=0),
        from_numpy(sources),
        offset_dims=tuple(range(1, items.ndim)),
        collapsed_slice_dims=(0,),
        start_index_map=(0,),
        operand_batching_dims=(),
        indices_batching_dims=(),
        slice_sizes=(1, *shape),
        mode=PROMISE_IN_BOUNDS,
    )
    return moved, 0


ppermute_p = Collective(
    "ppermute",
    abstract_eval=_ppermute_abstract,
    jvp=lambda t, x, out, index, **p: ppermute_p.bind(t, index, **p),
    vjp=lambda ct, x, out, index, *, perm, **p: ppermute_p.bind(
        ct, index, perm=tuple((b, a) for a, b in perm), **p
    ),
    resolve=_ppermute_resolve,
)
