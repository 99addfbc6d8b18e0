"""Functions of neural networks."""

from . import functional
from .functional import *  # noqa: F403

__all__ = ["functional", *functional.__all__]
