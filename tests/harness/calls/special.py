"""`ft.special`."""

import numpy as np
import scipy.special

from tests.harness.call import POSITIVE, UNIT, Call, X, Y, call, each

PROBABILITIES = 0.5 + UNIT / 2.5
SHAPE = np.abs(Y) + 0.4

CALLS: dict[str, list[Call]] = {
    **each("i0 i0e i1 i1e ndtr log_ndtr erfcx", [call(X)]),
    "entr": [call(POSITIVE), call(np.array([-1.0, 0.0, 2.0]), differentiable=False)],
    **each("logit ndtri", [call(PROBABILITIES)]),
    "lambertw": [call(POSITIVE, reference=lambda x: scipy.special.lambertw(x).real)],
    **each("beta betaln", [call(POSITIVE, SHAPE)]),
    **each("gammainc gammaincc", [call(SHAPE, POSITIVE)]),
    "betainc": [call(POSITIVE, SHAPE, PROBABILITIES)],
    "polygamma": [call(np.array([0, 1, 2], np.int32), POSITIVE), call(3, POSITIVE)],
    "zeta": [call(POSITIVE + 1.2, SHAPE), call(POSITIVE + 1.5)],
    **each("xlogy xlog1py", [call(X, POSITIVE), call(0.0, POSITIVE)]),
}
