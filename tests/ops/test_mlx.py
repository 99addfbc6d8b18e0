"""What MLX's users know: the functions of `mlx.core` take the same calls here, and return the same.

`docs/mlx.md` says what differs on purpose; the differences of names are here in `ELSEWHERE`.
"""

import numpy as np
import optree
import pytest

import ftrans as ft

mx = pytest.importorskip("mlx.core")

RANDOM = np.random.default_rng(0)


def _floats(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


X, Y, T = _floats(2, 3), _floats(2, 3), _floats(2, 3, 4)
V, W = _floats(6), _floats(3)
SQUARE = _floats(3, 3)
POSITIVE_DEFINITE = SQUARE @ SQUARE.T + 3 * np.eye(3, dtype=np.float32)
POSITIVE, UNIT = np.abs(X) + 0.3, np.tanh(X)
INTEGERS, SMALL = np.array([[3, -1, 4], [1, 5, -9]], np.int32), np.array([[2, 1, 3], [1, 2, 1]], np.int32)
BOOLS = np.array([[True, False, True], [False, False, True]])
COMPLEX = (X + 1j * Y).astype(np.complex64)
SPECIAL = np.array([1.5, np.inf, -np.inf, np.nan, 0.0], np.float32)
INDICES = np.array([2, 0], np.int32)


def call(*arguments, **keywords):
    return arguments, keywords


def _each(names, *calls):
    return {name: list(calls) for name in names.split()}


_REDUCTIONS = (call(X), call(T, 1), call(T, [0, 2], True), call(T, axis=-1, keepdims=True))
_CUMULATIVE = (call(X), call(T, 1), call(T, axis=2, reverse=True), call(X, 0, inclusive=False))
_WINDOWS = (call(7), call(1))

CALLS = {
    **_each(
        "abs ceil cos cosh degrees exp expm1 floor negative positive radians sigmoid sign sin sinh square "
        "tan tanh arcsinh asinh arctan atan erf trunc reciprocal isfinite isinf isnan isneginf isposinf "
        "logical_not real stop_gradient contiguous",
        call(X),
    ),
    **_each("sqrt rsqrt log log2 log10 log1p", call(POSITIVE)),
    **_each("arcsin asin arccos acos arctanh atanh erfinv", call(UNIT)),
    **_each("arccosh acosh", call(POSITIVE + 1)),
    **_each("conj conjugate imag real", call(COMPLEX)),
    **_each("isfinite isinf isnan isneginf isposinf nan_to_num", call(SPECIAL)),
    **_each(
        "add subtract multiply divide maximum minimum logaddexp power pow arctan2 atan2 equal not_equal less "
        "less_equal greater greater_equal",
        call(POSITIVE, Y),
        call(T, 2.0),
        call(1.5, POSITIVE),
    ),
    **_each("remainder floor_divide divmod", call(X, Y), call(INTEGERS, SMALL), call(INTEGERS, 4)),
    **_each("bitwise_and bitwise_or bitwise_xor", call(INTEGERS, SMALL)),
    **_each("left_shift right_shift bitwise_left_shift bitwise_right_shift", call(np.abs(INTEGERS), SMALL)),
    **_each("logical_and logical_or logical_xor", call(BOOLS, ~BOOLS[:1])),
    "bitwise_invert": [call(INTEGERS)],
    "nan_to_num": [call(SPECIAL), call(SPECIAL, 1.0, 2.0, -2.0)],
    "round": [call(10 * X), call(10 * X, 1)],
    "clip": [call(X, -0.5, 0.5), call(X, None, Y)],
    "where": [call(BOOLS, X, Y), call(BOOLS, 1.0, Y)],
    "isclose": [call(X, X + 1e-7), call(X, Y, rtol=1e-5, atol=1.0)],
    "allclose": [call(X, X + 1e-7), call(SPECIAL, SPECIAL, equal_nan=True)],
    "array_equal": [call(X, X), call(SPECIAL, SPECIAL, equal_nan=True)],
    **_each("sum prod max min mean logsumexp", *_REDUCTIONS),
    **_each("all any count_nonzero", call(BOOLS), call(BOOLS, 1), call(BOOLS, axis=0, keepdims=True)),
    **_each("var std", *_REDUCTIONS, call(X, 1, False, 1), call(X, axis=1, ddof=1)),
    **_each("argmax argmin", call(X), call(T, 1), call(T, axis=2, keepdims=True)),
    "minmax": [call(X), call(T, axis=1)],
    "median": [call(X), call(T, 1), call(T, axis=[0, 1], keepdims=True)],
    "softmax": [call(X), call(T, 1), call(T, axis=[0, 2]), call(X, axis=-1, precise=True)],
    **_each("cumsum cumprod cummax cummin logcumsumexp", *_CUMULATIVE),
    **_each("cumulative_sum cumulative_prod", call(V), call(T, 1), call(T, axis=2, reverse=True)),
    "diff": [call(X), call(X, axis=0), call(V, 2)],
    "arange": [call(5), call(1, 8, 3), call(0.0, 1.0, 0.25), call(start=1, stop=4), call(stop=4)],
    "linspace": [call(0, 1), call(0, 1, 5), call(0, 1, 5, False)],
    "eye": [call(3), call(2, 4, 1), call(n=2, m=3, k=-1)],
    "tri": [call(3), call(2, 4, 1), call(n=2, m=3, k=-1)],
    "identity": [call(3)],
    **_each("zeros ones", call([2, 3]), call(4)),
    **_each("zeros_like ones_like", call(X)),
    "full": [call([2, 3], 1.5), call((2, 3), W)],
    "full_like": [call(X, 2.5)],
    "empty": [call((0, 2))],
    "empty_like": [call(X[:0])],
    **_each("bartlett blackman hamming hanning", *_WINDOWS),
    **_each("array asarray", call(X), call([[1, 2], [3, 4]])),
    "meshgrid": [call(V, W), call(V, W, sparse=True, indexing="ij")],
    "diag": [call(V, 1), call(SQUARE), call(SQUARE, k=-1)],
    "diagonal": [call(T), call(SQUARE, 1), call(T, offset=0, axis1=1, axis2=2)],
    "trace": [call(T), call(SQUARE, 1), call(T, 0, 1, 2)],
    **_each("tril triu", call(SQUARE), call(T, k=1)),
    "reshape": [call(X, [3, -1]), call(X, (6,))],
    "flatten": [call(T), call(T, 1), call(T, start_axis=0, end_axis=1)],
    "unflatten": [call(T, 2, (2, -1)), call(T, axis=-1, shape=[4, 1])],
    "expand_dims": [call(X, 0), call(X, [0, 2])],
    "squeeze": [call(X[:1]), call(X[:1, :, None], 2), call(X[:1, :, None], axis=[0, 2])],
    **_each("transpose permute_dims", call(T), call(T, [1, 2, 0])),
    "matrix_transpose": [call(T)],
    "moveaxis": [call(T, 0, -1)],
    "swapaxes": [call(T, 0, 2)],
    "flip": [call(T), call(T, 1), call(T, axis=[0, 2])],
    "roll": [call(T, 3), call(T, 1, 2), call(T, [1, -2], axis=[0, 2])],
    "broadcast_to": [call(X, [4, 2, 3])],
    "broadcast_arrays": [call(X, W)],
    "broadcast_shapes": [call((2, 1), (3,))],
    **_each("atleast_1d atleast_2d atleast_3d", call(V), call(X), call(np.float32(2.0)), call(V, X)),
    "as_strided": [call(T, (3, 4), (1, 2), 5), call(X, shape=[2], strides=[3], offset=1)],
    **_each("concatenate concat", call([X, Y]), call([X, Y], 1), call([X, Y], axis=None)),
    "stack": [call([X, Y]), call([X, Y], 1)],
    "unstack": [call(T), call(T, axis=1)],
    "split": [call(T, 2, 2), call(V, [1, 3]), call(T, 3, axis=1)],
    "pad": [call(X, 1), call(X, ((1, 0), (2, 1)), constant_values=0.5), call(X, (1, 2), mode="edge")],
    "repeat": [call(X, 2), call(X, 2, 1)],
    "tile": [call(X, 2), call(X, [2, 1, 2])],
    "take": [call(X, INDICES[1:]), call(X, INDICES, axis=1), call(X, 1, 0)],
    "take_along_axis": [call(X, np.argsort(X, 1).astype(np.int32), axis=1), call(X, INDICES, axis=None)],
    "put_along_axis": [
        call(X, np.array([[1], [2]], np.int32), Y[:, :1], axis=1),
        call(X, INDICES, V[:2]),
    ],
    "slice": [call(X, np.array([1, 0], np.int32), [0, 1], [1, 2])],
    "slice_update": [call(X, Y[:1, :2], np.array([1], np.int32), [0])],
    "searchsorted": [call(np.sort(V), X), call(np.sort(V), X, side="right")],
    **_each("sort argsort", call(X), call(T, 1), call(X, axis=None)),
    "unique": [call(np.array([3, 1, 1, 0, 2], np.int32), size=4)],
    "addmm": [call(W, X, SQUARE), call(W, X, SQUARE, 0.5, 2.0), call(W, X, SQUARE, alpha=2.0)],
    "matmul": [call(X, SQUARE), call(T, _floats(4, 2)), call(V, V)],
    "inner": [call(X, Y), call(V, V)],
    **_each("outer kron", call(V, W)),
    "vecdot": [call(X, Y), call(T, T, axis=1)],
    "tensordot": [call(T, _floats(3, 4)), call(T, X, [[0, 1], [0, 1]]), call(X, Y, axes=0)],
    "einsum": [call("ij,kj->ik", X, Y), call("...i,i", T, _floats(4))],
    "block_masked_mm": [call(_floats(32, 32), _floats(32, 32), 32, np.ones((1, 1), bool))],
    "gather_mm": [call(T, _floats(5, 4, 2), np.array([1, 0], np.uint32), np.array([4, 2], np.uint32))],
    "segmented_mm": [call(X, SQUARE, np.array([[0, 2], [1, 3]], np.uint32))],
    "hadamard_transform": [call(T), call(T, 1.0), *(call(_floats(2, n), scale=0.5) for n in (12, 40, 28))],
    "convolve": [call(V, W), call(V, W, "same"), call(V, W, mode="valid")],
    "conv1d": [
        call(_floats(2, 5, 2), _floats(3, 2, 2)),
        call(_floats(2, 5, 4), _floats(4, 2, 2), 2, 1, 1, 2),
    ],
    "conv2d": [call(_floats(2, 5, 4, 2), _floats(3, 2, 2, 2), (2, 1), (1, 0), dilation=2)],
    "conv3d": [call(_floats(1, 4, 4, 3, 2), _floats(3, 2, 2, 2, 2), padding=1)],
    "conv_general": [
        call(_floats(2, 5, 2), _floats(3, 2, 2), 2, 1, 1, 2),
        call(_floats(2, 5, 4, 2), _floats(3, 2, 2, 2), padding=([1, 0], [0, 1]), flip=True),
    ],
    "conv_transpose1d": [call(_floats(2, 5, 2), _floats(3, 2, 2), 2, 1, output_padding=1)],
    "conv_transpose2d": [call(_floats(2, 5, 4, 2), _floats(3, 2, 2, 2), stride=(2, 1))],
    "conv_transpose3d": [call(_floats(1, 3, 3, 3, 2), _floats(3, 2, 2, 2, 2))],
    "linalg.cholesky": [call(POSITIVE_DEFINITE), call(POSITIVE_DEFINITE, True)],
    "linalg.cholesky_inv": [call(np.linalg.cholesky(POSITIVE_DEFINITE))],
    "linalg.cross": [call(X, Y), call(T, T + 1, 1)],
    "linalg.eigvalsh": [call(POSITIVE_DEFINITE)],
    **_each("linalg.inv linalg.det linalg.slogdet linalg.pinv linalg.lu linalg.qr", call(POSITIVE_DEFINITE)),
    "linalg.norm": [
        call(X),
        call(V),
        call(X, 1),
        call(X, "fro"),
        call(X, "nuc"),
        call(V, 3.0),
        call(T, axis=[1, 2]),
        call(T, ord=np.inf, axis=1, keepdims=True),
    ],
    "linalg.solve": [call(POSITIVE_DEFINITE, SQUARE), call(POSITIVE_DEFINITE, W)],
    "linalg.solve_triangular": [
        call(np.tril(POSITIVE_DEFINITE), W),
        call(np.triu(SQUARE) + 3, W, upper=True),
    ],
    "linalg.tri_inv": [call(np.tril(POSITIVE_DEFINITE)), call(np.triu(POSITIVE_DEFINITE), True)],
    **_each("fft.fft fft.ifft", call(COMPLEX), call(X, 5), call(T, 4, 1), call(T, n=2, axis=0, norm="ortho")),
    **_each("fft.rfft", call(X), call(X, 5, 0), call(T, axis=1, norm="forward")),
    **_each("fft.irfft", call(COMPLEX), call(COMPLEX, 4), call(COMPLEX, 3, 0)),
    **_each(
        "fft.fft2 fft.ifft2 fft.fftn fft.ifftn", call(T), call(COMPLEX, (3, 4), [0, 1]), call(T, None, [0, 1])
    ),
    **_each("fft.rfft2 fft.rfftn", call(T), call(X, (3, 4), [0, 1]), call(T, None, [0, 1])),
    **_each("fft.irfft2 fft.irfftn", call(COMPLEX), call(COMPLEX, (3, 4), [0, 1])),
    **_each("fft.fftshift fft.ifftshift", call(V), call(T, 1), call(T, axes=[0, 1])),
    **_each("fft.fftfreq fft.rfftfreq", call(7), call(8, 0.5)),
    "fast.layer_norm": [call(X, W, W, 1e-5), call(X, None, None, 1e-5)],
    "fast.rms_norm": [call(X, W, 1e-5), call(X, None, 1e-5)],
    "fast.rope": [
        call(_floats(1, 2, 5, 8), 8, traditional=traditional, base=10000.0, scale=1.0, offset=3)
        for traditional in (False, True)
    ],
    "fast.scaled_dot_product_attention": [
        call(_floats(1, 2, 4, 8), _floats(1, 2, 5, 8), _floats(1, 2, 5, 8), scale=0.3),
        call(_floats(1, 2, 5, 8), _floats(1, 2, 5, 8), _floats(1, 2, 5, 8), scale=0.3, mask="causal"),
    ],
    "fast.cross_entropy": [call(_floats(3, 5), np.array([4, 0, 2], np.int32))],
}

#: Functions whose results are no arrays, or not determined: other tests say that theirs are right.
ELSEWHERE = {
    "order of equals": "partition argpartition topk",
    "choice of vectors": "linalg.eig linalg.eigh linalg.eigvals linalg.svd linalg.lu_factor",
    "random": "random.bernoulli random.categorical random.gumbel random.key random.laplace "
    "random.multivariate_normal random.normal random.permutation random.randint random.seed random.split "
    "random.truncated_normal random.uniform",
    "dtypes": "astype view can_cast finfo iinfo isdtype issubdtype result_type",
    "files and interchange": "save savez savez_compressed save_safetensors load from_dlpack einsum_path",
    "devices and memory": "Device Stream async_eval eval synchronize stream new_stream clear_cache "
    "default_device default_stream set_default_device set_default_stream device_info is_available "
    "get_active_memory get_cache_memory get_memory_limit get_peak_memory reset_peak_memory set_cache_limit "
    "set_memory_limit",
    "transformations": "grad value_and_grad jvp vjp vmap checkpoint compile",
    "types": "Dtype DtypeCategory",
}
#: What ftrans has not: quantized arithmetic, MLX's own files and kernels, and what other names stand for.
ABSENT = """
    ArrayAt ArrayIterator ArrayLike DeviceType FunctionExporter PrintOptions StreamContext
    ThreadLocalStream clear_streams cuda custom_function depends dequantize device_count disable_compile
    distributed enable_compile export_function export_to_dot exporter from_fp8 gather_qmm gather_qqmm
    get_array_buffer_size get_printoptions import_function matrix_norm metal new_thread_local_stream
    new_thread_unsafe_stream printoptions qqmm quantize quantized_matmul save_gguf set_printoptions
    set_wired_limit to_fp8 fft.stft fft.istft fast.cuda_kernel fast.gated_delta_update fast.metal_kernel
    fast.precompiled_cuda_kernel
"""

MODULES = ("linalg", "fft", "random", "fast")


def _functions():
    names = dir(mx) + [f"{module}.{name}" for module in MODULES for name in dir(getattr(mx, module))]
    return [n for n in names if n.rpartition(".")[2][0] != "_" and callable(_named(mx, n))]


def _named(module, name):
    for part in name.split("."):
        module = getattr(module, part)
    return module


def test_every_function_of_mlx_is_accounted_for():
    known = {*CALLS, *ABSENT.split(), *" ".join(ELSEWHERE.values()).split()}
    assert sorted(set(_functions()) - known) == []
    for name in (*CALLS, *" ".join(ELSEWHERE.values()).split()):
        assert callable(_named(ft, name))


@pytest.mark.parametrize("name", CALLS)
def test_same_calls_and_results(name):
    def results(module):
        out = []
        for arguments, keywords in CALLS[name]:
            given = optree.tree_map(
                lambda x: module.array(x) if isinstance(x, (np.ndarray, np.generic)) else x,
                (arguments, keywords),
            )
            values = _named(module, name)(*given[0], **given[1])
            out.append([np.array(x) for x in optree.tree_leaves(values)])
        return out

    with mx.stream(mx.cpu):
        expected = results(mx)
    for ours, theirs in zip(results(ft), expected, strict=True):
        signed = [np.dtype(np.int32) if x.dtype == np.uint32 else x.dtype for x in theirs]  # indices
        assert [x.dtype for x in ours] == signed
        for x, y in zip(ours, theirs, strict=True):
            assert x.shape == y.shape
            np.testing.assert_allclose(x, y, rtol=2e-5, atol=2e-5)
