"""Abstract values: what is known of an array before it has a value."""

from __future__ import annotations

import threading

from .. import _native
from .._native import Dtype

_PREFIXES = {"b": "bool", "i": "i", "u": "u", "f": "f", "c": "c"}


def short_dtype_name(dtype: Dtype) -> str:
    """The short name of a dtype in printed jaxprs: ``f32``, ``bf16``, ``i64``, ``u8``, ``c64``, ``bool``."""
    if dtype.kind == "b":
        return "bool"
    if dtype.name == "bfloat16":
        return "bf16"
    return f"{_PREFIXES[dtype.kind]}{8 * dtype.itemsize}"


#: What native code can count.
MOST_BYTES = 2**62
MOST_AXES = 64


class ShapedArray:
    """The shape, dtype and weak type of an array. Interned by `shaped_array`: equal means identical."""

    __slots__ = ("shape", "dtype", "weak_type", "ndim", "size", "is_inexact")

    def __init__(self, shape: tuple[int, ...], dtype: Dtype, weak_type: bool):
        self.shape = shape
        self.dtype = dtype
        self.weak_type = weak_type
        self.ndim = len(shape)
        size = 1
        for extent in shape:
            size *= extent
        if size * dtype.itemsize > MOST_BYTES or self.ndim > MOST_AXES:
            raise ValueError(
                f"an array of shape {shape} and dtype {dtype.name} is too large: "
                f"at most {MOST_AXES} axes and {MOST_BYTES} bytes are possible"
            )
        self.size = size
        #: Whether derivatives with respect to it exist: a real or complex floating-point dtype.
        self.is_inexact = dtype.kind in "fc"

    def strong(self) -> ShapedArray:
        """The same aval without a weak type."""
        return shaped_array(self.shape, self.dtype) if self.weak_type else self

    def __str__(self) -> str:
        return f"{short_dtype_name(self.dtype)}[{','.join(map(str, self.shape))}]"

    def __repr__(self) -> str:
        weak = ", weak_type=True" if self.weak_type else ""
        return f"ShapedArray({self}{weak})"

    def __reduce__(self):
        return _restore, (self.shape, self.dtype.name, self.weak_type)


_interned: dict[tuple, ShapedArray] = {}
_lock = threading.Lock()


def shaped_array(shape: tuple[int, ...], dtype: Dtype, weak_type: bool = False) -> ShapedArray:
    """The one `ShapedArray` with these attributes.

    >>> shaped_array((3,), ft.float32) is shaped_array((3,), ft.float32)
    True
    """
    key = (shape, dtype, weak_type)
    aval = _interned.get(key)
    if aval is None:
        with _lock:
            aval = _interned.setdefault(key, ShapedArray(shape, dtype, weak_type))
    return aval


def _restore(shape: tuple[int, ...], dtype_name: str, weak_type: bool) -> ShapedArray:
    return shaped_array(shape, getattr(_native, "bool_" if dtype_name == "bool" else dtype_name), weak_type)


_native.set_aval_factory(shaped_array)
