"""vmap: a function applied to every item of a batch at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import wraps
from typing import Any

from .._native import Array, int32, user_function
from ..core.avals import shaped_array
from ..core.named_axes import bound_axis
from ..core.pytree import broadcast_prefix, flatten_call, unflatten
from ..core.source import ArgumentSource, function_name, outline
from ..primitives.layout import broadcast_in_dim_p, move_axis
from ..primitives.shape import iota_p
from .arguments import FlatFunction, argument_arrays, argument_sources, check_callable
from .batch_paths import Batch
from .batching import Dim, removed_axis


@user_function
def vmap(
    fun: Callable,
    in_axes: Any = 0,
    out_axes: Any = 0,
    axis_name: Hashable | None = None,
    axis_size: int | None = None,
) -> Callable:
    """A function that applies `fun` to every item of a batch at once.

    `fun` may branch on values (``if``, ``while``, ``int(x)``, ``x.item()``) as long as those of the arguments
    are known, also under `grad` and the other derivatives: it then runs once for each path that items take
    through it, on these items, and so do its side effects. All paths must return the same tree, shapes and
    dtypes; a Python number takes the dtype of the other paths' arrays. `max_vmap_paths` says how many paths
    there may be. Under `jit`, where no values are known, use `where` and `cond`.

    Args:
        fun: a function of arrays or pytrees of arrays.
        in_axes: the axis to map over: an int (negative counts from the end), None for an argument that is the
            same for the whole batch, or a tuple with one for each positional argument, each a tree prefix of
            it. Keyword arguments are mapped over axis 0.
        out_axes: where the batch axis goes in the outputs: an int, or a tree prefix of them; None for an
            output that does not depend on the batch.
        axis_name: a name for the batch axis, by which `psum` and the other collectives refer to it inside of
            `fun`. Rules of custom derivatives can only use it where the derivative is taken inside of `fun`.
        axis_size: the size of the batch, needed if no argument is mapped.

    Returns:
        A function of arguments with the batch axes, returning outputs with theirs.

    Raises:
        TypeError: `in_axes` is of a wrong type, or an argument is not an array; from the function returned,
            paths return different trees, shapes or dtypes.
        ValueError: from the function returned: sizes do not agree, an axis is out of range, `in_axes` or
            `out_axes` does not match the tree, or an output with ``out_axes=None`` depends on the batch.
        ConcretizationError: from the function returned: `fun` branches on a value that is not known, as under
            `jit` and of an empty batch, or on one that differs along an axis with a name.
        RuntimeError: from the function returned: there are more paths than `max_vmap_paths` allows.

    >>> ft.vmap(lambda x, y: x * y, in_axes=(0, None))(ft.array([1.0, 2.0]), 3.0)
    array([3, 6], dtype=float32)
    >>> ft.vmap(lambda x: ft.sqrt(x) if x > 0 else -x)(ft.array([4.0, -1.0]))
    array([2, 1], dtype=float32)
    """
    check_callable("vmap", fun)
    if isinstance(in_axes, list):
        in_axes = tuple(in_axes)
    if not (in_axes is None or isinstance(in_axes, (int, tuple))):
        raise TypeError(
            f"vmap: in_axes must be an int, None, or a tuple with one for each argument; got {in_axes!r}"
        )

    outlined, name = outline(fun), function_name(fun)

    @user_function
    @wraps(fun)
    def batched_fun(*args: Any, **kwargs: Any) -> Any:
        if isinstance(in_axes, tuple) and len(in_axes) != len(args):
            raise ValueError(
                f"vmap: in_axes must have one entry for each positional argument of {function_name(fun)}: "
                f"it has {len(in_axes)}, {in_axes!r}, but {len(args)} arguments were given"
            )
        leaves, structure = flatten_call(args, kwargs)
        arrays = argument_arrays("vmap", fun, leaves, structure)
        sources = argument_sources(outlined, structure)
        args_structure, kwargs_structure = structure.children()
        axes = [
            *broadcast_prefix(in_axes, args_structure, f"vmap: in_axes of {name}"),
            *([0] * kwargs_structure.num_leaves),
        ]
        dims = [_checked_axis(a, x, s) for a, x, s in zip(axes, arrays, sources, strict=True)]
        size = _batch_size(arrays, dims, sources, axis_size, fun)
        avals = [x.aval if d is None else removed_axis(x.aval, d) for x, d in zip(arrays, dims, strict=True)]

        flat = FlatFunction("vmap", fun, structure.unflatten)
        function: Callable[..., list[Array]] = flat
        inputs: list[ArgumentSource | None] = [*sources]
        if axis_name is not None:

            def function(index: Array, *leaves: Array) -> list[Array]:
                with bound_axis(axis_name, size, index):
                    return flat(*leaves)

            arrays = [iota_p.bind(shape=(size,), dtype=int32, dimension=0), *arrays]
            avals = [shaped_array((), int32), *avals]
            dims = [0, *dims]
            inputs = [None, *sources]
        batch = Batch(flat, function, avals, inputs, arrays, dims, size, axis_name)
        outs, out_dims = batch.apply()
        targets = broadcast_prefix(out_axes, flat.structure, f"vmap: out_axes of {name}")
        placed = [
            _place(x, d, target, size, fun)._snapshot()
            for x, d, target in zip(outs, out_dims, targets, strict=True)
        ]
        return unflatten(flat.structure, placed)

    return batched_fun


def _checked_axis(axis: Any, x: Array, source: ArgumentSource) -> Dim:
    if axis is None:
        return None
    if not isinstance(axis, int) or isinstance(axis, bool):
        raise TypeError(f"vmap: in_axes must hold ints and None, got {axis!r} for {source}")
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"vmap: in_axes {axis} is out of range for {source}, which has shape {x.shape}")
    return axis % x.ndim


def _batch_size(
    arrays: Sequence[Array],
    dims: Sequence[Dim],
    sources: Sequence[ArgumentSource],
    axis_size: int | None,
    fun: Callable,
) -> int:
    sizes = {x.shape[d] for x, d in zip(arrays, dims, strict=True) if d is not None}
    if axis_size is not None:
        sizes.add(axis_size)
    if len(sizes) == 1:
        return sizes.pop()
    if not sizes:
        raise ValueError(
            f"vmap of {function_name(fun)}: no argument is mapped (in_axes are all None), "
            "so axis_size must be given"
        )
    found = [
        f"  {s.name}: {x.shape[d]} (axis {d} of shape {x.shape})"
        for x, d, s in zip(arrays, dims, sources, strict=True)
        if d is not None
    ]
    if axis_size is not None:
        found.append(f"  axis_size: {axis_size}")
    raise ValueError(
        f"vmap of {function_name(fun)}: the mapped axes must have one size, got\n" + "\n".join(found)
    )


def _place(x: Array, dim: Dim, target: Any, size: int, fun: Callable) -> Array:
    if target is None:
        if dim is not None:
            raise ValueError(
                f"vmap: out_axes is None for an output of {function_name(fun)} "
                "that depends on the batch; give its axis"
            )
        return x
    ndim = x.ndim if dim is not None else x.ndim + 1
    if not isinstance(target, int) or isinstance(target, bool):
        raise TypeError(f"vmap: out_axes must hold ints and None, got {target!r}")
    if not -ndim <= target < ndim:
        raise ValueError(
            f"vmap: out_axes {target} is out of range for an output of {function_name(fun)} "
            f"that has {ndim} axes with the batch's"
        )
    target %= ndim
    if dim is not None:
        return move_axis(x, dim, target)
    shape = (*x.shape[:target], size, *x.shape[target:])
    return broadcast_in_dim_p.bind(x, shape=shape, dims=tuple(i for i in range(ndim) if i != target))
