"""Random numbers: a stateless generator with explicit keys, and a global key for scripts.

A key is a uint32 array of shape (2,). The same key always gives the same numbers: `split` it to draw
independent ones. Without ``key=`` the functions draw on a global key, which `seed` sets. The bits are those
of JAX's partitionable Threefry generator for the same key.
"""

from .continuous import (
    cauchy,
    exponential,
    gumbel,
    laplace,
    logistic,
    pareto,
    rayleigh,
    triangular,
    weibull_min,
)
from .counting import binomial, geometric, poisson
from .discrete import bernoulli, categorical, rademacher, randint
from .gamma_family import beta, chisquare, dirichlet, f, gamma, loggamma, t
from .gaussian import lognormal, maxwell, normal, truncated_normal
from .keys import fold_in, key, seed, split
from .multivariate import ball, generalized_normal, multivariate_normal, orthogonal
from .selection import choice, permutation
from .uniform_numbers import bits, uniform

__all__ = [
    "ball",
    "bernoulli",
    "beta",
    "binomial",
    "bits",
    "categorical",
    "cauchy",
    "chisquare",
    "choice",
    "dirichlet",
    "exponential",
    "f",
    "fold_in",
    "gamma",
    "generalized_normal",
    "geometric",
    "gumbel",
    "key",
    "laplace",
    "loggamma",
    "logistic",
    "lognormal",
    "maxwell",
    "multivariate_normal",
    "normal",
    "orthogonal",
    "pareto",
    "permutation",
    "poisson",
    "rademacher",
    "randint",
    "rayleigh",
    "seed",
    "split",
    "t",
    "triangular",
    "truncated_normal",
    "uniform",
    "weibull_min",
]
