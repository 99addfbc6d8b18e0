"""Which values `checkpoint` saves.

A policy is a function ``(primitive, *avals, **parameters) -> bool`` of the operation that computes a value,
its operands' avals and its parameters: True saves the value, False lets it be computed again. For the
primitive `checkpoint_name`, None says more than False: the value that has this name is not saved as the
result of the operation before it either.

There are no policies that offload: memory is unified, and what is saved is where every device can reach it.

>>> policy = ft.checkpoint_policies.dots_saveable
>>> layer = ft.checkpoint(lambda w, x: ft.tanh(x @ w), policy=policy)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core.avals import ShapedArray
from ..core.primitive import Primitive
from ..primitives.matmul import dot_general_p
from ..primitives.rematerialization import checkpoint_name_p

__all__ = [
    "dots_saveable",
    "dots_with_no_batch_dims_saveable",
    "everything_saveable",
    "nothing_saveable",
    "save_any_names_but_these",
    "save_anything_except_these_names",
    "save_from_both_policies",
    "save_only_these_names",
]

Policy = Callable[..., "bool | None"]


def everything_saveable(primitive: Primitive, *avals: ShapedArray, **parameters: Any) -> bool:
    """Save all values: as without `checkpoint`."""
    return True


def nothing_saveable(primitive: Primitive, *avals: ShapedArray, **parameters: Any) -> bool:
    """Save nothing but the arguments: the default."""
    return False


def dots_saveable(primitive: Primitive, *avals: ShapedArray, **parameters: Any) -> bool:
    """Save the results of matrix products, which cost the most to compute again."""
    return primitive is dot_general_p


def dots_with_no_batch_dims_saveable(primitive: Primitive, *avals: ShapedArray, **parameters: Any) -> bool:
    """Save the results of matrix products without batch dimensions, such as those with weights."""
    if primitive is not dot_general_p:
        return False
    _, (lhs_batch, rhs_batch) = parameters["dimension_numbers"]
    return not lhs_batch and not rhs_batch


def save_only_these_names(*names: str) -> Policy:
    """Save the values that `checkpoint_name` gave one of these names, and no others."""
    chosen = _names("save_only_these_names", names)

    def policy(primitive: Primitive, *avals: ShapedArray, **parameters: Any) -> bool:
        return primitive is checkpoint_name_p and parameters["name"] in chosen

    return policy


def save_any_names_but_these(*names: str) -> Policy:
    """Save the values that `checkpoint_name` gave a name that is none of these, and no others."""
    excluded = _names("save_any_names_but_these", names)

    def policy(primitive: Primitive, *avals: ShapedArray, **parameters: Any) -> bool:
        return primitive is checkpoint_name_p and parameters["name"] not in excluded

    return policy


def save_anything_except_these_names(*names: str) -> Policy:
    """Save all values but those that `checkpoint_name` gave one of these names."""
    excluded = _names("save_anything_except_these_names", names)

    def policy(primitive: Primitive, *avals: ShapedArray, **parameters: Any) -> bool | None:
        return None if primitive is checkpoint_name_p and parameters["name"] in excluded else True

    return policy


def save_from_both_policies(first: Policy, second: Policy) -> Policy:
    """Save what either of two policies saves."""

    def policy(primitive: Primitive, *avals: ShapedArray, **parameters: Any) -> bool | None:
        answers = [p(primitive, *avals, **parameters) for p in (first, second)]
        return True if any(answers) else None if None in answers else False

    return policy


def _names(policy: str, names: tuple[str, ...]) -> frozenset[str]:
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"{policy}: names must be strings, given one by one, got {names!r}")
    return frozenset(names)
