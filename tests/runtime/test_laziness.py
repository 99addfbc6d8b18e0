"""Operations record, evaluation runs; however long the record grows, memory does not."""

import resource
import sys

import numpy as np
import pytest

import ftrans as ft

MEBIBYTE = 2**20
ELEMENTS = MEBIBYTE // 4  # of float32


@pytest.fixture
def evaluated():
    """A megabyte of ones that is in memory."""
    x = ft.ones(ELEMENTS)
    x = x + ft.zeros(ELEMENTS)  # not a broadcast view of one element
    ft.eval(x)
    return x


def _resident_bytes() -> int:
    """The largest resident size so far; in kilobytes on Linux, in bytes on macOS."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def test_building_allocates_nothing(evaluated):
    before = ft.get_active_memory()
    y = ft.exp(evaluated) * 2.0
    z = y[::-1] + y
    assert ft.get_active_memory() - before < MEBIBYTE // 2
    ft.eval(z)
    assert ft.get_active_memory() - before >= MEBIBYTE


def test_unused_results_are_never_computed(evaluated):
    ft.reset_peak_memory()
    before = ft.get_peak_memory()
    for _ in range(100):
        ft.sort(evaluated)  # dropped at once
    ft.eval(evaluated)
    assert ft.get_peak_memory() - before < MEBIBYTE // 2


def test_evaluation_is_of_the_shared_value():
    x = ft.arange(4) + 1
    y, z = x * 2, x * 3
    ft.eval([y, {"z": z}], x)
    assert (x.tolist(), y.tolist(), z.tolist()) == ([1, 2, 3, 4], [2, 4, 6, 8], [3, 6, 9, 12])
    ft.eval(y)  # again: nothing to do
    assert y.tolist() == [2, 4, 6, 8]


@pytest.mark.parametrize(
    "use",
    [
        repr,
        np.asarray,
        lambda x: x.tolist(),
        lambda x: x.sum().item(),
        lambda x: bool(x[0]),
        lambda x: memoryview(x),
    ],
    ids=["repr", "asarray", "tolist", "item", "bool", "memoryview"],
)
def test_looking_evaluates(use):
    use(ft.sin(ft.ones(3)))


def test_async_eval_then_value():
    x = ft.ones((64, 64))
    y = x @ x
    assert ft.async_eval(y) is None
    ft.synchronize()
    assert y[0, 0].item() == 64


def test_a_million_lazy_operations_stay_bounded():
    """A training loop that forgets `ft.eval`: pending nodes are flushed before they pile up."""
    x = ft.array(0.0)
    x = x + 1.0
    ft.eval(x)
    before = _resident_bytes()
    for _ in range(1_000_000 - 1):
        x = x + 1.0
    assert x.item() == 1_000_000
    # A million nodes of some hundred bytes would take far more than this.
    assert _resident_bytes() - before < 64 * MEBIBYTE


def test_a_million_updates_in_place_stay_bounded():
    x = ft.zeros(8)
    ft.eval(x)
    before = _resident_bytes()
    for _ in range(100_000):
        x += 1.0
        x[0] = 0.0
    assert x.tolist() == [0.0] + [100_000.0] * 7
    assert _resident_bytes() - before < 64 * MEBIBYTE


def test_long_chain_of_held_nodes():
    """Every node has a handle, none may be merged away; evaluation and release must not recurse."""
    chain = [ft.array(0.0)]
    for _ in range(100_000):
        chain.append(chain[-1] + 1.0)
    ft.eval(chain[-1])
    assert chain[-1].item() == 100_000
    assert chain[50_000].item() == 50_000
    del chain


def test_long_chain_is_released_without_evaluation():
    x = ft.ones(4)
    for _ in range(1_000_000):
        x = x * 1.0
    del x


def test_long_chain_compiles_and_runs():
    def chain(x):
        for _ in range(5_000):
            x = ft.sin(x) + 1.0
        return x

    point = ft.array([0.1, 0.2])
    np.testing.assert_allclose(np.asarray(ft.jit(chain)(point)), np.asarray(chain(point)), rtol=1e-5)


def test_wide_graph_evaluates():
    x = ft.arange(10, dtype=ft.float32)
    total = ft.array(0.0)
    for i in range(2_000):
        total = total + ft.sum(x * float(i % 3))
    assert total.item() == 45 * sum(i % 3 for i in range(2_000))
