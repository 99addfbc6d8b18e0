"""Python functions inside of traced ones: pure_callback and io_callback."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ._native import user_function
from .core.avals import ShapedArray
from .core.host import CallbackPrimitive
from .core.pytree import flatten, leaf_names, unflatten
from .core.source import function_name
from .primitives.callback import VMAP_METHODS, io_callback_p, pure_callback_p
from .shapes import described_aval
from .transforms.arguments import argument_arrays, check_callable

if TYPE_CHECKING:
    from optree import PyTreeSpec

__all__ = ["io_callback", "pure_callback"]


class FlatCallback:
    """A user's function of trees of NumPy arrays, as one from flat arrays to flat results."""

    __slots__ = ("name", "function", "in_structure", "out_structure")

    def __init__(self, name: str, function: Callable, in_structure: PyTreeSpec, out_structure: PyTreeSpec):
        self.name = f"{name} of {function_name(function)}"
        self.function = function
        self.in_structure = in_structure
        self.out_structure = out_structure

    def __call__(self, *operands: np.ndarray) -> list[Any]:
        args, kwargs = unflatten(self.in_structure, operands)
        results, structure = flatten(self.function(*args, **kwargs))
        if structure != self.out_structure:
            raise TypeError(
                f"{self} returned a tree of the structure {structure}, expected {self.out_structure} "
                "as result_shape_dtypes says"
            )
        return results

    def __repr__(self) -> str:
        return self.name


def _call(
    name: str,
    primitive: CallbackPrimitive,
    callback: Callable,
    result_shape_dtypes: Any,
    args: tuple,
    kwargs: dict[str, Any],
    **parameters: Any,
) -> Any:
    check_callable(name, callback)
    leaves, in_structure = flatten((args, kwargs))
    operands = argument_arrays(name, callback, leaves, in_structure)
    expected, out_structure = flatten(result_shape_dtypes)
    names = leaf_names(result_shape_dtypes, "result_shape_dtypes")
    out_avals: tuple[ShapedArray, ...] = tuple(
        [described_aval(x, f"{name}: {leaf}") for x, leaf in zip(expected, names, strict=True)]
    )
    flat = FlatCallback(name, callback, in_structure, out_structure)
    return unflatten(
        out_structure, primitive.bind(*operands, callback=flat, out_avals=out_avals, **parameters)
    )


@user_function
def pure_callback(
    callback: Callable, result_shape_dtypes: Any, *args: Any, vmap_method: str | None = None, **kwargs: Any
) -> Any:
    """Call a Python function without side effects, wherever: inside of `jit` it is called by the program.

    It is called when its results are needed: not at all if they are not, and perhaps once for equal calls, or
    again. What it raises is raised by the evaluation that needs the results. It has no derivative: give it
    one with `custom_jvp` or `custom_vjp`.

    Args:
        callback: called with trees like the arguments whose leaves are read-only NumPy arrays. It may be
            called on another thread, and may itself use ftrans.
        result_shape_dtypes: a tree like what it returns, each leaf with a shape and a dtype: a
            `ShapeDtypeStruct`, or an array.
        *args, **kwargs: its arguments, arrays or pytrees of arrays.
        vmap_method: how it deals with a batch under `vmap`. "sequential": it is called for each lane in turn.
            "expand_dims": it is called once; all arguments and results have a leading batch axis, of extent 1
            in arguments that are not mapped. "broadcast_all": the same, with all arguments broadcast to the
            batch.

    Returns:
        A tree of arrays of the shapes and dtypes that `result_shape_dtypes` says.

    Raises:
        TypeError: `callback` is not a function, or a leaf of `result_shape_dtypes` has no shape and dtype;
            when it runs: a result is of another dtype or tree than announced; when it is differentiated.
        ValueError: `vmap_method` is none of these, or under `vmap` None; when it runs: a result is of another
            shape than announced.

    >>> import scipy.special
    >>> def bessel(x):
    ...     return ft.pure_callback(scipy.special.j0, ft.ShapeDtypeStruct(x.shape, x.dtype), x)
    >>> ft.jit(bessel)(ft.array([0.0, 1.0]))
    array([1, 0.765198], dtype=float32)
    """
    if vmap_method is not None and vmap_method not in VMAP_METHODS:
        raise ValueError(
            f"pure_callback: vmap_method must be one of {', '.join(VMAP_METHODS)}, got {vmap_method!r}"
        )
    return _call(
        "pure_callback", pure_callback_p, callback, result_shape_dtypes, args, kwargs, vmap_method=vmap_method
    )


@user_function
def io_callback(
    callback: Callable, result_shape_dtypes: Any, *args: Any, ordered: bool = False, **kwargs: Any
) -> Any:
    """Call a Python function for its side effects, wherever: inside of `jit` it is called by the program.

    It is called exactly once each time that the program comes by, even if nobody uses the results; under
    `vmap` once for each lane, in turn, unless nothing that it is given is mapped. Outside of traces it is
    called at once; a jitted function that calls one is run when it is called. The effects of one stream
    happen in the order of the program. It has no derivative; and where the reverse mode of a `while_loop`, or
    `checkpoint`, computes again what depends on its results, it is called again.

    Args:
        callback: called with trees like the arguments whose leaves are read-only NumPy arrays. It may be
            called on another thread, and may itself use ftrans.
        result_shape_dtypes: a tree like what it returns, each leaf with a shape and a dtype; None if it
            returns None.
        *args, **kwargs: its arguments, arrays or pytrees of arrays.
        ordered: whether its place in the order of a program counts on all streams.

    Returns:
        A tree of arrays of the shapes and dtypes that `result_shape_dtypes` says.

    Raises:
        TypeError, ValueError: as `pure_callback`; and what `callback` raises, by the call that runs it.

    >>> seen = []
    >>> @ft.jit
    ... def f(x):
    ...     ft.io_callback(lambda x: seen.append(float(x)), None, x)
    ...     return x + 1
    >>> f(2.0)
    array(3, dtype=float32)
    >>> seen
    [2.0]
    """
    return _call("io_callback", io_callback_p, callback, result_shape_dtypes, args, kwargs, ordered=ordered)
