"""Random expressions of several dtypes and shapes: eager, jit, vmap and grad against JAX and NumPy."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ftrans as ft

jax = pytest.importorskip("jax")
jnp = pytest.importorskip("jax.numpy")

DEPTH, BATCH = 8, 2
RANDOM = np.random.default_rng(0)

#: What expressions are made of: of every dtype and of shapes that broadcast with each other.
LEAVES = {
    "x": RANDOM.uniform(-1, 1, (BATCH, 2, 3)).astype(np.float32),
    "column": RANDOM.uniform(-1, 1, (BATCH, 2, 1)).astype(np.float32),
    "scalar": RANDOM.uniform(-1, 1, BATCH).astype(np.float32),
    "half row": RANDOM.uniform(-1, 1, (BATCH, 3)).astype(np.float16),
    "bfloat16 matrix": RANDOM.uniform(-1, 1, (BATCH, 2, 3)).astype(ml_dtypes.bfloat16),
    "integers": RANDOM.integers(-3, 4, (BATCH, 1, 3)).astype(np.int32),
    "bytes": RANDOM.integers(0, 4, (BATCH, 3)).astype(np.uint8),
    "bools": RANDOM.integers(0, 2, (BATCH, 2, 3)).astype(bool),
}
#: Bounded or of slope about 1, so that errors do not grow. The results broadcast with all others.
UNARY = {
    "sin": lambda xp, a: xp.sin(a),
    "tanh": lambda xp, a: xp.tanh(a),
    "double": lambda xp, a: a * 2,
    "half": lambda xp, a: a * 0.5,
    "root": lambda xp, a: xp.sqrt(1.5 + xp.cos(a)),
    "mean of rows": lambda xp, a: xp.mean(a * 1.0, axis=-1, keepdims=True) if a.ndim else a,
    "sum": lambda xp, a: xp.tanh(xp.sum(a * 0.25)),
    "reversed": lambda xp, a: a[..., ::-1] if a.ndim else a,
    "turned": lambda xp, a: xp.broadcast_to(a, (2, 3)).T.reshape(2, 3),
    "largest": lambda xp, a: xp.max(a, axis=0) if a.ndim else a,
}
BINARY = {
    "add": lambda xp, a, b: a + b * 1,
    "subtract": lambda xp, a, b: a * 1 - b * 1,
    "multiply": lambda xp, a, b: xp.sin(a) * b,
    "divide": lambda xp, a, b: a / (2.0 + xp.sin(b)),
    "select": lambda xp, a, b: xp.where(xp.sin(a) > 0.05, a, b),
    "contract": lambda xp, a, b: xp.sum(xp.sin(a) * b, axis=-1, keepdims=True) if (a * b).ndim else a,
    "product": lambda xp, a, b: xp.tanh(
        xp.broadcast_to(xp.sin(a), (2, 3)) @ xp.broadcast_to(xp.cos(b), (2, 3)).T @ xp.ones((2, 1), a.dtype)
    ),
}


def _trees(depth):
    tree = leaf = st.sampled_from(sorted(LEAVES)).map(lambda name: (name,))
    for _ in range(depth):
        tree = st.one_of(
            leaf,
            st.tuples(st.sampled_from(sorted(UNARY)), tree),
            st.tuples(st.sampled_from(sorted(BINARY)), tree, tree),
        )
    return tree


def _evaluate(xp, tree, leaves):
    head, *operands = tree
    if head in LEAVES:
        return leaves[head]
    return (UNARY | BINARY)[head](xp, *[_evaluate(xp, operand, leaves) for operand in operands])


def _names(tree):
    return {tree[0]} & set(LEAVES) | {name for operand in tree[1:] for name in _names(operand)}


def _close(actual, expected, tolerance):
    actual, expected = (np.asarray(x).astype(np.float64) for x in (actual, expected))
    assert actual.shape == expected.shape
    scale = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale)


def _of(tree, make, item):
    return {name: make(LEAVES[name][item]) for name in _names(tree)}


def _tolerance(tree):
    """Of a few dozen roundings of the least precise dtype that is in it."""
    if "bfloat16 matrix" in _names(tree):
        return 64 * 2.0**-8
    return 64 * 2.0**-11 if "half row" in _names(tree) else 64 * 2.0**-23


@settings(max_examples=10)  # each compiles in JAX
@given(_trees(DEPTH))
def test_values(tree):
    def function(leaves):
        return _evaluate(ft, tree, leaves)

    tolerance = _tolerance(tree)
    eager = [function(_of(tree, ft.array, item)) for item in range(BATCH)]
    for item, value in enumerate(eager):
        theirs = _evaluate(jnp, tree, _of(tree, jnp.asarray, item))
        assert str(value.dtype) == str(theirs.dtype)
        _close(value, theirs, tolerance)
        _close(ft.jit(function)(_of(tree, ft.array, item)), value, tolerance)
        if not _names(tree) & {"bytes", "bools"}:  # whose arithmetic is another in float64
            wide = _evaluate(np, tree, _of(tree, lambda x: x.astype(np.float64), item))
            _close(value, wide, tolerance)
    batch = {name: ft.array(LEAVES[name]) for name in _names(tree)}
    mapped = ft.vmap(function)(batch)
    for item, value in enumerate(eager):
        assert mapped.dtype == value.dtype
        _close(mapped[item], value, tolerance)
    _close(ft.jit(ft.vmap(function))(batch), mapped, tolerance)


@settings(max_examples=6)
@given(_trees(DEPTH - 1))
def test_gradients(factor):
    tree = ("multiply", ("x",), factor)

    def loss(xp, x, others):
        return xp.sum(_evaluate(xp, tree, others | {"x": x}) * 1.0).astype("float32")

    tolerance = 16 * _tolerance(tree)
    rows = []
    for item in range(BATCH):
        ours, jaxs = _of(tree, ft.array, item), _of(tree, jnp.asarray, item)
        gradient = ft.grad(lambda x, others: loss(ft, x, others))(ours["x"], ours)
        _close(gradient, jax.grad(lambda x, others: loss(jnp, x, others))(jaxs["x"], jaxs), tolerance)
        _close(ft.jit(ft.grad(lambda x, others: loss(ft, x, others)))(ours["x"], ours), gradient, tolerance)
        rows.append(gradient)
    batch = {name: ft.array(LEAVES[name]) for name in _names(tree)}
    mapped = ft.vmap(ft.grad(lambda x, others: loss(ft, x, others)))(batch["x"], batch)
    _close(mapped, np.stack([np.asarray(x) for x in rows]), tolerance)
