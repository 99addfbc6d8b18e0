"""Random graphs spread over two CPU and two GPU streams give what one stream gives, bit for bit."""

import random

import numpy as np
import pytest

import ftrans as ft

GRAPHS = 1000
SEEDS = (0, 1, 2)
OPERATIONS = 14
SIZE = 24


def combine(name, x, y):
    """Integers, so that every order of evaluation gives the same."""
    if name == "add":
        return ft.add(x, y)
    if name == "scan":
        return ft.cumsum(x)
    if name == "reverse":
        return ft.maximum(x[::-1], y)
    if name == "update":
        z = x + 0
        z[3:9] = y[:6]
        return z
    return ft.concatenate([x[5:], y[:5]])


def graph(rng):
    """Steps (operation, operands, stream). Neighbours are on different streams: few kernels differ."""
    steps, streams = [], [rng.randrange(4) for _ in range(3)]
    for k in range(OPERATIONS):
        operands = rng.randrange(k + 3), rng.randrange(k + 3)
        name = rng.choice(["add", "add", "scan", "reverse", "update", "concatenate"])
        near = {streams[i] for i in operands}
        streams.append(rng.choice([s for s in range(4) if s not in near]))
        steps.append((name, operands, streams[-1]))
    return steps


def call(function, argument):
    return function(argument)


def run(steps, inputs, streams, rng, attempt=None):
    values, kept = list(inputs), []
    for name, (i, j), stream in steps:
        with ft.stream(streams[stream]):
            values.append(combine(name, values[i], values[j]))
        if rng.random() < 0.1:
            (attempt or call)(ft.async_eval, values[-1])
        if rng.random() < 0.1:
            given_up = rng.randrange(len(values))  # its memory, so that it is overwritten
            if attempt:  # what has been overwritten could not be computed again
                kept.append(values[given_up])
            values[given_up] = values[-1]
    wanted = values[3:] if rng.random() < 0.5 else values[-3:]
    (attempt or call)(ft.eval, wanted)
    return [np.array(v) for v in wanted]


@pytest.mark.parametrize("seed", SEEDS)
def test_random_graphs(seed, host_option):
    host_option("seed", seed + 1)
    streams = [ft.new_stream(d) for d in (ft.cpu, ft.cpu, ft.gpu, ft.gpu)]
    before = ft.metal.counters()["bytes copied"]
    for number in range(seed, GRAPHS, len(SEEDS)):
        steps = graph(random.Random(number))
        inputs = [ft.arange(SIZE, dtype=ft.int32) * (number + k) % 101 for k in range(3)]
        ft.eval(inputs)
        one = run(steps, inputs, [streams[0]] * 4, random.Random(-number))
        several = run(steps, inputs, streams, random.Random(-number))
        for expected, got in zip(one, several, strict=True):
            np.testing.assert_array_equal(got, expected, err_msg=f"graph {number}")
    assert ft.metal.counters()["bytes copied"] == before


def test_random_graphs_with_failures(host_option):
    """What fails is evaluated again, until it succeeds; what else is under way is not harmed."""
    streams = [ft.new_stream(d) for d in (ft.cpu, ft.cpu, ft.gpu, ft.gpu)]
    kinds = ["failing_command_buffers", "failing_allocations"]
    failures = []
    for number in range(GRAPHS, GRAPHS + 200):
        rng = random.Random(number)

        def evaluate_with_failures(evaluate, values, rng=rng):
            host_option(rng.choice(kinds), rng.randrange(4))
            for _ in range(20):
                try:
                    return evaluate(values)
                except (RuntimeError, MemoryError) as error:
                    failures.append(error)
            raise AssertionError("it fails for ever")

        steps = graph(rng)
        inputs = [ft.arange(SIZE, dtype=ft.int32) * (number + k) % 101 for k in range(3)]
        ft.eval(inputs)
        one = run(steps, inputs, [streams[0]] * 4, random.Random(-number))
        several = run(steps, inputs, streams, random.Random(-number), evaluate_with_failures)
        for kind in kinds:
            host_option(kind, 0)
        for expected, got in zip(one, several, strict=True):
            np.testing.assert_array_equal(got, expected, err_msg=f"graph {number}")
    assert len(failures) > 100
