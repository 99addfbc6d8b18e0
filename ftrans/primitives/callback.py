"""Calls of the user's Python functions: pure ones, ones with an effect, and ones with nothing but that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._native import Array, float64
from ..core.avals import ShapedArray, shaped_array
from ..core.host import CallbackPrimitive, EffectPrimitive
from ..core.primitive import Sample, no_derivative, zero_derivative
from ._helpers import numpy_dtype
from .layout import batch_first, broadcast_in_dim_p

#: A function from NumPy arrays to what the results hold.
Callback = Callable[..., Sequence[Any]]

VMAP_METHODS = ("sequential", "expand_dims", "broadcast_all")


#: Kinds of Python numbers and of NumPy dtypes (bfloat16's is V): a number fits its own and those after it.
_KIND_OF_NUMBER = {bool: "b", int: "i", float: "f", complex: "c"}
_KINDS = "biufVc"


def _has_dtype(result: Any, dtype: np.dtype) -> bool:
    kind = _KIND_OF_NUMBER.get(type(result))
    if kind is None:
        return np.asarray(result).dtype == dtype
    return _KINDS.index(kind) <= _KINDS.index(dtype.kind)


def _store(outputs: Sequence[np.ndarray], results: Sequence[Any], callback: Callback) -> None:
    """Copy the results of a callback to where they belong.

    Raises:
        ValueError: the number of results is wrong, or a shape.
        TypeError: a dtype is wrong. A Python number has any dtype that holds its kind.
    """
    if len(results) != len(outputs):
        raise ValueError(f"{callback} returned {len(results)} arrays, expected {len(outputs)}")
    for i, (output, result) in enumerate(zip(outputs, results, strict=True)):
        if np.shape(result) != output.shape:
            raise ValueError(
                f"{callback}: result {i} has shape {np.shape(result)}, expected {output.shape} "
                "as result_shape_dtypes says"
            )
        if not _has_dtype(result, output.dtype):
            raise TypeError(
                f"{callback}: result {i} has dtype {np.asarray(result).dtype}, expected {output.dtype} "
                "as result_shape_dtypes says; convert it with .astype"
            )
        output[...] = result


def empty_results(out_avals: Sequence[ShapedArray]) -> list[np.ndarray]:
    """Memory for results."""
    return [np.empty(aval.shape, numpy_dtype(aval.dtype)) for aval in out_avals]


def _run(inputs: list[np.ndarray], outputs: list[np.ndarray], *, callback: Callback, **_: Any) -> None:
    _store(outputs, callback(*inputs), callback)


def _impl(
    *operands: np.ndarray, callback: Callback, out_avals: Sequence[ShapedArray], **_: Any
) -> list[np.ndarray]:
    outputs = empty_results(out_avals)
    _store(outputs, callback(*operands), callback)
    return outputs


class Lanes:
    """A callback applied to each lane of a batch in turn; the batch axis of all arrays is the first."""

    __slots__ = ("callback", "mapped", "size", "out_avals")

    def __init__(
        self, callback: Callback, mapped: tuple[bool, ...], size: int, out_avals: tuple[ShapedArray, ...]
    ):
        self.callback = callback
        self.mapped = mapped
        self.size = size
        self.out_avals = out_avals

    def __call__(self, *operands: np.ndarray) -> list[np.ndarray]:
        stacked = empty_results(_with_lanes(self.out_avals, self.size))
        for lane in range(self.size):
            results = self.callback(
                *[x[lane] if mapped else x for x, mapped in zip(operands, self.mapped, strict=True)]
            )
            _store([output[lane, ...] for output in stacked], results, self.callback)
        return stacked

    def __repr__(self) -> str:
        return repr(self.callback)


def _with_lanes(out_avals: Sequence[ShapedArray], size: int) -> tuple[ShapedArray, ...]:
    return tuple([shaped_array((size, *aval.shape), aval.dtype, aval.weak_type) for aval in out_avals])


def _sequentially(
    primitive: CallbackPrimitive,
    args: Sequence[Array],
    dims: Sequence[int | None],
    size: int,
    callback: Callback,
    out_avals: tuple[ShapedArray, ...],
    **parameters: Any,
) -> tuple[list[Array], list[int]]:
    operands = [x if d is None else batch_first(x, d, size) for x, d in zip(args, dims, strict=True)]
    lanes = Lanes(callback, tuple([d is not None for d in dims]), size, out_avals)
    outs = primitive.bind(*operands, callback=lanes, out_avals=_with_lanes(out_avals, size), **parameters)
    return outs, [0] * len(outs)


def _pure_batch(args, dims, size, *, callback, out_avals, vmap_method):
    if vmap_method is None:
        raise ValueError(
            f"{callback} under vmap needs to know how the function deals with a batch: pass "
            "vmap_method='sequential' to call it for each lane in turn, or 'expand_dims' or 'broadcast_all' "
            "to call it once with a leading batch axis"
        )
    if vmap_method == "sequential":
        return _sequentially(pure_callback_p, args, dims, size, callback, out_avals, vmap_method=vmap_method)
    lanes = size if vmap_method == "broadcast_all" else 1
    operands = [
        broadcast_in_dim_p.bind(x, shape=(lanes, *x.shape), dims=tuple(range(1, x.ndim + 1)))
        if d is None
        else batch_first(x, d, size)
        for x, d in zip(args, dims, strict=True)
    ]
    outs = pure_callback_p.bind(
        *operands, callback=callback, out_avals=_with_lanes(out_avals, size), vmap_method=vmap_method
    )
    return outs, [0] * len(outs)


_OPAQUE = no_derivative(
    "what the Python function computes is not known; wrap its use in a function with custom_jvp or custom_vjp"
)


def _largest(x: np.ndarray) -> list[Any]:
    """A callback for samples: exact, whatever the dtype."""
    return [np.float64(np.max(np.real(x), initial=0))]


_SAMPLES = {"callback": _largest, "out_avals": (shaped_array((), float64),)}
_OPERAND = (lambda: np.array([[0.5, -1.25, 2.0], [1.5, 0.75, -2.0]]),)

pure_callback_p = CallbackPrimitive(
    "pure_callback",
    run=_run,
    impl=_impl,
    jvp=_OPAQUE,
    vjp=_OPAQUE,
    batch=_pure_batch,
    samples=[Sample(_OPERAND, {**_SAMPLES, "vmap_method": "sequential"})],
)


def _io_batch(args, dims, size, *, callback, out_avals, ordered):
    return _sequentially(io_callback_p, args, dims, size, callback, out_avals, ordered=ordered)


io_callback_p = EffectPrimitive(
    "io_callback",
    run=_run,
    impl=_impl,
    jvp=_OPAQUE,
    vjp=_OPAQUE,
    batch=_io_batch,
    samples=[Sample(_OPERAND, {**_SAMPLES, "ordered": ordered}) for ordered in (False, True)],
)


def _debug_batch(args, dims, size, *, callback, out_avals, ordered):
    return _sequentially(debug_callback_p, args, dims, size, callback, out_avals, ordered=ordered)


def _ignored(x: np.ndarray) -> list[Any]:
    """A callback without results, for samples."""
    return []


debug_callback_p = EffectPrimitive(
    "debug_callback",
    run=_run,
    impl=_impl,
    jvp=zero_derivative,
    vjp=zero_derivative,
    batch=_debug_batch,
    samples=[Sample(_OPERAND, {"callback": _ignored, "out_avals": (), "ordered": False})],
)
