"""The `stream=` keyword that every operation takes, and the `device=` of those that make arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from .. import _native
from .._native import Device, Stream
from ..core import tracing

Function = TypeVar("Function", bound=Callable[..., Any])


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
    return tracing.run_on(stream_of(stream), function, *args, **kwargs)


def streamed(function: Function) -> Function:
    """Give meaning to the keyword `stream` of `function`: its body runs with that as the current stream.

    So does the array API standard's keyword `device`, where `function` has it and there is no `stream`.
    """

    @functools.wraps(function)
    def wrapper(*args: Any, stream: Any = None, **kwargs: Any) -> Any:
        if stream is None:
            device = kwargs.get("device")
            if device is None:
                return function(*args, **kwargs)
            stream = stream_of(device, "device")
        return run_on(stream, function, *args, **kwargs)

    return wrapper  # type: ignore[return-value]
