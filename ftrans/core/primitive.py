"""Primitives: one registered row holds all that the system knows of an operation."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import _native
from .._native import Array, Program
from .avals import ShapedArray

if TYPE_CHECKING:
    from .jaxpr import ClosedJaxpr

#: Every primitive, by name.
primitives: dict[str, Primitive] = {}


class Sample(NamedTuple):
    """Small concrete operands from which the test harness generates checks of every rule.

    `args` are ndarrays (or functions without arguments that make one); `differentiable` are the positions of
    the operands at which derivatives are compared with finite differences.
    """

    args: tuple
    params: Mapping[str, Any] = MappingProxyType({})
    differentiable: tuple[int, ...] = ()


class Observer(ABC):
    """Applies primitives to concrete arrays in place of `Primitive.execute`."""

    #: What native code knows those of its `checked_program`s by that jitted functions are dispatched to; 0
    #: where `apply` is to see each call of these functions.
    number = 0

    @abstractmethod
    def apply(self, primitive: Primitive, operands: Sequence[Array], parameters: dict[str, Any]) -> Any:
        """The result, or results, of the primitive."""

    def checked_program(self, closed: ClosedJaxpr) -> Program | None:
        """A program with one more result: whether `apply` has to see this call of a jitted function.

        None if it always has.
        """
        return None


class _ThisThread(threading.local):
    observer: Observer | None = None


_this_thread = _ThisThread()


def observe(observer: Observer | None) -> Observer | None:
    """Let `observer` apply every primitive to concrete arrays on this thread; None ends that.

    No fast path in native code goes past it meanwhile. Returns the observer that there was.
    """
    previous = _this_thread.observer
    _this_thread.observer = observer
    _native.set_fast_paths(observer is None)
    _native.set_checked_for(0 if observer is None else observer.number)
    return previous


def current_observer() -> Observer | None:
    """What observes this thread."""
    return _this_thread.observer


def is_observed() -> bool:
    """Whether `observe` is in effect on this thread."""
    return _this_thread.observer is not None


class NoDerivative:
    """The JVP and VJP rule of an operation that has no derivative: differentiating it raises `TypeError`."""

    __slots__ = ("reason", "name")

    def __init__(self, reason: str, name: str = "this operation"):
        self.reason = reason
        self.name = name

    def __call__(self, *args: Any, **parameters: Any) -> Any:
        raise TypeError(f"{self.name} has no derivative: {self.reason}")


def no_derivative(reason: str) -> NoDerivative:
    """Declare that an operation cannot be differentiated: ``Primitive(…, jvp=no_derivative("why"), …)``."""
    return NoDerivative(reason)


def zero_derivative(*args: Any, **parameters: Any) -> None:
    """Declare that the derivative is zero everywhere. Traces recognise it and stop following the result."""


class Primitive(_native.PrimitiveBase):
    """An operation with its rules. See docs/architecture.md for their signatures.

    Args:
        name: unique; how it prints in jaxprs.
        abstract_eval: avals → aval of the result.
        impl: ndarrays → ndarray, the reference semantics.
        jvp, vjp: derivative rules, or `no_derivative(reason)`, or `zero_derivative`.
        batch: the vectorising rule.
        opcode: the native operation's name; `name` if not given.
        lower: (parameters, in_avals, out_avals) → tuple of ints, the native parameters; none if not given.
        multiple_results: whether rules and `bind` deal in lists of results.
        samples: operands for the test harness.
        linked_forward: for call-like primitives, in place of `jvp` and `vjp`: see `core.partition`.
        regular_forward: for those whose derivatives must not be taken at their results: see `LinkedTrace`.

    Raises:
        TypeError: a rule is missing.
        ValueError: the name is taken.
    """

    #: Whether it must run even where nobody uses its results.
    has_effect = False

    __slots__ = (
        "name", "abstract_eval", "impl", "jvp", "vjp", "batch", "lower", "multiple_results", "samples",
        "linked_forward", "regular_forward", "has_zero_derivative", "_native_name",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        *,
        abstract_eval: Callable | None = None,
        impl: Callable | None = None,
        jvp: Callable | None = None,
        vjp: Callable | None = None,
        batch: Callable | None = None,
        opcode: str | None = None,
        lower: Callable | None = None,
        multiple_results: bool = False,
        samples: Sequence[Sample] = (),
        linked_forward: Callable | None = None,
        regular_forward: Callable | None = None,
    ):
        rules = {"abstract_eval": abstract_eval, "impl": impl, "batch": batch}
        if linked_forward is None:
            rules |= {"jvp": jvp, "vjp": vjp}
        missing = [rule for rule, function in rules.items() if function is None]
        if missing:
            raise TypeError(
                f"primitive '{name}' lacks {', '.join(missing)}: "
                f"pass each as Primitive({name!r}, {missing[0]}=…); "
                "a derivative may be no_derivative(reason) or zero_derivative"
            )
        if name in primitives:
            raise ValueError(f"a primitive named '{name}' is already registered")
        self.name = name
        self.abstract_eval: Any = abstract_eval
        self.impl: Any = impl
        self.jvp: Any = NoDerivative(jvp.reason, name) if isinstance(jvp, NoDerivative) else jvp
        self.vjp: Any = NoDerivative(vjp.reason, name) if isinstance(vjp, NoDerivative) else vjp
        self.batch: Any = batch
        self.lower = lower
        self.multiple_results = multiple_results
        self.samples = samples
        self.linked_forward = linked_forward
        self.regular_forward = regular_forward
        self.has_zero_derivative = vjp is zero_derivative
        self._native_name = opcode or name
        primitives[name] = self

    def __repr__(self) -> str:
        return self.name

    def _observed(self, operands: Sequence[Array], parameters: dict[str, Any]) -> Any:
        """What `bind` does where this thread has an observer."""
        assert _this_thread.observer is not None  # there are fast paths otherwise
        return _this_thread.observer.apply(self, operands, parameters)

    def _operation(self, in_avals: tuple[ShapedArray, ...], parameters: dict[str, Any]) -> Callable:
        """The native operation for operands of these avals."""
        abstract = self.abstract(in_avals, parameters)
        out_avals = abstract if self.multiple_results else [abstract]
        encoded = self.lower(parameters, in_avals, out_avals) if self.lower is not None else ()
        return _native.operation(_native.opcode(self._native_name), encoded, out_avals, self.multiple_results)

    def _unhashable(self, parameters: dict[str, Any]) -> TypeError:
        return TypeError(f"{self.name}: parameters must be hashable, got {parameters!r}")
