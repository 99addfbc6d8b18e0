"""Metal: whether there is a device, what is known of it, and what it has done."""

from __future__ import annotations

from typing import Any

from . import _native

__all__ = ["counters", "device_info", "is_available"]


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
