"""Evaluation, devices, streams and memory: the executor as the user sees it."""

from __future__ import annotations

import atexit
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import _native
from ._native import Array, Device, Stream, user_function
from .core.pytree import flatten

__all__ = ["async_eval", "device_info", "eval", "is_available", "stream"]


@user_function
def eval(*trees: Any) -> None:
    """Run the pending operations that the given arrays depend on, and wait for them.

    Args:
        *trees: arrays, or pytrees with arrays among their leaves; other leaves are ignored. A tracer of a
            linked trace (`grad`, `jvp`) has its value evaluated; an abstract tracer is left alone.

    Raises:
        MemoryError: the operations need more memory than `set_memory_limit` allows. Nothing is lost: the
            arrays are still pending, and can be evaluated when there is room.
        RuntimeError: an operation failed.

    >>> x = ft.array([1.0, 2.0]) * 2
    >>> ft.eval(x)
    >>> x
    array([2, 4], dtype=float32)
    """
    _native.eval(_arrays(trees))


@user_function
def async_eval(*trees: Any) -> None:
    """Start running the pending operations that the given arrays depend on, without waiting.

    They run on the threads of their streams. What goes wrong there is raised where a result is needed.

    Args:
        *trees: arrays, or pytrees with arrays among their leaves.

    >>> x = ft.array([1.0, 2.0]) * 2
    >>> ft.async_eval(x)
    >>> ft.synchronize()
    """
    _native.async_eval(_arrays(trees))


def _arrays(trees: tuple[Any, ...]) -> list[Array]:
    if all(type(x) is Array for x in trees):
        return list(trees)
    return [x for x in flatten(trees)[0] if type(x) is Array]


@contextmanager
def stream(where: Stream | Device) -> Iterator[Stream]:
    """Within this context the operations of this thread run on a stream, or on a device's default stream.

    Args:
        where: a stream made by `new_stream`, or `ftrans.cpu` or `ftrans.gpu`.

    Raises:
        RuntimeError: the device has no backend in this build.
        TypeError: `where` is neither a stream nor a device.

    >>> with ft.stream(ft.new_stream(ft.cpu)):
    ...     x = ft.ones(3) + 1
    """
    previous = _native.current_stream()
    _native.set_current_stream(where)
    try:
        current = _native.current_stream()
        assert current is not None
        yield current
    finally:
        _native.set_current_stream(previous)


def _check_device(function: str, device: Any) -> None:
    if not isinstance(device, Device):
        raise TypeError(f"{function}: device must be a Device, got {type(device).__name__}")


def is_available(device: Device) -> bool:
    """Whether a device has a backend in this build.

    Raises:
        TypeError: `device` is not a device.

    >>> ft.is_available(ft.cpu)
    True
    """
    _check_device("is_available", device)
    return device.type in _native.backends()


def device_info(device: Device | None = None) -> dict[str, Any]:
    """What is known of a device.

    Of the CPU: its threads, SIMD instruction set, BLAS library and memory limit. Of a GPU: what
    `metal.device_info` tells.

    Args:
        device: `ftrans.cpu` or `ftrans.gpu`; the default device if not given.

    Raises:
        RuntimeError: the device has no backend in this build.
        TypeError: `device` is not a device.

    >>> ft.device_info(ft.cpu)["threads"] >= 1
    True
    """
    device = _native.default_device() if device is None else device
    _check_device("device_info", device)
    _native.default_stream(device)  # raises where there is no backend
    if device == _native.gpu:
        return _native.metal_device_info()
    return {
        "threads": _native.thread_count(),
        "instruction set": _native.instruction_set(),
        "BLAS": _native.blas_description(),
        "memory limit": _native.get_memory_limit(),
    }


def _log(note: str) -> None:
    importlib.import_module("logging").getLogger("ftrans").debug(note)


def _find_blas() -> str:
    """The path of the OpenBLAS library of the wheel scipy-openblas32; empty where Accelerate serves."""
    if sys.platform == "darwin":
        return ""
    spec = importlib.util.find_spec("scipy_openblas32")
    if spec is None or spec.origin is None:
        raise ImportError(
            "ftrans needs the package scipy-openblas32 for linear algebra: pip install scipy-openblas32"
        )
    folder = os.path.join(os.path.dirname(spec.origin), "lib")
    libraries = sorted(name for name in os.listdir(folder) if name.startswith("libscipy_openblas"))
    if not libraries:
        raise ImportError(f"no OpenBLAS library is in {folder}: reinstall scipy-openblas32")
    return os.path.join(folder, libraries[0])


_native.set_blas_path(_find_blas())
_native.set_placement_hook(_log)

# A stream's thread may need the interpreter, for a callback or to let go of foreign memory.
atexit.register(_native.shut_down)
