"""Derivatives: forward mode against finite differences, reverse mode by duality, and all second orders."""

import numpy as np
import pytest

import ftrans as ft
from tests.harness.cases import Case, in_double, is_inexact, to_array
from tests.harness.numerics import (
    COMPLEX_STEP_TOLERANCE,
    DIFFERENCE_TOLERANCE,
    DUALITY_TOLERANCE,
    assert_near,
    directional_difference,
    inner,
    inner_scale,
)


class Problem:
    """A case as a function of its differentiable operands, in double precision, with random directions."""

    def __init__(self, case: Case):
        self.case = case
        self.operands = in_double(case)
        self.positions = case.sample.differentiable
        self.constants = [to_array(x) for x in self.operands]
        self.point = [self.operands[position] for position in self.positions]
        references = case.reference(*self.operands)
        #: Integer results have no tangent.
        self.differentiable_results = [i for i, x in enumerate(references) if is_inexact(x.dtype)]
        random = case.random()
        self.tangents = [_direction(random, x) for x in self.point]
        self.other_tangents = [_direction(random, x) for x in self.point]
        self.cotangents = [_direction(random, references[i]) for i in self.differentiable_results]

    def _merge(self, all_operands, differentiated):
        merged = list(all_operands)
        for position, operand in zip(self.positions, differentiated, strict=True):
            merged[position] = operand
        return merged

    def reference(self, *differentiated):
        results = self.case.reference(*self._merge(self.operands, differentiated))
        return [results[i] for i in self.differentiable_results]

    def function(self, *differentiated):
        results = self.case.bind(*self._merge(self.constants, differentiated))
        return [results[i] for i in self.differentiable_results]

    def pushforward(self, point, tangents):
        """J(point)·tangents, as arrays."""
        return ft.jvp(self.function, tuple(point), tuple(tangents))[1]

    def pullback(self, point, cotangents):
        """J(point)ᵀ·cotangents, as arrays."""
        return ft.vjp(self.function, *point)[1](list(cotangents))


def _direction(random, like: np.ndarray) -> np.ndarray:
    """Normal numbers of that shape and dtype."""
    direction = random.standard_normal(like.shape)
    if np.iscomplexobj(like):
        direction = direction + 1j * random.standard_normal(like.shape)
    return np.asarray(direction).astype(like.dtype)


def _arrays(operands):
    return [to_array(x) for x in operands]


def _assert_refused(case: Case) -> None:
    """An operation that declares no derivative says so, by name, in both modes."""
    operands = in_double(case)
    positions = [i for i, x in enumerate(operands) if is_inexact(x.dtype)]
    if not positions:
        return
    arrays = _arrays(operands)

    def function(x):
        return case.bind(*(x if i == positions[0] else a for i, a in enumerate(arrays)))

    x = arrays[positions[0]]
    with pytest.raises(TypeError, match=case.primitive.name):
        ft.jvp(function, (x,), (x,))
    with pytest.raises(TypeError, match=case.primitive.name):
        ft.grad(lambda x: ft.sum(function(x)[0]))(x)


def _check_zero(case: Case) -> bool:
    """A derivative declared to be zero everywhere is: the tangents of floating results are zeros."""
    operands = _arrays(in_double(case))
    positions = [i for i, x in enumerate(case.operands) if is_inexact(x.dtype)]
    results = case.reference(*in_double(case))
    if not positions or not results or not is_inexact(results[0].dtype):
        return False

    def function(*differentiated):
        merged = dict(enumerate(operands)) | dict(zip(positions, differentiated, strict=True))
        return case.bind(*merged.values())

    point = tuple(operands[i] for i in positions)
    for tangent in ft.jvp(function, point, point)[1]:
        assert not np.any(np.asarray(tangent)), f"{case} jvp is declared to be zero"
    return True


def _has_derivative(case: Case) -> bool:
    return not case.declares_no_derivative and bool(case.sample.differentiable)


def jvp(case: Case) -> bool:
    """J·t against central differences of the reference, or zero, or refused, as declared."""
    if case.declares_no_derivative:
        _assert_refused(case)
        return False
    if case.declares_zero_derivative:
        return _check_zero(case)
    if not case.sample.differentiable:
        return False
    problem = Problem(case)
    point, tangents = _arrays(problem.point), _arrays(problem.tangents)
    expected = directional_difference(problem.reference, problem.point, problem.tangents)
    for result, reference in zip(problem.pushforward(point, tangents), expected, strict=True):
        assert_near(result, reference, DIFFERENCE_TOLERANCE, f"{case} jvp against finite differences")
    return True


#: These are no analytic functions: they conjugate, or are real.
_NOT_ANALYTIC = {"abs", "sign", "convert", "cholesky", "qr", "svd", "eigh", "eig"}
_COMPLEX_STEP = 1e-30


def complex_step(case: Case) -> bool:
    """J·t of real operands against Im f(x + iht) / h, which no difference cancels, of the analytic ones."""
    if not _has_derivative(case) or case.declares_zero_derivative or case.is_call:
        return False
    problem = Problem(case)
    real = all(x.dtype == np.float64 for x in problem.point)
    if case.primitive.name in _NOT_ANALYTIC or not real or not problem.differentiable_results:
        return False
    stepped = [x.astype(np.complex128) if x.dtype == np.float64 else x for x in problem.operands]
    for position, tangent in zip(problem.positions, problem.tangents, strict=True):
        stepped[position] = stepped[position] + 1j * _COMPLEX_STEP * tangent
    if not case.accepts(tuple(stepped)):
        return False
    results = case.reference(*stepped)
    forward = problem.pushforward(_arrays(problem.point), _arrays(problem.tangents))
    for tangent, i in zip(forward, problem.differentiable_results, strict=True):
        assert_near(
            tangent,
            results[i].imag / _COMPLEX_STEP,
            COMPLEX_STEP_TOLERANCE,
            f"{case} jvp against a complex step",
        )
    return True


def vjp(case: Case) -> bool:
    """⟨c, J·t⟩ = ⟨Jᵀ·c, t⟩, and cotangents have their operands' shapes and dtypes."""
    if not _has_derivative(case):
        return False
    problem = Problem(case)
    point = _arrays(problem.point)
    forward = problem.pushforward(point, _arrays(problem.tangents))
    reverse = problem.pullback(point, _arrays(problem.cotangents))
    for operand, cotangent in zip(point, reverse, strict=True):
        assert (cotangent.shape, cotangent.dtype) == (operand.shape, operand.dtype), f"{case} cotangent type"
    scale = inner_scale(problem.cotangents, forward) + inner_scale(reverse, problem.tangents)
    difference = inner(problem.cotangents, forward) - inner(reverse, problem.tangents)
    assert abs(difference) <= DUALITY_TOLERANCE * scale, f"{case}: ⟨c, J·t⟩ − ⟨Jᵀ·c, t⟩ = {difference}"
    return True


def second_order(case: Case) -> bool:
    """d/ds ⟨c, J·t⟩ in every way: by differences, and by each pair of modes."""
    if not _has_derivative(case):
        return False
    problem = Problem(case)
    point = _arrays(problem.point)
    tangents, other = _arrays(problem.tangents), _arrays(problem.other_tangents)
    cotangents = _arrays(problem.cotangents)

    def forward(*x):
        return problem.pushforward(x, tangents)

    def reverse(*x):
        return problem.pullback(x, cotangents)

    def product(*operands):
        return [np.asarray(inner(reverse(*_arrays(operands)), problem.tangents))]

    (expected,) = directional_difference(product, problem.point, problem.other_tangents)
    ways = {
        "vjp of vjp": (ft.vjp(reverse, *point)[1](tuple(tangents)), problem.other_tangents),
        "vjp of jvp": (ft.vjp(forward, *point)[1](cotangents), problem.other_tangents),
        "jvp of vjp": (ft.jvp(reverse, tuple(point), tuple(other))[1], problem.tangents),
        "jvp of jvp": (ft.jvp(forward, tuple(point), tuple(other))[1], problem.cotangents),
    }
    for what, (left, right) in ways.items():
        # The terms may cancel in the sum; the error of the difference quotient is relative to them.
        tolerance = DIFFERENCE_TOLERANCE * inner_scale(left, right)
        actual = inner(left, right)
        assert abs(actual - expected) <= tolerance, f"{case} {what}: {actual}, expected {expected}"
    return True
