"""Python's garbage collector while traces grow.

A trace is a large number of objects that live until it is done. Each full collection looks at all of them
and finds nothing, so that tracing would take more than linear time; collections of young objects go on.
"""

from __future__ import annotations

import gc
import threading

_NEVER = 2**31 - 1

_lock = threading.Lock()
_depth = 0
_threshold = 0


def defer_full_collections() -> None:
    """No full collection until as many calls of `resume_full_collections`."""
    global _depth, _threshold
    with _lock:
        if _depth == 0:
            young, middle, _threshold = gc.get_threshold()
            gc.set_threshold(young, middle, _NEVER)
        _depth += 1


def resume_full_collections() -> None:
    """Undo one `defer_full_collections`."""
    global _depth
    with _lock:
        _depth -= 1
        if _depth == 0:
            young, middle, _ = gc.get_threshold()
            gc.set_threshold(young, middle, _threshold)
