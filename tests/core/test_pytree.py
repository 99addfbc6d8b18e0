"""Pytrees."""

from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest

import ftrans as ft
from ftrans.core.pytree import broadcast_prefix, flatten, flatten_call


class Pair(NamedTuple):
    a: object
    b: object


@ft.register_dataclass
@dataclass
class Layer:
    weight: object
    bias: object


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y


ft.register_pytree_node(Point, lambda p: ((p.x, p.y), None), lambda _, xy: Point(*xy))


def loss(p):
    return p.weight * p.weight * p.bias


def test_dataclasses():
    gradient = ft.grad(loss)(Layer(3.0, 2.0))
    assert isinstance(gradient, Layer)
    assert (float(gradient.weight), float(gradient.bias)) == (12.0, 9.0)


@pytest.mark.parametrize(
    "options", [{"meta_fields": ["power"]}, {"data_fields": ["x"], "meta_fields": ["power"]}, {}]
)
def test_meta_fields_are_static(options):
    @partial(ft.register_dataclass, **options)
    @dataclass
    class Monomial:
        x: object
        power: int = field(metadata={} if options else {"static": True})

    @ft.jit
    def f(m):
        out = m.x
        for _ in range(m.power - 1):
            out = out * m.x
        return out

    assert float(f(Monomial(2.0, 3))) == 8.0
    assert float(f(Monomial(2.0, 4))) == 16.0
    assert f.trace_count == 2


def test_registered_classes_and_namedtuples():
    p = ft.grad(lambda p: p.x * p.y)(Point(2.0, 5.0))
    assert (float(p.x), float(p.y)) == (5.0, 2.0)
    q = ft.grad(lambda q: q.a * q.b)(Pair(2.0, 5.0))
    assert isinstance(q, Pair)
    assert float(q.a) == 5.0


def test_none_is_an_empty_tree():
    assert ft.grad(lambda t: t["x"] * 2.0)({"x": 1.0, "y": None})["y"] is None


def test_register_dataclass_errors():
    with pytest.raises(TypeError, match="expected a dataclass"):
        ft.register_dataclass(int)
    with pytest.raises(ValueError, match="meta_fields"):
        ft.register_dataclass(dataclass(type("D", (), {"__annotations__": {"x": int}})), meta_fields=["y"])

    with pytest.raises(ValueError, match=r"data_fields must be .*, \['x', 'y'\], got \['x'\]"):
        ft.register_dataclass(Vector, data_fields=["x"])


@dataclass
class Vector:
    x: object
    y: object


def test_broadcast_prefix():
    structure = flatten({"a": (1, None, 2), "b": 3})[1]
    assert broadcast_prefix({"a": 0, "b": None}, structure, "axes") == [0, 0, None]
    assert broadcast_prefix(7, structure, "axes") == [7, 7, 7]
    with pytest.raises(ValueError, match="axes must be a prefix"):
        broadcast_prefix({"a": 0}, structure, "axes")


def test_leaves_that_are_not_arrays_are_named():
    def f(p):
        return p

    with pytest.raises(TypeError, match=r"grad: argument p\['w'\]\[1\] of f must be an array.*str"):
        ft.grad(f)({"w": (np.ones(2), "x")})


def test_a_dataclass_that_is_no_tree_is_told_how_to_become_one():
    @dataclass
    class Pair:
        a: object
        b: object

    with pytest.raises(TypeError, match=r"argument d of <lambda>.*ft\.register_dataclass\(Pair\)"):
        ft.grad(lambda d: d.a * d.b)(Pair(1.0, 2.0))


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {}),
        ((ft.ones(2), ft.zeros(())), {}),
        ((ft.ones(2), 1.0, None), {}),
        ((ft.ones(2),), {"b": ft.ones(3)}),
    ],
    ids=["none", "arrays", "others", "keyword"],
)
def test_arguments_of_a_call_are_a_pair(args, kwargs):
    leaves, structure = flatten_call(args, kwargs)
    expected, same = flatten((args, kwargs))
    assert (structure, hash(structure), str(structure)) == (same, hash(same), str(same))
    assert len(leaves) == len(expected)
    assert all(x is y for x, y in zip(leaves, expected, strict=True))
