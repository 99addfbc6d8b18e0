"""From jaxprs to the JSON of an exported program; the format is described in the package's docstring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._native import Array, Dtype
from ..core.avals import ShapedArray
from ..core.jaxpr import Atom, ClosedJaxpr, Equation, Var, dce
from ..core.source import format_source
from ..core.tracing import trace_to_jaxpr
from ..transforms import checkpoint_policies
from ..transforms.custom_jvp import JvpRules
from ..transforms.custom_vjp import VjpRules


class Encoder:
    """Collects the jaxprs and constants of one program."""

    def __init__(self) -> None:
        self.jaxprs: list[Any] = []
        self.constants: list[bytes] = []
        self._numbers: dict[int, int] = {}
        self._kept: list[ClosedJaxpr] = []  # so that an id stays its own

    def jaxpr(self, closed: ClosedJaxpr) -> int:
        """The number of a jaxpr, which is encoded the first time."""
        number = self._numbers.get(id(closed))
        if number is None:
            self._kept.append(closed)
            encoded = self._encode(dce(closed))
            number = self._numbers[id(closed)] = len(self.jaxprs)
            self.jaxprs.append(encoded)
        return number

    def _encode(self, closed: ClosedJaxpr) -> dict[str, Any]:
        jaxpr = closed.jaxpr
        variables: dict[Var, int] = {}

        def define(var: Var) -> list[Any]:
            variables[var] = len(variables)
            return encode_type(var.aval)

        def atom(x: Atom) -> Any:
            if x.is_literal:
                item = np.asarray(x.value).reshape(-1)[:1]
                return {"type": encode_type(x.aval), "bytes": _little_endian(item).hex()}
            return variables[x]

        return {
            "constants": [
                [define(v), self._constant(c)] for v, c in zip(jaxpr.constvars, closed.consts, strict=True)
            ],
            "inputs": [define(v) for v in jaxpr.invars],
            "equations": [
                [
                    e.primitive.name,
                    {name: self._parameter(e, name, value) for name, value in e.parameters.items()},
                    [atom(x) for x in e.inputs],
                    [define(v) for v in e.outputs],
                ]
                for e in jaxpr.equations
            ],
            "outputs": [atom(x) for x in jaxpr.outvars],
        }

    def _constant(self, x: Array) -> int:
        if x._trace is not None:
            raise TypeError(
                f"export: the function closes over an array {x.aval} that an outer transformation traces; "
                "pass it as an argument"
            )
        self.constants.append(_little_endian(np.asarray(x)))
        return len(self.constants) - 1

    def _parameter(self, equation: Equation, name: str, value: Any) -> Any:
        if value is None or isinstance(value, (bool, int, str)):
            return value
        if isinstance(value, float):
            return {"float": value.hex()}
        if type(value) is tuple:
            return {"tuple": [self._parameter(equation, name, x) for x in value]}
        if isinstance(value, Dtype):
            return {"dtype": value.name}
        if isinstance(value, ClosedJaxpr):
            return {"jaxpr": self.jaxpr(value)}
        policies = [name for name, policy in checkpoint_policies.by_name.items() if policy is value]
        if policies:
            return {"policy": policies[0]}
        if isinstance(value, (JvpRules, VjpRules)) and not equation.parameters["captured"]:
            return (
                self._jvp_rules(equation, value)
                if isinstance(value, JvpRules)
                else self._vjp_rules(equation, value)
            )
        raise TypeError(
            f"export: parameter {name} of {equation.primitive.name} (at {format_source(equation.source)}) "
            f"cannot be written to a file: {value!r}"
        )

    def _jvp_rules(self, equation: Equation, rules: JvpRules) -> dict[str, Any]:
        avals = [x.aval for x in equation.inputs]
        tangents = [a.strong() for a in avals]

        def jvp(*args: Array) -> list[Array]:
            outs, out_tangents = rules.jvp(args[: len(avals)], args[len(avals) :])
            return [*outs, *out_tangents]

        return {
            "jvp rules": {
                "name": rules.name,
                "primal": self.jaxpr(equation.parameters["jaxpr"]),
                "jvp": self._traced(jvp, [*avals, *tangents]),
            }
        }

    def _vjp_rules(self, equation: Equation, rules: VjpRules) -> dict[str, Any]:
        avals = [x.aval for x in equation.inputs]
        residual_avals: list[ShapedArray] = []
        present: list[bool] = []

        def fwd(*args: Array) -> list[Array]:
            outs, residuals = rules.fwd(args, [x.aval.is_inexact for x in args])
            residual_avals[:] = [r.aval for r in residuals]
            return [*outs, *residuals]

        def bwd(*args: Array) -> list[Array]:
            n = len(residual_avals)
            gradients = rules.bwd(args[:n], args[n:])
            present[:] = [g is not None for g in gradients]
            return [g for g in gradients if g is not None]

        forward = self._traced(fwd, avals)
        cotangents = [v.aval.strong() for v in equation.outputs]
        backward = self._traced(bwd, [*residual_avals, *cotangents])
        jvp = None if rules.jvp is None else self._jvp_rules(equation, rules.jvp)
        return {
            "vjp rules": {
                "name": rules.name,
                "primal": self.jaxpr(equation.parameters["jaxpr"]),
                "fwd": forward,
                "bwd": backward,
                "present": present,
                "jvp": jvp,
            }
        }

    def _traced(self, function: Callable[..., Sequence[Array]], avals: Sequence[ShapedArray]) -> int:
        return self.jaxpr(trace_to_jaxpr(function, avals, "export"))


def encode_type(aval: ShapedArray) -> list[Any]:
    """``["float32", [2, 3], false]``."""
    return [aval.dtype.name, list(aval.shape), aval.weak_type]


def encode_tree(tree: Any, what: str) -> Any:
    """The containers of a pytree, whose leaves may be anything.

    Raises:
        TypeError: one is not a tuple, list or dict; `what` names the tree.
    """
    if tree is None:
        return None
    if type(tree) is tuple:
        return {"tuple": [encode_tree(x, what) for x in tree]}
    if type(tree) is list:
        return {"list": [encode_tree(x, what) for x in tree]}
    if type(tree) is dict:
        unknown = [key for key in tree if type(key) not in (str, int)]
        if unknown:
            raise TypeError(f"export: the keys of dicts in {what} must be texts or ints, got {unknown[0]!r}")
        return {"dict": [[key, encode_tree(x, what)] for key, x in tree.items()]}
    if tree is LEAF:
        return "leaf"
    raise TypeError(
        f"export: {what} may contain tuples, lists and dicts, which every process knows, but not "
        f"{type(tree).__name__}; take it apart first"
    )


class _Leaf:
    """What stands for an array in a tree that is encoded."""


LEAF = _Leaf()


def _little_endian(array: np.ndarray) -> bytes:
    array = np.ascontiguousarray(array)
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
