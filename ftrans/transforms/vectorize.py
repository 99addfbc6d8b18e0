"""vectorize: functions of arrays of a few axes, broadcast over all further ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from functools import partial, wraps
from typing import Any

import numpy as np

from .._native import Array, user_function
from ..core.pytree import as_array
from ..core.source import function_name
from ..primitives.layout import reshape
from .arguments import check_callable
from .vmap import vmap

#: The names of the core dimensions of each argument or output.
Dimensions = list[tuple[str, ...]]

_TERM = r"\(\s*(?:\w+(?:\s*,\s*\w+)*)?\s*\)"
_TERMS = rf"(?:{_TERM}(?:\s*,\s*{_TERM})*)?"
_SIGNATURE = re.compile(rf"\s*({_TERMS})\s*->\s*({_TERMS})\s*")


def _parse(signature: str) -> tuple[Dimensions, Dimensions]:
    match = _SIGNATURE.fullmatch(signature)
    if match is None:
        raise ValueError(
            f"vectorize: signature must look like '(m,n),(n)->(m)', as NumPy's do, got {signature!r}"
        )
    inputs, outputs = (
        [tuple(re.findall(r"\w+", term)) for term in re.findall(_TERM, side)] for side in match.groups()
    )
    return inputs, outputs


@user_function
def vectorize(
    fun: Callable, *, excluded: Collection[int | str] = (), signature: str | None = None
) -> Callable:
    """A function that broadcasts its arguments like NumPy's universal functions, by `vmap`.

    Args:
        fun: a function of arrays that returns an array or a tuple of arrays.
        excluded: positions of arguments, and names of keyword arguments, that are passed on as they are. All
            other keyword arguments must be among them.
        signature: NumPy's notation of the axes that `fun` itself works on, such as ``"(m,n),(n)->(m)"``: the
            last ones of each argument; all before these are broadcast. Without it `fun` works on scalars.

    Returns:
        A function of arguments with any number of axes in front; those of the outputs are their broadcast.

    Raises:
        TypeError: `fun` is not a function; from the function returned: a wrong number of arguments, a keyword
            argument that is not excluded, or an output is not what the signature says.
        ValueError: the signature is ill-formed; from the function returned: an argument has too few axes,
            sizes do not agree, or shapes cannot be broadcast.

    >>> dot = ft.vectorize(lambda x, y: (x * y).sum(), signature="(n),(n)->()")
    >>> dot(ft.ones((4, 1, 3)), ft.ones((2, 3))).shape
    (4, 2)
    """
    check_callable("vectorize", fun)
    if signature is not None and not isinstance(signature, str):
        raise TypeError(f"vectorize: signature must be a string, got {signature!r}")
    parsed = None if signature is None else _parse(signature)
    if not isinstance(excluded, Collection) or any(
        not isinstance(e, (int, str)) or (isinstance(e, int) and e < 0) for e in excluded
    ):
        raise TypeError(
            f"vectorize: excluded must hold positions (not negative) and names of arguments, got {excluded!r}"
        )

    @user_function
    @wraps(fun)
    def vectorized(*args: Any, **kwargs: Any) -> Any:
        unknown = [name for name in kwargs if name not in excluded]
        if unknown:
            raise TypeError(
                f"vectorize of {function_name(fun)}: keyword arguments {unknown} are not in excluded; "
                "pass them by position"
            )
        places = [i for i in range(len(args)) if i not in excluded]
        arrays = [as_array(args[i], partial(_argument, fun, i)) for i in places]

        def inner(*chosen: Array) -> Any:
            given = dict(zip(places, chosen, strict=True))
            return fun(*(given.get(i, x) for i, x in enumerate(args)), **kwargs)

        scalars: tuple[Dimensions, None] = ([()] * len(arrays), None)
        return _Loop(function_name(fun), inner, *(parsed or scalars)).apply(arrays)

    return vectorized


def _argument(fun: Callable, i: int) -> str:
    return f"vectorize: argument {i} of {function_name(fun)}"


class _Loop:
    """One application: `fun` works on the core axes, the loop axes are mapped."""

    def __init__(self, name: str, fun: Callable, inputs: Dimensions, outputs: Dimensions | None):
        self.what = f"vectorize of {name}"
        self.fun = fun
        self.inputs = inputs
        self.outputs = outputs
        self.sizes: dict[str, int] = {}

    def apply(self, arrays: Sequence[Array]) -> Any:
        if len(arrays) != len(self.inputs):
            raise TypeError(f"{self.what}: the signature has {len(self.inputs)} arguments, got {len(arrays)}")
        loops = [
            self._loop_shape(i, x, names)
            for i, (x, names) in enumerate(zip(arrays, self.inputs, strict=True))
        ]
        try:
            shape = np.broadcast_shapes(*loops)
        except ValueError:
            raise ValueError(f"{self.what}: the axes {loops} cannot be broadcast together") from None
        mapped: Callable = self._checked
        squeezed = list(arrays)
        # From the innermost loop axis out: an argument that is constant along it is not mapped.
        for axis in range(1, len(shape) + 1):
            in_axes = []
            for i, loop in enumerate(loops):
                present = len(loop) >= axis
                constant = present and loop[-axis] == 1
                if constant:
                    squeezed[i] = _without_axis(squeezed[i], len(loop) - axis)
                in_axes.append(0 if present and not constant else None)
            mapped = vmap(mapped, in_axes=tuple(in_axes), axis_size=shape[-axis])
        return mapped(*squeezed)

    def _loop_shape(self, i: int, x: Array, names: tuple[str, ...]) -> tuple[int, ...]:
        if x.ndim < len(names):
            raise ValueError(
                f"{self.what}: argument {i} must have at least {len(names)} axes, ({','.join(names)}), "
                f"got shape {x.shape}"
            )
        split = x.ndim - len(names)
        self._check_sizes(f"argument {i}", names, x.shape[split:], ValueError)
        return x.shape[:split]

    def _check_sizes(
        self, what: str, names: tuple[str, ...], shape: tuple[int, ...], error: type[Exception]
    ) -> None:
        for name, size in zip(names, shape, strict=True):
            expected = self.sizes.setdefault(name, int(name) if name.isdecimal() else size)
            if size != expected:
                raise error(f"{self.what}: axis {name} of {what} has size {size}, expected {expected}")

    def _checked(self, *core: Array) -> Any:
        """`fun`, whose outputs are as the signature says."""
        result = self.fun(*core)
        if self.outputs is None:
            return result
        single, is_sequence = len(self.outputs) == 1, isinstance(result, (tuple, list))
        if is_sequence == single or (is_sequence and len(result) != len(self.outputs)):
            raise TypeError(
                f"{self.what}: the signature has {len(self.outputs)} output{'' if single else 's'}, got "
                f"{type(result).__name__}" + (f" of {len(result)}" if is_sequence else "")
            )
        for j, (y, names) in enumerate(zip([result] if single else result, self.outputs, strict=True)):
            array = as_array(y, lambda j=j: f"{self.what}: output {j}")  # type: ignore[misc]
            if array.ndim != len(names):
                raise TypeError(
                    f"{self.what}: output {j} must have axes ({','.join(names)}), got shape {array.shape}"
                )
            self._check_sizes(f"output {j}", names, array.shape, TypeError)
        return result


def _without_axis(x: Array, axis: int) -> Array:
    return reshape(x, (*x.shape[:axis], *x.shape[axis + 1 :]))
