"""check: an assertion about values, which `checkify` turns into a result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._native import Array
from ..core.errors import CheckError
from ..core.host import EffectPrimitive
from ..core.primitive import Sample, zero_derivative
from ..core.pytree import unflatten
from ..core.source import Source, format_source
from .layout import batch_first

if TYPE_CHECKING:
    from optree import PyTreeSpec


class Site(NamedTuple):
    """What is asserted somewhere, and how its failure is described.

    `message` is a format string; its fields refer to a tree of `structure`, the pair (positional, keyword),
    whose leaves are arrays of the payload, in the places of None in `leaves`, and anything else. For each
    shape in `mapped` the payload begins with the position of the failure within a batch of that shape.
    """

    message: str
    source: Source
    structure: PyTreeSpec
    leaves: tuple
    mapped: tuple[tuple[int, ...], ...] = ()

    @property
    def num_payload(self) -> int:
        """How many arrays describe a failure."""
        return len(self.mapped) + sum(leaf is None for leaf in self.leaves)

    def describe(self, payload: Sequence[np.ndarray]) -> str:
        """The message of a failure."""
        arrays = iter(payload)
        position = [int(i) for shape in self.mapped for i in np.unravel_index(int(next(arrays)), shape)]
        args, kwargs = unflatten(self.structure, [next(arrays) if x is None else x for x in self.leaves])
        where = f" at mapped index {', '.join(map(str, position))}" if position else ""
        return f"{self.message.format(*args, **kwargs)} (checked at {format_source(self.source)}{where})"


def describe_failure(number: int, payload: Sequence[np.ndarray], sites: Sequence[Site]) -> str:
    """The message of failure `number`, counted from 1, in the payload of all sites."""
    start = sum(site.num_payload for site in sites[: number - 1])
    site = sites[number - 1]
    return site.describe(payload[start : start + site.num_payload])


def failures(code: np.ndarray, payload: Sequence[np.ndarray], sites: Sequence[Site]) -> list[str]:
    """The messages of all failures: one of each item of a batch that has one."""
    messages = []
    for position in zip(*np.nonzero(np.atleast_1d(code)), strict=True):
        index = position if code.ndim else ()
        message = describe_failure(int(code[index]), [x[index] for x in payload], sites)
        prefix = f"at mapped index {', '.join(map(str, index))}: " if index else ""
        messages.append(prefix + message)
    return messages


def _run(inputs: list[np.ndarray], outputs: list[np.ndarray], *, sites: tuple[Site, ...], **_: Any) -> None:
    code, *payload = inputs
    messages = failures(code, payload, sites)
    if messages:
        raise CheckError(messages[0])


def _impl(*operands: np.ndarray, **parameters: Any) -> list[np.ndarray]:
    _run(list(operands), [], **parameters)
    return []


def _batch(
    args: Sequence[Array], dims: Sequence[int | None], size: int, **parameters: Any
) -> tuple[list[Array], list[int]]:
    operands = [batch_first(x, d, size) for x, d in zip(args, dims, strict=True)]
    return check_p.bind(*operands, **parameters), []


#: Operands: the number of the site that failed, counted from 1, 0 for none; then the payload of all sites.
#: All may have the axes of a batch in front.
check_p = EffectPrimitive(
    "check",
    run=_run,
    impl=_impl,
    jvp=zero_derivative,
    vjp=zero_derivative,
    batch=_batch,
    samples=[Sample((lambda: np.array(0, np.int32),), {"sites": (), "out_avals": (), "ordered": False})],
)
