"""Metal: whether there is a device, what is known of it, and what it has done."""

from __future__ import annotations

import os
from typing import Any

from . import _native

__all__ = ["counters", "device_info", "is_available", "start_capture", "stop_capture"]


def __dir__() -> list[str]:
    return __all__


def is_available() -> bool:
    """Whether there is a Metal device, so that operations can run on `ftrans.gpu`.

    On Linux there is one only if the environment variable ``FTRANS_METAL`` is ``host`` when the process
    begins: one that runs Metal's kernels on the processor, for tests.

    >>> ft.metal.is_available() == ft.is_available(ft.gpu)
    True
    """
    return _native.metal_is_available()


def device_info() -> dict[str, Any]:
    """What is known of the device: its name and architecture, and what it can hold, in bytes.

    Raises:
        RuntimeError: there is no Metal device.

    >>> if ft.metal.is_available():
    ...     assert ft.metal.device_info()["memory size"] > 0
    """
    return _native.metal_device_info()


def counters() -> dict[str, int]:
    """What the device has done since the process began.

    ``"kernel launches"`` counts dispatches, ``"command buffers"`` the batches in which they went to the
    device. Processor and device see the same memory, so ``"bytes copied"`` counts only the arrays of other
    libraries, taken in without a copy, that do not begin on a page: each is copied once, at its first use.

    Raises:
        RuntimeError: there is no Metal device.

    >>> if ft.metal.is_available():
    ...     before = ft.metal.counters()["kernel launches"]
    ...     ft.eval(ft.exp(ft.ones(3), stream=ft.gpu))
    ...     assert ft.metal.counters()["kernel launches"] > before
    """
    return _native.metal_counters()


def start_capture(path: str | os.PathLike[str]) -> None:
    """Records what the device does from now on, until `stop_capture`, into the new file `path`.

    It is a GPU trace for Xcode, whose name ends in ``.gputrace``; Metal makes one only if the environment
    variable ``MTL_CAPTURE_ENABLED`` is 1 when the process begins. The host device (see `is_available`)
    writes a text with a line for each kernel that it runs.

    Raises:
        RuntimeError: there is no Metal device; something is being captured already; `path` exists, or
            cannot be written.
        TypeError: `path` is not the path of a file.

    >>> if ft.metal.is_available():
    ...     import pathlib, tempfile
    ...     path = pathlib.Path(tempfile.mkdtemp(), "trace.gputrace")
    ...     ft.metal.start_capture(path)
    ...     ft.eval(ft.exp(ft.ones(3), stream=ft.gpu))
    ...     ft.metal.stop_capture()
    """
    if not isinstance(path, (str, os.PathLike)) or not isinstance(name := os.fspath(path), str):
        raise TypeError(f"start_capture: path has type {type(path).__name__}, expected a string or a path")
    _native.metal_start_capture(name)


def stop_capture() -> None:
    """Ends what `start_capture` began; what has been evaluated until now is in the file.

    Work that goes on belongs to the capture only in part: `ftrans.synchronize` waits for it.

    Raises:
        RuntimeError: there is no Metal device, or nothing is being captured.
    """
    _native.metal_stop_capture()
