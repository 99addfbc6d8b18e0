"""reduce and reduce_window: reductions by functions of the user.

A function that adds, multiplies, or takes the larger or smaller of two numbers is recognised, and runs as the
primitive that does it. Any other combines neighbours in pairs, all at once, and the pairs likewise: in
logarithmically many operations on whole arrays, of which everything has derivatives and batches.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .._native import Array, Dtype, bool_, user_function
from ..core.avals import ShapedArray, shaped_array
from ..core.jaxpr import ClosedJaxpr
from ..core.primitive import Primitive
from ..core.pytree import as_array, flatten, leaf_names, unflatten
from ..core.source import function_name
from ..core.tracing import eval_jaxpr
from ..primitives.elementwise import add_p, and_p, max_p, min_p, mul_p, or_p
from ..primitives.layout import batch_first, broadcast_scalar, move_axis, reduce_sum_p, reshape, transpose
from ..primitives.reduction import reduce_and_p, reduce_max_p, reduce_min_p, reduce_or_p, reduce_prod_p
from ..primitives.shape import pad_p, slice_axis
from ..primitives.window import (
    reduce_window_max_p,
    reduce_window_min_p,
    reduce_window_prod_p,
    reduce_window_sum_p,
)
from ..transforms.arguments import argument_arrays, check_callable, takes_dtype
from ..transforms.batching import eval_batched
from ._bodies import as_aval, trace, typed_outputs
from ._derived import batched_jaxpr

#: The reduction that a function of two numbers means, if it is just this primitive.
_REDUCTIONS = {
    add_p: reduce_sum_p,
    mul_p: reduce_prod_p,
    max_p: reduce_max_p,
    min_p: reduce_min_p,
    or_p: reduce_or_p,
    and_p: reduce_and_p,
}
_WINDOW_REDUCTIONS = {
    add_p: reduce_window_sum_p,
    mul_p: reduce_window_prod_p,
    max_p: reduce_window_max_p,
    min_p: reduce_window_min_p,
}

#: Windows above this size are always combined by doubling, so that there are few operations.
_LARGE_WINDOW = 8

#: Rows up to this length are combined as columns: vectors want something longer.
_SHORT_ROW = 16

#: What is before and after the elements along each axis.
Pairs = tuple[tuple[int, int], ...]


class _Monoid:
    """A function that combines two trees of numbers, and what it starts with."""

    def __init__(self, name: str, operands: Any, init_values: Any, computation: Callable):
        check_callable(name, computation)
        leaves, self.structure = flatten(operands)
        self.arrays = argument_arrays(name, computation, leaves, flatten(((operands,), {}))[1])
        if not self.arrays:
            raise ValueError(f"{name}: there are no arrays to reduce")
        names = leaf_names(operands, "operands")
        shape = self.arrays[0].shape
        for x, leaf in zip(self.arrays, names, strict=True):
            if x.shape != shape:
                raise ValueError(
                    f"{name}: the operands must have one shape, but {leaf} is {x.aval}, not {shape}"
                )
        self.inits = _initial(name, init_values, self.structure, [x.dtype for x in self.arrays])
        avals = [shaped_array((), x.dtype) for x in self.arrays]
        numbers = unflatten(self.structure, avals)
        closed, out_structure = trace(name, computation, (numbers, numbers), [*avals, *avals])
        _check_result(name, computation, closed, out_structure, self.structure, avals, names)
        self.closed = typed_outputs(closed, avals)

    def recognised(self, among: Mapping[Primitive, Primitive]) -> list[Primitive]:
        """The primitives that combine the numbers, if it is one of these for each; else none."""
        jaxpr, count = self.closed.jaxpr, len(self.arrays)
        producer = {v: e for e in jaxpr.equations for v in e.outputs}
        found = []
        for i, out in enumerate(jaxpr.outvars):
            equation = None if out.is_literal else producer.get(out)
            if equation is None or set(equation.inputs) != {jaxpr.invars[i], jaxpr.invars[count + i]}:
                return []
            bitwise = equation.primitive in (or_p, and_p) and self.arrays[i].dtype is not bool_
            if equation.primitive not in among or bitwise:
                return []
            found.append(equation.primitive)
        return found

    def combine(self, left: list[Array], right: list[Array]) -> list[Array]:
        """Arrays of one shape combined, element by element."""
        if left[0].ndim == 0:
            return eval_jaxpr(self.closed.jaxpr, self.closed.consts, *left, *right)
        count, *inner = left[0].shape
        mask = [True] * len(left)
        each = self.closed
        for size in reversed(inner):
            each, _ = batched_jaxpr(each, [*mask, *mask], size, mask)
        outs, dims = eval_batched(each.jaxpr, each.consts, [*left, *right], [0] * (2 * len(mask)), count)
        return [batch_first(x, d, count) for x, d in zip(outs, dims, strict=True)]

    def begun(self, xs: list[Array]) -> list[Array]:
        """The results, with what the reduction starts with."""
        return self.combine([broadcast_scalar(i, x.shape) for i, x in zip(self.inits, xs, strict=True)], xs)


def _initial(name: str, init_values: Any, structure: Any, dtypes: Sequence[Dtype]) -> list[Array]:
    leaves, found = flatten(init_values)
    if found != structure:
        raise TypeError(
            f"{name}: init_values must have the structure of the operands, {structure}, got {found}"
        )
    labels = leaf_names(init_values, "init_values")
    return [
        _scalar(f"{name}: {label}", x, dtype) for x, label, dtype in zip(leaves, labels, dtypes, strict=True)
    ]


def _scalar(what: str, number: Any, dtype: Dtype) -> Array:
    x = as_array(number, lambda: what)
    if x.shape != () or not takes_dtype(x, dtype):
        raise TypeError(f"{what} must be a {dtype} scalar like its operand, got {x.aval}")
    return as_aval(x, shaped_array((), dtype))


def _check_result(
    name: str,
    computation: Callable,
    closed: ClosedJaxpr,
    out_structure: Any,
    structure: Any,
    avals: Sequence[ShapedArray],
    names: Sequence[str],
) -> None:
    if out_structure != structure:
        raise TypeError(
            f"{name}: {function_name(computation)} must return a tree like its arguments, {structure}, "
            f"got {out_structure}"
        )
    for aval, out, leaf in zip(avals, closed.out_avals, names, strict=True):
        if out.shape != () or (out.dtype is not aval.dtype and not out.weak_type):
            raise TypeError(
                f"{name}: {function_name(computation)} returns {out} for {leaf}, of which it got {aval}"
            )


# ---------------------------------------------------------------- reduce


@user_function
def reduce(operands: Any, init_values: Any, computation: Callable, dimensions: Sequence[int]) -> Any:
    """Arrays reduced over some of their axes by a function of the user.

    Args:
        operands: a pytree of arrays of one shape.
        init_values: a tree like it of scalars, with which the reduction starts.
        computation: ``(a, b) -> c`` on trees like `operands` of scalars. It must be associative; that of
            one element after another, in row-major order of `dimensions`, need not commute.
        dimensions: the axes to reduce.

    Returns:
        A tree like `operands` without these axes. Sums, products, largest and smallest elements, and logical
        or and and, are recognised (and as accurate and fast as `ft.sum`); others take log₂ n operations.

    Raises:
        TypeError: `computation` does not return a tree like its arguments, or an initial value has another
            dtype, naming the leaf.
        ValueError: shapes differ, an axis is out of range or there twice, or there are no arrays.

    >>> ft.reduce(ft.array([1.0, 2.0, 3.0]), 0.0, lambda a, b: a + b - a * b / 10.0, [0])
    array(4.96, dtype=float32)
    """
    monoid = _Monoid("reduce", operands, init_values, computation)
    ndim = monoid.arrays[0].ndim
    axes = _checked_axes(dimensions, ndim, monoid.arrays[0].shape)
    kept = [axis for axis in range(ndim) if axis not in axes]
    shape = tuple(monoid.arrays[0].shape[axis] for axis in kept)
    primitives = monoid.recognised(_REDUCTIONS)
    if 0 in monoid.arrays[0].shape:
        outs = [broadcast_scalar(i, shape) for i in monoid.inits]
    elif primitives:
        outs = [
            p.bind(i, _REDUCTIONS[p].bind(x, axes=tuple(sorted(axes))))
            for p, i, x in zip(primitives, monoid.inits, monoid.arrays, strict=True)
        ]
    else:
        if axes == list(range(ndim - len(axes), ndim)):  # they are read as they lie in memory
            size = math.prod(shape)
            folded = _folded(monoid.combine, [reshape(x, (size, x.size // size)) for x in monoid.arrays], 1)
        else:
            folded = _folded(monoid.combine, [_rows(x, axes) for x in monoid.arrays], 0)
        outs = monoid.begun([reshape(x, shape) for x in folded])
    return unflatten(monoid.structure, outs)


def _sequence(function: str, label: str, values: Any) -> list[Any]:
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"{function}: {label} must be a sequence, got {type(values).__name__}: {values!r}")
    return list(values)


def _checked_axes(dimensions: Sequence[int], ndim: int, shape: tuple[int, ...]) -> list[int]:
    axes = _sequence("reduce", "dimensions", dimensions)
    for axis in axes:
        if not isinstance(axis, int) or not -ndim <= axis < ndim:
            raise ValueError(f"reduce: dimension {axis!r} is out of range for operands of shape {shape}")
    axes = [axis % ndim for axis in axes]
    if len(set(axes)) != len(axes):
        raise ValueError(f"reduce: dimensions must differ, got {list(dimensions)}")
    return axes


def _rows(x: Array, axes: Sequence[int]) -> Array:
    """The elements along the axes in front, all others behind."""
    for position, axis in enumerate(axes):
        before = sum(a > axis for a in axes[:position])  # axes already in front have shifted it
        x = move_axis(x, axis + before, position)
    size = math.prod(x.shape[: len(axes)])
    return reshape(x, (size, x.size // size))


def _folded(combine: Callable, xs: list[Array], axis: int) -> list[Array]:
    """Matrices folded along an axis, in order: neighbours in pairs, then the pairs."""
    rest: list[Array] | None = None  # behind the pairs
    while (count := xs[0].shape[axis]) > 1:
        if axis == 1 and count <= _SHORT_ROW:
            xs, axis = [transpose(x, (1, 0)) for x in xs], 0
            rest = None if rest is None else [transpose(x, (1, 0)) for x in rest]
        if count % 2:
            last = _every(xs, axis, count - 1, 1, 1)
            rest = last if rest is None else combine(last, rest)
        xs = combine(_every(xs, axis, 0, count // 2, 2), _every(xs, axis, 1, count // 2, 2))
    return xs if rest is None else combine(xs, rest)


def _every(xs: list[Array], axis: int, start: int, count: int, step: int) -> list[Array]:
    """So many slices along an axis from one on, each a step behind the one before."""
    return [slice_axis(x, axis, start, start + (count - 1) * step + 1, step) for x in xs]


# ---------------------------------------------------------------- reduce_window


@user_function
def reduce_window(
    operands: Any,
    init_values: Any,
    computation: Callable,
    window_dimensions: Sequence[int],
    window_strides: Sequence[int] | None = None,
    padding: str | Sequence[tuple[int, int]] = "VALID",
    base_dilation: Sequence[int] | None = None,
    window_dilation: Sequence[int] | None = None,
) -> Any:
    """Each window of arrays reduced by a function of the user.

    Args:
        operands: a pytree of arrays of one shape.
        init_values: a tree like it of scalars, with which the reduction of a window starts, and which stand
            in its padding and its gaps.
        computation: ``(a, b) -> c`` on trees like `operands` of scalars. It must be associative.
        window_dimensions: the size of the window along each axis.
        window_strides: the step between windows; 1 by default.
        padding: (before, after) for each axis, negative to crop; "VALID" for none, "SAME" for as much as
            gives ceil(extent / stride) windows, the odd one after.
        base_dilation: the step between elements of the operands, the gaps between which are filled.
        window_dilation: the step between elements of the window.

    Returns:
        A tree like `operands`, with an element for each window. Sums, products, largest and smallest elements
        are recognised; others take 2·log₂(size) operations an axis, or size - 1 where that is less work.

    Raises:
        TypeError: `computation` does not return a tree like its arguments, or an initial value has another
            dtype, naming the leaf.
        ValueError: a parameter does not have one positive integer for each axis, or shapes differ.

    >>> ft.reduce_window(ft.array([1.0, 5.0, 2.0, 4.0]), -ft.inf, ft.maximum, [2], [2])
    array([5, 4], dtype=float32)
    """
    monoid = _Monoid("reduce_window", operands, init_values, computation)
    arrays, inits = monoid.arrays, monoid.inits
    ndim = arrays[0].ndim
    window, strides, gaps, dilation = (
        _each_axis("window_dimensions", window_dimensions, ndim),
        _each_axis("window_strides", window_strides, ndim),
        _each_axis("base_dilation", base_dilation, ndim),
        _each_axis("window_dilation", window_dilation, ndim),
    )
    reach = [(w - 1) * d + 1 for w, d in zip(window, dilation, strict=True)]
    extents = [max((n - 1) * g + 1, 0) for n, g in zip(arrays[0].shape, gaps, strict=True)]
    pads = _padding(padding, extents, strides, reach)
    primitives = monoid.recognised(_WINDOW_REDUCTIONS)

    def known(xs: list[Array], pads: Pairs) -> list[Array]:
        parameters = {"window": window, "strides": strides, "padding": pads, "dilation": dilation}
        return [_WINDOW_REDUCTIONS[p].bind(x, **parameters) for p, x in zip(primitives, xs, strict=True)]

    if primitives and max(gaps, default=1) == 1 and all(map(_is_neutral, primitives, inits)):
        return unflatten(monoid.structure, known(arrays, pads))
    low, high = (tuple(pair[side] for pair in pads) for side in (0, 1))
    interior = tuple(g - 1 for g in gaps)
    xs = [pad_p.bind(x, i, low=low, high=high, interior=interior) for x, i in zip(arrays, inits, strict=True)]
    counts = tuple(max((n - r) // s + 1, 0) for n, r, s in zip(xs[0].shape, reach, strides, strict=True))
    if 0 in counts:
        return unflatten(monoid.structure, [broadcast_scalar(i, counts) for i in inits])
    if primitives:
        xs = known(xs, ((0, 0),) * ndim)
    else:
        for axis in reversed(range(ndim)):  # rows of the window before its columns: in order
            xs = _windows(monoid, xs, axis, window[axis], strides[axis], dilation[axis], counts[axis])
    return unflatten(monoid.structure, monoid.begun(xs))


def _is_neutral(primitive: Primitive, init: Array) -> bool:
    """Whether a number does not count, like the padding of a reduction of windows."""
    if primitive in (add_p, mul_p):
        return init._immediate == (0 if primitive is add_p else 1)
    is_max = primitive is max_p
    if init.dtype.kind not in "iu":
        return init._immediate == (-math.inf if is_max else math.inf)
    bits = 8 * init.dtype.itemsize - (init.dtype.kind == "i")
    lowest = 0 if init.dtype.kind == "u" else -(2**bits)
    return init._immediate == (lowest if is_max else 2**bits - 1)


def _each_axis(label: str, values: Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    if values is None:
        return (1,) * ndim
    found = tuple(_sequence("reduce_window", label, values))
    if len(found) != ndim or not all(isinstance(v, int) and v > 0 for v in found):
        raise ValueError(
            f"reduce_window: {label} must have one positive int for each of {ndim} axes, got {values!r}"
        )
    return found


def _padding(
    padding: str | Sequence[tuple[int, int]], extents: list[int], strides: tuple[int, ...], reach: list[int]
) -> Pairs:
    if padding == "VALID":
        return ((0, 0),) * len(extents)
    if padding == "SAME":
        totals = [
            max((-(-n // s) - 1) * s + r - n, 0) for n, s, r in zip(extents, strides, reach, strict=True)
        ]
        return tuple((total // 2, total - total // 2) for total in totals)
    pairs = tuple(
        tuple(_sequence("reduce_window", "each pair of padding", pair))
        for pair in (() if isinstance(padding, str) else _sequence("reduce_window", "padding", padding))
    )
    if len(pairs) != len(extents) or not all(
        len(pair) == 2 and all(isinstance(side, int) for side in pair) for pair in pairs
    ):
        raise ValueError(
            f'reduce_window: padding must be "SAME", "VALID", or a pair of ints for each of {len(extents)} '
            f"axes, got {padding!r}"
        )
    return pairs


def _windows(
    monoid: _Monoid, xs: list[Array], axis: int, window: int, stride: int, dilation: int, count: int
) -> list[Array]:
    """The windows along one axis combined."""
    before, after = xs[0].shape[:axis], xs[0].shape[axis + 1 :]
    extent = xs[0].shape[axis]
    xs = [reshape(x, (math.prod(before), extent, math.prod(after))) for x in xs]
    # How many slices are combined by doubling, and element by element.
    doubling = (window.bit_length() - 1) * extent + (window.bit_count() - 1) * count
    if window > _LARGE_WINDOW or (window - 1) * count > doubling:
        ys = _by_doubling(monoid, xs, window, stride, dilation, count)
    else:
        ys = _every(xs, 1, 0, count, stride)
        for k in range(1, window):
            ys = monoid.combine(ys, _every(xs, 1, k * dilation, count, stride))
    return [reshape(y, (*before, count, *after)) for y in ys]


def _by_doubling(
    monoid: _Monoid, xs: list[Array], window: int, stride: int, dilation: int, count: int
) -> list[Array]:
    """The windows along axis 1: those of twice the size of two, as far as a window needs them."""
    result: list[Array] | None = None
    size, covered = 1, 0  # of the windows in `xs`; of the first elements of the windows in `result`
    while True:
        if window & size:
            part = _every(xs, 1, covered * dilation, count, stride)
            result = part if result is None else monoid.combine(result, part)
            covered += size
        if covered == window:
            return result  # type: ignore[return-value]  # a window has an element
        left = xs[0].shape[1] - size * dilation
        xs = monoid.combine(_every(xs, 1, 0, left, 1), _every(xs, 1, size * dilation, left, 1))
        size *= 2
