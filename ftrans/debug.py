"""Looking into functions while they run: under `jit`, `vmap`, `grad` and any composition of them."""

from __future__ import annotations

import builtins
import string
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ._native import Array, int32, scalar, user_function, user_source
from .control_flow._automatic_checks import DIVISION, INDEX, NAN
from .control_flow._checks import USER
from .core.pytree import as_array, flatten, unflatten
from .core.source import function_name
from .primitives.callback import debug_callback_p
from .primitives.check import Site, check_p
from .primitives.elementwise import select_p
from .transforms.arguments import check_callable

if TYPE_CHECKING:
    from optree import PyTreeSpec

__all__ = [
    "all_checks",
    "automatic_checks",
    "breakpoint",
    "callback",
    "check",
    "div_checks",
    "float_checks",
    "index_checks",
    "nan_checks",
    "print",
    "user_checks",
]


def __dir__() -> list[str]:
    return __all__


#: What `checkify` looks for; combined by ``|``. What `check` asserts,
user_checks = frozenset({USER})
#: NaN in the result of an operation,
nan_checks = frozenset({NAN})
#: a division by zero, of integers too,
div_checks = frozenset({DIVISION})
#: an index that is out of bounds,
index_checks = frozenset({INDEX})
#: or several of these.
float_checks = nan_checks | div_checks
automatic_checks = float_checks | index_checks
all_checks = automatic_checks | user_checks


class _DebugCallback:
    """A user's function of trees whose leaves are arrays, which become operands, and anything else."""

    __slots__ = ("function", "structure", "leaves")

    def __init__(self, function: Callable, structure: PyTreeSpec, leaves: list[Any]):
        self.function = function
        self.structure = structure
        self.leaves = leaves  #: None in the places of arrays

    def __call__(self, *operands: np.ndarray) -> list[Any]:
        arrays = iter(operands)
        args, kwargs = unflatten(self.structure, [next(arrays) if x is None else x for x in self.leaves])
        self.function(*args, **kwargs)
        return []

    def __repr__(self) -> str:
        return f"debug.callback of {function_name(self.function)}"


@user_function
def callback(callback: Callable, *args: Any, ordered: bool = False, **kwargs: Any) -> None:
    """Call a Python function with the values that arrays have when the program comes by.

    Outside of traces it is called at once. Under `jit` it is called by the program, even if the function
    returns nothing else, and the jitted function then runs when it is called. Under `vmap` it is called for
    each lane in turn, unless none of its arguments is mapped. Under `grad` and `jvp` it is called once, in
    the forward pass.

    Args:
        callback: called with trees like the arguments: arrays of ftrans become read-only NumPy arrays, all
            other leaves are passed on as they are. What it returns is ignored; what it raises fails the
            evaluation.
        *args, **kwargs: its arguments.
        ordered: whether its place in the order of a program counts on all streams. In any case the callbacks
            of one stream are called in the order of the program.

    Raises:
        TypeError: `callback` is not a function.

    >>> seen = []
    >>> @ft.jit
    ... def f(x):
    ...     ft.debug.callback(lambda x, label: seen.append((label, x.tolist())), x, label="x")
    ...     return x + 1
    >>> ft.eval(f(ft.arange(3)))
    >>> seen
    [('x', [0, 1, 2])]
    """
    check_callable("debug.callback", callback)
    leaves, structure = flatten((args, kwargs))
    operands = [x for x in leaves if isinstance(x, Array)]
    flat = _DebugCallback(callback, structure, [None if isinstance(x, Array) else x for x in leaves])
    debug_callback_p.bind(*operands, callback=flat, out_avals=(), ordered=ordered)


class _FieldCheck(string.Formatter):
    """Formats nothing, but finds the fields without an argument, and the arguments without a field."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        # Items and attributes are those of the NumPy arrays that there will be.
        name = field_name.partition(".")[0].partition("[")[0]
        key = int(name) if name.isdigit() else name
        return self.get_value(key, args, kwargs), key

    def format_field(self, value: Any, format_spec: str) -> str:
        return ""

    def convert_field(self, value: Any, conversion: Any) -> Any:
        return value

    def check_unused_args(self, used_args: Any, args: Any, kwargs: Any) -> None:
        unused = [repr(i) for i in range(len(args)) if i not in used_args]
        unused += [repr(name) for name in kwargs if name not in used_args]
        if unused:
            raise ValueError(f"the arguments {', '.join(unused)} are not used")


def _check_format(function: str, fmt: str, args: tuple, kwargs: dict[str, Any]) -> None:
    if not isinstance(fmt, str):
        raise TypeError(f"{function}: fmt must be a format string, got {type(fmt).__name__}: {fmt!r}")
    try:
        _FieldCheck().vformat(fmt, args, kwargs)
    except IndexError:
        why = f"it has fields for more than the {len(args)} positional arguments"
    except KeyError as error:
        why = f"there is no argument {error}"
    except ValueError as error:
        why = str(error)
    else:
        return
    raise ValueError(f"{function}: the format {fmt!r} does not fit its arguments: {why}")


@user_function
def print(fmt: str, *args: Any, ordered: bool = False, **kwargs: Any) -> None:
    """Print the values that arrays have when the program comes by: `callback` of ``print(fmt.format(…))``.

    Args:
        fmt: a format string, as of `str.format`.
        *args, **kwargs: what its fields refer to.
        ordered: as in `callback`.

    Raises:
        TypeError: `fmt` is not a string.
        ValueError: it is no format string for these arguments, or does not use one of them.

    >>> @ft.jit
    ... def f(x):
    ...     ft.debug.print("x = {x}, of type {}", x.dtype, x=x)
    ...     return x + 1
    >>> ft.eval(f(1.5))
    x = 1.5, of type float32
    >>> ft.eval(ft.vmap(f)(ft.array([1.0, 2.0])))
    x = 1.0, of type float32
    x = 2.0, of type float32
    """
    _check_format("debug.print", fmt, args, kwargs)

    def show(*args: Any, **kwargs: Any) -> None:
        builtins.print(fmt.format(*args, **kwargs))

    callback(show, *args, ordered=ordered, **kwargs)


@user_function
def breakpoint(*args: Any, ordered: bool = False, **kwargs: Any) -> None:
    """Stop in Python's debugger when the program comes by, with the values of arrays at hand.

    Args:
        *args, **kwargs: what to look at: the variables `args` and `kwargs` where it stops, arrays of ftrans
            being NumPy arrays there.
        ordered: as in `callback`.

    >>> @ft.jit
    ... def f(x):
    ...     ft.debug.breakpoint(x, half=x / 2)
    ...     return x + 1
    >>> ft.eval(f(1.0))  # doctest: +SKIP
    > ftrans/debug.py(151)stop()
    (Pdb) p kwargs
    {'half': array(0.5, dtype=float32)}
    """

    def stop(*args: Any, **kwargs: Any) -> None:
        builtins.breakpoint()

    callback(stop, *args, ordered=ordered, **kwargs)


@user_function
def check(pred: Any, fmt: str, *args: Any, **kwargs: Any) -> None:
    """Assert that a condition holds when the program comes by: under `jit`, `vmap`, `grad`, in loops.

    The function that `checkify` makes returns what fails. Elsewhere a failure raises: at once outside of
    traces, and from the call of a compiled function. Under `vmap` each item is checked; in a `while_loop` or
    `cond` only as far as an item gets.

    Args:
        pred: a boolean scalar.
        fmt: the message, a format string as of `str.format`.
        *args, **kwargs: what its fields refer to; arrays of ftrans become NumPy arrays.

    Raises:
        CheckError: the condition does not hold.
        TypeError: `pred` is not a boolean scalar.
        ValueError: `fmt` is not a format string for these arguments, or does not use one of them.

    >>> @ft.jit
    ... def root(x):
    ...     ft.debug.check(x >= 0, "{} has no root", x)
    ...     return ft.sqrt(x)
    >>> root(-4.0)
    Traceback (most recent call last):
        ...
    ftrans.core.errors.CheckError: -4.0 has no root (checked at ... (root))
    """
    condition = as_array(pred, lambda: "debug.check: pred")
    if condition.shape != () or condition.dtype.kind != "b":
        raise TypeError(f"debug.check: pred must be a boolean scalar, got {condition.aval}")
    _check_format("debug.check", fmt, args, kwargs)
    leaves, structure = flatten((args, kwargs))
    arrays = [x for x in leaves if isinstance(x, Array)]
    site = Site(fmt, user_source(), structure, tuple([None if isinstance(x, Array) else x for x in leaves]))
    zero, one = scalar(0, int32, False), scalar(1, int32, False)
    code = select_p.bind(condition, zero, one)
    check_p.bind(code, *arrays, sites=(site,), out_avals=(), ordered=False)
