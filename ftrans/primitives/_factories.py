"""Factories of elementwise primitives: shapes, dtypes, broadcasting of scalars, batching, derivatives.

A row gives one `derivative`, from which the JVP and the VJP follow, since the Jacobian of an elementwise
function is diagonal. Where it is a linear map of the tangent, not a factor, it is given as a `partial`:
(tangent, *operands, out) → its contribution. One that is not its own transpose has a `transposed` beside it.

Complex derivatives are JAX's: for holomorphic f both modes multiply by f'(x), without conjugation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._native import Array, Dtype, bool_, nan_safe_derivatives
from ..core.avals import ShapedArray, shaped_array
from ..core.primitive import Primitive, Sample, zero_derivative
from ._helpers import FLOATING_OR_COMPLEX, NUMERIC, check_kind, check_same_dtype, is_one, reference
from .layout import broadcast_in_dim_p, broadcast_scalar, move_axis, reduce_sum

Partial = Callable[..., "Array | None"]


def elementwise_shape(name: str, avals: Sequence[ShapedArray]) -> tuple[int, ...]:
    """The one shape of the operands that are not scalars."""
    shape = next((aval.shape for aval in avals if aval.shape), ())
    if any(aval.shape and aval.shape != shape for aval in avals):
        got = " and ".join(str(aval.shape) for aval in avals)
        raise ValueError(
            f"{name}: operands must have one shape or be scalars, got {got}; broadcast them first"
        )
    return shape


def elementwise_batch(primitive: Primitive, args, dims, size, **parameters):
    """Batch any elementwise primitive: bring all operands that aren't plain scalars to one batched shape."""
    if len(args) == 1:
        return primitive.bind(args[0], **parameters), dims[0]
    if dims.count(dims[0]) == len(dims) and len({x.ndim for x in args}) == 1:
        return primitive.bind(*args, **parameters), dims[0]
    ranks = [x.ndim - (d is not None) for x, d in zip(args, dims, strict=True)]
    if max(ranks) == 0:
        return primitive.bind(*args, **parameters), 0
    template = next((i for i, rank in enumerate(ranks) if rank and dims[i] is not None), None)
    if template is not None:
        out_dim, shape = dims[template], args[template].shape
    else:
        out_dim, shape = 0, (size, *next(x.shape for x, rank in zip(args, ranks, strict=True) if rank))
    others = tuple(axis for axis in range(len(shape)) if axis != out_dim)

    def aligned(x: Array, dim: int | None, rank: int) -> Array:
        if dim is not None:
            return (
                move_axis(x, dim, out_dim)
                if rank
                else broadcast_in_dim_p.bind(x, shape=shape, dims=(out_dim,))
            )
        return broadcast_in_dim_p.bind(x, shape=shape, dims=others) if rank else x

    operands = [aligned(x, d, rank) for x, d, rank in zip(args, dims, ranks, strict=True)]
    return primitive.bind(*operands, **parameters), out_dim


def _jvp_from(partials: Sequence[Partial | None]) -> Callable:
    def jvp(primals, tangents, out, **parameters):
        total = None
        for partial, tangent in zip(partials, tangents, strict=True):
            term = partial(tangent, *primals, out, **parameters) if tangent is not None and partial else None
            if term is not None:
                total = term if total is None else add_p.bind(total, term)
        return None if total is None else broadcast_scalar(total, out.shape)

    return jvp


def _vjp_from(partials: Sequence[Partial | None]) -> Callable:
    if len(partials) == 1 and partials[0] is not None:
        partial_of_one = partials[0]
        return lambda ct, primals, out, needed, **parameters: (
            partial_of_one(ct, primals[0], out, **parameters),
        )

    def vjp(ct, primals, out, needed, **parameters):
        cotangents = []
        for partial, primal, need in zip(partials, primals, needed, strict=True):
            term = partial(ct, *primals, out, **parameters) if need and partial else None
            if term is not None and term.shape != primal.shape:
                term = reduce_sum(term, tuple(range(term.ndim)))
            cotangents.append(term)
        return cotangents

    return vjp


def elementwise(
    name: str,
    impl: Callable,
    abstract_eval: Callable,
    partials: Sequence[Partial | None] | None,
    transposed: Sequence[Partial | None] | None = None,
    *,
    lower: Callable | None = None,
    samples: Sequence[Sample],
) -> Primitive:
    """An elementwise primitive with its own `abstract_eval`; `partials` is None where the derivative is 0."""
    primitive = Primitive(
        name,
        abstract_eval=abstract_eval,
        impl=reference(impl),
        jvp=zero_derivative if partials is None else _jvp_from(partials),
        vjp=zero_derivative if partials is None else _vjp_from(transposed or partials),
        batch=lambda args, dims, size, **p: elementwise_batch(primitive, args, dims, size, **p),
        lower=lower,
        samples=samples,
    )
    return primitive


def scale(tangent: Array, derivative: Array) -> Array:
    """Tangent (or cotangent) times local derivative; a zero annihilates inf and NaN unless told otherwise."""
    if is_one(tangent) and tangent.shape == derivative.shape:
        return derivative
    return (safe_mul_p if nan_safe_derivatives() else mul_p).bind(tangent, derivative)


def _scaled_by(derivative: Callable[..., Array]) -> Partial:
    return lambda tangent, *operands_and_out: scale(tangent, derivative(*operands_and_out))


def _samples(kinds: str, columns: Sequence[Any], differentiable: bool) -> list[Sample]:
    """Samples of every kind of dtype allowed, made of the same numbers, and one with scalars among them."""

    def column(values: Any, dtype: type) -> Callable[[], np.ndarray]:
        return lambda: np.multiply(values, 1 + 0.5j if dtype is np.complex128 else 1).astype(dtype)

    everywhere = tuple(range(len(columns))) if differentiable else ()
    dtypes = [np.float64] * ("f" in kinds) + [np.complex128] * ("c" in kinds)
    samples = [Sample(tuple([column(values, t) for values in columns]), {}, everywhere) for t in dtypes]
    exact = [t for kind, t in (("b", np.bool_), ("i", np.int32), ("u", np.uint8)) if kind in kinds]
    samples += [Sample(tuple([column(np.abs(v) if t is np.uint8 else v, t) for v in columns])) for t in exact]
    if len(columns) > 1:
        t = np.float64 if "f" in kinds else np.int32
        mixed = (column(columns[0], t), *[column(values[0], t) for values in columns[1:]])
        samples.append(Sample(mixed, {}, everywhere if t is np.float64 else ()))
    return samples


def _nary(
    name: str,
    impl: Callable,
    kinds: str,
    at: Sequence[Sequence[float]],
    partials: Sequence[Partial | None] | None,
    transposed: Sequence[Partial | None] | None,
    result: Callable[[Dtype], Dtype] | None,
) -> Primitive:
    def abstract_eval(*avals):
        if len(avals) != len(at):
            raise TypeError(f"{name}: expected {len(at)} operands, got {len(avals)}")
        check_same_dtype(name, *avals)
        check_kind(name, avals[0], kinds, "operand" if len(avals) == 1 else "operands")
        dtype = avals[0].dtype if result is None else result(avals[0].dtype)
        weak = dtype.kind != "b" and all(aval.weak_type for aval in avals)
        return shaped_array(elementwise_shape(name, avals), dtype, weak)

    samples = _samples(kinds, at, partials is not None)
    return elementwise(name, impl, abstract_eval, partials, transposed, samples=samples)


def unary(
    name: str,
    impl: Callable,
    kinds: str,
    at: Sequence[float],
    *,
    derivative: Callable[..., Array] | None = None,
    partial: Partial | None = None,
    transposed: Partial | None = None,
    result: Callable[[Dtype], Dtype] | None = None,
) -> Primitive:
    """A row for a function of one operand.

    Args:
        name: of the primitive and of the native operation.
        impl: the NumPy function; 16-bit floats reach it as float32.
        kinds: kinds of dtype accepted, such as `FLOATING`.
        at: the points of the samples.
        derivative: (x, out) → the factor f'(x).
        partial: instead, (tangent, x, out) → tangent of the result.
        transposed: (cotangent, x, out) → cotangent of x, where it is not `partial` itself.
        result: the result's dtype from the operand's; the same if not given.
    """
    if derivative is not None:
        partial = _scaled_by(derivative)
    return _nary(
        name, impl, kinds, [at], [partial] if partial else None, [transposed] if transposed else None, result
    )


def binary(
    name: str,
    impl: Callable,
    kinds: str,
    at: tuple[Sequence[float], Sequence[float]],
    *,
    derivatives: tuple[Callable[..., Array] | None, Callable[..., Array] | None] | None = None,
    partials: tuple[Partial | None, Partial | None] | None = None,
    transposed: tuple[Partial | None, Partial | None] | None = None,
    result: Callable[[Dtype], Dtype] | None = None,
) -> Primitive:
    """A row for a function of two operands; as `unary`, with a derivative (x, y, out) → factor for each."""
    rules = partials or (derivatives and [d and _scaled_by(d) for d in derivatives])
    return _nary(name, impl, kinds, at, rules, transposed, result)


def ternary(
    name: str,
    impl: Callable,
    kinds: str,
    at: tuple[Sequence[float], Sequence[float], Sequence[float]],
    partials: tuple[Partial, Partial, Partial],
) -> Primitive:
    """A row for a function of three operands; as `binary`."""
    return _nary(name, impl, kinds, at, partials, None, None)


def to_bool(dtype: Dtype) -> Dtype:
    """The result dtype of predicates."""
    return bool_


# ---------------------------------------------------------------- what the rules themselves are made of

add_p = binary(
    "add",
    np.add,
    NUMERIC,
    ((-1.5, 0.25, 2.0), (0.5, -3.0, 1.0)),
    partials=(lambda t, x, y, out: t, lambda t, x, y, out: t),
)

mul_p = binary(
    "mul",
    np.multiply,
    NUMERIC,
    ((-1.75, 0.4, 2.6), (0.5, -1.2, 1.3)),
    derivatives=(lambda x, y, out: y, lambda x, y, out: x),
)

# The product of a (co)tangent and a local derivative: a zero on either side annihilates what is infinite or
# NaN on the other. Both sides, since what is a tangent forwards is a local derivative backwards; bilinear, so
# that a masked branch stays masked in higher derivatives.
safe_mul_p = binary(
    "safe_mul",
    lambda t, d: np.where((t == 0) | (d == 0), np.zeros_like(t * d), t * d),
    FLOATING_OR_COMPLEX,
    ((-1.5, 0.25, 2.0), (0.5, -3.0, 1.0)),
    partials=(
        lambda tangent, t, d, out: safe_mul_p.bind(tangent, d),
        lambda tangent, t, d, out: safe_mul_p.bind(t, tangent),
    ),
)
