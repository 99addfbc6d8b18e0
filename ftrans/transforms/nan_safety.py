"""Whether a zero annihilates infinities and NaN in derivatives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from .. import _native


@contextmanager
def _set_within(enabled: bool) -> Iterator[None]:
    previous = _native.nan_safe_derivatives()
    _native.set_nan_safe_derivatives(enabled)
    try:
        yield
    finally:
        _native.set_nan_safe_derivatives(previous)


def nan_safe_derivatives(enabled: bool = True) -> AbstractContextManager[None]:
    """Within it, whether zeros annihilate infinities and NaN in the products of the chain rule.

    They do by default, so that a branch that `where` does not take has no part in the derivative:
    ``where(x > 0, sqrt(x), 0)`` has derivative 0 at 0, though that of the square root is infinite. Without
    it the products are IEEE's, ``0 * inf`` is NaN, and a NaN in a derivative tells of such a branch. The
    setting is the thread's own, applies to derivatives that are computed within, and is part of the signature
    under which `jit` caches.

    Args:
        enabled: whether zeros annihilate.

    Returns:
        A context manager.

    Raises:
        TypeError: `enabled` is not a bool.

    >>> masked = lambda x: ft.where(x > 0, ft.sqrt(x), 0.0)
    >>> ft.grad(masked)(0.0)
    array(0, dtype=float32)
    >>> with ft.nan_safe_derivatives(False):
    ...     ft.grad(masked)(0.0)
    array(nan, dtype=float32)
    """
    if not isinstance(enabled, bool):
        raise TypeError(f"nan_safe_derivatives: enabled must be a bool, got {enabled!r}")
    return _set_within(enabled)
