"""Fixtures of the harness's own tests."""

import pytest

from ftrans.core.primitive import Primitive, primitives


@pytest.fixture
def register():
    """Primitive(…), forgotten again after the test."""
    before = set(primitives)
    yield Primitive
    for name in set(primitives) - before:
        del primitives[name]
