"""What reduces rows and goes on with them on a GPU: one kernel, with the CPU's results."""

import math

import numpy as np
import pytest

import ftrans as ft
from tests.metal.comparison import launches_of, same, samples

#: Rows of one element, parts of a SIMD-group, threadgroups.
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


@pytest.mark.parametrize("name", FUNCTIONS)
def test_one_launch_and_the_results_of_the_cpu(name):
    for length in LENGTHS if name in ("softmax", "layer_norm") else (5, 130):
        x = samples((5, length))
        result, launches = launches_of(FUNCTIONS[name], x)
        assert launches == 1, f"rows of {length}"
        same(result, FUNCTIONS[name](x))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types(dtype):
    x = samples((5, 130), dtype)
    result, launches = launches_of(lambda x: tuple(f(x) for f in FUNCTIONS.values()), x)
    assert launches <= 2  # the sums of some are halves, and belong to other rows than those of float32
    for got, f in zip(result, FUNCTIONS.values(), strict=True):
        assert got.dtype == x.dtype
        same(got, f(x), dtype)


def test_integers_bools_and_complex_numbers():
    def ranks(x):
        top = ft.max(x, axis=-1, keepdims=True)
        return top - x, ft.sum(ft.astype(x == top, ft.int32), axis=-1), ft.prod(x - top + 1, axis=-1)

    rng = np.random.default_rng(3)
    for dtype in (ft.int8, ft.uint32, ft.int64):
        x = ft.array(rng.integers(0, 9, (4, 45)), dtype=dtype)
        result, launches = launches_of(ranks, x)
        assert launches == 1, dtype
        for got, expected in zip(result, ranks(x), strict=True):
            assert got.dtype == expected.dtype
            assert got.tolist() == expected.tolist()

    def parity(x):
        return x != ft.any(x, axis=-1, keepdims=True), ft.all(x, axis=-1)

    x = ft.array(rng.integers(0, 2, (6, 4)), dtype=ft.bool)
    result, launches = launches_of(parity, x)
    assert launches == 1
    assert [r.tolist() for r in result] == [r.tolist() for r in parity(x)]

    def unit(z):
        return z / ft.sqrt(ft.sum(ft.real(z * ft.conj(z)), axis=-1, keepdims=True))

    z = ft.array(rng.standard_normal((4, 45)) + 1j * rng.standard_normal((4, 45)), dtype=ft.complex64)
    result, launches = launches_of(unit, z)
    assert launches == 1
    np.testing.assert_allclose(np.array(result), np.array(unit(z)), rtol=1e-5)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp", "layer_norm", "rms_norm", "l2"])
def test_derivatives_of_first_and_second_order(name):
    """Reverse mode, forward mode, and reverse mode of reverse mode."""
    function = FUNCTIONS[name]

    def loss(x):
        return ft.sum(ft.sin(function(x)))

    def second(x):
        return ft.sum(ft.cos(ft.grad(loss)(x)))

    x, tangent = samples((5, 37)), samples((5, 37), seed=1)
    gradient, launches = launches_of(ft.grad(loss), x)
    assert launches <= 2
    same(gradient, ft.grad(loss)(x))
    (_, pushed), launches = launches_of(lambda x, t: ft.jvp(function, (x,), (t,)), x, tangent)
    assert launches == 1
    same(pushed, ft.jvp(function, (x,), (tangent,))[1])
    hessian_part, _ = launches_of(ft.grad(second), x)
    same(hessian_part, ft.grad(second)(x), scale=5)


def test_gradient_of_layer_norm_for_weight_and_bias():
    x, weight, bias = samples((24, 40)), samples((40,), seed=1), samples((40,), seed=2)

    def loss(x, weight, bias):
        return ft.sum(ft.nn.layer_norm(x, weight, bias) ** 2)

    gradient = ft.grad(loss, argnums=(0, 1, 2))
    result, launches = launches_of(gradient, x, weight, bias)
    assert launches <= 4  # rows, the columns that the parameters' cotangents sum, and rows again
    for got, expected in zip(result, gradient(x, weight, bias), strict=True):
        same(got, expected)


def test_rows_of_any_axes_and_strides():
    x = samples((3, 4, 5, 6))
    for function, least in (
        (lambda x: ft.softmax(x), 1),
        (lambda x: ft.softmax(x, axis=(2, 3)), 1),
        (lambda x: ft.nn.softmax(ft.permute_dims(x, (0, 3, 2, 1))), 1),
        (lambda x: ft.nn.softmax(ft.flip(x, axis=3)[:, ::2, :, 1:]), 1),
        (lambda x: ft.softmax(x, axis=1), 3),  # rows apart: no threadgroup has one for itself
    ):
        result, launches = launches_of(function, x)
        assert launches == least
        same(result, function(x))


def test_operands_and_results_with_an_element_a_row():
    """Among them some that come with an axis of 1, or with the rows in one axis."""

    def function(x, row, column):
        total = ft.sum(x, axis=-1) + row
        scaled = x * ft.expand_dims(ft.sqrt(total * total + 1), axis=-1)
        flat = ft.reshape(ft.max(scaled, axis=-1) * 2, (-1,)) + ft.reshape(column, (-1,))
        return scaled - ft.reshape(flat, (*row.shape, 1)), flat, total

    x, row, column = samples((4, 3, 50)), samples((4, 3), seed=1), samples((4, 3, 1), seed=2)
    result, launches = launches_of(function, x, row, column)
    assert launches == 1
    for got, expected in zip(result, function(x, row, column), strict=True):
        same(got, expected)


def test_what_depends_on_itself_by_another_kernel_stays_apart():
    def function(x, w):
        total = ft.sum(x, axis=-1, keepdims=True)
        centred = x - total / x.shape[-1]
        mixed = centred @ w
        other = mixed - ft.max(mixed, axis=-1, keepdims=True) * total
        return other, ft.sin(centred[:, :1] + total) + centred, ft.sum(centred, axis=0) + x[0]

    x, w = samples((12, 20)), samples((20, 20), seed=1)
    result, _ = launches_of(function, x, w)
    for got, expected in zip(result, function(x, w), strict=True):
        same(got, expected, scale=10)


def test_long_rows():
    """Many are computed without keeping them; a few are divided among threadgroups."""

    def below_maximum(x):
        return ft.max(x, axis=-1, keepdims=True) - x

    for rows, fewest in ((2, 2), (64, 1)):
        x = samples((rows, 17_000))
        result, launches = launches_of(below_maximum, x)
        assert (launches == 1) == (fewest == 1)
        same(result, below_maximum(x))


def test_infinite_and_undefined_elements():
    x = np.random.default_rng(0).standard_normal((5, 40)).astype(np.float32)
    x[0, 3], x[1, 39], x[2, 0], x[3, :], x[4, ::3] = np.nan, np.inf, -np.inf, -np.inf, np.inf
    for function in (ft.nn.softmax, ft.nn.log_softmax, FUNCTIONS["logsumexp"], FUNCTIONS["layer_norm"]):
        result, launches = launches_of(function, ft.array(x))
        assert launches == 1
        same(result, function(ft.array(x)))


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (3, 0, 2)])
def test_empty_rows(shape):
    def function(x):
        total = ft.sum(x, axis=-1, keepdims=True)
        return x - total, ft.exp(total)

    x = ft.zeros(shape, dtype=ft.float32)
    with ft.stream(ft.gpu):
        result = ft.jit(function)(x)
    for got, expected in zip(result, function(x), strict=True):
        assert got.shape == expected.shape
        assert got.tolist() == expected.tolist()


def test_the_same_bits_in_any_order_of_threads(host_option):
    x = samples((9, 300))
    bits = []
    for seed in (1, 2, 3):
        host_option("seed", seed)
        with ft.stream(ft.gpu):
            bits.append(np.array(ft.nn.softmax(ft.sin(x))).tobytes())
    assert bits[0] == bits[1] == bits[2]


def test_inside_of_a_loop_and_a_branch():
    def step(carry, x):
        mixed = ft.nn.softmax(carry @ x, axis=-1) @ x
        return ft.nn.layer_norm(carry + mixed), ft.max(mixed, axis=-1)

    def function(carry, xs):
        carry, tops = ft.scan(step, carry, xs)
        chosen = ft.cond(carry[0, 0] < 9, ft.nn.softmax, ft.nn.log_softmax, carry)
        return chosen, tops

    carry, xs = samples((9, 12)), samples((4, 12, 12), seed=1) / 4
    for f in (function, ft.grad(lambda *o: sum(ft.sum(x) for x in function(*o)), argnums=(0, 1))):
        result, _ = launches_of(f, carry, xs)
        for got, expected in zip(result, f(carry, xs), strict=True):
            same(got, expected, scale=10)
