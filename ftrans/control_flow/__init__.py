"""Loops and branches that stay whole in a jaxpr, and run natively."""

from .associative import associative_scan
from .branches import cond, switch
from .fixed_point import fixed_point
from .loops import fori_loop, map, scan, while_loop
from .reductions import reduce, reduce_window

__all__ = [
    "associative_scan",
    "cond",
    "fixed_point",
    "fori_loop",
    "map",
    "reduce",
    "reduce_window",
    "scan",
    "switch",
    "while_loop",
]
