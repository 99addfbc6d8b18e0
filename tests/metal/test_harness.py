"""The harness on `ft.gpu`: every primitive in every dtype that the GPU has, with derivatives and batches.

The first sample of a primitive comes in every dtype, the others as they are, in float32 or complex64; with
the environment variable FTRANS_WHOLE_MATRIX=1 all of them come in all.

The results of many cases are evaluated at once, so that their kernels are compiled together; then each case
is compared by itself, with what the CPU computes in the same dtype. That the CPU is right is for
tests/harness to show, in float64 and against NumPy.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest

import ftrans as ft
from ftrans.core.avals import shaped_array
from ftrans.core.primitive import Sample, primitives
from ftrans.primitives.collective import Collective
from ftrans.primitives.metal_kernel import UserKernel
from tests.harness.call_samples import call_samples
from tests.harness.cases import (
    NUMPY_DTYPES,
    Case,
    Operands,
    all_cases,
    cast,
    is_inexact,
    native_dtype,
    to_array,
)
from tests.harness.numerics import assert_same
from tests.metal.conftest import NOTES

NARROW = {np.dtype(np.float64): np.dtype(np.float32), np.dtype(np.complex128): np.dtype(np.complex64)}

#: The others, by name.
DTYPES = {dtype.name: dtype for dtype in NUMPY_DTYPES if dtype not in NARROW}

#: Whether every sample comes in every dtype, which takes minutes where its kernels have yet to be compiled.
EVERYTHING = bool(os.environ.get("FTRANS_WHOLE_MATRIX"))

#: In how many evaluations each property is checked.
PARTS = 10

#: What the CPU runs: LAPACK, FFT and callbacks, and special functions that have no GPU kernel (gamma_p and
#: zeta: their derivatives by a parameter).
CPU_ONLY = {
    *("cholesky", "diagonal_sylvester", "eig", "eigh", "expm", "lu", "qr", "separate", "solve", "svd"),
    *("triangular_solve", "beta_density", "beta_inc", "gamma_p", "zeta"),
    *("the host function check", "the host function debug_callback", "the host function fft"),
    *("the host function io_callback", "the host function pure_callback"),
}

#: A case's name, and what computes its results.
Check = tuple[str, Callable[[], list[ft.Array]]]


@dataclass(frozen=True)
class NarrowCase(Case):
    """A case without float64 and complex128, which the GPU does not have; in a dtype, if one is given."""

    dtype: str = ""

    def __str__(self) -> str:
        return f"{super().__str__()} {self.dtype or 'as given'}"

    @functools.cached_property
    def sample(self) -> Sample:
        if self.is_call:
            return call_samples(self.primitive, np.float32)[self.index]
        return super().sample

    @property
    def operands(self) -> Operands:
        operands = narrow(super().operands)
        if not self.dtype:
            return operands
        main = operands[self.main].dtype
        return tuple(cast(x, DTYPES[self.dtype]) if x.dtype == main else x for x in operands)

    def random(self) -> np.random.Generator:
        """The same in every dtype."""
        return Case(self.primitive, self.index).random()

    def variants(self) -> list[NarrowCase]:
        """The case in every dtype that the primitive and the GPU have, if it is the primitive's first."""
        if self.is_call or not self.operands or (self.index and not EVERYTHING):
            return [self]
        found = [NarrowCase(self.primitive, self.index, dtype) for dtype in DTYPES]
        return [each for each in found if each.accepts(each.operands) and exists_on_gpu(each)]


def narrow(operands: Operands) -> Operands:
    with np.errstate(all="ignore"):
        return tuple(x.astype(NARROW.get(x.dtype, x.dtype)) for x in operands)


@functools.cache
def cases() -> list[NarrowCase]:
    found = [NarrowCase(each.primitive, each.index) for each in all_cases()]
    return [case for case in found if exists_on_gpu(case)]


@functools.cache
def variants() -> list[NarrowCase]:
    return [variant for case in cases() for variant in case.variants()]


def exists_on_gpu(case: Case) -> bool:
    """Whether neither operands nor results are of a dtype that only the CPU has."""
    avals = [shaped_array(x.shape, native_dtype(x.dtype)) for x in case.operands]
    results = case.primitive.abstract_eval(*avals, **case.parameters)
    types = [*avals, *(results if case.primitive.multiple_results else [results])]
    return not any(each.dtype in (ft.float64, ft.complex128) for each in types)


def copies(operands: Operands) -> tuple[ft.Array, ...]:
    """Three different ones of each, along a new first axis."""
    with np.errstate(all="ignore"):
        stacks = [
            np.stack([x, np.roll(x, 1), (x * 0.75).astype(x.dtype) if is_inexact(x.dtype) else x])
            for x in operands
        ]
    return tuple(map(to_array, stacks))


def values() -> Iterator[Check]:
    for case in variants():
        yield str(case), functools.partial(apply, case)


def apply(case: Case) -> list[ft.Array]:
    return case.bind(*map(to_array, case.operands))


def derivatives() -> Iterator[Check]:
    """Forward and reverse mode."""
    for case in variants():
        is_differentiable = case.sample.differentiable and not case.declares_no_derivative
        if is_differentiable and is_inexact(case.operands[case.main].dtype):
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
    random = case.random()
    values = random.standard_normal(like.shape)
    if like.dtype.kind == "c":
        values = values + 1j * random.standard_normal(like.shape)
    return to_array(np.asarray(values).astype(like.dtype.name))


def jvp(case: Case) -> list[ft.Array]:
    function, point = differentiable(case)
    return list(ft.jvp(function, tuple(point), tuple(direction(case, x) for x in point))[1])


def vjp(case: Case) -> list[ft.Array]:
    function, point = differentiable(case)
    results, pull_back = ft.vjp(function, *point)
    return list(pull_back([direction(case, x) for x in results]))


def batches() -> Iterator[Check]:
    """All operands mapped, and, where there are several, the first alone."""
    for case in variants():
        count = len(case.operands)
        if count:
            yield f"{case} vmap", functools.partial(vmap, case, (0,) * count)
        if count > 1:
            yield f"{case} vmap of the first", functools.partial(vmap, case, (0, *[None] * (count - 1)))


def vmap(case: Case, in_axes: tuple) -> list[ft.Array]:
    mapped = copies(case.operands)
    arrays = [m if a == 0 else to_array(x) for m, x, a in zip(mapped, case.operands, in_axes, strict=True)]
    return list(ft.vmap(case.bind, in_axes=in_axes)(*arrays))


def compare(checks: list[Check]) -> list[str]:
    """What the GPU computes, all in one evaluation, against the CPU: the failures."""
    with ft.stream(ft.gpu):
        actual = [compute() for _, compute in checks]
    expected = [compute() for _, compute in checks]
    with contextlib.suppress(RuntimeError):  # whose it is shows below
        ft.eval(actual)
    failures = []
    for (what, _), results, references in zip(checks, actual, expected, strict=True):
        try:
            for result, reference in zip(results, references, strict=True):
                assert_same(result, np.asarray(reference), what)
        except (AssertionError, RuntimeError) as error:
            failures.append(f"{what}: {error}")
    return failures


@functools.cache
def listed(checks: Callable[[], Iterator[Check]]) -> list[Check]:
    return list(checks())


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("checks", [values, derivatives, batches])
def test_primitives_on_the_gpu(checks, part):
    everything = listed(checks)
    assert len(everything) > 500
    begin, end = (len(everything) * i // PARTS for i in (part, part + 1))
    before = ft.metal.counters()["bytes copied"]
    failures = compare(everything[begin:end])
    assert not failures, "\n".join(failures)
    assert ft.metal.counters()["bytes copied"] == before


def test_every_primitive_is_here():
    """But for collectives and users' kernels, and callbacks, whose samples have results of float64."""
    expected = {p.name for p in primitives.values() if not isinstance(p, (Collective, UserKernel))}
    expected -= {"io_callback", "pure_callback"}
    assert {case.primitive.name for case in variants()} == expected


def test_what_runs_on_the_cpu():
    """Nothing falls back to it silently: the notes are those of all tests of this process."""
    operations = {note.split(" has no GPU kernel")[0].split(" of ")[0] for note in NOTES}
    assert operations - CPU_ONLY == set()
