"""Jaxprs: what tracing records, how it prints, what the checker finds."""

import numpy as np
import pytest

import ftrans as ft
from ftrans._native import from_numpy
from ftrans.core.jaxpr import Equation, Jaxpr, Var, check_jaxpr, dce
from ftrans.core.primitive import primitives
from ftrans.core.tracing import eval_jaxpr, eval_reference

X = np.array([0.5, -1.0, 2.0])


def test_one_line():
    assert str(ft.make_jaxpr(ft.sin)(X)) == "{ lambda ; a:f64[3]. let b:f64[3] = sin a in (b,) }"


def test_literals_are_inline():
    assert str(ft.make_jaxpr(lambda x: x * 2.0)(np.float32(1))) == (
        "{ lambda ; a:f32[]. let b:f32[] = mul a 2.0:f32[] in (b,) }"
    )
    assert str(ft.make_jaxpr(lambda x: x << np.uint32(3))(np.uint32(1))) == (
        "{ lambda ; a:u32[]. let b:u32[] = shift_left a 3:u32[] in (b,) }"
    )


def test_transforms_leave_no_trace():
    def f(x):
        return ft.sum(ft.vmap(lambda y: ft.sin(y) * y)(x))

    assert (
        str(ft.make_jaxpr(ft.grad(f))(X))
        == """\
{ lambda ; a:f64[3]. let
    b:f64[3] = sin a
    c:f64[3] = mul b a
    d:f64[] = reduce_sum[axes=(0,)] c
    e:f64[3] = cos a
    f:f64[3] = safe_mul a e
    g:f64[3] = add b f
  in (g,) }"""
    )


def test_nested_jaxprs_are_indented():
    @ft.jit
    def f(x):
        return ft.sin(ft.exp(ft.cos(ft.sin(x))))

    assert (
        str(ft.make_jaxpr(f)(X))
        == """\
{ lambda ; a:f64[3]. let
    b:f64[3] = jit[
      jaxpr={ lambda ; a:f64[3]. let
          b:f64[3] = sin a
          c:f64[3] = cos b
          d:f64[3] = exp c
          e:f64[3] = sin d
        in (e,) }
      name=f
    ] a
  in (b,) }"""
    )


def test_constants_are_shared():
    c = from_numpy(X)
    closed = ft.make_jaxpr(lambda x: x * c + c)(X)
    assert len(closed.jaxpr.constvars) == 1
    np.testing.assert_array_equal(np.asarray(closed.consts[0]), X)


def test_check_accepts_what_is_traced():
    check_jaxpr(ft.make_jaxpr(ft.grad(lambda x: ft.sum(ft.jit(ft.sin)(x) * x)))(X).jaxpr)


def test_check_shows_equation_and_line():
    closed = ft.make_jaxpr(lambda x: ft.sin(ft.cos(x)))(X)
    equations = closed.jaxpr.equations
    broken = Jaxpr([], closed.jaxpr.invars, [equations[1]], closed.jaxpr.outvars)
    with pytest.raises(TypeError, match=r"operand 0 is used before it is bound.*test_jaxpr\.py:\d+"):
        check_jaxpr(broken)
    wrong = Var(ft.make_jaxpr(ft.sin)(1.0).out_avals[0])
    sin = Equation(primitives["sin"], closed.jaxpr.invars, [wrong], {})
    with pytest.raises(TypeError, match="the primitive's rule gives"):
        check_jaxpr(Jaxpr([], closed.jaxpr.invars, [sin], [wrong]))


def test_dce():
    c = from_numpy(X)

    def f(x):
        ft.exp(x) * c
        return ft.sin(x)

    closed = dce(ft.make_jaxpr(f)(X))
    assert [e.primitive.name for e in closed.jaxpr.equations] == ["sin"]
    assert closed.consts == []


def test_evaluation_agrees_with_reference():
    closed = ft.make_jaxpr(lambda x: ft.jit(lambda y: ft.sin(y) * y)(x) + 1.0)(X)
    (value,) = eval_jaxpr(closed.jaxpr, closed.consts, from_numpy(X))
    (reference,) = eval_reference(closed, X)
    np.testing.assert_allclose(np.asarray(value), reference)


def test_items_assigned_after_capture_do_not_change_the_jaxpr():
    c = from_numpy(X)
    closed = ft.make_jaxpr(lambda x: x * c)(X)
    c._rebind(from_numpy(X + 1))
    np.testing.assert_array_equal(np.asarray(closed.consts[0]), X)
