"""The elements that a traced mask selects: enough of them for ``x[mask] *= 2``."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from .. import primitives as p
from .._native import Array
from ..core.errors import ConcretizationError, Unavailable
from .operands import broadcast, broadcast_shapes_of, convert, reshape_to
from .promotion import PYTHON_DTYPES


class MaskedElements(Unavailable):
    """``x[mask]`` where a transformation traces `mask`: how many elements there are is not known.

    Arithmetic with numbers, with arrays that each element meets, and with elements of the same mask is
    carried out on the whole array; ``x[mask] = …`` keeps the part that the mask selects. Everything else
    raises the ConcretizationError that the number of elements calls for.

    >>> @ft.jit
    ... def double_the_large(x):
    ...     x[x > 1] *= 2
    ...     return x
    >>> double_the_large(ft.array([1.0, 2.0, 3.0]))
    array([1, 4, 6], dtype=float32)
    """

    __slots__ = ("_mask", "_whole")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, whole: Array, mask: Array, error: ConcretizationError):
        self._whole = whole
        super().__init__(error)
        self._mask = mask._snapshot()

    def stored_in(self, x: Array, mask: Any) -> Array:
        """`x` with these elements where `mask` selects."""
        if not self._is_selected_by(mask) or self._whole.shape != x.shape:
            raise self.error
        trailing = (1,) * (x.ndim - self._mask.ndim)
        chosen = broadcast(reshape_to(self._mask, self._mask.shape + trailing), x.shape)
        return p.select_p.bind(chosen, convert(self._whole, x.dtype), x)

    def _is_selected_by(self, mask: Any) -> bool:
        mine = self._mask
        return type(mask) is Array and mask._trace is mine._trace and mask._variable is mine._variable

    def _whole_operand(self, other: Any) -> Any:
        if type(other) is MaskedElements:
            if other._is_selected_by(self._mask) and other._whole.shape == self._whole.shape:
                return other._whole
            raise self.error
        if type(other) in PYTHON_DTYPES:
            return other
        trailing = self._whole.shape[self._mask.ndim :]
        shape = np.shape(other) if not isinstance(other, Array) else other.shape
        if len(shape) > len(trailing) or broadcast_shapes_of("x[mask]", shape, trailing) != trailing:
            raise self.error
        return other

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        raise self.error

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise self.error

    def _refuse(self, *_: Any) -> NoReturn:
        raise self.error

    __len__ = __iter__ = __getitem__ = __setitem__ = _refuse
    __bool__ = __float__ = __int__ = __index__ = _refuse


def _binary(function: Callable[[Any, Any], Any], swapped: bool) -> Callable[[MaskedElements, Any], Any]:
    def apply(self: MaskedElements, other: Any) -> MaskedElements:
        operand = self._whole_operand(other)
        result = function(operand, self._whole) if swapped else function(self._whole, operand)
        return MaskedElements(result, self._mask, self.error)

    return apply


def _unary(function: Callable[[Any], Any]) -> Callable[[MaskedElements], MaskedElements]:
    return lambda self: MaskedElements(function(self._whole), self._mask, self.error)


for _name in [
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "and",
    "or",
    "xor",
    "lshift",
    "rshift",
]:
    _function = getattr(operator, f"__{_name}__")
    setattr(MaskedElements, f"__{_name}__", _binary(_function, False))
    setattr(MaskedElements, f"__r{_name}__", _binary(_function, True))
for _name in ["eq", "ne", "lt", "le", "gt", "ge"]:
    setattr(MaskedElements, f"__{_name}__", _binary(getattr(operator, f"__{_name}__"), False))
for _name in ["neg", "pos", "abs", "invert"]:
    setattr(MaskedElements, f"__{_name}__", _unary(getattr(operator, f"__{_name}__")))
