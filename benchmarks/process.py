"""What a process pays: the import."""

from __future__ import annotations

import os

from benchmarks.measure import Workload, run_python
from benchmarks.peers import Peer

MODULES = {"jax": "jax.numpy", "mlx": "mlx.core"}


def import_time(peer: Peer):
    module = MODULES.get(peer.name, peer.name)
    timed = f"start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
    # Modules are to come from their byte code, as they do for users.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return lambda: run_python("-c", f"import time, numpy; {timed}", environment=environment)


WORKLOADS = [Workload("import, above NumPy's own", import_time, limit=0.060, repeats=9)]
