"""The primitive `cond`: one of several branches, chosen by an integer; and the functions that bind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _native
from .._native import Array, int32, user_function
from ..core.avals import ShapedArray, shaped_array
from ..core.call import ControlFlowPrimitive, Evaluate
from ..core.interning import interned
from ..core.jaxpr import ClosedJaxpr, Jaxpr, Var
from ..core.pytree import as_array, flatten, leaf_names, unflatten
from ..core.source import function_name
from ..core.tracing import eval_jaxpr, trace_to_jaxpr
from ..lowering import sub_program
from ..primitives.conversion import convert
from ..primitives.elementwise import clamp_p, eq, ne_p
from ..primitives.layout import reshape
from ..transforms.arguments import argument_arrays, check_callable
from ..transforms.batching import Dim
from ..transforms.derivative import instantiate
from ..transforms.partition import partition
from ._bodies import common_avals, trace, typed_outputs
from ._checks import batch_with_checks_outside, checked_cond, has_user_checks
from ._derived import (
    Mask,
    batched_jaxpr,
    batched_operands,
    check_avals,
    chosen,
    hoist_constants,
    joint_jaxpr,
    perturbed,
    spread,
    zeros,
)
from ._lanes import branch_chunks, chosen_lanes, in_chunks, lanes_first, take_lanes
from ._one_by_one import must_run_one_by_one, run_one_by_one
from .scan_loop import scan_p

if TYPE_CHECKING:
    from optree import PyTreeSpec

Branches = tuple[ClosedJaxpr, ...]


def _abstract(*avals: ShapedArray, branches: Branches) -> list[ShapedArray]:
    check_avals("cond: the index", avals[:1], [shaped_array((), int32)])
    for branch in branches:
        check_avals("cond: the operands of a branch", avals[1:], branch.in_avals)
        check_avals("cond: the results of a branch", branch.out_avals, branches[0].out_avals)
    return branches[0].out_avals


def _run(evaluate: Evaluate, operands: Sequence[np.ndarray], *, branches: Branches) -> list[np.ndarray]:
    return evaluate(branches[int(np.clip(operands[0], 0, len(branches) - 1))], *operands[1:])


def _make_operation(operands: Sequence[Array], *, branches: Branches) -> tuple[Sequence[Array], Callable]:
    def make() -> Callable:
        programs = [sub_program(branch, ()) for branch in branches]
        return cond_p.native_operation((), branches[0].out_avals, programs)

    return operands, branches[0].derive(("cond", branches[1:]), make)


def _residual_branches(
    mode: str, branches: Branches, needed: tuple[bool, ...]
) -> tuple[Branches, Branches, list[bool]]:
    """The branches that also return the residuals of all of them, zeros for the others; their derivatives.

    A derivative takes the operands, all residuals, and the cotangents (or tangents). Also returned: which
    outputs have derivatives.
    """
    key = ("cond derivative", mode, branches[1:], needed)
    return branches[0].derive(key, lambda: _make_residual_branches(mode, branches, needed))


def _make_residual_branches(
    mode: str, branches: Branches, needed: tuple[bool, ...]
) -> tuple[Branches, Branches, list[bool]]:
    in_avals, out_avals = branches[0].in_avals, branches[0].out_avals
    out_mask = [any(column) for column in zip(*(perturbed(b, needed) for b in branches), strict=True)]
    if mode == "vjp":
        given, n_results = chosen(out_avals, out_mask), sum(needed)
    else:
        given, n_results = chosen(in_avals, needed), sum(out_mask)
    parts = [
        partition(
            joint_jaxpr(mode, branch, needed, out_mask),
            [False] * len(in_avals) + [True] * len(given),
            [False] * len(out_avals) + [True] * n_results,
        )
        for branch in branches
    ]
    residual_avals = [p.known.out_avals[len(out_avals) :] for p in parts]

    def forward(i: int) -> ClosedJaxpr:
        def branch(*operands: Array) -> list[Array]:
            results = eval_jaxpr(parts[i].known.jaxpr, parts[i].known.consts, *operands)
            outs, own = results[: len(out_avals)], results[len(out_avals) :]
            residuals = [own if i == j else zeros(avals) for j, avals in enumerate(residual_avals)]
            return [*outs, *(r for group in residuals for r in group)]

        return trace_to_jaxpr(branch, in_avals, mode)

    def derivative(i: int) -> ClosedJaxpr:
        unknown = parts[i].unknown
        before = len(in_avals) + sum(len(avals) for avals in residual_avals[:i])

        def branch(*args: Array) -> list[Array]:
            operands = [args[k] for k in parts[i].residual_inputs]
            own = args[before : before + len(residual_avals[i])]
            return eval_jaxpr(unknown.jaxpr, unknown.consts, *operands, *own, *args[len(args) - len(given) :])

        residuals = [a for avals in residual_avals for a in avals]
        return trace_to_jaxpr(branch, [*in_avals, *residuals, *(a.strong() for a in given)], mode)

    numbers = range(len(branches))
    return tuple(forward(i) for i in numbers), tuple(derivative(i) for i in numbers), out_mask


def _linked_forward(
    mode: str, primals: list[Array], needed: list[bool], *, branches: Branches
) -> tuple[list[Array], Callable]:
    n_out = len(branches[0].out_avals)
    mask = tuple(n and a.is_inexact for n, a in zip(needed[1:], branches[0].in_avals, strict=True))
    forward, derivative, out_mask = _residual_branches(mode, branches, mask)
    results = cond_p.bind(*primals, branches=forward)
    outs, residuals = results[:n_out], results[n_out:]

    def vjp_rule(cotangents: Any, primals: Any, outs: Any, needed: Any, **_: Any) -> list[Array | None]:
        given = instantiate(chosen(cotangents, out_mask), chosen(outs, out_mask))
        return [None, *spread(cond_p.bind(*primals, *residuals, *given, branches=derivative), mask)]

    def jvp_rule(primals: Any, tangents: Any, outs: Any, **_: Any) -> list[Array | None]:
        given = instantiate(chosen(tangents[1:], mask), chosen(primals[1:], mask))
        return spread(cond_p.bind(*primals, *residuals, *given, branches=derivative), out_mask)

    return outs, vjp_rule if mode == "vjp" else jvp_rule


def _batch(
    args: list[Array], dims: list[Dim], size: int, *, branches: Branches
) -> tuple[list[Array], list[Dim]]:
    if dims[0] is not None and has_user_checks(cond_p, {"branches": branches}):
        return batch_with_checks_outside(cond_p, args, dims, size, {"branches": branches})
    if dims[0] is not None and must_run_one_by_one({"branches": branches}):
        return run_one_by_one(cond_p, args, dims, size, {"branches": branches})
    mask = [d is not None for d in dims[1:]]
    operands = batched_operands(args[1:], dims[1:], size, mask)
    none = [False] * len(branches[0].out_avals)
    per_branch = [batched_jaxpr(b, mask, size, none)[1] for b in branches]
    out_mask = [dims[0] is not None or any(column) for column in zip(*per_branch, strict=True)]
    batched = tuple(batched_jaxpr(b, mask, size, out_mask)[0] for b in branches)
    out_dims: list[Dim] = [0 if b else None for b in out_mask]
    if dims[0] is None:
        return cond_p.bind(args[0], *operands, branches=batched), out_dims
    last = _native.scalar(len(branches) - 1, _native.int32, False)
    index = clamp_p.bind(_native.scalar(0, _native.int32, False), args[0], last)
    return _each_its_own(index, operands, mask, branches, batched), out_dims


def _each_its_own(
    index: Array, operands: list[Array], mask: Mask, branches: Branches, batched: Branches
) -> list[Array]:
    """The results of a batch within which different branches are taken, as `index` tells.

    A branch that is dear runs for the lanes that take it, the others for all lanes.
    """
    outs: list[Array] = []
    for number, branch in reversed(list(enumerate(branches))):
        is_chosen = eq(index, _native.scalar(number, _native.int32, False))
        chunks = branch_chunks(branch, mask, index.size)
        if chunks > 1:
            results = _on_own_lanes(branch, mask, is_chosen, operands, chunks)
        else:
            results = eval_jaxpr(batched[number].jaxpr, batched[number].consts, *operands)
        # What the last branch gives stands for all lanes until the others have had theirs.
        outs = chosen_lanes(is_chosen, results, outs) if outs else results
    return outs


def _on_own_lanes(
    branch: ClosedJaxpr, batched: Mask, mask: Array, operands: list[Array], chunks: int
) -> list[Array]:
    """The results of a branch for the lanes for which a mask holds, and anything for the others."""
    lanes = lanes_first(mask)
    split = in_chunks(lanes, chunks)
    shared = [x for x, b in zip(operands, batched, strict=True) if not b]
    own = [split.split(x) for x in chosen(operands, batched)]
    ys = scan_p.bind(
        *shared,
        split.live,
        *own,
        jaxpr=_chunk_body(branch, batched, split.lanes.size // chunks),
        num_consts=len(shared),
        num_carry=0,
        length=chunks,
        reverse=False,
    )
    return [take_lanes(reshape(y, (split.lanes.size, *y.shape[2:])), lanes.place) for y in ys]


def _chunk_body(branch: ClosedJaxpr, batched: Mask, size: int) -> ClosedJaxpr:
    """(operands that lanes share, whether there are any lanes, their own operands) → results, or zeros."""

    def make() -> ClosedJaxpr:
        whole, _ = batched_jaxpr(branch, batched, size, [True] * len(branch.out_avals))
        nothing = trace_to_jaxpr(lambda *_: zeros(whole.out_avals), whole.in_avals, "vmap")
        is_shared = [not b for b in batched]
        n_shared = sum(is_shared)

        def body(*args: Array) -> list[Array]:
            shared, live, own = iter(args[:n_shared]), args[n_shared], iter(args[n_shared + 1 :])
            operands = [next(shared) if s else next(own) for s in is_shared]
            return cond_p.bind(convert(live, _native.int32), *operands, branches=(nothing, whole))

        avals = whole.in_avals
        live = shaped_array((), _native.bool_)
        return trace_to_jaxpr(body, [*chosen(avals, is_shared), live, *chosen(avals, batched)], "vmap")

    return branch.derive(("chunk", tuple(batched), size), make)


cond_p = ControlFlowPrimitive(
    "cond",
    abstract_eval=_abstract,
    run=_run,
    checked=checked_cond,
    make_operation=_make_operation,
    linked_forward=_linked_forward,
    batch=_batch,
)


@user_function
def cond(pred: Any, true_fun: Callable, false_fun: Callable, *operands: Any) -> Any:
    """One of two functions of the same operands: ``true_fun(*operands) if pred else false_fun(*operands)``.

    Both are traced; only the one that is chosen runs. Under `vmap` with a predicate that differs within the
    batch both run, a dear one for those items alone that take it, and each item has its own result and
    derivative. With effects (`debug.print`, `io_callback`) the items run one after another, and only what an
    item chooses.

    Args:
        pred: a scalar: a boolean, or a number, which is true if it is not zero.
        true_fun, false_fun: functions of the operands with results of one structure, shapes and dtypes.
        *operands: pytrees of arrays. What the functions close over counts as well.

    Returns:
        The result of the function that was chosen.

    Raises:
        TypeError: `pred` is not a scalar, or the results differ, naming the leaf.

    >>> ft.cond(True, ft.sin, ft.cos, 0.0)
    array(0, dtype=float32)
    """
    predicate = as_array(pred, lambda: "cond: pred")
    if predicate.shape != ():
        raise TypeError(
            f"cond: pred must be a scalar, got {predicate.aval}; "
            "use ft.where for a choice for each element, or ft.vmap for one for each item of a batch"
        )
    if predicate.dtype.kind != "b":
        predicate = ne_p.bind(predicate, _native.scalar(0, predicate.dtype, False))
    index = convert(predicate, _native.int32)
    return _choose("cond", ("false_fun", "true_fun"), index, (false_fun, true_fun), operands)


@user_function
def switch(index: Any, branches: Sequence[Callable], *operands: Any) -> Any:
    """One of several functions of the same operands: ``branches[index](*operands)``.

    All are traced; only the one that is chosen runs, but under `vmap` with an index that differs within the
    batch (see `cond`).

    Args:
        index: an integer scalar; it is clamped to the range of the branches.
        branches: functions of the operands with results of one structure, shapes and dtypes.
        *operands: pytrees of arrays. What the functions close over counts as well.

    Returns:
        The result of the function that was chosen.

    Raises:
        TypeError: `index` is not an integer scalar, or the results differ, naming the leaf.
        ValueError: there are no branches.

    >>> ft.switch(2, [ft.sin, ft.cos, ft.exp], 0.0)
    array(1, dtype=float32)
    """
    array = as_array(index, lambda: "switch: index")
    if array.shape != () or array.dtype.kind not in "iu":
        raise TypeError(f"switch: index must be an integer scalar, got {array.aval}")
    if not isinstance(branches, Sequence):
        raise TypeError(f"switch: branches must be a sequence of functions, got {branches!r}")
    branches = tuple(branches)
    if not branches:
        raise ValueError("switch: branches must have at least one function")
    if array.dtype is not _native.int32:  # clamped first: a wider integer would wrap around
        largest = 2 ** (8 * array.dtype.itemsize - (array.dtype.kind == "i")) - 1
        lo, hi = (_native.scalar(i, array.dtype, False) for i in (0, min(len(branches) - 1, largest)))
        array = convert(clamp_p.bind(lo, array, hi), _native.int32)
    names = [f"branches[{i}]" for i in range(len(branches))]
    return _choose("switch", names, array, branches, operands)


def _choose(
    name: str, branch_names: Sequence[str], index: Array, functions: Sequence[Callable], operands: tuple
) -> Any:
    """Bind `cond` for functions that are called `branch_names` in errors."""
    for function in functions:
        check_callable(name, function)
    leaves, structure = flatten((operands, {}))
    arrays = argument_arrays(name, functions[0], leaves, structure)
    traced = [trace(name, function, operands, [x.aval for x in arrays]) for function in functions]
    labels = [f"{b}, {function_name(f)}," for b, f in zip(branch_names, functions, strict=True)]
    out_structure = _common_structure(name, labels, [structure for _, structure in traced])
    leaf = leaf_names(unflatten(out_structure, range(out_structure.num_leaves)), "output")
    avals = common_avals(name, labels, leaf, [closed.out_avals for closed, _ in traced])
    hoisted = [hoist_constants(typed_outputs(closed, avals)) for closed, _ in traced]
    constants = [consts for _, consts in hoisted]
    branches = tuple(
        _with_all_constants(closed, constants, number) for number, (closed, _) in enumerate(hoisted)
    )
    outs = cond_p.bind(index, *(x for group in constants for x in group), *arrays, branches=branches)
    return unflatten(out_structure, outs)


def _common_structure(name: str, labels: Sequence[str], structures: Sequence[PyTreeSpec]) -> PyTreeSpec:
    for label, structure in zip(labels, structures, strict=True):
        if structure != structures[0]:
            raise TypeError(
                f"{name}: the branches must return results of one structure, but {labels[0]} returns "
                f"{structures[0]} and {label} returns {structure}"
            )
    return structures[0]


def _with_all_constants(closed: ClosedJaxpr, constants: Sequence[Sequence[Array]], own: int) -> ClosedJaxpr:
    """A branch that takes the constants of all branches, of which its own are its first inputs."""
    jaxpr = closed.jaxpr
    n_own = len(constants[own])
    invars: list[Var] = []
    for number, group in enumerate(constants):
        invars += jaxpr.invars[:n_own] if number == own else [Var(x.aval) for x in group]
    return interned(
        ClosedJaxpr(Jaxpr([], [*invars, *jaxpr.invars[n_own:]], jaxpr.equations, jaxpr.outvars), [])
    )
