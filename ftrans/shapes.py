"""Types of arrays without the arrays: ShapeDtypeStruct and eval_shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._native import Array, Dtype, user_function
from .core.avals import ShapedArray, shaped_array
from .core.pytree import as_array, flatten, unflatten
from .core.source import ArgumentSource
from .core.tracing import trace_to_jaxpr
from .ops.operands import normalize_shape
from .ops.promotion import as_dtype
from .transforms.arguments import FlatFunction, argument_sources, check_callable


class ShapeDtypeStruct:
    """The shape and dtype of an array.

    Args:
        shape: an int or a sequence of ints.
        dtype: a dtype, its name, or NumPy's.

    Raises:
        TypeError: `shape` is not made of ints, or `dtype` is none.
        ValueError: an extent is negative.

    >>> ft.ShapeDtypeStruct((2, 3), ft.float32)
    ShapeDtypeStruct(shape=(2, 3), dtype=float32)
    """

    __slots__ = ("shape", "dtype")

    def __init__(self, shape: Any, dtype: Any):
        self.shape: tuple[int, ...] = normalize_shape("ShapeDtypeStruct", shape)
        self.dtype: Dtype = as_dtype(dtype, "ShapeDtypeStruct")

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.aval.size

    @property
    def aval(self) -> ShapedArray:
        """The abstract value of such an array."""
        return shaped_array(self.shape, self.dtype)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ShapeDtypeStruct) and self.aval is other.aval

    def __hash__(self) -> int:
        return hash(self.aval)

    def __repr__(self) -> str:
        return f"ShapeDtypeStruct(shape={self.shape}, dtype={self.dtype.name})"


def described_aval(x: Any, name: str) -> ShapedArray:
    """The aval that an object with a shape and a dtype describes: a `ShapeDtypeStruct`, any library's array.

    Raises:
        TypeError: it has none, naming it.
    """
    if not (hasattr(x, "shape") and hasattr(x, "dtype")):
        raise TypeError(f"{name} must have a shape and a dtype, such as ft.ShapeDtypeStruct; got {x!r}")
    return ShapeDtypeStruct(tuple(x.shape), x.dtype).aval


@user_function
def eval_shape(fun: Callable, *args: Any, **kwargs: Any) -> Any:
    """The shapes and dtypes of what a function returns, without computing it.

    Args:
        fun: a function of arrays or pytrees of arrays.
        *args, **kwargs: its arguments; in place of an array there may be anything with a shape and a dtype.

    Returns:
        The tree of the outputs, each a `ShapeDtypeStruct`.

    Raises:
        TypeError: an argument is neither an array nor has a shape and a dtype.
        ConcretizationError: `fun` needs the value of an array.

    >>> a, b = ft.ShapeDtypeStruct((1000, 2000), ft.float32), ft.ShapeDtypeStruct((2000,), ft.float32)
    >>> ft.eval_shape(ft.matmul, a, b)
    ShapeDtypeStruct(shape=(1000,), dtype=float32)
    """
    check_callable("eval_shape", fun)
    leaves, structure = flatten((args, kwargs))
    sources = argument_sources(fun, structure)
    avals = [_argument_aval(x, source) for x, source in zip(leaves, sources, strict=True)]
    function = FlatFunction("eval_shape", fun, structure.unflatten)
    closed = trace_to_jaxpr(function, avals, "eval_shape", sources)
    return unflatten(function.structure, [ShapeDtypeStruct(a.shape, a.dtype) for a in closed.out_avals])


def _argument_aval(x: Any, source: ArgumentSource) -> ShapedArray:
    if isinstance(x, (Array, bool, int, float, complex)):
        return as_array(x, lambda: f"eval_shape: {source}").aval
    return described_aval(x, f"eval_shape: {source}")
