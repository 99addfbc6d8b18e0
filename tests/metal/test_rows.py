"""What reduces rows and goes on with them on a GPU: one kernel, with the CPU's results."""

import math

import numpy as np
import pytest

import ftrans as ft

FLOATS = ("float32", "float16", "bfloat16")
#: Rows of one element, shorter than a SIMD-group, of SIMD-groups, of threadgroups, and of several steps of these.
LENGTHS = (1, 3, 7, 33, 130, 1000)


def normalized(x):
    return x / ft.sqrt(ft.sum(x * x, axis=-1, keepdims=True) + 1)


FUNCTIONS = {
    "softmax": ft.nn.softmax,
    "log_softmax": ft.nn.log_softmax,
    "logsumexp": lambda x: ft.logsumexp(x, axis=-1),
    "layer_norm": lambda x: ft.nn.layer_norm(x, ft.arange(x.shape[-1]) / 8 + 1, ft.ones(x.shape[-1])),
    "rms_norm": lambda x: ft.nn.rms_norm(x, ft.ones(x.shape[-1]) * 2),
    "l2": normalized,
    "std": lambda x: ft.std(x, axis=-1),
    "cross_entropy": lambda x: ft.fast.cross_entropy(x, ft.arange(math.prod(x.shape[:-1])) % x.shape[-1]),
}


def launches_of(function, *operands):
    """The results of a compiled function on the GPU, and its kernel launches."""
    with ft.stream(ft.gpu):
        compiled = ft.jit(function).lower(*operands).compile()
        before = ft.metal.counters()["kernel launches"]
        result = compiled(*operands)
        ft.eval(result)
    return result, ft.metal.counters()["kernel launches"] - before


def samples(shape, dtype="float32", seed=0):
    return ft.array(np.random.default_rng(seed).standard_normal(shape) * 3, dtype=getattr(ft, dtype))


def tolerance(dtype):
    """A few roundings; sums of float32 are those of parts on the GPU, and of float64 on the CPU."""
    return {"float32": 2e-5, "float16": 3e-3, "bfloat16": 2e-2}[dtype]


def same(got, expected, dtype="float32", scale=1):
    got, expected = (np.array(ft.astype(x, ft.float32)) for x in (got, expected))
    rtol = tolerance(dtype) * scale
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_one_launch_and_the_results_of_the_cpu(name, dtype):
    for length in LENGTHS if dtype == "float32" else (5, 130):
        x = samples((5, length), dtype)
        result, launches = launches_of(FUNCTIONS[name], x)
        assert launches == 1, f"rows of {length}"
        same(result, FUNCTIONS[name](x), dtype)
