"""What the Python array API standard asks for beside the functions themselves."""

import numpy as np
import pytest

import ftrans as ft

KINDS = {
    "bool": {"bool"},
    "signed integer": {"int8", "int16", "int32", "int64"},
    "unsigned integer": {"uint8", "uint16", "uint32", "uint64"},
    "real floating": {"float32", "float64"},
    "complex floating": {"complex64", "complex128"},
}


class OnAnotherDevice:
    """Memory that only another device can read."""

    def __dlpack__(self, **keywords):
        raise BufferError("not on the CPU")

    def __dlpack_device__(self):
        return (2, 0)


# -- inspection


@pytest.mark.parametrize("kind", KINDS)
def test_dtypes_of_a_kind(kind):
    dtypes = ft.__array_namespace_info__().dtypes(kind=kind)
    assert set(dtypes) == KINDS[kind]
    assert all(getattr(ft, name) is dtype for name, dtype in dtypes.items())


def test_dtypes_of_several_kinds():
    info = ft.__array_namespace_info__()
    everything = set().union(*KINDS.values())
    assert set(info.dtypes()) == everything
    assert set(info.dtypes(kind="numeric", device=ft.cpu)) == everything - {"bool"}
    assert set(info.dtypes(kind=("bool", "integral"))) == set().union(*list(KINDS.values())[:3])
    with pytest.raises(ValueError, match="isdtype: kind must be one of"):
        info.dtypes(kind="float")


def test_default_dtypes_are_those_of_results():
    defaults = ft.__array_namespace_info__().default_dtypes()
    assert defaults["real floating"] is ft.asarray(1.0).dtype
    assert defaults["complex floating"] is ft.asarray(1j).dtype
    assert defaults["integral"] is ft.asarray(1).dtype
    x = ft.array([3.0, 1.0])
    for indices in (ft.argmax(x), ft.argsort(x), ft.nonzero(x)[0], ft.searchsorted(x, x)):
        assert defaults["indexing"] is indices.dtype


def test_capabilities_and_devices():
    info = ft.__array_namespace_info__()
    assert info.capabilities() == {
        "boolean indexing": True,
        "data-dependent shapes": True,
        "max dimensions": None,
        "fft": True,
    }
    assert info.default_device() in info.devices()
    assert all(ft.is_available(device) for device in info.devices())
    with pytest.raises(TypeError, match="device must be a Stream or a Device, got str"):
        info.default_dtypes(device="cpu")


def test_namespace_and_version():
    x = ft.ones(2)
    assert x.__array_namespace__() is ft
    assert x.__array_namespace__(api_version=ft.__array_api_version__) is ft
    earlier = x.__array_namespace__(api_version="2023.12")
    assert earlier.sin is ft.sin
    assert type(earlier.meshgrid(x.reshape(-1))) is list
    assert type(earlier.broadcast_arrays(x)) is list
    assert type(earlier.__array_namespace_info__().devices()) is list
    with pytest.raises(ValueError, match=r"api_version must be one of .* got '1999.12'"):
        x.__array_namespace__(api_version="1999.12")
    assert ft.bool is ft.bool_


# -- devices


@pytest.mark.parametrize(
    "make",
    [
        lambda device: ft.asarray([1.0], device=device),
        lambda device: ft.arange(3, device=device),
        lambda device: ft.zeros_like(ft.ones(2), device=device),
        lambda device: ft.astype(ft.ones(2), ft.float64, device=device),
        lambda device: ft.from_dlpack(np.ones(2), device=device),
        lambda device: ft.ones(2).to_device(device),
    ],
)
def test_device_keyword(make):
    assert make(ft.cpu).device == ft.default_device()
    with pytest.raises(TypeError, match="device must be a Stream or a Device, got str"):
        make("cpu")


@pytest.mark.skipif(ft.is_available(ft.gpu), reason="the device has a backend")
def test_device_without_backend():
    with pytest.raises(RuntimeError, match="GPU"):
        ft.zeros(2, device=ft.gpu)
    with pytest.raises(RuntimeError, match="GPU"):
        ft.zeros(2).to_device(ft.gpu)


def test_device_only_where_arrays_are_made():
    with pytest.raises(TypeError, match="unexpected keyword argument 'device'"):
        ft.sum(ft.ones(2), device=ft.cpu)


def test_tracers_have_a_device():
    devices = []

    def f(x):
        devices.append(x.device)
        return x.to_device(x.device) * ft.ones(2, device=x.device)

    assert ft.jit(f)(ft.ones(2)).tolist() == [1, 1]
    assert devices == [ft.default_device()]


# -- indexing without elements

NO_INDICES = ft.array([], dtype=ft.int32)


@pytest.mark.parametrize(
    ("shape", "mask"), [((2,), (0,)), ((2, 3), (0, 3)), ((2, 3), (2, 0)), ((2, 3), (0,)), ((0, 3), (0, 3))]
)
def test_masks_without_elements(shape, mask):
    x, key = ft.ones(shape), ft.zeros(mask, dtype=ft.bool)
    assert x[key].shape == (0, *shape[len(mask) :])
    assert not x[key].weak_type
    x[key] = 5.0
    assert (np.asarray(x) == 1).all()


@pytest.mark.parametrize(("shape", "mask"), [((2,), (3,)), ((2, 3), (2, 2)), ((0,), (1,)), ((2,), (2, 0))])
def test_masks_that_do_not_fit(shape, mask):
    x, key = ft.ones(shape), ft.zeros(mask, dtype=ft.bool)
    with pytest.raises(IndexError, match="mask of shape"):
        x[key]
    with pytest.raises(IndexError, match="mask of shape"):
        x[key] = 1.0


def test_no_indices():
    empty = ft.zeros((0, 3))
    assert empty[NO_INDICES].shape == (0, 3)
    assert empty[:, ft.array([2, 0])].shape == (0, 2)
    assert ft.ones((2, 3))[NO_INDICES, NO_INDICES].shape == (0,)
    assert ft.take(empty, NO_INDICES, axis=0).shape == (0, 3)
    assert ft.take(empty, ft.array([[1]]), axis=1).shape == (0, 1, 1)
    assert ft.take_along_axis(empty, ft.zeros((0, 3), dtype=ft.int32), axis=0).shape == (0, 3)
    assert ft.put_along_axis(empty, ft.zeros((0, 3), dtype=ft.int32), 1.0, axis=1).shape == (0, 3)
    assert empty.at[NO_INDICES].add(1.0).shape == (0, 3)
    x = ft.ones(2)
    x[NO_INDICES] = ft.zeros(0)
    assert x.tolist() == [1, 1]
    assert ft.vmap(lambda x: x[NO_INDICES])(ft.ones((4, 2))).shape == (4, 0)
    assert ft.grad(lambda x: ft.sum(x[NO_INDICES]) + ft.sum(x))(ft.ones(2)).tolist() == [1, 1]


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x[ft.array([0])],
        lambda x: x[[0]],
        lambda x: ft.take(x, ft.array([0])),
        lambda x: ft.take_along_axis(x, ft.array([0])),
    ],
)
def test_indices_of_nothing(read):
    with pytest.raises(IndexError, match=r"shape \(1,\) are out of range for axis 0 with extent 0"):
        read(ft.zeros(0))


# -- creation


@pytest.mark.parametrize("k", [-(2**40), -3, -2, 2, 3, 2**40])
def test_diagonals_beyond_the_matrix(k):
    x, reference = ft.ones((2, 3)), np.ones((2, 3))
    near = max(-5, min(k, 5))
    np.testing.assert_array_equal(np.asarray(ft.eye(2, 3, k=k)), np.eye(2, 3, near))
    np.testing.assert_array_equal(np.asarray(ft.tri(2, 3, k)), np.tri(2, 3, near))
    np.testing.assert_array_equal(np.asarray(ft.tril(x, k=k)), np.tril(reference, near))
    np.testing.assert_array_equal(np.asarray(ft.triu(x, k=k)), np.triu(reference, near))
    assert ft.eye(0, k=k).shape == (0, 0)


def test_linspace_has_the_precision_of_its_dtype():
    assert ft.linspace(0.0, 1e300, 3, dtype=ft.float64).tolist() == [0, 5e299, 1e300]
    tenths = ft.linspace(0, 1, 11, dtype=ft.float64)
    np.testing.assert_allclose(np.asarray(tenths), np.linspace(0, 1, 11), rtol=1e-15)
    assert ft.linspace(0, 1, 3, dtype=ft.complex128).dtype is ft.complex128
    assert ft.linspace(0, 1, 3).dtype is ft.float32


@pytest.mark.parametrize("obj", [1j, [1.0, 1j], np.array([1j]), np.array(1j), ft.array([1j]), [ft.array(1j)]])
def test_complex_does_not_become_real(obj):
    with pytest.raises(TypeError, match=r"asarray: complex numbers cannot become float32; take real\(x\)"):
        ft.asarray(obj, dtype=ft.float32)
    assert np.asarray(ft.asarray(obj, dtype=ft.bool)).all()


def test_without_a_copy():
    source = np.arange(4.0)
    assert np.asarray(ft.asarray(source, copy=False)).ctypes.data == source.ctypes.data
    unaligned = np.zeros(17, np.uint8)[1:].view(np.float64)
    for other in (unaligned, source.astype(">f8")):
        with pytest.raises(ValueError, match="asarray: copy=False, but memory that is not aligned"):
            ft.asarray(other, copy=False)
        assert ft.asarray(other).tolist() == other.tolist()


@pytest.mark.parametrize("source", [np.array(["a"]), np.zeros(1, "M8[s]"), OnAnotherDevice()])
def test_memory_that_cannot_be_taken_over(source):
    with pytest.raises(BufferError, match="from_dlpack: the memory of the"):
        ft.from_dlpack(source)


# -- results


def test_constant_results_keep_their_dtype():
    x = ft.ones(2, dtype=ft.float64)
    for result in (ft.imag(x), x**0):
        assert not result.weak_type
        assert (result + ft.ones(2)).dtype is ft.float64


@pytest.mark.parametrize("function", [ft.sort, ft.argsort])
def test_sorting_needs_an_axis(function):
    with pytest.raises(ValueError, match="axis -1 is out of range for an array of ndim 0"):
        function(ft.array(1.0))


def test_several_arrays_come_in_tuples():
    assert type(ft.meshgrid(ft.ones(2), ft.ones(3))) is tuple
    assert type(ft.broadcast_arrays(ft.ones(2), ft.ones(1))) is tuple
    assert type(ft.__array_namespace_info__().devices()) is tuple


# -- special cases


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("length", [1, 37])  # one by one, and in whole vectors
def test_floor_divide_of_infinities(dtype, length):
    inf = np.inf
    cases = [
        (inf, 2, inf), (inf, -2, -inf), (-inf, 2, -inf), (-inf, -2, inf), (inf, 0.0, inf), (inf, inf, np.nan),
        (1, inf, 0.0), (1, -inf, -0.0), (-1, inf, -0.0), (-1, -inf, 0.0),
    ]  # fmt: skip
    for x1, x2, expected in cases:
        out = np.asarray(ft.floor_divide(*(ft.full(length, v, dtype=dtype) for v in (x1, x2))))
        np.testing.assert_array_equal(out, expected)
        assert np.isnan(expected) or (np.signbit(out) == np.signbit(expected)).all()


def test_tanh_of_complex_infinities():
    z = np.array([complex(a, b) for a in (np.inf, -np.inf) for b in (2.0, -2.0, 1.0)], np.complex128)
    out = np.asarray(ft.tanh(ft.array(z)))
    np.testing.assert_array_equal(out.real, np.sign(z.real))
    np.testing.assert_array_equal(np.signbit(out.imag), np.signbit(z.imag))
