"""The `stream=` keyword that every operation takes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from .. import _native
from ..core import tracing

Function = TypeVar("Function", bound=Callable[..., Any])


def run_on(stream: Any, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call `function` with `stream` (a Stream, or a Device for its default stream) as the current stream."""
    if isinstance(stream, _native.Device):
        stream = _native.default_stream(stream)
    elif not isinstance(stream, _native.Stream):
        raise TypeError(f"stream must be a Stream or a Device, got {type(stream).__name__}")
    return tracing.run_on(stream, function, *args, **kwargs)


def streamed(function: Function) -> Function:
    """Give meaning to the keyword `stream` of `function`: its body runs with that as the current stream."""

    @functools.wraps(function)
    def wrapper(*args: Any, stream: Any = None, **kwargs: Any) -> Any:
        if stream is None:
            return function(*args, **kwargs)
        return run_on(stream, function, *args, **kwargs)

    return wrapper  # type: ignore[return-value]
