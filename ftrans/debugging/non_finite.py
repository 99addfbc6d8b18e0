"""debug_nans and debug_infs: from which operation NaN and infinities come, and out of what."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import reduce
from typing import Any

import numpy as np

from .._native import Array, user_source
from ..core.jaxpr import Equation, Literal, Var
from ..core.primitive import Primitive
from ..core.source import format_source, is_backward
from ..interop import asarray
from ..primitives.elementwise import abs_p, is_finite_p, is_inf_p, is_nan_p, mul_p, not_p, or_p
from ..primitives.reduction import reduce_max_p, reduce_or_p
from .inspection import Inspector, Product, apply, inspected_by


class _NonFinite(Inspector):
    """Looks for one kind of values: `what` in messages; NumPy's test of it, and a primitive that is one."""

    def __init__(self, bit: int, what: str, test: Callable[[np.ndarray], np.ndarray], primitive: Primitive):
        self.bit = bit
        self.what = what
        self.test = test
        self.primitive = primitive

    def look(
        self, primitive: Primitive, operands: Sequence[Array], parameters: dict[str, Any], outs: list[Array]
    ) -> None:
        """Raise if a result has such a value."""
        for out in outs:
            if out.aval.is_inexact:
                self._check(primitive, operands, parameters, out)

    def _check(
        self, primitive: Primitive, operands: Sequence[Array], parameters: dict[str, Any], result: Array
    ) -> None:
        values = np.asarray(result)
        found = self.test(values)
        if not found.any():
            return
        where = f" in {found.sum()} of {values.size} elements" if values.ndim else ""
        inputs = [Var(x.aval) if x._immediate is None else Literal(x, x.aval) for x in operands]
        equation = Equation(primitive, inputs, [Var(result.aval)], parameters)
        names = iter(string.ascii_lowercase)
        ranges = [
            f"{name} is {_range(x)}"
            for x, name in zip([x for x in operands if x._immediate is None], names, strict=False)
        ]
        source = user_source()
        in_backward_pass = ", in the backward pass" if is_backward(source) else ""
        raise FloatingPointError(
            f"{primitive.name} gave {self.what}{where}, at {format_source(source)}{in_backward_pass}:\n"
            f"    {equation}" + (f"\nwhere {', '.join(ranges)}" if ranges else "")
        )

    def suspicion(self, outs: Sequence[Array | Product]) -> Array | None:
        """Whether any of the results has such a value; of a product, whether it might."""
        flags = []
        for x in outs:
            if isinstance(x, Product):
                flags.append(_might_overflow(x))
            elif x.aval.is_inexact and x.size:
                flags.append(self._has_any(x))
        return reduce(lambda a, b: apply(or_p, a, b), flags) if flags else None

    def _has_any(self, x: Array) -> Array:
        if self.primitive is is_nan_p and x.dtype.kind == "f":
            return apply(is_nan_p, _maximum(x))  # one pass: a NaN is the greatest of what it is among
        return apply(reduce_or_p, apply(self.primitive, x), axes=tuple(range(x.ndim)))

    def found_nothing(self, what: str, operands: Sequence[Array], outs: Sequence[Array]) -> None:
        """Raise if the values do not come from the operands."""
        given = self.suspicion(operands)
        result = self.suspicion(outs)
        if result is not None and result.item() and not (given is not None and given.item()):
            raise FloatingPointError(
                f"{what} gave {self.what}, which none of its operations does when it runs by itself, "
                f"at {format_source(user_source())}"
            )


def _maximum(x: Array) -> Array:
    return apply(reduce_max_p, x, axes=tuple(range(x.ndim)))


def _might_overflow(product: Product) -> Array:
    """Whether a sum of products of two arrays can be anything but finite. The greatest of factors tell."""
    left, right = (_maximum(apply(abs_p, x)) for x in (product.left, product.right))
    terms = asarray(2.0 * product.terms, left.dtype)  # twice, for what rounding may add
    bound = apply(mul_p, apply(mul_p, left, right), terms)
    return apply(not_p, apply(is_finite_p, bound))


_NAN = _NonFinite(1, "NaN", np.isnan, is_nan_p)
_INF = _NonFinite(2, "inf", np.isinf, is_inf_p)


def _range(x: Array) -> str:
    """What values there are, as ``from 0 to 2 with 1 NaN``; of complex numbers the magnitudes."""
    values = np.asarray(x)
    if x.dtype.kind == "c":
        values = np.abs(values)
    values = values.astype(np.float64).reshape(-1)
    parts = []
    finite = values[np.isfinite(values)]
    if finite.size:
        low, high = finite.min(), finite.max()
        parts.append(f"{low:g}" if low == high else f"from {low:g} to {high:g}")
    parts += [f"{kind.test(values).sum()} {kind.what}" for kind in (_NAN, _INF) if kind.test(values).any()]
    return ("of magnitude " if x.dtype.kind == "c" else "") + (" with ".join(parts) or "empty")


def debug_nans() -> AbstractContextManager[None]:
    """A context in which an operation that gives NaN raises an error that says where, and from what.

    It counts for the operations of this thread, in the forward pass as in the backward one. Each is evaluated
    by itself, which is slow, and its results are looked at; a NaN that `where` would have thrown away is
    found too. A compiled function, and a loop or branch outside of one, runs as a whole, which costs little.
    If there is a NaN in what it returns, it is run again operation by operation, those inside of its loops
    and branches too, to find out where the NaN comes from; one that does not reach its results is not found
    (use `disable_jit`, or `checkify` with `debug.nan_checks`). One with effects such as `debug.print` runs
    that way at once.

    Raises:
        FloatingPointError: inside of the context: with the user's line, the equation, and the ranges of its
            operands.

    >>> try:
    ...     with ft.debug_nans():
    ...         ft.grad(lambda x: ft.sqrt(x) ** 2 - ft.log(-x))(1.0)
    ... except FloatingPointError as error:
    ...     print(error)
    log gave NaN, at ... (<lambda>):
        b:f32[] = log a
    where a is -1
    """
    return inspected_by(_NAN)


def debug_infs() -> AbstractContextManager[None]:
    """A context in which an operation that gives an infinity raises an error. See `debug_nans`.

    Raises:
        FloatingPointError: inside of the context.

    >>> with ft.debug_infs():
    ...     ft.jit(lambda x: 1 / x)(ft.array([2.0, 0.0]))
    Traceback (most recent call last):
        ...
    FloatingPointError: div gave inf in 1 of 2 elements, at ... (<lambda>):
        b:f32[2] = div 1.0:f32[] a
    where a is from 0 to 2
    """
    return inspected_by(_INF)
