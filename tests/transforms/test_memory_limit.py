"""jit's memory_limit: the same results with less memory."""

import numpy as np
import pytest

import ftrans as ft
from ftrans.core.jaxpr import check_jaxpr
from ftrans.transforms.rematerialize import within_memory

LAYERS, WIDTH, BATCH = 24, 8, 512
ACTIVATION = BATCH * WIDTH * 8


def layer(weight, x):
    hidden = ft.sin(x @ weight)
    return hidden * ft.exp(-hidden)


def loss(weights, x):
    for i in range(LAYERS):
        x = layer(weights[i], x)
    return ft.sum(x)


def skipping(weights, x):
    first = x
    for i in range(LAYERS):
        x = layer(weights[i], x) + 0.1 * first
    return ft.sum(x)


def with_loop(weights, x):
    x, _ = ft.scan(lambda x, w: (layer(w, x), None), x, weights[:4])
    return loss(weights, x)


@pytest.fixture(scope="module")
def arguments():
    rng = np.random.default_rng(3)
    weights = ft.array(rng.standard_normal((LAYERS, WIDTH, WIDTH)) / WIDTH**0.5)
    return weights, ft.array(rng.standard_normal((BATCH, WIDTH)))


def peak_of_call(fun, *args):
    before = ft.get_active_memory()
    ft.reset_peak_memory()
    result = fun(*args)
    ft.eval(result)
    return ft.get_peak_memory() - before, result


@pytest.mark.parametrize("function", [loss, skipping, with_loop], ids=lambda f: f.__name__)
@pytest.mark.parametrize("fraction", [0.7, 0.4, 0.3])
def test_results_are_the_same_within_the_limit(function, fraction, arguments):
    gradient = ft.grad(function, argnums=(0, 1))
    unlimited = ft.jit(gradient)
    limit = int(fraction * unlimited.memory(*arguments))
    limited = ft.jit(gradient, memory_limit=limit)
    assert limited.memory(*arguments) <= limit
    peak, results = peak_of_call(limited, *arguments)
    held = sum(x.nbytes for x in arguments)
    assert peak + held <= 1.02 * limit  # blocks of the allocator are a little larger than the arrays
    for found, expected in zip(results, unlimited(*arguments), strict=True):
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


def test_the_least_that_does_is_computed_again():
    weights, x = ft.ones((LAYERS, 64, 64)) / 64.0, ft.ones((256, 64))
    gradient = ft.grad(loss)
    peak = ft.jit(gradient).memory(weights, x)

    def products(fraction):
        limited = ft.jit(gradient, memory_limit=int(fraction * peak))
        return limited.lower(weights, x).compile().as_text().count("dot_general")

    assert products(0.7) <= products(1.0) + 1  # sines and exponentials are enough
    assert products(1.0) + LAYERS // 2 < products(0.4) < 1.5 * products(1.0)


def test_a_program_that_fits_is_left_alone(arguments):
    closed = ft.make_jaxpr(ft.grad(loss))(*arguments)
    assert within_memory(closed, 2**40) is closed


def test_the_jaxpr_is_well_formed(arguments):
    closed = ft.make_jaxpr(ft.grad(skipping))(*arguments)
    check_jaxpr(within_memory(closed, 15 * ACTIVATION).jaxpr)


def test_random_numbers_and_effects(arguments):
    seen = []

    def noisy(weights, x, key):
        for i in range(LAYERS):
            x = layer(weights[i], x) * ft.random.uniform(
                shape=x.shape, key=ft.random.fold_in(key, i), dtype=x.dtype
            )
            if i == LAYERS // 2:
                ft.debug.callback(lambda total: seen.append(float(total)), ft.sum(x))
        return ft.sum(x)

    args = (*arguments, ft.random.key(1))
    unlimited = ft.jit(ft.grad(noisy))
    limited = ft.jit(ft.grad(noisy), memory_limit=int(0.4 * unlimited.memory(*args)))
    np.testing.assert_array_equal(np.asarray(limited(*args)), np.asarray(unlimited(*args)))
    assert len(seen) == 2
    assert seen[0] == seen[1]


def test_custom_rules_are_seen_by_transformations(arguments):
    @ft.custom_vjp
    def scaled(x):
        return ft.sum(ft.sin(x) ** 2)

    scaled.defvjp(lambda x: (scaled(x), x), lambda x, ct: (ct * 100.0 * ft.ones_like(x),))
    x = arguments[1]
    limited = ft.jit(scaled, memory_limit=3 * x.nbytes)
    np.testing.assert_array_equal(np.asarray(ft.grad(limited)(x)), 100.0 * np.ones(x.shape))


def test_what_cannot_be_reached_says_how_low_the_peak_gets(arguments):
    limited = ft.jit(ft.grad(loss), memory_limit=3 * ACTIVATION)
    with pytest.raises(
        MemoryError, match=r"memory_limit is 98304 bytes, but the peak .* bytes, and \d+ at least"
    ):
        limited(*arguments)


@pytest.mark.parametrize(
    ("limit", "error", "message"),
    [
        (1.5e9, TypeError, "memory_limit must be a number of bytes .* got float"),
        (True, TypeError, "got bool"),
        ("1GB", TypeError, "got str"),
        (0, ValueError, "positive number of bytes, got 0"),
    ],
)
def test_bad_limits(limit, error, message):
    with pytest.raises(error, match=message):
        ft.jit(ft.sin, memory_limit=limit)
