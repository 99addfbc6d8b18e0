"""Elementwise functions against NumPy and SciPy, over dtypes and shapes."""

import numpy as np
import pytest
import scipy.special

import ftrans as ft

RNG = np.random.default_rng(0)


def _samples(low, high, dtype, shape=(4, 3)):
    values = RNG.uniform(low, high, shape)
    if np.dtype(dtype).kind == "c":
        values = values + 1j * RNG.uniform(low, high, shape)
    return values.astype(dtype)


# name, NumPy's function, the domain of the samples, the kinds of dtypes
UNARY = [
    ("negative", np.negative, (-3, 3), "ifc"),
    ("abs", np.abs, (-3, 3), "ifc"),
    ("sign", np.sign, (-3, 3), "ifc"),
    ("floor", np.floor, (-3, 3), "f"),
    ("ceil", np.ceil, (-3, 3), "f"),
    ("trunc", np.trunc, (-3, 3), "f"),
    ("round", np.round, (-3, 3), "f"),
    ("square", np.square, (-3, 3), "ifc"),
    ("sqrt", np.sqrt, (0.1, 5), "fc"),
    ("rsqrt", lambda x: 1 / np.sqrt(x), (0.1, 5), "f"),
    ("cbrt", np.cbrt, (-5, 5), "f"),
    ("exp", np.exp, (-3, 3), "fc"),
    ("exp2", np.exp2, (-3, 3), "f"),
    ("expm1", np.expm1, (-3, 3), "f"),
    ("log", np.log, (0.1, 5), "fc"),
    ("log2", np.log2, (0.1, 5), "f"),
    ("log10", np.log10, (0.1, 5), "f"),
    ("log1p", np.log1p, (-0.9, 5), "f"),
    ("sin", np.sin, (-3, 3), "fc"),
    ("cos", np.cos, (-3, 3), "fc"),
    ("tan", np.tan, (-1, 1), "fc"),
    ("asin", np.arcsin, (-0.9, 0.9), "f"),
    ("acos", np.arccos, (-0.9, 0.9), "f"),
    ("atan", np.arctan, (-3, 3), "f"),
    ("sinh", np.sinh, (-3, 3), "fc"),
    ("cosh", np.cosh, (-3, 3), "fc"),
    ("tanh", np.tanh, (-3, 3), "fc"),
    ("asinh", np.arcsinh, (-3, 3), "f"),
    ("acosh", np.arccosh, (1.1, 5), "f"),
    ("atanh", np.arctanh, (-0.9, 0.9), "f"),
    ("erf", scipy.special.erf, (-2, 2), "f"),
    ("erfc", scipy.special.erfc, (-2, 2), "f"),
    ("erfinv", scipy.special.erfinv, (-0.9, 0.9), "f"),
    ("lgamma", scipy.special.gammaln, (0.5, 5), "f"),
    ("digamma", scipy.special.digamma, (0.5, 5), "f"),
    ("sigmoid", scipy.special.expit, (-3, 3), "f"),
    ("reciprocal", np.reciprocal, (0.5, 3), "fc"),
    ("degrees", np.degrees, (-3, 3), "f"),
    ("radians", np.radians, (-90, 90), "f"),
    ("sinc", np.sinc, (-2, 2), "f"),
    ("signbit", np.signbit, (-2, 2), "f"),
    ("isfinite", np.isfinite, (-2, 2), "f"),
    ("real", np.real, (-2, 2), "fc"),
    ("imag", np.imag, (-2, 2), "fc"),
    ("conj", np.conj, (-2, 2), "fc"),
    ("angle", np.angle, (-2, 2), "c"),
]
DTYPES = {"i": ["int32"], "f": ["float32", "float64"], "c": ["complex64", "complex128"]}


@pytest.mark.parametrize(
    ("name", "reference", "domain", "dtype"),
    [(n, f, d, dtype) for n, f, d, kinds in UNARY for k in kinds for dtype in DTYPES[k]],
)
def test_unary(name, reference, domain, dtype):
    x = _samples(*domain, dtype)
    out = np.asarray(getattr(ft, name)(ft.array(x)))
    expected = np.asarray(reference(x))
    assert out.shape == expected.shape
    assert out.dtype == expected.dtype
    np.testing.assert_allclose(
        out, expected, rtol=3e-5 if dtype in ("float32", "complex64") else 1e-9, atol=1e-6
    )


BINARY = [
    ("add", np.add, "uifc"),
    ("subtract", np.subtract, "uifc"),
    ("multiply", np.multiply, "uifc"),
    ("divide", np.divide, "fc"),
    ("floor_divide", np.floor_divide, "uif"),
    ("remainder", np.remainder, "uif"),
    ("fmod", np.fmod, "if"),
    ("maximum", np.maximum, "uif"),
    ("minimum", np.minimum, "uif"),
    ("atan2", np.arctan2, "f"),
    ("hypot", np.hypot, "f"),
    ("copysign", np.copysign, "f"),
    ("nextafter", np.nextafter, "f"),
    ("logaddexp", np.logaddexp, "f"),
    ("power", np.power, "f"),
    ("heaviside", np.heaviside, "f"),
    ("bitwise_and", np.bitwise_and, "bui"),
    ("bitwise_or", np.bitwise_or, "bui"),
    ("bitwise_xor", np.bitwise_xor, "bui"),
    ("bitwise_left_shift", np.left_shift, "ui"),
    ("bitwise_right_shift", np.right_shift, "ui"),
    ("equal", np.equal, "buifc"),
    ("not_equal", np.not_equal, "buifc"),
    ("less", np.less, "buif"),
    ("less_equal", np.less_equal, "buif"),
    ("greater", np.greater, "buif"),
    ("greater_equal", np.greater_equal, "buif"),
    ("logical_and", np.logical_and, "buif"),
    ("logical_or", np.logical_or, "buif"),
    ("logical_xor", np.logical_xor, "buif"),
]
OPERAND_DTYPES = {"b": "bool", "u": "uint8", "i": "int32", "f": "float32", "c": "complex64"}


@pytest.mark.parametrize("shapes", [((4, 3), (4, 3)), ((4, 1), (3,)), ((), (2, 3)), ((1,), ())])
@pytest.mark.parametrize(
    ("name", "reference", "dtype"), [(n, f, OPERAND_DTYPES[k]) for n, f, kinds in BINARY for k in kinds]
)
def test_binary(name, reference, dtype, shapes):
    x, y = (_samples(1, 5, dtype, shape) for shape in shapes)
    out = np.asarray(getattr(ft, name)(ft.array(x), ft.array(y)))
    expected = np.asarray(reference(x, y))
    assert out.shape == expected.shape
    assert out.dtype == expected.dtype
    np.testing.assert_allclose(out, expected, rtol=2e-5)


def test_bools_are_added_as_in_numpy():
    x, y = np.array([True, True, False]), np.array([True, False, False])
    for name in ("add", "multiply", "maximum", "minimum", "floor_divide", "remainder", "power"):
        with np.errstate(divide="ignore"):
            expected = getattr(np, name)(x, y)
        out = getattr(ft, name)(ft.array(x), ft.array(y))
        assert out.dtype == expected.dtype, name
        if name not in ("floor_divide", "remainder"):  # by zero
            assert np.array_equal(np.asarray(out), expected), name
    with pytest.raises(TypeError, match="subtract: operands must have a numeric dtype, got bool"):
        ft.array(x) - ft.array(y)


@pytest.mark.parametrize("exponent", [*range(-4, 9), 16, 17, 40])
def test_integer_powers(exponent):
    x = np.array([0.5, -1.25, 2.0], np.float32)
    np.testing.assert_allclose(np.asarray(ft.array(x) ** exponent), x**exponent, rtol=2e-6)
    if exponent >= 0:
        i = np.array([0, 1, -2, 3], np.int32)
        assert np.array_equal(np.asarray(ft.array(i) ** exponent), i**exponent)


def test_integers_to_a_negative_power():
    with pytest.raises(ValueError, match="power: integers to the negative power -1"):
        ft.array([1, 2]) ** -1


def test_scalar_on_the_left():
    x = ft.array([1.0, 2.0])
    np.testing.assert_allclose(np.asarray(3 - x), [2, 1])
    np.testing.assert_allclose(np.asarray(2**x), [2, 4])
    np.testing.assert_allclose(np.asarray(np.float32(3) / x), [3, 1.5])
    assert (np.ones(2, np.float32) + x).dtype is ft.float32
    assert isinstance(np.ones(2, np.float32) + x, ft.Array)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (None, 1), (0, None), (None, None), (2, 1)])
def test_clip(low, high):
    x = np.array([-1.0, 0.5, 3.0], np.float32)
    out = np.asarray(ft.clip(ft.array(x), low, high))
    np.testing.assert_array_equal(out, x if low is high is None else np.clip(x, low, high))


def test_where_promotes_and_broadcasts():
    out = ft.where(ft.array([[True], [False]]), ft.array([1, 2]), 0.5)
    assert out.dtype is ft.float32
    np.testing.assert_array_equal(np.asarray(out), [[1, 2], [0.5, 0.5]])


@pytest.mark.parametrize("decimals", [-2, -1, 0, 1, 3])
def test_round_decimals(decimals):
    x = np.array([123.4567, -0.5, 1234.5], np.float64)
    np.testing.assert_allclose(np.asarray(ft.round(ft.array(x), decimals)), np.round(x, decimals), rtol=1e-12)
    i = np.array([123, 155, -1249], np.int32)
    assert np.array_equal(np.asarray(ft.round(ft.array(i), decimals)), np.round(i, decimals))


def test_isclose_and_nan_to_num():
    x = np.array([1.0, np.nan, np.inf, -np.inf, 0.0], np.float32)
    y = np.array([1.0 + 1e-6, np.nan, np.inf, np.inf, 1e-9], np.float32)
    for equal_nan in (False, True):
        out = ft.isclose(ft.array(x), ft.array(y), equal_nan=equal_nan)
        assert np.array_equal(np.asarray(out), np.isclose(x, y, equal_nan=equal_nan))
    np.testing.assert_array_equal(np.asarray(ft.nan_to_num(ft.array(x))), np.nan_to_num(x))
    assert bool(ft.array_equal(ft.array(x), ft.array(x), equal_nan=True))
    assert not bool(ft.array_equal(ft.array(x), ft.array(x)))


@pytest.mark.parametrize("bad", ["text", None, object(), [1, 2]])
def test_operands_that_are_not_arrays(bad):
    with pytest.raises(TypeError, match=f"sin: x must be an array or a number, got {type(bad).__name__}"):
        ft.sin(bad)
    with pytest.raises(TypeError, match=f"add: x2 must be an array or a number, got {type(bad).__name__}"):
        ft.add(ft.ones(2), bad)
    with pytest.raises(TypeError):
        ft.ones(2) + bad


def test_shapes_that_do_not_broadcast():
    with pytest.raises(ValueError, match=r"multiply: shapes \(2,\) and \(3,\) do not broadcast"):
        ft.ones(2) * ft.ones(3)


def test_operators_leave_foreign_objects_alone():
    class Foreign:
        def __radd__(self, other):
            return "radd"

        def __eq__(self, other):
            return "eq"

    assert ft.ones(2) + Foreign() == "radd"
    assert (ft.ones(2) == Foreign()) == "eq"


def test_in_place_operators_rebind_the_handle():
    x = ft.array([1.0, 2.0])
    alias, copy = x, x.copy()
    x += 1
    assert alias is x
    np.testing.assert_array_equal(np.asarray(x), [2, 3])
    np.testing.assert_array_equal(np.asarray(copy), [1, 2])
    i = ft.array([1])
    with pytest.raises(TypeError, match="float32, but x has int32"):
        i += 0.5
    with pytest.raises(ValueError, match=r"shape \(2, 2\), but x has shape \(2,\)"):
        x += ft.ones((2, 1))


def test_stream_keyword():
    x = ft.array([1.0, 2.0])
    np.testing.assert_array_equal(np.asarray(ft.add(x, x, stream=ft.cpu)), [2, 4])
    np.testing.assert_array_equal(np.asarray(ft.sum(x, stream=ft.cpu)), 3)
    with pytest.raises(TypeError, match="stream must be a Stream or a Device"):
        ft.add(x, x, stream="cpu")
