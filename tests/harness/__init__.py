"""Every check of every primitive, generated from the registry.

`cases` turns registered samples into concrete operands (other dtypes, layouts, shapes), the `check_*` modules
hold one check a property, `test_primitives` runs property × primitive × sample, and `test_registry` fails for
a primitive that cannot be checked. ``python -m tests.harness --table`` prints the matrix.
"""
