"""The array API standard's dtype functions."""

from __future__ import annotations

import enum
from typing import Any, NamedTuple

from .. import primitives as p
from .._native import Array, Dtype, bool_, uint8, uint16, uint32, uint64
from .manipulation import slice_axis
from .operands import as_array, constant_like, convert, reshape_to
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
    "DtypeCategory",
    "astype",
    "can_cast",
    "complexfloating",
    "finfo",
    "floating",
    "generic",
    "iinfo",
    "inexact",
    "integer",
    "isdtype",
    "issubdtype",
    "number",
    "promote_types",
    "result_type",
    "signedinteger",
    "unsignedinteger",
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
    """The bits of `x` read as another dtype. They have no derivative.

    Args:
        dtype: if it is narrower, each element becomes several along the last axis, lowest bits first; if it
            is wider, several become one.

    Raises:
        ValueError: the last axis does not divide into elements of a wider dtype, or `x` is 0-d and the widths
            differ.

    >>> ft.view(ft.array([1.0]), ft.int32)
    array([1065353216], dtype=int32)
    >>> ft.view(ft.array([258], dtype=ft.uint16), ft.uint8)
    array([2, 1], dtype=uint8)
    """
    x = as_array(x, "view")
    dtype = as_dtype(dtype, "view")
    if dtype is x.dtype:
        return x
    old, new = x.dtype.itemsize, dtype.itemsize
    if old != new and (x.ndim == 0 or x.shape[-1] * old % new):
        raise ValueError(
            f"view: an array of shape {x.shape} and dtype {x.dtype.name} does not divide along its last axis "
            f"into elements of {dtype.name}"
        )
    outer = x.shape[:-1]
    total = (x.shape[-1] if x.ndim else 1) * old
    part = real_dtype(dtype)
    words = _words(x)
    words = _resized(reshape_to(words, (*outer, total // words.dtype.itemsize)), _UNSIGNED[part.itemsize])
    values = _with_bits(words, part)
    if dtype.kind == "c":
        pairs = reshape_to(values, (*outer, total // new, 2))
        last = len(outer) + 1
        values = p.complex_p.bind(*(slice_axis(pairs, last, i, i + 1) for i in (0, 1)))
    return reshape_to(values, (*outer, total // new) if x.ndim else ())


def _words(x: Array) -> Array:
    """The bits of `x` as unsigned integers; those of complex numbers as two along a new last axis."""
    if x.dtype is bool_:
        return convert(x, uint8)
    if x.dtype.kind == "c":
        parts = [reshape_to(part, (*x.shape, 1)) for part in (p.real_p.bind(x), p.imag_p.bind(x))]
        x = p.concatenate_p.bind(*parts, axis=x.ndim)
    return _with_bits(x, _UNSIGNED[x.dtype.itemsize])


def _with_bits(x: Array, dtype: Dtype) -> Array:
    """`x` read as another dtype of its width."""
    if dtype is bool_:
        return p.ne_p.bind(x, constant_like(x, 0))
    return x if x.dtype is dtype else p.bitcast_p.bind(x, dtype=dtype)


def _resized(words: Array, dtype: Dtype) -> Array:
    """Unsigned integers as others, narrower or wider, along the last axis; the lowest bits come first."""
    old, new = words.dtype.itemsize, dtype.itemsize
    *outer, extent = words.shape
    last = len(outer)
    if new < old:
        shifts = [constant_like(words, 8 * new * k) for k in range(old // new)]
        parts = [convert(p.shift_right_p.bind(words, s), dtype) for s in shifts]
        joined = p.concatenate_p.bind(*(reshape_to(x, (*words.shape, 1)) for x in parts), axis=last + 1)
        return reshape_to(joined, (*outer, extent * (old // new)))
    if new > old:
        ratio = new // old
        groups = convert(reshape_to(words, (*outer, extent // ratio, ratio)), dtype)
        result = slice_axis(groups, last + 1, 0, 1)
        for k in range(1, ratio):
            part = slice_axis(groups, last + 1, k, k + 1)
            result = p.or_p.bind(result, p.shift_left_p.bind(part, constant_like(part, 8 * old * k)))
        return reshape_to(result, (*outer, extent // ratio))
    return words


def _dtype_of(x: Any, function: str, argument: str) -> Dtype:
    """That of an array or a Python number, or the dtype that is meant."""
    if type(x) in PYTHON_DTYPES or type(x) is Array or hasattr(x, "__array__"):
        return as_array(x, function, argument).dtype
    return as_dtype(x, function, argument)


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
    return PROMOTION[as_dtype(type1, "promote_types", "type1"), as_dtype(type2, "promote_types", "type2")]


def can_cast(from_: Any, to: Any, /) -> bool:
    """Whether promotion may turn `from_` (a dtype or an array) into the dtype `to`.

    >>> ft.can_cast(ft.float64, ft.float32)
    False
    """
    source = _dtype_of(from_, "can_cast", "from_")
    target = as_dtype(to, "can_cast", "to")
    return PROMOTION[source, target] is target


class DtypeCategory(enum.Enum):
    """A kind of dtypes, for `issubdtype`; the value is what `Dtype.kind` may be."""

    generic = "biufc"
    number = "iufc"
    integer = "iu"
    signedinteger = "i"
    unsignedinteger = "u"
    inexact = "fc"
    floating = "f"
    complexfloating = "c"


generic, number, integer = DtypeCategory.generic, DtypeCategory.number, DtypeCategory.integer
signedinteger, unsignedinteger = DtypeCategory.signedinteger, DtypeCategory.unsignedinteger
inexact, floating = DtypeCategory.inexact, DtypeCategory.floating
complexfloating = DtypeCategory.complexfloating


def issubdtype(type1: Any, type2: Any, /) -> bool:
    """Whether a dtype or category is, or is part of, another.

    Args:
        type1, type2: dtypes, or categories: ft.generic, number, integer, signedinteger, unsignedinteger,
            inexact, floating, complexfloating.

    >>> ft.issubdtype(ft.float16, ft.floating)
    True
    """
    if isinstance(type2, DtypeCategory):
        kinds = (
            type1.value if isinstance(type1, DtypeCategory) else as_dtype(type1, "issubdtype", "type1").kind
        )
        return set(kinds) <= set(type2.value)
    target = as_dtype(type2, "issubdtype", "type2")
    return not isinstance(type1, DtypeCategory) and as_dtype(type1, "issubdtype", "type1") is target


_UNSIGNED = {1: uint8, 2: uint16, 4: uint32, 8: uint64}

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
    return dtype is as_dtype(kind, "isdtype", "kind")


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
    dtype = _dtype_of(type, "finfo", "type")
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
    dtype = _dtype_of(type, "iinfo", "type")
    if dtype.kind not in "iu":
        raise TypeError(f"iinfo: expected an integer dtype, got {dtype.name}")
    low, high = integer_bounds(dtype)
    return IntegerInfo(8 * dtype.itemsize, high, low, dtype)
