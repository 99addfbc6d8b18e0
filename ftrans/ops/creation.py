"""Making arrays: the array API standard's creation functions."""

from __future__ import annotations

import math
import operator
from typing import Any

from .. import _native
from .._native import Array, Dtype, bool_, complex64, complex128, float32, float64
from ..core.errors import ConcretizationError
from ..interop import array, asarray, to_array
from ..primitives import add_p, div_p, eq_p, exp_p, ge_p, iota_p, log_p, mul_p, pow_p, select_p, sub_p
from .operands import (
    as_array,
    as_arrays,
    as_dtype_array,
    as_integer,
    broadcast,
    broadcast_shapes_of,
    constant_like,
    convert,
    normalize_shape,
    promoted_dtype,
    reshape_to,
)
from .promotion import (
    DEFAULT_FLOAT,
    DEFAULT_INT,
    PROMOTION,
    as_dtype,
    check_integer_fits,
    inexact_dtype,
    real_dtype,
    scalar,
)
from .streams import streamed

__all__ = [
    "arange",
    "array",
    "asarray",
    "copy",
    "empty",
    "empty_like",
    "eye",
    "from_dlpack",
    "full",
    "full_like",
    "geomspace",
    "identity",
    "linspace",
    "logspace",
    "meshgrid",
    "ones",
    "ones_like",
    "tri",
    "tril",
    "triu",
    "zeros",
    "zeros_like",
]


def _common_float(function: str, start: Any, stop: Any) -> Dtype:
    """The float or complex dtype that both promote to."""
    return inexact_dtype(
        promoted_dtype(function, as_array(start, function, "start"), as_array(stop, function, "stop"))
    )


def _dtype_or(dtype: Any, default: Dtype, function: str) -> Dtype:
    return default if dtype is None else as_dtype(dtype, function)


def iota(size: int, dtype: Dtype = DEFAULT_INT) -> Array:
    """0, 1, …, size - 1."""
    return iota_p.bind(shape=(size,), dtype=dtype, dimension=0)


@streamed
def zeros(shape: Any, dtype: Any = None, *, device: Any = None, stream: Any = None) -> Array:
    """An array of zeros, float32 by default.

    >>> ft.zeros((2,))
    array([0, 0], dtype=float32)
    """
    return _filled("zeros", shape, 0, _dtype_or(dtype, DEFAULT_FLOAT, "zeros"))


@streamed
def ones(shape: Any, dtype: Any = None, *, device: Any = None, stream: Any = None) -> Array:
    """An array of ones, float32 by default.

    >>> ft.ones(2, dtype=ft.int32)
    array([1, 1], dtype=int32)
    """
    return _filled("ones", shape, 1, _dtype_or(dtype, DEFAULT_FLOAT, "ones"))


@streamed
def empty(shape: Any, dtype: Any = None, *, device: Any = None, stream: Any = None) -> Array:
    """An array whose values do not matter: zeros, since arrays are immutable values.

    >>> ft.empty((2, 3)).shape
    (2, 3)
    """
    return _filled("empty", shape, 0, _dtype_or(dtype, DEFAULT_FLOAT, "empty"))


def _filled(function: str, shape: Any, value: Any, dtype: Dtype) -> Array:
    return broadcast(scalar(value, dtype), normalize_shape(function, shape))


@streamed
def full(shape: Any, fill_value: Any, dtype: Any = None, *, device: Any = None, stream: Any = None) -> Array:
    """An array of one value (or of an array that broadcasts to `shape`).

    Args:
        dtype: by default the value's: int32 for a Python int, float32 for a float.

    >>> ft.full((2,), 7)
    array([7, 7], dtype=int32)
    """
    return _full("full", normalize_shape("full", shape), fill_value, dtype)


def _full(function: str, shape: tuple[int, ...], value: Any, dtype: Any) -> Array:
    dtype = None if dtype is None else as_dtype(dtype, function)
    value = to_array(value, dtype, None, f"{function}: fill_value")
    if broadcast_shapes_of(function, value.shape, shape) != shape:
        raise ValueError(f"{function}: fill_value of shape {value.shape} does not broadcast to {shape}")
    return broadcast(value, shape)


@streamed
def zeros_like(x: Any, /, dtype: Any = None, *, device: Any = None, stream: Any = None) -> Array:
    """Zeros of `x`'s shape, and dtype unless given.

    >>> ft.zeros_like(ft.array([1, 2]))
    array([0, 0], dtype=int32)
    """
    return _like("zeros_like", x, 0, dtype)


@streamed
def ones_like(x: Any, /, dtype: Any = None, *, device: Any = None, stream: Any = None) -> Array:
    """Ones of `x`'s shape, and dtype unless given.

    >>> ft.ones_like(ft.array([1, 2]))
    array([1, 1], dtype=int32)
    """
    return _like("ones_like", x, 1, dtype)


@streamed
def empty_like(x: Any, /, dtype: Any = None, *, device: Any = None, stream: Any = None) -> Array:
    """As `zeros_like`.

    >>> ft.empty_like(ft.array([1, 2])).shape
    (2,)
    """
    return _like("empty_like", x, 0, dtype)


def _like(function: str, x: Any, value: int, dtype: Any) -> Array:
    x = as_array(x, function)
    return broadcast(scalar(value, _dtype_or(dtype, x.dtype, function)), x.shape)


@streamed
def full_like(
    x: Any, /, fill_value: Any, dtype: Any = None, *, device: Any = None, stream: Any = None
) -> Array:
    """An array of one value, of `x`'s shape, and dtype unless given.

    >>> ft.full_like(ft.array([1.0, 2.0]), 3)
    array([3, 3], dtype=float32)
    """
    x = as_array(x, "full_like")
    return _full("full_like", x.shape, fill_value, x.dtype if dtype is None else dtype)


@streamed
def arange(
    start: Any = None,
    stop: Any = None,
    step: Any = 1,
    dtype: Any = None,
    *,
    device: Any = None,
    stream: Any = None,
) -> Array:
    """start, start + step, … as long as it is before `stop`; from 0 if only one bound is given.

    Args:
        start, stop, step: Python numbers (or concrete 0-d arrays).
        dtype: int32 if all are integers, otherwise float32.

    Raises:
        ValueError: `step` is zero.

    >>> ft.arange(3)
    array([0, 1, 2], dtype=int32)
    >>> ft.arange(0, 1, 0.25)
    array([0, 0.25, 0.5, 0.75], dtype=float32)
    """
    if stop is None:
        start, stop = None, start
    if stop is None:
        raise TypeError("arange: stop must be given")
    start = 0 if start is None else start
    first, last, stride = (
        _python_number(v, "arange", n) for v, n in ((start, "start"), (stop, "stop"), (step, "step"))
    )
    if stride == 0:
        raise ValueError("arange: step must not be zero")
    is_float = any(isinstance(v, float) for v in (first, last, stride))
    result_dtype = _dtype_or(dtype, DEFAULT_FLOAT if is_float else DEFAULT_INT, "arange")
    size = max(0, math.ceil((last - first) / stride) if is_float else int(-(-(last - first) // stride)))
    if is_float or result_dtype.kind not in "iu":
        work = result_dtype if result_dtype in (float64, complex64, complex128) else float32
    else:
        work = (
            result_dtype if result_dtype.itemsize >= 4 else DEFAULT_INT
        )  # a count may exceed an 8-bit dtype
        for bound in (first, first + (size - 1) * stride) if size else ():
            check_integer_fits(int(bound), result_dtype, "arange")
    steps = iota(size, work)
    if stride != 1:
        steps = mul_p.bind(steps, scalar(_wrapped(stride, work), work))
    if first != 0:
        steps = add_p.bind(steps, scalar(first, work))
    return convert(steps, result_dtype)


def _wrapped(step: Any, dtype: Dtype) -> Any:
    """A negative step of an unsigned dtype, modulo its range: sums wrap to the right values."""
    return step % (1 << 8 * dtype.itemsize) if dtype.kind == "u" else step


def _python_number(value: Any, function: str, argument: str) -> int | float:
    if type(value) in (int, float):
        return value
    try:
        return operator.index(value)
    except ConcretizationError:
        raise
    except TypeError:
        pass
    try:
        return float(value)
    except ConcretizationError:
        raise
    except (TypeError, ValueError):
        raise TypeError(f"{function}: {argument} must be a real number, got {type(value).__name__}") from None


@streamed
def linspace(
    start: Any,
    stop: Any,
    /,
    num: int = 50,
    endpoint: bool = True,
    dtype: Any = None,
    *,
    device: Any = None,
    stream: Any = None,
) -> Array:
    """`num` evenly spaced values from `start` to `stop`, the latter included if `endpoint`.

    Args:
        start, stop: numbers or 0-d arrays (traced ones too).
        dtype: the promoted dtype of both, at least float32.

    >>> ft.linspace(0, 1, 5)
    array([0, 0.25, 0.5, 0.75, 1], dtype=float32)
    """
    num = as_integer(num, "linspace", "num", least=0)
    promoted = _common_float("linspace", start, stop)
    result_dtype = _dtype_or(dtype, promoted, "linspace")
    work = PROMOTION[promoted, result_dtype]  # not below the result's precision
    first = as_dtype_array(start, work, "linspace", "start")
    last = as_dtype_array(stop, work, "linspace", "stop")
    if first.ndim or last.ndim:
        raise ValueError(
            f"linspace: start and stop must be scalars, got shapes {first.shape} and {last.shape}"
        )
    intervals = num - 1 if endpoint else num
    if num == 0:
        return zeros(0, dtype=result_dtype)
    position = convert(iota(num, real_dtype(work)), work)
    fraction = div_p.bind(position, constant_like(first, max(intervals, 1)))
    # Both ends are exact: each is weighted by 1 and 0 there.
    rising = mul_p.bind(fraction, last)
    falling = mul_p.bind(sub_p.bind(constant_like(first, 1), fraction), first)
    return convert(add_p.bind(falling, rising), result_dtype)


@streamed
def logspace(
    start: Any, stop: Any, /, num: int = 50, *, base: float = 10.0, endpoint: bool = True, stream: Any = None
) -> Array:
    """`base` to the power of `linspace(start, stop, num)`.

    >>> ft.logspace(0, 2, 3)
    array([1, 10, 100], dtype=float32)
    """
    exponents = linspace(start, stop, num, endpoint=endpoint)
    return pow_p.bind(constant_like(exponents, base), exponents)


@streamed
def geomspace(
    start: Any, stop: Any, /, num: int = 50, *, endpoint: bool = True, dtype: Any = None, stream: Any = None
) -> Array:
    """`num` values from `start` to `stop`, each the same multiple of the one before.

    Args:
        start, stop: real numbers of one sign, or 0-d arrays (traced ones too).
        dtype: the promoted dtype of both, at least float32.

    >>> ft.geomspace(1, 100, 3)
    array([1, 10, 100], dtype=float32)
    """
    promoted = _common_float("geomspace", start, stop)
    first, last = (as_dtype_array(v, promoted, "geomspace", n) for v, n in ((start, "start"), (stop, "stop")))
    if first.ndim or last.ndim:
        raise ValueError(
            f"geomspace: start and stop must be scalars, got shapes {first.shape} and {last.shape}"
        )
    ratio = log_p.bind(div_p.bind(last, first))
    num = as_integer(num, "geomspace", "num", least=0)
    powers = linspace(constant_like(first, 0), ratio, num, endpoint=endpoint)
    values = mul_p.bind(first, exp_p.bind(powers))
    if endpoint and num > 1:  # both ends are exact
        at_end = eq_p.bind(iota(num), constant_like(iota(num), num - 1))
        values = select_p.bind(at_end, last, values)
    return convert(values, _dtype_or(dtype, promoted, "geomspace"))


@streamed
def copy(x: Any, /, *, stream: Any = None) -> Array:
    """A new handle to the value of `x`: assigning to the one does not change the other.

    >>> x = ft.array([1, 2])
    >>> y = ft.copy(x)
    >>> y[0] = 5
    >>> x
    array([1, 2], dtype=int32)
    """
    return as_array(x, "copy")._snapshot()


def _matrix_shape(function: str, n: Any, m: Any) -> tuple[int, int]:
    rows = as_integer(n, function, "n", least=0)
    return rows, rows if m is None else as_integer(m, function, "m", least=0)


@streamed
def eye(
    n: int,
    m: int | None = None,
    k: int = 0,
    dtype: Any = None,
    *,
    device: Any = None,
    stream: Any = None,
) -> Array:
    """A matrix of n rows and m columns, by default n, with ones on the k-th diagonal.

    >>> ft.eye(2)
    array([[1, 0],
           [0, 1]], dtype=float32)
    """
    shape = _matrix_shape("eye", n, m)
    k = as_integer(k, "eye", "k")
    return convert(eq_p.bind(*_row_and_column(shape, k)), _dtype_or(dtype, DEFAULT_FLOAT, "eye"))


@streamed
def identity(n: int, /, dtype: Any = None, *, stream: Any = None) -> Array:
    """`eye(n)`.

    >>> ft.identity(1)
    array([[1]], dtype=float32)
    """
    return eye(n, dtype=dtype)


@streamed
def tri(n: int, m: int | None = None, k: int = 0, dtype: Any = None, *, stream: Any = None) -> Array:
    """A matrix of n rows and m columns, by default n: ones on and below the k-th diagonal, zeros above.

    >>> ft.tri(2)
    array([[1, 0],
           [1, 1]], dtype=float32)
    """
    shape = _matrix_shape("tri", n, m)
    k = as_integer(k, "tri", "k")
    return convert(ge_p.bind(*_row_and_column(shape, k)), _dtype_or(dtype, DEFAULT_FLOAT, "tri"))


def _row_and_column(shape: tuple[int, ...], k: int) -> tuple[Array, Array]:
    """For each element of a matrix, its row + k and its column. k is cut to just beyond the matrix."""
    k = max(-shape[-2], min(k, shape[-1]))
    row = iota_p.bind(shape=shape, dtype=DEFAULT_INT, dimension=len(shape) - 2)
    column = iota_p.bind(shape=shape, dtype=DEFAULT_INT, dimension=len(shape) - 1)
    return (add_p.bind(row, constant_like(row, k)) if k else row), column


def _keep_triangle(function: str, x: Any, k: int, lower: bool) -> Array:
    x = as_array(x, function)
    if x.ndim < 2:
        raise ValueError(f"{function}: x must have at least 2 dimensions, got shape {x.shape}")
    row, column = _row_and_column(x.shape, as_integer(k, function, "k"))
    keep = ge_p.bind(row, column) if lower else ge_p.bind(column, row)
    return select_p.bind(keep, x, constant_like(x, False if x.dtype is bool_ else 0))


@streamed
def tril(x: Any, /, k: int = 0, *, stream: Any = None) -> Array:
    """`x` (..., m, n) with zeros above the k-th diagonal of its matrices.

    >>> ft.tril(ft.ones((2, 2)))
    array([[1, 0],
           [1, 1]], dtype=float32)
    """
    return _keep_triangle("tril", x, k, lower=True)


@streamed
def triu(x: Any, /, k: int = 0, *, stream: Any = None) -> Array:
    """`x` (..., m, n) with zeros below the k-th diagonal of its matrices.

    >>> ft.triu(ft.ones((2, 2)))
    array([[1, 1],
           [0, 1]], dtype=float32)
    """
    return _keep_triangle("triu", x, k, lower=False)


@streamed
def meshgrid(
    *arrays: Any, indexing: str = "xy", sparse: bool = False, stream: Any = None
) -> tuple[Array, ...]:
    """Coordinate matrices from 1-d coordinate vectors.

    Args:
        indexing: "ij" gives results of shape (n1, n2, …); "xy" swaps the first two axes.
        sparse: whether each result has extent 1 along the axes of the other vectors.

    >>> xx, yy = ft.meshgrid(ft.array([1, 2]), ft.array([3, 4]))
    >>> xx
    array([[1, 2],
           [1, 2]], dtype=int32)
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: indexing must be 'xy' or 'ij', got {indexing!r}")
    vectors = as_arrays(arrays, "meshgrid")
    for i, v in enumerate(vectors):
        if v.ndim > 1:
            raise ValueError(f"meshgrid: arrays[{i}] must have at most 1 dimension, got shape {v.shape}")
    order = list(range(len(vectors)))
    if indexing == "xy" and len(order) > 1:
        order[:2] = 1, 0
    shape = tuple(vectors[i].size for i in order)
    along = [tuple(v.size if i == j else 1 for j in order) for i, v in enumerate(vectors)]
    grid = [reshape_to(v, narrow) for v, narrow in zip(vectors, along, strict=True)]
    return tuple(x if sparse else broadcast(x, shape) for x in grid)


@streamed
def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None, stream: Any = None) -> Array:
    """An array that looks at the memory of `x`, which must not change it afterwards.

    Args:
        x: an object with ``__dlpack__`` whose memory is on the CPU.
        device: for the array API standard; memory is unified, so it has no effect.
        copy: True for memory of its own. False and None look at x's (None copies if it is not aligned).

    Returns:
        An array of x's shape and dtype.

    Raises:
        TypeError: `x` has no ``__dlpack__``.
        BufferError: `x` has a dtype that ftrans does not have, or is not in the CPU's memory.

    >>> import numpy as np
    >>> ft.from_dlpack(np.ones(2, "float32"))
    array([1, 1], dtype=float32)
    """
    if not hasattr(x, "__dlpack__"):
        raise TypeError(f"from_dlpack: x must have __dlpack__, got {type(x).__name__}")
    if type(x) is Array:
        return asarray(x, copy=copy)
    try:
        return _native.from_dlpack(x, copy is True)
    except TypeError:
        raise BufferError(
            f"from_dlpack: the memory of the {type(x).__name__} could not be taken over: "
            "it must be on the CPU and of a dtype of ftrans"
        ) from None
