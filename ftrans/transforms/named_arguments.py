"""Arguments that an option names by position or by name: static ones, donated ones."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..core.pytree import flatten, flatten_call
from ..core.source import function_name, parameter_names
from .arguments import several

if TYPE_CHECKING:
    from optree import PyTreeSpec


class NamedArguments:
    """The arguments that `kind` + ``_argnums`` and `kind` + ``_argnames`` choose.

    Raises:
        TypeError: they are not ints and names.
        ValueError: a name is not a parameter of `fun`, or a position not that of one.
    """

    def __init__(self, transformation: str, kind: str, fun: Callable, argnums: Any, argnames: Any):
        self.argnums = several(f"{transformation}: {kind}_argnums", argnums, int)
        self.argnames = several(f"{transformation}: {kind}_argnames", argnames, str)
        self._check_numbers(transformation, kind, fun)
        # An argument may be given either way: complete each list from the other.
        names = parameter_names(fun) if self.argnums or self.argnames else []
        by_number = {names[i] for i in self.argnums if -len(names) <= i < len(names)}
        self.argnums += tuple(names.index(n) for n in self.argnames if n in names)
        self.argnames += tuple(by_number)
        self._check_names(transformation, kind, fun)

    def _check_numbers(self, transformation: str, kind: str, fun: Callable) -> None:
        try:
            parameters = inspect.signature(fun).parameters.values() if self.argnums else ()
        except (TypeError, ValueError):
            return
        if any(p.kind is p.VAR_POSITIONAL for p in parameters):
            return
        n = len([p for p in parameters if p.kind is not p.KEYWORD_ONLY and p.kind is not p.VAR_KEYWORD])
        outside = [i for i in self.argnums if not -n <= i < n]
        if outside:
            raise ValueError(
                f"{transformation}: {kind}_argnums {outside} are out of range: {function_name(fun)} has {n} "
                "positional parameters"
            )

    def _check_names(self, transformation: str, kind: str, fun: Callable) -> None:
        try:
            parameters = inspect.signature(fun).parameters if self.argnames else {}
        except (TypeError, ValueError):
            return
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return
        unknown = [n for n in self.argnames if n not in parameters]
        if unknown:
            raise ValueError(
                f"{transformation}: {kind}_argnames {unknown} are not parameters of "
                f"{function_name(fun)}({', '.join(parameters)})"
            )

    def __bool__(self) -> bool:
        return bool(self.argnums or self.argnames)

    def chosen(self, args: Sequence[Any], kwargs: Any) -> tuple[set[int], set[str]]:
        """The positions and the keywords, among those given, of the arguments that are chosen."""
        n = len(args)
        return (
            {i % n for i in self.argnums if -n <= i < n},
            {name for name in self.argnames if name in kwargs},
        )


class StaticArguments:
    """Which arguments of a function are static: ordinary Python values, part of the signature."""

    def __init__(self, transformation: str, fun: Callable, argnums: Any, argnames: Any):
        self.transformation = transformation
        self.fun = fun
        self.names = NamedArguments(transformation, "static", fun, argnums, argnames)

    def __bool__(self) -> bool:
        return bool(self.names)

    def split(self, args: tuple, kwargs: dict[str, Any]) -> tuple[list[Any], PyTreeSpec, tuple, Callable]:
        """The leaves of the dynamic arguments, their structure, the static ones, what puts them together."""
        if not self.names:
            leaves, structure = flatten_call(args, kwargs)
            return leaves, structure, (), structure.unflatten
        positions, names = self.names.chosen(args, kwargs)
        # With their types, for 1 == 1.0 == True.
        static = (
            *((i, type(args[i]), args[i]) for i in sorted(positions)),
            *((name, type(kwargs[name]), kwargs[name]) for name in sorted(names)),
        )
        for which, _, value in static:
            try:
                hash(value)
            except TypeError:
                raise TypeError(
                    f"{self.transformation}: static argument {which!r} of {function_name(self.fun)} "
                    f"must be hashable, got {type(value).__name__}: {value!r}"
                ) from None
        leaves, structure = flatten(
            (
                tuple(None if i in positions else x for i, x in enumerate(args)),
                {name: None if name in names else x for name, x in kwargs.items()},
            )
        )

        def fill(leaves: Sequence[Any]) -> tuple[tuple, dict[str, Any]]:
            dynamic_args, dynamic_kwargs = structure.unflatten(leaves)
            return (
                tuple(args[i] if i in positions else x for i, x in enumerate(dynamic_args)),
                {name: kwargs[name] if name in names else x for name, x in dynamic_kwargs.items()},
            )

        return leaves, structure, static, fill


def leaves_of(chosen: NamedArguments, structure: PyTreeSpec) -> list[int]:
    """The positions, among all leaves of ``(args, kwargs)``, of those of the chosen arguments."""
    args, kwargs = structure.children()
    keywords = kwargs.entries()
    positions, names = chosen.chosen(args.children(), keywords)
    flags = [
        *((i in positions, child.num_leaves) for i, child in enumerate(args.children())),
        *((name in names, child.num_leaves) for name, child in zip(keywords, kwargs.children(), strict=True)),
    ]
    wanted = [flag for flag, count in flags for _ in range(count)]
    return [i for i, flag in enumerate(wanted) if flag]
