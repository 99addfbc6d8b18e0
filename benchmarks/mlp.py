"""A training step of a 784-512-512-10 classifier on 256 examples: first call, warm, and its memory.

`python -m benchmarks.mlp NAME` prints the peak memory of some steps in MB: the row on memory runs that.
"""

from __future__ import annotations

import re
import resource
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.measure import Workload, first_call, run_python, warm
from benchmarks.peers import Peer, load

SIZES = (784, 512, 512, 10)
BATCH = 256
RATE = 0.1
STATUS = Path("/proc/self/status")


def initial(peer: Peer):
    """Parameters, a batch of images and one-hot labels, the same numbers for every library."""
    rng = np.random.default_rng(0)
    parameters = [
        (
            peer.array((rng.standard_normal((fan_in, fan_out)) * (2 / fan_in) ** 0.5).astype(np.float32)),
            peer.array(np.zeros(fan_out, np.float32)),
        )
        for fan_in, fan_out in pairwise(SIZES)
    ]
    images = peer.array(rng.standard_normal((BATCH, SIZES[0])).astype(np.float32))
    labels = peer.array(np.eye(SIZES[-1], dtype=np.float32)[rng.integers(0, SIZES[-1], BATCH)])
    return parameters, images, labels


def training_step(peer: Peer):
    """A fresh jitted function (parameters, images, labels) → (loss, new parameters)."""
    xp = peer.xp

    def loss(parameters, images, labels):
        x = images
        for weight, bias in parameters[:-1]:
            x = xp.maximum(xp.matmul(x, weight) + bias, 0)
        weight, bias = parameters[-1]
        logits = xp.matmul(x, weight) + bias
        return xp.mean(peer.logsumexp(logits, axis=-1) - xp.sum(labels * logits, axis=-1))

    def step(parameters, images, labels):
        value, gradients = peer.value_and_grad(loss)(parameters, images, labels)
        parameters = [
            (weight - RATE * by_weight, bias - RATE * by_bias)
            for (weight, bias), (by_weight, by_bias) in zip(parameters, gradients, strict=True)
        ]
        return value, parameters

    return peer.jit(step)


def step_once(peer: Peer):
    arguments, step = initial(peer), training_step(peer)
    peer.ready(arguments)
    return lambda: peer.ready(step(*arguments))


def resident(field: str) -> float:
    """This process's resident set in MB: `VmRSS` now, `VmHWM` at its peak (macOS knows the peak alone)."""
    if STATUS.exists():
        return int(re.search(rf"{field}:\s+(\d+) kB", STATUS.read_text())[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def memory_of_steps(peer: Peer) -> float:
    """Growth of the peak by compiling and running ten steps, above library, parameters and batch."""
    parameters, images, labels = initial(peer)
    peer.ready((parameters, images, labels))
    baseline = resident("VmRSS")
    step = training_step(peer)
    for _ in range(10):
        value, parameters = step(parameters, images, labels)
        peer.ready((value, parameters))
    return resident("VmHWM") - baseline


def memory_sampler(peer: Peer):
    return lambda: run_python("-m", "benchmarks.mlp", peer.name)


WORKLOADS = [
    Workload(
        "jit(MLP training step), first call", first_call(step_once), target=10, against="jax", repeats=5
    ),
    Workload("jit(MLP training step), warm", warm(step_once), target=0.9),
    Workload(
        "peak memory of ten MLP training steps", memory_sampler, target=1, against="jax", unit="MB", repeats=3
    ),
]

if __name__ == "__main__":
    NAME = sys.argv[1]
    print(memory_of_steps(load((NAME,))[NAME]))
