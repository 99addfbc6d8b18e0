"""Why a jitted function is traced again: how a call's signature differs from those it was traced for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..core.avals import ShapedArray
from ..core.source import ArgumentSource, function_name
from .traced_function import Signature


def explain_retrace(fun: Callable, signature: Signature, known: Sequence[Signature]) -> list[str]:
    """The differences between a signature and the most similar one among `known`, one a line."""
    if not known:
        return [f"{function_name(fun)} has not been traced yet"]
    # Another structure is the least similar; among equals, the latest counts.
    nearest = min(
        reversed(known),
        key=lambda old: (old.structure != signature.structure, len(_differences(fun, signature, old))),
    )
    return _differences(fun, signature, nearest)


def _differences(fun: Callable, new: Signature, old: Signature) -> list[str]:
    name = function_name(fun)
    found = _static_differences(name, new.static, old.static)
    if new.stream is not old.stream:
        found.append(f"the current stream: {new.stream}, was {old.stream}")
    if new.nan_safe is not old.nan_safe:
        found.append(f"nan_safe_derivatives: {new.nan_safe}, was {old.nan_safe}")
    if new.structure != old.structure:
        return [*found, f"the structure of the arguments: {new.structure}, was {old.structure}"]
    for i, (aval, before) in enumerate(zip(new.avals, old.avals, strict=True)):
        if aval is not before:
            found.append(f"{ArgumentSource(fun, new.structure, i)}: {_aval_difference(aval, before)}")
    return found


def _static_differences(name: str, new: tuple, old: tuple) -> list[str]:
    now: dict[Any, Any] = {which: (kind, value) for which, kind, value in new}
    before: dict[Any, Any] = {which: (kind, value) for which, kind, value in old}
    found = []
    for which in [*now, *(w for w in before if w not in now)]:
        if now.get(which) != before.get(which):
            values = [f"{v[1]!r}" if v else "not given" for v in (now.get(which), before.get(which))]
            found.append(f"static argument {which!r} of {name}: {values[0]}, was {values[1]}")
    return found


def _aval_difference(new: ShapedArray, old: ShapedArray) -> str:
    attributes = ("shape", "dtype", "weak_type")
    return "; ".join(
        f"{a} {getattr(new, a)}, was {getattr(old, a)}"
        for a in attributes
        if getattr(new, a) != getattr(old, a)
    )
