"""The namespace as the array API standard had it up to version 2024.12: what is a tuple since then is a list.

Everything else is that of `ftrans`.

>>> from ftrans import array_api_2024 as xp
>>> xp.meshgrid(xp.ones(1))
[array([1], dtype=float32)]
"""

from __future__ import annotations

import sys
from typing import Any

from . import ops
from ._native import Array, Device
from .ops.info import NamespaceInfo as CurrentInfo

__array_api_version__ = "2024.12"


class NamespaceInfo(CurrentInfo):
    """The answers of `__array_namespace_info__`."""

    __slots__ = ()

    def devices(self) -> list[Device]:  # type: ignore[override]
        """The devices that have a backend in this build."""
        return list(super().devices())


def __array_namespace_info__() -> NamespaceInfo:
    """As `ftrans.__array_namespace_info__`."""
    return NamespaceInfo()


def meshgrid(*arrays: Any, indexing: str = "xy") -> list[Array]:
    """As `ftrans.meshgrid`."""
    return list(ops.meshgrid(*arrays, indexing=indexing))


def broadcast_arrays(*arrays: Any) -> list[Array]:
    """As `ftrans.broadcast_arrays`."""
    return list(ops.broadcast_arrays(*arrays))


def __getattr__(name: str) -> Any:
    return getattr(sys.modules[__package__], name)
