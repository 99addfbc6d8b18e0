"""What a jaxpr costs to run, roughly: for choices between ways of doing the same."""

from __future__ import annotations

import math

from ..core.call import CallPrimitive
from ..core.host import HostPrimitive
from ..core.jaxpr import ClosedJaxpr, Equation

#: Nanoseconds an element, of operations that are no plain arithmetic.
_NANOSECONDS = {
    0.5: "sqrt rsqrt div floor_divide remainder fmod",
    1.5: "exp exp2 expm1 log log2 log10 log1p sin cos tanh logistic logaddexp hypot",
    2.0: "cumsum cumprod cummax cummin argmax argmin gather random_bits",
    3.0: "tan asin acos atan sinh cosh asinh acosh atanh atan2 pow cbrt erf erfc",
    4.0: "scatter",
    10.0: "erf_inv erfcx ndtr ndtri log_ndtr lgamma digamma bessel_i0 bessel_i1 bessel_i0e bessel_i1e",
    20.0: "lambert_w",
    50.0: "zeta polygamma beta log_beta gamma_p gamma_q beta_inc gamma_density beta_density",
}
_AN_ELEMENT = {name: cost for cost, names in _NANOSECONDS.items() for name in names.split()}
_ARITHMETIC = 0.2

#: Of matrices: nanoseconds for each cube of their size.
_CUBIC = {
    **dict.fromkeys(("cholesky", "triangular_solve"), 0.5),
    **dict.fromkeys(("solve", "lu", "qr", "diagonal_sylvester"), 1.0),
    **dict.fromkeys(("expm", "eigh", "svd", "eig"), 20.0),
}
_MULTIPLICATION = 0.05
_HOST_CALL = 20_000.0

#: How many iterations a loop of unknown length is taken for, and what its pull-back costs beside it.
_ITERATIONS, _PULL_BACK = 16, 4


def estimated_cost(closed: ClosedJaxpr) -> float:
    """Nanoseconds of one thread for a run of a jaxpr, without the fixed costs of its steps; cached in it."""
    known = closed.derived.get("cost")
    if known is None:
        known = closed.derived["cost"] = sum(map(_equation_cost, closed.jaxpr.equations))
    return known


def _equation_cost(equation: Equation) -> float:
    primitive, parameters = equation.primitive, equation.parameters
    if isinstance(primitive, CallPrimitive):
        return estimated_cost(parameters["jaxpr"])
    if isinstance(primitive, HostPrimitive):
        return _HOST_CALL
    if primitive.name == "scan":
        return parameters["length"] * estimated_cost(parameters["jaxpr"])
    if primitive.name in ("while", "while_vjp"):
        turn = estimated_cost(parameters["cond_jaxpr"]) + estimated_cost(parameters["body_jaxpr"])
        return _ITERATIONS * turn * (_PULL_BACK if primitive.name == "while_vjp" else 1)
    if primitive.name == "cond":
        return max(map(estimated_cost, parameters["branches"]))
    return _kernel_cost(equation)


def _kernel_cost(equation: Equation) -> float:
    name, parameters = equation.primitive.name, equation.parameters
    shapes = [v.aval.shape for v in equation.inputs]
    result = max((v.aval.size for v in equation.outputs), default=0)
    largest = max([result, *(v.aval.size for v in equation.inputs)])
    if name == "dot_general":
        (contracted, _), _ = parameters["dimension_numbers"]
        return _MULTIPLICATION * result * math.prod(shapes[0][axis] for axis in contracted)
    if name == "conv":
        return _MULTIPLICATION * result * math.prod(shapes[1][1:])
    if name in _CUBIC:
        return _CUBIC[name] * largest * max(shape[-1] for shape in shapes if shape)
    if name == "sort":
        return 3.0 * largest * math.log2(largest + 2)
    if name in ("reshape", "transpose", "broadcast_in_dim", "slice", "rev"):
        return 0.0
    if "window" in parameters:
        return _ARITHMETIC * result * math.prod(parameters["window"])
    return _AN_ELEMENT.get(name, _ARITHMETIC) * largest
