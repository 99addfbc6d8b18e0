"""Batching against a loop over the reference: every choice of mapped operands and axes, and nested maps."""

import functools
import itertools
from collections.abc import Callable

import numpy as np

import ftrans as ft
from tests.harness.cases import Case, is_inexact, to_array
from tests.harness.numerics import assert_same

SIZE, OUTER_SIZE = 3, 2


def _copies(operand: np.ndarray, count: int) -> list[np.ndarray]:
    """Different operands of one kind: rolled along the first axis, and scaled where that means anything."""
    copies = []
    for i in range(count):
        copy = np.roll(operand, i, axis=0) if operand.ndim else operand
        if is_inexact(operand.dtype):
            with np.errstate(all="ignore"):
                copy = (copy * (1 - i / 8)).astype(operand.dtype)
        copies.append(copy)
    return copies


def _reference(case: Case, copies: list[list[np.ndarray]]) -> Callable[..., list[np.ndarray]]:
    """From which copy of each operand to take to the results, each computed once: many maps share them."""

    @functools.cache
    def reference(*chosen: int) -> list[np.ndarray]:
        return case.reference(*(c[i] for c, i in zip(copies, chosen, strict=True)))

    return reference


def _compare(case: Case, function, stacked, references: list[list[np.ndarray]], what: str) -> None:
    results = function(*map(to_array, stacked))
    for result, reference in zip(results, zip(*references, strict=True), strict=True):
        assert_same(result, np.stack(reference), f"{case} {what}")


def vmap(case: Case) -> bool:
    """Each operand mapped over each of its axes, or not at all, in all combinations."""
    operands = case.operands
    if not operands:
        return False
    copies = [_copies(x, SIZE) for x in operands]
    reference = _reference(case, copies)
    for in_axes in itertools.product(*((None, *range(x.ndim + 1)) for x in operands)):
        if all(axis is None for axis in in_axes):
            continue
        stacked = [c[0] if a is None else np.stack(c, a) for c, a in zip(copies, in_axes, strict=True)]
        references = [reference(*(0 if axis is None else i for axis in in_axes)) for i in range(SIZE)]
        _compare(case, ft.vmap(case.bind, in_axes=in_axes), stacked, references, f"vmap in_axes={in_axes}")
    return True


def _patterns(operands) -> list[tuple]:
    """In-axes of one map in a nest: all operands, at the front and at the back, and each operand alone."""
    count = len(operands)
    alone = [tuple(0 if i == j else None for i in range(count)) for j in range(count)] if count > 1 else []
    return [(0,) * count, tuple(x.ndim for x in operands), *alone]


def nested_vmap(case: Case) -> bool:
    """A map of a map, where the two map different operands too."""
    operands = case.operands
    if not operands:
        return False
    grids = [_copies(x, SIZE * OUTER_SIZE) for x in operands]
    reference = _reference(case, grids)
    for inner, outer in itertools.product(_patterns(operands), repeat=2):
        stacked = [_nest(grid, i, o) for grid, i, o in zip(grids, inner, outer, strict=True)]
        references = []
        for row, column in itertools.product(range(OUTER_SIZE), range(SIZE)):
            cells = (_cell(row, column, i, o) for i, o in zip(inner, outer, strict=True))
            references.append(reference(*cells))
        # One list of results a row, each with the columns stacked.
        rows = [references[row * SIZE : (row + 1) * SIZE] for row in range(OUTER_SIZE)]
        stacked_rows = [[np.stack(results) for results in zip(*row, strict=True)] for row in rows]
        function = ft.vmap(ft.vmap(case.bind, in_axes=inner), in_axes=outer)
        _compare(case, function, stacked, stacked_rows, f"vmap in_axes={outer} of vmap in_axes={inner}")
    return True


def _cell(row: int, column: int, inner: int | None, outer: int | None) -> int:
    """Which of the copies an operand is at a row of the outer and a column of the inner map."""
    if inner is None:
        return 0 if outer is None else row
    return column if outer is None else row * SIZE + column


def _nest(grid: list[np.ndarray], inner: int | None, outer: int | None) -> np.ndarray:
    """The copies stacked along the inner axis, and those along the outer axis."""

    def one_row(row: int) -> np.ndarray:
        if inner is None:
            return grid[_cell(row, 0, inner, outer)]
        return np.stack([grid[_cell(row, column, inner, outer)] for column in range(SIZE)], inner)

    return one_row(0) if outer is None else np.stack([one_row(row) for row in range(OUTER_SIZE)], outer)
