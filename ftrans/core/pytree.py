"""Pytrees: nested containers of arrays (tuple, list, dict, None, registered classes), through optree."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _native
from .._native import Array
from .errors import Unavailable

if TYPE_CHECKING:
    from optree import PyTreeSpec

_NAMESPACE = "ftrans"


@functools.cache
def _optree() -> Any:
    """The module, loaded for the first tree: it would be a fifth of the package's import."""
    return importlib.import_module("optree")


@functools.cache
def _leaf() -> PyTreeSpec:
    """The structure of a single array."""
    return _optree().tree_structure(0, namespace=_NAMESPACE)


def flatten(tree: Any) -> tuple[list[Any], PyTreeSpec]:
    """The leaves of `tree`, and its structure. None is an empty tree; dicts are ordered by key."""
    if type(tree) is Array:
        return [tree], _leaf()
    return _optree().tree_flatten(tree, namespace=_NAMESPACE)


def flatten_call(args: tuple, kwargs: dict[str, Any]) -> tuple[list[Any], PyTreeSpec]:
    """`flatten` of the pair of a call's arguments; at once for the usual ones, arrays given by position."""
    if not kwargs:
        for x in args:
            if type(x) is not Array:
                break
        else:
            return [*args], _positional(len(args))
    return flatten((args, kwargs))


@functools.cache
def _positional(count: int) -> PyTreeSpec:
    """The structure of the arguments of a call with so many arrays."""
    return _optree().tree_structure(((0,) * count, {}), namespace=_NAMESPACE)


def unflatten(structure: PyTreeSpec, leaves: Iterable[Any]) -> Any:
    """The tree of this structure with these leaves."""
    return structure.unflatten(leaves)


def tree_map(f: Callable, tree: Any, *rest: Any) -> Any:
    """Apply `f` leaf by leaf; the trees in `rest` must have `tree` as a prefix of their structure.

    >>> ft.tree_map(lambda x: 2 * x, {"a": 1, "b": (2, 3)})
    {'a': 2, 'b': (4, 6)}
    """
    return _optree().tree_map(f, tree, *rest, namespace=_NAMESPACE)


def leaf_names(tree: Any, root: str) -> list[str]:
    """How each leaf is reached from `root`: ``params['w'][0]``."""
    return [a.codify(root) for a in _optree().tree_accessors(tree, namespace=_NAMESPACE)]


def register_pytree_node(
    cls: type, flatten: Callable[[Any], tuple], unflatten: Callable[[Any, Any], Any]
) -> None:
    """Make the instances of a class trees.

    Args:
        cls: the class.
        flatten: instance → (children, hashable auxiliary data).
        unflatten: (auxiliary data, children) → instance.

    >>> class Point:
    ...     def __init__(self, x, y):
    ...         self.x, self.y = x, y
    >>> ft.register_pytree_node(Point, lambda p: ((p.x, p.y), None), lambda _, xy: Point(*xy))
    >>> ft.grad(lambda p: p.x * p.y)(Point(2.0, 3.0)).x
    array(3, dtype=float32)
    """
    _optree().register_pytree_node(cls, flatten, unflatten, namespace=_NAMESPACE)


def register_dataclass(
    cls: type | None = None,
    data_fields: Sequence[str] | None = None,
    meta_fields: Sequence[str] = (),
) -> Any:
    """Make a dataclass a tree whose children are its fields. Also a decorator.

    Args:
        cls: the dataclass.
        data_fields: names of the fields that are children; all that are not meta fields, if not given.
        meta_fields: names of the fields that are not data but part of the structure; they must be hashable.
            A field made with ``metadata={"static": True}`` is one, too.

    Raises:
        TypeError: `cls` is not a dataclass.
        ValueError: a meta field is not among its fields, or the data fields are not the others.

    >>> import dataclasses
    >>> @ft.register_dataclass
    ... @dataclasses.dataclass
    ... class Layer:
    ...     weight: ft.Array
    ...     bias: ft.Array
    >>> ft.tree_map(lambda x: x.shape, Layer(ft.ones((2, 3)), ft.ones(3)))
    Layer(weight=(2, 3), bias=(3,))
    """
    if cls is None:
        return lambda c: register_dataclass(c, data_fields, meta_fields)
    dataclasses = importlib.import_module("dataclasses")
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        raise TypeError(f"register_dataclass: expected a dataclass, got {cls!r}")
    names = [f.name for f in dataclasses.fields(cls) if f.init]
    unknown = [n for n in meta_fields if n not in names]
    if unknown:
        raise ValueError(
            f"register_dataclass: meta_fields {unknown} are not fields of {cls.__name__}, which has {names}"
        )
    static = [
        f.name for f in dataclasses.fields(cls) if f.metadata.get("static") and f.name not in meta_fields
    ]
    meta_fields = (*meta_fields, *static)
    data = [n for n in names if n not in meta_fields]
    if data_fields is not None and sorted(data_fields) != sorted(data):
        raise ValueError(
            f"register_dataclass: data_fields must be the fields of {cls.__name__} that are not meta_fields, "
            f"{data}, got {list(data_fields)}"
        )

    def to_children(instance: Any) -> tuple:
        children = [getattr(instance, n) for n in data]
        return children, tuple(getattr(instance, n) for n in meta_fields), data

    def from_children(meta: tuple, children: Iterable[Any]) -> Any:
        return cls(**dict(zip(data, children, strict=True)), **dict(zip(meta_fields, meta, strict=True)))

    _optree().register_pytree_node(
        cls, to_children, from_children, path_entry_type=_optree().DataclassEntry, namespace=_NAMESPACE
    )
    return cls


def broadcast_prefix(prefix: Any, structure: PyTreeSpec, what: str) -> list[Any]:
    """One entry of `prefix` for each leaf: its leaves, of which None is one, stand for all leaves below.

    Raises:
        ValueError: `prefix` is not a prefix of the structure; `what` names it in the message.
    """
    if prefix is None or isinstance(prefix, int):
        return [prefix] * structure.num_leaves
    tree = unflatten(structure, [True] * structure.num_leaves)
    try:
        entries = _optree().broadcast_prefix(prefix, tree, none_is_leaf=True, namespace=_NAMESPACE)
    except ValueError as error:
        raise ValueError(
            f"{what} must be a prefix of the tree it describes, {structure}, got {prefix!r}: {error}"
        ) from None
    # Where the tree itself has None there is no leaf.
    present = _optree().tree_leaves(tree, none_is_leaf=True, namespace=_NAMESPACE)
    return [e for e, leaf in zip(entries, present, strict=True) if leaf is not None]


def as_array(x: Any, what: Callable[[], str]) -> Array:
    """An array for a leaf: arrays as they are, NumPy arrays copied, Python scalars weakly typed.

    Raises:
        TypeError: `x` is none of these; ``what()`` names it in the message.
        OverflowError: a Python int does not fit in int32.
    """
    if isinstance(x, Array):
        return x
    if isinstance(x, (np.ndarray, np.generic)):
        return _native.from_numpy(np.asarray(x))
    if isinstance(x, bool):
        return _native.scalar(x, _native.bool_, False)
    if isinstance(x, int):
        if not -(2**31) <= x < 2**31:
            raise OverflowError(
                f"{what()}: {x} does not fit in int32; pass np.int64({x}) for a wider integer"
            )
        return _native.scalar(x, _native.int32, True)
    if isinstance(x, float):
        return _native.scalar(x, _native.float32, True)
    if isinstance(x, complex):
        return _native.scalar(x, _native.complex64, True)
    if isinstance(x, Unavailable):
        raise x.error
    hint = ""
    if hasattr(x, "__dataclass_fields__"):
        hint = f"; ft.register_dataclass({type(x).__name__}) makes a pytree of the dataclass"
    raise TypeError(
        f"{what()} must be an array, a NumPy array, a Python scalar, or a pytree of these; "
        f"got {type(x).__name__}: {x!r}{hint}"
    )
