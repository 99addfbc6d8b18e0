"""Broadcasting, reshaping, transposing, and reduce_sum, which is broadcasting's transpose.

The rules of all other primitives are built on these, so they come first.
"""

from __future__ import annotations

import numpy as np

from .._native import Array, Dtype, scalar
from ..core.avals import ShapedArray
from ..core.primitive import Primitive, Sample
from ._helpers import (
    NUMERIC,
    accumulator,
    check_axes,
    check_kind,
    check_length,
    reference,
    shifted,
    size_of,
    with_shape,
    without,
)


def _matrix() -> np.ndarray:
    return np.array([[0.5, -1.25, 2.0], [3.0, 0.75, -0.5]])


# ---------------------------------------------------------------- broadcast_in_dim


def _broadcast_in_dim_abstract(operand, *, shape, dims):
    check_length("broadcast_in_dim", "dims", dims, operand.ndim)
    if list(dims) != sorted(set(dims)) or any(not 0 <= d < len(shape) for d in dims):
        raise ValueError(f"broadcast_in_dim: dims must increase and be in [0, {len(shape)}), got {dims}")
    if any(extent not in (1, shape[d]) for extent, d in zip(operand.shape, dims, strict=True)):
        raise ValueError(
            f"broadcast_in_dim: shape {operand.shape} does not broadcast to {shape} with dims {dims}: "
            "each of its extents must be 1 or that of its result axis"
        )
    return with_shape(operand, shape)


def _broadcast_in_dim_impl(operand, *, shape, dims):
    aligned = np.ones(len(shape), dtype=int)
    aligned[list(dims)] = operand.shape
    return np.broadcast_to(operand.reshape(aligned), shape).copy()


def _broadcast_in_dim_vjp(ct, primals, out, needed, *, shape, dims):
    operand = primals[0]
    stretched = {d for extent, d in zip(operand.shape, dims, strict=True) if extent != shape[d]}
    axes = tuple(axis for axis in range(len(shape)) if axis not in dims or axis in stretched)
    return [reshape(reduce_sum(ct, axes), operand.shape)]


def _broadcast_in_dim_batch(args, dims_in, size, *, shape, dims):
    d = dims_in[0]
    out_dim = dims[d - 1] + 1 if d > 0 else 0
    batched_shape = (*shape[:out_dim], size, *shape[out_dim:])
    batched_dims = (*dims[:d], out_dim, *[x + 1 for x in dims[d:]])
    return broadcast_in_dim_p.bind(args[0], shape=batched_shape, dims=batched_dims), out_dim


broadcast_in_dim_p = Primitive(
    "broadcast_in_dim",
    abstract_eval=_broadcast_in_dim_abstract,
    impl=_broadcast_in_dim_impl,
    jvp=lambda primals, tangents, out, **p: broadcast_in_dim_p.bind(tangents[0], **p),
    vjp=_broadcast_in_dim_vjp,
    batch=_broadcast_in_dim_batch,
    lower=lambda p, in_avals, out_avals: p["dims"],
    samples=[
        Sample((_matrix,), {"shape": (2, 4, 3), "dims": (0, 2)}, (0,)),
        Sample((lambda: _matrix()[:1],), {"shape": (2, 3), "dims": (0, 1)}, (0,)),
        Sample((lambda: np.array(1.5),), {"shape": (2,), "dims": ()}, (0,)),
        Sample((lambda: np.array([True, False]),), {"shape": (2, 2), "dims": (1,)}),
    ],
)


def broadcast_in_dim(x: Array, shape: tuple[int, ...], dims: tuple[int, ...]) -> Array:
    """`x` broadcast so that its axis i is axis `dims[i]` of `shape`; `x` itself if it has that shape."""
    return x if x.shape == shape else broadcast_in_dim_p.bind(x, shape=shape, dims=dims)


def broadcast_scalar(x: Array, shape: tuple[int, ...]) -> Array:
    """The scalar `x` everywhere in an array of `shape`; an `x` of that shape as it is."""
    return broadcast_in_dim(x, shape, ())


def full(shape: tuple[int, ...], value: complex, dtype: Dtype) -> Array:
    """An array of one value, broadcast from an immediate scalar."""
    return broadcast_scalar(scalar(value, dtype, False), shape)


def zeros_like(x: Array | ShapedArray) -> Array:
    """Zeros of the shape and dtype of an array or aval."""
    return full(x.shape, 0, x.dtype)


def expand(x: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """Undo a reduction over `axes`: `x` repeated along them, to `shape`."""
    return broadcast_in_dim(x, shape, without(axes, len(shape)))


# ---------------------------------------------------------------- reshape


def _reshape_abstract(operand, *, shape):
    if any(extent < 0 for extent in shape) or size_of(shape) != operand.size:
        raise ValueError(f"reshape: cannot reshape {operand.shape} ({operand.size} elements) to {shape}")
    return with_shape(operand, shape)


def _reshape_batch(args, dims, size, *, shape):
    return reshape(move_axis(args[0], dims[0], 0), (size, *shape)), 0


reshape_p = Primitive(
    "reshape",
    abstract_eval=_reshape_abstract,
    impl=lambda operand, *, shape: operand.reshape(shape).copy(),
    jvp=lambda primals, tangents, out, *, shape: reshape(tangents[0], shape),
    vjp=lambda ct, primals, out, needed, *, shape: [reshape(ct, primals[0].shape)],
    batch=_reshape_batch,
    samples=[
        Sample((_matrix,), {"shape": (3, 1, 2)}, (0,)),
        Sample((lambda: np.array([2.5]),), {"shape": ()}, (0,)),
        Sample((lambda: np.arange(4, dtype=np.int32),), {"shape": (2, 2)}),
    ],
)


def reshape(x: Array, shape: tuple[int, ...]) -> Array:
    """`x` with another shape of as many elements; `x` itself if it has that shape."""
    return x if x.shape == shape else reshape_p.bind(x, shape=shape)


# ---------------------------------------------------------------- transpose


def _transpose_abstract(operand, *, permutation):
    if sorted(permutation) != list(range(operand.ndim)):
        raise ValueError(f"transpose: permutation must permute range({operand.ndim}), got {permutation}")
    return with_shape(operand, tuple(operand.shape[axis] for axis in permutation))


def _transpose_vjp(ct, primals, out, needed, *, permutation):
    inverse = sorted(range(len(permutation)), key=permutation.__getitem__)
    return [transpose_p.bind(ct, permutation=tuple(inverse))]


def _transpose_batch(args, dims, size, *, permutation):
    batched = (dims[0], *shifted(permutation, dims[0]))
    return transpose(args[0], batched), 0


transpose_p = Primitive(
    "transpose",
    abstract_eval=_transpose_abstract,
    impl=lambda operand, *, permutation: operand.transpose(permutation).copy(),
    jvp=lambda primals, tangents, out, **p: transpose_p.bind(tangents[0], **p),
    vjp=_transpose_vjp,
    batch=_transpose_batch,
    lower=lambda p, in_avals, out_avals: p["permutation"],
    samples=[
        Sample((_matrix,), {"permutation": (1, 0)}, (0,)),
        Sample((lambda: np.arange(12.0).reshape(2, 3, 2),), {"permutation": (2, 0, 1)}, (0,)),
    ],
)


def transpose(x: Array, permutation: tuple[int, ...]) -> Array:
    """`x` with its axes permuted; `x` itself for the identity."""
    if permutation == tuple(range(len(permutation))):
        return x
    return transpose_p.bind(x, permutation=permutation)


def move_axis(x: Array, source: int, destination: int) -> Array:
    """`x` with axis `source` moved to `destination`."""
    permutation = [axis for axis in range(x.ndim) if axis != source]
    permutation.insert(destination, source)
    return transpose(x, tuple(permutation))


def batch_first(x: Array, dim: int | None, size: int) -> Array:
    """`x` with its batch dimension in front: moved there, or made by broadcasting when `dim` is None."""
    if dim is None:
        return broadcast_in_dim_p.bind(x, shape=(size, *x.shape), dims=tuple(range(1, x.ndim + 1)))
    return move_axis(x, dim, 0)


# ---------------------------------------------------------------- reduce_sum


def reduction_abstract(name: str, kinds: str):
    """The `abstract_eval` of a reduction over `axes`."""

    def abstract_eval(operand, *, axes):
        check_kind(name, operand, kinds)
        check_axes(name, operand.ndim, axes)
        return with_shape(operand, tuple(operand.shape[axis] for axis in without(axes, operand.ndim)))

    return abstract_eval


def reduction_batch(args, dims, size, *, primitive, axes):
    """The batching rule of a reduction, once given its primitive."""
    d = dims[0]
    return primitive.bind(args[0], axes=shifted(axes, d)), d - sum(axis < d for axis in axes)


@reference
def _reduce_sum_impl(operand, *, axes):
    return np.sum(operand, axis=axes, dtype=accumulator(operand.dtype)).astype(operand.dtype)


reduce_sum_p = Primitive(
    "reduce_sum",
    abstract_eval=reduction_abstract("reduce_sum", NUMERIC),
    impl=_reduce_sum_impl,
    jvp=lambda primals, tangents, out, **p: reduce_sum_p.bind(tangents[0], **p),
    vjp=lambda ct, primals, out, needed, *, axes: [expand(ct, primals[0].shape, axes)],
    batch=lambda args, dims, size, *, axes: reduction_batch(
        args, dims, size, primitive=reduce_sum_p, axes=axes
    ),
    lower=lambda p, in_avals, out_avals: p["axes"],
    samples=[
        Sample((_matrix,), {"axes": (0,)}, (0,)),
        Sample((_matrix,), {"axes": (0, 1)}, (0,)),
        Sample((_matrix,), {"axes": ()}, (0,)),
        Sample((lambda: _matrix() * (1 + 2j),), {"axes": (1,)}, (0,)),
        Sample((lambda: np.arange(6, dtype=np.int32).reshape(2, 3),), {"axes": (1,)}),
        Sample((lambda: np.zeros((2, 0)),), {"axes": (1,)}, (0,)),
    ],
)


def reduce_sum(x: Array, axes: tuple[int, ...]) -> Array:
    """`x` summed over `axes`; `x` itself over none."""
    return reduce_sum_p.bind(x, axes=axes) if axes else x
