"""`ft.random`: with a key, functions like others. tests/random says whether the numbers are random."""

import numpy as np

from tests.harness.call import COUNTS, POSITIVE, UNIT, Call, V, X, call, each

KEY = np.array([7, 42], np.uint32)
PROBABILITIES = 0.5 + UNIT / 2.5
COVARIANCE = np.array([[2.0, 0.3], [0.3, 1.0]])

_STANDARD = [call((2, 3), "float64", key=KEY, reference=None), call(key=KEY, reference=None)]
_LOCATED = [*_STANDARD, call((2, 3), "float64", X, POSITIVE, KEY, reference=None)]


def _drawn(*arguments, differentiable=True, **keywords) -> Call:
    return call(*arguments, **keywords, key=KEY, reference=None, differentiable=differentiable)


#: The derivatives of what is drawn by rejection are implicit ones, not those of the algorithm.
CALLS: dict[str, list[Call]] = {
    **each("cauchy exponential gumbel logistic maxwell", _STANDARD),
    "rademacher": [_drawn((2, 3)), _drawn((2,), "float32")],
    **each("normal laplace", _LOCATED),
    "ball": [_drawn(2, 3.0, (2, 3), "float64", differentiable=False)],
    "bernoulli": [_drawn(PROBABILITIES), _drawn(0.3, (2, 3))],
    **each("beta f", [_drawn(POSITIVE, POSITIVE + 1, dtype="float64", differentiable=False)]),
    "binomial": [_drawn(5, PROBABILITIES), _drawn(COUNTS, 0.3)],
    "bits": [_drawn((2, 3)), _drawn((2,), 1)],
    "categorical": [_drawn(X), _drawn(X, 0, num_samples=4)],
    **each("chisquare gamma loggamma t", [_drawn(POSITIVE, dtype="float64", differentiable=False)]),
    "choice": [_drawn(5, (3,)), _drawn(X, (2,), False, axis=1), _drawn(V, (2,), True, np.full(5, 0.2))],
    "dirichlet": [_drawn(POSITIVE, dtype="float64", differentiable=False)],
    "fold_in": [call(KEY, 3, reference=None)],
    "generalized_normal": [_drawn(2.5, (3,), "float64", differentiable=False)],
    "geometric": [_drawn(PROBABILITIES)],
    "key": [call(3, reference=None), call(np.array(3, np.int32), reference=None)],
    "lognormal": [_drawn(POSITIVE, dtype="float64")],
    "multivariate_normal": [_drawn(V[:2], COVARIANCE, (3,), "float64")],
    "orthogonal": [_drawn(3, (2,)), _drawn(3, m=2)],
    **each("pareto rayleigh", [_drawn(POSITIVE, dtype="float64")]),
    "permutation": [_drawn(5), _drawn(X, 1)],
    "poisson": [_drawn(POSITIVE), _drawn(3.0, (2,))],
    "randint": [_drawn(-3, 9, (2, 3)), _drawn(COUNTS, COUNTS + 5)],
    "seed": [call(3, reference=None)],
    "split": [call(KEY, reference=None), call(KEY, (2, 3), reference=None)],
    "triangular": [_drawn(X, X + 0.4, X + 1, dtype="float64")],
    "truncated_normal": [_drawn(X, X + POSITIVE, dtype="float64"), _drawn(-1.0, 2.0, (3,))],
    "uniform": [_drawn(X, X + POSITIVE, dtype="float64"), _drawn(shape=(3,))],
    "weibull_min": [_drawn(POSITIVE, POSITIVE + 0.5, dtype="float64")],
}
