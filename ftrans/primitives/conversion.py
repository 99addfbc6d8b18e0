"""Changes of dtype: conversion of values, and views of bits."""

from __future__ import annotations

import numpy as np

from .._native import Array, Dtype, bool_, complex128, float32, float64, int32, scalar, uint8, uint32
from ..core.avals import shaped_array
from ..core.primitive import Primitive, Sample, zero_derivative
from ._helpers import FLOATING_OR_COMPLEX, INTEGER, numpy_dtype


def convert(x: Array, dtype: Dtype) -> Array:
    """`x` in another dtype; `x` itself if it has it.

    A Python number that became a float32 or complex64 is not rounded to that first.
    """
    if x.dtype is dtype:
        return x
    keeps_value = (x.dtype.kind, dtype.kind) in (("f", "f"), ("f", "c"), ("c", "c"))
    if x.weak_type and keeps_value and x.shape == ():
        number = x._immediate
        if number is not None:
            return scalar(number, dtype, False)
    return convert_p.bind(x, dtype=dtype)


def _values(values):
    return (lambda: np.array(values),)


def _convert_impl(x, *, dtype):
    target = numpy_dtype(dtype)
    x = x.real if np.iscomplexobj(x) and dtype.kind not in "bc" else x
    with np.errstate(all="ignore"):
        converted = x.astype(target)
        if dtype.kind in INTEGER and x.dtype.kind not in "biu":
            bounds = np.iinfo(target)
            wide = x.astype(np.float64)
            converted[wide <= bounds.min] = bounds.min
            converted[wide >= bounds.max] = bounds.max
            converted[np.isnan(wide)] = 0
        return converted


def _convert_jvp(primals, tangents, out, *, dtype):
    return convert(tangents[0], dtype) if dtype.kind in FLOATING_OR_COMPLEX else None


def _convert_vjp(ct, primals, out, needed, *, dtype):
    return [convert(ct, primals[0].dtype) if dtype.kind in FLOATING_OR_COMPLEX else None]


#: Floats become integers by truncation, the nearest one where they are out of range, 0 where they are NaN;
#: integers wrap around; complex numbers become reals by losing their imaginary part.
convert_p = Primitive(
    "convert",
    abstract_eval=lambda x, *, dtype: shaped_array(x.shape, dtype),
    impl=_convert_impl,
    jvp=_convert_jvp,
    vjp=_convert_vjp,
    batch=lambda args, dims, size, **p: (convert_p.bind(args[0], **p), dims[0]),
    samples=[
        Sample(_values([-1.75, 0.0, 2.5]), {"dtype": float64}, (0,)),
        Sample(_values([-1.75, 0.0, 2.5]), {"dtype": complex128}, (0,)),
        Sample(_values([1.5 - 2j, 0.5j]), {"dtype": float64}, (0,)),
        Sample(_values([-1.75, 0.0, 2.5]), {"dtype": int32}),
        Sample(_values([-1.75, 0.0, 2.5]), {"dtype": bool_}),
        Sample(_values([True, False]), {"dtype": float32}),
        Sample(_values([-1, 300]), {"dtype": uint8}),
        Sample(_values([-3.5, 300.0, 1e30, np.inf, -np.inf, np.nan]), {"dtype": uint8}),
        Sample(_values([-3e9, 3e9, 1e30, -np.inf, np.nan]), {"dtype": int32}),
    ],
)


def _bitcast_abstract(x, *, dtype):
    if x.dtype.itemsize != dtype.itemsize or "b" in (x.dtype.kind, dtype.kind):
        raise TypeError(
            f"bitcast: cannot view {x.dtype} as {dtype}; both must have one width, and neither may be bool"
        )
    return shaped_array(x.shape, dtype)


bitcast_p = Primitive(
    "bitcast",
    abstract_eval=_bitcast_abstract,
    impl=lambda x, *, dtype: x.view(numpy_dtype(dtype)),
    jvp=zero_derivative,
    vjp=zero_derivative,
    batch=lambda args, dims, size, **p: (bitcast_p.bind(args[0], **p), dims[0]),
    samples=[
        Sample((lambda: np.array([1.5, -0.0], np.float32),), {"dtype": uint32}),
        Sample((lambda: np.array([1, -2], np.int32),), {"dtype": float32}),
    ],
)
