"""Python branches under `vmap`: a function runs once for each way that items of the batch take through it.

The items of a batch are its *lanes*. A run of the function on abstract values is a *path*. Where its Python
code needs the value of an array, what has been recorded is evaluated for the lanes of the path. Lanes that
disagree with the first part from the path and are run later, by themselves. Nothing is assumed about them:
they decide again, by their own values, whatever comes by. In the end every path's results exist for its
lanes, and are put together in the order of the batch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .._native import Array, Dtype, Interpreting, bool_, set_source, user_source
from ..core.avals import ShapedArray
from ..core.jaxpr import Atom, Equation, Literal, Var, is_effectful
from ..core.source import ArgumentSource, Source, format_source, function_name
from ..core.tracing import concretization_error, trace_to_jaxpr
from ..interop import asarray
from ..ops._gather import take_static
from ..ops.operands import constant_like, convert
from ..ops.promotion import check_integer_fits, promote_dtypes
from ..primitives.elementwise import ne_p
from ..primitives.layout import batch_first
from ..primitives.random import use_key_p
from ..primitives.shape import concatenate_p
from .arguments import FlatFunction
from .batching import Dim, batch_equation, eval_batched

if TYPE_CHECKING:
    from optree import PyTreeSpec


class _ThisThread(threading.local):
    def __init__(self) -> None:
        self.max_paths = 64


_this_thread = _ThisThread()


@contextmanager
def _set_within(count: int) -> Iterator[None]:
    previous = _this_thread.max_paths
    _this_thread.max_paths = count
    try:
        yield
    finally:
        _this_thread.max_paths = previous


def max_vmap_paths(count: int) -> AbstractContextManager[None]:
    """Within it, into how many paths Python branches may split the batch of a `vmap`; 64 by default.

    A function that branches on values runs once for each path that items of the batch take through it (see
    `vmap`). The limit tells of a branch that makes a slow loop of it, such as one on ``float(x)``, which has
    a path for every item. Where vmaps are nested, the inner one counts its own paths, and items of the outer
    one share a path if all of their inner items go the same ways. The limit is the thread's own.

    Args:
        count: how many, at least 1.

    Returns:
        A context manager.

    Raises:
        TypeError: `count` is not an int.
        ValueError: it is less than 1.

    >>> halvings = lambda n: 1 + halvings(n // 2) if n > 1 else 0
    >>> with ft.max_vmap_paths(100):
    ...     ft.vmap(halvings)(ft.array([1, 8, 5]))
    array([0, 3, 2], dtype=int32)
    """
    if not isinstance(count, int) or isinstance(count, bool):
        raise TypeError(f"max_vmap_paths: count must be an int, got {count!r}")
    if count < 1:
        raise ValueError(f"max_vmap_paths: count must be at least 1, got {count}")
    return _set_within(count)


class Batch:
    """A function of flat arrays, and the arguments to whose items it is applied.

    `function` may differ from `flat` in what it does around it. `dims` are the batch axes of `arrays`, and
    `avals` describe items. With an `axis_name` all lanes must take one path.
    """

    __slots__ = (
        "flat", "function", "avals", "sources", "arrays", "dims", "size", "axis_name", "num_paths", "pending",
    )  # fmt: skip

    def __init__(
        self,
        flat: FlatFunction,
        function: Callable[..., list[Array]],
        avals: Sequence[ShapedArray],
        sources: Sequence[ArgumentSource | None],
        arrays: Sequence[Array],
        dims: Sequence[Dim],
        size: int,
        axis_name: Hashable | None,
    ):
        self.flat = flat
        self.function = function
        self.avals = avals
        self.sources = sources
        self.arrays = arrays
        self.dims = dims
        self.size = size
        self.axis_name = axis_name
        self.num_paths = 1
        #: The lanes of paths that are still to be run.
        self.pending: list[np.ndarray] = []

    def apply(self) -> tuple[list[Array], list[Dim]]:
        """The results, and their batch axes.

        Raises:
            TypeError: two paths return different trees, shapes or dtypes.
            RuntimeError: there are more paths than `max_vmap_paths` allows.
        """
        paths = [_Path(self, None)]
        while self.pending:
            # That of the earliest item comes first, so that an exception is the one a loop would have raised.
            self.pending.sort(key=lambda lanes: lanes[0], reverse=True)
            paths.append(_Path(self, self.pending.pop()))
        if len(paths) == 1:
            return paths[0].results()
        return self._merged(paths)

    def part(self, lanes: np.ndarray, groups: np.ndarray, what: str) -> np.ndarray:
        """The lanes in the group of the first; let those of every other be run by itself.

        `groups` says in which of the groups 0, 1, … that disagree about `what` each lane is.
        """
        self.num_paths += groups.max()
        limit = _this_thread.max_paths
        if self.num_paths > limit:
            raise RuntimeError(
                f"vmap of {function_name(self.flat.fun)}: {what} at {format_source(user_source())} splits "
                f"the batch into more than {limit} paths, and the function runs once for each. "
                "Use ft.where, ft.cond or ft.while_loop, which need one run, or allow more paths by "
                "ft.max_vmap_paths(count)"
            )
        parts = [lanes[groups == group] for group in range(groups.max() + 1)]
        stays = parts.pop(groups[0])
        self.pending += parts
        return stays

    def _merged(self, paths: list[_Path]) -> tuple[list[Array], list[Dim]]:
        first = paths[0]
        for path in paths[1:]:
            if path.structure != first.structure:
                problem = f"one path returns {first.structure}, another {path.structure}"
                raise self._mismatch(problem, first, path)
        dtypes = [self._common_dtype(paths, i) for i in range(first.structure.num_leaves)]
        places = np.argsort(np.concatenate([path.lanes for path in paths]))
        columns = zip(*[path.results_first() for path in paths], strict=True)
        merged = []
        for dtype, column in zip(dtypes, columns, strict=True):
            parts = column if dtype is None else [convert(x, dtype) for x in column]
            merged.append(take_static(concatenate_p.bind(*parts, axis=0), places, 0))
        return merged, [0] * len(merged)

    def _common_dtype(self, paths: list[_Path], i: int) -> Dtype | None:
        """What output `i` has to be converted to, if it is a Python number on some paths only."""
        avals = [path.outvars[i].aval for path in paths]
        reference = next((k for k, aval in enumerate(avals) if not aval.weak_type), None)
        weak = [aval.dtype for aval in avals if aval.weak_type]
        dtype = promote_dtypes([], weak) if reference is None else avals[reference].dtype
        for k, aval in enumerate(avals):
            agrees = promote_dtypes([dtype], [aval.dtype]) is dtype if aval.weak_type else aval.dtype is dtype
            if aval.shape != avals[reference or 0].shape or not agrees:
                a, b = paths[reference or 0], paths[k]
                problem = (
                    f"output {i} is {a.describe_output(i)} on one path, {b.describe_output(i)} on another"
                )
                raise self._mismatch(problem, a, b)
            number = paths[k].outvars[i]
            if dtype.kind in "iu" and aval.weak_type and isinstance(number, Literal):
                check_integer_fits(int(number.value), dtype, f"vmap of {function_name(self.flat.fun)}")
        return None if all(aval is avals[0] for aval in avals) else dtype

    def _mismatch(self, problem: str, a: _Path, b: _Path) -> TypeError:
        pairs = zip(a.decisions, b.decisions, strict=False)
        fork = next((x.source for x, y in pairs if x != y), None)
        return TypeError(
            f"vmap of {function_name(self.flat.fun)}: {problem}. The paths part at {format_source(fork)}; "
            "all must return the same tree, shapes and dtypes"
        )


class _Decision(NamedTuple):
    """The value that a path needed at a line, as bytes."""

    source: Source
    value: bytes


class _Path:
    """A run of the function for the lanes that take one path.

    `lanes` are their positions in the batch, ascending; None for all. They become fewer as the run goes on:
    an array of the environment is for the lanes beside it, and the path's are taken from it when it is next
    read.
    """

    __slots__ = (
        "batch", "lanes", "decisions", "outvars", "structure", "_closed", "_inputs", "_environment",
        "_defining", "_num_seen", "_done",
    )  # fmt: skip

    def __init__(self, batch: Batch, lanes: np.ndarray | None):
        self.batch = batch
        self.lanes = lanes
        self.decisions: list[_Decision] = []
        self._inputs: list[Var] = []
        self._environment: dict[Atom, tuple[Array, Dim, np.ndarray | None]] = {}
        self._defining: dict[Var, int] = {}
        self._num_seen = 0
        self._done: set[int] = set()
        self._closed = trace_to_jaxpr(self._function, batch.avals, "vmap", batch.sources, self._decide)
        self.outvars = self._closed.jaxpr.outvars
        self.structure: PyTreeSpec = batch.flat.structure

    def _function(self, *leaves: Array) -> list[Array]:
        self._inputs = [x._variable for x in leaves]  # now, as the function may assign to items of them
        return self.batch.function(*leaves)

    @property
    def size(self) -> int:
        """How many lanes there are."""
        return self.batch.size if self.lanes is None else len(self.lanes)

    @property
    def _is_first(self) -> bool:
        return self.lanes is None or self.lanes[0] == 0

    def describe_output(self, i: int) -> str:
        """Type and origin of an output."""
        v = self.outvars[i]
        if isinstance(v, Var) and v.source is not None:
            return f"{v.aval} (from {format_source(v.source)})"
        return f"{v.aval} (a constant)"

    def results(self) -> tuple[list[Array], list[Dim]]:
        """The results for the path's lanes, and their batch axes."""
        batch, closed = self.batch, self._closed
        if not self.decisions and self.lanes is None:
            return eval_batched(closed.jaxpr, closed.consts, batch.arrays, batch.dims, batch.size)
        equations = closed.jaxpr.equations
        self._bind(zip(closed.jaxpr.constvars, closed.consts, strict=True))
        self._evaluate(equations, [i for i in range(len(equations)) if i not in self._done])
        results = [self._read(v) for v in self.outvars]
        return [x for x, _ in results], [dim for _, dim in results]

    def results_first(self) -> list[Array]:
        """The results for the path's lanes, which are their first axis."""
        return [batch_first(x, dim, self.size) for x, dim in zip(*self.results(), strict=True)]

    def _decide(self, x: Array, what: str) -> Array:
        """The value of `x` for the first lane; lanes that have another are no longer the path's."""
        y, dim = self._value(x, what)
        if dim is not None and not self.batch.size:
            raise concretization_error(x, what, " (and the batch is empty, so that no item decides)")
        if what == "bool()" and y.dtype is not bool_:
            y = ne_p.bind(y, constant_like(y, 0))
        values = _known_values(y, x, what)
        if dim is not None:
            values = self._agreed(np.moveaxis(values, dim, 0), x, what)
        self.decisions.append(_Decision(user_source(), values.tobytes()))
        return asarray(values)

    def _agreed(self, values: np.ndarray, x: Array, what: str) -> np.ndarray:
        """The first of the values, after the lanes that have others have parted."""
        rows = np.frombuffer(values.tobytes(), np.uint8).reshape(self.size, -1)
        if (rows != rows[0]).any():
            if self.batch.axis_name is not None:
                name = self.batch.axis_name
                raise concretization_error(
                    x, what, f" (its items disagree, and along a named axis, {name!r}, they must go one way)"
                )
            lanes = np.arange(self.batch.size) if self.lanes is None else self.lanes
            _, groups = np.unique(rows, axis=0, return_inverse=True)
            self.lanes = self.batch.part(lanes, groups.reshape(-1), what)
        return values[0]

    def _value(self, x: Array, what: str) -> tuple[Array, Dim]:
        """Evaluate what `x` depends on, as far as that has not been done."""
        trace = x._trace
        equations = trace.equations
        for i in range(self._num_seen, len(equations)):
            self._defining.update(dict.fromkeys(equations[i].outputs, i))
        self._num_seen = len(equations)
        self._bind(trace.constants())
        needed: set[int] = set()
        pending = [x._variable]
        while pending:
            v = pending.pop()
            if not v.is_literal and v not in self._environment and self._defining[v] not in needed:
                equation = equations[self._defining[v]]
                if is_effectful(equation):
                    raise concretization_error(x, what, f" (from the effect of {equation.primitive.name})")
                needed.add(self._defining[v])
                pending += equation.inputs
        self._evaluate(equations, sorted(needed))
        return self._read(x._variable)

    def _bind(self, constants: Iterable[tuple[Var, Array]]) -> None:
        if not self._environment:
            arguments = zip(self._inputs, self.batch.arrays, self.batch.dims, strict=True)
            self._environment = {v: (x, dim, None) for v, x, dim in arguments}
        for v, x in constants:
            self._environment.setdefault(v, (x, None, None))

    def _evaluate(self, equations: Sequence[Equation], positions: Sequence[int]) -> None:
        with Interpreting():
            for i in positions:
                equation = equations[i]
                operands = [self._read(v) for v in equation.inputs]
                set_source(equation.source)
                if equation.primitive is use_key_p and not self._is_first and operands[0][1] is None:
                    self._environment[equation.outputs[0]] = *operands[0], None
                    continue  # a key that all lanes share is used once, whichever paths they take
                xs, dims = batch_equation(
                    equation, [x for x, _ in operands], [d for _, d in operands], self.size
                )
                if not equation.primitive.multiple_results:
                    xs, dims = [xs], [dims]
                for v, x, dim in zip(equation.outputs, xs, dims, strict=True):
                    self._environment[v] = x, dim, self.lanes
                self._done.add(i)

    def _read(self, v: Atom) -> tuple[Array, Dim]:
        if v.is_literal:
            return v.value, None
        x, dim, lanes = self._environment[v]
        if dim is not None and self.lanes is not None and lanes is not self.lanes:
            x = take_static(x, self.lanes if lanes is None else np.searchsorted(lanes, self.lanes), dim)
            self._environment[v] = x, dim, self.lanes
        return x, dim


def _known_values(y: Array, x: Array, what: str) -> np.ndarray:
    """The values of `y`, those of the traced `x` for several lanes."""
    while y._linked is not None:
        y = y._linked
    trace = y._trace
    if trace is None:
        return np.asarray(y)
    if not trace.active:
        raise trace.misuse(y)
    if trace.decide is None:
        raise concretization_error(x, what, f" (inside of {trace.transformation}, where nothing has a value)")
    return np.asarray(trace.decide(y, what))
