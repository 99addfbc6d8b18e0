"""Primitives that a Python function on NumPy arrays computes, as a step of the program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from .. import _native
from .._native import Array, HostFunction
from .avals import ShapedArray, shaped_array
from .primitive import Primitive
from .tracing import innermost_abstract_trace

#: What the steps with effects hand on to keep their order: nothing.
_TOKEN = shaped_array((0,), _native.bool_)


class HostPrimitive(Primitive):
    """A primitive whose step is ``run(inputs, outputs, **parameters)``.

    Both are lists of NumPy arrays: read-only views of the operands, and the memory of the results, row-major
    and uninitialised. `run` is called on the stream's thread, or on the one that evaluates.
    """

    __slots__ = ("run", "_functions")

    def __init__(self, name: str, *, run: Callable[..., None], **rules: Any):
        super().__init__(name, **rules)
        self.run = run
        self._functions: dict[Any, HostFunction] = {}

    def execute(self, operands: Sequence[Array], parameters: dict[str, Any]) -> Any:
        """Make the node that calls `run`."""
        abstract = self.abstract(tuple([x.aval for x in operands]), parameters)
        out_avals = abstract if self.multiple_results else [abstract]
        results = _native.host_call(self.host_function(parameters), operands, out_avals)
        return results if self.multiple_results else results[0]

    def host_function(self, parameters: dict[str, Any]) -> HostFunction:
        """`run` with these parameters. One object for equal ones, so that equal nodes are merged."""
        key = tuple(parameters.items())
        function = self._functions.get(key)
        if function is None:
            function = self._functions[key] = HostFunction(partial(self.run, **parameters), self.name)
        return function


class CallbackPrimitive(HostPrimitive):
    """A host primitive that calls a function of the user, with several results, described by `out_avals`.

    The parameters say all: nothing is memoised, as a memo would keep the functions alive.
    """

    __slots__ = ()

    def __init__(self, name: str, **rules: Any):
        super().__init__(
            name, abstract_eval=lambda *_, out_avals, **__: list(out_avals), multiple_results=True, **rules
        )

    def abstract(self, avals: tuple[ShapedArray, ...], parameters: dict[str, Any]) -> list[ShapedArray]:
        """What the user said that the function returns."""
        return list(parameters["out_avals"])

    def host_function(self, parameters: dict[str, Any]) -> HostFunction:
        return HostFunction(partial(self.run, **parameters), self.name)


class EffectPrimitive(CallbackPrimitive):
    """A callback with an effect besides its results. One of its parameters is `ordered`.

    On concrete arrays it runs at once. Inside of a function that is traced abstractly it is recorded even
    if no operand is traced: it has to happen when the function runs, not while it is traced.
    """

    __slots__ = ()
    has_effect = True

    def execute(self, operands: Sequence[Array], parameters: dict[str, Any]) -> list[Array]:
        trace = innermost_abstract_trace()
        if trace is not None:
            return trace.record(self, operands, parameters)
        results = self.call(operands, [], parameters, symbolic=False)
        _native.eval(results)
        return results[:-1]

    def call(
        self, operands: Sequence[Array], tokens: Sequence[Array], parameters: dict[str, Any], symbolic: bool
    ) -> list[Array]:
        """Make the node that calls `run` after `tokens`; its results, and then its own token."""
        out_avals = parameters["out_avals"]
        n_in, n_out = len(operands), len(out_avals)

        def run(inputs: list[np.ndarray], outputs: list[np.ndarray]) -> None:
            self.run(inputs[:n_in], outputs[:n_out], **parameters)

        function = HostFunction(run, self.name)
        return _native.host_call(function, [*operands, *tokens], [*out_avals, _TOKEN], symbolic)
