"""check: a function tested on the caller's own arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np

from . import ops
from ._native import Array, user_function
from .core.pytree import flatten
from .core.source import function_name
from .differences import Directions, difference_quotient, inner, precision_of, wide
from .interop import asarray
from .testing import assert_allclose, check_vmap
from .transforms.arguments import argument_arrays, argument_sources, check_callable
from .transforms.autodiff import jvp, vjp
from .transforms.jit import jit


@dataclass(frozen=True)
class Finding:
    """The outcome of one comparison: `problem` is empty where both sides agree."""

    comparison: str
    problem: str


@dataclass(frozen=True)
class Report:
    """What `check` found. True if everything agrees; prints as a table, with what differs and where."""

    name: str
    findings: tuple[Finding, ...]

    def __bool__(self) -> bool:
        return not self.problems

    @property
    def problems(self) -> list[Finding]:
        """The comparisons that failed."""
        return [finding for finding in self.findings if finding.problem]

    def __str__(self) -> str:
        width = max(len(f.comparison) for f in self.findings)
        lines = [f"check of {self.name}: {'all agree' if self else f'{len(self.problems)} differ'}"]
        for finding in self.findings:
            lines.append(f"  {finding.comparison.ljust(width)}  {'differs' if finding.problem else 'agrees'}")
            lines.extend(f"      {line}" for line in finding.problem.splitlines())
        return "\n".join(lines)


@user_function
def check(fun: Callable, *, seed: int = 0) -> Callable:
    """A function that tests another one on the arguments that it is called with, and reports what differs.

    Compared are: compiled and eager values; `vmap` and a loop; forward mode and finite differences, argument
    by argument; reverse and forward mode; and the second derivatives in all four combinations of the modes
    with differences of the first. Derivatives are compared in double precision, if `fun` lets it.

    Args:
        fun: a function of arrays or pytrees of arrays, smooth at its arguments.
        seed: of the random directions.

    Returns:
        A function of the same arguments that returns a `Report`: true if all agree, readable when printed.

    Raises:
        TypeError: `fun` is not a function; from the function returned: an argument is not an array. What
            `fun` raises under a transformation is in the report.

    >>> print(ft.check(lambda x: ft.sin(x) * x)(1.0))
    check of <lambda>: all agree
      jit = eager                         agrees
      vmap = loop                         agrees
      forward = differences, by x         agrees
      reverse = forward                   agrees
      forward over reverse = differences  agrees
      reverse over forward = differences  agrees
      forward over forward = differences  agrees
      reverse over reverse = differences  agrees
    """
    check_callable("check", fun)

    @user_function
    @wraps(fun)
    def checked(*args: Any, **kwargs: Any) -> Report:
        return _Check(fun, args, kwargs, Directions(seed)).report()

    return checked


class _Check:
    """One call: the function, its arguments as flat arrays, and random directions there."""

    def __init__(self, fun: Callable, args: tuple, kwargs: dict[str, Any], directions: Directions):
        self.fun = fun
        leaves, self.structure = flatten((args, kwargs))
        self.arrays = argument_arrays("check", fun, leaves, self.structure)
        self.sources = argument_sources(fun, self.structure)
        #: Positions of the arguments that can be differentiated.
        self.inexact = [i for i, x in enumerate(self.arrays) if x.aval.is_inexact]
        self.directions = directions
        self.findings: list[Finding] = []

    def report(self) -> Report:
        """All comparisons."""
        self.compare("jit = eager", self.compiled)
        self.compare("vmap = loop", self.vectorised)
        if self.inexact and any(y.aval.is_inexact for y in self.flat(*self.arrays)):
            self.differentiate()
        return Report(function_name(self.fun), tuple(self.findings))

    def compare(self, what: str, comparison: Callable[..., None], *args: Any) -> None:
        """Make a finding of a comparison."""
        problem = ""
        try:
            comparison(*args)
        except AssertionError as error:
            problem = str(error)
        except Exception as error:  # of the user's function under a transformation: that is what we look for
            problem = f"{type(error).__name__}: {error}"
        self.findings.append(Finding(what, problem))

    def call(self, *leaves: Array) -> Any:
        """The function of its leaves."""
        filled: Any = self.structure.unflatten(leaves)
        return self.fun(*filled[0], **filled[1])

    def flat(self, *leaves: Array) -> list[Array]:
        """The leaves of its output."""
        return [asarray(y) for y in flatten(self.call(*leaves))[0]]

    def compiled(self) -> None:
        """`jit` against eager."""
        assert_allclose(jit(self.call)(*self.arrays), self.call(*self.arrays))

    def vectorised(self) -> None:
        """`vmap` against a loop, on the arguments and others nearby."""
        stacked = []
        for x in self.arrays:
            if x.aval.is_inexact:
                members = [wide(x) * (1 + offset / 8) for offset in (0, 1, -1)]
                stacked.append(asarray(np.stack(members), dtype=x.dtype))
            else:
                stacked.append(asarray(np.stack([np.asarray(x)] * 3)))
        check_vmap(self.call, tuple(stacked))

    def differentiate(self) -> None:
        """All that has to do with derivatives, in double precision if the function lets it."""
        point = [self.in_double(x) for x in self.arrays]
        try:
            outs = self.flat(*point)
        except (TypeError, ValueError):  # it insists on its dtypes
            point, outs = self.arrays, self.flat(*self.arrays)
        derivatives = _Derivatives(self, point, outs)
        for i in self.inexact:
            self.compare(f"forward = differences, by {self.sources[i].name}", derivatives.forward, i)
        self.compare("reverse = forward", derivatives.reverse)
        for way in derivatives.second_order:
            self.compare(f"{way} = differences", derivatives.second, way)

    @staticmethod
    def in_double(x: Array) -> Array:
        """An argument in double precision, if it is of an inexact dtype."""
        if not x.aval.is_inexact:
            return x
        return asarray(x, dtype="complex128" if x.dtype.kind == "c" else "float64")


class _Derivatives:
    """The function of its inexact arguments, with its inexact outputs, and directions at a point."""

    second_order = (
        "forward over reverse",
        "reverse over forward",
        "forward over forward",
        "reverse over reverse",
    )

    def __init__(self, owner: _Check, point: list[Array], outs: list[Array]):
        self.owner = owner
        self.all = point
        self.point = tuple(point[i] for i in owner.inexact)
        self.kept = [j for j, y in enumerate(outs) if y.aval.is_inexact]
        self.precision = precision_of([self.point, [outs[j] for j in self.kept]])
        self.tangents = owner.directions.like(self.point)
        self.others = owner.directions.like(self.point)
        self.cotangents = owner.directions.like([outs[j] for j in self.kept])

    def function(self, *chosen: Array) -> list[Array]:
        """The inexact outputs."""
        leaves = list(self.all)
        for i, x in zip(self.owner.inexact, chosen, strict=True):
            leaves[i] = x
        outs = self.owner.flat(*leaves)
        return [outs[j] for j in self.kept]

    def along(self, i: int) -> tuple[Array, ...]:
        """The direction in which only argument `i` moves."""
        return tuple(
            t if k == i else ops.zeros_like(t) for k, t in zip(self.owner.inexact, self.tangents, strict=True)
        )

    def near(self, actual: Any, desired: Any) -> None:
        """Assert that derivatives agree to what finite differences are good for."""
        scale = max((float(np.max(np.abs(wide(y)), initial=0.0)) for y in desired), default=0.0)
        assert_allclose(actual, desired, 0.0, self.precision.tolerance * max(1.0, scale))

    def forward(self, i: int) -> None:
        """Forward mode against differences, by one argument."""
        tangents = self.along(i)
        expected = difference_quotient(self.function, self.point, tangents, self.precision.step)
        self.near([wide(t) for t in jvp(self.function, self.point, tangents)[1]], expected)

    def reverse(self) -> None:
        """Reverse against forward mode, argument by argument."""
        gradients = vjp(self.function, *self.point)[1](self.cotangents)
        problems = []
        for i, gradient, tangent in zip(self.owner.inexact, gradients, self.tangents, strict=True):
            forward = jvp(self.function, self.point, self.along(i))[1]
            expected, size = inner([wide(c) for c in self.cotangents], [wide(t) for t in forward])
            actual, other = inner([wide(gradient)], [wide(tangent)])
            # The same sums of products in another order.
            if not abs(actual - expected) <= 2.0**16 * self.precision.epsilon * max(size, other, 1e-30):
                name = self.owner.sources[i].name
                problems.append(f"by {name}: {actual:.8g} along a random direction, expected {expected:.8g}")
        if problems:
            raise AssertionError("\n".join(problems))

    def second(self, way: str) -> None:
        """A second derivative against differences of the first, along two directions."""

        def forward(*x: Array) -> Array:
            return _inner(self.cotangents, jvp(self.function, x, self.tangents)[1])

        def reverse(*x: Array) -> Array:
            return _inner(vjp(self.function, *x)[1](self.cotangents), self.tangents)

        outer, _, first = way.partition(" over ")
        derivative = forward if first == "forward" else reverse
        if outer == "forward":
            actual = jvp(derivative, self.point, self.others)[1]
        else:
            gradients = vjp(derivative, *self.point)
            actual = _inner(gradients[1](ops.ones_like(gradients[0])), self.others)
        expected = difference_quotient(forward, self.point, self.others, self.precision.step)
        self.near([wide(actual)], expected)


def _inner(xs: Any, ys: Any) -> Array:
    """Re Σ x·y."""
    total: Any = 0.0
    for x, y in zip(xs, ys, strict=True):
        total = total + ops.sum(ops.real(x * y) if x.dtype.kind == "c" else x * y)
    return total
