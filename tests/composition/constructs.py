"""The constructs that are composed: transformations, custom rules, loops, branches, solvers.

A layer makes of a function of a vector another one; beside it is the same in plain Python: NumPy, unrolled
loops, and finite differences of the plain inner function for what differentiates.
"""

import numpy as np

import ftrans as ft

POINT = np.array([0.6, -0.4, 0.9])
TANGENT = np.array([1.0, -0.5, 0.25])
SCALES = np.array([0.5, 1.0, 1.5])


def plain_derivative(f, x, direction):
    """The derivative of a plain f along a direction, by a central difference of order six."""
    h = 2e-3
    weights = {-3: -1 / 60, -2: 3 / 20, -1: -3 / 4, 1: 3 / 4, 2: -3 / 20, 3: 1 / 60}
    return sum(w * f(x + k * h * direction) for k, w in weights.items()) / h


def plain_gradient(f, x):
    """The gradient of the sum of f."""
    return np.array([np.sum(plain_derivative(f, x, e)) for e in np.eye(x.size)])


def _custom_jvp(f):
    g = ft.custom_jvp(f)
    g.defjvp(lambda primals, tangents: ft.jvp(f, primals, tangents))
    return g


def _custom_vjp(f):
    g = ft.custom_vjp(f)
    g.defvjp(lambda x: (f(x), x), lambda x, ct: ft.vjp(f, x)[1](ct))
    return g


def _steps(f, x):
    for _ in range(2):
        x = 0.5 * x + 0.25 * f(x)
    return x


def _scan(f):
    def scanned(x):
        last, rows = ft.scan(lambda c, s: (0.5 * c + 0.25 * f(s * c), c * s), x, ft.array(SCALES))
        return last + ft.sum(rows, axis=0)

    return scanned


def _plain_scan(f):
    def scanned(x):
        rows = 0 * x
        for s in SCALES:
            rows, x = rows + x * s, 0.5 * x + 0.25 * f(s * x)
        return x + rows

    return scanned


def _while(f):
    def looped(x):
        return ft.while_loop(lambda s: s[0] < 2, lambda s: (s[0] + 1, 0.5 * s[1] + 0.25 * f(s[1])), (0, x))[1]

    return looped


def _associative_scan(f):
    def scanned(x):
        rows = ft.stack([x, f(x), 0.5 * x])
        return ft.associative_scan(lambda a, b: a * b + a + b, rows)[-1]

    return scanned


def _plain_associative_scan(f):
    def scanned(x):
        total = x
        for row in (f(x), 0.5 * x):
            total = total * row + total + row
        return total

    return scanned


def _cond(f):
    return lambda x: ft.cond(ft.sum(x) > 0, lambda x: 2.0 * f(x), lambda x: x, x)


def _plain_over_scales(f):
    return lambda x: sum(f(s * x) for s in SCALES)


def _switch(f):
    def chosen(x):
        index = ft.where(ft.sum(x) > 0, 1, 2)
        return ft.switch(index, [ft.zeros_like, lambda x: 2.0 * f(x), lambda x: x], x)

    return chosen


def _linearize(f):
    def linearized(x):
        value, push_forward = ft.linearize(f, x)
        return value + push_forward(0.5 * x)

    return linearized


def _hvp(f):
    return lambda x: ft.hvp(lambda y: ft.sum(f(y)), (x,), (ft.array(TANGENT),))[0]


def _custom_vmap(f):
    g = ft.custom_vmap(f)
    g.def_vmap(lambda axis_size, in_batched, x: (ft.vmap(f)(x), True))
    return g


def _fixed_point(f):
    return lambda x: ft.fixed_point(lambda y: 0.25 * ft.cos(y) + f(x), x, tol=1e-15)


def _plain_fixed_point(f):
    def solved(x):
        y = target = f(x)
        for _ in range(40):
            y = 0.25 * np.cos(y) + target
        return y

    return solved


def _newton(residual, y):
    for _ in range(6):
        y = y - residual(y) / (1.0 - 0.25 * ft.cos(y))
    return y


def _custom_root(f):
    def solved(x):
        return ft.custom_root(
            lambda y: y - 0.25 * ft.sin(y) - f(x), x, _newton, lambda g, b: b / g(ft.ones_like(b))
        )

    return solved


def _plain_root(f):
    def solved(x):
        y, target = x, f(x)
        for _ in range(12):
            y = y - (y - 0.25 * np.sin(y) - target) / (1.0 - 0.25 * np.cos(y))
        return y

    return solved


def _custom_linear_solve(f):
    def solved(x):
        return ft.custom_linear_solve(
            lambda y: (2.0 + f(x) ** 2) * y, x, lambda matvec, b: b / matvec(ft.ones_like(b)), symmetric=True
        )

    return solved


def _jet(f):
    def transformed(x):
        value, (first,) = ft.jet(f, (x,), ((ft.array(TANGENT),),))
        return value + first

    return transformed


def _psum(f):
    def summed(x):
        return ft.vmap(lambda s: ft.psum(f(s * x), "scales"), axis_name="scales")(ft.array(SCALES))[0]

    return summed


#: name → (the layer, the plain one).
LAYERS = {
    "jit": (ft.jit, lambda f: f),
    "grad": (
        lambda f: ft.grad(lambda x: ft.sum(f(x))),
        lambda f: lambda x: plain_gradient(f, x),
    ),
    "jvp": (
        lambda f: lambda x: ft.jvp(f, (x,), (ft.array(TANGENT),))[1],
        lambda f: lambda x: plain_derivative(f, x, TANGENT),
    ),
    "vjp": (
        lambda f: lambda x: ft.vjp(f, x)[1](x)[0],
        lambda f: lambda x: plain_gradient(lambda y: x * f(y), x),
    ),
    "vmap": (
        lambda f: lambda x: ft.sum(ft.vmap(lambda s: f(s * x))(ft.array(SCALES)), axis=0),
        _plain_over_scales,
    ),
    "checkpoint": (ft.checkpoint, lambda f: f),
    "linearize": (_linearize, lambda f: lambda x: f(x) + plain_derivative(f, x, 0.5 * x)),
    "custom_jvp": (_custom_jvp, lambda f: f),
    "custom_vjp": (_custom_vjp, lambda f: f),
    "scan": (_scan, _plain_scan),
    "while_loop": (_while, lambda f: lambda x: _steps(f, x)),
    "cond": (_cond, lambda f: lambda x: 2 * f(x) if np.sum(x) > 0 else x),
    "fori_loop": (
        lambda f: lambda x: ft.fori_loop(0, 2, lambda _, c: 0.5 * c + 0.25 * f(c), x),
        lambda f: lambda x: _steps(f, x),
    ),
    "map": (
        lambda f: lambda x: ft.sum(ft.map(lambda s: f(s * x), ft.array(SCALES)), axis=0),
        _plain_over_scales,
    ),
    "associative_scan": (_associative_scan, _plain_associative_scan),
    "switch": (_switch, lambda f: lambda x: 2 * f(x) if np.sum(x) > 0 else x),
    "hvp": (_hvp, lambda f: lambda x: plain_derivative(lambda y: plain_gradient(f, y), x, TANGENT)),
    "hessian": (
        lambda f: lambda x: ft.hessian(lambda y: ft.sum(f(y)))(x) @ ft.array(TANGENT),
        lambda f: lambda x: plain_derivative(lambda y: plain_gradient(f, y), x, TANGENT),
    ),
    "jacfwd": (
        lambda f: lambda x: ft.jacfwd(f)(x) @ ft.array(TANGENT),
        lambda f: lambda x: plain_derivative(f, x, TANGENT),
    ),
    "jacrev": (
        lambda f: lambda x: ft.array(TANGENT) @ ft.jacrev(f)(x),
        lambda f: lambda x: plain_gradient(lambda y: TANGENT * f(y), x),
    ),
    "jet": (_jet, lambda f: lambda x: f(x) + plain_derivative(f, x, TANGENT)),
    "custom_vmap": (_custom_vmap, lambda f: f),
    "custom_gradient": (
        lambda f: ft.custom_gradient(lambda x: (f(x), lambda ct: ft.vjp(f, x)[1](ct)[0])),
        lambda f: f,
    ),
    "fixed_point": (_fixed_point, _plain_fixed_point),
    "custom_root": (_custom_root, _plain_root),
    "custom_linear_solve": (_custom_linear_solve, lambda f: lambda x: x / (2 + f(x) ** 2)),
    "vectorize": (lambda f: ft.vectorize(f, signature="(n)->(n)"), lambda f: f),
    "psum": (_psum, _plain_over_scales),
}

#: How many differences there are in a plain layer, one around the other.
DIFFERENCES = {
    "grad": 1, "jvp": 1, "vjp": 1, "linearize": 1, "jacfwd": 1, "jacrev": 1, "jet": 1, "hvp": 2, "hessian": 2,
}  # fmt: skip
