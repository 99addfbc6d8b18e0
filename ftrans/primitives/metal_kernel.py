"""Kernels that users write in Metal's language: `ftrans.fast.metal_kernel`."""

from __future__ import annotations

from typing import Any

from .. import _native
from ..core.primitive import Primitive, no_derivative


class UserKernel(Primitive):
    """A primitive that only the user knows the meaning of, so that it has no reference and no samples."""


class KernelText(str):
    """The text of a kernel, which is too long for a jaxpr that is printed."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{self.count(chr(10))} lines>"


def _abstract(*avals, out_avals, **_):
    return list(out_avals)


def _impl(*operands, name, **_):
    raise TypeError(f"{name}: a Metal kernel runs on a GPU alone, and has no NumPy reference")


def _batch(args, dims, size, *, name, **_):
    raise ValueError(
        f"{name}: what the Metal kernel does with a batch is not known; wrap its call in a function with "
        "custom_vmap, whose rule calls it with another grid"
    )


_OPAQUE = no_derivative(
    "what the Metal kernel computes is not known; wrap its call in a function with custom_vjp or custom_jvp"
)


def _lower(parameters: dict[str, Any], in_avals, out_avals) -> tuple[int, ...]:
    initial = parameters["initial_values"]
    return (
        _native.metal_kernel_number(parameters["entry_point"], parameters["text"]),
        int(parameters["row_contiguous"]),
        *parameters["grid"],
        *parameters["threadgroup"],
        int(bool(initial)),
        *initial,
    )


metal_kernel_p = UserKernel(
    "metal_kernel",
    abstract_eval=_abstract,
    impl=_impl,
    jvp=_OPAQUE,
    vjp=_OPAQUE,
    batch=_batch,
    lower=_lower,
    multiple_results=True,
)
