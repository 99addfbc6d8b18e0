"""Loops and branches that stay whole in a jaxpr, and run natively."""

from .associative import associative_scan
from .branches import cond, switch
from .fixed_point import fixed_point
from .loops import fori_loop, map, scan, while_loop

__all__ = ["associative_scan", "cond", "fixed_point", "fori_loop", "map", "scan", "switch", "while_loop"]
