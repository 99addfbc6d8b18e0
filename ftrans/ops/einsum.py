"""Einstein summation. Two operands go straight to one `dot_general`; more are ordered by opt_einsum."""

from __future__ import annotations

import importlib
from collections import Counter
from functools import lru_cache
from string import ascii_letters
from typing import Any

from .. import primitives as p
from .._native import Array, bool_
from .linear_algebra import diagonal, dot_general
from .manipulation import permute
from .operands import as_array, broadcast, convert, describe, promoted_dtype, reshape_to
from .statistical import sum as sum_over
from .streams import attributed, streamed

__all__ = ["einsum", "einsum_path"]

#: Letters for integer labels, in alphabetical order as the labels are in numerical order.
_LABELS = sorted(ascii_letters)

Term = tuple[Array, str]  # an array and a label for each of its axes


@streamed
def einsum(subscripts: Any, /, *operands: Any, optimize: str = "auto", stream: Any = None) -> Array:
    """The sum of products that `subscripts` describe.

    Instead of a string, lists of integers (or ...) may label the axes: einsum(x, [0, 1], y, [1, 2], [0, 2]),
    the last one, for the result, being optional.

    Args:
        subscripts: labels of the axes of each operand and of the result, such as "ij,jk->ik". Axes that
            share a label run together, those not in the result are summed. "..." stands for further,
            broadcasting axes. Without "->", the labels that occur once make the result, in alphabetical
            order.
        operands: arrays; their dtypes are promoted.
        optimize: how opt_einsum orders the contractions of three or more operands.

    Raises:
        ValueError: the subscripts are ill-formed or do not fit the shapes.

    >>> ft.einsum("ij,j->i", ft.array([[1.0, 2.0], [3.0, 4.0]]), ft.array([1.0, 1.0]))
    array([3, 7], dtype=float32)
    """
    subscripts, arrays = _read_operands("einsum", subscripts, operands)
    inputs, output = _parse(subscripts, [x.ndim for x in arrays])
    dtype = promoted_dtype("einsum", *arrays)
    terms = [(convert(x, dtype), labels) for x, labels in zip(arrays, inputs, strict=True)]
    sizes = _label_sizes(subscripts, terms)
    if any(label not in sizes for label in output):
        raise ValueError(f"einsum: {subscripts!r}: a label of the result is not among those of the operands")
    terms = [_simplified(x, labels, sizes) for x, labels in terms]
    if len(terms) > 2:
        terms = _contract_in_order(terms, output, optimize)
    term = _contract(terms[0], terms[1], set(output)) if len(terms) == 2 else terms[0]
    return _finished(*term, output, sizes)


def _read_operands(function: str, subscripts: Any, operands: tuple) -> tuple[str, list[Array]]:
    """The subscripts as a string, and the arrays."""
    if isinstance(subscripts, str):
        return subscripts, [as_array(x, function, f"operand {i}") for i, x in enumerate(operands)]
    arguments = (subscripts, *operands)
    count = len(arguments) // 2
    labels = [*arguments[1 : 2 * count : 2], *arguments[2 * count :]]
    if not count or not all(isinstance(each, (list, tuple)) for each in labels):
        raise TypeError(
            f"{function}: expected a string and arrays, or arrays each followed by a list of labels; "
            f"got {', '.join(type(a).__name__ for a in arguments)}"
        )

    def letters(sublist: Any) -> str:
        for label in sublist:
            if label is not Ellipsis and (type(label) is not int or not 0 <= label < len(ascii_letters)):
                raise ValueError(
                    f"{function}: a label must be an int between 0 and {len(ascii_letters) - 1}, or ...; "
                    f"got {describe(label)}"
                )
        return "".join("..." if label is Ellipsis else _LABELS[label] for label in sublist)

    text = ",".join(letters(each) for each in labels[:count])
    text += "->" + letters(labels[count]) if len(labels) > count else ""
    return text, [as_array(x, function, f"operand {i}") for i, x in enumerate(arguments[: 2 * count : 2])]


@attributed
def einsum_path(
    subscripts: Any, /, *operands: Any, optimize: str = "auto"
) -> tuple[list[tuple[int, ...]], str]:
    """In which order `einsum` would contract its operands, found by opt_einsum.

    Args:
        subscripts, operands, optimize: as of `einsum`.

    Returns:
        (path, report): which operands are taken from the list, and their product put behind the others, at
        each step; and a table of the steps with their costs.

    >>> ft.einsum_path("ij,jk,kl->il", ft.ones((2, 9)), ft.ones((9, 9)), ft.ones((9, 3)))[0]
    [(0, 1), (0, 1)]
    """
    subscripts, arrays = _read_operands("einsum_path", subscripts, operands)
    inputs, output = _parse(subscripts, [x.ndim for x in arrays])
    _label_sizes(subscripts, list(zip(arrays, inputs, strict=True)))
    return _contraction_path(",".join(inputs) + "->" + output, arrays, optimize)


def _contraction_path(expression: str, arrays: list[Array], optimize: Any) -> tuple[list[tuple], str]:
    """What opt_einsum, which is only needed for three operands and more, finds."""
    if not isinstance(optimize, (str, bool, list, tuple)):
        raise TypeError(f"einsum: optimize must be a name or a path, got {describe(optimize)}")
    shapes = tuple([x.shape for x in arrays])
    find: Any = _found_path if isinstance(optimize, (str, bool)) else _found_path.__wrapped__
    try:
        path, report = find(expression, shapes, optimize)
    except (KeyError, TypeError) as error:
        raise ValueError(f"einsum: optimize = {optimize!r}: {error}") from None
    return list(path), report


@lru_cache(maxsize=256)
def _found_path(
    expression: str, shapes: tuple[tuple[int, ...], ...], optimize: Any
) -> tuple[list[tuple], str]:
    opt_einsum = importlib.import_module("opt_einsum")
    path, report = opt_einsum.contract_path(expression, *shapes, shapes=True, optimize=optimize)
    return path, str(report)


def _parse(subscripts: str, ndims: list[int]) -> tuple[list[str], str]:
    """The labels of each operand and of the result, with those that the ellipsis stands for."""
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    inputs = left.split(",")
    if len(inputs) != len(ndims):
        raise ValueError(f"einsum: {subscripts!r} names {len(inputs)} operands, got {len(ndims)}")
    unused = [c for c in ascii_letters if c not in text]
    hidden = 0  # the most axes that an ellipsis stands for
    for i, (labels, ndim) in enumerate(zip(inputs, ndims, strict=True)):
        explicit = len(labels.replace("...", "", 1))
        if explicit > ndim or ("..." not in labels and explicit != ndim):
            raise ValueError(f"einsum: {subscripts!r} gives operand {i} {explicit} axes, but it has {ndim}")
        if "..." in labels:
            hidden = max(hidden, ndim - explicit)
    if hidden > len(unused):
        raise ValueError(f"einsum: {subscripts!r} needs more labels than there are letters")
    stands_for = "".join(unused[:hidden])

    def expand(labels: str, number: int) -> str:
        labels = labels.replace("...", stands_for[hidden - number :], 1)
        if not all(c in ascii_letters for c in labels):
            raise ValueError(f"einsum: {subscripts!r}: labels must be letters or one '...'")
        return labels

    expanded = [expand(s, n - len(s.replace("...", "", 1))) for s, n in zip(inputs, ndims, strict=True)]
    if arrow:
        output = expand(right, hidden)
        if len(set(output)) < len(output):
            raise ValueError(f"einsum: {subscripts!r}: a label occurs twice in the result")
        return expanded, output
    counts = Counter("".join(expanded))
    once = sorted(c for c, n in counts.items() if n == 1 and c not in stands_for)
    return expanded, stands_for + "".join(once)


def _label_sizes(subscripts: str, terms: list[Term]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for x, labels in terms:
        for label, extent in zip(labels, x.shape, strict=True):
            known = sizes.get(label, 1)
            if 1 not in (known, extent) and known != extent:
                raise ValueError(f"einsum: {subscripts!r}: label {label!r} has extents {known} and {extent}")
            sizes[label] = extent if known == 1 else known
    return sizes


def _simplified(x: Array, labels: str, sizes: dict[str, int]) -> Term:
    """Without repeated labels (diagonals are taken) and without axes that only broadcast."""
    for label, times in Counter(labels).items():
        for _ in range(times - 1):
            first = labels.index(label)
            second = labels.index(label, first + 1)
            if x.shape[first] != x.shape[second]:
                narrow = first if x.shape[first] == 1 else second
                x = reshape_to(x, x.shape[:narrow] + x.shape[narrow + 1 :])
                labels = labels[:narrow] + labels[narrow + 1 :]
            else:
                x = diagonal(x, 0, first, second)
                labels = "".join(c for i, c in enumerate(labels) if i not in (first, second)) + label
    kept = [i for i, label in enumerate(labels) if not (x.shape[i] == 1 and sizes[label] != 1)]
    return reshape_to(x, tuple(x.shape[i] for i in kept)), "".join(labels[i] for i in kept)


def _summed(x: Array, labels: str, needed: set[str]) -> Term:
    """The term summed over the labels that nothing else needs."""
    axes = tuple(i for i, label in enumerate(labels) if label not in needed)
    if not axes:
        return x, labels
    return sum_over(x, axes, dtype=x.dtype), "".join(label for label in labels if label in needed)


def _contract(first: Term, second: Term, needed: set[str]) -> Term:
    """The product of two terms, summed over the labels that are not needed."""
    (x, xs), (y, ys) = _summed(*first, needed | set(second[1])), _summed(*second, needed | set(first[1]))
    shared = [label for label in xs if label in ys]
    batch = [label for label in shared if label in needed]
    contracted = [label for label in shared if label not in needed]
    labels = (
        "".join(batch) + "".join(c for c in xs if c not in shared) + "".join(c for c in ys if c not in shared)
    )
    if not contracted:
        return _multiply(x, xs, y, ys, labels), labels

    def axes(names: list[str], of: str) -> tuple[int, ...]:
        return tuple(of.index(label) for label in names)

    dimensions = (axes(contracted, xs), axes(contracted, ys)), (axes(batch, xs), axes(batch, ys))
    return dot_general(x, y, *dimensions), labels


def _multiply(x: Array, xs: str, y: Array, ys: str, labels: str) -> Array:
    extents = dict(zip(xs + ys, x.shape + y.shape, strict=True))
    shape = tuple(extents[label] for label in labels)
    product = p.and_p if x.dtype is bool_ else p.mul_p
    return product.bind(_aligned(x, xs, labels, shape), _aligned(y, ys, labels, shape))


def _aligned(x: Array, xs: str, labels: str, shape: tuple[int, ...]) -> Array:
    """`x` with its axes in the order of `labels`, broadcast to `shape`."""
    ordered = sorted(range(x.ndim), key=lambda axis: labels.index(xs[axis]))
    x = permute(x, tuple(ordered))
    return broadcast(
        reshape_to(x, tuple(n if c in xs else 1 for c, n in zip(labels, shape, strict=True))), shape
    )


def _contract_in_order(terms: list[Term], output: str, optimize: str) -> list[Term]:
    """Contract pairs until two terms are left."""
    present = {label for _, labels in terms for label in labels}
    expression = ",".join(labels for _, labels in terms) + "->" + "".join(c for c in output if c in present)
    path, _ = _contraction_path(expression, [x for x, _ in terms], optimize)
    for chosen in path:
        if len(terms) <= 2:
            break
        group = [terms[i] for i in chosen]
        terms = [t for i, t in enumerate(terms) if i not in chosen]
        while len(group) > 1:
            first, second = group.pop(0), group.pop(0)
            needed = set(output).union(*(labels for _, labels in terms + group))
            group.insert(0, _contract(first, second, needed))
        terms += group
    return terms


def _finished(x: Array, labels: str, output: str, sizes: dict[str, int]) -> Array:
    """The term summed, transposed and broadcast to the labels of the result."""
    x, labels = _summed(x, labels, set(output))
    return _aligned(x, labels, output, tuple(sizes[label] for label in output))
