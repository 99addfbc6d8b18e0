"""`ft.fft` against NumPy, under transformations, and its errors. The harness checks the primitive itself."""

import numpy as np
import pytest

import ftrans as ft
from ftrans.core.primitive import primitives
from ftrans.lowering import compiled

NORMS = ("backward", "ortho", "forward")
RANDOM = np.random.default_rng(0)
REAL = RANDOM.standard_normal((4, 3, 5))
COMPLEX = REAL + 1j * RANDOM.standard_normal((4, 3, 5))

# Both transform in double precision by the same kind of algorithm, whose error grows with log n: a few units.
TOLERANCE = 1e-14
# Single precision: as many units of 2⁻²³.
SINGLE = 2e-6

ONE = ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
MANY = ("fftn", "ifftn", "rfftn", "irfftn")
TWO = ("fft2", "ifft2", "rfft2", "irfft2")


def operand(name):
    return REAL if name in ("rfft", "ihfft", "rfftn", "rfft2") else COMPLEX


def check(name, x, tolerance=TOLERANCE, **arguments):
    result = np.asarray(getattr(ft.fft, name)(ft.array(x), **arguments))
    expected = getattr(np.fft, name)(x, **arguments)
    assert result.shape == expected.shape
    scale = max(1.0, np.abs(expected).max(initial=0))
    np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("n", [None, 1, 2, 4, 7, 8])
@pytest.mark.parametrize("name", ONE)
def test_one_axis(name, n, norm):
    for axis in (-1, 0, 1):
        check(name, operand(name), n=n, axis=axis, norm=norm)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", [*MANY, *TWO])
def test_several_axes(name, norm):
    x = operand(name)
    for axes in ((0, 1), (2, 0), (-1, -2)):
        check(name, x, axes=axes, norm=norm)
        check(name, x, s=(3, 6), axes=axes, norm=norm)
        check(name, x, s=(-1, 4), axes=axes, norm=norm)
    check(name, x, norm=norm)


@pytest.mark.parametrize("name", MANY)
def test_lengths_without_axes_are_of_the_last_ones(name):
    x = ft.array(operand(name))
    function = getattr(ft.fft, name)
    np.testing.assert_array_equal(
        np.asarray(function(x, s=(2, 6))), np.asarray(function(x, s=(2, 6), axes=(-2, -1)))
    )


def test_no_axes_is_the_identity():
    x = ft.array(COMPLEX)
    np.testing.assert_array_equal(np.asarray(ft.fft.fftn(x, axes=())), COMPLEX)
    with pytest.raises(ValueError, match="rfftn: at least one axis is needed"):
        ft.fft.rfftn(ft.array(REAL), axes=())


@pytest.mark.parametrize("name", [*ONE, *MANY, *TWO])
def test_precision_is_kept(name):
    for wide, narrow in ((np.complex128, np.complex64), (np.float64, np.float32)):
        if operand(name) is REAL and wide is np.complex128:
            continue
        x = operand(name).real if wide is np.float64 else operand(name)
        function = getattr(ft.fft, name)
        y, z = function(ft.array(x.astype(wide))), function(ft.array(x.astype(narrow)))
        assert (y.dtype.itemsize, z.dtype.itemsize) in ((16, 8), (8, 4))
        np.testing.assert_allclose(
            np.asarray(z), np.asarray(y), rtol=0, atol=SINGLE * np.abs(np.asarray(y)).max()
        )


@pytest.mark.parametrize("dtype", [ft.bool_, ft.int32, ft.uint8, ft.float16, ft.bfloat16])
def test_other_dtypes_are_converted(dtype):
    x = ft.array([1, 0, 1, 1]).astype(dtype)
    assert ft.fft.fft(x).dtype is ft.complex64
    assert ft.fft.rfft(x).dtype is ft.complex64
    assert ft.fft.irfft(x).dtype is ft.float32
    np.testing.assert_allclose(np.asarray(ft.fft.rfft(x)), np.fft.rfft([1, 0, 1, 1]), atol=SINGLE)


def test_empty_batches():
    assert ft.fft.fft(ft.zeros((0, 4))).shape == (0, 4)
    assert ft.fft.rfft2(ft.zeros((3, 0, 4)), axes=(0, 2)).shape == (3, 0, 3)
    assert ft.fft.irfft(ft.zeros((0, 4))).shape == (0, 6)


@pytest.mark.parametrize("size", [1 << 16, 3 * 5 * 7 * 11 * 13, 65537])
def test_long_transforms_on_several_threads(size):
    x = np.random.default_rng(1).standard_normal(size)
    check("rfft", x)
    check("fft", np.stack([x, x[::-1]]), axis=1)


@pytest.mark.parametrize("columns", [128, 256, 1024])
@pytest.mark.parametrize("name", [*ONE, *TWO])
def test_rows_that_collide_in_the_cache(name, columns):
    """Rows of a multiple of 2048 bytes take a way of their own, through padded memory."""
    x = np.random.default_rng(2).standard_normal((3, columns))
    x = x if operand(name) is REAL else x + 1j * x[::-1]
    check(name, x, **({"n": columns} if name in ONE else {"s": (3, columns)}))
    check(name, np.asfortranarray(x))


def test_layouts():
    x = ft.array(COMPLEX)
    np.testing.assert_allclose(
        np.asarray(ft.fft.fft(ft.flip(ft.permute_dims(x, (2, 0, 1)), axis=1)[::2], axis=1)),
        np.fft.fft(np.flip(COMPLEX.transpose(2, 0, 1), 1)[::2], axis=1),
        atol=1e-13,
    )
    constant = ft.broadcast_to(ft.array(2.0), (3, 4))
    np.testing.assert_allclose(np.asarray(ft.fft.fft(constant)), np.fft.fft(np.full((3, 4), 2.0)))


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_frequencies(n):
    for name in ("fftfreq", "rfftfreq"):
        result = getattr(ft.fft, name)(n, d=0.25, dtype=ft.float64)
        np.testing.assert_array_equal(np.asarray(result), getattr(np.fft, name)(n, d=0.25))
        assert getattr(ft.fft, name)(n, device=ft.cpu).dtype is ft.float32


def test_shifts():
    for axes in (None, 1, (0, 2)):
        shifted = ft.fft.fftshift(ft.array(REAL), axes=axes)
        np.testing.assert_array_equal(np.asarray(shifted), np.fft.fftshift(REAL, axes=axes))
        np.testing.assert_array_equal(np.asarray(ft.fft.ifftshift(shifted, axes=axes)), REAL)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ft.fft.fft(ft.ones(3), n=0), ValueError, r"fft: the length .* at least 1, got 0 for axis 0"),
        (
            lambda: ft.fft.fft(ft.ones(3), n=-2),
            ValueError,
            "fft: the length of a transform must be at least 1",
        ),
        (lambda: ft.fft.fft(ft.zeros((2, 0))), ValueError, r"got 0 for axis 1 of an array of shape \(2, 0\)"),
        (lambda: ft.fft.irfft(ft.ones(1)), ValueError, "irfft: the length of a transform must be at least 1"),
        (lambda: ft.fft.fft(ft.ones(3), n=2.5), TypeError, "fft: a length must be an integer, got float"),
        (lambda: ft.fft.fft(ft.ones(3), axis=1), IndexError, "fft: axis 1 is out of range"),
        (lambda: ft.fft.fft(ft.array(1.0)), IndexError, "fft: axis -1 is out of range"),
        (
            lambda: ft.fft.fft(ft.ones(3), norm="none"),
            ValueError,
            "fft: norm must be one of backward, ortho, f",
        ),
        (lambda: ft.fft.fft("text"), TypeError, "fft: x must be an array or a number, got str"),
        (lambda: ft.fft.rfft(ft.array([1j])), TypeError, "rfft: x must be real, got complex64"),
        (lambda: ft.fft.fftn(ft.ones((2, 2)), axes=(0, -2)), IndexError, "fftn: an axis is given twice"),
        (lambda: ft.fft.fftn(ft.ones((2, 2)), s=(2,), axes=(0, 1)), ValueError, "got 1 lengths s for 2 axes"),
        (lambda: ft.fft.fftn(ft.ones((2, 2)), s=2), TypeError, "fftn: s must be a sequence of integers"),
        (lambda: ft.fft.fftfreq(0), ValueError, "fftfreq: n must be at least 1"),
        (lambda: ft.fft.rfftfreq(4, dtype=ft.int32), TypeError, "rfftfreq: dtype must be a real floating"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_primitive_names_what_it_cannot_take():
    parameters = {"axes": (0,), "forward": True, "norm": 0, "length": 4}
    with pytest.raises(TypeError, match="a transform r2c takes float32 or float64, got float16"):
        primitives["fft"].bind(ft.ones(4, dtype=ft.float16), kind="r2c", **parameters)
    with pytest.raises(ValueError, match=r"axis 0 of shape \(4,\) does not fit the length 4 of c2r"):
        primitives["fft"].bind(ft.ones(4, dtype=ft.complex64), kind="c2r", **parameters)


@pytest.mark.parametrize("wrap", [lambda f: f, ft.jit], ids=["eager", "jit"])
def test_gradient_of_a_filter(wrap):
    """The gradient of Σ w·(h ∗ x) is the correlation of h with w."""
    x, h, w = REAL[0, 0], REAL[1, 0], REAL[2, 0]

    def loss(x):
        return ft.sum(ft.array(w) * ft.fft.irfft(ft.fft.rfft(x) * ft.fft.rfft(ft.array(h)), n=5))

    expected = [sum(w[(i + j) % 5] * h[i] for i in range(5)) for j in range(5)]
    np.testing.assert_allclose(np.asarray(wrap(ft.grad(loss))(ft.array(x))), expected, atol=1e-14)
    np.testing.assert_allclose(np.asarray(wrap(ft.hessian(loss))(ft.array(x))), np.zeros((5, 5)), atol=1e-14)


@pytest.mark.parametrize("name", [*ONE, *MANY])
@pytest.mark.parametrize("in_axis", [0, 1, 2])
def test_vmap(name, in_axis):
    x = operand(name)
    function, reference = getattr(ft.fft, name), getattr(np.fft, name)
    expected = np.stack([reference(np.take(x, i, in_axis)) for i in range(x.shape[in_axis])])
    for wrap in (lambda f: f, ft.jit):
        result = wrap(ft.vmap(function, in_axes=in_axis))(ft.array(x))
        np.testing.assert_allclose(np.asarray(result), expected, atol=1e-13)


def test_equal_transforms_are_computed_once():
    x = ft.array(COMPLEX[0, 0])
    program = compiled(ft.make_jaxpr(lambda x: ft.fft.fft(x) + ft.fft.fft(x))(x))
    assert program.as_text().count("host_call") == 1
    np.testing.assert_allclose(np.asarray(program([x])[0]), 2 * np.fft.fft(COMPLEX[0, 0]), atol=1e-14)


@pytest.mark.parametrize("name", [*ONE, *MANY, *TWO])
def test_derivatives_like_jax(name):
    jax = pytest.importorskip("jax")
    x = operand(name)[:2, :3]

    def squared(library):
        def f(x):
            y = getattr(library.fft, name)(x)
            return (abs(y) ** 2 * np.cos(np.arange(y.size)).reshape(y.shape)).sum()

        return f

    with jax.enable_x64(True):
        expected = jax.grad(squared(jax.numpy))(x)
    np.testing.assert_allclose(np.asarray(ft.grad(squared(ft))(ft.array(x))), expected, atol=1e-12)


def test_extension_is_announced():
    assert ft.__array_namespace_info__().capabilities()["fft"]
