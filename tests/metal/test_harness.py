"""The harness on `ft.gpu`: every primitive in every dtype that the GPU has, with derivatives and batches.

The results of many cases are evaluated at once, so that their kernels are compiled together; then each case
is compared by itself, with what the CPU computes in the same dtype. That the CPU is right is for
tests/harness to show, in float64 and against NumPy.
"""

import functools
import itertools
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import ftrans as ft
from ftrans.core.primitive import Sample, primitives
from ftrans.primitives.collective import Collective
from ftrans.primitives.metal_kernel import UserKernel
from tests.harness.call_samples import call_samples
from tests.harness.cases import Case, Operands, all_cases, dtype_variants, is_inexact, native_dtype, to_array
from tests.harness.numerics import assert_same


NARROW = {np.dtype(np.float64): np.dtype(np.float32), np.dtype(np.complex128): np.dtype(np.complex64)}

#: How many cases are evaluated at once.
TOGETHER = 120

#: A case's name, and what computes its results.
Check = tuple[str, Callable[[], list[ft.Array]]]


class NarrowCase(Case):
    """A case without float64 and complex128, which the GPU does not have."""

    @functools.cached_property
    def sample(self) -> Sample:
        if self.is_call:
            return call_samples(self.primitive, np.float32)[self.index]
        return super().sample

    @property
    def operands(self) -> Operands:
        return narrow(super().operands)


def narrow(operands: Operands) -> Operands:
    with np.errstate(all="ignore"):
        return tuple(x.astype(NARROW.get(x.dtype, x.dtype)) for x in operands)


@functools.cache
def cases() -> list[NarrowCase]:
    return [NarrowCase(each.primitive, each.index) for each in all_cases()]


def copies(operands: Operands) -> tuple[ft.Array, ...]:
    """Three different ones of each, along a new first axis."""
    with np.errstate(all="ignore"):
        stacks = [
            np.stack([x, np.roll(x, 1), (x * 0.75).astype(x.dtype) if is_inexact(x.dtype) else x])
            for x in operands
        ]
    return tuple(map(to_array, stacks))


def values() -> Iterator[Check]:
    """The first sample of a primitive in every dtype, the others as they are."""
    for case in cases():
        variants = dtype_variants(case) if case.index == 0 else [("as given", case.operands)]
        for dtype, operands in variants:
            if not any(x.dtype in NARROW for x in operands):
                yield f"{case} {dtype}", functools.partial(apply, case, operands)


def apply(case: Case, operands: Operands) -> list[ft.Array]:
    return case.bind(*map(to_array, operands))


def derivatives() -> Iterator[Check]:
    """Forward and reverse mode."""
    for case in cases():
        if case.sample.differentiable and not case.declares_no_derivative:
            yield f"{case} jvp", functools.partial(jvp, case)
            yield f"{case} vjp", functools.partial(vjp, case)


def differentiable(case: Case) -> tuple[Callable[..., list[ft.Array]], list[ft.Array]]:
    """The case as a function of its differentiable operands, with inexact results, and where."""
    constants = [to_array(x) for x in case.operands]
    positions = case.sample.differentiable

    def function(*point):
        merged = dict(enumerate(constants)) | dict(zip(positions, point, strict=True))
        return [x for x in case.bind(*merged.values()) if x.dtype.kind in "fc"]

    return function, [constants[position] for position in positions]


def direction(case: Case, like: ft.Array) -> ft.Array:
    values = case.random().standard_normal(like.shape)
    return to_array(np.asarray(values + 1j * values[::-1] if like.dtype.kind == "c" and values.ndim else values)
                    .astype(like.dtype.name))


def jvp(case: Case) -> list[ft.Array]:
    function, point = differentiable(case)
    return list(ft.jvp(function, tuple(point), tuple(direction(case, x) for x in point))[1])


def vjp(case: Case) -> list[ft.Array]:
    function, point = differentiable(case)
    results, pull_back = ft.vjp(function, *point)
    return list(pull_back([direction(case, x) for x in results]))


def batches() -> Iterator[Check]:
    """All operands mapped, and, where there are several, the first alone."""
    for case in cases():
        operands = case.operands
        if operands:
            yield f"{case} vmap", functools.partial(vmap, case, (0,) * len(operands))
        if len(operands) > 1:
            yield f"{case} vmap of the first", functools.partial(vmap, case, (0, *[None] * (len(operands) - 1)))


def vmap(case: Case, in_axes: tuple) -> list[ft.Array]:
    mapped = copies(case.operands)
    arrays = [m if a == 0 else to_array(x) for m, x, a in zip(mapped, case.operands, in_axes, strict=True)]
    return list(ft.vmap(case.bind, in_axes=in_axes)(*arrays))


def chunks(checks: Callable[[], Iterator[Check]]) -> list:
    """As parameters of a test; how many there are is known without making a check."""
    return []


def compare(checks: list[Check]) -> None:
    """Each check on the GPU, all of them in one evaluation, against the CPU."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        with ft.stream(ft.gpu):
            actual = [compute() for _, compute in checks]
        expected = [compute() for _, compute in checks]
    ft.eval(actual, expected)
    failures = []
    for (what, _), results, references in zip(checks, actual, expected, strict=True):
        try:
            for result, reference in zip(results, references, strict=True):
                assert_same(result, np.asarray(reference), what)
        except AssertionError as error:
            failures.append(str(error))
    assert not failures, "\n".join(failures)
