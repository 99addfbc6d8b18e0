"""Reductions of windows: what pooling is made of.

Every axis has a window, the step between its positions, the step between its elements, and padding, negative
to crop, which does not count: it is the neutral element of the reduction.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from .._native import Array, Dtype, int32, int64
from ..core.avals import shaped_array
from ..core.primitive import Primitive, Sample, zero_derivative
from ._factories import add_p
from ._helpers import (
    NUMERIC,
    REAL,
    REAL_OR_BOOL,
    accumulator,
    check_kind,
    constant_like,
    reference,
    size_of,
    with_shape,
)
from .conversion import convert
from .convolution import check_window, dilated_extent, padded, positions
from .elementwise import mul, sub_p
from .indexing import FILL, gather_or_zero, scatter_p
from .layout import batch_first, broadcast_in_dim_p, reduce_sum, reshape, zeros_like
from .reduction import other_factors
from .shape import concatenate_p, iota_p, pad_p, slice_p

Index = tuple[slice, ...]


def _window_shape(name: str, operand, *, window, strides, padding, dilation) -> tuple[int, ...]:
    check_window(name, operand.ndim, padding, window=window, strides=strides, dilation=dilation)
    return tuple(
        positions(extent + low + high, dilated_extent(k, d), s)
        for extent, k, s, (low, high), d in zip(
            operand.shape, window, strides, padding, dilation, strict=True
        )
    )


def _taps(shape: tuple[int, ...], p: dict) -> Iterator[Index]:
    """For each element of the window, where in the padded operand it is at the positions, `shape` of them."""
    for tap in itertools.product(*map(range, p["window"])):
        yield tuple(
            slice(k * d, k * d + max((n - 1) * s + 1, 0), s)
            for k, d, n, s in zip(tap, p["dilation"], shape, p["strides"], strict=True)
        )


def _reduce_impl(name: str, function: Callable, initial: Callable) -> Callable:
    def impl(operand, **p):
        shape = _window_shape(name, operand, **p)
        start = initial(operand.dtype)
        x = padded(operand, p["padding"], (1,) * operand.ndim, start).astype(accumulator(operand.dtype))
        out = np.full(shape, start, x.dtype)
        for tap in _taps(shape, p):
            out = function(out, x[tap])
        return out.astype(operand.dtype)

    return reference(impl)


def _batch(args, dims, size, primitive, p):
    d = dims[0]
    unit = {"window": 1, "strides": 1, "padding": (0, 0), "dilation": 1}
    batched = {name: (*p[name][:d], value, *p[name][d:]) for name, value in unit.items()}
    return primitive.bind(args[0], **batched), d


def _lower(p, in_avals, out_avals):
    return (*p["window"], *p["strides"], *[low for low, _ in p["padding"]], *p["dilation"])


_PARAMETERS = [
    {"window": (1, 2), "strides": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)},
    {"window": (2, 3), "strides": (2, 1), "padding": ((1, 0), (1, 2)), "dilation": (1, 2)},
    {"window": (2, 2), "strides": (2, 2), "padding": ((0, 1), (-1, 0)), "dilation": (1, 1)},
]


def _operand() -> np.ndarray:
    return np.cos(np.arange(12) * 1.7).reshape(3, 4)


def _samples(differentiable: bool = True, dtypes=(np.int32,)) -> list[Sample]:
    positions_ = (0,) if differentiable else ()
    samples = [Sample((_operand,), p, positions_) for p in _PARAMETERS]
    line = {"window": (3,), "strides": (2,), "padding": ((1, 1),), "dilation": (1,)}
    samples.append(Sample((lambda: np.sin(np.arange(5) * 2.3),), line, positions_))
    integers = [Sample((lambda t=t: np.arange(12).reshape(3, 4).astype(t),), _PARAMETERS[1]) for t in dtypes]
    return samples + integers


def _primitive(name: str, kinds: str, impl: Callable, jvp: Callable, vjp: Callable, samples) -> Primitive:
    def abstract_eval(operand, **p):
        check_kind(name, operand, kinds)
        return with_shape(operand, _window_shape(name, operand, **p))

    primitive = Primitive(
        name,
        abstract_eval=abstract_eval,
        impl=impl,
        jvp=jvp,
        vjp=vjp,
        batch=lambda args, dims, size, **p: _batch(args, dims, size, primitive, p),
        lower=_lower,
        samples=samples,
    )
    return primitive


# ---------------------------------------------------------------- sum


def _spread(ct: Array, operand: Array, p: dict) -> Array:
    """The transpose of the sum: every element gathers the cotangents of the windows that reached it."""
    if ct.size == 0:
        return zeros_like(operand)
    low, high, interior = [], [], []
    for n, k, d, s, (before, _), places in zip(
        operand.shape, p["window"], p["dilation"], p["strides"], p["padding"], ct.shape, strict=True
    ):
        reach = dilated_extent(k, d) - 1
        low.append(reach - before)
        high.append(n + before - dilated_extent(places, s))
        interior.append(s - 1)
    spread = pad_p.bind(
        ct, constant_like(ct, 0), low=tuple(low), high=tuple(high), interior=tuple(interior)
    )  # fmt: skip
    ones, zeros = (1,) * ct.ndim, ((0, 0),) * ct.ndim
    return reduce_window_sum_p.bind(
        spread, window=p["window"], strides=ones, padding=zeros, dilation=p["dilation"]
    )


reduce_window_sum_p = _primitive(
    "reduce_window_sum",
    NUMERIC,
    _reduce_impl("reduce_window_sum", np.add, lambda dtype: 0),
    lambda primals, tangents, out, **p: reduce_window_sum_p.bind(tangents[0], **p),
    lambda ct, primals, out, needed, **p: [_spread(ct, primals[0], p)],
    [
        *_samples(),
        Sample((lambda: _operand() * (1 + 2j),), _PARAMETERS[1], (0,)),
        Sample((lambda: np.zeros((0, 4)),), _PARAMETERS[1], (0,)),
    ],
)

# ---------------------------------------------------------------- maximum and minimum
#
# The derivative is that of the first extremum of a window, in row-major order: where it is, counted in the
# flattened operand, is a primitive of its own, so that derivatives are gather and scatter.


def _lowest(dtype: np.dtype):
    return False if dtype.kind == "b" else -np.inf if dtype.kind not in "iu" else np.iinfo(dtype).min


def _highest(dtype: np.dtype):
    return True if dtype.kind == "b" else np.inf if dtype.kind not in "iu" else np.iinfo(dtype).max


def _index_dtype(size: int) -> Dtype:
    return int32 if size < 2**31 else int64


def _argument_impl(name: str, better: Callable) -> Callable:
    def impl(operand, **p):
        shape = _window_shape(name, operand, **p)
        ones = (1,) * operand.ndim
        index = padded(np.arange(operand.size).reshape(operand.shape), p["padding"], ones, -1)
        x = padded(operand, p["padding"], ones)
        best, out = np.zeros(shape, operand.dtype), np.full(shape, -1, np.int64)
        for tap in _taps(shape, p):
            with np.errstate(invalid="ignore"):
                nan = np.isnan(x[tap]) & ~np.isnan(best) if x.dtype.kind not in "biu" else False
                wins = (index[tap] >= 0) & ((out < 0) | better(x[tap], best) | nan)
            best, out = np.where(wins, x[tap], best), np.where(wins, index[tap], out)
        return out.astype(_index_dtype(operand.size).name)

    return impl


def _window_argument(name: str, better: Callable) -> Primitive:
    def abstract_eval(operand, **p):
        check_kind(name, operand, REAL)
        return shaped_array(_window_shape(name, operand, **p), _index_dtype(operand.size))

    def batch(args, dims, size, **p):
        operand = batch_first(args[0], dims[0], size)
        index, _ = _batch((operand,), (0,), size, primitive, p)
        # Counted in its own example; -1, where a window has padding alone, stays below 0.
        of_example = size_of(operand.shape[1:])
        start = iota_p.bind(shape=(size,), dtype=index.dtype, dimension=0)
        start = mul(start, constant_like(start, of_example))
        index = sub_p.bind(index, broadcast_in_dim_p.bind(start, shape=index.shape, dims=(0,)))
        return convert(index, _index_dtype(of_example)), 0

    primitive = Primitive(
        name,
        abstract_eval=abstract_eval,
        impl=_argument_impl(name, better),
        jvp=zero_derivative,
        vjp=zero_derivative,
        batch=batch,
        lower=_lower,
        samples=_samples(differentiable=False),
    )
    return primitive


#: Where in the flattened operand the first extremum of each window is; -1 for a window of padding alone.
window_argmax_p = _window_argument("window_argmax", np.greater)
window_argmin_p = _window_argument("window_argmin", np.less)

_ELEMENTS = {
    "indices_batching_dims": (),
    "operand_batching_dims": (),
    "mode": FILL,
}


def _extremum(name: str, argument: Primitive, function: Callable, initial: Callable) -> Primitive:
    def where(x: Array, p: dict) -> Array:
        index = argument.bind(x, **p)
        return reshape(index, (*index.shape, 1))

    def jvp(primals, tangents, out, **p):
        x = primals[0]
        return gather_or_zero(
            reshape(tangents[0], (x.size,)), where(x, p),
            {"offset_dims": (), "collapsed_slice_dims": (0,), "start_index_map": (0,), "slice_sizes": (1,)}
            | _ELEMENTS,
        )  # fmt: skip

    def vjp(ct, primals, out, needed, **p):
        x = primals[0]
        if x.size == 0:
            return [zeros_like(x)]
        flat = scatter_p.bind(
            reshape(zeros_like(x), (x.size,)), where(x, p), ct,
            update_window_dims=(), inserted_window_dims=(0,), scatter_dims_to_operand_dims=(0,),
            kind="add", unique_indices=False, **_ELEMENTS,
        )  # fmt: skip
        return [reshape(flat, x.shape)]

    return _primitive(
        name,
        REAL_OR_BOOL,
        _reduce_impl(name, function, initial),
        jvp,
        vjp,
        _samples(dtypes=(np.int32, np.bool_)),
    )


reduce_window_max_p = _extremum("reduce_window_max", window_argmax_p, np.maximum, _lowest)
reduce_window_min_p = _extremum("reduce_window_min", window_argmin_p, np.minimum, _highest)

# ---------------------------------------------------------------- product


def _elements(x: Array, shape: tuple[int, ...], p: dict, value: float) -> Array:
    """The elements of the windows in a new last axis; `value` where they are padding."""
    low, high = (tuple(side) for side in zip(*p["padding"], strict=True)) if x.ndim else ((), ())
    x = pad_p.bind(x, constant_like(x, value), low=low, high=high, interior=(0,) * x.ndim)
    parts = []
    for tap in _taps(shape, p):
        start, limit, strides = (
            zip(*[(t.start, t.stop, t.step) for t in tap], strict=True) if tap else ((),) * 3
        )
        parts.append(reshape(slice_p.bind(x, start=start, limit=limit, strides=strides), (*shape, 1)))
    return concatenate_p.bind(*parts, axis=x.ndim)


def _factors(x: Array, shape: tuple[int, ...], p: dict) -> Array:
    """For each element of each window, the product of the others."""
    return other_factors(_elements(x, shape, p, 1), (x.ndim,))


def _product_jvp(primals, tangents, out, **p):
    tangent = _elements(tangents[0], out.shape, p, 0)
    return reduce_sum(mul(tangent, _factors(primals[0], out.shape, p)), (out.ndim,))


def _product_vjp(ct, primals, out, needed, **p):
    x = primals[0]
    if ct.size == 0:
        return [zeros_like(x)]
    last = out.ndim
    factors = _factors(x, out.shape, p)
    shares = mul(broadcast_in_dim_p.bind(ct, shape=factors.shape, dims=tuple(range(last))), factors)
    # Each share goes to the element that it belongs to: a window of one, at the place of the tap.
    total = zeros_like(x)
    for i, tap in enumerate(itertools.product(*map(range, p["window"]))):
        share = slice_p.bind(
            shares, start=(0,) * last + (i,), limit=(*out.shape, i + 1), strides=(1,) * (last + 1)
        )
        padding = tuple(
            (low - k * d, 0) for (low, _), k, d in zip(p["padding"], tap, p["dilation"], strict=True)
        )
        one = p | {"window": (1,) * last, "padding": padding, "dilation": (1,) * last}
        total = add_p.bind(total, _spread(reshape(share, out.shape), x, one))
    return [total]


reduce_window_prod_p = _primitive(
    "reduce_window_prod",
    NUMERIC,
    _reduce_impl("reduce_window_prod", np.multiply, lambda dtype: 1),
    _product_jvp,
    _product_vjp,
    _samples(),
)
