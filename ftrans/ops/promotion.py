"""Which dtype an operation's result has. Pure dtype arithmetic, no arrays.

Arrays promote as the Python array API standard says. Where it leaves a case open, JAX's lattice decides: an
integer or bool with a float gives the float's own type, float16 with bfloat16 gives float32, and int64 with
uint64, which no integer type holds, gives the default float. Python scalars, and arrays that stand for them
(`weak_type`), only contribute their kind (bool < int < float < complex): they never widen a dtype of their
own or a higher kind.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import _native
from .._native import (
    Dtype,
    bfloat16,
    bool_,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)

DEFAULT_INT, DEFAULT_FLOAT, DEFAULT_COMPLEX = int32, float32, complex64

#: Every dtype by name.
DTYPES: dict[str, Dtype] = {
    d.name: d
    for d in (
        *(bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64),
        *(float16, bfloat16, float32, float64, complex64, complex128),
    )
}

#: The default dtype of each kind of Python scalar.
PYTHON_DTYPES: dict[type, Dtype] = {
    bool: bool_,
    int: DEFAULT_INT,
    float: DEFAULT_FLOAT,
    complex: DEFAULT_COMPLEX,
}

#: bool < integers < floats < complex.
KIND_RANK = {"b": 0, "i": 1, "u": 1, "f": 2, "c": 3}

_ANY_FLOAT = "any float"
#: The promotion lattice: each dtype and the next wider ones, narrow ones first. Two dtypes promote to their
#: least common upper bound.
_WIDER: dict[Any, tuple] = {
    bool_: (int8, uint8),
    uint8: (int16, uint16),
    int8: (int16,),
    uint16: (int32, uint32),
    int16: (int32,),
    uint32: (int64, uint64),
    int32: (int64,),
    uint64: (_ANY_FLOAT,),
    int64: (_ANY_FLOAT,),
    _ANY_FLOAT: (float16, bfloat16),
    float16: (float32,),
    bfloat16: (float32,),
    float32: (float64, complex64),
    float64: (complex128,),
    complex64: (complex128,),
    complex128: (),
}


def _promotion_table() -> dict[tuple[Dtype, Dtype], Dtype]:
    above: dict[Any, frozenset] = {}
    for dtype in reversed(_WIDER):
        above[dtype] = frozenset({dtype}).union(*(above[wider] for wider in _WIDER[dtype]))
    least = {bounds: dtype for dtype, bounds in above.items()}
    least[above[_ANY_FLOAT]] = DEFAULT_FLOAT
    return {(a, b): least[above[a] & above[b]] for a in DTYPES.values() for b in DTYPES.values()}


#: (dtype, dtype) → dtype.
PROMOTION: dict[tuple[Dtype, Dtype], Dtype] = _promotion_table()


def as_dtype(spec: Any, function: str, argument: str = "dtype") -> Dtype:
    """The `Dtype` that `spec` means: a Dtype, a NumPy dtype or type, a name, or a Python number type."""
    if type(spec) is Dtype:
        return spec
    found = (
        PYTHON_DTYPES.get(spec)
        if isinstance(spec, type)
        else DTYPES.get(spec)
        if isinstance(spec, str)
        else None
    )
    if found is None and spec is not None:
        try:
            found = DTYPES.get(np.dtype(spec).name)
        except TypeError:
            found = None
    if found is None:
        raise TypeError(f"{function}: {argument} must be one of {', '.join(DTYPES)}; got {spec!r}")
    return found


def promote_dtypes(strong: Iterable[Dtype], weak: Iterable[Dtype] = ()) -> Dtype:
    """The dtype that these promote to; `weak` are those of Python scalars and weak arrays."""
    result = _join(strong)
    scalar = _join(weak)
    if result is None:
        if scalar is None:
            raise ValueError("at least one dtype is needed to promote")
        return scalar
    if scalar is None or KIND_RANK[scalar.kind] <= KIND_RANK[result.kind]:
        return result
    if scalar.kind == "c":
        return complex128 if result is float64 else DEFAULT_COMPLEX
    return scalar


def _join(dtypes: Iterable[Dtype]) -> Dtype | None:
    result = None
    for dtype in dtypes:
        result = dtype if result is None else PROMOTION[result, dtype]
    return result


def integer_bounds(dtype: Dtype) -> tuple[int, int]:
    """The least and the greatest value of an integer dtype."""
    bits = 8 * dtype.itemsize
    return (0, 2**bits - 1) if dtype.kind == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def check_integer_fits(value: int, dtype: Dtype, function: str) -> None:
    """Raise OverflowError if an integer dtype cannot hold the Python int."""
    low, high = integer_bounds(dtype)
    if not low <= value <= high:
        raise OverflowError(
            f"{function}: Python int {value} does not fit {dtype.name}, which holds {low} to {high}"
        )


#: float dtype → (the exponent of the least power of two that overflows, binary digits).
FLOAT_FORMATS = {float16: (16, 11), bfloat16: (128, 8), float32: (128, 24), float64: (1024, 53)}


def largest_finite(dtype: Dtype) -> float:
    """The greatest finite value of a float dtype."""
    exponent, digits = FLOAT_FORMATS[dtype]
    return math.ldexp(1.0 - 2.0**-digits, exponent)


def real_dtype(dtype: Dtype) -> Dtype:
    """The dtype of the real part."""
    return {complex64: float32, complex128: float64}.get(dtype, dtype)


def inexact_dtype(dtype: Dtype) -> Dtype:
    """`dtype` if it is a float or complex one, otherwise the default float."""
    return dtype if dtype.kind in "fc" else DEFAULT_FLOAT


def scalar(value: Any, dtype: Dtype, weak_type: bool = False) -> _native.Array:
    """A constant 0-d array of a Python scalar of any kind that `dtype` can hold."""
    if dtype.kind in "iu":
        value = int(value)
    elif dtype.kind == "f":
        value = float(value)
    elif dtype.kind == "b":
        value = bool(value)
    return _native.scalar(value, dtype, weak_type)
