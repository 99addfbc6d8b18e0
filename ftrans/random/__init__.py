"""Random numbers: a stateless generator with explicit keys, and a global key for scripts.

A key is a uint32 array of shape (2,). The same key always gives the same numbers: `split` it to draw
independent ones. Without ``key=`` the functions draw on a global key, which `seed` sets. The bits are those
of JAX's partitionable Threefry generator for the same key.
"""

from .continuous import exponential, gumbel, laplace, normal, truncated_normal
from .discrete import bernoulli, categorical, randint
from .keys import fold_in, key, seed, split
from .selection import choice, permutation
from .uniform_numbers import bits, uniform

__all__ = [
    "bernoulli",
    "bits",
    "categorical",
    "choice",
    "exponential",
    "fold_in",
    "gumbel",
    "key",
    "laplace",
    "normal",
    "permutation",
    "randint",
    "seed",
    "split",
    "truncated_normal",
    "uniform",
]
