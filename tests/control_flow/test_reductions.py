"""reduce and reduce_window: any associative function, in order, with all derivatives."""

import numpy as np
import pytest

import ftrans as ft
from ftrans.primitives.window import reduce_window_max_p

RTOL = 1e-12


def _affine(a, b):
    """The composition of two affine maps: associative, but not commutative."""
    return {"scale": a["scale"] * b["scale"], "shift": a["shift"] * b["scale"] + b["shift"]}


def _affine_operands(*shape):
    random = np.random.default_rng(len(shape))
    return {name: random.uniform(-1.2, 1.2, shape) for name in ("scale", "shift")}


IDENTITY = {"scale": 1.0, "shift": 0.0}


def _folded(function, init, elements):
    """One after another."""
    for element in elements:
        init = function(init, element)
    return init


def _affine_reference(init, scales, shifts):
    return _folded(_affine, init, [{"scale": a, "shift": b} for a, b in zip(scales, shifts, strict=True)])


@pytest.mark.parametrize("size", [0, 1, 2, 3, 6, 7, 11, 17, 40, 101])
def test_reduce_is_in_order(size):
    operands = _affine_operands(size)
    init = {"scale": 0.7, "shift": -0.3}
    result = ft.reduce(operands, init, _affine, [0])
    expected = _affine_reference(init, operands["scale"], operands["shift"])
    for name in init:
        assert result[name].dtype == ft.float64
        np.testing.assert_allclose(result[name], expected[name], rtol=RTOL)


@pytest.mark.parametrize("size", [16, 17, 45, 70])
def test_long_rows_are_reduced_in_order(size):
    operands = _affine_operands(3, size)
    init = {"scale": np.float64(1), "shift": np.float64(0)}
    result = ft.reduce(operands, init, _affine, [1])
    for row in range(3):
        expected = ft.reduce({name: x[row] for name, x in operands.items()}, init, _affine, [0])
        for name in result:
            np.testing.assert_allclose(np.asarray(result[name])[row], np.asarray(expected[name]), rtol=1e-12)


@pytest.mark.parametrize("dimensions", [(0, 2), (2, 0), (1,), (-1, 1), (0, 1, 2), ()])
def test_reduce_goes_along_any_axes(dimensions):
    operands = _affine_operands(3, 4, 5)
    axes = [d % 3 for d in dimensions]
    kept = [a for a in range(3) if a not in axes]
    result = ft.reduce(operands, IDENTITY, _affine, dimensions)
    scale, shift = (np.transpose(operands[n], (*kept, *axes)) for n in IDENTITY)
    shape = scale.shape[: len(kept)]
    for index in np.ndindex(*shape):
        expected = _affine_reference(IDENTITY, scale[index].ravel(), shift[index].ravel())
        for name in IDENTITY:
            assert result[name].shape == shape
            np.testing.assert_allclose(result[name][index], expected[name], rtol=1e-10)


KNOWN = [
    (ft.add, np.sum, 0.5, "reduce_sum"),
    (lambda a, b: b * a, np.prod, 2.0, "reduce_prod"),
    (ft.maximum, np.max, -0.2, "reduce_max"),
    (ft.minimum, np.min, 0.2, "reduce_min"),
]


@pytest.mark.parametrize(("function", "reference", "init", "primitive"), KNOWN)
def test_known_reductions_are_recognised(function, reference, init, primitive):
    x = np.random.default_rng(0).standard_normal((3, 4))
    begun = {np.sum: np.add, np.prod: np.multiply, np.max: np.maximum, np.min: np.minimum}[reference]
    expected = begun(init, reference(x, axis=1))
    np.testing.assert_allclose(ft.reduce(x, init, function, [1]), expected, rtol=RTOL)
    names = [
        e.primitive.name
        for e in ft.make_jaxpr(lambda x: ft.reduce(x, init, function, [1]))(x).jaxpr.equations
    ]
    assert primitive in names
    both = ft.reduce((x, x), (init, init), lambda a, b: (function(a[0], b[0]), function(a[1], b[1])), [1])
    np.testing.assert_allclose(both[1], expected, rtol=RTOL)
    crossed = ft.reduce((x, 2 * x), (0.0, 0.0), lambda a, b: (a[0] + b[0], a[0] + b[1]), [1])
    assert crossed[0].shape == (3,)


def test_reduce_of_other_dtypes():
    x = np.array([[True, False], [False, False]])
    assert ft.reduce(x, False, ft.logical_or, [1]).tolist() == [True, False]
    assert ft.reduce(x, False, ft.logical_xor, [0, 1]).tolist() is True
    numbers = np.array([3, 5, 6], np.int32)
    assert int(ft.reduce(numbers, 0, lambda a, b: a | b, [0])) == 7
    assert int(ft.reduce(numbers, 0, lambda a, b: a ^ b, [0])) == 0
    assert complex(ft.reduce(np.array([1j, 2.0]), 1, ft.multiply, [0])) == 2j


def _smooth(a, b):
    """Associative: tanh of the sum of artanh."""
    return (a + b) / (1.0 + a * b)


@pytest.mark.parametrize(
    "f",
    [
        lambda x, init: ft.reduce(x, init, _smooth, [1]),
        lambda x, init: ft.reduce(x, init, ft.multiply, [0]),
        lambda x, init: ft.reduce_window(x, init, _smooth, (2, 3), (1, 2), "SAME"),
        lambda x, init: ft.reduce_window(x, init, ft.add, (2, 3), (1, 2), ((1, 0), (0, -1))),
    ],
)
def test_derivatives_and_batches(f):
    x = np.random.default_rng(3).uniform(-0.6, 0.6, (3, 5))
    init = np.float64(0.3)
    ft.testing.check_grads(f, (x, init), order=2)
    batch = np.stack([x, x * 0.5, x[::-1]])
    expected = np.stack([f(row, init) for row in batch])
    np.testing.assert_allclose(ft.jit(ft.vmap(lambda x: f(x, init)))(batch), expected, rtol=RTOL)
    gradient = ft.grad(lambda x: ft.sum(f(x, init) ** 2))
    np.testing.assert_allclose(ft.vmap(gradient)(batch), np.stack([gradient(r) for r in batch]), rtol=RTOL)


WINDOWS = [
    {"window_dimensions": (2, 3)},
    {"window_dimensions": (3, 1), "window_strides": (2, 2), "padding": ((1, 0), (-1, 2))},
    {"window_dimensions": (2, 5), "window_strides": (3, 1), "padding": "SAME"},
    {"window_dimensions": (2, 3), "window_dilation": (2, 1), "base_dilation": (1, 2)},
    {"window_dimensions": (4, 2), "base_dilation": (3, 1), "padding": "SAME", "window_strides": (1, 2)},
    {"window_dimensions": (9, 9)},
]


def _jax(function):
    jax = pytest.importorskip("jax")
    previous = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        return function(jax)
    finally:
        jax.config.update("jax_enable_x64", previous)


@pytest.mark.parametrize("parameters", WINDOWS)
@pytest.mark.parametrize(
    ("name", "init"), [("add", 0.0), ("add", 0.5), ("max", -np.inf), ("max", 0.1), ("min", 0.1), ("mul", 1.0)]
)
def test_windows_are_those_of_jax(parameters, name, init):
    x = np.random.default_rng(5).standard_normal((6, 7))
    neutral = 1.0 if name == "mul" else -np.inf if name == "max" else np.inf if name == "min" else 0.0
    ours = {"add": ft.add, "max": ft.maximum, "min": ft.minimum, "mul": ft.multiply}[name]
    result = ft.reduce_window(x, init, ours, **parameters)
    general = ft.reduce_window(x, init, lambda a, b: ours(a, b) + 0.0, **parameters)
    np.testing.assert_allclose(result, general, rtol=1e-10)
    if init == neutral:  # XLA may start with other numbers any number of times
        given = {"window_strides": (1, 1), "padding": "VALID", **parameters}
        theirs = _jax(
            lambda jax: np.asarray(
                jax.lax.reduce_window(
                    x,
                    np.float64(init),
                    {"add": jax.lax.add, "max": jax.lax.max, "min": jax.lax.min, "mul": jax.lax.mul}[name],
                    **given,
                )
            )
        )
        np.testing.assert_allclose(result, theirs, rtol=1e-10)


@pytest.mark.parametrize("window", [1, 2, 3, 5, 6, 8])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (7, 1), (1, 2)])
def test_windows_are_in_order(window, stride, dilation):
    operands = _affine_operands(17)
    arguments = (window,), (stride,), "VALID", None, (dilation,)
    result = ft.reduce_window(operands, IDENTITY, _affine, *arguments)
    starts = range(0, 17 - (window - 1) * dilation, stride)
    for k, start in enumerate(starts):
        places = start + dilation * np.arange(window)
        expected = _affine_reference(IDENTITY, operands["scale"][places], operands["shift"][places])
        for name in IDENTITY:
            np.testing.assert_allclose(result[name][k], expected[name], rtol=1e-10)
    assert result["scale"].shape == (len(starts),)


def test_windows_of_integers_are_recognised():
    x = np.arange(6, dtype=np.int32)

    def f(x):
        return ft.reduce_window(x, -(2**31), ft.maximum, [2], [2])

    assert f(x).tolist() == [1, 3, 5]
    assert [e.primitive for e in ft.make_jaxpr(f)(x).jaxpr.equations] == [reduce_window_max_p]
    empty = ft.reduce_window(np.ones(2), 0.25, ft.add, [3])
    assert empty.shape == (0,)


def test_the_number_of_operations_grows_like_the_logarithm():
    def count(size):
        return len(ft.make_jaxpr(lambda x: ft.reduce(x, 0.0, _smooth, [0]))(np.ones(size)).jaxpr.equations)

    assert count(1024) - count(512) == count(4096) - count(2048) < 10


def test_errors_name_what_is_wrong():
    x = np.ones((2, 3))
    with pytest.raises(TypeError, match="reduce expects a function"):
        ft.reduce(x, 0.0, 3, [0])
    with pytest.raises(ValueError, match="dimension 2 is out of range"):
        ft.reduce(x, 0.0, ft.add, [2])
    with pytest.raises(ValueError, match="dimensions must differ"):
        ft.reduce(x, 0.0, ft.add, [0, -2])
    with pytest.raises(ValueError, match="no arrays"):
        ft.reduce((), (), lambda a, b: a, [])
    with pytest.raises(ValueError, match=r"must have one shape, but operands\[1\] is f64\[2\]"):
        ft.reduce((x, x[:, 0]), (0.0, 0.0), lambda a, b: a, [0])
    with pytest.raises(TypeError, match="init_values must have the structure"):
        ft.reduce(x, (0.0,), ft.add, [0])
    with pytest.raises(TypeError, match=r"init_values must be a float64 scalar .* f32\[\]"):
        ft.reduce(x, np.float32(0), ft.add, [0])
    with pytest.raises(TypeError, match="must return a tree like its arguments"):
        ft.reduce(x, 0.0, lambda a, b: (a, b), [0])
    with pytest.raises(TypeError, match=r"returns bool\[\] for operands"):
        ft.reduce(x, 0.0, lambda a, b: a < b, [0])
    with pytest.raises(ValueError, match="window_dimensions must have one positive int for each of 2 axes"):
        ft.reduce_window(x, 0.0, ft.add, [2])
    with pytest.raises(ValueError, match="window_strides must have"):
        ft.reduce_window(x, 0.0, ft.add, [2, 2], [0, 1])
    with pytest.raises(ValueError, match='padding must be "SAME", "VALID", or a pair'):
        ft.reduce_window(x, 0.0, ft.add, [2, 2], padding="FULL")
