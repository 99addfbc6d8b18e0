"""`python -m benchmarks [--filter TEXT] [--json FILE]`: ftrans beside JAX, MLX and NumPy in one run.

Each row gives the median time of each library and the ratio best peer ÷ ftrans (more is better). The
libraries take turns, measurement by measurement. JAX and MLX are measured until their result is ready.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks import (
    arrays,
    control_flow,
    convolution,
    dispatch,
    fft,
    kernels,
    linalg,
    mlp,
    models,
    process,
    report,
    scaling,
    transforms,
)
from benchmarks.measure import measure
from benchmarks.peers import load

MODULES = (
    dispatch,
    transforms,
    mlp,
    models,
    kernels,
    arrays,
    convolution,
    linalg,
    fft,
    control_flow,
    process,
)
WORKLOADS = [workload for module in MODULES for workload in module.WORKLOADS]
SCALING = "scaling"


def main() -> None:
    """Runs the rows that the command line asks for and prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--filter", default="", help=f"only rows whose name has this text, or '{SCALING}'")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    options = parser.parse_args()

    peers = load(("ftrans", "jax", "mlx", "numpy"))
    names, facts = list(peers), report.machine(peers)
    print(report.machine_lines(facts), report.header(names), sep="\n\n")
    rows = []
    for workload in WORKLOADS:
        if options.filter.lower() in workload.name.lower():
            rows.append(measure(workload, peers))
            print(report.line(rows[-1], names), flush=True)
            for name, reason in rows[-1].failures.items():
                print(f"    {name}: {reason}")
    if options.filter in SCALING:
        print("\nScaling: jit(grad(f)) of a Python loop\n" + scaling.scaling_table(peers["ftrans"]))
    if options.json:
        document = {"machine": facts, "rows": [report.row_json(row) for row in rows]}
        options.json.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
