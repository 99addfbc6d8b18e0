"""Exported functions: the same values and derivatives from a file, in this process and in another."""

import io
import json
import subprocess
import sys
import zipfile

import ml_dtypes
import numpy as np
import pytest

import ftrans as ft
from ftrans.core.jaxpr import check_jaxpr
from ftrans.exporting.archive import read_archive
from tests.harness.cases import all_cases, to_array

V = np.array([0.4, -0.7, 1.3])
W = np.arange(6.0).reshape(2, 3)


def reloaded(f, *args, **kwargs):
    return ft.export.deserialize(ft.export(f)(*args, **kwargs).serialize())


def same(actual, expected):
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=1e-14)


#: Their rules are Python functions of several kinds, for which there is no form in a file.
NOT_WRITTEN = {"custom_vmap", "linear_solve", "root", "pure_callback", "io_callback", "debug_callback"}


@pytest.mark.parametrize("name", sorted(NOT_WRITTEN))
def test_what_cannot_be_written_is_refused(name):
    case = next(c for c in all_cases() if c.primitive.name == name)
    with pytest.raises(TypeError, match="cannot be written to a file"):
        reloaded(lambda *xs: tuple(case.bind(*xs)), *[to_array(x) for x in case.operands])


@pytest.mark.parametrize(
    "case",
    [c for c in all_cases() if (c.index == 0 or c.is_call) and c.primitive.name not in NOT_WRITTEN],
    ids=str,
)
def test_every_primitive_survives(case):
    """Bit by bit: the file holds the same program."""
    operands = [to_array(x) for x in case.operands]

    def function(*xs):
        return tuple(case.bind(*xs))

    expected = ft.jit(function)(*operands)
    loaded = reloaded(function, *operands)
    check_jaxpr(loaded.jaxpr.jaxpr)
    for a, b in zip(loaded(*operands), expected, strict=True):
        assert a.dtype is b.dtype
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def loss(params, x, *, scale):
    h = ft.tanh(x @ params["w"] + params["b"][0])
    return {"loss": ft.sum(h * h) * scale, "h": (h, None)}


PARAMS = {"w": W, "b": [V]}
X = np.array([[1.0, 2.0], [0.5, -1.0]])


def test_trees_and_transformations():
    f = reloaded(loss, PARAMS, X, scale=np.float64(2))
    expected = loss({"w": ft.array(W), "b": [ft.array(V)]}, ft.array(X), scale=2.0)
    out = f(PARAMS, X, scale=np.float64(2))
    same(out["loss"], expected["loss"])
    assert out["h"][1] is None

    def value(g):
        return lambda w: g({"w": w, "b": [V]}, X, scale=np.float64(2))["loss"]

    same(ft.grad(value(f))(W), np.asarray(ft.grad(value(loss))(ft.array(W))))
    same(ft.jit(value(f))(W), expected["loss"])
    same(ft.vmap(value(f))(np.stack([W, W]))[1], expected["loss"])
    same(ft.hessian(value(f))(W), np.asarray(ft.hessian(value(loss))(ft.array(W))))
    again = ft.export.deserialize(ft.export(f)(PARAMS, X, scale=np.float64(2)).serialize())
    same(again(PARAMS, X, scale=np.float64(2))["loss"], expected["loss"])


def test_transformed_functions_are_exported():
    gradient = reloaded(ft.vmap(ft.grad(lambda x: ft.sin(x) * x)), V)
    same(gradient(V), np.sin(V) + V * np.cos(V))
    whole = reloaded(ft.vmap(lambda x: x / ft.psum(x, "i"), axis_name="i"), V)
    same(whole(V), V / V.sum())


def test_other_process(tmp_path):
    path = tmp_path / "f.ftrans"
    c = np.arange(3.0)
    inner = ft.jit(lambda x: ft.exp(x) + c)
    ft.export(lambda x: inner(x) * 2.0)(V).save(path)
    code = (
        "import sys, numpy as np, ftrans as ft; f = ft.export.load(sys.argv[1]); "
        "print(ft.grad(lambda x: ft.sum(f(x)))(np.array([0.0, 1.0, 2.0])).tolist())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    same(json.loads(result.stdout), 2 * np.exp(np.arange(3.0)))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "bfloat16", "float32", "complex128"])
def test_constants_of_every_kind(dtype):
    numbers = np.array([0, 1, 1, 0, 1]).astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    for constant in (numbers, numbers[1], numbers[::2], numbers[:0]):
        array = ft.array(constant)
        loaded = reloaded(lambda x, array=array: (array, x), np.float32(1))
        np.testing.assert_array_equal(np.asarray(loaded(np.float32(1))[0]), constant)
        assert loaded(np.float32(1))[0].dtype is array.dtype


def test_special_literals():
    numbers = [np.inf, -np.inf, np.nan, -0.0, 1e-300, 2**62 + 1]
    loaded = reloaded(
        lambda x: [x * np.float64(n) for n in numbers[:-1]] + [ft.array(np.int64(numbers[-1]))], 1.0
    )
    out = loaded(1.0)
    np.testing.assert_array_equal([float(x) for x in out[:-1]], numbers[:-1])
    assert np.signbit(np.asarray(out[3]))
    assert int(out[-1]) == numbers[-1]


def test_custom_rules_are_kept():
    @ft.custom_jvp
    def f(x):
        return ft.sin(x)

    f.defjvp(lambda primals, tangents: (ft.sin(primals[0]), 10.0 * tangents[0]))

    @ft.custom_vjp
    def g(x, y):
        return ft.sin(x) * y

    g.defvjp(lambda x, y: (ft.sin(x) * y, (y,)), lambda residuals, ct: (7.0 * residuals[0] * ct, None))
    both = reloaded(lambda x: f(x) + g(x, 2.0 * x), np.float64(1))
    same(both(np.float64(1)), 3 * np.sin(1.0))
    same(ft.grad(both)(np.float64(1)), 10 + 14)
    same(ft.vmap(ft.grad(both))(V), 10 + 14 * V)
    same(ft.jvp(reloaded(f, np.float64(1)), (np.float64(1),), (np.float64(1),))[1], 10)


def test_static_arguments_and_descriptions():
    class Described:
        shape, dtype = (3,), np.float64

    exported = ft.export(lambda x, n, *, m: x * n + m, static_argnums=1, static_argnames="m")(
        Described(), 3, m=1
    )
    same(exported(V), V * 3 + 1)
    assert repr(exported) == "<<lambda> exported for (f64[3])>"
    assert str(exported.in_avals[0][0]) == str(exported.out_avals) == "f64[3]"
    assert "mul" in exported.as_text()


def test_wrong_calls():
    f = reloaded(ft.sin, V)
    with pytest.raises(
        TypeError, match=r"sin was exported for f64\[3\], but leaf 0 of the arguments is f64\[2\]"
    ):
        f(V[:2])
    with pytest.raises(TypeError, match="sin was exported for arguments of the structure"):
        f(V, V)


def test_what_cannot_be_exported():
    with pytest.raises(TypeError, match="export expects a function"):
        ft.export(3)

    def g(y):
        ft.export(lambda x: x * y)(1.0)
        return y

    with pytest.raises(TypeError, match="closes over arrays traced by an outer transformation"):
        ft.grad(g)(1.0)
    bad = ft.export(lambda d: d)({(1, 2): 1.0})
    with pytest.raises(
        TypeError, match=r"keys of dicts in the arguments of <lambda> must be .* got \(1, 2\)"
    ):
        bad.serialize()


def test_the_archive_is_plain():
    data = ft.export(lambda x: ft.sin(x) * V)(V).serialize()
    assert data == ft.export(lambda x: ft.sin(x) * V)(V).serialize()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["program.json", "constants/0"]
        assert archive.read("constants/0") == V.tobytes()
    program, _ = read_archive(data)
    assert [e[0] for e in program["jaxprs"][0]["equations"]] == ["sin", "mul"]
