"""What a row of the table is, and how it is measured."""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from benchmarks.peers import Peer

Sampler = Callable[[], float]

#: Seconds before each measurement. The threads of the one before (OpenBLAS's in NumPy and MLX most of all) go
#: on spinning for some 30 ms, on the processors that the next library needs. Not slept through: a virtual
#: processor that is let go takes milliseconds to come back.
SETTLE = 0.04


@dataclass(frozen=True)
class Workload:
    """One row: the same work for ftrans and for each peer.

    Attributes:
        name: what the row says.
        sampler: given a peer, prepares the work and returns a function that takes one measurement.
        peers: the libraries beside ftrans for which the work has a meaning.
        target: the least ratio peer ÷ ftrans that is aimed at.
        against: the peer that the target speaks of; None for the best of them.
        limit: the largest value of ftrans itself that is aimed at.
        unit: "s" or "MB".
        repeats: how many measurements; their median counts.
    """

    name: str
    sampler: Callable[[Peer], Sampler]
    peers: tuple[str, ...] = ("jax", "mlx")
    target: float | None = None
    against: str | None = None
    limit: float | None = None
    unit: str = "s"
    repeats: int = 15


@dataclass(frozen=True)
class Row:
    """A measured workload: the median of each library, or why it has none."""

    workload: Workload
    medians: dict[str, float]
    failures: dict[str, str]

    @property
    def ratio(self) -> float | None:
        """Best peer ÷ ftrans: above 1 where ftrans needs less."""
        others = [value for name, value in self.medians.items() if name != "ftrans"]
        return min(others) / self.medians["ftrans"] if others and "ftrans" in self.medians else None

    @property
    def target_ratio(self) -> float | None:
        """The ratio that the target speaks of."""
        if self.workload.against is None:
            return self.ratio
        peer, own = self.medians.get(self.workload.against), self.medians.get("ftrans")
        return peer / own if peer is not None and own is not None else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none, or nothing to compare with."""
        workload = self.workload
        if workload.limit is not None:
            return self.medians.get("ftrans", math.inf) <= workload.limit
        if workload.target is not None and "ftrans" in self.failures:
            return False
        if workload.target is None or self.target_ratio is None:
            return None
        return self.target_ratio >= workload.target


def settle() -> None:
    """Keeps this thread busy until the others have gone to sleep."""
    end = time.perf_counter() + SETTLE
    while time.perf_counter() < end:
        pass


def warm(build: Callable[[Peer], Callable[[], Any]], number: int = 1) -> Callable[[Peer], Sampler]:
    """A sampler of the mean time of `number` calls, the function built and called just before.

    Args:
        build: given a peer, returns the function that is timed; it has to wait for its result by itself.
        number: calls a measurement; many for a function of microseconds.
    """

    def prepare(peer: Peer) -> Sampler:
        work = build(peer)
        work()

        def sample() -> float:
            work()  # the library's own threads wake up
            start = time.perf_counter()
            for _ in range(number):
                work()
            return (time.perf_counter() - start) / number

        return sample

    return prepare


def first_call(build: Callable[[Peer], Callable[[], Any]]) -> Callable[[Peer], Sampler]:
    """A sampler of the time of a first call: each measurement builds functions that no cache knows."""

    def prepare(peer: Peer) -> Sampler:
        build(peer)()  # what a process does once belongs to no first call of a function

        def sample() -> float:
            work = build(peer)
            start = time.perf_counter()
            work()
            return time.perf_counter() - start

        return sample

    return prepare


def best_in_turns(
    work: Callable[[], Any], contexts: Sequence[Callable[[], AbstractContextManager[Any]]], rounds: int
) -> list[float]:
    """The best time of a call inside of each of some contexts, which take turns.

    Args:
        work: what is timed; it has to wait for its result by itself.
        contexts: makers of a context; entering it is not timed.
        rounds: how many times each is timed.
    """

    def seconds(context: AbstractContextManager[Any]) -> float:
        with context:
            start = time.perf_counter()
            work()
            return time.perf_counter() - start

    times = [[seconds(make()) for make in contexts] for _ in range(rounds)]
    return [min(column) for column in zip(*times, strict=True)]


def run_python(*arguments: str, environment: dict[str, str] | None = None) -> float:
    """Runs this interpreter in a process of its own and returns the number that it prints last."""
    result = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=True, env=environment
    )
    return float(result.stdout.split()[-1])


def measure(workload: Workload, peers: dict[str, Peer]) -> Row:
    """Measures one workload, the libraries taking turns so that the machine's moods fall on all alike."""
    samplers, failures = {}, {}
    for name in ("ftrans", *workload.peers):
        if name not in peers:
            continue
        try:
            samplers[name] = workload.sampler(peers[name])
        except Exception as error:  # a row that one library cannot run must not end the table
            failures[name] = f"{type(error).__name__}: {str(error).strip()[:200]}"
    samples: dict[str, list[float]] = {name: [] for name in samplers}
    for _ in range(workload.repeats):
        for name, sample in samplers.items():
            settle()
            samples[name].append(sample())
    return Row(workload, {name: statistics.median(values) for name, values in samples.items()}, failures)
