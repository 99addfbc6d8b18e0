"""scan, while_loop, fori_loop and map: loops that run natively."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .. import _native
from .._native import Array, user_function
from ..core.avals import shaped_array
from ..core.jaxpr import ClosedJaxpr, has_effects
from ..core.pytree import as_array, flatten, leaf_names, tree_map, unflatten
from ..core.source import function_name
from ..core.tracing import eval_jaxpr, trace_to_jaxpr
from ..primitives.elementwise import add, lt_p
from ..primitives.layout import reshape
from ..primitives.shape import slice_axis
from ..transforms.arguments import argument_arrays, check_callable
from ..transforms.batching import removed_axis
from ..transforms.checkpoint import checkpoint_p
from ..transforms.vmap import vmap
from ._bodies import as_aval, loop_body, trace
from ._derived import hoist_constants
from ._unrolling import concatenated, unrolled_scan
from .while_loop import while_p

if TYPE_CHECKING:
    from optree import PyTreeSpec


@user_function
def scan(
    f: Callable,
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[Any, Any]:
    """A loop over the first axis of arrays that carries a value along, and stacks what each step returns.

    It means ``carry = init; for x in xs: carry, y = f(carry, x)``, with the `y` stacked. `f` is traced once;
    the loop runs natively. Reverse-mode differentiation stores the intermediate values of each step that the
    derivative of `f` needs.

    Args:
        f: ``(carry, x) -> (carry, y)``; the new carry has the structure, shapes and dtypes of the old one.
        init: the first carry: a pytree of arrays.
        xs: a pytree of arrays with a common first axis; None for a loop that only counts.
        length: the number of steps, needed if `xs` has no arrays.
        reverse: whether to go from the last slice to the first. The results stay in the order of `xs`.
        unroll: how many steps the body of the native loop does; True for all of them, without a loop.

    Returns:
        ``(carry, ys)``: the last carry, and the results of the steps stacked along a new first axis.

    Raises:
        TypeError: `f` does not return a pair, or its carry differs from `init`, naming the leaf.
        ValueError: the arrays in `xs` (or `length`) disagree about the number of steps, or none tells it.

    >>> ft.scan(lambda total, x: (total + x, total), 0.0, ft.array([1.0, 2.0, 3.0]))
    (array(6, dtype=float32), array([0, 1, 3], dtype=float32))
    """
    check_callable("scan", f)
    return _scan("scan", f, init, xs, length, reverse, unroll)


def _scan(
    name: str, f: Callable, init: Any, xs: Any, length: int | None, reverse: bool, unroll: int | bool
) -> tuple[Any, Any]:
    leaves, structure = flatten(((init, xs), {}))
    arrays = argument_arrays(name, f, leaves, structure)
    n_carry = flatten(init)[1].num_leaves
    carry, slices = arrays[:n_carry], arrays[n_carry:]
    steps = _length(name, f, xs, slices, length)
    block = _unroll(name, unroll, steps)
    x_avals = [removed_axis(x.aval, 0) for x in slices]
    closed, (carry_structure, y_structure), avals = loop_body(
        name, f, (init, xs), init, [x.aval for x in carry], x_avals, lambda out: _pair(name, f, out)
    )
    body, consts = hoist_constants(closed)
    carry = [as_aval(x, a) for x, a in zip(carry, avals, strict=True)]
    outs = unrolled_scan(body, consts, carry, slices, steps, reverse, block)
    return unflatten(carry_structure, outs[:n_carry]), unflatten(y_structure, outs[n_carry:])


def _pair(name: str, f: Callable, structure: PyTreeSpec) -> tuple[PyTreeSpec, PyTreeSpec]:
    if structure.type not in (tuple, list) or structure.num_children != 2:
        raise TypeError(
            f"{name}: {function_name(f)} must return a pair (carry, y), got a tree {structure}; "
            "return (carry, None) if there is nothing to stack"
        )
    first, second = structure.children()
    return first, second


def _length(name: str, f: Callable, xs: Any, slices: Sequence[Array], length: int | None) -> int:
    names = leaf_names(xs, "xs")
    for x, leaf in zip(slices, names, strict=True):
        if x.ndim == 0:
            raise ValueError(
                f"{name}: {leaf} is a scalar; it needs a first axis, along which {function_name(f)} goes"
            )
    if length is not None and (not isinstance(length, int) or length < 0):
        raise ValueError(f"{name}: length must be a non-negative int, got {length!r}")
    sizes = {x.shape[0] for x in slices} | (set() if length is None else {length})
    if len(sizes) == 1:
        return sizes.pop()
    if not sizes:
        raise ValueError(f"{name}: xs has no arrays, so that length must be given")
    found = [f"  {leaf}: {x.shape[0]} (shape {x.shape})" for x, leaf in zip(slices, names, strict=True)]
    if length is not None:
        found.append(f"  length: {length}")
    raise ValueError(f"{name}: the first axes must have one size, got\n" + "\n".join(found))


def _unroll(name: str, unroll: int | bool, steps: int) -> int:
    if isinstance(unroll, bool):
        return max(steps, 1) if unroll else 1
    if not isinstance(unroll, int) or unroll < 1:
        raise ValueError(f"{name}: unroll must be a bool or a positive int, got {unroll!r}")
    return unroll


@user_function
def while_loop(cond_fun: Callable, body_fun: Callable, init_val: Any) -> Any:
    """A loop that goes on while a condition holds: ``while cond_fun(val): val = body_fun(val)``.

    Both functions are traced once; the loop runs natively. Reverse-mode differentiation works too: the
    pull-back runs the loop again, and stores what the derivative of each step needs, however many there are.
    If `body_fun`, or a function around the loop, is a `checkpoint`, it stores that of log₂ n steps at a time,
    with log₂ n values of the loop between which it runs again, each part about (log₂ n) / 2 times at most.
    Under `vmap` each item goes on until it is done; where a step is dear, without those that are. With
    effects (`debug.print`, `io_callback`) the items run one after another.

    Args:
        cond_fun: value → a boolean scalar.
        body_fun: value → the next value, of the same structure, shapes and dtypes.
        init_val: the first value: a pytree of arrays.

    Returns:
        The first value for which the condition does not hold.

    Raises:
        TypeError: `cond_fun` does not return a boolean scalar, or the result of `body_fun` is not like
            `init_val`, naming the leaf.

    >>> ft.while_loop(lambda x: x < 100.0, lambda x: 2.0 * x, 3.0)
    array(192, dtype=float32)
    """
    return _while_loop("while_loop", cond_fun, body_fun, init_val)


def _while_loop(name: str, cond_fun: Callable, body_fun: Callable, init_val: Any) -> Any:
    check_callable(name, cond_fun)
    check_callable(name, body_fun)
    leaves, structure = flatten(init_val)
    carry = argument_arrays(name, body_fun, leaves, flatten(((init_val,), {}))[1])
    closed, _, avals = loop_body(
        name, body_fun, (init_val,), init_val, [x.aval for x in carry], [], lambda out: (out, None)
    )
    body, body_consts = hoist_constants(closed)
    predicate, out_structure = trace(name, cond_fun, (init_val,), avals)
    outs = predicate.out_avals
    if not out_structure.is_leaf() or outs[0].shape != () or outs[0].dtype.kind != "b":
        found = str(outs[0]) if out_structure.is_leaf() else f"the tree {out_structure}"
        raise TypeError(f"{name}: {function_name(cond_fun)} must return a boolean scalar, got {found}")
    carry = [as_aval(x, a) for x, a in zip(carry, avals, strict=True)]
    if has_effects(predicate):
        return unflatten(structure, _with_carried_condition(predicate, closed, carry))
    cond, cond_consts = hoist_constants(predicate)
    results = while_p.bind(
        *cond_consts,
        *body_consts,
        *carry,
        cond_jaxpr=cond,
        body_jaxpr=body,
        num_cond_consts=len(cond_consts),
        num_body_consts=len(body_consts),
        checkpointed=any(e.primitive is checkpoint_p for e in body.jaxpr.equations),
    )
    return unflatten(structure, results)


def _with_carried_condition(predicate: ClosedJaxpr, closed: ClosedJaxpr, carry: list[Array]) -> list[Array]:
    """A loop whose condition has effects: it is evaluated before the loop, and then by the body."""

    def step(_: Array, *carry: Array) -> list[Array]:
        outs = eval_jaxpr(closed.jaxpr, closed.consts, *carry)
        return [*eval_jaxpr(predicate.jaxpr, predicate.consts, *outs), *outs]

    first = eval_jaxpr(predicate.jaxpr, predicate.consts, *carry)
    avals = [x.aval for x in (*first, *carry)]
    body, consts = hoist_constants(trace_to_jaxpr(step, avals, "while_loop"))
    _, *results = while_p.bind(
        *consts,
        *first,
        *carry,
        cond_jaxpr=trace_to_jaxpr(lambda goes_on, *_: [goes_on], avals, "while_loop"),
        body_jaxpr=body,
        num_cond_consts=0,
        num_body_consts=len(consts),
        checkpointed=any(e.primitive is checkpoint_p for e in closed.jaxpr.equations),
    )
    return results


@user_function
def fori_loop(lower: Any, upper: Any, body_fun: Callable, init_val: Any, unroll: int | bool = 1) -> Any:
    """A loop over integers: ``for i in range(lower, upper): val = body_fun(i, val)``.

    With ints of Python or NumPy as bounds it is a `scan`, with arrays a `while_loop`.

    Args:
        lower, upper: Python ints, or integer scalars of one dtype. The index is of that dtype, int32 for
            Python ints.
        body_fun: ``(i, value)`` → the next value, of the same structure, shapes and dtypes.
        init_val: the first value: a pytree of arrays.
        unroll: how many steps are one iteration of the `scan`; True for all.

    Returns:
        The last value.

    Raises:
        TypeError: a bound is not an integer scalar, they differ in dtype, or the result of `body_fun` is not
            like `init_val`, naming the leaf.
        OverflowError: a Python int as bound does not fit in the dtype.
        ValueError: `unroll` is not positive, or is given with arrays as bounds.

    >>> ft.fori_loop(0, 10, lambda i, total: total + i, 0)
    array(45, dtype=int32)
    """
    check_callable("fori_loop", body_fun)
    start, stop = _bounds(lower, upper)

    def step(carry: tuple[Array, Any]) -> tuple[Array, Any]:
        i, value = carry
        return add(i, _native.scalar(1, i.dtype, False)), body_fun(i, value)

    def scan_step(carry: tuple[Array, Any], _: None) -> tuple[tuple[Array, Any], None]:
        return step(carry), None

    step.__name__ = scan_step.__name__ = function_name(body_fun)  # which errors name
    if not isinstance(lower, Array) and not isinstance(upper, Array):
        length = max(int(upper) - int(lower), 0)
        return _scan("fori_loop", scan_step, (start, init_val), None, length, False, unroll)[0][1]
    if unroll != 1 or isinstance(unroll, bool):
        raise ValueError(
            f"fori_loop: unroll is {unroll}, but lower and upper must be ints of Python or NumPy for that: "
            "an array's value may become known only when the loop runs"
        )
    return _while_loop("fori_loop", lambda carry: lt_p.bind(carry[0], stop), step, (start, init_val))[1]


def _bounds(lower: Any, upper: Any) -> tuple[Array, Array]:
    bounds = []
    for name, bound in (("lower", lower), ("upper", upper)):
        if not isinstance(bound, int) or isinstance(bound, bool):
            array = as_array(bound, lambda name=name: f"fori_loop: {name}")  # type: ignore[misc]
            if array.dtype.kind not in "iu" or array.shape != ():
                found = str(bound.aval) if isinstance(bound, Array) else repr(bound)
                raise TypeError(f"fori_loop: {name} must be a Python int or an integer scalar, got {found}")
            bound = array
        bounds.append(bound)
    dtypes = [b.dtype for b in bounds if isinstance(b, Array)]
    if len(set(dtypes)) > 1:
        raise TypeError(f"fori_loop: lower is {dtypes[0]} and upper is {dtypes[1]}; convert one of them")
    dtype = dtypes[0] if dtypes else _native.int32
    start, stop = (
        as_aval(b, shaped_array((), dtype)) if isinstance(b, Array) else _native.scalar(b, dtype, False)
        for b in bounds
    )
    return start, stop


@user_function
def map(f: Callable, xs: Any, batch_size: int | None = None) -> Any:
    """Apply a function to each slice of arrays, one after another, and stack the results.

    Unlike `vmap`, which does all at once, it needs the memory of one step (or of `batch_size` steps) only.

    Args:
        f: slice → result, both pytrees of arrays.
        xs: a pytree of arrays with a common first axis.
        batch_size: how many slices `vmap` does together in each step.

    Returns:
        The results stacked along a new first axis.

    Raises:
        ValueError: the arrays disagree about the number of slices, or `batch_size` is not positive.

    >>> ft.map(lambda x: x * x, ft.array([1.0, 2.0, 3.0]))
    array([1, 4, 9], dtype=float32)
    """
    check_callable("map", f)

    def step(carry: tuple, x: Any) -> tuple[tuple, Any]:
        return carry, f(x)

    step.__name__ = function_name(f)  # which errors name
    if batch_size is None:
        return _scan("map", step, (), xs, None, False, 1)[1]
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"map: batch_size must be a positive int, got {batch_size!r}")
    leaves, structure = flatten(xs)
    arrays = argument_arrays("map", f, leaves, flatten(((xs,), {}))[1])
    steps = _length("map", f, xs, arrays, None)
    batches, rest = divmod(steps, batch_size)
    end = steps - rest
    folded = [reshape(slice_axis(x, 0, 0, end), (batches, batch_size, *x.shape[1:])) for x in arrays]
    each = vmap(f)
    parts = [tree_map(lambda y: reshape(y, (end, *y.shape[2:])), map(each, unflatten(structure, folded)))]
    if rest:
        parts.append(each(unflatten(structure, [slice_axis(x, 0, end, steps) for x in arrays])))
    return tree_map(lambda *ys: concatenated(ys), *parts)
