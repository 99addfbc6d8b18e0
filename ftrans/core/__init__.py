"""Avals, jaxprs, tracing, primitives, pytrees: the language that transforms are written in."""
