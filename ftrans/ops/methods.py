"""What makes `Array` an array: its operators, methods and properties, installed on the native type."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from types import FunctionType
from typing import Any

import numpy as np

from .. import _native
from .._native import Array
from . import (
    cumulative,
    dtypes,
    elementwise,
    indexing,
    joining,
    linear_algebra,
    log_space,
    manipulation,
    pointwise,
    repeating,
    searching,
    selecting,
    sorting,
    statistical,
    taking,
)
from .info import __array_api_version__
from .streams import stream_of

_OPERANDS = frozenset({Array, bool, int, float, complex})


def _is_operand(y: Any) -> bool:
    return type(y) in _OPERANDS or isinstance(y, (np.ndarray, np.generic))


def _forward(function: Callable[..., Any]) -> Callable[[Array, Any], Any]:
    """``x ∘ y``; leaves objects that are no numbers or arrays to their own reflected operator."""

    def operator(x: Array, y: Any) -> Any:
        return function(x, y) if type(y) in _OPERANDS or _is_operand(y) else NotImplemented

    return operator


def _reflected(function: Callable[..., Any]) -> Callable[[Array, Any], Any]:
    def operator(x: Array, y: Any) -> Any:
        return function(y, x) if _is_operand(y) else NotImplemented

    return operator


def _in_place(function: Callable[..., Any], symbol: str) -> Callable[[Array, Any], Any]:
    """``x ∘= y``: the handle comes to stand for the result, which keeps `x`'s shape and dtype."""

    def operator(x: Array, y: Any) -> Any:
        if not _is_operand(y):
            return NotImplemented
        result = function(x, y)
        if result.shape != x.shape:
            raise ValueError(f"x {symbol} y: the result has shape {result.shape}, but x has shape {x.shape}")
        if result.dtype is not x.dtype:
            raise TypeError(
                f"x {symbol} y: the result has dtype {result.dtype}, but x has {x.dtype}; "
                f"write x = x {symbol[:-1]} y"
            )
        x._rebind(result)
        return x

    return operator


_BINARY: dict[str, tuple[str, Callable[..., Any]]] = {
    "add": ("+", elementwise.add),
    "sub": ("-", elementwise.subtract),
    "mul": ("*", elementwise.multiply),
    "truediv": ("/", elementwise.divide),
    "floordiv": ("//", elementwise.floor_divide),
    "mod": ("%", elementwise.remainder),
    "pow": ("**", pointwise.power),
    "matmul": ("@", linear_algebra.matmul),
    "and": ("&", elementwise.bitwise_and),
    "or": ("|", elementwise.bitwise_or),
    "xor": ("^", elementwise.bitwise_xor),
    "lshift": ("<<", elementwise.bitwise_left_shift),
    "rshift": (">>", elementwise.bitwise_right_shift),
}

_COMPARISONS: dict[str, Callable[..., Any]] = {
    "__eq__": elementwise.equal,
    "__ne__": elementwise.not_equal,
    "__lt__": elementwise.less,
    "__le__": elementwise.less_equal,
    "__gt__": elementwise.greater,
    "__ge__": elementwise.greater_equal,
}


_API_VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12", __array_api_version__)


def _array_namespace(self: Array, /, *, api_version: str | None = None) -> Any:
    """The module with the array API standard's functions, as they are in the version asked for.

    Raises:
        ValueError: `api_version` is a version of the standard that the module does not follow.
    """
    if api_version is not None and api_version not in _API_VERSIONS:
        raise ValueError(
            f"__array_namespace__: api_version must be one of {', '.join(_API_VERSIONS)}; got {api_version!r}"
        )
    package = __package__.partition(".")[0]
    is_current = api_version in (None, __array_api_version__)
    return sys.modules[package] if is_current else import_module(f"{package}.array_api_2024")


def _contains(self: Array, value: Any) -> bool:
    return bool(statistical.any(elementwise.equal(self, value)))


def _to_device(self: Array, device: Any, /, *, stream: Any = None) -> Array:
    """`self`: memory is unified, a device can be asked for but there is nothing to move.

    Raises:
        TypeError: `device` is neither a Device nor a Stream.
        RuntimeError: the device has no backend in this build.
    """
    stream_of(device, "to_device: device")
    return self


def _reshape(self: Array, *shape: Any, copy: bool | None = None, stream: Any = None) -> Array:
    """`reshape`; the shape may be given as several ints."""
    return manipulation.reshape(self, shape[0] if len(shape) == 1 else shape, copy=copy, stream=stream)


def _transpose(self: Array, *axes: Any, stream: Any = None) -> Array:
    """`permute_dims`; the axes may be given as several ints."""
    order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes or None
    return manipulation.permute_dims(self, order, stream=stream)


def _copy(self: Array, *, stream: Any = None) -> Array:
    """A new handle to the same value: assigning to the one does not change the other."""
    return self._snapshot()


def _unpickle(elements: np.ndarray[Any, Any]) -> Array:
    return _native.from_numpy(elements)


def _format(self: Array, specification: str) -> str:
    """`str` of the array; with a format specification, that of its single element."""
    return format(self.item(), specification) if specification else str(self)


def _reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    """A method for NumPy's function, which passes `out` and `dtype` even where they are not given."""

    @wraps(function)
    def method(self: Array, *args: Any, out: None = None, **options: Any) -> Any:
        if out is not None:
            raise TypeError(f"{function.__name__}: out must be None, since results are new arrays")
        if "dtype" in options and options["dtype"] is None:
            del options["dtype"]
        return function(self, *args, **options)

    return method


#: The fallbacks of the operators, by the name of their special method.
OPERATORS: dict[str, Callable[..., Any]] = {
    **{f"__{name}__": _forward(function) for name, (_, function) in _BINARY.items()},
    **{f"__r{name}__": _reflected(function) for name, (_, function) in _BINARY.items()},
    **{f"__i{name}__": _in_place(function, symbol + "=") for name, (symbol, function) in _BINARY.items()},
    **{name: _forward(function) for name, function in _COMPARISONS.items()},
    "__divmod__": _forward(pointwise.divmod),
    "__rdivmod__": _reflected(pointwise.divmod),
    "__neg__": lambda x: elementwise.negative(x),
    "__pos__": lambda x: pointwise.positive(x),
    "__abs__": lambda x: elementwise.abs(x),
    "__invert__": lambda x: elementwise.bitwise_invert(x),
    "__getitem__": indexing.getitem,
    "__setitem__": indexing.setitem,
    "__contains__": _contains,
}

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: getattr(module, name)
    for module, names in (
        (
            elementwise,
            "abs square sqrt rsqrt exp log log2 log10 log1p sin cos tan tanh sigmoid maximum minimum",
        ),
        (pointwise, "round clip conj conjugate reciprocal divmod"),
        (dtypes, "astype view"),
        (statistical, "median ptp minmax"),
        (log_space, "logsumexp softmax log_softmax"),
        (cumulative, "cumsum cumprod cummax cummin logcumsumexp diff"),
        (
            manipulation,
            "flatten ravel squeeze expand_dims unflatten moveaxis swapaxes flip roll",
        ),
        (joining, "split"),
        (repeating, "repeat"),
        (linear_algebra, "dot diag diagonal trace matmul"),
        (searching, "argmax argmin nonzero searchsorted"),
        (sorting, "sort argsort partition argpartition topk"),
        (taking, "take"),
        (selecting, "choose"),
    )
    for name in names.split()
}

#: Methods and properties, by name.
METHODS: dict[str, Any] = {
    **_FUNCTIONS,
    **{
        name: _reduction(getattr(statistical, name))
        for name in ("sum", "prod", "max", "min", "mean", "var", "std", "any", "all")
    },
    "reshape": _reshape,
    "transpose": _transpose,
    "copy": _copy,
    "__copy__": _copy,
    "__deepcopy__": lambda x, memo: x._snapshot(),
    "__reduce__": lambda x: (_unpickle, (np.asarray(x),)),
    "__format__": _format,
    "__round__": lambda x, digits=None: pointwise.round(x, 0 if digits is None else digits),
    "to_device": _to_device,
    "__array_namespace__": _array_namespace,
    "__array_priority__": 100,  # NumPy arrays leave mixed operators to this type
    "device": property(lambda x: _native.default_device(), doc="The default device: memory is unified."),
    "at": property(indexing.IndexUpdate, doc="`x.at[key].set(v)` and the like: changed copies of x."),
    "T": property(lambda x: manipulation.permute_dims(x), doc="x with its axes reversed."),
    "mT": property(lambda x: linear_algebra.matrix_transpose(x), doc="The matrices of x transposed."),
    "real": property(lambda x: pointwise.real(x), doc="The real part."),
    "imag": property(lambda x: pointwise.imag(x), doc="The imaginary part."),
}


def install() -> None:
    """Give `Array` its operators, methods and properties."""
    _native.install_operators(OPERATORS)
    _native.install_methods(
        {name: _native.user_function(x) if isinstance(x, FunctionType) else x for name, x in METHODS.items()}
    )
