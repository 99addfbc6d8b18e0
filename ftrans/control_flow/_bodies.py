"""From the user's functions, on trees, to the jaxprs of loop bodies and branches, with checked types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .._native import Array, scalar
from ..core.avals import ShapedArray
from ..core.jaxpr import ClosedJaxpr
from ..core.pytree import flatten, leaf_names
from ..core.source import function_name
from ..core.tracing import eval_jaxpr, trace_to_jaxpr
from ..primitives.conversion import convert_p
from ..transforms.arguments import KINDS, FlatFunction, argument_sources, takes_dtype

if TYPE_CHECKING:
    from optree import PyTreeSpec


def trace(name: str, fun: Callable, trees: tuple, avals: Sequence[ShapedArray]) -> tuple[ClosedJaxpr, Any]:
    """The jaxpr of a function of these trees, whose leaves have these avals, and the tree of its results."""
    structure = flatten((trees, {}))[1]
    function = FlatFunction(name, fun, structure.unflatten)
    closed = trace_to_jaxpr(function, avals, name, argument_sources(fun, structure))
    return closed, function.structure


def loop_body(
    name: str,
    fun: Callable,
    trees: tuple,
    carry: Any,
    avals: list[ShapedArray],
    other_avals: list[ShapedArray],
    split: Callable[[PyTreeSpec], tuple[PyTreeSpec, Any]],
) -> tuple[ClosedJaxpr, Any, list[ShapedArray]]:
    """The jaxpr of the body of a loop, whose first inputs and outputs are the carry.

    Weakly typed leaves of the initial carry (Python scalars) take the types that the body makes of them.
    `split` gives the structure of the carry, and of the rest, for that of the result.

    Returns:
        The jaxpr, what `split` gave, and the avals of the carry.

    Raises:
        TypeError: the body returns a carry of another structure, shape or dtype; it names the leaf.
    """
    structure = flatten(carry)[1]
    while True:
        closed, out_structure = trace(name, fun, trees, [*avals, *other_avals])
        parts = split(out_structure)
        if parts[0] != structure:
            raise TypeError(
                f"{name}: the carry that {function_name(fun)} returns must have the structure of the initial "
                f"one, {structure}, got {parts[0]}"
            )
        outs = closed.out_avals[: len(avals)]
        widened = [_widened(a, out) for a, out in zip(avals, outs, strict=True)]
        if widened == avals:
            break
        avals = widened
    for leaf, aval, out in zip(leaf_names(carry, "carry"), avals, outs, strict=True):
        if aval.shape != out.shape or not takes_dtype(out, aval.dtype):
            raise TypeError(
                f"{name}: {leaf} is {aval}, but {function_name(fun)} returns {out} for it; "
                "the carry must keep its shape and dtype: convert the initial value or the result"
            )
    return typed_outputs(closed, avals), parts, avals


def typed_outputs(closed: ClosedJaxpr, avals: Sequence[ShapedArray]) -> ClosedJaxpr:
    """A jaxpr whose first outputs have these avals, which may differ in dtype and weak type."""
    if all(a is b for a, b in zip(closed.out_avals, avals, strict=False)):
        return closed

    def converted(*args: Array) -> list[Array]:
        outs = eval_jaxpr(closed.jaxpr, closed.consts, *args)
        return [*(as_aval(x, a) for x, a in zip(outs, avals, strict=False)), *outs[len(avals) :]]

    return trace_to_jaxpr(converted, closed.in_avals, "scan")


def _widened(aval: ShapedArray, out: ShapedArray) -> ShapedArray:
    """`out`, where the initial value is a Python scalar that leaves the dtype to the body."""
    is_wider = KINDS.index(out.dtype.kind) >= KINDS.index(aval.dtype.kind)
    return out if aval.weak_type and aval.shape == out.shape and is_wider else aval


def common_avals(
    name: str, labels: Sequence[str], leaves: Sequence[str], avals: Sequence[Sequence[ShapedArray]]
) -> list[ShapedArray]:
    """The avals of the results of branches: those not weakly typed decide.

    Raises:
        TypeError: shapes or dtypes differ; it names the leaf and the branches.
    """
    common = []
    for leaf, column in zip(leaves, zip(*avals, strict=True), strict=True):
        deciding = max(column, key=lambda a: (not a.weak_type, KINDS.index(a.dtype.kind)))
        for label, aval in zip(labels, column, strict=True):
            if aval.shape != deciding.shape or not takes_dtype(aval, deciding.dtype):
                other = labels[column.index(deciding)]
                raise TypeError(
                    f"{name}: the branches must return results of one shape and dtype, but for {leaf} "
                    f"{other} returns {deciding} and {label} returns {aval}"
                )
        common.append(deciding)
    return common


def as_aval(x: Array, aval: ShapedArray) -> Array:
    """`x` with the dtype of `aval`, and not weakly typed unless that is."""
    if x.dtype is aval.dtype and (aval.weak_type or not x.weak_type):
        return x
    if x._immediate is not None and x.shape == ():
        return scalar(x._immediate, aval.dtype, False)
    return convert_p.bind(x, dtype=aval.dtype)
