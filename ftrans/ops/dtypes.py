"""The array API standard's dtype functions."""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import primitives as p
from .._native import Array, Dtype
from .operands import as_array
from .promotion import (
    FLOAT_FORMATS,
    PROMOTION,
    PYTHON_DTYPES,
    as_dtype,
    integer_bounds,
    largest_finite,
    promote_dtypes,
    real_dtype,
)
from .streams import streamed

__all__ = [
    "astype",
    "can_cast",
    "finfo",
    "iinfo",
    "isdtype",
    "promote_types",
    "result_type",
    "view",
]


@streamed
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None, stream: Any = None) -> Array:
    """`x` with elements of another dtype. Floats are truncated to integers; complex to real is a TypeError.

    >>> ft.astype(ft.array([1.7, -1.7]), ft.int32)
    array([1, -1], dtype=int32)
    """
    x = as_array(x, "astype")
    dtype = as_dtype(dtype, "astype")
    if x.dtype.kind == "c" and dtype.kind in "iuf":
        raise TypeError(f"astype: {x.dtype.name} cannot become {dtype.name}; take real(x) or imag(x)")
    if x.dtype is dtype and not x.weak_type:
        return x._snapshot() if copy else x
    return p.convert_p.bind(x, dtype=dtype)


@streamed
def view(x: Any, dtype: Any, /, *, stream: Any = None) -> Array:
    """The bits of `x` read as another dtype of the same width.

    >>> ft.view(ft.array([1.0]), ft.int32)
    array([1065353216], dtype=int32)
    """
    x = as_array(x, "view")
    dtype = as_dtype(dtype, "view")
    if dtype.itemsize != x.dtype.itemsize:
        raise ValueError(f"view: {x.dtype.name} and {dtype.name} differ in width")
    return x if dtype is x.dtype else p.bitcast_p.bind(x, dtype=dtype)


def result_type(*arrays_and_dtypes: Any) -> Dtype:
    """The dtype that arrays, dtypes and Python scalars promote to.

    >>> ft.result_type(ft.int32, ft.float16, 1.0)
    float16
    """
    if not arrays_and_dtypes:
        raise ValueError("result_type: at least one array or dtype is needed")
    strong: list[Dtype] = []
    weak: list[Dtype] = []
    for x in arrays_and_dtypes:
        if type(x) in PYTHON_DTYPES:
            weak.append(PYTHON_DTYPES[type(x)])
        elif type(x) is Array or hasattr(x, "__array__"):
            array = as_array(x, "result_type")
            (weak if array.weak_type else strong).append(array.dtype)
        else:
            strong.append(as_dtype(x, "result_type"))
    return promote_dtypes(strong, weak)


def promote_types(type1: Any, type2: Any, /) -> Dtype:
    """The dtype that two dtypes promote to.

    >>> ft.promote_types(ft.uint8, ft.int8)
    int16
    """
    return PROMOTION[as_dtype(type1, "promote_types"), as_dtype(type2, "promote_types")]


def can_cast(from_: Any, to: Any, /) -> bool:
    """Whether promotion may turn `from_` (a dtype or an array) into the dtype `to`.

    >>> ft.can_cast(ft.float64, ft.float32)
    False
    """
    source = result_type(from_)
    target = as_dtype(to, "can_cast")
    return PROMOTION[source, target] is target


_KINDS = {
    "bool": "b",
    "signed integer": "i",
    "unsigned integer": "u",
    "integral": "iu",
    "real floating": "f",
    "complex floating": "c",
    "numeric": "iufc",
}


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether `dtype` is the dtype `kind`, of the kind of that name, or of any in a tuple of such.

    Names: "bool", "signed integer", "unsigned integer", "integral", "real floating", "complex floating",
    "numeric".

    >>> ft.isdtype(ft.float32, "real floating")
    True
    """
    dtype = as_dtype(dtype, "isdtype")
    if isinstance(kind, tuple):
        return any(isdtype(dtype, k) for k in kind)
    if isinstance(kind, str):
        if kind not in _KINDS:
            raise ValueError(f"isdtype: kind must be one of {', '.join(_KINDS)}; got {kind!r}")
        return dtype.kind in _KINDS[kind]
    return dtype is as_dtype(kind, "isdtype")


class FloatInfo(NamedTuple):
    """The limits of a floating-point dtype. `dtype` is the real one."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: Dtype


def finfo(type: Any, /) -> FloatInfo:
    """The limits of a floating-point dtype (of the real part of a complex one), or of an array's.

    >>> ft.finfo(ft.float16).max
    65504.0
    """
    dtype = result_type(type)
    if dtype.kind not in "fc":
        raise TypeError(f"finfo: expected a floating-point dtype, got {dtype.name}")
    dtype = real_dtype(dtype)
    exponent, digits = FLOAT_FORMATS[dtype]
    largest = largest_finite(dtype)
    return FloatInfo(8 * dtype.itemsize, 2.0 ** (1 - digits), largest, -largest, 2.0 ** (2 - exponent), dtype)


class IntegerInfo(NamedTuple):
    """The limits of an integer dtype."""

    bits: int
    max: int
    min: int
    dtype: Dtype


def iinfo(type: Any, /) -> IntegerInfo:
    """The limits of an integer dtype, or of an array's.

    >>> ft.iinfo(ft.int8).min
    -128
    """
    dtype = result_type(type)
    if dtype.kind not in "iu":
        raise TypeError(f"iinfo: expected an integer dtype, got {dtype.name}")
    low, high = integer_bounds(dtype)
    return IntegerInfo(8 * dtype.itemsize, high, low, dtype)
