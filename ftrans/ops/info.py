"""What the array API standard lets a program ask about the library."""

from __future__ import annotations

from typing import Any

from .. import _native
from .._native import Device, Dtype, bfloat16, float16, int32
from .dtypes import isdtype
from .promotion import DEFAULT_COMPLEX, DEFAULT_FLOAT, DEFAULT_INT, DTYPES
from .streams import stream_of

__all__ = ["__array_api_version__", "__array_namespace_info__"]

#: The version of the standard that the namespace follows.
__array_api_version__ = "2025.12"


def _check_device(device: Any) -> None:
    """Raise unless `device` is None or has a backend. What the functions answer is the same for all."""
    if device is not None:
        stream_of(device, "device")


class NamespaceInfo:
    """The answers of `__array_namespace_info__`.

    >>> info = ft.__array_namespace_info__()
    >>> info.dtypes(kind="real floating")
    {'float32': float32, 'float64': float64}
    """

    __slots__ = ()

    def capabilities(self) -> dict[str, bool | int | None]:
        """What the library can do: index with masks, give shapes that depend on values, any number of axes.

        Under `jit` and `vmap`, where there are no values, the first two raise a `ConcretizationError`. The
        standard's extensions that the namespace has are named too.
        """
        return {
            "boolean indexing": True,
            "data-dependent shapes": True,
            "max dimensions": None,
            "fft": True,
        }

    def default_device(self) -> Device:
        """The device that operations run on unless told otherwise."""
        return _native.default_device()

    def devices(self) -> tuple[Device, ...]:
        """The devices that have a backend in this build."""
        available = _native.backends()
        return tuple(device for device in (_native.cpu, _native.gpu) if device.type in available)

    def default_dtypes(self, *, device: Any = None) -> dict[str, Dtype]:
        """The dtypes of arrays made of Python numbers, and of indices."""
        _check_device(device)
        return {
            "real floating": DEFAULT_FLOAT,
            "complex floating": DEFAULT_COMPLEX,
            "integral": DEFAULT_INT,
            "indexing": int32,
        }

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, Dtype]:
        """The standard's dtypes by name. float16 and bfloat16 are none.

        Args:
            device: all devices have the same ones.
            kind: a kind as `isdtype` takes it, or a tuple of such; None for all dtypes.
        """
        _check_device(device)
        return {
            name: dtype
            for name, dtype in DTYPES.items()
            if dtype not in (float16, bfloat16) and (kind is None or isdtype(dtype, kind))
        }


def __array_namespace_info__() -> NamespaceInfo:
    """What the library can do, and its devices and dtypes: see the array API standard's inspection functions.

    >>> ft.__array_namespace_info__().default_dtypes()["indexing"]
    int32
    """
    return NamespaceInfo()
