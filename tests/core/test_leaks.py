"""checking_leaks: traced arrays that outlive their trace."""

import threading

import pytest

import ftrans as ft

kept = None
saved = []


class Holder:
    pass


holder = Holder()


def to_global(x):
    global kept
    kept = x * 2
    return ft.sum(x)


def to_list(x):
    saved.append(x * 2)
    return ft.sum(x)


def to_attribute(x):
    holder.value = x * 2
    return ft.sum(x)


def to_closure(x):
    y = x * 2

    def later():
        return y

    saved.append(later)
    return ft.sum(x)


def to_dict(x):
    saved.append({"y": x * 2})
    return ft.sum(x)


@pytest.fixture(autouse=True)
def forget():
    global kept
    yield
    kept = None
    saved.clear()
    vars(holder).clear()


@pytest.mark.parametrize(
    ("function", "held"),
    [
        (to_global, f"held by the global kept of module {__name__}"),
        (to_list, f"held by an item of a list, held by the global saved of module {__name__}"),
        (to_attribute, "held by the attribute value of an object of type Holder"),
        (to_closure, "held by the variable y, on which the function later closes"),
        (to_dict, "held by the item 'y' of a dict, held by an item of a list"),
    ],
)
@pytest.mark.parametrize(
    "transform",
    [
        ft.jit,
        ft.grad,
        ft.vmap,
        ft.jacfwd,
        ft.make_jaxpr,
        lambda f: lambda x: ft.scan(lambda c, y: (c + f(y), None), 0.0, x[None]),
        lambda f: ft.jit(lambda x: x + ft.grad(f)(x)),
    ],
)
def test_leak_is_found(function, held, transform):
    with ft.checking_leaks(), pytest.raises(ft.LeakedTracerError) as caught:
        transform(function)(ft.ones(2))
    text = str(caught.value)
    assert "has ended, but" in text
    assert f"{__file__}:{function.__code__.co_firstlineno + (2 if function is to_global else 1)}" in text
    assert held in text


def test_leak_into_a_local_variable_is_found():
    local = []
    with ft.checking_leaks(), pytest.raises(ft.LeakedTracerError, match="held by an item of a list"):
        ft.vmap(local.append)(ft.ones(2))


def test_leak_is_found_later_without_it():
    ft.jit(to_global)(ft.ones(2))
    with pytest.raises(ft.LeakedTracerError, match="was used after jit had ended"):
        kept + 1


def test_transformation_that_leaks_is_named_and_others_pass():
    def inner(x):
        saved.append(x)
        return x

    def f(x):
        y = ft.jit(lambda x: x + 1)(x)
        return ft.sum(ft.vmap(inner)(y))

    with ft.checking_leaks():
        with pytest.raises(ft.LeakedTracerError, match="vmap has ended, but an array that it traced is"):
            ft.grad(f)(ft.ones(2))
        saved.clear()
        with pytest.raises(ft.LeakedTracerError, match="2 arrays that it traced are"):
            ft.vmap(lambda x: saved.extend([x, x + 1]))(ft.ones(2))


def rosenbrock(x):
    return ft.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


@ft.custom_jvp
def with_jvp(x):
    return ft.sin(x)


with_jvp.defjvp(lambda p, t: (ft.sin(*p), ft.cos(*p) * t[0]))


@ft.custom_vjp
def with_vjp(x):
    return ft.sin(x)


with_vjp.defvjp(lambda x: (ft.sin(x), x), lambda x, c: (c * ft.cos(x),))

CLEAN = {
    "jit": lambda x: ft.jit(rosenbrock)(x),
    "hessian": lambda x: ft.hessian(rosenbrock)(x),
    "vmap of grad": lambda x: ft.vmap(ft.grad(rosenbrock))(x[None]),
    "vjp": lambda x: ft.vjp(rosenbrock, x)[1](1.0),
    "linearize": lambda x: ft.linearize(rosenbrock, x)[1](x),
    "scan": lambda x: ft.grad(lambda x: ft.scan(lambda c, y: (c * y, c), x[0], x)[0])(x),
    "while": lambda x: ft.grad(lambda x: ft.while_loop(lambda y: y < 9, lambda y: y * 2, x[0]))(x),
    "cond": lambda x: ft.jit(ft.grad(lambda x: ft.cond(x[0] > 0, ft.sum, ft.prod, x)))(x),
    "custom_jvp": lambda x: ft.jit(ft.vmap(ft.grad(with_jvp)))(x),
    "custom_vjp": lambda x: ft.jit(ft.vmap(ft.grad(with_vjp)))(x),
    "checkpoint": lambda x: ft.jit(ft.grad(ft.checkpoint(rosenbrock)))(x),
    "axis": lambda x: ft.vmap(lambda y: y / ft.psum(y, "i"), axis_name="i")(x),
    "branches": lambda x: ft.vmap(ft.grad(lambda y: ft.sin(y) if y > 1 else -y))(x),
    "jet": lambda x: ft.jet(rosenbrock, (x,), ((x, x),)),
    "fixed point": lambda x: ft.grad(lambda a: ft.fixed_point(lambda y: 0.5 * (y + a / y), 1.0))(x[0]),
    "assignment": lambda x: ft.jit(_assigned)(x),
    "random": lambda x: ft.vmap(lambda k: ft.random.gamma(2.0, key=k))(ft.random.split(ft.random.key(0))),
}


def _assigned(x):
    x[0] = 3.0
    x += 1
    return x


@pytest.mark.parametrize("name", CLEAN)
def test_what_does_not_leak_passes(name):
    with ft.checking_leaks():
        CLEAN[name](ft.array([1.0, 2.0]))


def test_it_counts_for_its_thread_and_ends():
    errors = []

    def run():
        try:
            ft.jit(to_list)(ft.ones(2))
        except ft.LeakedTracerError as error:
            errors.append(error)

    with ft.checking_leaks():
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    run()
    assert not errors


def test_error_of_the_function_comes_first():
    def fail(x):
        saved.append(x)
        raise LookupError("no")

    with ft.checking_leaks(), pytest.raises(LookupError):
        ft.jit(fail)(1.0)
