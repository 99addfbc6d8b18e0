"""Loops over nothing but numbers: recurrences that meet, and such that have nothing to do with each other."""

import numpy as np
import pytest

import ftrans as ft

STEPS = 37


def _unrolled(step, state):
    for i in range(STEPS):
        state = step(i, state)
    return state


RECURRENCES = {
    "one": lambda i, s: (s[0] * 0.9 + 0.1, s[1], s[2], s[3]),
    "apart": lambda i, s: (s[0] * 0.9 + 0.1, s[1] + 0.25, s[2] + 3, s[3] * 2.0),
    "meeting": lambda i, s: (s[0] * 0.9 + s[1], s[1] + 0.25, s[2] + i, s[3] - s[0]),
    "exchanged": lambda i, s: (s[1], s[0], s[2] + 1, s[3]),
    "squared": lambda i, s: (s[0] * s[0], s[1] + s[1], s[2] + s[2], s[3] * 0.5 + s[3]),
    "from the left": lambda i, s: (0.1 + 0.9 * s[0], 0.25 + s[1], 3 + s[2], 2.0 - s[3]),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", RECURRENCES)
def test_counted(name, dtype):
    step = RECURRENCES[name]
    start = (dtype(0.5), dtype(1.5), np.int32(2), dtype(1e-3))
    with np.errstate(over="ignore"):
        expected = [np.asarray(x) for x in _unrolled(lambda i, s: _typed(step(np.int32(i), s), start), start)]

    def loop(s):
        return ft.fori_loop(0, STEPS, step, s)

    for f in (loop, ft.jit(loop)):
        for got, wanted in zip(f(tuple(map(ft.asarray, start))), expected, strict=True):
            np.testing.assert_array_equal(np.asarray(got), wanted)


def _typed(values, like):
    return tuple(np.asarray(v).astype(x.dtype)[()] for v, x in zip(values, like, strict=True))


@pytest.mark.parametrize(
    ("condition", "step", "start"),
    [
        (lambda s: s[0] < 20, lambda s: (s[0] + 3, s[1] * 0.5 + 1.0), (np.int32(0), 1.0)),
        (lambda s: s[0] < 20, lambda s: (s[0] + 3, s[1] * 0.5 + 1.0), (np.int32(50), 1.0)),
        (lambda s: s[0] < 2**40, lambda s: (2**38 + s[0], s[1] + 1.0), (np.int64(-(2**40)), 1.0)),
        (lambda s: s[0] < 9.5, lambda s: (s[0] + 1.0, s[1] * 0.5), (0.0, 1.0)),
        (lambda s: s[1] > 0.1, lambda s: (s[0] + 1, s[1] * 0.5), (np.int32(0), 1.0)),
        (lambda s: s[0] + s[1] < 30, lambda s: (s[0] + 1, s[1] + s[0]), (np.int32(0), np.int32(1))),
        # Conditions for the next step that are a constant, or what was carried before.
        (lambda s: s[0] > 0.5, lambda s: (np.float64(0.25), s[1] + 1), (1.5, np.int32(0))),
        (lambda s: s[0], lambda s: (s[1], s[0], s[2] + 1), (np.True_, np.False_, np.int32(0))),
        (lambda s: s[0], lambda s: (s[1], s[2], np.False_), (np.True_, np.True_, np.True_)),
    ],
)
def test_while(condition, step, start):
    start = tuple(np.asarray(x)[()] for x in start)
    expected = start
    while condition(expected):
        expected = _typed(step(expected), start)
    for f in (
        lambda s: ft.while_loop(condition, step, s),
        ft.jit(lambda s: ft.while_loop(condition, step, s)),
    ):
        for got, wanted in zip(f(tuple(map(ft.asarray, start))), expected, strict=True):
            assert got.dtype == wanted.dtype
            np.testing.assert_array_equal(np.asarray(got), wanted)
