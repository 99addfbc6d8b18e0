"""What the functions of `ops` have in common: reading operands, promoting, broadcasting, naming axes."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import _native
from .._native import Array, Dtype
from ..core.errors import ConcretizationError
from ..interop import to_array
from ..primitives import broadcast_in_dim_p, convert_p, reshape_p
from .promotion import (
    DEFAULT_FLOAT,
    PROMOTION,
    PYTHON_DTYPES,
    check_integer_fits,
    promote_dtypes,
    scalar,
)


class AxisError(ValueError, IndexError):
    """An axis is out of range or given twice."""


def as_array(x: Any, function: str, argument: str = "x") -> Array:
    """The operand as an Array. Python scalars become weak ones; lists and other objects are TypeErrors."""
    kind = type(x)
    if kind is Array:
        return x
    if kind in PYTHON_DTYPES:
        dtype = PYTHON_DTYPES[kind]
        if kind is int:
            check_integer_fits(x, dtype, function)
        return _native.scalar(x, dtype, True)
    if isinstance(x, (np.ndarray, np.generic)) or hasattr(x, "__array__") or hasattr(x, "__dlpack__"):
        return to_array(x, None, None, f"{function}: {argument}")
    raise TypeError(f"{function}: {argument} must be an array or a number, got {kind.__name__}")


def as_operand(x: Any, function: str, argument: str = "x") -> Any:
    """The operand as an Array; but a Python number as it is, which only the dtype of what it meets rounds."""
    return x if type(x) in PYTHON_DTYPES else as_array(x, function, argument)


def as_arrays(xs: Any, function: str, argument: str = "arrays") -> list[Array]:
    """The elements of a sequence of arrays (or the rows of one array)."""
    if type(xs) is not Array and not isinstance(xs, (list, tuple, np.ndarray)):
        raise TypeError(f"{function}: {argument} must be a sequence of arrays, got {type(xs).__name__}")
    return [as_array(x, function, f"{argument}[{i}]") for i, x in enumerate(xs)]


def convert(x: Array, dtype: Dtype) -> Array:
    """`x` with elements of `dtype`."""
    return x if x.dtype is dtype else convert_p.bind(x, dtype=dtype)


def constant_like(x: Array, value: complex) -> Array:
    """The scalar `value` in `x`'s dtype, weak so that a weak `x` stays so."""
    return _native.scalar(value, x.dtype, True)


def promoted_dtype(function: str, *operands: Any) -> Dtype:
    """The dtype that these arrays and Python scalars promote to."""
    strong: list[Dtype] = []
    weak: list[Dtype] = []
    for i, x in enumerate(operands):
        kind = type(x)
        if kind in PYTHON_DTYPES:
            weak.append(PYTHON_DTYPES[kind])
        else:
            x = as_array(x, function, f"operand {i}")
            (weak if x.weak_type else strong).append(x.dtype)
    return promote_dtypes(strong, weak)


def as_dtype_array(x: Any, dtype: Dtype, function: str, argument: str) -> Array:
    """The operand converted to `dtype`; a Python int must fit it."""
    kind = type(x)
    if kind is Array:
        return convert(x, dtype)
    if kind in PYTHON_DTYPES:
        if kind is int and dtype.kind in "iu":
            check_integer_fits(x, dtype, function)
        return scalar(x, dtype, True)
    return convert(as_array(x, function, argument), dtype)


def promote(
    function: str,
    x1: Any,
    x2: Any,
    to: Callable[[Dtype], Dtype] | None = None,
    names: tuple[str, str] = ("x1", "x2"),
) -> tuple[Array, Array, Dtype]:
    """Both operands as Arrays of their common dtype (`to` of it, if given), and that dtype."""
    x1, x2 = as_operand(x1, function, names[0]), as_operand(x2, function, names[1])
    if type(x1) is Array and type(x2) is Array and not x1.weak_type and not x2.weak_type:
        dtype = PROMOTION[x1.dtype, x2.dtype]
    else:
        dtype = promoted_dtype(function, x1, x2)
    if to is not None:
        dtype = to(dtype)
    return as_dtype_array(x1, dtype, function, names[0]), as_dtype_array(x2, dtype, function, names[1]), dtype


def broadcast_shapes_of(function: str, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that all `shapes` broadcast to."""
    ndim = max(map(len, shapes), default=0)
    result = [1] * ndim
    for shape in shapes:
        for axis, extent in enumerate(shape, ndim - len(shape)):
            if extent != 1:
                if result[axis] not in (1, extent):
                    raise ValueError(f"{function}: shapes {' and '.join(map(str, shapes))} do not broadcast")
                result[axis] = extent
    return tuple(result)


def broadcast(x: Array, shape: tuple[int, ...]) -> Array:
    """`x` repeated to `shape`, by NumPy's rule. The caller knows that the shapes fit."""
    if x.shape == shape:
        return x
    return broadcast_in_dim_p.bind(x, shape=shape, dims=tuple(range(len(shape) - x.ndim, len(shape))))


def broadcast_operands(function: str, *operands: Array) -> Sequence[Array]:
    """Operands as elementwise primitives take them: of one shape, or scalars."""
    shapes = {x.shape for x in operands if x.shape}
    if len(shapes) < 2:
        return operands
    shape = broadcast_shapes_of(function, *[x.shape for x in operands])
    return [broadcast(x, shape) if x.shape else x for x in operands]


def expand(x: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """Undo a reduction over `axes`: `x` repeated along them, to `shape`."""
    if not axes:
        return x
    return broadcast_in_dim_p.bind(
        x, shape=shape, dims=tuple([i for i in range(len(shape)) if i not in axes])
    )


def reshape_to(x: Array, shape: tuple[int, ...]) -> Array:
    """`x` with the same elements in row-major order under `shape`."""
    return x if x.shape == shape else reshape_p.bind(x, shape=shape)


def as_integer(value: Any, function: str, argument: str, least: int | None = None) -> int:
    """`value` as a Python int.

    Raises:
        TypeError: it is none (a traced array has no value yet: ConcretizationError).
        ValueError: it is below `least`.
    """
    try:
        number = operator.index(value)
    except ConcretizationError:
        raise
    except TypeError:
        raise TypeError(f"{function}: {argument} must be an integer, got {describe(value)}") from None
    if least is not None and number < least:
        raise ValueError(f"{function}: {argument} must be at least {least}, got {number}")
    return number


def as_integers(value: Any, function: str, argument: str) -> tuple[int, ...]:
    """Python ints from an integer or a sequence of integers."""
    if isinstance(value, (tuple, list)):
        return tuple([as_integer(v, function, argument) for v in value])
    return (as_integer(value, function, argument),)


def describe(value: Any) -> str:
    """What an error says came: a number or a string itself, the type of anything else."""
    if isinstance(value, (bool, int, float, complex, str)):
        return f"{type(value).__name__} {value!r:.40}"
    return type(value).__name__


def normalize_axis(function: str, axis: Any, ndim: int, argument: str = "axis") -> int:
    """`axis` counted from the front."""
    index = as_integer(axis, function, argument)
    if not -ndim <= index < ndim:
        raise AxisError(f"{function}: {argument} {index} is out of range for an array of ndim {ndim}")
    return index + ndim if index < 0 else index


def normalize_axes(function: str, axis: Any, ndim: int, argument: str = "axis") -> tuple[int, ...]:
    """A sorted tuple of distinct axes from None (all of them), an integer or a tuple of integers."""
    if axis is None:
        return tuple(range(ndim))
    if isinstance(axis, (tuple, list)):
        axes = tuple(sorted(normalize_axis(function, a, ndim, argument) for a in axis))
        if len(set(axes)) < len(axes):
            raise AxisError(
                f"{function}: an axis is given twice in {argument} {tuple(axis)} for an array of ndim {ndim}"
            )
        return axes
    return (normalize_axis(function, axis, ndim, argument),)


def normalize_shape(function: str, shape: Any, argument: str = "shape") -> tuple[int, ...]:
    """A tuple of non-negative ints from an int or a sequence of ints."""
    result = as_integers(shape, function, argument)
    if any(extent < 0 for extent in result):
        raise ValueError(f"{function}: {argument} must not be negative, got {result}")
    return result


def require_kinds(function: str, x: Array, kinds: str, expected: str, argument: str = "x") -> None:
    """Raise TypeError unless `x`'s dtype is of one of the kinds."""
    if x.dtype.kind not in kinds:
        raise TypeError(f"{function}: {argument} must have {expected} dtype, got {x.dtype.name}")


def to_inexact(x: Array) -> Array:
    """`x`, with integers and bools converted to the default float."""
    return x if x.dtype.kind in "fc" else convert(x, DEFAULT_FLOAT)
