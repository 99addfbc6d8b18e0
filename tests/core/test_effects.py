"""Equations with effects: what finds, keeps and orders them."""

import pytest

import ftrans as ft
from ftrans.core.jaxpr import ClosedJaxpr, dce, has_effects, is_effectful
from ftrans.core.primitive import Observer, is_observed, observe
from ftrans.lowering import compiled
from ftrans.transforms.partition import partition


def noted(x, ordered=False):
    ft.debug.callback(lambda x: None, x, ordered=ordered)
    return ft.sin(x)


def names(closed: ClosedJaxpr) -> list[str]:
    return [e.primitive.name for e in closed.jaxpr.equations]


def test_effects_are_found_at_any_depth():
    @ft.custom_jvp
    def custom(x):
        return ft.jit(noted)(x)

    custom.defjvp(lambda primals, tangents: (custom(*primals), tangents[0]))
    for function in (noted, ft.jit(noted), ft.jit(ft.jit(noted)), custom, ft.vmap(noted)):
        closed = ft.make_jaxpr(function)(ft.ones(3))
        assert has_effects(closed)
        assert any(map(is_effectful, closed.jaxpr.equations))
    assert not has_effects(ft.make_jaxpr(ft.jit(ft.sin))(1.0))


def test_elimination_keeps_effects_and_what_they_need():
    def f(x):
        noted(ft.exp(x))
        ft.cos(x)
        ft.jit(noted)(ft.sqrt(x))
        return x

    assert names(dce(ft.make_jaxpr(f)(1.0))) == ["exp", "debug_callback", "sqrt", "jit"]


def test_partition_gives_each_effect_to_one_part():
    def f(x, y):
        noted(ft.ones(2))  # depends on no input
        noted(ft.exp(x))
        noted(y)
        return ft.sin(x), x * y

    closed = ft.make_jaxpr(f)(1.0, 2.0)
    parts = partition(closed, [False, True], [False, True])
    assert names(parts.known).count("debug_callback") == 2
    assert names(parts.unknown).count("debug_callback") == 1


@pytest.mark.parametrize(("ordered", "chained"), [(False, 2), (True, 3)])
def test_tokens_chain_effects(ordered, chained):
    """Those of one stream follow each other; an ordered one also follows those of other streams."""
    other = ft.new_stream(ft.cpu)

    def f(x):
        noted(x, ordered)
        with ft.stream(other):
            noted(x, ordered)
        noted(x, ordered)
        return x

    text = compiled(ft.make_jaxpr(f)(1.0)).as_text()
    calls = [line for line in text.splitlines() if "= host_call" in line]
    assert len(calls) == 3
    taken = [line.split("= host_call")[1].count("bool") for line in calls]
    assert sum(taken) == chained - 1


def test_observer_sees_every_primitive_of_concrete_arrays():
    seen = []

    class Recorder(Observer):
        def apply(self, primitive, operands, parameters):
            seen.append(primitive.name)
            return primitive.execute(operands, parameters)

    observer = Recorder()
    compiled_function = ft.jit(lambda x: x * 2)
    x = ft.array([1.0, 2.0])
    compiled_function(x)
    assert observe(observer) is None
    try:
        assert is_observed()
        ft.sin(x) + 1
        compiled_function(x)
        ft.grad(lambda x: ft.sum(x * x))(x)
    finally:
        assert observe(None) is observer
    assert not is_observed()
    assert seen[:3] == ["sin", "add", "jit"]
    assert "reduce_sum" in seen
