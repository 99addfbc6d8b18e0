"""The ratio and verdict of a row, and the table's numbers."""

import pytest

from benchmarks.__main__ import WORKLOADS
from benchmarks.measure import Workload, measure
from benchmarks.peers import Peer
from benchmarks.report import quantity


def constant_row(values, **options):
    workload = Workload("a row", lambda peer: lambda: values[peer.name], ("jax", "mlx"), repeats=3, **options)
    peers = {name: Peer(name, "1", None, None, None, None) for name in values}
    return measure(workload, peers)


def test_ratio_is_best_peer_over_ftrans():
    row = constant_row({"ftrans": 2.0, "jax": 6.0, "mlx": 5.0}, target=2)
    assert row.ratio == 2.5
    assert row.met is True


def test_target_against_one_peer():
    row = constant_row({"ftrans": 2.0, "jax": 6.0, "mlx": 1.0}, target=2, against="jax")
    assert (row.ratio, row.target_ratio, row.met) == (0.5, 3.0, True)


def test_missed_target():
    assert constant_row({"ftrans": 2.0, "jax": 3.0}, target=2).met is False


def test_without_peers_there_is_no_ratio():
    row = constant_row({"ftrans": 2.0}, target=2)
    assert row.ratio is None
    assert row.met is None


@pytest.mark.parametrize(("limit", "met"), [(2.5, True), (1.5, False)])
def test_limit(limit, met):
    assert constant_row({"ftrans": 2.0}, limit=limit).met is met


def test_a_failing_library_does_not_end_the_table():
    row = constant_row({"ftrans": 2.0, "jax": 3.0})
    assert row.failures == {}

    def sampler(peer):
        raise ValueError("no such thing")

    failed = measure(Workload("a row", sampler, ()), {"ftrans": Peer("ftrans", "1", None, None, None, None)})
    assert failed.failures == {"ftrans": "ValueError: no such thing"}


def test_names_are_distinct():
    names = [workload.name for workload in WORKLOADS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "s", "–"),
        (2.0, "s", "2 s"),
        (0.0123, "s", "12.3 ms"),
        (4.56e-7, "s", "0.456 µs"),
        (12.0, "MB", "12 MB"),
    ],
)
def test_quantity(value, unit, text):
    assert quantity(value, unit) == text
