"""Attention on a GPU: one kernel where nothing else needs scores or weights, with the CPU's results."""

import numpy as np
import pytest

import ftrans as ft
from tests.metal.comparison import launches_of, same, samples

KEYS = 45


def operands(dtype="float32", heads=3):
    """Queries (2, 3, 40, 16), keys (2, heads, 45, 16), values (2, heads, 45, 24)."""
    shapes = ((2, 3, 40, 16), (2, heads, KEYS, 16), (2, heads, KEYS, 24))
    return [samples(shape, dtype, seed) / 2 for seed, shape in enumerate(shapes)]


def attend(q, k, v):
    return ft.nn.softmax(q @ ft.matrix_transpose(k) / 4, axis=-1) @ v


def check(function, *arrays, launches, dtype="float32"):
    result, counted = launches_of(function, *arrays)
    assert counted == launches
    same(result, function(*arrays), dtype)


@pytest.mark.parametrize("kind", [None, "causal", "bool", "added"])
def test_every_mask(kind):
    """One kernel, after one that scales the queries. Heads share keys; some queries see none."""
    rng = np.random.default_rng(0)
    seen = rng.integers(0, 2, (40, KEYS)).astype(bool)
    seen[:5] = False
    mask = {"bool": ft.array(seen), "added": ft.array(np.where(seen, 0.5, -np.inf), dtype=ft.float32)}

    def attention(q, k, v):
        return ft.fast.scaled_dot_product_attention(q, k, v, scale=0.25, mask=mask.get(kind, kind))

    check(attention, *operands(heads=1), launches=2)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types(dtype):
    """Keys and values are read as they are; queries are scaled, and the result is narrowed."""

    def attention(q, k, v):
        return ft.fast.scaled_dot_product_attention(q, k, v, scale=0.25)

    check(attention, *operands(dtype), launches=3, dtype=dtype)
    check(attend, *operands(dtype), launches=1, dtype=dtype)


@pytest.mark.parametrize(
    "shapes",
    [
        ((8, 1), (1, 1), (1, 1)),
        ((33, 128), (70, 128), (70, 128)),
        ((100, 40), (32, 40), (32, 7)),
        ((9, 65), (300, 65), (300, 33)),
    ],
)
def test_shapes(shapes):
    check(attend, *(samples(shape, seed=seed) / 3 for seed, shape in enumerate(shapes)), launches=1)


def test_layouts():
    q, k, v = operands()
    x = samples((40, 3 * 3 * 16))

    def from_one_product(x):
        q, k, v = x.reshape(40, 3, 3, 16).transpose(1, 2, 0, 3)
        scores = ft.where(ft.tri(40, dtype=ft.bool), q @ k.transpose(0, 2, 1), -ft.inf)
        return ft.nn.softmax(scores, axis=-1) @ v

    def contracted(q, k, v):
        weights = ft.nn.softmax(ft.einsum("bths,bhse->bthe", q, ft.permute_dims(k, (0, 1, 3, 2))), axis=-1)
        return ft.einsum("bths,bhse->bthe", weights, v)

    check(from_one_product, x, launches=1)
    check(attend, ft.matrix_transpose(samples((2, 3, 16, 40))), k[:, ::-1], ft.flip(v, axis=2), launches=1)
    check(ft.vmap(attend), q, k, v, launches=1)
    result, _ = launches_of(contracted, ft.permute_dims(q, (0, 2, 1, 3)), k, v)
    same(result, contracted(ft.permute_dims(q, (0, 2, 1, 3)), k, v))


def test_operands_of_scores_with_an_element_a_query():
    def function(q, k, v, row):
        scores = q @ ft.matrix_transpose(k) * ft.expand_dims(ft.sqrt(row * row + 1), axis=-1)
        return ft.nn.softmax(scores + ft.arange(KEYS) / 9, axis=-1) @ v

    check(function, *operands(), samples((2, 3, 40)), launches=1)


def test_infinite_and_undefined_scores():
    """Also rows whose maximum is infinite: those of +inf share the weight, and so do all of -inf."""
    rng = np.random.default_rng(0)
    added = rng.standard_normal((40, KEYS)).astype(np.float32)
    added[3, 4], added[4, :], added[5, 44], added[6, :], added[7, ::2] = (
        np.inf,
        -np.inf,
        np.nan,
        np.inf,
        -np.inf,
    )
    added[8, :35] = -np.inf  # the first tile has nothing

    def function(q, k, v):
        return ft.nn.softmax(q @ ft.matrix_transpose(k) + ft.array(added), axis=-1) @ v

    check(function, *operands(), launches=1)


def test_what_else_needs_the_scores_or_the_weights_gets_them():
    def weights_too(q, k, v):
        weights = ft.nn.softmax(q @ ft.matrix_transpose(k), axis=-1)
        return weights @ v + ft.sum(weights, axis=-1, keepdims=True)

    def scores_too(q, k, v):
        scores = q @ ft.matrix_transpose(k)
        return ft.nn.softmax(scores, axis=-1) @ v + scores[..., :1]

    def reversed_keys(q, k, v):
        return ft.nn.softmax((q @ ft.matrix_transpose(k))[..., ::-1], axis=-1) @ v

    def weights_twice(q, k, v):
        weights = ft.nn.softmax(q @ ft.matrix_transpose(k), axis=-1)
        return weights @ ft.matrix_transpose(weights)

    def attention_of_attention(q, k, v):
        return ft.nn.softmax(attend(q, k, v), axis=-1) @ ft.matrix_transpose(v)

    q, k, v = (x[0] for x in operands())
    for function in (weights_too, scores_too, reversed_keys, weights_twice, attention_of_attention):
        result, launches = launches_of(function, q, k, v)
        assert launches > 1
        same(result, function(q, k, v))


def test_derivatives():
    """Weights are kept for the pull-back, or computed again in front of it."""
    q, k, v = (x[0, 0] for x in operands())

    def loss(attention):
        return ft.grad(lambda *o: ft.sum(ft.sin(attention(*o))), argnums=(0, 1, 2))

    for function in (
        loss(attend),
        loss(ft.checkpoint(attend)),
        lambda q, k, v: ft.jvp(attend, (q, k, v), (k[:40], q[:1] + k, v)),
    ):
        result, _ = launches_of(function, q, k, v)
        for got, expected in zip(result, function(q, k, v), strict=True):
            same(got, expected, scale=10)


def test_scores_of_more_operands_than_a_kernel_has():
    arrays = [samples((40, KEYS), seed=seed) / 9 for seed in range(28)]

    def function(q, k, v, *added):
        return ft.nn.softmax(sum(added, q @ ft.matrix_transpose(k)), axis=-1) @ v

    q, k, v = (x[0, 0] for x in operands())
    result, launches = launches_of(function, q, k, v, *arrays)
    assert launches > 1
    same(result, function(q, k, v, *arrays))
    check(function, q, k, v, *arrays[:23], launches=1)
