"""The array API standard's constants."""

from math import e as e
from math import inf as inf
from math import nan as nan
from math import pi as pi

#: The Euler-Mascheroni constant, the limit of 1 + 1/2 + … + 1/n - log(n).
euler_gamma = 0.5772156649015329

__all__ = ["e", "euler_gamma", "inf", "nan", "newaxis", "pi"]

#: As an index, a new axis.
newaxis = None
