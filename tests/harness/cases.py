"""Cases, and the variations of their operands."""

import functools
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

import ftrans as ft
from ftrans import _native
from ftrans.core.avals import shaped_array
from ftrans.core.primitive import NoDerivative, Primitive, Sample, primitives, zero_derivative
from tests.harness.call_samples import call_samples

NUMPY_DTYPES = tuple(
    np.dtype(dtype)
    for dtype in (
        np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64,
        np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.complex64, np.complex128,
    )
)  # fmt: skip

EDGE_SHAPES = ((), (0,), (1,), (17,), (2, 0, 3), (1, 1), (2, 1, 3))

#: The `mode` of gather and scatter with indices that are promised to fit: in another shape they may not.
PROMISE_IN_BOUNDS = 2

Operands = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Case:
    """One sample of one primitive."""

    primitive: Primitive
    index: int

    def __str__(self) -> str:
        return f"{self.primitive.name}-{self.index}"

    @property
    def sample(self) -> Sample:
        return samples_of(self.primitive)[self.index]

    @property
    def parameters(self) -> dict[str, Any]:
        return self.sample.params

    @property
    def operands(self) -> Operands:
        with np.errstate(all="ignore"):
            return tuple(np.asarray(arg() if callable(arg) else arg) for arg in self.sample.args)

    @property
    def is_call(self) -> bool:
        """Whether the parameters hold a jaxpr, so that the operands' shapes and dtypes are given by it."""
        return self.primitive.linked_forward is not None

    @property
    def main(self) -> int:
        """The position of the operand whose dtype and shape the variations change."""
        return self.sample.differentiable[0] if self.sample.differentiable else 0

    @property
    def declares_no_derivative(self) -> bool:
        return isinstance(self.primitive.jvp, NoDerivative)

    @property
    def declares_zero_derivative(self) -> bool:
        return self.primitive.jvp is zero_derivative

    def random(self) -> np.random.Generator:
        """A generator that depends on the case alone."""
        return np.random.default_rng(zlib.crc32(str(self).encode()))

    def accepts(self, operands: Operands) -> bool:
        """Whether the primitive's shape rule takes such operands."""
        avals = [shaped_array(x.shape, native_dtype(x.dtype)) for x in operands]
        try:
            self.primitive.abstract_eval(*avals, **self.parameters)
        except (TypeError, ValueError, IndexError):
            return False
        return True

    def bind(self, *arrays: ft.Array) -> list[ft.Array]:
        """Apply the primitive; always a list of results."""
        results = self.primitive.bind(*arrays, **self.parameters)
        return list(results) if self.primitive.multiple_results else [results]

    def reference(self, *operands: np.ndarray) -> list[np.ndarray]:
        """Apply the NumPy implementation; always a list of results."""
        with np.errstate(all="ignore"):
            results = self.primitive.impl(*operands, **self.parameters)
        return [np.asarray(x) for x in (results if self.primitive.multiple_results else [results])]


def samples_of(primitive: Primitive) -> Sequence[Sample]:
    """What was registered, or made for a call-like primitive."""
    return primitive.samples if primitive.linked_forward is None else _call_samples(primitive)


# The harness asks for the samples of a primitive often, and each of a call costs a trace.
_call_samples = functools.cache(call_samples)


def all_cases() -> list[Case]:
    """Every sample of every registered primitive, in the order of the registry."""
    return [Case(p, index) for p in primitives.values() for index in range(len(samples_of(p)))]


def native_dtype(dtype: np.dtype) -> ft.Dtype:
    """The ftrans dtype of a NumPy dtype."""
    return getattr(_native, "bool_" if dtype == np.bool_ else dtype.name)


def to_array(operand: np.ndarray) -> ft.Array:
    """A concrete contiguous array of exactly this dtype."""
    return _native.from_numpy(np.array(operand, order="C"))


def is_inexact(dtype: np.dtype) -> bool:
    """Whether it is a real or complex floating-point dtype; NumPy alone does not know bfloat16 for one."""
    return native_dtype(dtype).kind in "fc"


def cast(operand: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The operand in another dtype, with values that mean something there: no overflow, no lost variety."""
    source, target = native_dtype(operand.dtype).kind, native_dtype(dtype).kind
    with np.errstate(all="ignore"):
        if source == target:
            return operand.astype(dtype)
        if source == "c":
            operand, source = operand.real, "f"
        if target == "c":
            return (operand + 0.5j * np.roll(operand.astype(np.float64), 1)).astype(dtype)
        if target == "b":
            return operand > 0
        if target in "iu" and source == "f":
            operand = np.rint(np.clip(np.nan_to_num(operand.astype(np.float64)) * 3, -100, 100))
        if target == "u":
            operand = np.abs(operand)
        return operand.astype(dtype)


def in_dtype(case: Case, dtype: np.dtype) -> Operands:
    """The sample with the operands of the main operand's dtype in another one."""
    operands = case.operands
    return tuple(cast(x, dtype) if x.dtype == operands[case.main].dtype else x for x in operands)


def in_double(case: Case) -> Operands:
    """The sample in double precision, as differentiation is checked in it."""
    if case.is_call:
        return case.operands
    doubles = {"f": np.dtype(np.float64), "c": np.dtype(np.complex128)}
    return tuple(x.astype(doubles.get(native_dtype(x.dtype).kind, x.dtype)) for x in case.operands)


def dtype_variants(case: Case) -> Iterator[tuple[str, Operands]]:
    """The sample in every dtype that the primitive accepts."""
    if case.is_call or not case.operands:
        yield "as given", case.operands
        return
    for dtype in NUMPY_DTYPES:
        operands = in_dtype(case, dtype)
        if case.accepts(operands):
            yield dtype.name, operands


def shape_variants(case: Case) -> Iterator[tuple[str, Operands]]:
    """The sample with its main operand, and others of its shape, in every edge shape that is accepted."""
    operands = case.operands
    if case.is_call or not operands or case.parameters.get("mode") == PROMISE_IN_BOUNDS:
        return
    shape = operands[case.main].shape
    for edge in EDGE_SHAPES:
        # np.resize repeats what there is; an empty sample offers nothing to repeat.
        resized = tuple(np.resize(x, edge) if x.shape == shape and x.size else x for x in operands)
        if case.accepts(resized):
            yield f"shape {edge}", resized


def scalar_variants(case: Case) -> Iterator[tuple[str, Operands]]:
    """The sample with one operand replaced by its first element, where the primitive broadcasts scalars."""
    operands = case.operands
    if case.is_call or len(operands) < 2:
        return
    for position, operand in enumerate(operands):
        if operand.ndim and operand.size:
            replaced = (*operands[:position], operand.reshape(-1)[0], *operands[position + 1 :])
            replaced = tuple(np.asarray(x) for x in replaced)
            if case.accepts(replaced):
                yield f"scalar operand {position}", replaced


def _transposed(operand: np.ndarray) -> ft.Array:
    order = tuple(reversed(range(operand.ndim)))
    return primitives["transpose"].bind(to_array(operand.T), permutation=order)


def _strided(operand: np.ndarray) -> ft.Array:
    """Every second element along every axis, from the second on, of an array that holds each twice."""
    padded = operand
    for axis in range(operand.ndim):
        padded = np.repeat(padded, 2, axis)
    ones, twos = (1,) * operand.ndim, (2,) * operand.ndim
    start = tuple(min(one, extent) for one, extent in zip(ones, padded.shape, strict=True))
    return primitives["slice"].bind(to_array(padded), start=start, limit=padded.shape, strides=twos)


def _reversed(operand: np.ndarray) -> ft.Array:
    return primitives["rev"].bind(to_array(np.flip(operand)), axes=tuple(range(operand.ndim)))


def _broadcast(operand: np.ndarray) -> ft.Array:
    """A stride of zero along the first axis: holds `operand` where that is constant along it."""
    dims = tuple(range(1, operand.ndim))
    return primitives["broadcast_in_dim"].bind(to_array(operand[0]), shape=operand.shape, dims=dims)


def layout_variants(case: Case) -> Iterator[tuple[str, Operands, list[ft.Array]]]:
    """The sample with its operands laid out without contiguity: (what, operands, arrays that hold them)."""
    operands = case.operands
    if any(x.ndim for x in operands):
        for layout in (_transposed, _strided, _reversed):
            yield layout.__name__, operands, [layout(x) if x.ndim else to_array(x) for x in operands]
    if any(x.ndim and x.size and is_inexact(x.dtype) for x in operands):
        constant = tuple(
            np.broadcast_to(x[:1], x.shape) if x.ndim and x.size and is_inexact(x.dtype) else x
            for x in operands
        )
        arrays = [
            _broadcast(x) if x.ndim and x.size and is_inexact(x.dtype) else to_array(x) for x in constant
        ]
        yield "_broadcast", constant, arrays
