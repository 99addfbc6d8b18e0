"""Factories that turn one row of the table in `elementwise` into a user function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import _native
from .._native import Array, Dtype
from ..core.avals import shaped_array
from ..core.primitive import Primitive
from .operands import as_array, broadcast_operands, convert, promote
from .promotion import DEFAULT_FLOAT
from .streams import run_on

#: name → (primitive, user function). The native fast path of each is the primitive on operands of one dtype.
ELEMENTWISE: dict[str, tuple[Primitive, Callable[..., Array]]] = {}

#: primitive name → (primitive, kinds of dtypes that it takes as they are, number of operands): for the native
#: fast path.
_FAST: dict[str, tuple[Primitive, str, int]] = {}

_REAL_SCALARS = frozenset({int, float})

#: How the kinds of dtypes read in documentation and errors.
_KIND_NAMES = {
    "biufc": "any",
    "iufc": "a numeric",
    "biuf": "a real or bool",
    "iuf": "a real",
    "fc": "a float or complex",
    "f": "a real floating-point",
    "biu": "an integer or bool",
    "iu": "an integer",
    "b": "a bool",
}


def _to_float(x: Array) -> Array:
    return convert(x, DEFAULT_FLOAT)


def _same(x: Array) -> Array:
    return x


#: What becomes of a unary function's integer and bool operands when the primitive does not take them.
_INTEGER_RULES: dict[str, Callable[[Array], Array] | None] = {
    "float": _to_float,
    "same": _same,
    "error": None,
}


def unary(
    name: str,
    primitive: Primitive,
    kinds: str,
    summary: str,
    argument: str,
    result: str,
    integers: str = "float",
    module: str = "ftrans",
) -> Callable[..., Array]:
    """A function of one array.

    Args:
        kinds: the kinds of dtypes that go to the primitive as they are.
        argument, result: the operand and the printed result of the example.
        integers: for integer and bool operands not among `kinds`: converted to the default "float", the
            "same" returned, or an "error".
        module: where users find it.
    """
    bind = primitive.bind
    rule = _INTEGER_RULES[integers]
    accepted = kinds if rule is None else "".join(k for k in "biufc" if k in kinds or k in "biu")

    def function(x: Any, /, *, stream: Any = None) -> Array:
        if stream is not None:
            return run_on(stream, function, x)
        if type(x) is not Array:
            x = as_array(x, name)
        kind = x.dtype.kind
        if kind in kinds:
            return bind(x)
        if kind not in accepted:
            raise TypeError(f"{name}: x must have {_KIND_NAMES[accepted]} dtype, got {x.dtype.name}")
        x = rule(x)  # type: ignore[misc]
        return x if rule is _same else bind(x)

    converted = (
        "" if rule is not _to_float or accepted == kinds else "; integers and bools are converted to float32"
    )
    function.__doc__ = f"""{summary}

    Args:
        x: an array or number of {_KIND_NAMES[accepted]} dtype{converted}.
        stream: the Stream or Device to run on.

    Returns:
        An array of x's shape.

    Raises:
        TypeError: `x` is not an array or has another dtype.

    >>> {_user_name(module, name)}(ft.array({argument}))
    {result}
    """
    return _register(module, name, primitive, kinds, 1, function)


def binary(
    name: str,
    primitive: Primitive,
    kinds: str,
    summary: str,
    arguments: str,
    result: str,
    others: Callable[[Array, Array], Array] | None = None,
    to: Callable[[Dtype], Dtype] | None = None,
    module: str = "ftrans",
) -> Callable[..., Array]:
    """A function of two arrays that are promoted and broadcast against each other.

    Args:
        kinds: the kinds of dtypes that go to the primitive as they are.
        others: what is done with bools where they are not among `kinds`; None for an error.
        to: from the promoted dtype to the one to compute in.
        module: where users find it.
    """
    bind = primitive.bind
    scalar = _native.scalar
    scalar_kinds = "".join(k for k in "fc" if k in kinds)
    accepted = kinds if others is None else "b" + kinds
    documented = "biu" + kinds.strip("biu") if to is not None and kinds in ("f", "fc") else accepted

    def function(x1: Any, x2: Any, /, *, stream: Any = None) -> Array:
        if stream is not None:
            return run_on(stream, function, x1, x2)
        if type(x1) is Array:
            if type(x2) is Array:
                aval = x1.aval
                if aval is x2.aval and aval.dtype.kind in kinds:  # avals are interned
                    return bind(x1, x2)
            elif type(x2) in _REAL_SCALARS and x1.dtype.kind in scalar_kinds:
                return bind(x1, scalar(float(x2), x1.dtype, True))
        elif type(x1) in _REAL_SCALARS and type(x2) is Array and x2.dtype.kind in scalar_kinds:
            return bind(scalar(float(x1), x2.dtype, True), x2)
        x1, x2, dtype = promote(name, x1, x2, to)
        if dtype.kind not in kinds:
            if others is None or dtype.kind != "b":
                raise TypeError(
                    f"{name}: operands must have {_KIND_NAMES[documented]} dtype, got {dtype.name}"
                )
            return others(*broadcast_operands(name, x1, x2))
        if x1.shape != x2.shape:
            x1, x2 = broadcast_operands(name, x1, x2)
        return bind(x1, x2)

    function.__doc__ = f"""{summary}

    Args:
        x1, x2: arrays or numbers of {_KIND_NAMES.get(documented, _KIND_NAMES["biufc"])} dtype that broadcast.
        stream: the Stream or Device to run on.

    Returns:
        An array of the broadcast shape.

    Raises:
        TypeError: an operand is not an array or has another dtype.
        ValueError: the shapes do not broadcast.
        OverflowError: a Python int does not fit the other operand's dtype.

    >>> {_user_name(module, name)}({arguments})
    {result}
    """
    return _register(module, name, primitive, kinds, 2, function)


def _user_name(module: str, name: str) -> str:
    return f"ft{module.removeprefix('ftrans')}.{name}"


def _register(
    module: str, name: str, primitive: Primitive, kinds: str, arity: int, function: Callable[..., Array]
) -> Callable[..., Array]:
    function.__name__ = function.__qualname__ = name
    function.__module__ = module
    ELEMENTWISE[name] = (primitive, function)
    _FAST[primitive.name] = (primitive, kinds, arity)
    return _native.elementwise_function(primitive.name, arity, function)


def _fast_result(primitive_name: str, dtype: Dtype) -> Dtype | None:
    """The result's dtype where operands of `dtype` go to the primitive as they are, or None."""
    if primitive_name not in _FAST:
        return None
    primitive, kinds, arity = _FAST[primitive_name]
    if dtype.kind not in kinds:
        return None
    return primitive.abstract((shaped_array((), dtype),) * arity, {}).dtype


_native.set_fast_result(_fast_result)
