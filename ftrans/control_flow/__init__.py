"""Loops and branches that stay whole in a jaxpr, and run natively."""

from .loops import fori_loop, map, scan, while_loop

__all__ = ["fori_loop", "map", "scan", "while_loop"]
