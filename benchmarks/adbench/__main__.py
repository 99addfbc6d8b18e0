"""`python -m benchmarks.adbench [--filter TEXT]`: ADBench's problems in ftrans, JAX and PyTorch, in one run.

For each input and library: the time of the objective and of its derivative, at the first call and warm, and
the ratios best peer ÷ ftrans. ftrans and JAX are jitted; PyTorch runs `torch.func`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks import report
from benchmarks.adbench import ba, gmm, hand, inputs, lstm
from benchmarks.peers import Peer, load

PROBLEMS = {
    "GMM": (
        gmm,
        inputs.read_gmm,
        ("1k/gmm_d2_K200.txt", "1k/gmm_d10_K25.txt", "1k/gmm_d64_K25.txt", "10k/gmm_d10_K50.txt"),
    ),
    "BA": (ba, inputs.read_ba, ("ba1_n49_m7776_p31843.txt",)),
    "HAND": (hand, inputs.read_hand, ("simple_small/hand1_t26_c100.txt", "simple_small/hand2_t26_c192.txt")),
    "HAND complicated": (
        hand,
        inputs.read_hand,
        ("complicated_small/hand1_t26_c100.txt", "complicated_small/hand3_t26_c200.txt"),
    ),
    "LSTM": (lstm, inputs.read_lstm, ("lstm_l2_c1024.txt", "lstm_l4_c1024.txt")),
}
COLUMNS = ("objective, first", "objective, warm", "derivative, first", "derivative, warm")


def seconds(peer: Peer, work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    peer.ready(work())
    return time.perf_counter() - start


def times(peers: dict[str, Peer], module: Any, instance: Any, repeats: int) -> dict[str, list[float]]:
    """Seconds of the four columns for each library; the warm calls take turns."""
    built = {name: module.build(peer, instance) for name, peer in peers.items()}
    result: dict[str, list[float]] = {name: [] for name in peers}
    for column in range(2):
        for name, peer in peers.items():
            result[name].append(seconds(peer, built[name][column]))
        warm: dict[str, list[float]] = {name: [] for name in peers}
        for _ in range(repeats):
            for name, peer in peers.items():
                warm[name].append(seconds(peer, built[name][column]))
        for name in peers:
            result[name].append(statistics.median(warm[name]))
    return result


def warm_up(peer: Peer) -> None:
    """Runs a tiny problem: what a process does once belongs to no function's first call."""
    for work in gmm.build(peer, inputs.read_gmm("test.txt")):
        peer.ready(work())


def print_problem(title: str, measured: dict[str, list[float]]) -> None:
    """Prints a line a library, and below them best peer ÷ ftrans."""
    print(f"\n{title}")
    for name, values in measured.items():
        print(f"  {name:12}" + "".join(f"{report.quantity(value, 's'):>20}" for value in values))
    others = [values for name, values in measured.items() if name != "ftrans"]
    if others:
        best = map(min, zip(*others, strict=True))
        ratios = (peer / own for peer, own in zip(best, measured["ftrans"], strict=True))
        print(f"  {'ratio':12}" + "".join(f"{ratio:>19.2f}×" for ratio in ratios))


def main() -> None:
    """Runs the problems that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.adbench", description=__doc__)
    parser.add_argument("--filter", default="", help="only problems and inputs whose name has this text")
    parser.add_argument("--repeats", type=int, default=5, help="warm calls; their median counts (default: 5)")
    options = parser.parse_args()

    peers = load(("ftrans", "jax", "torch"), x64=True)
    for peer in peers.values():
        warm_up(peer)
    print(report.machine_lines(report.machine(peers)))
    print(f"\n{'':14}" + "".join(f"{column:>20}" for column in COLUMNS))
    for problem, (module, read, names) in PROBLEMS.items():
        for name in names:
            title = f"{problem} {name}"
            if options.filter.lower() in title.lower():
                print_problem(title, times(peers, module, read(name), options.repeats))


if __name__ == "__main__":
    main()
