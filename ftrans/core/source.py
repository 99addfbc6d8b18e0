"""Where in the user's program an equation came from: cheap to record, resolved only when shown."""

from __future__ import annotations

import os
import sys
from types import CodeType

#: (code object, offset of the last instruction), or None.
Source = tuple[CodeType, int] | None

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_is_internal: dict[str, bool] = {}


def user_source() -> Source:
    """The innermost frame outside of the package."""
    frame = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        filename = code.co_filename
        internal = _is_internal.get(filename)
        if internal is None:
            internal = _is_internal[filename] = filename.startswith(_PACKAGE)
        if not internal:
            return code, frame.f_lasti
        frame = frame.f_back
    return None


def format_source(source: Source) -> str:
    """``file.py:12 (function)``."""
    if source is None:
        return "an unknown line"
    code, offset = source
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= offset < end and number is not None:
            line = number
            break
    return f"{code.co_filename}:{line} ({code.co_name})"
