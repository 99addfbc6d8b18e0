"""The array functions, which are in the main namespace."""

import io
from collections.abc import Callable

import numpy as np
import scipy.linalg
import scipy.special

import ftrans as ft
from tests.harness.call import (
    BOOLS,
    COMPLEX,
    COUNTS,
    INCREASING,
    INTEGERS,
    MASK,
    POSITIVE,
    SCALAR,
    SQUARE,
    UNIT,
    WITH_NAN,
    Call,
    T,
    V,
    W,
    X,
    Y,
    call,
    each,
    floats,
)  # fmt: skip

_UNARY = [call(X)]
_ON_POSITIVE = [call(POSITIVE)]
_ON_UNIT = [call(UNIT)]
_ON_INTEGERS = [call(INTEGERS)]
_BINARY = [call(X, Y), call(T, X[0, :, None])]
_BINARY_INTEGERS = [call(INTEGERS, np.array([2, 1, 3], np.int32))]
_LOGICAL = [call(BOOLS, np.flip(BOOLS))]
_REDUCTION = [call(X), call(T, axis=(0, -1)), call(T, axis=1, keepdims=True)]
_NAN_REDUCTION = [call(WITH_NAN, axis=1), call(X)]
_CUMULATIVE = [call(X, axis=1), call(T, axis=0)]
_WINDOW = [call(7), call(1), call(0)]


def _put(x, indices, values, axis):
    x = x.copy()
    np.put_along_axis(x, indices, values, axis)
    return x


def _in_place(name):
    def function(x, *arguments):
        x = x.copy()
        getattr(np, name)(x, *arguments)
        return x

    return function


def _flattened(x, start, end):
    return x.reshape((*x.shape[:start], -1, *x.shape[end % x.ndim + 1 :]))


def _block_masked(a, b, size, mask_out, mask_lhs, mask_rhs):
    def masked(x, mask):
        return x * np.kron(mask, np.ones((size, size)))[: x.shape[0], : x.shape[1]]

    return masked(masked(a, mask_lhs) @ masked(b, mask_rhs), mask_out)


def _segments(a, b, segments):
    return np.stack([a[:, i:j] @ b[i:j] for i, j in segments])


def _convolution(x, w, stride=1, padding=0):
    spatial = w.ndim - 2
    x = np.pad(x, [(0, 0), *[(padding, padding)] * spatial, (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[1:-1], tuple(range(1, x.ndim - 1)))
    windows = windows[(slice(None), *[slice(None, None, stride)] * spatial)]
    return np.tensordot(windows, np.moveaxis(w, -1, 1), (range(x.ndim - 1, windows.ndim), range(1, w.ndim)))


def _transposed_convolution(x, w, stride=1, padding=0):
    """For windows of one extent along all axes."""
    spatial = range(1, w.ndim - 1)
    dilated = np.zeros([1 + (n - 1) * stride if i in spatial else n for i, n in enumerate(x.shape)])
    dilated[(slice(None), *[slice(None, None, stride)] * len(spatial))] = x
    return _convolution(dilated, np.flip(w, tuple(spatial)), padding=w.shape[1] - 1 - padding)


def _convolutions(spatial: int, reference: Callable) -> list[Call]:
    x, w = floats(2, *[4] * spatial, 2), floats(3, *[2] * spatial, 2, seed=1)
    return [call(x, w, reference=reference), call(x, w, stride=2, padding=1, reference=reference)]


_FILE = [call(io.BytesIO(), X, reference=None, traceable=False)]


def _saved() -> io.BytesIO:
    file = io.BytesIO()
    np.save(file, X)
    return io.BytesIO(file.getvalue())


#: function → sample calls. The reference is NumPy's function of the same name, unless another is given.
CALLS: dict[str, list[Call]] = {
    # elementwise, one operand
    **each(
        "abs angle cbrt ceil cos cosh degrees exp exp2 expm1 fix floor negative positive radians rint "
        "sign sin sinc sinh square tan tanh trunc asinh atan reciprocal signbit isfinite isinf isnan "
        "isneginf isposinf",
        _UNARY,
    ),
    **each("sqrt log log2 log10 log1p", _ON_POSITIVE),
    **each("asin acos atanh", _ON_UNIT),
    **each("bitwise_invert bitwise_count", _ON_INTEGERS),
    **each("real imag conj iscomplex isreal", [call(COMPLEX, differentiable=False), call(X)]),
    "acosh": [call(POSITIVE + 1)],
    "rsqrt": [call(POSITIVE, reference=lambda x: 1 / np.sqrt(x))],
    "sigmoid": [call(X, reference=scipy.special.expit)],
    "erf": [call(X, reference=scipy.special.erf)],
    "erfc": [call(X, reference=scipy.special.erfc)],
    "erfinv": [call(UNIT, reference=scipy.special.erfinv)],
    "lgamma": [call(POSITIVE, reference=scipy.special.gammaln)],
    "digamma": [call(POSITIVE, reference=scipy.special.digamma)],
    "round": [call(X), call(X, 1, differentiable=False), call(INTEGERS, -1)],
    "nan_to_num": [call(WITH_NAN, differentiable=False), call(X)],
    "logical_not": [call(BOOLS)],
    "frexp": [
        call(X, differentiable=False),
        call(np.array([0.0, 5e-324, 1e308, np.inf]), differentiable=False),
    ],
    "modf": [call(X)],
    "unwrap": [call(np.array([0.1, 3.0, -3.0, 2.5, 9.0])), call(X, axis=0, discont=1.0, period=2.0)],
    # elementwise, two operands
    **each(
        "add subtract multiply divide maximum minimum fmax fmin atan2 hypot logaddexp logaddexp2 copysign "
        "remainder floor_divide fmod divmod equal not_equal less less_equal greater greater_equal "
        "heaviside",
        _BINARY,
    ),
    **each("bitwise_and bitwise_or bitwise_xor gcd lcm", _BINARY_INTEGERS),
    **each("logical_and logical_or logical_xor", _LOGICAL),
    "bitwise_left_shift": [call(INTEGERS, np.array([2, 1, 3], np.int32), reference=np.left_shift)],
    "bitwise_right_shift": [call(INTEGERS, np.array([2, 1, 3], np.int32), reference=np.right_shift)],
    "ldexp": [
        call(X, INTEGERS),
        call(np.array([1.0, 3.0, 1e300]), np.array([-1074, 1023, -2000], np.int32), differentiable=False),
    ],
    "nextafter": [call(X, Y, differentiable=False)],
    "power": [call(POSITIVE, Y), call(X, 3)],
    "isclose": [call(X, X + 1e-7), call(X, Y, atol=1.0, differentiable=False)],
    "where": [call(BOOLS, X, Y)],
    "clip": [call(X, -0.6, 0.7), call(X, UNIT - 0.4, None)],
    # creation
    "arange": [call(5), call(1, 8, 3), call(0.0, 1.0, 0.3)],
    "array": [call(X), call([[1.0, 2.0], [3.0, 4.0]])],
    "asarray": [call(X)],
    "copy": [call(X)],
    "from_dlpack": [call(X, traceable=False)],
    "empty": [call((2, 3), reference=np.zeros)],
    "empty_like": [call(X, reference=np.zeros_like)],
    "eye": [call(3), call(2, 4, k=1)],
    "full": [call((2, 3), 1.5), call((2, 3), V[:3])],
    "full_like": [call(X, 2.5)],
    "geomspace": [call(1.0, 100.0, 5), call(SCALAR, SCALAR * 9, 4, endpoint=False)],
    "identity": [call(3)],
    "linspace": [call(0.0, 1.0, 7), call(SCALAR, SCALAR * 3, 5, endpoint=False)],
    "logspace": [call(0.0, 2.0, 5), call(SCALAR, SCALAR * 3, 5)],
    "meshgrid": [call(V, W[:2]), call(V, W[:2], V[:3], indexing="ij", sparse=True)],
    "ones": [call((2, 3))],
    "ones_like": [call(X)],
    "tri": [call(3, 4, 1)],
    "tril": [call(X), call(T, k=-1)],
    "triu": [call(X), call(T, k=1)],
    "zeros": [call((2, 3)), call(4)],
    "zeros_like": [call(X)],
    "bartlett": _WINDOW,
    "blackman": _WINDOW,
    "hamming": _WINDOW,
    "hanning": _WINDOW,
    # dtypes
    "astype": [call(X, "int32")],
    "can_cast": [call("int32", "float64", reference=None)],
    "finfo": [call("float32", reference=None)],
    "iinfo": [call("int32", reference=None)],
    "isdtype": [call(ft.float32, "real floating", reference=lambda *_: True)],
    "issubdtype": [call(ft.float32, ft.floating, reference=lambda *_: True)],
    "promote_types": [call("int32", "float32", reference=None)],
    "result_type": [call(X, 1.0, reference=None, traceable=False)],
    "view": [
        call(X, "int64", reference=lambda x, dtype: x.view(dtype)),
        call(X, "uint8", reference=lambda x, dtype: x.view(dtype)),
        call(np.arange(16, dtype=np.uint8), "uint32", reference=lambda x, dtype: x.view(dtype)),
    ],
    # reductions and running results
    **each("sum prod max min mean ptp all any", _REDUCTION),
    "count_nonzero": _REDUCTION,
    "minmax": [call(T, axis=1, reference=lambda x, axis: (x.min(axis), x.max(axis)))],
    "var": [call(T, axis=(0, -1)), call(X, axis=1, keepdims=True, correction=1)],
    "std": [call(T, axis=(0, -1)), call(X, axis=1, keepdims=True, correction=1)],
    "average": [call(X, axis=1), call(X, weights=POSITIVE)],
    "median": [call(X), call(T, axis=1)],
    "quantile": [
        call(T, np.array([0.1, 0.45, 0.95]), axis=1),
        call(T, 0.3, axis=(0, 2), method="midpoint", keepdims=True),
        *(call(X, 0.3, axis=1, method=method) for method in ("lower", "higher", "nearest")),
    ],
    "percentile": [call(X, 30.0), call(T, np.array([[20.0, 90.0]]), axis=-1)],
    "nanquantile": [call(WITH_NAN, 0.3, axis=1), call(X, 0.3)],
    "nanpercentile": [call(WITH_NAN, 30.0)],
    "nanmedian": _NAN_REDUCTION,
    **each("nansum nanprod nanmax nanmin nanmean", _NAN_REDUCTION),
    "nanvar": [*_NAN_REDUCTION, call(WITH_NAN, axis=0, keepdims=True)],
    "nanstd": _NAN_REDUCTION,
    "nanargmax": _NAN_REDUCTION,
    "nanargmin": _NAN_REDUCTION,
    "nancumsum": [call(WITH_NAN, axis=1)],
    "nancumprod": [call(WITH_NAN, axis=1)],
    "logsumexp": [call(T, axis=1, reference=scipy.special.logsumexp)],
    "softmax": [call(X, axis=1, reference=scipy.special.softmax)],
    "log_softmax": [call(X, axis=1, reference=scipy.special.log_softmax)],
    **each("cumsum cumprod", _CUMULATIVE),
    "cumulative_sum": [*_CUMULATIVE, call(X, axis=0, include_initial=True)],
    "cumulative_prod": _CUMULATIVE,
    "cummax": [call(X, axis=1, reference=np.maximum.accumulate)],
    "cummin": [call(X, axis=1, reference=np.minimum.accumulate)],
    "logcumsumexp": [call(X, axis=1, reference=np.logaddexp.accumulate)],
    "diff": [call(X), call(X, axis=0, prepend=Y[:1])],
    "ediff1d": [call(X), call(V, to_end=W[:2], to_begin=SCALAR)],
    "gradient": [call(T), call(X, 0.3, axis=1), call(V, INCREASING), call(V, edge_order=2)],
    "trapezoid": [call(X), call(T, dx=0.3, axis=1), call(V, INCREASING)],
    "interp": [
        call(np.array([-2.0, -0.9, 0.1, 1.3, 2.5]), INCREASING, V),
        call(V, INCREASING, W, left=-7.0, right=SCALAR),
        call(V * 3, INCREASING, W, period=4.1),
    ],
    "histogram": [call(V), call(X, bins=3, range=(-1.0, 2.0), density=True), call(V, INCREASING, weights=W)],
    "histogram_bin_edges": [call(V, bins=4)],
    "bincount": [
        call(COUNTS, traceable=False),
        call(
            COUNTS, length=4, weights=W, reference=lambda x, weights, length: np.bincount(x, weights, length)
        ),
    ],
    "digitize": [call(X, INCREASING), call(V, INCREASING[::-1].copy(), right=True)],
    "cov": [
        call(X),
        call(X, Y, rowvar=False, bias=True),
        call(T[0], aweights=np.abs(V[:4]), fweights=COUNTS[:4]),
    ],
    "corrcoef": [call(X), call(T[0], T[1])],
    # shapes
    "reshape": [call(X, (3, -1))],
    "ravel": [call(X)],
    "flatten": [call(T, 1, -1, reference=_flattened)],
    "unflatten": [call(T, 2, (2, -1), reference=lambda x, axis, shape: x.reshape(2, 3, 2, 2))],
    "expand_dims": [call(X, (0, 2))],
    "squeeze": [call(X[:1, :, None]), call(X[:1, :, None], 2)],
    "permute_dims": [call(T), call(T, (1, 2, 0))],
    "moveaxis": [call(T, 0, -1), call(T, (0, 1), (2, 0))],
    "swapaxes": [call(T, 0, 2)],
    "flip": [call(T, axis=(0, 2))],
    "flipud": [call(X)],
    "fliplr": [call(X)],
    "rot90": [call(T, 1, (0, 2)), call(T, 2), call(X, 3)],
    "roll": [call(T, 3), call(T, (1, -2), axis=(0, 2)), call(X, np.array(2), axis=1)],
    "broadcast_to": [call(X, (4, 2, 3))],
    "broadcast_arrays": [call(X, V[:3], SCALAR)],
    "broadcast_shapes": [call((2, 1), (3,))],
    "atleast_1d": [call(SCALAR)],
    "atleast_2d": [call(V)],
    "atleast_3d": [call(X)],
    "contiguous": [call(T, reference=np.ascontiguousarray)],
    "as_strided": [
        call(
            T,
            (3, 4),
            (1, 2),
            5,
            reference=lambda x, shape, strides, offset: np.lib.stride_tricks.as_strided(
                x.ravel()[offset:], shape, [8 * s for s in strides]
            ),
        )
    ],
    # joining and repeating
    **each("concat stack", [call([X, Y]), call([X, Y], axis=1)]),
    **each("hstack vstack dstack column_stack", [call([X, Y]), call([V, W])]),
    "block": [call([[X, Y], [Y, X]]), call([V, W])],
    "append": [call(X, Y), call(X, Y, axis=0)],
    "insert": [
        call(V, 1, 0.5),
        call(X, [0, 2], Y[:, :2], axis=1),
        call(X, 1, Y[0], axis=0),
        call(V, [-1, 1, 1], W[:3]),
    ],
    "delete": [call(V, 1), call(X, [0, -1], axis=1), call(V, slice(1, 4, 2))],
    "unstack": [call(T, axis=1)],
    "split": [call(T, 2, axis=2), call(V, [1, 3])],
    "array_split": [call(V, 3), call(V, [1, 3])],
    "hsplit": [call(X, 3)],
    "vsplit": [call(X, 2)],
    "dsplit": [call(T, 2)],
    "pad": [
        call(X, ((1, 0), (2, 1)), constant_values=0.5),
        *(
            call(X, 2 if mode != "reflect" else 1, mode=mode)
            for mode in ("edge", "reflect", "symmetric", "wrap")
        ),
    ],
    "repeat": [call(X, 2, axis=1), call(X, [1, 0, 2], axis=1)],
    "tile": [call(X, (2, 1, 2))],
    # indices and selections
    "take": [call(X, np.array([2, 0]), axis=1), call(V, np.array([[1, -1]]))],
    "take_along_axis": [call(X, np.argsort(X, 1), axis=1)],
    "put_along_axis": [call(X, np.array([[1], [2]]), Y[:, :1], axis=1, reference=_put)],
    "choose": [
        call(np.array([[0, 1, 2], [2, 1, 0]]), [X, Y, X * Y], traceable=False),
        call(np.array([[0, 4, 2], [-2, 1, 0]]), [X, Y], mode="wrap"),
    ],
    "compress": [
        call(MASK, V, traceable=False),
        call(
            MASK, V, size=4, fill_value=-1.0, reference=lambda c, x, size, fill_value: np.append(x[c], -1.0)
        ),
    ],
    "extract": [
        call(BOOLS, X, traceable=False),
        call(BOOLS, X, size=2, reference=lambda c, x, size: x[c][:2]),
    ],
    "place": [call(X, BOOLS, V[:2], reference=_in_place("place"))],
    "fill_diagonal": [
        call(SQUARE, V[:3], reference=_in_place("fill_diagonal")),
        call(X, SCALAR, reference=_in_place("fill_diagonal")),
    ],
    "piecewise": [call(X, [X < 0, X >= 0], [lambda x: x * x, 2.0], traceable=False)],
    "select": [call([BOOLS, ~BOOLS], [X, Y], default=3.0)],
    "indices": [call((2, 3)), call((2, 3), sparse=True)],
    "ix_": [call(np.array([1, 3]), np.array([0, 2, 1]))],
    "tril_indices": [call(3, 1, 4)],
    "triu_indices": [call(3, -1, 4)],
    "diag_indices": [call(3, 3)],
    "ravel_multi_index": [
        call((np.array([0, 1]), np.array([2, 0])), (2, 3), traceable=False),
        call((np.array([0, 5]), np.array([2, -1])), (2, 3), mode="clip"),
    ],
    "unravel_index": [call(np.array([[0, 23], [7, 11]]), (2, 3, 4))],
    "slice": [call(X, np.array([1, 0]), (0, 1), (1, 2), reference=lambda x, *_: x[1:2, :2])],
    "slice_update": [
        call(
            X, Y[:1, :2], np.array([1]), (0,), reference=lambda x, u, *_: np.block([[x[:1]], [u, x[1:, 2:]]])
        )
    ],
    # searching, sorting, sets
    "argmax": [call(T, axis=1), call(X, keepdims=True)],
    "argmin": [call(T, axis=1), call(X)],
    **each(
        "nonzero flatnonzero argwhere", [call(BOOLS, traceable=False), call(BOOLS, size=3, reference=None)]
    ),
    "searchsorted": [
        call(INCREASING, X),
        call(INCREASING, np.array([np.nan, 0.3, -9.0]), side="right", differentiable=False),
    ],
    "sort": [call(X), call(T, axis=1)],
    "argsort": [call(X), call(T, axis=1)],
    "partition": [call(X, 1, axis=1)],
    "argpartition": [call(V, 4)],
    "lexsort": [call((V, np.array([1, 0, 1, 0, 0])))],
    "topk": [
        call(X, 2, axis=1, reference=lambda x, k, axis: -np.sort(-x, axis)[:, :k]),
        call(X, 4, None, reference=lambda x, k, axis: -np.sort(-x, axis)[:k]),
    ],
    "isin": [call(X, X[0]), call(INTEGERS, np.array([1, 3]), invert=True)],
    "unique": [
        call(COUNTS, traceable=False),
        call(INTEGERS, True, True, True, traceable=False),
        call(np.array([[1, 2], [0, 3], [1, 2]]), axis=0, return_counts=True, traceable=False),
        call(
            COUNTS,
            size=5,
            fill_value=9,
            return_counts=True,
            reference=lambda x, **_: (np.array([0, 1, 2, 3, 9]), np.array([1, 2, 1, 1, 0])),
        ),
        call(V, size=5, reference=lambda x, size: np.sort(x)),
    ],
    **each("unique_all unique_counts unique_inverse unique_values", [call(COUNTS, traceable=False)]),
    **each(
        "union1d intersect1d setdiff1d setxor1d",
        [
            call(COUNTS, np.array([5, 1, 2, 2], np.int32), traceable=False),
            call(V, W, differentiable=False, traceable=False),
        ],
    ),
    # products
    "matmul": [call(X, SQUARE), call(T, floats(4, 2)), call(V, W)],
    "dot": [call(X, SQUARE), call(V, W), call(SCALAR, X)],
    "inner": [call(X, Y), call(V, W)],
    "outer": [call(V, W)],
    "vdot": [call(X, Y)],
    "vecdot": [call(X, Y), call(T, floats(4))],
    "tensordot": [call(T, floats(3, 4, seed=6)), call(T, X, axes=([0, 1], [0, 1]))],
    "matvec": [call(T, floats(4, seed=7))],
    "vecmat": [call(floats(3, seed=7), T)],
    "addmm": [
        call(
            SQUARE[:2],
            X,
            SQUARE,
            alpha=0.5,
            beta=2.0,
            reference=lambda c, a, b, alpha, beta: beta * c + alpha * a @ b,
        )
    ],
    "kron": [call(X, SQUARE)],
    "cross": [call(X, Y)],
    "matrix_transpose": [call(T)],
    "diagonal": [call(T, 1), call(T, 0, 0, 2)],
    "diag": [call(V, 1), call(SQUARE)],
    "diagflat": [call(X, -1)],
    "trace": [call(SQUARE, offset=1), call(T)],
    "einsum": [call("ij,kj->ik", X, Y), call("...i,i", T, floats(4)), call(X, [0, 1], Y, [2, 1], [0, 2])],
    "einsum_path": [call("ij,jk,kl->il", X, SQUARE, SQUARE, reference=None, traceable=False)],
    "block_masked_mm": [
        call(
            floats(3, 5),
            floats(5, 4),
            2,
            np.eye(2),
            np.ones((2, 3)) - np.eye(2, 3),
            np.ones((3, 2)),
            reference=_block_masked,
        )
    ],
    "gather_mm": [
        call(
            T,
            floats(5, 4, 2),
            np.array([1, 0, 1]),
            np.array([4, 2, 0]),
            reference=lambda a, b, i, j: a[i] @ b[j],
        )
    ],
    "segmented_mm": [call(X, SQUARE, np.array([[0, 2], [1, 3]]), reference=_segments)],
    "hadamard_transform": [
        call(T, reference=lambda x: x @ scipy.linalg.hadamard(4) / 2),
        call(T, 1.0, reference=lambda x, s: x @ scipy.linalg.hadamard(4)),
    ],
    "polyval": [call(V, X)],
    "polyder": [call(V, 2)],
    "polyint": [call(V, 2), call(V, k=SCALAR)],
    "vander": [call(V, 3), call(V, increasing=True)],
    # convolutions
    "convolve": [call(V, W[:3]), call(V, W, mode="same")],
    **{f"conv{n}d": _convolutions(n, _convolution) for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": _convolutions(n, _transposed_convolution) for n in (1, 2, 3)},
    "conv_general": [
        call(floats(2, 5, 4, 2), floats(3, 2, 2, 2), stride=2, padding=1, reference=_convolution)
    ],
    # whole arrays
    "allclose": [call(X, X + 1e-12, differentiable=False)],
    "array_equal": [call(X, X, differentiable=False)],
    "array_equiv": [call(X, Y, differentiable=False)],
    "one_hot": [call(COUNTS, 4, reference=lambda x, n: np.eye(n)[x])],
    # files, inspection
    "save": _FILE,
    "savez": _FILE,
    "savez_compressed": _FILE,
    "save_safetensors": [call(io.BytesIO(), {"x": X}, reference=None, traceable=False)],
    "load": [call(_saved(), "npy", reference=None, traceable=False)],
    "__array_namespace_info__": [call(reference=None)],
}
