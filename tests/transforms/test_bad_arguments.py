"""Bad arguments of transformations and control flow: the right error, which names function and argument."""

import optree
import pytest

import ftrans as ft
from tests.harness.functions import public_functions


class Nonsense:
    def __repr__(self):
        return "Nonsense()"


X, Y = ft.array([0.5, 1.5]), ft.array([2.0, 3.0])
INDEX, NAN = ft.array(1), float("nan")

NO_FUNCTION = (None, 3, "text", Nonsense())
NO_ARGNUMS = (Nonsense(), "text", 1.5, NAN, 7, -7, (0, 7), (0, 1.5))
NO_AXES = (Nonsense(), "text", 1.5, NAN, 7, -7, (0, 0, 0))
NO_AXIS = (Nonsense(), "text", 1.5, NAN, 7, -7)
NO_ARRAYS = (Nonsense(), "text", [X, "text"])
NO_SIZE = (Nonsense(), "text", 1.5, NAN, -1)
NO_TUPLE = (X, Nonsense(), "text")
NO_NUMBER = (Nonsense(), "text", 1.5, NAN, None)
NO_NAME = ("unknown",)


def f(x, y):
    return ft.sum(x * x * y)


def g(x):
    return x * x


def _called(transform):
    """The transformation with the arguments of a use, called."""
    return lambda fun, **keywords: transform(fun, **keywords)(X + 0, Y + 0)  # which may be donated


def _mapped(use):
    """A use of a collective inside of a `vmap` with the axis 'i'."""
    return lambda **keywords: ft.vmap(lambda x: use(x=x, **keywords), axis_name="i")(X)


#: function → (a use of it, its good arguments, for each of some of them what it must refuse)
USES = {
    **{
        name: (_called(getattr(ft, name)), {"fun": f}, {"fun": NO_FUNCTION, "argnums": NO_ARGNUMS})
        for name in ("grad", "value_and_grad", "hessian", "jacfwd", "jacrev")
    },
    "vjp": (
        lambda fun, primals: ft.vjp(fun, primals, Y),
        {"fun": f, "primals": X},
        {"fun": NO_FUNCTION, "primals": NO_ARRAYS},
    ),
    "linearize": (
        lambda fun, primals: ft.linearize(fun, primals, Y),
        {"fun": f, "primals": X},
        {"fun": NO_FUNCTION, "primals": NO_ARRAYS},
    ),
    "linear_transpose": (
        lambda fun, primals: ft.linear_transpose(fun, primals)(X),
        {"fun": lambda x: 2 * x, "primals": X},
        {"fun": NO_FUNCTION, "primals": NO_ARRAYS},
    ),
    "jvp": (
        ft.jvp,
        {"fun": f, "primals": (X, Y), "tangents": (Y, X)},
        {"fun": NO_FUNCTION, "primals": NO_TUPLE, "tangents": NO_TUPLE},
    ),
    "hvp": (
        ft.hvp,
        {"fun": f, "primals": (X, Y), "tangents": (Y, X)},
        {"fun": NO_FUNCTION, "primals": NO_TUPLE, "tangents": NO_TUPLE},
    ),
    "jet": (
        ft.jet,
        {"fun": g, "primals": (X,), "series": ((Y, Y),)},
        {"fun": NO_FUNCTION, "primals": (X, Nonsense(), "text"), "series": (X, Nonsense(), "text", (Y, Y))},
    ),
    "vmap": (
        _called(ft.vmap),
        {"fun": f},
        {"fun": NO_FUNCTION, "in_axes": NO_AXES, "out_axes": NO_AXES, "axis_size": NO_SIZE[:-1]},
    ),
    "jit": (
        _called(ft.jit),
        {"fun": f},
        {
            "fun": NO_FUNCTION[1:],
            "static_argnums": NO_ARGNUMS,
            "static_argnames": (3, NAN, Nonsense()),
            "donate_argnums": NO_ARGNUMS,
            "donate_argnames": (3, NAN, Nonsense()),
        },
    ),
    "checkify": (_called(ft.checkify), {"fun": f}, {"fun": NO_FUNCTION, "errors": (3, "text", Nonsense())}),
    "reduce": (
        ft.reduce,
        {"operands": X, "init_values": 0.0, "computation": ft.maximum, "dimensions": (0,)},
        {
            "operands": (Nonsense(), "text"),
            "init_values": (Nonsense(), "text", X),
            "computation": NO_FUNCTION,
            "dimensions": (Nonsense(), "text", 1.5, (7,), (0, 0), (1.5,)),
        },
    ),
    "reduce_window": (
        ft.reduce_window,
        {"operands": X, "init_values": 0.0, "computation": ft.maximum, "window_dimensions": (2,)},
        {
            "operands": (Nonsense(), "text"),
            "init_values": (Nonsense(), "text", X),
            "computation": NO_FUNCTION,
            "window_dimensions": (Nonsense(), "text", 1.5, (0,), (1.5,), (1, 2)),
            "window_strides": (Nonsense(), "text", (0,), (1.5,), (1, 2)),
            "padding": (Nonsense(), "text", 3, ((0, 1), (0, 1))),
        },
    ),
    "make_jaxpr": (_called(ft.make_jaxpr), {"fun": f}, {"fun": NO_FUNCTION, "static_argnums": NO_ARGNUMS}),
    "export": (_called(ft.export), {"fun": f}, {"fun": NO_FUNCTION, "static_argnums": NO_ARGNUMS}),
    "checkpoint": (
        _called(ft.checkpoint),
        {"fun": f},
        {"fun": NO_FUNCTION, "static_argnums": NO_ARGNUMS, "policy": (3, "text")},
    ),
    "vectorize": (
        _called(ft.vectorize),
        {"fun": f},
        {"fun": NO_FUNCTION, "signature": (3, "text", "(n->"), "excluded": (3, Nonsense())},
    ),
    "custom_jvp": (
        ft.custom_jvp,
        {"fun": f},
        {"fun": NO_FUNCTION, "nondiff_argnums": (Nonsense(), "text", 1.5)},
    ),
    "custom_vjp": (
        ft.custom_vjp,
        {"fun": f},
        {"fun": NO_FUNCTION, "nondiff_argnums": (Nonsense(), "text", 1.5)},
    ),
    **{
        name: (getattr(ft, name), {"fun": f}, {"fun": NO_FUNCTION})
        for name in ("custom_vmap", "custom_gradient", "check")
    },
    "closure_convert": (lambda fun: ft.closure_convert(fun, X), {"fun": g}, {"fun": NO_FUNCTION}),
    "eval_shape": (
        lambda fun, x: ft.eval_shape(fun, x),
        {"fun": g, "x": X},
        {"fun": NO_FUNCTION, "x": NO_ARRAYS},
    ),
    "saved_residuals": (lambda fun: ft.saved_residuals(fun, X, Y), {"fun": f}, {"fun": NO_FUNCTION}),
    "scan": (
        ft.scan,
        {"f": lambda carry, x: (carry + x, x), "init": INDEX * 1.0, "xs": X},
        {
            "f": (*NO_FUNCTION, lambda c, x: c),
            "init": NO_ARRAYS,
            "xs": (*NO_ARRAYS, INDEX),
            "length": NO_SIZE,
            "unroll": (0, -1, NAN, "text"),
        },
    ),
    "map": (
        ft.map,
        {"f": g, "xs": X},
        {"f": NO_FUNCTION, "xs": (*NO_ARRAYS, INDEX), "batch_size": (*NO_SIZE, 0)},
    ),
    "fori_loop": (
        ft.fori_loop,
        {"lower": 0, "upper": 3, "body_fun": lambda i, x: x * 2, "init_val": X},
        {
            "lower": NO_NUMBER,
            "upper": NO_NUMBER,
            "body_fun": (*NO_FUNCTION, lambda i, x: (x, x)),
            "init_val": NO_ARRAYS,
        },
    ),
    "while_loop": (
        ft.while_loop,
        {"cond_fun": lambda x: ft.sum(x) < 9, "body_fun": lambda x: x * 2, "init_val": X},
        {
            "cond_fun": (*NO_FUNCTION, lambda x: x),
            "body_fun": (*NO_FUNCTION, lambda x: x[0]),
            "init_val": NO_ARRAYS,
        },
    ),
    "cond": (
        lambda pred, true_fun, false_fun: ft.cond(pred, true_fun, false_fun, X),
        {"pred": ft.array(True), "true_fun": g, "false_fun": g},
        {
            "pred": (Nonsense(), "text", X),
            "true_fun": (*NO_FUNCTION, lambda x: x[0]),
            "false_fun": NO_FUNCTION,
        },
    ),
    "switch": (
        lambda index, branches: ft.switch(index, branches, X),
        {"index": INDEX, "branches": [g, g]},
        {"index": (Nonsense(), "text", NAN, X), "branches": ([], [g, 3], 3, [g, lambda x: x[0]])},
    ),
    "associative_scan": (
        ft.associative_scan,
        {"fn": lambda x, y: x + y, "elems": X},
        {"fn": NO_FUNCTION, "elems": NO_ARRAYS, "axis": NO_AXIS},
    ),
    "fixed_point": (
        ft.fixed_point,
        {"fun": lambda x: x / 2 + 1, "init": X},
        {"fun": NO_FUNCTION, "init": NO_ARRAYS, "tol": (Nonsense(), "text"), "max_iterations": NO_SIZE},
    ),
    "custom_root": (
        ft.custom_root,
        {"f": lambda x: x - 1, "initial_guess": X, "solve": lambda f, x: x, "tangent_solve": lambda g, y: y},
        {"f": NO_FUNCTION, "initial_guess": NO_ARRAYS, "solve": NO_FUNCTION, "tangent_solve": NO_FUNCTION},
    ),
    "custom_linear_solve": (
        ft.custom_linear_solve,
        {"matvec": lambda x: 2 * x, "b": X, "solve": lambda matvec, b: b / 2},
        {"matvec": NO_FUNCTION, "b": NO_ARRAYS, "solve": NO_FUNCTION, "transpose_solve": NO_FUNCTION[1:]},
    ),
    **{
        name: (_mapped(getattr(ft, name)), {"axis_name": "i"}, {"axis_name": NO_NAME})
        for name in ("psum", "pmean", "pmax", "pmin")
    },
    "all_gather": (_mapped(ft.all_gather), {"axis_name": "i"}, {"axis_name": NO_NAME, "axis": NO_AXIS}),
    "all_to_all": (
        lambda **keywords: ft.vmap(lambda x: ft.all_to_all(x, **keywords), axis_name="i")(ft.ones((2, 2))),
        {"axis_name": "i", "split_axis": 0, "concat_axis": 0},
        {"axis_name": NO_NAME, "split_axis": NO_AXIS, "concat_axis": NO_AXIS},
    ),
    "ppermute": (
        _mapped(ft.ppermute),
        {"axis_name": "i", "perm": [(0, 1)]},
        {"axis_name": NO_NAME, "perm": (3, "text", [(0, 9)], [(0, 1), (0, 0)])},
    ),
    "axis_index": (
        lambda axis_name: ft.vmap(lambda x: x + ft.axis_index(axis_name), axis_name="i")(X),
        {"axis_name": "i"},
        {"axis_name": (*NO_NAME, ())},
    ),
    "axis_size": (lambda axis_name: ft.axis_size(axis_name), {"axis_name": ()}, {"axis_name": NO_NAME}),
    "pure_callback": (
        lambda callback, result_shape_dtypes, **k: ft.pure_callback(callback, result_shape_dtypes, X, **k),
        {"callback": g, "result_shape_dtypes": X},
        {"callback": NO_FUNCTION, "result_shape_dtypes": (Nonsense(), "text"), "vmap_method": (3, "text")},
    ),
    "io_callback": (
        lambda callback, result_shape_dtypes: ft.io_callback(callback, result_shape_dtypes, X),
        {"callback": g, "result_shape_dtypes": X},
        {"callback": NO_FUNCTION, "result_shape_dtypes": (Nonsense(), "text")},
    ),
    "apply_along_axis": (
        lambda function, axis: ft.apply_along_axis(function, axis, X),
        {"function": g, "axis": 0},
        {"function": NO_FUNCTION, "axis": NO_AXIS},
    ),
    "stop_gradient": (ft.stop_gradient, {"x": X}, {"x": NO_ARRAYS}),
    "checkpoint_name": (ft.checkpoint_name, {"x": X, "name": "n"}, {"x": NO_ARRAYS, "name": (3, None)}),
    "max_vmap_paths": (ft.max_vmap_paths, {"count": 3}, {"count": NO_SIZE}),
}

#: What has no arguments that could be bad, or takes devices and sizes of memory: tests/runtime.
OTHERS = {
    "async_eval",
    "eval",
    "eval_jaxpr",
    "clear_cache",
    "debug_infs",
    "checking_leaks",
    "debug_key_reuse",
    "debug_nans",
    "default_device",
    "default_stream",
    "device_info",
    "disable_jit",
    "get_active_memory",
    "get_cache_memory",
    "get_memory_limit",
    "get_peak_memory",
    "is_available",
    "nan_safe_derivatives",
    "new_stream",
    "register_dataclass",
    "register_pytree_node",
    "reset_peak_memory",
    "set_cache_limit",
    "set_default_device",
    "set_default_stream",
    "set_memory_limit",
    "stream",
    "synchronize",
    "tree_map",
}
ERRORS = (TypeError, ValueError, IndexError, NameError)  # the last one of names of axes
#: `hessian` is documented as their composition.
COMPOSED_OF = {"hessian": ("hessian", "jacfwd", "jacrev")}


def test_every_transformation_has_a_use():
    """Those of arrays are in the harness's table."""
    known = {id(function) for function in public_functions().values()}
    known |= {id(getattr(ft, name)) for name in USES}  # other names too
    functions = {
        n for n in ft.__all__ if callable(getattr(ft, n)) and not isinstance(getattr(ft, n), (type, ft.Dtype))
    }
    assert {n for n in functions if id(getattr(ft, n)) not in known} == OTHERS


def _evaluated(use, arguments):
    ft.eval(*[x for x in optree.tree_leaves(use(**arguments)) if isinstance(x, ft.Array)])


@pytest.mark.parametrize("name", USES)
def test_bad_arguments(name):
    use, good, bad = USES[name]
    _evaluated(use, good)
    names = COMPOSED_OF.get(name, (name,))
    for argument, values in bad.items():
        for value in values:
            with pytest.raises(ERRORS) as raised:
                _evaluated(use, {**good, argument: value})
            message = str(raised.value)
            assert message.startswith(tuple(f"{n}{end}" for n in names for end in (":", " "))), (
                argument,
                value,
            )
            assert "object is not" not in message, (argument, value)
            assert "cannot be interpreted" not in message, (argument, value)
