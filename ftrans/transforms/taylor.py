"""Taylor arithmetic: what a jaxpr computes along a curve x(t) = x₀ + x₁t + x₂t² + …, order by order.

Every equation becomes a node that, given its operands' coefficients up to order k, appends that of its
results. Three kinds of primitives have rules of their own: those that are linear, at least near a point;
bilinear ones; and div, sin and cos, sinh and cosh, whose recurrences are those of Griewank and Walther,
Evaluating Derivatives, 2nd edition, section 13.2. All others follow from the JVP rule that each primitive
has anyway: z' = jvp(x, x', z) is a Taylor series like any other, one order below z, so that its coefficient
k − 1 is k·zₖ. So exp costs a convolution, and what is composed of others as much as its derivative does. For
order K a chain of functions costs O(K²) operations, O(K³) where the derivative needs further series (pow).
A call-like primitive other than `jit` (a loop, a custom rule) is differentiated again for every order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence

from .. import primitives as p
from .._native import Array, Interpreting, set_source
from ..core.jaxpr import Atom, Equation, Jaxpr
from ..core.primitive import Primitive
from ..core.tracing import run_on, trace_to_jaxpr
from ..primitives.elementwise import add, div, mul, neg, sub
from ..primitives.layout import zeros_like
from .derivative import record
from .traced_function import jit_p

#: Linear in their operands, or piecewise so: the factors in their JVP rules are constant near a point.
LINEAR = {
    p.neg_p, p.add_p, p.sub_p, p.real_p, p.imag_p, p.conj_p, p.complex_p, p.convert_p, p.select_p, p.clamp_p,
    p.max_p, p.min_p, p.copysign_p, p.nextafter_p, p.remainder_p, p.fmod_p, p.broadcast_in_dim_p,
    p.reshape_p, p.transpose_p, p.slice_p, p.rev_p, p.pad_p, p.concatenate_p, p.reduce_sum_p, p.reduce_max_p,
    p.reduce_min_p, p.cumsum_p, p.cummax_p, p.cummin_p, p.sort_p, p.dynamic_slice_p,
    p.dynamic_update_slice_p, p.gather_p,
}  # fmt: skip
#: The same for operands that are not complex.
LINEAR_IF_REAL = {p.abs_p, p.sign_p}
BILINEAR = {p.mul_p, p.safe_mul_p, p.dot_general_p}
#: f: (g, a, b) where f' = a·g and g' = b·f.
PAIRS: dict[Primitive, tuple[Primitive, int, int]] = {
    p.sin_p: (p.cos_p, 1, -1),
    p.cos_p: (p.sin_p, -1, 1),
    p.sinh_p: (p.cosh_p, 1, 1),
    p.cosh_p: (p.sinh_p, 1, 1),
}


class Series:
    """The coefficients of one array that are known so far; None is a zero, but the first is always there."""

    __slots__ = ("terms", "is_constant")

    def __init__(self, terms: Iterable[Array | None] = (), is_constant: bool = False):
        self.terms = list(terms)
        self.is_constant = is_constant

    def __getitem__(self, order: int) -> Array | None:
        return self.terms[order] if order < len(self.terms) or not self.is_constant else None

    @property
    def value(self) -> Array:
        """The coefficient of order 0."""
        value = self.terms[0]
        assert value is not None
        return value


class JaxprSeries:
    """The series of all that a jaxpr computes, from those of its inputs, which the caller extends."""

    def __init__(self, jaxpr: Jaxpr, consts: Sequence[Array], inputs: Sequence[Series]):
        env: dict[Atom, Series] = {v: Series([c], True) for v, c in zip(jaxpr.constvars, consts, strict=True)}
        env.update(zip(jaxpr.invars, inputs, strict=True))

        def series(atom: Atom) -> Series:
            return Series([atom.value], True) if atom.is_literal else env[atom]

        self._nodes: list[_Node] = []
        for equation in jaxpr.equations:
            node = _node(equation, [series(v) for v in equation.inputs])
            self._nodes.append(node)
            env.update(zip(equation.outputs, node.outputs, strict=True))
        self.outputs = [series(v) for v in jaxpr.outvars]

    def extend(self, order: int) -> None:
        """Compute the coefficients of this order; all lower ones are known, and the inputs' up to it."""
        for node in self._nodes:
            set_source(node.equation.source)
            results = run_on(node.equation.stream, node.coefficients, order)
            for output, result in zip(node.outputs, results, strict=True):
                if order == 0 or not output.is_constant:
                    output.terms.append(result)


class _Node(ABC):
    """An equation, with the series of its operands and results."""

    def __init__(self, equation: Equation, inputs: Sequence[Series]):
        self.equation = equation
        self.primitive = equation.primitive
        self.parameters = equation.parameters
        self.inputs = inputs
        constant = self.primitive.has_zero_derivative or all(s.is_constant for s in inputs)
        self.outputs = [Series([], constant or not v.aval.is_inexact) for v in equation.outputs]

    @abstractmethod
    def coefficients(self, order: int) -> Sequence[Array | None]:
        """Those of the results."""


class _Operation(_Node):
    """An application of a primitive, by a rule for the orders from 1 on."""

    def coefficients(self, order: int) -> Sequence[Array | None]:
        """Those of the results."""
        if order == 0:
            results = self.primitive.bind(*[s.value for s in self.inputs], **self.parameters)
            return results if self.primitive.multiple_results else [results]
        if all(s.is_constant for s in self.outputs):
            return [None] * len(self.outputs)
        return self.higher(order)

    @abstractmethod
    def higher(self, order: int) -> Sequence[Array | None]:
        """Those of an order from 1 on."""

    @property
    def output(self) -> Series:
        """The series of the only result."""
        return self.outputs[0]


class _Linear(_Operation):
    def higher(self, order: int) -> Sequence[Array | None]:
        terms = [s[order] for s in self.inputs]
        if all(t is None for t in terms):
            return [None] * len(self.outputs)
        values = [s.value for s in self.inputs]
        outs = [s.value for s in self.outputs]
        many = self.primitive.multiple_results
        result = self.primitive.jvp(values, terms, outs if many else outs[0], **self.parameters)
        return [None] * len(self.outputs) if result is None else result if many else [result]


class _Bilinear(_Operation):
    def higher(self, order: int) -> Sequence[Array | None]:
        x, y = self.inputs
        return [_sum(_products(self._product, x, y, range(order + 1), order))]

    def _product(self, x: Array, y: Array) -> Array:
        return self.primitive.bind(x, y, **self.parameters)


class _Square(_Operation):
    def higher(self, order: int) -> Sequence[Array | None]:
        (x,) = self.inputs
        return [_sum(_products(mul, x, x, range(order + 1), order))]


class _Quotient(_Operation):
    """z·y = x, solved for the last coefficient of z."""

    def higher(self, order: int) -> Sequence[Array | None]:
        x, y = self.inputs
        known = _sum(_products(mul, y, self.output, range(1, order + 1), order))
        rest = _difference(x[order], known)
        return [None if rest is None else div(rest, y.value)]


class _Pair(_Operation):
    """f' = ±g·x' and g' = ±f·x', computed together."""

    def __init__(self, equation: Equation, inputs: Sequence[Series]):
        super().__init__(equation, inputs)
        self.mate, self.sign, self.mate_sign = PAIRS[self.primitive]
        self.mate_series = Series()

    def higher(self, order: int) -> Sequence[Array | None]:
        (x,) = self.inputs
        if order == 1:
            self.mate_series.terms.append(self.mate.bind(x.value))
        own = _integrated(x, self.mate_series, order, self.sign)
        self.mate_series.terms.append(_integrated(x, self.output, order, self.mate_sign))
        return [own]


class _FromDerivative(_Operation):
    """z' = jvp(x, x', z), a jaxpr whose series give those of z, one order later."""

    def __init__(self, equation: Equation, inputs: Sequence[Series]):
        super().__init__(equation, inputs)
        self.active = [
            not s.is_constant and v.aval.is_inexact for s, v in zip(inputs, equation.inputs, strict=True)
        ]
        self.slopes = [Series() for _ in range(sum(self.active))]
        self.present: list[bool] = []
        self.derivative: JaxprSeries

    def higher(self, order: int) -> Sequence[Array | None]:
        if order == 1:
            self._trace()
        active = (s for s, a in zip(self.inputs, self.active, strict=True) if a)
        for slope, x in zip(self.slopes, active, strict=True):
            term = x[order]
            if term is not None:
                slope.terms.append(mul(term, order))
            else:
                slope.terms.append(zeros_like(x.value) if order == 1 else None)
        self.derivative.extend(order - 1)
        slopes = (s[order - 1] for s in self.derivative.outputs)
        results = [next(slopes) if present else None for present in self.present]
        return [None if z is None else div(z, order) for z in results]

    def _trace(self) -> None:
        outs = [s.value for s in self.outputs]
        avals = [s.value.aval for s in self.inputs]
        slope_avals = [aval.strong() for aval, a in zip(avals, self.active, strict=True) if a]
        closed = trace_to_jaxpr(self._rule, [*avals, *slope_avals, *(y.aval for y in outs)], "jet")
        self.derivative = JaxprSeries(
            closed.jaxpr, closed.consts, [*self.inputs, *self.slopes, *self.outputs]
        )

    def _rule(self, *args: Array) -> list[Array]:
        n = len(self.inputs)
        values, given, outs = args[:n], iter(args[n:]), args[n + len(self.slopes) :]
        tangents = [next(given) if a else None for a in self.active]
        primitive = self.primitive
        if primitive.linked_forward is not None:
            results = self._call_rule(values, tangents)
        elif primitive.multiple_results:
            results = primitive.jvp(values, tangents, list(outs), **self.parameters)
        else:
            results = [primitive.jvp(values, tangents, outs[0], **self.parameters)]
        results = [None] * len(self.outputs) if results is None else list(results)
        self.present = [t is not None for t in results]
        return [t for t in results if t is not None]

    def _call_rule(self, values: Sequence[Array], tangents: Sequence[Array | None]) -> list[Array | None]:
        def call(*operands: Array) -> tuple[list[Array], None]:
            return self.primitive.bind(*operands, **self.parameters), None

        _, _, recording = record("jvp", "jet", call, values, needed=self.active)
        return recording.push_forward(tangents)


class _Call(_Node):
    """A jitted function: its jaxpr, looked into."""

    def __init__(self, equation: Equation, inputs: Sequence[Series]):
        super().__init__(equation, inputs)
        closed = self.parameters["jaxpr"]
        self.body = JaxprSeries(closed.jaxpr, closed.consts, inputs)

    def coefficients(self, order: int) -> Sequence[Array | None]:
        """Those of the body's results."""
        self.body.extend(order)
        return [s[order] for s in self.body.outputs]


_RULES: dict[Primitive, type[_Node]] = {
    **dict.fromkeys(LINEAR, _Linear),
    **dict.fromkeys(BILINEAR, _Bilinear),
    **dict.fromkeys(PAIRS, _Pair),
    p.square_p: _Square,
    p.div_p: _Quotient,
    jit_p: _Call,
}


def _node(equation: Equation, inputs: Sequence[Series]) -> _Node:
    primitive = equation.primitive
    if (primitive in LINEAR_IF_REAL and equation.inputs[0].aval.dtype.kind != "c") or (
        primitive is p.scatter_p and equation.parameters["kind"] in ("set", "add")
    ):
        return _Linear(equation, inputs)
    return _RULES.get(primitive, _FromDerivative)(equation, inputs)


def _products(
    product: Callable[[Array, Array], Array], x: Series, y: Series, orders: Iterable[int], total: int
) -> Iterator[Array]:
    """The terms xᵢ·yⱼ with i + j = total, i among `orders`, that are not zero."""
    for i in orders:
        left, right = x[i], y[total - i]
        if left is not None and right is not None:
            yield product(left, right)


def _sum(terms: Iterable[Array]) -> Array | None:
    total = None
    for term in terms:
        total = term if total is None else add(total, term)
    return total


def _difference(x: Array | None, y: Array | None) -> Array | None:
    if y is None:
        return x
    return neg(y) if x is None else sub(x, y)


def _integrated(x: Series, factor: Series, order: int, sign: int) -> Array | None:
    """The coefficient of ±∫ factor·x' of this order: ±Σ (j/order)·xⱼ·factorₖ₋ⱼ for j from 1 to k = order."""
    terms = []
    for j in range(1, order + 1):
        slope, other = x[j], factor[order - j]
        if slope is not None and other is not None:
            terms.append(mul(mul(slope, sign * j / order), other))
    return _sum(terms)


def taylor_coefficients(
    jaxpr: Jaxpr, consts: Sequence[Array], inputs: Sequence[Series], order: int
) -> list[Series]:
    """The series of the outputs, up to `order`."""
    with Interpreting():
        series = JaxprSeries(jaxpr, consts, inputs)
        for k in range(order + 1):
            series.extend(k)
    return series.outputs
