"""The `stream=` keyword that every operation takes, and the `device=` of those that make arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from .. import _native
from .._native import Device, Stream
from ..core import tracing
from ..core.errors import ConcretizationError

Function = TypeVar("Function", bound=Callable[..., Any])

#: What bad arguments raise.
ARGUMENT_ERRORS = (TypeError, ValueError, IndexError, OverflowError)


def stream_of(where: Any, argument: str = "stream") -> Stream:
    """The Stream itself, or the default stream of a Device.

    Raises:
        TypeError: `where` is neither.
        RuntimeError: the device has no backend in this build.
    """
    if isinstance(where, Stream):
        return where
    if isinstance(where, Device):
        return _native.default_stream(where)
    raise TypeError(f"{argument} must be a Stream or a Device, got {type(where).__name__}")


def run_on(stream: Any, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call `function` with `stream` (a Stream, or a Device for its default stream) as the current stream."""
    where = stream_of(stream, f"{function.__name__}: stream")
    return tracing.run_on(where, function, *args, **kwargs)


def _attribute(error: Exception, function: str) -> None:
    """Put `function` in the place of the name, if any, that the error's message begins with."""
    if isinstance(error, ConcretizationError) or len(error.args) != 1:
        return
    message = str(error.args[0])
    name, separator, rest = message.partition(": ")
    *module, last = name.split(".")
    is_name = bool(separator) and all(part.isidentifier() for part in (*module, last))
    if not (is_name and last == function):
        error.args = (f"{function}: {rest if is_name else message}",)


def attributed(function: Function) -> Function:
    """Let what is raised in `function` name it, as what the user called, and not what it is composed of."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except ARGUMENT_ERRORS as error:
            _attribute(error, function.__name__)
            raise

    return _native.user_function(wrapper)  # type: ignore[return-value]


def streamed(function: Function) -> Function:
    """Make an operation of `function`: give meaning to its keyword `stream`, and let errors name it.

    The body runs with `stream` as the current stream; or with that of the array API standard's keyword
    `device`, where `function` has it and there is no `stream`. Errors are as of `attributed`.
    """

    @functools.wraps(function)
    def wrapper(*args: Any, stream: Any = None, **kwargs: Any) -> Any:
        try:
            if stream is None:
                device = kwargs.get("device")
                if device is None:
                    return function(*args, **kwargs)
                stream = stream_of(device, f"{function.__name__}: device")
            return run_on(stream, function, *args, **kwargs)
        except ARGUMENT_ERRORS as error:
            _attribute(error, function.__name__)
            raise

    return _native.user_function(wrapper)  # type: ignore[return-value]
