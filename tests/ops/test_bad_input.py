"""Bad input to every public array function: the right error, which names function, argument and what came.

The cases are made from the sample calls: each argument in turn is replaced by everything it may be mistaken
for. Some of that is good input after all; what is not must be refused by the function itself, never by
something inside of it, and never crash.
"""

import inspect
import io
import traceback

import numpy as np
import optree
import pytest

import ftrans as ft
from tests.harness.functions import CALLS, all_calls, public_functions


class Nonsense:
    """No number, no array, nothing that a function takes."""

    def __repr__(self):
        return "Nonsense()"


#: What errors may be. Others come from inside, and say nothing to the caller.
ERRORS = (TypeError, ValueError, IndexError, OverflowError)
#: What else an interface that the function implements asks for.
STANDARD_ERRORS = {"from_dlpack": BufferError, "load": FileNotFoundError}

#: Never any function's argument of these kinds.
NEVER_AN_ARRAY = (Nonsense(), "text", {"a": 1}, np.array(["text"]))
NEVER_AN_INTEGER = (Nonsense(), "text", 1.5, float("nan"), 1j)
NEVER_AN_AXIS = (*NEVER_AN_INTEGER, 99, -99, (0, 99), (0, 0))

RAGGED = [[1.0], [2.0, 3.0]]
PERHAPS_AN_ARRAY = (None, RAGGED, [], 1j, True, float("nan"), -1, 2**70)
PERHAPS_AN_INTEGER = (None, -7, 99, True, [0], (), np.array(1.5), np.array([[1, 2]]))
PERHAPS_INTEGERS = (None, -1, (99,), (0, 0), (-5,), 1.5, [[0]], np.array([0.5]))
PERHAPS_ANYTHING = (Nonsense(), None, "text", -1, 1.5, float("nan"), (), [RAGGED], np.ones((2, 1, 5)))

AXES = {"axis", "axis1", "axis2", "axes", "source", "destination", "start_axis", "end_axis"}


def _array_variants(x: np.ndarray):
    """Arrays of another rank, shape or dtype."""
    yield x[None]
    yield x.ravel()[:1].reshape(())
    yield np.zeros((0, *x.shape))
    if x.ndim:
        yield np.concatenate([x, x[-1:]])
    for dtype in (np.bool_, np.int8, np.uint64, np.float16, np.complex64):
        yield x.real.astype(dtype)
    yield np.full(x.shape, np.nan)


def _is_array_tree(value) -> bool:
    return any(isinstance(x, np.ndarray) for x in optree.tree_leaves(value))


def _bad_values(parameter: str, value):
    """(what to pass instead, whether it must be refused)."""
    if parameter in AXES:
        # Some functions, such as roll, let axes repeat.
        yield from ((v, str(v) != "(0, 0)") for v in NEVER_AN_AXIS)
    elif isinstance(value, np.ndarray):
        yield from ((v, True) for v in NEVER_AN_ARRAY)
        yield from ((v, False) for v in PERHAPS_AN_ARRAY)
        yield from ((v, False) for v in _array_variants(value))
    elif _is_array_tree(value):
        yield from ((v, True) for v in NEVER_AN_ARRAY[:2])
        yield from (
            (v, False) for v in (None, [], RAGGED, 3, [*value, Nonsense()], [*value, np.zeros((7, 7, 7))])
        )
    elif isinstance(value, int) and not isinstance(value, bool):
        yield from ((v, True) for v in (Nonsense(), "text"))
        yield from ((v, False) for v in (1j, 1.5, float("nan"), *PERHAPS_AN_INTEGER))
    elif isinstance(value, str):
        yield from ((v, True) for v in (Nonsense(), "no such name"))
        yield from ((v, False) for v in (None, 3))
    elif isinstance(value, (tuple, list)):
        yield from ((v, True) for v in (Nonsense(), "text"))
        yield from ((v, False) for v in PERHAPS_INTEGERS)
    else:
        yield from ((v, False) for v in PERHAPS_ANYTHING)


def _mutations(name: str, sample):
    """(description, arguments, keywords, the bad value, must it be refused) with one argument replaced."""
    parameters = list(inspect.signature(public_functions()[name]).parameters.values())
    positional = [p for p in parameters if p.kind is not p.KEYWORD_ONLY]
    arrays = optree.tree_map(lambda x: ft.array(x) if isinstance(x, np.ndarray) else x, sample.arguments)
    keywords = optree.tree_map(lambda x: ft.array(x) if isinstance(x, np.ndarray) else x, sample.keywords)
    named = set(keywords)
    for i, value in enumerate(sample.arguments):
        parameter = positional[min(i, len(positional) - 1)].name
        named.add(parameter)
        for bad, refused in _bad_values(parameter, value):
            refused &= parameter != "subscripts"  # a string, or the first of einsum's operands
            yield parameter, (*arrays[:i], bad, *arrays[i + 1 :]), keywords, bad, refused
    for key, value in sample.keywords.items():
        for bad, refused in _bad_values(key, value):
            yield key, arrays, {**keywords, key: bad}, bad, refused
    for p in parameters:  # those that the sample leaves alone
        optional = p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is not p.empty
        if optional and p.name not in named:
            for bad, refused in _bad_values(p.name, p.default):
                yield p.name, arrays, {**keywords, p.name: bad}, bad, refused and p.name in AXES
            if p.name == "stream":
                yield p.name, arrays, {**keywords, "stream": "text"}, "text", True


def _names(name: str) -> set[str]:
    """What messages may call the function: its name, or that of which it is another name."""
    function = public_functions()[name]
    return {name, getattr(function, "__name__", name)}


def _descriptions(bad) -> list[str]:
    """How a message may say what came: by type, value, or dtype; a tuple by its length or an element."""
    elements = [*map(str, bad), str(len(bad))] if isinstance(bad, tuple) else []
    return [type(bad).__name__, str(bad), str(getattr(bad, "dtype", bad)), *elements]


def _has_another_name(name: str, parameter: str) -> bool:
    """Whether messages call the argument something else: one of many, or what it means in the sample call."""
    if parameter in ("obj", "subscripts") or (name, parameter) == ("arange", "start"):
        return True
    parameters = inspect.signature(public_functions()[name]).parameters
    return parameters[parameter].kind is inspect.Parameter.VAR_POSITIONAL


def _raised_in_a_primitive(error) -> bool:
    """Primitives check what the operations pass on; their errors speak of what the user does not see."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    # What linear algebra asks of matrices, it asks for its functions.
    return "/primitives/" in last.filename and last.name not in ("check_matrix", "check_square")


def _complaint(name: str, parameter: str, arguments, keywords, bad, refused) -> str | None:
    for x in arguments:
        if isinstance(x, io.BytesIO):
            x.seek(0)
    try:
        result = public_functions()[name](*arguments, **keywords)
        for x in optree.tree_leaves(result):
            if isinstance(x, ft.Array):
                np.asarray(x)
    except ERRORS as error:
        message = str(error)
        if not any(f"{n}:" in message for n in _names(name)):
            return f"does not name the function: {type(error).__name__}: {message}"
        if _raised_in_a_primitive(error):
            return f"comes from a primitive: {message}"
        if refused and parameter not in message and not _has_another_name(name, parameter):
            return f"does not name the argument: {message}"
        if refused and not any(part in message for part in _descriptions(bad)):
            return f"does not say what came: {message}"
        return None
    except BaseException as error:
        if name in STANDARD_ERRORS and isinstance(error, STANDARD_ERRORS[name]):
            return None
        return f"{type(error).__name__} from inside: {error}"
    return "accepted" if refused else None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "index"), [pytest.param(n, i, id=f"{n}-{i}") for n, i in all_calls()])
def test_bad_input(name, index, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some text is a good path
    complaints = []
    for parameter, arguments, keywords, bad, refused in _mutations(name, CALLS[name][index]):
        what = repr(bad) if not isinstance(bad, np.ndarray) else f"array of {bad.dtype}{list(bad.shape)}"
        complaint = _complaint(name, parameter, arguments, keywords, bad, refused)
        if complaint:
            complaints.append(f"{parameter} = {what[:60]}: {complaint}")
    assert not complaints, "\n".join(complaints)
