"""jit's other sides: lowering and compiling ahead of time, what a program costs, donation, retracing."""

import gc

import numpy as np
import pytest

import ftrans as ft

V = np.array([0.1, -0.7, 1.3])
N = 1 << 18


def same(actual, expected):
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=1e-12)


class Described:
    """A stand-in for an array."""

    def __init__(self, shape, dtype):
        self.shape, self.dtype = shape, dtype


# ---------------------------------------------------------------- lower, compile


def test_lower_and_compile():
    f = ft.jit(lambda x, n: {"y": ft.sin(x) * n}, static_argnums=1)
    lowered = f.lower(Described((3,), np.float64), 2.0)
    assert "sin a" in lowered.as_text()
    assert str(lowered.out_avals["y"]) == "f64[3]"
    assert repr(lowered) == "<<lambda> lowered for (f64[3])>"
    compiled = lowered.compile()
    same(compiled(V)["y"], 2 * np.sin(V))
    assert "fused" in compiled.as_text()
    same(f(V, 2.0)["y"], 2 * np.sin(V))
    assert f.trace_count == 1  # the call found what was lowered
    with pytest.raises(
        TypeError, match=r"compiled for arguments of other types: argument x .*\(2,\), was \(3,\)"
    ):
        compiled(V[:2])
    with pytest.raises(TypeError, match="the structure of the arguments"):
        compiled(V, V)
    same(ft.vmap(compiled)(np.stack([V, V]))["y"][1], 2 * np.sin(V))
    same(ft.grad(lambda x: ft.sum(compiled(x)["y"]))(V), 2 * np.cos(V))


def test_lower_keyword_statics():
    f = ft.jit(lambda x, *, n: x * n, static_argnames="n")
    same(f.lower(V, n=3).compile()(V), 3 * V)


def test_lower_refuses_closed_over_tracers():
    def g(y):
        ft.jit(lambda x: x * y).lower(1.0)
        return y

    with pytest.raises(TypeError, match="closes over arrays traced by an outer transformation"):
        ft.grad(g)(1.0)


def test_compile_is_jit():
    same(ft.compile(ft.sin)(V), np.sin(V))


def test_cost_analysis():
    a, b = np.ones((8, 16), np.float32), np.ones((16, 4), np.float32)
    cost = ft.jit(lambda a, b: a @ b).lower(a, b).compile().cost_analysis()
    assert cost == {"flops": 2 * 8 * 16 * 4, "bytes accessed": 4 * (8 * 16 + 16 * 4 + 8 * 4), "steps": 1}
    cost = ft.jit(lambda x: ft.sum(ft.sin(x) * x)).lower(V).compile().cost_analysis()
    assert (cost["flops"], cost["bytes accessed"]) == (9, 8 * 3 + 8)  # sin, mul, sum: fused
    inner = ft.jit(ft.sin)
    assert ft.jit(lambda x: inner(x)).lower(V).compile().cost_analysis()["flops"] == 3


# ---------------------------------------------------------------- memory


def _chain(x):
    for _ in range(4):
        x = ft.cumsum(ft.sin(x))
    return x


def _wide(x):
    parts = [ft.cumsum(x * i) for i in range(1, 6)]
    return sum(ft.cumsum(p) for p in parts)


def _matrices(x):
    m = ft.reshape(x, (512, 512))
    return m @ ft.transpose(m) + m


def _scatter(x):
    y = x * 2.0
    y[3:7] = 1.0
    return y, ft.sum(y)


def _loss(x):
    h = ft.tanh(ft.reshape(x, (512, 512)) @ ft.reshape(x, (512, 512)))
    return ft.sum(h * h)


PROGRAMS = {
    "elementwise": lambda x: ft.sin(x) * x + 1.0,
    "chain": _chain,
    "wide": _wide,
    "matrices": _matrices,
    "scatter": _scatter,
    "views": lambda x: (x[::2] + x[1::2], ft.cumsum(x[::-1]), ft.reshape(x, (2, -1)).T * 2.0),
    "copied operands": lambda x: ft.reshape(x[::-1], (2, -1)) @ ft.ones((N // 2, 1)),
    "half precision": lambda x: _matrices(x.astype(ft.float16)),
    "gradient": ft.grad(_loss),
    "vmapped": ft.vmap(lambda r: ft.cumsum(ft.nn.softmax(r))),
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("donate", [(), 0], ids=["kept", "donated"])
def test_memory_is_predicted(name, donate):
    f = ft.jit(PROGRAMS[name], donate_argnums=donate)
    x = ft.array(np.full((64, N // 64) if name == "vmapped" else (N,), 0.5, np.float32))
    predicted = f.memory(x)
    gc.collect()
    ft.synchronize()
    before = ft.get_active_memory()
    others = before - N * 4
    ft.reset_peak_memory()
    result = f(x)
    ft.eval(result)
    ft.synchronize()
    measured = ft.get_peak_memory() - others
    assert abs(predicted - measured) <= 0.1 * measured, (predicted, measured)


def test_memory_at_every_stage():
    f, x = ft.jit(lambda x: ft.sum(ft.matmul(x, x))), ft.ones((64, 64))
    lowered = f.lower(x)
    assert f.memory(x) == lowered.memory() == lowered.compile().memory() > 2 * 64 * 64 * 4


def test_memory_analysis():
    x = ft.ones((N,), dtype=ft.float32)
    need = ft.jit(lambda x: ft.cumsum(ft.cumsum(x))).lower(x).compile().memory_analysis()
    assert need["arguments"] == need["outputs"] == need["temporaries"] == 4 * N
    assert need["peak"] == 3 * 4 * N + need["constants"]
    c = np.ones(N, np.float32)
    assert ft.jit(lambda x: x + ft.array(c)).lower(x).compile().memory_analysis()["constants"] >= 4 * N


# ---------------------------------------------------------------- donation


def address(x):
    return np.asarray(x).__array_interface__["data"][0]


def owned(value=1.0):
    return ft.array(np.full(N, value, np.float32))


def test_donated_memory_is_reused():
    f = ft.jit(lambda x: x + 1.0, donate_argnums=0)
    y = owned()
    where = address(y)
    for i in range(3):  # traced, then dispatched natively
        x, y = y, f(y)
        assert address(y) == where
        assert float(y[5]) == 2.0 + i
        with pytest.raises(RuntimeError, match="donated as argument x of"):
            x + 1.0
    kept = ft.jit(lambda x: x + 1.0)
    x = owned()
    assert address(kept(x)) != address(x)


def test_donation_through_calls_and_kernels():
    inner = ft.jit(lambda x: x * 2.0, donate_argnums=0)
    x = owned()
    y = inner(x) + 0.0  # the call is part of a larger pending graph
    assert float(y[0]) == 2.0
    x = owned()
    where = address(x)
    y = ft.jit(_assigned, donate_argnames="x")(x)
    assert address(y) == where
    assert (float(y[3]), float(y[4])) == (7.0, 1.0)


def _assigned(x):
    x[3] = 7.0
    return x


def test_donated_array_is_refused():
    def step(params, x):
        return {"w": params["w"] * x}

    f = ft.jit(step, donate_argnames="params")
    params = {"w": ft.ones(3)}
    out = f(params, 2.0)
    w = params["w"]
    assert w.shape == (3,)
    assert repr(w) == "Donated<f32[3]>"
    for use in (
        lambda: w + 1.0,
        lambda: np.asarray(w),
        lambda: float(w[0]),
        lambda: f(params, 2.0),
        lambda: ft.grad(lambda x: ft.sum(x * w))(ft.ones(3)),
        lambda: ft.vmap(lambda x: x * w[0])(ft.ones(3)),
        lambda: ft.jit(lambda x: x * w)(ft.ones(3)),
    ):
        with pytest.raises(RuntimeError, match=r"donated as argument params\['w'\] of step \(jit\)"):
            use()
    same(out["w"], [2, 2, 2])


def test_shared_memory_is_not_overwritten():
    f = ft.jit(lambda x: x + 1.0, donate_argnums=0)
    x = owned()
    view, copy = x[2:], x._snapshot()
    y = f(x)
    assert float(y[5]) == 2.0
    assert float(view[3]) == float(copy[5]) == 1.0
    array = np.ones(N, np.float32)
    f(array)
    assert array[0] == 1.0
    x = owned()
    both = ft.jit(lambda x, y: x + y, donate_argnums=(0, 1))
    assert float(both(x, x)[0]) == 2.0
    # Pending arrays, and several calls before any evaluation.
    z = f(f(f(owned() + 1.0)))
    assert float(z[N - 1]) == 5.0


def test_donation_is_ignored_where_arguments_are_traced():
    f = ft.jit(lambda x: ft.sum(ft.sin(x)), donate_argnums=0)
    x = ft.array(V)
    same(ft.grad(f)(x), np.cos(V))
    same(ft.jit(lambda x: f(x) + ft.sum(x))(x), np.sum(np.sin(V) + V))
    same(x, V)


def test_donation_arguments_are_checked():
    with pytest.raises(ValueError, match=r"donate_argnames \['y'\] are not parameters of sin"):
        ft.jit(ft.sin, donate_argnames="y")
    with pytest.raises(ValueError, match="both static and donated"):
        ft.jit(lambda x: x, static_argnums=0, donate_argnums=0)
    with pytest.raises(TypeError, match="donate_argnums must be an int or ints"):
        ft.jit(lambda x: x, donate_argnums="x")


# ---------------------------------------------------------------- unused arguments, inlining


def test_unused_arguments_are_not_evaluated():
    f = ft.jit(lambda x, unused, z: x + z)
    pending = ft.ones(3) * 2
    for _ in range(3):  # traced, then dispatched natively
        assert float(f(1.0, pending, 2.0)) == 3.0
    assert len(f.lower(1.0, pending, 2.0).jaxpr.in_avals) == 2
    kept = ft.jit(lambda x, unused, z: x + z, keep_unused=True)
    assert len(kept.lower(1.0, pending, 2.0).jaxpr.in_avals) == 3
    assert float(kept(1.0, pending, 2.0)) == 3.0
    same(ft.grad(lambda x, y: f(x, y, 2.0), (0, 1))(np.float64(1), np.float64(2)), [1, 0])


def test_inline():
    f = ft.jit(ft.sin, inline=True)
    names = [e.primitive.name for e in ft.make_jaxpr(lambda x: f(x) * 2)(V).jaxpr.equations]
    assert names == ["sin", "mul"]
    same(ft.grad(lambda x: ft.sum(f(x)))(V), np.cos(V))
    same(f(V), np.sin(V))


# ---------------------------------------------------------------- retracing, disable_jit


def test_explain_retrace():
    def f(x, n=1):
        return ft.sum(x["a"]) * n

    g = ft.jit(f, static_argnames="n")
    x = {"a": np.ones(3, np.float32)}
    assert g.explain_retrace(x) == ["f has not been traced yet"]
    g(x, n=1)
    assert g.explain_retrace(x, n=1) == []
    assert g.trace_count == 1
    assert g.explain_retrace({"a": np.ones(4)}, n=1) == [
        "argument x['a'] of f: shape (4,), was (3,); dtype float64, was float32"
    ]
    assert g.explain_retrace(x, n=2) == ["static argument 'n' of f: 2, was 1"]
    assert g.explain_retrace(x)[0] == "static argument 'n' of f: not given, was 1"
    (structure,) = g.explain_retrace({"b": np.ones(3, np.float32)}, n=1)
    assert structure.startswith("the structure of the arguments")
    scalar = ft.jit(ft.sin)
    scalar(np.float32(1))
    assert scalar.explain_retrace(1.0) == ["argument x of sin: weak_type True, was False"]
    g(x, n=2)  # the nearest signature counts
    assert g.explain_retrace({"a": np.ones(2, np.float32)}, n=2) == [
        "argument x['a'] of f: shape (2,), was (3,)"
    ]


def test_disable_jit():
    seen = []
    f = ft.jit(lambda x: seen.append(float(x)) or x * 2)
    with pytest.raises(ft.ConcretizationError):
        f(3.0)
    with ft.disable_jit():
        assert float(f(3.0)) == 6.0
        with ft.disable_jit(False), pytest.raises(ft.ConcretizationError):
            f(4.0)
        assert float(ft.grad(f)(5.0)) == 2.0
    assert seen == [3.0, 5.0]
    g = ft.jit(lambda x: seen.append(0) or x)
    g(1.0)
    g(1.0)
    with ft.disable_jit():
        g(1.0)  # past the native dispatcher, too
    assert seen == [3.0, 5.0, 0, 0]
