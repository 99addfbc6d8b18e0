"""Discrete Fourier transforms, by ducc0: complex to complex, real to half of the complex, and back.

The derivative rules are those of linear maps without conjugation (`_factories` has the convention). A
transform matrix is symmetric, so that of "c2c" is its own transpose; "r2c" and "c2r" are each other's up to
the weights of the frequencies that stand for two.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _native
from .._native import Array
from ..core.avals import ShapedArray, shaped_array
from ..core.host import HostPrimitive
from ..core.primitive import Sample
from ._helpers import check_axes, shifted
from .elementwise import mul
from .layout import broadcast_in_dim_p

#: The result's dtype, for each kind of transform.
_RESULTS = {
    "c2c": {"complex64": _native.complex64, "complex128": _native.complex128},
    "r2c": {"float32": _native.complex64, "float64": _native.complex128},
    "c2r": {"complex64": _native.float32, "complex128": _native.float64},
}

#: Below this many elements a second thread costs more than it saves.
_FEWEST_FOR_THREADS = 1 << 15

#: Rows that are a multiple of this long fall on at most two sets of a first-level cache of 4096-byte ways.
_COLLIDING_BYTES = 2048


def _fft_abstract(
    operand: ShapedArray, *, kind: str, axes: tuple[int, ...], forward: bool, norm: int, length: int
) -> ShapedArray:
    results = _RESULTS[kind]
    if operand.dtype.name not in results:
        raise TypeError(
            f"fft: a transform {kind} takes {' or '.join(results)}, got {operand.dtype}; convert it first"
        )
    check_axes("fft", operand.ndim, axes)
    shape = list(operand.shape)
    half, last = length // 2 + 1, axes[-1]
    if kind != "c2c" and shape[last] != (length if kind == "r2c" else half):
        raise ValueError(
            f"fft: axis {last} of shape {operand.shape} does not fit the length {length} of {kind}"
        )
    if any(shape[axis] == 0 for axis in axes) or length == 0:
        raise ValueError(
            f"fft: the length of a transform must be at least 1, got shape {operand.shape}, axes {axes}"
        )
    if kind != "c2c":
        shape[last] = half if kind == "r2c" else length
    return shaped_array(tuple(shape), results[operand.dtype.name])


def _fft_impl(x, *, kind, axes, forward, norm, length):
    result = _RESULTS[kind][x.dtype.name].dtype
    x = x.astype(np.result_type(x.dtype, np.float64))
    y: np.ndarray
    if kind == "c2c":
        y = np.fft.fftn(x, axes=axes) if forward else np.fft.ifftn(x, axes=axes, norm="forward")
    elif kind == "r2c":
        y = np.fft.rfftn(x, axes=axes)
        y = y if forward else np.conj(y)
    else:
        sizes = [x.shape[axis] for axis in axes[:-1]] + [length]
        y = np.fft.irfftn(np.conj(x) if forward else x, sizes, axes, norm="forward")
    count = math.prod((x if kind == "r2c" else y).shape[axis] for axis in axes)
    return np.asarray(y / count ** (norm / 2)).astype(result)


def _fft_run(
    inputs: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
    *,
    kind: str,
    axes: tuple[int, ...],
    forward: bool,
    norm: int,
    length: int,
) -> None:
    (x,), (out,) = inputs, outputs
    if out.size == 0:
        return
    transform = getattr(importlib.import_module("ducc0").fft, kind)
    threads = _native.thread_count() if max(x.size, out.size) >= _FEWEST_FOR_THREADS else 1
    sizes: dict[str, Any] = {"lastsize": length} if kind == "c2r" else {}
    source, target = x, out
    if out.ndim - 1 in axes:
        if _has_colliding_rows(x):
            source = _padded(x)
            source[...] = x
        if _has_colliding_rows(out):
            target = source if kind == "c2c" else _padded(out)
    if kind == "c2c":
        axes = tuple(sorted(axes, reverse=True))  # the contiguous one first, while the source is in the cache
    transform(source, axes=axes, forward=forward, inorm=norm, out=target, nthreads=threads, **sizes)
    if target is not out:
        out[...] = target


def _has_colliding_rows(x: np.ndarray) -> bool:
    """Whether the rows fall on the same few sets of the cache, where they push each other out."""
    return x.ndim > 1 and x.shape[-1] * x.itemsize % _COLLIDING_BYTES == 0


def _padded(like: np.ndarray) -> np.ndarray:
    """Memory whose rows are one cache line further apart: ducc0 works on several at once."""
    extent = like.shape[-1]
    return np.empty((*like.shape[:-1], extent + 64 // like.itemsize), like.dtype)[..., :extent]


def _weighted(x: Array, axis: int, length: int, weight: float) -> Array:
    """`x` times `weight`, but for the frequencies that are their own mirror image: 0, and length/2."""
    weights = np.full(x.shape[axis], weight)
    weights[0] = 1
    if length % 2 == 0:
        weights[-1] = 1
    factor = _native.from_numpy(weights.astype(x.dtype.dtype))
    return mul(x, broadcast_in_dim_p.bind(factor, shape=x.shape, dims=(axis,)))


def _fft_vjp(ct, primals, out, needed, *, kind, axes, length, **parameters):
    last = axes[-1]
    if kind == "r2c":
        half = _weighted(ct, last, length, 0.5)
        return [fft_p.bind(half, kind="c2r", axes=axes, length=length, **parameters)]
    if kind == "c2r":
        half = fft_p.bind(ct, kind="r2c", axes=axes, length=length, **parameters)
        return [_weighted(half, last, length, 2)]
    return [fft_p.bind(ct, kind=kind, axes=axes, length=length, **parameters)]


def _fft_batch(args, dims, size, *, axes, **parameters):
    return fft_p.bind(args[0], axes=shifted(axes, dims[0]), **parameters), dims[0]


_REAL = np.array([[0.5, -1.25, 2.0, 1.75, -0.5], [1.5, 0.75, -2.0, 3.0, 2.5]])
_COMPLEX = _REAL + 1j * _REAL[::-1]


def _sample(
    x: np.ndarray, kind: str, axes: tuple[int, ...], forward: bool, norm: int, length: int = 1
) -> Sample:
    parameters = {"kind": kind, "axes": axes, "forward": forward, "norm": norm, "length": length}
    return Sample((x,), parameters, (0,))


# axes: the transformed ones; the halved one of "r2c" and "c2r", whose real extent is `length`, comes last.
# forward: the sign of the exponent is negative. norm: results are divided by N^(norm/2), N numbers being
# transformed together.
fft_p = HostPrimitive(
    "fft",
    run=_fft_run,
    abstract_eval=_fft_abstract,
    impl=_fft_impl,
    jvp=lambda primals, tangents, out, **parameters: fft_p.bind(tangents[0], **parameters),
    vjp=_fft_vjp,
    batch=_fft_batch,
    samples=[
        _sample(_COMPLEX, "c2c", (1,), True, 0),
        _sample(_COMPLEX, "c2c", (1, 0), False, 1),
        _sample(_REAL, "r2c", (1,), True, 0, 5),
        _sample(_REAL, "r2c", (1, 0), False, 2, 2),
        _sample(_COMPLEX, "c2r", (1,), False, 2, 8),
        _sample(_COMPLEX, "c2r", (0, 1), True, 1, 9),
        _sample(_COMPLEX[:1], "c2r", (0,), True, 0, 1),
    ],
)
