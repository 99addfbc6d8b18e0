"""What errors show: the user's frames, and where in the user's program and under what they were raised."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import TracebackType

from .. import _native
from .source import format_source, function_name, is_package_code

_MODES = ("hide", "off")
_VARIABLE = "FTRANS_TRACEBACK_FILTERING"


class traceback_filtering:
    """Say whether the tracebacks of errors leave out the package's own frames, on this thread.

    It holds from the call on; used as a context manager, until the end of the block. The environment variable
    ``FTRANS_TRACEBACK_FILTERING`` is the mode of all threads that do not say otherwise.

    Args:
        mode: "hide", the default: only frames outside of the package are shown. "off": all frames, which is
            what a report of a bug needs.

    Raises:
        ValueError: `mode` is none of these.

    >>> with ft.traceback_filtering("off"):
    ...     y = ft.grad(ft.sin)(0.0)
    """

    __slots__ = ("_previous",)

    def __init__(self, mode: str):
        if mode not in _MODES:
            raise ValueError(f"traceback_filtering: mode must be 'hide' or 'off', got {mode!r}")
        self._previous = _native.set_hides_frames(mode == "hide")

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        _native.set_hides_frames(self._previous)


def _mode_of_environment() -> str:
    mode = os.environ.get(_VARIABLE, "hide")
    if mode not in _MODES:
        raise ValueError(f"the environment variable {_VARIABLE} must be 'hide' or 'off', got {mode!r}")
    return mode


_native.set_hides_frames_by_default(_mode_of_environment() == "hide")


def note_transformation(error: Exception, transformation: str, function: Callable) -> None:
    """Let an error that a function raised say under which transformation it ran, and at which line."""
    line = _line_of(error.__traceback__)
    where = f", at {line}" if line and not _says(error, line) else ""
    _add_note(error, f"under {transformation} of {function_name(function)}{where}")


def note_source(error: Exception, source: tuple, transformation: str) -> None:
    """Let an error from the rule of an operation say from which line of the user's program that is."""
    line = format_source(source)
    if not getattr(error, "__notes__", None) and not _says(error, line):
        under = f", under {transformation}" if transformation else ""
        _add_note(error, f"for the operation at {line}{under}")


def _says(error: Exception, line: str) -> bool:
    return any(line in text for text in (str(error), *getattr(error, "__notes__", ())))


def _line_of(traceback: TracebackType | None) -> str:
    """The innermost line outside of the package."""
    line = ""
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not is_package_code(code):
            line = f"{code.co_filename}:{traceback.tb_lineno} ({code.co_name})"
        traceback = traceback.tb_next
    return line


def _add_note(error: Exception, note: str) -> None:
    if hasattr(error, "add_note"):
        error.add_note(note)
        return
    # Before Python 3.11 nothing shows `__notes__`, so that the message has to say it.
    error.__notes__ = [*getattr(error, "__notes__", []), note]  # type: ignore[attr-defined]
    if error.args and isinstance(error.args[0], str) and type(error).__str__ is BaseException.__str__:
        error.args = (f"{error.args[0]}\n{note}", *error.args[1:])
