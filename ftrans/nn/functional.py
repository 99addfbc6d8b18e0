"""The functions of neural networks in one namespace."""

from . import activation, losses, normalization, pooling
from .activation import *  # noqa: F403
from .losses import *  # noqa: F403
from .normalization import *  # noqa: F403
from .pooling import *  # noqa: F403

__all__ = [*activation.__all__, *losses.__all__, *normalization.__all__, *pooling.__all__]
