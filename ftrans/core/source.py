"""Where in the user's program an equation came from: cheap to record, resolved only when shown."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from types import CodeType, MethodType
from typing import TYPE_CHECKING, Any

from .. import _native

if TYPE_CHECKING:
    from optree import PyTreeSpec

#: (code object, offset of the last instruction), or None. Longer where a derivative of that line is meant.
Source = tuple[CodeType, int] | tuple[CodeType, int, bool] | None


def backward(source: Source) -> Source:
    """The source of what the backward pass does for an operation from there."""
    return source and (source[0], source[1], True)


def is_backward(source: Source) -> bool:
    """Whether it is the source of something that the backward pass does."""
    return source is not None and len(source) > 2


_PACKAGE_PATH = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep

# `user_source()` gives the source of the innermost frame outside of this folder.
_native.set_package_path(_PACKAGE_PATH)


def is_package_code(code: CodeType) -> bool:
    """Whether code is the package's own, not the user's."""
    return code.co_filename.startswith(_PACKAGE_PATH)


def format_source(source: Source | ArgumentSource) -> str:
    """``file.py:12 (function)``, or ``argument x of function``."""
    if source is None:
        return "an unknown line"
    if isinstance(source, ArgumentSource):
        return str(source)
    code, offset = source[:2]
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= offset < end and number is not None:
            line = number
            break
    return f"{code.co_filename}:{line} ({code.co_name})"


class ArgumentSource:
    """The source of a trace's input: a leaf of the arguments of a function. Named only when shown.

    `structure` is that of the pair (positional arguments, keyword arguments).
    """

    __slots__ = ("function", "structure", "index")
    function: Any

    def __init__(self, function: Callable, structure: PyTreeSpec, index: int):
        self.function = outline(function)
        self.structure = structure
        self.index = index

    @property
    def name(self) -> str:
        """``params['w'][0]``."""
        accessor = self.structure.accessors()[self.index]
        which, key = accessor[0].entry, accessor[1].entry
        if which == 0:
            parameters = parameter_names(self.function)
            key = parameters[key] if key < len(parameters) else f"args[{key}]"
        return accessor[2:].codify(key)

    def __str__(self) -> str:
        return f"argument {self.name} of {function_name(self.function)}"


def outline(function: Callable) -> Any:
    """What names a function and its parameters, without what it closes over, which may be traced arrays."""
    return _Outline(function) if getattr(function, "__closure__", None) else function


class _Outline:
    """Name and parameters of a function that closes over something."""

    __slots__ = ("__name__", "_code", "_first")

    def __init__(self, function: Callable):
        self.__name__ = function_name(function)
        self._first = int(isinstance(function, MethodType))
        while (wrapped := getattr(function, "__wrapped__", None)) is not None:
            function = wrapped
        self._code: CodeType | None = getattr(function, "__code__", None)

    @property
    def parameters(self) -> list[str]:
        """The names of the parameters that can be given by position."""
        code = self._code
        return [] if code is None else list(code.co_varnames[self._first : code.co_argcount])


def function_name(function: Callable) -> str:
    """A function's name; of its class, if it is a callable object."""
    return getattr(function, "__name__", None) or type(function).__name__


def parameter_names(function: Callable) -> list[str]:
    """The names of the parameters that can be given by position; empty if unknown."""
    if isinstance(function, _Outline):
        return function.parameters
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
