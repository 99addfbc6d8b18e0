"""What every family of primitives needs besides primitives: dtype checks, NumPy reference, dimensions."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._native import Array, Dtype, scalar
from ..core.avals import ShapedArray, shaped_array

# The kinds of dtype (`Dtype.kind`) that operations accept.
FLOATING = "f"
FLOATING_OR_COMPLEX = "fc"
INTEGER = "iu"
INTEGER_OR_BOOL = "biu"
REAL = "iuf"
REAL_OR_BOOL = "biuf"
NUMERIC = "iufc"
ANY = "biufc"

_KIND_NAMES = {
    "b": "bool",
    "i": "signed integer",
    "u": "unsigned integer",
    "f": "floating-point",
    "c": "complex",
}


def check_kind(name: str, aval: ShapedArray, kinds: str, operand: str = "operand") -> None:
    """Raise TypeError unless the dtype of `aval` is of one of `kinds`."""
    if aval.dtype.kind not in kinds:
        expected = ", ".join(_KIND_NAMES[kind] for kind in kinds)
        raise TypeError(f"{name}: {operand} has dtype {aval.dtype}, expected one of these kinds: {expected}")


def check_same_dtype(name: str, *avals: ShapedArray) -> None:
    """Raise TypeError unless all `avals` have one dtype."""
    if any(aval.dtype is not avals[0].dtype for aval in avals):
        got = ", ".join(str(aval.dtype) for aval in avals)
        raise TypeError(f"{name}: operands must have the same dtype, got {got}; convert them first")


def check_axes(name: str, ndim: int, axes: Sequence[int], parameter: str = "axes") -> None:
    """Raise ValueError unless `axes` are distinct and in [0, ndim)."""
    if len(set(axes)) != len(axes) or any(not 0 <= axis < ndim for axis in axes):
        raise ValueError(f"{name}: {parameter} must be distinct and in [0, {ndim}), got {tuple(axes)}")


def check_length(name: str, parameter: str, values: Sequence[int], expected: int) -> None:
    """Raise ValueError unless there are `expected` values."""
    if len(values) != expected:
        raise ValueError(f"{name}: {parameter} must have {expected} entries, got {tuple(values)}")


def with_shape(aval: ShapedArray, shape: tuple[int, ...]) -> ShapedArray:
    """`aval` with another shape."""
    return shaped_array(shape, aval.dtype, aval.weak_type)


def numpy_dtype(dtype: Dtype) -> np.dtype:
    """The NumPy dtype of `dtype`; importing ml_dtypes only when it is bfloat16."""
    if dtype.name == "bfloat16":
        return np.dtype(importlib.import_module("ml_dtypes").bfloat16)
    return np.dtype(dtype.name)


def is_half(dtype: np.dtype) -> bool:
    """Whether it is a 16-bit float, which reference semantics compute in float32."""
    return dtype.name in ("float16", "bfloat16")


def reference(function: Callable) -> Callable:
    """Make an `impl` of a NumPy function: no warnings, 16-bit floats computed in float32 and rounded once."""

    @functools.wraps(function)
    def impl(*args: np.ndarray, **parameters: Any) -> np.ndarray:
        half = next((a.dtype for a in args if is_half(a.dtype)), None)
        with np.errstate(all="ignore"):
            if half is None:
                return np.asarray(function(*args, **parameters))
            result = np.asarray(
                function(*[a.astype(np.float32) if a.dtype == half else a for a in args], **parameters)
            )
            return result.astype(half) if result.dtype == np.float32 else result

    return impl


#: dtypes in which the reference accumulates sums and products, where it isn't the operand's own.
ACCUMULATORS = {
    "float16": np.float32,
    "bfloat16": np.float32,
    "float32": np.float64,
    "complex64": np.complex128,
}


def accumulator(dtype: np.dtype) -> np.dtype:
    """The wider dtype in which a sum over `dtype` is accumulated by the reference."""
    return np.dtype(ACCUMULATORS.get(dtype.name, dtype))


def constant_like(x: Array, value: complex) -> Array:
    """The immediate scalar `value` in the dtype of `x`."""
    return scalar(value, x.dtype, False)


def is_one(x: Array) -> bool:
    """Whether `x` is known to be the constant one without being evaluated."""
    return x._immediate == 1


def without(axes: Sequence[int], ndim: int) -> tuple[int, ...]:
    """The axes of an `ndim`-dimensional array that are not in `axes`."""
    return tuple(axis for axis in range(ndim) if axis not in axes)


def shifted(axes: Sequence[int], batch_dim: int = 0) -> tuple[int, ...]:
    """`axes` as they are numbered once a batch dimension stands at `batch_dim`."""
    return tuple(axis + (axis >= batch_dim) for axis in axes)


def size_of(shape: Sequence[int]) -> int:
    """The number of elements of `shape`."""
    size = 1
    for extent in shape:
        size *= extent
    return size
