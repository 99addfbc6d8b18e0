"""Half types accumulate in float32: results are those of float64, rounded once."""

import ml_dtypes
import numpy as np
import pytest
import scipy.special

import ftrans as ft

RANDOM = np.random.default_rng(0)
LONG = 1 + RANDOM.uniform(-0.5, 0.5, 3000)  # whose partial sums outgrow the precision of either type
ROWS, COLUMNS = RANDOM.uniform(0, 1, (2, 3000)), RANDOM.uniform(0, 1, (3000, 2))
WIDE_IMAGE, WIDE_FILTER = RANDOM.uniform(0, 1, (1, 4, 500)), RANDOM.uniform(0, 1, (1, 2, 500))


def _convolution(x, w):
    return np.stack([np.sum(x[0, i : i + 2] * w[0]) for i in range(3)]).reshape(1, 3, 1)


CASES = {
    "sum": (ft.sum, np.sum, (LONG,)),
    "mean": (ft.mean, np.mean, (LONG,)),
    "var": (ft.var, np.var, (LONG,)),
    "std": (ft.std, np.std, (LONG,)),
    "cumsum": (ft.cumsum, np.cumsum, (LONG,)),
    "logsumexp": (ft.logsumexp, scipy.special.logsumexp, (LONG,)),
    "softmax": (ft.softmax, scipy.special.softmax, (LONG,)),
    "norm": (ft.linalg.vector_norm, np.linalg.norm, (LONG,)),
    "matmul": (ft.matmul, np.matmul, (ROWS, COLUMNS)),
    "dot": (ft.dot, np.dot, (LONG, ROWS[0])),
    "einsum": (lambda x, y: ft.einsum("ij,jk->ik", x, y), np.matmul, (ROWS, COLUMNS)),
    "conv": (ft.conv1d, _convolution, (WIDE_IMAGE, WIDE_FILTER)),
}


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("name", CASES)
def test_accumulation(name, dtype):
    function, reference, operands = CASES[name]
    given = [x.astype(dtype) for x in operands]
    out = function(*map(ft.array, given))
    assert np.asarray(out).dtype == dtype
    expected = reference(*[x.astype(np.float64) for x in given])
    precision = 2.0**-11 if dtype is np.float16 else 2.0**-8
    # half a unit of rounding, and what float32 adds
    np.testing.assert_allclose(np.asarray(out, np.float64), expected, rtol=1.05 * precision)
