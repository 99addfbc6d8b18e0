"""The tables as text and JSON, and the machine that they were measured on."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from pathlib import Path
from typing import Any

from benchmarks.measure import Row
from benchmarks.peers import Peer

NAME_WIDTH = 50


def processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def machine(peers: dict[str, Peer]) -> dict[str, Any]:
    """Processor, system, versions and command line of this run."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: peer.version for name, peer in peers.items()},
        "command": shlex.join(("python", "-m", *sys.orig_argv[2:])),
    }


def machine_lines(facts: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (
        f"{facts['processor']}, {facts['cores']} cores; {facts['system']}; Python {facts['python']}\n"
        f"{versions}\n$ {facts['command']}"
    )


def quantity(value: float | None, unit: str) -> str:
    """A value with three digits and a fitting unit."""
    if value is None:
        return "–"
    if unit != "s":
        return f"{value:.3g} {unit}"
    for scale, name in ((1, "s"), (1e3, "ms"), (1e6, "µs")):
        if value * scale >= 1 or name == "µs":
            return f"{value * scale:.3g} {name}"
    raise AssertionError("the loop ends with a return")


def header(names: list[str]) -> str:
    columns = "".join(f"{name:>10}" for name in names)
    return f"{'':{NAME_WIDTH}}{columns}{'ratio':>8}  target"


def line(row: Row, names: list[str]) -> str:
    """One row of the table: each library's median, best peer ÷ ftrans, and whether the target is met."""
    workload = row.workload
    columns = "".join(
        f"{'failed' if name in row.failures else quantity(row.medians.get(name), workload.unit):>10}"
        for name in names
    )
    ratio = "–" if row.ratio is None else f"{row.ratio:.2f}×"
    target = ""
    if workload.limit is not None:
        target = f"≤ {quantity(workload.limit, workload.unit)}"
    elif workload.target is not None:
        target = f"≥ {workload.target:g}×"
        if workload.against and row.target_ratio is not None:
            target += f" {workload.against}: {row.target_ratio:.2f}×"
    verdict = {None: "", True: " met", False: " MISSED"}[row.met]
    return f"{workload.name:{NAME_WIDTH}}{columns}{ratio:>8}  {target}{verdict}"


def row_json(row: Row) -> dict[str, Any]:
    return {
        "name": row.workload.name,
        "unit": row.workload.unit,
        "medians": row.medians,
        "failures": row.failures,
        "ratio": row.ratio,
        "target": row.workload.target,
        "against": row.workload.against,
        "target_ratio": row.target_ratio,
        "limit": row.workload.limit,
        "met": row.met,
    }
