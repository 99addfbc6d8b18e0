"""debug_key_reuse: using a random key twice is an error that names both lines."""

import inspect
import threading

import pytest

import ftrans as ft
from ftrans import random

KEY = random.key(3)


def draw(key):
    return random.normal(shape=(2,), key=key)


def again(key):
    return random.uniform(shape=(2,), key=key)


def line_of(function):
    return f"{__file__}:{inspect.getsourcelines(function)[1] + 1} ({function.__name__})"


def both(key):
    return draw(key) + again(key)


def split_and_drawn(key):
    return random.split(key)[0], again(key)


REUSES = {
    "eager": lambda: both(KEY),
    "jit": lambda: ft.jit(both)(KEY),
    "in two jits": lambda: ft.jit(draw)(KEY) + ft.jit(again)(KEY),
    "vmap": lambda: ft.vmap(both)(random.split(KEY)),
    "jit of vmap": lambda: ft.jit(ft.vmap(both))(random.split(KEY)),
    "shared by a batch": lambda: ft.vmap(lambda x: x * both(KEY))(ft.ones(3)),
    "grad": lambda: ft.grad(lambda x: ft.sum(x * both(KEY)))(2.0),
    "jit of grad": lambda: ft.jit(ft.grad(lambda x, key: ft.sum(x * both(key))))(2.0, KEY),
    "jvp": lambda: ft.jvp(lambda x: x * both(KEY), (1.0,), (1.0,)),
    "scan": lambda: ft.scan(lambda c, key: (c + ft.sum(both(key)), None), 0.0, random.split(KEY, 3)),
    "cond": lambda: ft.jit(lambda key: ft.cond(True, both, draw, key))(KEY),
    "before and in a branch": lambda: draw(KEY) + ft.cond(True, again, draw, KEY),
    "slice taken twice": lambda: (lambda keys: draw(keys[0]) + again(keys[0]))(random.split(KEY)),
    "fold_in of the same": lambda: draw(random.fold_in(KEY, 1)) + again(random.fold_in(KEY, 1)),
}


@pytest.mark.parametrize("name", REUSES)
def test_reuse_is_found_and_both_lines_are_named(name):
    with ft.debug_key_reuse(), pytest.raises(ft.KeyReuseError) as caught:
        ft.eval(REUSES[name]())
    assert f"is used by uniform at {line_of(again)}, but has been used by normal at {line_of(draw)}" in str(
        caught.value
    )
    ft.eval(REUSES[name]())


LOOPS = {
    "scan": lambda: ft.scan(lambda c, _: (c + draw(KEY), None), ft.zeros(2), length=3),
    "jit of scan": lambda: ft.jit(
        lambda key: ft.scan(lambda c, _: (c + draw(key), None), ft.zeros(2), length=3)
    )(KEY),
    "grad of scan": lambda: ft.grad(
        lambda x: ft.scan(lambda c, _: (c * ft.sum(draw(KEY)), None), x, length=3)[0]
    )(1.0),
    "fori_loop": lambda: ft.fori_loop(0, 2, lambda i, x: x + draw(KEY), ft.zeros(2)),
    "while_loop": lambda: ft.while_loop(
        lambda c: c[0] < 2, lambda c: (c[0] + 1, draw(KEY)), (0, ft.zeros(2))
    ),
    "map": lambda: ft.map(lambda x: x + draw(KEY), ft.zeros((3, 2))),
    "compiled function": lambda: (lambda f: f(KEY) + f(KEY))(ft.jit(draw)),
    "compiled function with its own key": lambda: (lambda f: f() + f())(ft.jit(lambda: draw(KEY))),
    "equal keys in a batch": lambda: ft.vmap(draw)(ft.stack([KEY, KEY])),
}


@pytest.mark.parametrize("name", LOOPS)
def test_key_used_again_by_the_same_line(name):
    with ft.debug_key_reuse(), pytest.raises(ft.KeyReuseError) as caught:
        ft.eval(LOOPS[name]())
    assert str(caught.value).count(line_of(draw)) == 2


def test_split_counts_as_use():
    with ft.debug_key_reuse(), pytest.raises(ft.KeyReuseError, match=r"by uniform at .* used by split at"):
        split_and_drawn(KEY)
    with ft.debug_key_reuse():
        random.split(KEY)
        with pytest.raises(ft.KeyReuseError, match=r"by split at .* used by split at"):
            ft.jit(random.split)(KEY)


def noisy(x, key):
    return ft.sum(ft.sin(x) * random.normal(shape=(2,), key=key))


def chain(x, key):
    def step(carry, _):
        x, key = carry
        key, sub = random.split(key)
        return (x + noisy(x, sub), key), None

    return ft.scan(step, (x, key), length=3)[0][0]


FINE = {
    "split": lambda: [draw(key) for key in random.split(KEY, 3)],
    "chain": lambda: chain(1.0, KEY),
    "gradient of chain": lambda: ft.jit(ft.value_and_grad(chain))(1.0, KEY),
    "fold_in of others": lambda: [draw(random.fold_in(KEY, i)) for i in range(3)],
    "fold_in in a loop": lambda: ft.scan(
        lambda c, i: (c + draw(random.fold_in(KEY, i)), None), ft.zeros(2), ft.arange(3)
    ),
    "vmap": lambda: ft.vmap(draw)(random.split(KEY, 3)),
    "shared by a batch": lambda: ft.vmap(lambda x: x * draw(KEY))(ft.ones(3)),
    "shared by paths": lambda: ft.vmap(lambda x: ft.sum(draw(KEY)) if x > 0 else -ft.sum(draw(KEY)))(
        ft.array([1.0, -1.0, 2.0])
    ),
    "second order": lambda: ft.hessian(noisy)(1.0, KEY),
    "checkpoint": lambda: ft.grad(ft.checkpoint(noisy))(1.0, KEY),
    "jit of checkpoint": lambda: ft.jit(ft.grad(ft.checkpoint(ft.jit(noisy))))(1.0, KEY),
    "while": lambda: ft.grad(
        lambda x: ft.while_loop(
            lambda c: c[0] < 3,
            lambda c: (c[0] + 1, noisy(c[1], random.fold_in(KEY, c[0]))),
            (0, x),
        )[1]
    )(1.0),
    "global key": lambda: [random.normal(), random.normal(shape=(2,)), random.uniform()],
    "branches": lambda: ft.cond(True, draw, again, KEY),
    "dtype": lambda: random.normal(shape=(2,), dtype=ft.float64, key=KEY),
}  # fmt: skip


@pytest.mark.parametrize("name", FINE)
def test_what_is_no_reuse(name):
    expected = FINE[name]() if name != "global key" else None
    with ft.debug_key_reuse():
        found = FINE[name]()
    if expected is not None:
        ft.testing.assert_allclose(found, expected)


CALLS = {
    "ball": lambda key: random.ball(3, key=key),
    "bernoulli": lambda key: random.bernoulli(0.5, key=key),
    "beta": lambda key: random.beta(2.0, 3.0, key=key),
    "binomial": lambda key: random.binomial(9, 0.4, key=key),
    "bits": lambda key: random.bits((2,), 8, key=key),
    "categorical": lambda key: random.categorical(ft.zeros(3), key=key),
    "choice": lambda key: random.choice(5, (3,), replace=False, key=key),
    "dirichlet": lambda key: random.dirichlet(ft.ones(3), key=key),
    "f": lambda key: random.f(3.0, 4.0, key=key),
    "gamma": lambda key: random.gamma(0.5, key=key),
    "generalized_normal": lambda key: random.generalized_normal(1.5, (2,), key=key),
    "multivariate_normal": lambda key: random.multivariate_normal(ft.zeros(2), ft.eye(2), key=key),
    "orthogonal": lambda key: random.orthogonal(2, key=key),
    "permutation": lambda key: random.permutation(5, key=key),
    "poisson": lambda key: random.poisson(30.0, key=key),
    "randint": lambda key: random.randint(0, 9, key=key),
    "t": lambda key: random.t(3.0, key=key),
    "truncated_normal": lambda key: random.truncated_normal(-1.0, 1.0, key=key),
}


@pytest.mark.parametrize("name", CALLS)
def test_functions_use_their_key_once(name):
    with ft.debug_key_reuse():
        ft.eval(CALLS[name](KEY))
        with pytest.raises(ft.KeyReuseError, match=f"is used by {name} at .* by {name} at"):
            CALLS[name](KEY)


def test_it_counts_for_its_thread_and_ends():
    results = []
    with ft.debug_key_reuse():
        draw(KEY)
        thread = threading.Thread(target=lambda: results.append(draw(KEY)))
        thread.start()
        thread.join()
    with ft.debug_key_reuse():
        draw(KEY)
    assert len(results) == 1
    with ft.debug_nans(), ft.debug_key_reuse(), pytest.raises(ft.KeyReuseError):
        ft.jit(both)(KEY)
