"""checking_leaks: traced arrays that outlive their trace, and who holds them."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import CellType, FrameType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from .._native import Array
from .errors import LeakedTracerError
from .source import format_source, is_package_code

if TYPE_CHECKING:
    from .tracing import Trace


class _ThisThread(threading.local):
    checking = False


_this_thread = _ThisThread()

#: How far it is followed who holds what holds an array.
_MOST_HOLDERS = 4
_MOST_ARRAYS = 5
#: In place of a holder: the package, which holds functions of the user as long as it may call them.
_PACKAGE = object()


@contextmanager
def checking_leaks() -> Iterator[None]:
    """A context in which a traced array that outlives its transformation is an error, as soon as that ends.

    Without it, the error comes when such an array is used. It counts for this thread; each transformation
    inside of it looks through all objects at its end, which is slow.

    Raises:
        LeakedTracerError: inside of the context, by the transformation whose arrays are still alive: with the
            lines that made them, and what holds them, such as a global, an attribute or a list.

    >>> kept = []
    >>> with ft.checking_leaks():
    ...     ft.jit(lambda x: kept.append(x * 2))(1.0)
    Traceback (most recent call last):
        ...
    ftrans.core.errors.LeakedTracerError: jit has ended, but an array that it traced is still alive:
      f32[] made at ... (<lambda>), held by an item of a list, held by the global kept...
    """
    previous = _this_thread.checking
    _this_thread.checking = True
    try:
        yield
    finally:
        _this_thread.checking = previous


def check_leaks(trace: Trace) -> None:
    """Raise if this thread checks for leaks and there are still arrays of a trace that has ended."""
    if not _this_thread.checking:
        return
    leaked = _arrays_of(trace)
    if leaked:  # perhaps garbage that is still to be collected
        del leaked[:]
        gc.collect()
        leaked = _arrays_of(trace)
    lines = []
    for x in leaked:  # no generator: it would be a holder too
        line = _describe(x, leaked)
        if line:
            lines.append(line)
    if not lines:
        return
    are = "an array that it traced is" if len(lines) == 1 else f"{len(lines)} arrays that it traced are"
    if len(lines) > _MOST_ARRAYS:
        lines[_MOST_ARRAYS:] = [f"  and {len(lines) - _MOST_ARRAYS} more"]
    raise LeakedTracerError(
        "\n".join([f"{trace.transformation} has ended, but {are} still alive:", *lines])
        + "\nReturn it from the transformed function instead (has_aux=True lets grad, vjp and jvp return "
        "more than what is differentiated)."
    )


def _arrays_of(trace: Trace) -> list[Array]:
    return [x for x in gc.get_referrers(trace) if isinstance(x, Array)]


def _describe(x: Array, leaked: list[Array]) -> str:
    """What an array is, and who holds it; empty if only the package does, or functions that it is to call."""
    holders: list[str] = []
    item: Any = x
    for _ in range(_MOST_HOLDERS):
        description, item = _holder(item, leaked)  # not in a tuple: it would be a holder too
        if not description and (item is _PACKAGE or not holders):
            return ""
        if description:
            holders.append(f", held by {description}")
        if item is None:
            break
    return f"  {x.aval} made at {format_source(x._variable.source)}{''.join(holders)}"


def _holder(item: Any, leaked: list[Array]) -> tuple[str, Any]:
    """What refers to an object, and this as an object, None where the search ends.

    Nothing and `_PACKAGE` if it is the package; nothing and None if nobody is found, such as a running
    function.
    """
    end = None
    for holder in gc.get_referrers(item):
        description, owner = "", holder
        if type(holder).__module__.startswith("ftrans."):
            end = _PACKAGE
        elif isinstance(holder, FrameType) or holder is leaked:
            pass
        elif isinstance(holder, dict):
            description, owner = _holder_by_key(item, holder)
        elif isinstance(holder, (list, tuple, set)):
            description = f"an item of a {type(holder).__name__}"
        elif isinstance(holder, CellType):
            description, owner = _closure(holder)
        else:
            name = _key_of(getattr(holder, "__dict__", {}), item)
            which = "an object" if name is None else f"the attribute {name} of an object"
            description, owner = f"{which} of type {type(holder).__name__}", None
        if owner is _PACKAGE:
            end = _PACKAGE
        elif description:
            return description, owner
    return "", end


def _holder_by_key(item: Any, holder: dict) -> tuple[str, Any]:
    name = _key_of(holder, item)
    for module in list(sys.modules.values()):
        if isinstance(module, ModuleType) and vars(module) is holder:
            return f"the global {name} of module {module.__name__}", None
    for owner in gc.get_referrers(holder):
        if isinstance(owner, FunctionType) and owner.__globals__ is holder:
            return f"the global {name} of {owner.__code__.co_filename}", None
        if getattr(owner, "__dict__", None) is holder:
            if type(owner).__module__.startswith("ftrans."):
                return "", _PACKAGE
            return f"the attribute {name} of an object of type {type(owner).__name__}", None
    return f"the item {name!r} of a dict", holder


def _key_of(holder: Mapping[str, Any], item: Any) -> str | None:
    for key, value in holder.items():  # no comprehension: it would hold the item itself
        if value is item:
            return key
    return None


def _closure(cell: CellType) -> tuple[str, Any]:
    """The function that closes over a cell, and in which variable."""
    for closure in gc.get_referrers(cell):
        for function in gc.get_referrers(closure) if isinstance(closure, tuple) else ():
            if isinstance(function, FunctionType):
                if is_package_code(function.__code__):
                    return "", _PACKAGE
                name = function.__code__.co_freevars[closure.index(cell)]
                return f"the variable {name}, on which the function {function.__name__} closes", function
    return "", None
