"""What a process pays: the import."""

from __future__ import annotations

from benchmarks.measure import Workload, run_python
from benchmarks.peers import Peer

MODULES = {"jax": "jax.numpy", "mlx": "mlx.core"}


def import_time(peer: Peer):
    module = MODULES.get(peer.name, peer.name)
    timed = f"start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
    return lambda: run_python("-c", f"import time, numpy; {timed}")


WORKLOADS = [Workload("import, above NumPy's own", import_time, limit=0.060, repeats=9)]
