"""pure_callback and io_callback, under every transformation."""

import gc
import weakref

import numpy as np
import pytest

import ftrans as ft

X = np.array([0.5, -1.0, 2.0])


def struct(x):
    return ft.ShapeDtypeStruct(x.shape, x.dtype)


def sine(x, method="sequential"):
    return ft.pure_callback(np.sin, struct(x), x, vmap_method=method)


@pytest.mark.parametrize(
    "wrap", [lambda f: f, ft.jit, lambda f: ft.jit(ft.jit(f))], ids=["eager", "jit", "jit²"]
)
def test_value(wrap):
    np.testing.assert_array_equal(np.asarray(wrap(sine)(ft.array(X))), np.sin(X))


def test_trees_and_keywords():
    def f(pair, *, scale):
        return {"sum": pair[0] + pair[1], "scaled": (scale * pair[0],)}

    x, y = ft.array(X), ft.array(2 * X)
    expected = {"sum": struct(x), "scaled": (struct(x),)}
    result = ft.jit(lambda x, y: ft.pure_callback(f, expected, (x, y), scale=3.0))(x, y)
    np.testing.assert_allclose(np.asarray(result["sum"]), 3 * X)
    np.testing.assert_allclose(np.asarray(result["scaled"][0]), 3 * X)


def test_unused_pure_callback_is_not_called():
    calls = []
    ft.eval(ft.jit(lambda x: (ft.pure_callback(calls.append, None, x), x + 1)[1])(1.0))
    assert not calls


@pytest.mark.parametrize("method", ["sequential", "expand_dims", "broadcast_all"])
@pytest.mark.parametrize("wrap", [lambda f: f, ft.jit], ids=["eager", "jit"])
def test_vmap_methods(method, wrap):
    shapes = []

    def f(x, y):
        shapes.append((x.shape, y.shape))
        return x * y

    def g(x, y):
        return ft.pure_callback(f, struct(x), x, y, vmap_method=method)

    x, y = np.arange(6.0).reshape(2, 3), np.array([1.0, 10.0, 100.0])
    result = wrap(ft.vmap(g, in_axes=(0, None)))(ft.array(x), ft.array(y))
    np.testing.assert_array_equal(np.asarray(result), x * y)
    assert (
        shapes
        == {
            "sequential": [((3,), (3,)), ((3,), (3,))],
            "expand_dims": [((2, 3), (1, 3))],
            "broadcast_all": [((2, 3), (2, 3))],
        }[method]
    )


def test_nested_vmap():
    x = np.arange(24.0).reshape(2, 3, 4)
    result = ft.vmap(ft.vmap(sine, in_axes=1, out_axes=1), in_axes=2)(ft.array(x))
    np.testing.assert_array_equal(np.asarray(result), np.sin(np.moveaxis(x, 2, 0)))


def test_vmap_of_an_empty_batch():
    assert ft.vmap(sine)(ft.zeros((0, 3))).shape == (0, 3)


def test_vmap_needs_a_method():
    with pytest.raises(ValueError, match=r"pure_callback of sin.*vmap_method='sequential'"):
        ft.vmap(lambda x: sine(x, None))(ft.ones((2, 3)))
    with pytest.raises(ValueError, match="vmap_method must be one of sequential"):
        sine(ft.array(X), "sequentially")


@pytest.mark.parametrize("differentiate", [ft.grad, ft.jit, lambda f: lambda x: ft.jvp(f, (x,), (x,))])
def test_no_derivative_unless_one_is_given(differentiate):
    def f(x):
        return ft.sum(sine(x))

    if differentiate is ft.jit:
        f = ft.grad(f)
    with pytest.raises(TypeError, match=r"pure_callback has no derivative.*custom_jvp or custom_vjp"):
        differentiate(f)(ft.array(X))


@pytest.mark.parametrize("wrap", [lambda f: f, ft.jit, lambda f: lambda x: ft.vmap(f)(x[None])[0]])
def test_custom_derivative(wrap):
    @ft.custom_jvp
    def f(x):
        return sine(x)

    f.defjvp(lambda primals, tangents: (f(*primals), ft.cos(*primals) * tangents[0]))
    x = ft.array(X)
    np.testing.assert_allclose(np.asarray(wrap(ft.grad(lambda x: ft.sum(f(x))))(x)), np.cos(X), rtol=1e-15)
    np.testing.assert_allclose(
        np.asarray(wrap(lambda x: ft.jvp(f, (x,), (x,))[1])(x)), np.cos(X) * X, rtol=1e-15
    )


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda x: x[:2], ValueError, r"result 0 has shape \(2,\), expected \(3,\)"),
        (lambda x: x.astype(np.float32), TypeError, "result 0 has dtype float32, expected float64"),
        (lambda x: (x, x), TypeError, "returned a tree of the structure"),
        (lambda x: 1 / 0, ZeroDivisionError, "division by zero"),
    ],
)
@pytest.mark.parametrize("wrap", [lambda f: f, ft.jit], ids=["eager", "jit"])
def test_wrong_results(function, error, message, wrap):
    y = wrap(lambda x: ft.pure_callback(function, struct(x), x))(ft.array(X))
    with pytest.raises(error, match=message):
        ft.eval(y)


def test_python_numbers_take_the_dtype_that_is_asked_for():
    def constant(value, dtype):
        return ft.pure_callback(lambda: value, ft.ShapeDtypeStruct((), dtype)).item()

    assert constant(1.5, ft.float16) == 1.5
    assert constant(3, ft.uint8) == 3
    assert constant(True, ft.complex64) == 1
    with pytest.raises(OverflowError):
        constant(300, ft.uint8)
    with pytest.raises(TypeError, match="has dtype float64, expected int32"):
        constant(1.5, ft.int32)


def test_wrong_arguments():
    with pytest.raises(TypeError, match="pure_callback expects a function"):
        ft.pure_callback(3, None)
    with pytest.raises(TypeError, match=r"pure_callback: result_shape_dtypes\['a'\] must have a shape"):
        ft.pure_callback(np.sin, {"a": 3}, 1.0)

    def f(x):
        return None

    with pytest.raises(TypeError, match="io_callback: argument x of f"):
        ft.io_callback(f, None, "text")


class Log(list):
    def __call__(self, x):
        self.append(np.asarray(x).tolist())


@pytest.fixture
def log():
    return Log()


def logged(log, x, ordered=False):
    ft.io_callback(log, None, x, ordered=ordered)
    return x


@pytest.mark.parametrize("ordered", [False, True])
class TestEffects:
    def test_eager_call_is_immediate(self, log, ordered):
        logged(log, ft.array(1.0), ordered)
        assert log == [1.0]

    def test_program_runs_it_each_time_in_order(self, log, ordered):
        @ft.jit
        def f(x):
            for i in range(4):
                logged(log, x + i, ordered)
            logged(log, ft.array(-1.0), ordered)  # nothing traced
            return x

        for start in (0.0, 10.0):
            f(start)
        assert log == [0.0, 1.0, 2.0, 3.0, -1.0, 10.0, 11.0, 12.0, 13.0, -1.0]

    def test_equal_calls_are_not_merged(self, log, ordered):
        ft.jit(lambda x: [logged(log, x, ordered) for _ in range(3)])(1.0)
        assert log == [1.0] * 3

    def test_inner_jit_with_unused_result(self, log, ordered):
        inner = ft.jit(lambda x: logged(log, x, ordered) * 2)

        @ft.jit
        def f(x):
            inner(x)
            inner(ft.array(5.0))  # nothing traced
            return x

        f(1.0)
        f(2.0)
        assert log == [1.0, 5.0, 2.0, 5.0]

    def test_vmap_calls_once_a_lane(self, log, ordered):
        ft.vmap(lambda x: logged(log, x, ordered))(ft.arange(3.0))
        ft.jit(ft.vmap(lambda x, y: logged(log, y, ordered), in_axes=(0, None)))(ft.arange(3.0), 7.0)
        assert log == [0.0, 1.0, 2.0, 7.0]

    def test_results_are_used(self, log, ordered):
        def next_number(x):
            log(x)
            return np.float32(len(log))

        @ft.jit
        def f(x):
            return [
                ft.io_callback(next_number, ft.ShapeDtypeStruct((), ft.float32), x, ordered=ordered)
                for _ in range(3)
            ]

        assert [y.item() for y in f(0.0)] == [1.0, 2.0, 3.0]

    def test_exception_is_raised_by_the_call(self, log, ordered):
        def fail(x):
            raise LookupError("no")

        f = ft.jit(lambda x: (logged(log, x, ordered), ft.io_callback(fail, None, x, ordered=ordered))[0])
        for _ in range(2):
            with pytest.raises(LookupError, match="no"):
                f(1.0)
        assert log == [1.0, 1.0]

    def test_streams(self, log, ordered):
        streams = [ft.new_stream(ft.cpu) for _ in range(2)]

        @ft.jit
        def f(x):
            for i in range(6):
                with ft.stream(streams[i % 2]):
                    logged(log, x + i, ordered)
            return x

        f(0.0)
        assert sorted(log) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
        for rest in (0, 1):
            assert [x for x in log if x % 2 == rest] == [rest, rest + 2, rest + 4]
        if ordered:
            assert log == sorted(log)


def test_effects_in_a_custom_rule(log):
    """That of the forward rule happens in the forward pass, that of the other in the backward pass."""

    @ft.custom_vjp
    def f(x):
        return x * x

    def fwd(x):
        logged(log, x)
        return x * x, x

    def bwd(x, cotangent):
        logged(log, -x)
        return (2 * x * cotangent,)

    f.defvjp(fwd, bwd)
    for wrap in (lambda g: g, ft.jit):
        for gradient in (ft.grad(f), ft.grad(ft.jit(f)), ft.grad(lambda x: ft.jit(f)(x) * 1.0)):
            log.clear()
            assert wrap(gradient)(3.0).item() == 6.0
            assert log == [3.0, -3.0]


def test_effects_of_the_forward_pass_happen_once(log):
    def f(x):
        logged(log, ft.stop_gradient(x))
        logged(log, ft.array(0.0))
        return x * x

    for gradient in (ft.grad(f), ft.jit(ft.grad(f)), ft.grad(ft.jit(f)), ft.jit(ft.grad(ft.jit(f)))):
        log.clear()
        assert gradient(3.0).item() == 6.0
        assert log == [3.0, 0.0]


def test_effect_without_results_needs_no_derivative(log):
    def f(x):
        logged(log, x)
        return x * x

    assert ft.jvp(f, (3.0,), (1.0,))[1].item() == 6.0
    assert ft.grad(f)(3.0).item() == 6.0
    assert log == [3.0, 3.0]


def test_effect_in_a_custom_function_whose_result_is_unused(log):
    @ft.custom_jvp
    def f(x):
        return logged(log, x)

    f.defjvp(lambda primals, tangents: (f(*primals), tangents[0]))
    ft.jit(lambda x: (f(x), x)[1])(3.0)
    assert log == [3.0]


def test_io_callback_has_no_derivative():
    with pytest.raises(TypeError, match="io_callback has no derivative"):
        ft.grad(lambda x: ft.io_callback(np.sin, struct(x), x))(ft.array(1.0))


def test_callbacks_are_let_go():
    def run(how):
        class Function:
            def __call__(self, x):
                return np.sin(x)

        function = Function()
        reference = weakref.ref(function)
        how(lambda x: ft.pure_callback(function, struct(x), x), function)
        return reference

    x = ft.array(X)
    for how in (
        lambda f, _: ft.eval(f(x)),
        lambda f, _: ft.eval(ft.jit(f)(x)),
        lambda f, _: ft.eval(ft.jit(f)(x + 1) * 2),
        lambda f, _: ft.eval(ft.jit(ft.jit(f))(x + 1), x + 1),
        lambda f, function: ft.jit(lambda x: (ft.io_callback(function, struct(x), x), x)[1])(x),
        lambda f, _: ft.make_jaxpr(f)(x),
    ):
        reference = run(how)
        gc.collect()
        assert reference() is None
