"""Arrays from everything else: Python scalars, nested lists, NumPy, DLPack, buffers."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _native
from ._native import Array, Dtype
from .ops.promotion import (
    DTYPES,
    PYTHON_DTYPES,
    as_dtype,
    check_integer_fits,
    promote_dtypes,
    scalar,
)
from .ops.streams import streamed
from .primitives import broadcast_in_dim_p, concatenate_p, convert_p
from .primitives._helpers import numpy_dtype


@streamed
def array(obj: Any, dtype: Any = None, *, copy: bool | None = True, stream: Any = None) -> Array:
    """Make an array of `obj`.

    Args:
        obj: an Array, a Python scalar, a nested list or tuple of scalars and arrays, a NumPy array (bfloat16
            too), or anything with ``__array__``, ``__dlpack__`` or the buffer protocol.
        dtype: the result's dtype. By default Python ints become int32, floats float32, complex complex64; an
            array keeps its dtype.
        copy: False shares the memory of a NumPy array (which must then not be written to), None lets Arrays
            through as they are.

    Raises:
        TypeError: `obj` cannot be read as numbers.
        ValueError: the lists are ragged, or `copy` is False and a copy cannot be avoided.
        OverflowError: a Python int does not fit the dtype.

    >>> ft.array([1, 2, 3, 4])
    array([1, 2, 3, 4], dtype=int32)
    >>> ft.array([[1.0, 2.0]]).shape
    (1, 2)
    """
    return to_array(obj, None if dtype is None else as_dtype(dtype, "array"), copy, "array")


@streamed
def asarray(
    obj: Any, /, dtype: Any = None, *, device: Any = None, copy: bool | None = None, stream: Any = None
) -> Array:
    """Like `array`, but an Array of the right dtype is returned as it is unless ``copy=True``.

    `device` is accepted for the array API standard: memory is unified, an array has no device.

    >>> x = ft.array([1.0, 2.0])
    >>> ft.asarray(x) is x
    True
    """
    return to_array(obj, None if dtype is None else as_dtype(dtype, "asarray"), copy, "asarray")


def to_array(obj: Any, dtype: Dtype | None, copy: bool | None, function: str) -> Array:
    """What `array` does, in the name of `function`."""
    kind = type(obj)
    if kind is Array:
        if dtype is None or dtype is obj.dtype:
            return obj._snapshot() if copy else obj
        if copy is False:
            raise ValueError(f"{function}: copy=False, but converting {obj.dtype} to {dtype} needs a copy")
        return _convert(obj, dtype, function)
    if kind in PYTHON_DTYPES:
        _forbid_copy_false(copy, kind.__name__, function)
        return _from_scalar(obj, dtype, function)
    if kind is list or kind is tuple:
        _forbid_copy_false(copy, kind.__name__, function)
        return _from_nested(obj, dtype, function)
    return _from_numpy(_as_ndarray(obj, function), dtype, copy, function)


def _forbid_copy_false(copy: bool | None, kind: str, function: str) -> None:
    if copy is False:
        raise ValueError(f"{function}: copy=False, but making an array of a {kind} needs a copy")


def _forbid_complex_to_real(source: Dtype, dtype: Dtype, function: str) -> None:
    if source.kind == "c" and dtype.kind not in "cb":
        raise TypeError(f"{function}: complex numbers cannot become {dtype.name}; take real(x) or imag(x)")


def _convert(x: Array, dtype: Dtype, function: str) -> Array:
    _forbid_complex_to_real(x.dtype, dtype, function)
    return convert_p.bind(x, dtype=dtype)


def _from_scalar(value: Any, dtype: Dtype | None, function: str) -> Array:
    if dtype is None:
        dtype = PYTHON_DTYPES[type(value)]
    _forbid_complex_to_real(PYTHON_DTYPES[type(value)], dtype, function)
    if type(value) is int and dtype.kind in "iu":
        check_integer_fits(value, dtype, function)
    return scalar(value, dtype)


def _as_ndarray(obj: Any, function: str) -> np.ndarray:
    if isinstance(obj, (np.ndarray, np.generic)) or hasattr(obj, "__array__"):
        return np.asarray(obj)
    if hasattr(obj, "__dlpack__"):
        return np.from_dlpack(obj)
    try:
        return np.asarray(memoryview(obj))
    except TypeError:
        raise TypeError(
            f"{function}: expected an array, a number or a nested list of numbers; got {type(obj).__name__}"
        ) from None


def _from_numpy(source: np.ndarray, dtype: Dtype | None, copy: bool | None, function: str) -> Array:
    if source.dtype.name not in DTYPES:
        raise TypeError(
            f"{function}: NumPy dtype {source.dtype} is not supported; use one of {', '.join(DTYPES)}"
        )
    if copy is False and not (source.flags.aligned and source.dtype.isnative):
        raise ValueError(
            f"{function}: copy=False, but memory that is not aligned or not in native byte order needs a copy"
        )
    if not source.dtype.isnative:
        source = source.astype(source.dtype.newbyteorder("="))
    if copy is False and dtype is not None and dtype.name != source.dtype.name:
        raise ValueError(f"{function}: copy=False, but converting {source.dtype} to {dtype} needs a copy")
    if source.ndim == 0 and copy is not False:
        result = _native.scalar(source.item(), DTYPES[source.dtype.name], False)
    else:
        result = _native.from_numpy(source, copy is not False)
    return result if dtype is None or dtype is result.dtype else _convert(result, dtype, function)


def _from_nested(obj: list | tuple, dtype: Dtype | None, function: str) -> Array:
    strong: set[Dtype] = set()
    weak: set[Dtype] = set()
    holds_arrays = _collect_dtypes(obj, strong, weak, function)
    if dtype is None:
        dtype = promote_dtypes(strong, weak) if strong or weak else PYTHON_DTYPES[float]
    for found in strong | weak:
        _forbid_complex_to_real(found, dtype, function)
    if holds_arrays:
        return _stack(obj, dtype, function)
    try:
        return _native.from_numpy(np.array(obj, dtype=numpy_dtype(dtype)), True)
    except OverflowError as error:
        raise OverflowError(f"{function}: {error}; a larger dtype can be given with dtype=") from None
    except ValueError:
        raise ValueError(
            f"{function}: the nested lists are ragged: lengths differ at the same depth"
        ) from None


def _collect_dtypes(obj: Any, strong: set[Dtype], weak: set[Dtype], function: str) -> bool:
    """Gather the dtypes of the leaves. True if any of them is an Array."""
    holds_arrays = False
    for element in obj:
        kind = type(element)
        if kind in PYTHON_DTYPES:
            weak.add(PYTHON_DTYPES[kind])
        elif kind is list or kind is tuple:
            holds_arrays |= _collect_dtypes(element, strong, weak, function)
        elif kind is Array:
            (weak if element.weak_type else strong).add(element.dtype)
            holds_arrays = True
        else:
            name = _as_ndarray(element, function).dtype.name
            if name not in DTYPES:
                raise TypeError(
                    f"{function}: expected numbers in the list; got {kind.__name__} ({element!r:.40})"
                )
            strong.add(DTYPES[name])
    return holds_arrays


def _stack(obj: list | tuple, dtype: Dtype, function: str) -> Array:
    parts = [to_array(element, dtype, None, function) for element in obj]
    if not parts:
        return _native.from_numpy(np.zeros(0, numpy_dtype(dtype)), True)
    shape = parts[0].shape
    for part in parts:
        if part.shape != shape:
            raise ValueError(
                f"{function}: the nested lists are ragged: shapes {shape} and {part.shape} side by side"
            )
    rows = [
        broadcast_in_dim_p.bind(p, shape=(1, *shape), dims=tuple(range(1, len(shape) + 1))) for p in parts
    ]
    return concatenate_p.bind(*rows, axis=0) if len(rows) > 1 else rows[0]
