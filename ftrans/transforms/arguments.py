"""How transforms take apart the arguments of the functions they are given."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from .._native import Array, Dtype
from ..core.avals import ShapedArray
from ..core.pytree import as_array, flatten, flatten_call, leaf_names
from ..core.source import ArgumentSource, function_name, parameter_names
from ..core.tracebacks import note_transformation
from ..primitives.conversion import convert

if TYPE_CHECKING:
    from optree import PyTreeSpec

Argnums = int | str | Sequence[int | str]


def argument_arrays(
    transformation: str, fun: Callable, leaves: list[Any], structure: PyTreeSpec
) -> list[Array]:
    """The leaves of the arguments as arrays.

    Raises:
        TypeError: a leaf is not an array, naming transformation and argument.
    """

    def name(i: int) -> str:
        return f"{transformation}: {ArgumentSource(fun, structure, i)}"

    return [x if type(x) is Array else as_array(x, partial(name, i)) for i, x in enumerate(leaves)]


def output_arrays(transformation: str, fun: Callable, outs: list[Any], result: Any) -> list[Array]:
    """The leaves of a function's result as arrays.

    Raises:
        TypeError: one is not an array, naming it.
    """

    def name(i: int) -> str:
        return f"{transformation}: {leaf_names(result, 'output')[i]} of {function_name(fun)}"

    return [x if type(x) is Array else as_array(x, partial(name, i)) for i, x in enumerate(outs)]


class FlatFunction:
    """`fun` as a function of flat arrays, remembering the structure of its output.

    `fill` gives the positional and keyword arguments for the leaves.
    """

    def __init__(
        self,
        transformation: str,
        fun: Callable,
        fill: Callable[[Sequence[Any]], Any],
    ):
        self.transformation = transformation
        self.fun = fun
        self.fill = fill
        self.structure: PyTreeSpec

    def __call__(self, *leaves: Array) -> list[Array]:
        """The leaves of the output."""
        return self.outputs(self.run(leaves))

    def run(self, leaves: Sequence[Array]) -> Any:
        """What the function returns for these leaves; its errors tell of the transformation."""
        args, kwargs = self.fill(leaves)
        try:
            return self.fun(*args, **kwargs)
        except Exception as error:
            note_transformation(error, self.transformation, self.fun)
            raise

    def outputs(self, result: Any) -> list[Array]:
        """The leaves of an output, whose structure is remembered."""
        leaves, self.structure = flatten(result)
        return output_arrays(self.transformation, self.fun, leaves, result)


def argument_sources(fun: Callable, structure: PyTreeSpec) -> list[ArgumentSource]:
    """What each leaf of the arguments is called."""
    return [ArgumentSource(fun, structure, i) for i in range(structure.num_leaves)]


def check_callable(transformation: str, fun: Any) -> None:
    """Raise TypeError unless `fun` can be called."""
    if not callable(fun):
        raise TypeError(f"{transformation} expects a function, got {type(fun).__name__}: {fun!r}")


def several(what: str, given: Any, kind: type) -> tuple:
    """One int (or str), or several, as a tuple.

    Raises:
        TypeError: it is neither, naming it by `what`.
    """
    if isinstance(given, kind):
        return (given,)
    is_collection = isinstance(given, Collection) and not isinstance(given, str)
    if not is_collection or not all(isinstance(x, kind) for x in given):
        expected = "an int or ints" if kind is int else "a name or names"
        raise TypeError(f"{what} must be {expected}, got {given!r}")
    return tuple(given)


def split_aux(transformation: str, fun: Callable, result: Any) -> tuple[Any, Any]:
    """The pair that a function returns under ``has_aux=True``."""
    if not (isinstance(result, (tuple, list)) and len(result) == 2):
        raise TypeError(
            f"{transformation} with has_aux=True expects {function_name(fun)} to return a pair "
            f"(output, aux), got {type(result).__name__}"
        )
    return result[0], result[1]


class Selection:
    """The arguments that `argnums` chooses: positions, or names of parameters, one or several.

    Raises:
        TypeError: `argnums` is neither.
    """

    def __init__(self, transformation: str, fun: Callable, argnums: Argnums):
        check_callable(transformation, fun)
        self.transformation = transformation
        self.fun = fun
        self.single = isinstance(argnums, (int, str))
        chosen: tuple[Any, ...] = ()
        if isinstance(argnums, (int, str)):
            chosen = (argnums,)
        elif isinstance(argnums, Sequence):
            chosen = tuple(argnums)
        if not chosen or not all(isinstance(a, (int, str)) and not isinstance(a, bool) for a in chosen):
            raise TypeError(
                f"{transformation}: argnums must be an int, the name of a parameter, or a non-empty sequence "
                f"of these; got {argnums!r}"
            )
        self.argnums = chosen

    def resolve(self, args: tuple, kwargs: dict[str, Any]) -> list[int | str]:
        """A position for each chosen argument given by position, a name for one given by keyword.

        Raises:
            ValueError: a chosen argument was not given.
        """
        return [self._resolve_one(a, args, kwargs) for a in self.argnums]

    def _resolve_one(self, argnum: int | str, args: tuple, kwargs: dict[str, Any]) -> int | str:
        n = len(args)
        if isinstance(argnum, int):
            if -n <= argnum < n:
                return argnum % n
            raise ValueError(
                f"{self.transformation}: argnums {argnum} needs at least "
                f"{argnum + 1 if argnum >= 0 else -argnum} positional arguments, "
                f"but {function_name(self.fun)} was called with {n}"
            )
        if argnum in kwargs:
            return argnum
        names = parameter_names(self.fun)
        if argnum in names and names.index(argnum) < n:
            return names.index(argnum)
        raise ValueError(
            f"{self.transformation}: argnums names '{argnum}', which "
            f"{function_name(self.fun)}({', '.join(names)}) was not given: "
            f"it was called with {n} positional arguments and keywords {sorted(kwargs)}"
        )

    def select(self, args: tuple, kwargs: dict[str, Any]) -> Chosen:
        """The chosen ones among the arguments of one call."""
        return Chosen(self, args, kwargs)


class Chosen:
    """The chosen arguments of one call, flattened.

    `structure` is that of all the arguments with None (which has no leaves) for those not chosen, so that a
    leaf's path is the user's name of it.
    """

    def __init__(self, selection: Selection, args: tuple, kwargs: dict[str, Any]):
        self.places = selection.resolve(args, kwargs)
        self.single = selection.single
        self.args, self.kwargs = args, kwargs
        self.all = len(self.places) == len(args) + len(kwargs)
        self.leaves, self.structure = (
            flatten_call(args, kwargs) if self.all else flatten(self._masked(args, kwargs))
        )

    def _masked(self, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        return (
            tuple(x if i in self.places else None for i, x in enumerate(args)),
            {name: x if name in self.places else None for name, x in kwargs.items()},
        )

    def fill(self, leaves: Sequence[Any]) -> tuple[tuple, dict[str, Any]]:
        """All the arguments, with these leaves in the chosen ones."""
        args: tuple
        kwargs: dict[str, Any]
        args, kwargs = self.structure.unflatten(leaves)  # type: ignore[assignment]
        if self.all:
            return args, kwargs
        return (
            tuple(
                new if i in self.places else old
                for i, (new, old) in enumerate(zip(args, self.args, strict=True))
            ),
            {name: kwargs[name] if name in self.places else old for name, old in self.kwargs.items()},
        )

    def pick(self, leaves: Sequence[Any]) -> Any:
        """A tree like the chosen argument with these leaves; a tuple of trees if argnums is a sequence."""
        args, kwargs = self.structure.unflatten(leaves)
        trees = tuple(args[p] if isinstance(p, int) else kwargs[p] for p in self.places)
        return trees[0] if self.single else trees


def typed_like(transformation: str, name: str, x: Array, like: Array | ShapedArray, whose: str = "") -> Array:
    """`x`, which must have the shape and dtype of an array or aval; a Python number takes that dtype.

    Raises:
        ValueError: the shape is another one.
        TypeError: the dtype is.
    """
    if x.shape != like.shape:
        raise ValueError(f"{transformation}: {name} must have {whose}shape {like.shape}, got {x.shape}")
    if x.dtype is like.dtype:
        return x
    if not takes_dtype(x, like.dtype):
        raise TypeError(f"{transformation}: {name} must have {whose}dtype {like.dtype}, got {x.dtype}")
    return convert(x, like.dtype)


#: Kinds of dtype, each holding the values of those before.
KINDS = "buifc"


def takes_dtype(x: Array | ShapedArray, dtype: Dtype) -> bool:
    """Whether it has the dtype, or is a Python number, or made of such, that becomes one of it."""
    return x.dtype is dtype or (x.weak_type and KINDS.index(x.dtype.kind) <= KINDS.index(dtype.kind))


def cotangent_leaves(
    transformation: str, fun: Callable, cotangent: Any, structure: PyTreeSpec
) -> list[tuple[Any, str]]:
    """The leaves of a cotangent and their names.

    Raises:
        TypeError: its structure is not that of the function's output.
    """
    leaves, given = flatten(cotangent)
    if given != structure:
        raise TypeError(
            f"{transformation}: the cotangent must have the structure of the output of "
            f"{function_name(fun)}, {structure}, got {given}"
        )
    return list(zip(leaves, leaf_names(cotangent, "cotangent"), strict=True))


def check_no_tangent(
    transformation: str, kind: str, given: Array, primal: Array, source: ArgumentSource
) -> None:
    """An integer does not move, so that real numbers for its tangent are a mistake."""
    if given.aval.is_inexact:
        raise TypeError(
            f"{transformation}: {source} is {primal.dtype}, which has no derivative, but its {kind} is "
            f"{given.dtype}; convert the argument, or give integers, which are ignored"
        )
