"""Convolutions, channels last: the inputs (N, *spatial, C), the weights (O, *window, C / groups)."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

from .. import primitives as p
from .._native import Array, Dtype, bool_
from ..primitives.convolution import dilated_extent
from .operands import constant_like, promote, reshape_to
from .streams import streamed

__all__ = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_general",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "convolve",
]

Extents = int | Sequence[int]
Pairs = tuple[tuple[int, int], ...]


def window_parameter(
    function: str, name: str, value: Any, axes: int, least: int | None = 1
) -> tuple[int, ...]:
    """An integer for every spatial axis, from one for all of them or a sequence.

    Raises:
        TypeError: it is neither.
        ValueError: there are not `axes` of them, or one is less than `least`.
    """
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,) * axes
    try:
        values = tuple([operator.index(extent) for extent in values])
    except TypeError:
        raise TypeError(
            f"{function}: {name} must be an integer or a sequence of them, got {value!r}"
        ) from None
    if len(values) == 1:
        values *= axes
    if len(values) != axes:
        raise ValueError(
            f"{function}: {name} must be one integer or {axes}, one a spatial axis, got {value!r}"
        )
    if least is not None and any(extent < least for extent in values):
        raise ValueError(f"{function}: {name} must be at least {least}, got {value!r}")
    return values


def _operands(function: str, x: Any, weight: Any, groups: int, axes: int | None) -> tuple[Array, Array]:
    x, weight, dtype = promote(function, x, weight, names=("input", "weight"))
    if dtype is bool_:
        raise TypeError(f"{function}: input and weight must not both be bool; convert one with astype")
    if x.ndim < 3 or x.ndim != weight.ndim or axes not in (None, x.ndim - 2):
        expected = "3 dimensions or more, as many each" if axes is None else f"{axes + 2} dimensions"
        raise ValueError(
            f"{function}: input (N, *spatial, C) and weight (O, *window, C / groups) must have {expected}, "
            f"got shapes {x.shape} and {weight.shape}"
        )
    if operator.index(groups) < 1:
        raise ValueError(f"{function}: groups must be at least 1, got {groups}")
    if x.shape[-1] != weight.shape[-1] * groups:
        raise ValueError(
            f"{function}: the last axis of weight {weight.shape} times groups {groups} must be the "
            f"{x.shape[-1]} channels of input {x.shape}"
        )
    if weight.shape[0] % groups:
        raise ValueError(
            f"{function}: the {weight.shape[0]} outputs of weight {weight.shape} must be a multiple of "
            f"groups {groups}"
        )
    if 0 in weight.shape[1:-1]:
        raise ValueError(f"{function}: the window of weight {weight.shape} must not be empty")
    return x, weight


def _convolution(
    function: str,
    x: Array,
    weight: Array,
    stride: Any,
    padding: Pairs,
    kernel_dilation: tuple[int, ...],
    input_dilation: tuple[int, ...],
    groups: int,
    flip: bool,
) -> Array:
    """The primitive, of a window that fits: where it has no place, that is an error and no empty array."""
    stride = window_parameter(function, "stride", stride, x.ndim - 2)
    for extent, window, (low, high), spread, dilation in zip(
        x.shape[1:-1], weight.shape[1:-1], padding, input_dilation, kernel_dilation, strict=True
    ):
        if dilated_extent(extent, spread) + low + high < dilated_extent(window, dilation):
            raise ValueError(
                f"{function}: the window of weight {weight.shape}, dilated by {kernel_dilation}, does not "
                f"fit into input {x.shape} with padding {padding}"
            )
    if flip:
        weight = p.rev_p.bind(weight, axes=tuple(range(1, weight.ndim - 1)))
    return p.conv_p.bind(
        x, weight,
        window_strides=stride, padding=padding, lhs_dilation=input_dilation, rhs_dilation=kernel_dilation,
        feature_group_count=groups, batch_group_count=1,
    )  # fmt: skip


def _symmetric(padding: tuple[int, ...]) -> Pairs:
    return tuple((extent, extent) for extent in padding)


def _forward(
    function: str, x: Any, weight: Any, stride: Any, padding: Any, dilation: Any, groups: int, axes: int
) -> Array:
    x, weight = _operands(function, x, weight, groups, axes)
    return _convolution(
        function, x, weight, stride,
        _symmetric(window_parameter(function, "padding", padding, axes, least=0)),
        window_parameter(function, "dilation", dilation, axes), (1,) * axes, groups, False,
    )  # fmt: skip


@streamed
def conv1d(
    input: Any,
    weight: Any,
    /,
    stride: Extents = 1,
    padding: Extents = 0,
    dilation: Extents = 1,
    groups: int = 1,
    *,
    stream: Any = None,
) -> Array:
    """The 1-D convolution (as of neural networks: the weights are not flipped).

    Args:
        input: (N, L, C).
        weight: (O, K, C / groups), of the same dtype or promoted to it.
        stride: the step between positions of the window.
        padding: zeros on both sides of the spatial axis.
        dilation: the step between elements of the window.
        groups: how many groups channels and outputs are divided into, each with its own convolution.

    Returns:
        (N, (L + 2·padding - dilation·(K - 1) - 1) // stride + 1, O).

    Raises:
        TypeError: a parameter is not an integer, or the dtype is bool.
        ValueError: shapes, groups and parameters do not fit.

    >>> x = ft.reshape(ft.array([1.0, 2.0, 4.0, 8.0]), (1, 4, 1))
    >>> ft.conv1d(x, ft.ones((1, 2, 1))).flatten()
    array([3, 6, 12], dtype=float32)
    """
    return _forward("conv1d", input, weight, stride, padding, dilation, groups, 1)


@streamed
def conv2d(
    input: Any,
    weight: Any,
    /,
    stride: Extents = 1,
    padding: Extents = 0,
    dilation: Extents = 1,
    groups: int = 1,
    *,
    stream: Any = None,
) -> Array:
    """The 2-D convolution of (N, H, W, C) with weights (O, KH, KW, C / groups): see `conv1d`.

    Args:
        stride, padding, dilation: an integer for both spatial axes, or one for each.

    >>> ft.conv2d(ft.ones((1, 5, 5, 2)), ft.ones((4, 3, 3, 2)), stride=2, padding=1).shape
    (1, 3, 3, 4)
    """
    return _forward("conv2d", input, weight, stride, padding, dilation, groups, 2)


@streamed
def conv3d(
    input: Any,
    weight: Any,
    /,
    stride: Extents = 1,
    padding: Extents = 0,
    dilation: Extents = 1,
    groups: int = 1,
    *,
    stream: Any = None,
) -> Array:
    """The 3-D convolution of (N, D, H, W, C) with weights (O, KD, KH, KW, C / groups): see `conv1d`.

    >>> ft.conv3d(ft.ones((1, 4, 4, 4, 1)), ft.ones((2, 2, 2, 2, 1))).shape
    (1, 3, 3, 3, 2)
    """
    return _forward("conv3d", input, weight, stride, padding, dilation, groups, 3)


@streamed
def conv_general(
    input: Any,
    weight: Any,
    /,
    stride: Extents = 1,
    padding: Extents | tuple[Sequence[int], Sequence[int]] = 0,
    kernel_dilation: Extents = 1,
    input_dilation: Extents = 1,
    groups: int = 1,
    flip: bool = False,
    *,
    stream: Any = None,
) -> Array:
    """The convolution over any number of spatial axes, with all parameters.

    Args:
        input: (N, *spatial, C).
        weight: (O, *window, C / groups).
        stride: the step between positions of the window.
        padding: zeros around the spatial axes; a pair of sequences for (before, after). Negative ones crop.
        kernel_dilation: the step between elements of the window.
        input_dilation: the step between elements of the input, zeros being put between them.
        groups: how many groups channels and outputs are divided into.
        flip: reverse the window, as the convolution of mathematics does.

    Raises:
        TypeError: a parameter is not an integer, or the dtype is bool.
        ValueError: shapes, groups and parameters do not fit.

    >>> x = ft.reshape(ft.array([1.0, 2.0, 4.0]), (1, 3, 1))
    >>> ft.conv_general(x, ft.ones((1, 2, 1)), padding=([1], [0]), input_dilation=2).flatten()
    array([1, 1, 2, 2, 4], dtype=float32)
    """
    x, weight = _operands("conv_general", input, weight, groups, None)
    axes = x.ndim - 2
    if isinstance(padding, (tuple, list)) and any(isinstance(side, (tuple, list)) for side in padding):
        if len(padding) != 2:
            raise ValueError(f"conv_general: padding must be a pair (before, after), got {padding!r}")
        sides = [window_parameter("conv_general", "padding", side, axes, least=None) for side in padding]
        pairs = tuple(zip(*sides, strict=True))
    else:
        pairs = _symmetric(window_parameter("conv_general", "padding", padding, axes, least=None))
    return _convolution(
        "conv_general", x, weight, stride, pairs,
        window_parameter("conv_general", "kernel_dilation", kernel_dilation, axes),
        window_parameter("conv_general", "input_dilation", input_dilation, axes),
        groups, flip,
    )  # fmt: skip


def _transposed(
    function: str,
    x: Any,
    weight: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    output_padding: Any,
    groups: int,
    axes: int,
) -> Array:
    x, weight = _operands(function, x, weight, groups, axes)
    stride = window_parameter(function, "stride", stride, axes)
    dilation = window_parameter(function, "dilation", dilation, axes)
    pairs = []
    for window, spread, cropped, extra in zip(
        weight.shape[1:-1],
        dilation,
        window_parameter(function, "padding", padding, axes, least=0),
        window_parameter(function, "output_padding", output_padding, axes, least=0),
        strict=True,
    ):
        reach = dilated_extent(window, spread) - 1
        pairs.append((reach - cropped, reach - cropped + extra))
    return _convolution(function, x, weight, 1, tuple(pairs), dilation, stride, groups, True)


@streamed
def conv_transpose1d(
    input: Any,
    weight: Any,
    /,
    stride: Extents = 1,
    padding: Extents = 0,
    dilation: Extents = 1,
    output_padding: Extents = 0,
    groups: int = 1,
    *,
    stream: Any = None,
) -> Array:
    """The transpose of `conv1d` with these parameters: every input element adds its window to the result.

    Args:
        input: (N, L, C).
        weight: (O, K, C / groups).
        stride, padding, dilation: those of the convolution of which this is the transpose.
        output_padding: positions added at the end of the result, since several extents have the same number
            of positions.
        groups: how many groups channels and outputs are divided into.

    Returns:
        (N, (L - 1)·stride - 2·padding + dilation·(K - 1) + output_padding + 1, O).

    Raises:
        TypeError: a parameter is not an integer, or the dtype is bool.
        ValueError: shapes, groups and parameters do not fit.

    >>> x = ft.reshape(ft.array([1.0, 2.0]), (1, 2, 1))
    >>> ft.conv_transpose1d(x, ft.ones((1, 3, 1)), stride=2).flatten()
    array([1, 1, 3, 2, 2], dtype=float32)
    """
    return _transposed(
        "conv_transpose1d", input, weight, stride, padding, dilation, output_padding, groups, 1
    )


@streamed
def conv_transpose2d(
    input: Any,
    weight: Any,
    /,
    stride: Extents = 1,
    padding: Extents = 0,
    dilation: Extents = 1,
    output_padding: Extents = 0,
    groups: int = 1,
    *,
    stream: Any = None,
) -> Array:
    """The transpose of `conv2d`, of (N, H, W, C) with weights (O, KH, KW, C / groups).

    See `conv_transpose1d`.

    >>> ft.conv_transpose2d(ft.ones((1, 3, 3, 4)), ft.ones((2, 3, 3, 4)), stride=2, padding=1).shape
    (1, 5, 5, 2)
    """
    return _transposed(
        "conv_transpose2d", input, weight, stride, padding, dilation, output_padding, groups, 2
    )


@streamed
def conv_transpose3d(
    input: Any,
    weight: Any,
    /,
    stride: Extents = 1,
    padding: Extents = 0,
    dilation: Extents = 1,
    output_padding: Extents = 0,
    groups: int = 1,
    *,
    stream: Any = None,
) -> Array:
    """The transpose of `conv3d`, of (N, D, H, W, C) with weights (O, KD, KH, KW, C / groups).

    See `conv_transpose1d`.

    >>> ft.conv_transpose3d(ft.ones((1, 2, 2, 2, 1)), ft.ones((1, 2, 2, 2, 1))).shape
    (1, 3, 3, 3, 1)
    """
    return _transposed(
        "conv_transpose3d", input, weight, stride, padding, dilation, output_padding, groups, 3
    )


#: How many multiplications of a direct convolution cost as much as one of the n·log n of a Fourier transform.
_FOURIER_COST = 64


def _is_cheaper_by_fourier(dtype: Dtype, n: int, m: int) -> bool:
    """Of floats alone: integers must be exact, and half types have no transform."""
    total = n + m
    return dtype.kind in "fc" and dtype.itemsize >= 4 and n * m > _FOURIER_COST * total * math.log2(total)


def _convolve_by_fourier(a: Array, v: Array, begin: int, end: int) -> Array:
    """The places `begin` to `end` of the full convolution, by a product of Fourier transforms."""
    n = a.size + v.size - 1
    unit = 1 << max(0, n.bit_length() - 4)
    length = -(-n // unit) * unit  # a small number times a power of two
    forwards, backwards = ("c2c", "c2c") if a.dtype.kind == "c" else ("r2c", "c2r")

    def spectrum(x: Array) -> Array:
        padded = p.pad_p.bind(x, constant_like(x, 0), low=(0,), high=(length - x.size,), interior=(0,))
        return p.fft_p.bind(padded, kind=forwards, axes=(0,), forward=True, norm=0, length=length)

    product = p.mul_p.bind(spectrum(a), spectrum(v))
    out = p.fft_p.bind(product, kind=backwards, axes=(0,), forward=False, norm=2, length=length)
    return p.slice_p.bind(out, start=(begin,), limit=(end,), strides=(1,))


@streamed
def convolve(a: Any, v: Any, /, mode: str = "full", *, stream: Any = None) -> Array:
    """The convolution of two vectors: out[n] is the sum of a[m] · v[n - m] over m.

    Args:
        a, v: vectors of n and m elements, not empty.
        mode: 'full' gives all n + m - 1 places where they overlap, 'same' the max(n, m) in the middle of
            them, 'valid' the max(n, m) - min(n, m) + 1 where they overlap wholly.

    Long vectors of float32, float64 or complex numbers are convolved by Fourier transforms where that is
    cheaper, as by SciPy's `convolve`: the rounding errors are then relative to the largest results, and an
    infinity or a NaN reaches all of them. `conv1d` never does so.

    Raises:
        ValueError: an operand is not a vector or is empty, or the mode is unknown.
        TypeError: both are bool.

    >>> ft.convolve(ft.array([1, 2, 3]), ft.array([0, 1]))
    array([0, 1, 2, 3], dtype=int32)
    """
    a, v, dtype = promote("convolve", a, v, names=("a", "v"))
    if dtype is bool_:
        raise TypeError("convolve: a and v must not both be bool; convert one with astype")
    if a.ndim != 1 or v.ndim != 1 or a.size == 0 or v.size == 0:
        raise ValueError(f"convolve: a and v must be vectors, not empty, got shapes {a.shape} and {v.shape}")
    if a.size < v.size:
        a, v = v, a
    reach = v.size - 1
    paddings = {"full": (reach, reach), "same": (reach - reach // 2, reach // 2), "valid": (0, 0)}
    if mode not in paddings:
        raise ValueError(f"convolve: mode must be 'full', 'same' or 'valid', got {mode!r}")
    if _is_cheaper_by_fourier(dtype, a.size, v.size):
        low, high = paddings[mode]
        return _convolve_by_fourier(a, v, reach - low, a.size + high)
    out = _convolution(
        "convolve", reshape_to(a, (1, a.size, 1)), reshape_to(v, (1, v.size, 1)), 1, (paddings[mode],),
        (1,), (1,), 1, True,
    )  # fmt: skip
    return reshape_to(out, (out.size,))
