"""Named axes: psum and the other collectives inside of vmap, against NumPy on the stacked items and JAX."""

import numpy as np
import pytest

import ftrans as ft
from ftrans.core.primitive import primitives
from ftrans.primitives.collective import Collective

X = np.array([[0.5, -1.25, 2.0], [3.0, 0.75, -0.5]])
SQUARE = np.cos(np.arange(18.0)).reshape(3, 3, 2)
PERM = [(0, 2), (2, 1)]


def mapped(f, **options):
    return ft.vmap(f, axis_name="i", **options)


def same(actual, expected):
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=1e-13, atol=1e-15)


def everywhere(value, size):
    return np.broadcast_to(value, (size, *value.shape))


#: By name: the function of an item, that of all items, and operands (items first).
COLLECTIVES = {
    "psum": (lambda x: ft.psum(x, "i"), lambda xs: everywhere(xs.sum(0), len(xs)), X),
    "pmean": (lambda x: ft.pmean(x, "i"), lambda xs: everywhere(xs.mean(0), len(xs)), X),
    "pmax": (lambda x: ft.pmax(x, "i"), lambda xs: everywhere(xs.max(0), len(xs)), X),
    "pmin": (lambda x: ft.pmin(x, "i"), lambda xs: everywhere(xs.min(0), len(xs)), X),
    "all_gather": (
        lambda x: ft.all_gather(x, "i", axis=1),
        lambda xs: everywhere(np.moveaxis(xs, 0, 1), len(xs)),
        SQUARE,
    ),
    "all_gather tiled": (
        lambda x: ft.all_gather(x, "i", tiled=True),
        lambda xs: everywhere(xs.reshape(-1, 2), len(xs)),
        SQUARE,
    ),
    "all_to_all": (
        lambda x: ft.all_to_all(x, "i", 0, 1),
        lambda xs: np.moveaxis(np.swapaxes(xs, 0, 1), 1, 2),
        SQUARE,
    ),
    "all_to_all tiled": (
        lambda x: ft.all_to_all(x, "i", 0, 1, tiled=True),
        lambda xs: np.stack([np.concatenate([x[i : i + 1] for x in xs], axis=1) for i in range(3)]),
        SQUARE,
    ),
    "ppermute": (
        lambda x: ft.ppermute(x, "i", PERM),
        lambda xs: np.stack([np.zeros_like(xs[0]), xs[2], xs[0]]),
        SQUARE,
    ),
}

collective = pytest.mark.parametrize(("item", "whole", "xs"), COLLECTIVES.values(), ids=COLLECTIVES)


def test_every_collective_is_checked():
    named = {name.split()[0] for name in COLLECTIVES}
    assert {name for name, p in primitives.items() if isinstance(p, Collective)} <= named


@collective
def test_values(item, whole, xs):
    same(mapped(item)(xs), whole(xs))
    same(mapped(item, in_axes=-1, out_axes=-1)(np.moveaxis(xs, 0, -1)), np.moveaxis(whole(xs), 0, -1))
    same(ft.jit(mapped(item))(xs), whole(xs))
    same(mapped(ft.jit(item))(xs), whole(xs))


@collective
def test_other_axes_mapped(item, whole, xs):
    several = np.stack([xs, 2 * xs, -xs])
    expected = np.stack([whole(x) for x in several])
    same(ft.vmap(mapped(item))(several), expected)
    # The named axis is outside: the collective is first recorded for a batch.
    swapped = mapped(ft.vmap(item))(np.swapaxes(several, 0, 1))
    same(np.swapaxes(np.asarray(swapped), 0, 1), expected)
    same(ft.vmap(mapped(item), axis_name="j")(several), expected)


@collective
def test_operand_without_the_axis(item, whole, xs):
    x = ft.array(xs[0])
    same(mapped(lambda _: item(x))(np.zeros(len(xs))), whole(np.stack([xs[0]] * len(xs))))


@collective
def test_derivatives_inside_against_outside(item, whole, xs):
    """Pulling back all items' cotangents at once is what the convention of the transposes means."""
    tangent, cotangent = np.sin(xs), np.cos(np.arange(whole(xs).size)).reshape(whole(xs).shape)
    outside_value, outside_tangent = ft.jvp(mapped(item), (xs,), (tangent,))
    inside_value, inside_tangent = mapped(lambda x, t: ft.jvp(item, (x,), (t,)))(xs, tangent)
    same(inside_value, outside_value)
    same(inside_tangent, outside_tangent)
    outside = ft.vjp(mapped(item), xs)[1](cotangent)[0]
    same(mapped(lambda x, c: ft.vjp(item, x)[1](c)[0])(xs, cotangent), outside)
    same(mapped(lambda x, c: ft.vjp(ft.jit(item), x)[1](c)[0])(xs, cotangent), outside)
    same(np.vdot(np.asarray(outside), tangent), np.vdot(cotangent, np.asarray(outside_tangent)))


@collective
def test_second_order(item, whole, xs):
    def loss(x):
        return ft.sum(ft.sin(item(ft.sin(x))))

    def gradient_outside(x):
        return ft.grad(lambda x: ft.sum(mapped(loss)(x)))(x)

    def gradient_inside(x):
        return mapped(ft.grad(loss))(x)

    same(gradient_inside(xs), gradient_outside(xs))
    tangent = np.cos(xs)
    same(ft.jvp(gradient_inside, (xs,), (tangent,))[1], ft.jvp(gradient_outside, (xs,), (tangent,))[1])


def test_several_named_axes():
    def f(x):
        total = ft.psum(x, ("i", "j"))
        return total, ft.pmean(x, "j"), ft.axis_index(("i", "j")), ft.axis_size(("i", "j"))

    total, mean, index, size = ft.vmap(ft.vmap(f, axis_name="j"), axis_name="i")(X)
    same(total, np.full((2, 3), X.sum()))
    same(mean, np.repeat(X.mean(1)[:, None], 3, 1))
    same(index, np.arange(6).reshape(2, 3))
    same(size, np.full((2, 3), 6))
    # An inner axis hides an outer one of the same name.
    same(ft.vmap(mapped(lambda x: ft.psum(x, "i")), axis_name="i")(X), np.repeat(X.sum(1)[:, None], 3, 1))


def test_constants_numbers_and_trees():
    assert mapped(lambda x: x * ft.psum(1, "i"))(np.ones(4)).tolist() == [4, 4, 4, 4]
    assert (
        mapped(lambda x: ft.psum({"a": x, "b": (x, 2 * x)}, "i"), out_axes=None)(np.arange(3.0))["b"][1] == 6
    )
    assert mapped(lambda: ft.axis_index("i"), axis_size=3)().tolist() == [0, 1, 2]
    mean = mapped(lambda n: ft.pmean(n, "i"), out_axes=None)(np.array([1, 2], np.int32))
    assert (mean.dtype, float(mean)) == (ft.float32, 1.5)
    assert mapped(lambda x: ft.psum(x, "i"), out_axes=None)(np.zeros((0, 2))).tolist() == [0, 0]


def test_ties_share_the_derivative():
    xs = np.array([1.0, 3.0, 3.0])
    same(mapped(ft.grad(lambda x: ft.pmax(x, "i")))(xs), [0, 1.5, 1.5])
    same(ft.grad(lambda x: mapped(lambda x: ft.pmax(x, "i"), out_axes=None)(x))(xs), [0, 0.5, 0.5])


def test_unbound_names():
    with pytest.raises(
        NameError, match=r"psum: the axis name 'i' is not bound, no axis is here; .*axis_name='i'"
    ):
        ft.psum(ft.array(1.0), "i")
    with pytest.raises(NameError, match=r"axis_index: the axis name 'j' is not bound, only 'i' are here"):
        mapped(lambda x: ft.axis_index("j"))(X)
    mapped(lambda x: ft.psum(x, "i"))(X)
    with pytest.raises(NameError):  # the name is gone with its vmap
        ft.axis_size("i")
    with pytest.raises(NameError, match="psum: the axis 'i' is not mapped"):
        primitives["psum"].bind(ft.array(1.0), ft.array(0), axis_name="i")


def test_wrong_arguments():
    with pytest.raises(
        ValueError, match=r"ppermute: the destinations of perm must be distinct and in \[0, 2\)"
    ):
        mapped(lambda x: ft.ppermute(x, "i", [(0, 1), (1, 1)]))(X)
    with pytest.raises(ValueError, match=r"all_to_all: axis 0 of shape \(3,\) is split among .* must be 2"):
        mapped(lambda x: ft.all_to_all(x, "i", 0, 0))(X)
    with pytest.raises(ValueError, match="of which 3 is not a multiple"):
        mapped(lambda x: ft.all_to_all(x, "i", 0, 0, tiled=True))(X)
    with pytest.raises(ValueError, match=r"all_gather: axis must be in \[-2, 2\), got 2"):
        mapped(lambda x: ft.all_gather(x, "i", axis=2))(X)
    with pytest.raises(TypeError, match="psum: x must be an array"):
        mapped(lambda x: ft.psum("text", "i"))(X)


def test_jitted_functions_are_not_cached_across_axes():
    size = ft.jit(lambda x: x * ft.axis_size("i"))
    assert mapped(lambda x: size(2.0))(np.zeros(3)).tolist() == [6, 6, 6]
    assert mapped(lambda x: size(2.0))(np.zeros(5)).tolist() == [10] * 5
    with pytest.raises(NameError):
        size(2.0)
    assert size.cache_size() == 0
    # An axis that the function itself binds is part of it.
    whole = ft.jit(mapped(lambda x: x / ft.psum(x, "i")))
    whole(X)
    whole(X)
    assert whole.trace_count == 1


@pytest.mark.parametrize("transformation", ["grad inside", "grad outside"])
def test_against_jax(transformation):
    jax = pytest.importorskip("jax")

    def build(library, sin, total):
        def f(x):
            y = sin(x)
            return total(y * library.psum(y * x, "i") / library.psum(y, "i"))

        return f

    def apply(transforms, f):
        if transformation == "grad inside":
            return transforms.vmap(transforms.grad(f), axis_name="i")
        return transforms.grad(lambda x: transforms.vmap(f, axis_name="i")(x).sum())

    ours = apply(ft, build(ft, ft.sin, ft.sum))(X)
    with jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64():
        theirs = apply(jax, build(jax.lax, jax.numpy.sin, jax.numpy.sum))(X)
    same(ours, np.asarray(theirs))
