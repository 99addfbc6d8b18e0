"""debug_key_reuse: a random key that is used a second time."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from .._native import Array, user_source
from ..core.errors import KeyReuseError
from ..core.jaxpr import ClosedJaxpr, inner_jaxprs
from ..core.primitive import Primitive
from ..core.source import Source, format_source
from ..primitives.random import use_key_p
from .inspection import Inspector, inspected_by


class _KeyUses(Inspector):
    """The keys that have been used, by their words, each with the function that did, and where."""

    def __init__(self) -> None:
        self._uses: dict[tuple[int, ...], tuple[str, Source]] = {}

    def look(
        self, primitive: Primitive, operands: Sequence[Array], parameters: dict[str, Any], outs: list[Array]
    ) -> None:
        """Raise if a key has been used before."""
        if primitive is not use_key_p:
            return
        function, source = parameters["by"], user_source()
        for words in map(tuple, np.asarray(operands[0]).reshape(-1, 2).tolist()):
            if words in self._uses:
                first, line = self._uses[words]
                raise KeyReuseError(
                    f"the random key {list(words)} is used by {function} at {format_source(source)}, but has "
                    f"been used by {first} at {format_source(line)}: what they give depends on each other. "
                    "Use a key once only; ft.random.split makes new ones of it"
                )
            self._uses[words] = function, source

    def must_see_inside(self, primitive: Primitive, parameters: dict[str, Any]) -> bool:
        """Whether a program uses keys."""
        return _uses_keys(primitive, parameters)


def _uses_keys(primitive: Primitive, parameters: dict[str, Any]) -> bool:
    if primitive is use_key_p:
        return True
    if primitive.name == "while_vjp":  # the loop that it runs again has used them
        return False
    return any(map(_jaxpr_uses_keys, inner_jaxprs(parameters)))


def _jaxpr_uses_keys(closed: ClosedJaxpr) -> bool:
    def find() -> bool:
        return any(_uses_keys(e.primitive, e.parameters) for e in closed.jaxpr.equations)

    return closed.derive(("uses keys",), find)


def debug_key_reuse() -> AbstractContextManager[None]:
    """A context in which using a random key twice raises an error that names both lines.

    A key is used by drawing from it and by splitting it. `random.fold_in` does not use it: folding in
    different numbers is a way to make keys. It counts what this thread does inside of the context, wherever
    the key is used: in plain code, in compiled functions, under `vmap`, derivatives, and in loops, where a
    key from outside of the loop is used again in each iteration. Keys are compared by their values: making
    the key of one seed twice, or indexing an array of keys twice, does not give a new one. A key that all
    items of a `vmap` share counts once. What `checkpoint` computes again is no second use.

    Uses of keys that a function closes over are not seen if it was compiled before.

    Compiled functions that use keys run operation by operation inside of the context, which is slow.

    Raises:
        KeyReuseError: inside of the context.

    >>> key = ft.random.key(0)
    >>> with ft.debug_key_reuse():
    ...     x = ft.random.normal(shape=(2,), key=key)
    ...     y = ft.random.uniform(shape=(2,), key=key)
    Traceback (most recent call last):
        ...
    ftrans.core.errors.KeyReuseError: the random key [0, 0] is used by uniform at ...
    """
    return inspected_by(_KeyUses())
