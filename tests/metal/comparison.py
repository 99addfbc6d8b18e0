"""Results and kernel launches on the GPU, beside the results of the CPU."""

import numpy as np

import ftrans as ft


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
