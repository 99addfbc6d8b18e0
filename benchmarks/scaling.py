"""How the time of a first call grows with the number of equations: it should be a straight line."""

from __future__ import annotations

import statistics
import time

from benchmarks.peers import Peer
from benchmarks.transforms import chain, scalar

SIZES = (1_000, 10_000, 100_000)


def seconds(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def stages(ftrans: Peer, equations: int) -> tuple[float, float, float]:
    """Seconds to trace a chain, to transform it by `grad`, and to compile and run the result."""
    ft, x = ftrans.xp, scalar(ftrans)
    trace = seconds(lambda: ft.make_jaxpr(chain(ftrans, equations))(x))
    transform = seconds(lambda: ft.make_jaxpr(ft.grad(chain(ftrans, equations)))(x))
    gradient = ft.jit(ft.grad(chain(ftrans, equations)))
    first = seconds(lambda: ft.eval(gradient(x)))
    return trace, transform - trace, first - transform


def scaling_table(ftrans: Peer, repeats: int = 3) -> str:
    """The stages in microseconds an equation of the chain, for three lengths."""
    lines = [f"{'equations':>10} {'trace':>10} {'grad':>10} {'compile, run':>14}   µs an equation"]
    for equations in SIZES:
        samples = [stages(ftrans, equations) for _ in range(repeats)]
        medians = map(statistics.median, zip(*samples, strict=True))
        trace, transform, rest = (1e6 * value / equations for value in medians)
        lines.append(f"{equations:>10,} {trace:>10.2f} {transform:>10.2f} {rest:>14.2f}")
    return "\n".join(lines)
