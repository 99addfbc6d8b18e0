"""jit, make_jaxpr, lowering, and the partition behind grad(jit(f))."""

import gc
import weakref

import numpy as np
import pytest

import ftrans as ft
from ftrans._native import from_numpy
from ftrans.core.jaxpr import check_jaxpr
from ftrans.transforms.partition import joint_derivative

V = np.array([0.1, -0.7, 1.3])


def same(actual, expected):
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=1e-12)


def f(x):
    return ft.sin(x) * x


DF = np.cos(V) * V + np.sin(V)


def test_cached_by_signature():
    g = ft.jit(f)
    same(g(V), np.sin(V) * V)
    g(V + 1)
    assert (g.trace_count, g.cache_size()) == (1, 1)
    g(V.astype(np.float32))
    g(V[:2])
    g(np.float32(1))
    g(1.0)  # weakly typed
    g(2.0)
    assert (g.trace_count, g.cache_size()) == (5, 5)
    g.clear_cache()
    g(2.0)
    assert (g.trace_count, g.cache_size()) == (6, 1)


@pytest.mark.parametrize(
    "options", [{"static_argnums": 1}, {"static_argnums": (-1,)}, {"static_argnames": "n"}]
)
def test_static_arguments(options):
    def power(x, n):
        for _ in range(n - 1):
            x = x * 2.0
        return x if n > 0 else -x

    g = ft.jit(power, **options)
    assert float(g(1.0, 3)) == 4.0
    assert float(g(1.0, 4)) == 8.0
    assert float(g(5.0, 3)) == 20.0
    assert g.trace_count == 2
    with pytest.raises(TypeError, match=r"static argument .* of power must be hashable, got list: \[3\]"):
        g(1.0, [3])


def test_static_keyword_and_types():
    seen = []
    g = ft.jit(lambda x, n: seen.append(n) or x, static_argnames=("n",))
    for n in (1, True, 1.0):
        g(1.0, n=n)
    assert [type(n) for n in seen] == [int, bool, float]


def test_static_errors():
    with pytest.raises(ValueError, match=r"static_argnames \['m'\] are not parameters of f\(x\)"):
        ft.jit(f, static_argnames="m")
    with pytest.raises(TypeError, match="jit expects a function"):
        ft.jit(3)
    with pytest.raises(TypeError, match="jit: argument x of f must be an array"):
        ft.jit(f)("text")


def test_trees_decorators_and_methods():
    class Model:
        w = 3.0

        @ft.jit
        def apply(self_w, x):
            return {"y": (self_w * x, None)}

    @ft.jit(static_argnums=1)
    def g(x, n):
        return {"y": (x * n, None)}

    assert float(g(2.0, 3)["y"][0]) == 6.0
    assert g.__name__ == "g"
    assert repr(g) == "<jit of g>"
    assert float(Model.apply(Model.w, 2.0)["y"][0]) == 6.0


def test_closures():
    c = from_numpy(V)
    g = ft.jit(lambda x: x * c)
    same(g(V), V * V)
    # Tracers of an outer trace become operands, and the trace is not kept.
    h = ft.grad(lambda y: ft.sum(ft.jit(lambda x: x * y * y)(from_numpy(V))))
    same(h(np.float64(3)), 6 * np.sum(V))
    same(ft.jit(lambda y: ft.jit(lambda x: x * y)(2.0))(3.0), 6.0)


def test_derivatives_run_compiled_programs():
    g = ft.jit(f)
    same(ft.grad(lambda x: ft.sum(g(x)))(V), DF)
    same(ft.jvp(g, (V,), (np.ones(3),))[1], DF)
    same(ft.vmap(ft.grad(g))(V), DF)
    same(ft.grad(lambda x: ft.sum(ft.vmap(g)(x)))(V), DF)
    same(ft.vmap(ft.grad(ft.grad(g)))(V), 2 * np.cos(V) - V * np.sin(V))
    jaxpr = ft.make_jaxpr(ft.grad(lambda x: ft.sum(g(x))))(V).jaxpr
    check_jaxpr(jaxpr)
    assert [e.primitive.name for e in jaxpr.equations if e.primitive.name == "jit"] == ["jit", "jit"]
    assert all(e.parameters["name"] == "f" for e in jaxpr.equations if e.primitive.name == "jit")


def test_derived_jaxprs_are_cached():
    g = ft.jit(f)
    for _ in range(3):
        ft.grad(lambda x: ft.sum(g(x)))(V)
    assert g.trace_count == 1
    (traced,) = g._cache.values()
    assert list(traced.jaxpr.derived).count(("vjp", (True,), None, True)) == 1


def _reduced_and_negated(a):
    x = ft.cumsum(a)
    return -x, ft.sum(x), ft.max(x)


def _negated_and_viewed(a):
    x = ft.cumsum(a)
    return -x, ft.view(x, ft.uint32)


@pytest.mark.parametrize("n", [1, 3, 5000])
def test_results_in_the_memory_of_an_operand(n):
    """A result may take the memory of an operand that ends in its kernel, also where others still read it."""
    v, i = np.resize(V, n), np.arange(n, dtype=np.int32)
    x = np.cumsum(v)
    for f in (_reduced_and_negated, ft.jit(_reduced_and_negated)):
        negative, total, largest = f(ft.array(v))
        ft.eval(negative, total, largest)
        same(negative, -x)
        same([total, largest], [x.sum(), x.max()])
    negative, bits = ft.jit(_negated_and_viewed)(i)
    np.testing.assert_array_equal(np.asarray(negative), -np.cumsum(i))
    np.testing.assert_array_equal(np.asarray(bits), np.cumsum(i))


def test_small_arrays_are_computed_in_one_kernel():
    """What a kernel costs by itself outweighs a few elements, so that the gradient of a long chain is one."""

    def chain(x):
        for _ in range(100):
            x = ft.sin(x) * 0.9 + 0.1
        return x

    def steps(x):
        return ft.jit(ft.grad(lambda x: ft.sum(chain(x)))).lower(x).compile().cost_analysis()["steps"]

    few, many = np.linspace(0, 1, 50), np.linspace(0, 1, 5000)
    assert steps(few) == 1 < steps(many)
    gradients = [ft.jit(ft.grad(lambda x: ft.sum(chain(x))))(x) for x in (few, many)]
    one_by_one = ft.vmap(ft.grad(chain))
    for x, gradient in zip((few, many), gradients, strict=True):
        np.testing.assert_allclose(np.asarray(gradient), np.asarray(one_by_one(x)), rtol=1e-12)


def test_a_compiled_function_goes_when_nobody_refers_to_it():
    g = ft.jit(ft.grad(f))
    g(1.0)
    cleared, gone = g.clear_cache, weakref.ref(g)
    gc.disable()
    try:
        del g
        assert gone() is None
    finally:
        gc.enable()
    cleared()


def test_partition():
    closed = ft.make_jaxpr(lambda x, y: (f(x) * 2.0, y))(V, V)
    (known, unknown, residual_inputs), present, moved = joint_derivative("vjp", closed, [True, False])
    check_jaxpr(known.jaxpr)
    check_jaxpr(unknown.jaxpr)
    assert (present, moved) == ([True, False], [False, False])
    assert {e.primitive.name for e in known.jaxpr.equations} >= {"sin", "cos"}
    assert not {e.primitive.name for e in unknown.jaxpr.equations} & {"sin", "cos"}
    assert residual_inputs == [0]


def test_integers_through_jit():
    g = ft.jit(lambda x, n: (x * 2.0, n))
    value, gradient = ft.value_and_grad(lambda x: g(x, np.int32(3))[0])(5.0)
    assert (float(value), float(gradient)) == (10.0, 2.0)
    out, tangent = ft.jvp(g, (1.0, 3), (1.0, 0))
    assert [int(out[1]), float(tangent[0]), int(tangent[1])] == [3, 2.0, 0]


def test_unused_inputs_and_constant_outputs():
    g = ft.jit(lambda x, y: (x, 7.0))
    gradient = ft.grad(lambda x, y: g(x, y)[1] + g(x, y)[0], (0, 1))(1.0, 2.0)
    assert tuple(map(float, gradient)) == (1.0, 0.0)


def test_make_jaxpr():
    closed, shapes = ft.make_jaxpr(lambda x, n: {"y": x * n}, static_argnums=1, return_shape=True)(V, 2.0)
    assert str(shapes["y"]) == "f64[3]"
    assert len(closed.in_avals) == 1
    jaxpr = None

    def g(y):
        nonlocal jaxpr
        jaxpr = ft.make_jaxpr(lambda x: x * y)(V)
        return y

    ft.grad(g)(1.0)
    assert len(jaxpr.jaxpr.constvars) == 1
