"""The constructs that are composed: transformations, custom rules, loops, branches, solvers.

A layer makes of a function of a vector another one, with a library `xp`: ftrans, or JAX by the same names.
Beside it is the same in plain Python: NumPy, unrolled loops, and finite differences of the plain inner
function for what differentiates.
"""

from functools import partial

import numpy as np

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


def _custom_jvp(xp, f):
    g = xp.custom_jvp(f)
    g.defjvp(lambda primals, tangents: xp.jvp(f, primals, tangents))
    return g


def _custom_vjp(xp, f):
    g = xp.custom_vjp(f)
    g.defvjp(lambda x: (f(x), x), lambda x, ct: xp.vjp(f, x)[1](ct))
    return g


def _steps(f, x):
    for _ in range(2):
        x = 0.5 * x + 0.25 * f(x)
    return x


def _scan(xp, f):
    def scanned(x):
        last, rows = xp.scan(lambda c, s: (0.5 * c + 0.25 * f(s * c), c * s), x, xp.array(SCALES))
        return last + xp.sum(rows, axis=0)

    return scanned


def _plain_scan(f):
    def scanned(x):
        rows = 0 * x
        for s in SCALES:
            rows, x = rows + x * s, 0.5 * x + 0.25 * f(s * x)
        return x + rows

    return scanned


def _while(xp, f):
    def looped(x):
        return xp.while_loop(lambda s: s[0] < 2, lambda s: (s[0] + 1, 0.5 * s[1] + 0.25 * f(s[1])), (0, x))[1]

    return looped


def _associative_scan(xp, f):
    def scanned(x):
        rows = xp.stack([x, f(x), 0.5 * x])
        return xp.associative_scan(lambda a, b: a * b + a + b, rows)[-1]

    return scanned


def _plain_associative_scan(f):
    def scanned(x):
        total = x
        for row in (f(x), 0.5 * x):
            total = total * row + total + row
        return total

    return scanned


def _cond(xp, f):
    return lambda x: xp.cond(xp.sum(x) > 0, lambda x: 2.0 * f(x), lambda x: x, x)


def _plain_over_scales(f):
    return lambda x: sum(f(s * x) for s in SCALES)


def _switch(xp, f):
    def chosen(x):
        index = xp.where(xp.sum(x) > 0, 1, 2)
        return xp.switch(index, [xp.zeros_like, lambda x: 2.0 * f(x), lambda x: x], x)

    return chosen


def _linearize(xp, f):
    def linearized(x):
        value, push_forward = xp.linearize(f, x)
        return value + push_forward(0.5 * x)

    return linearized


def _hvp(xp, f):
    return lambda x: xp.hvp(lambda y: xp.sum(f(y)), (x,), (xp.array(TANGENT),))[0]


def _custom_vmap(xp, f):
    g = xp.custom_vmap(f)
    g.def_vmap(lambda axis_size, in_batched, x: (xp.vmap(f)(x), True))
    return g


def _fixed_point(xp, f):
    return lambda x: xp.fixed_point(lambda y: 0.25 * xp.cos(y) + f(x), x, tol=1e-15)


def _plain_fixed_point(f):
    def solved(x):
        y = target = f(x)
        for _ in range(40):
            y = 0.25 * np.cos(y) + target
        return y

    return solved


def _newton(xp, residual, y):
    for _ in range(6):
        y = y - residual(y) / (1.0 - 0.25 * xp.cos(y))
    return y


def _custom_root(xp, f):
    def solved(x):
        return xp.custom_root(
            lambda y: y - 0.25 * xp.sin(y) - f(x),
            x,
            partial(_newton, xp),
            lambda g, b: b / g(xp.ones_like(b)),
        )

    return solved


def _plain_root(f):
    def solved(x):
        y, target = x, f(x)
        for _ in range(12):
            y = y - (y - 0.25 * np.sin(y) - target) / (1.0 - 0.25 * np.cos(y))
        return y

    return solved


def _custom_linear_solve(xp, f):
    def solved(x):
        return xp.custom_linear_solve(
            lambda y: (2.0 + f(x) ** 2) * y, x, lambda matvec, b: b / matvec(xp.ones_like(b)), symmetric=True
        )

    return solved


def _jet(xp, f):
    def transformed(x):
        value, (first,) = xp.jet(f, (x,), ((xp.array(TANGENT),),))
        return value + first

    return transformed


def _psum(xp, f):
    def summed(x):
        return xp.vmap(lambda s: xp.psum(f(s * x), "scales"), axis_name="scales")(xp.array(SCALES))[0]

    return summed


#: name → (the layer, with its library, the plain one).
LAYERS = {
    "jit": (lambda xp, f: xp.jit(f), lambda f: f),
    "grad": (
        lambda xp, f: xp.grad(lambda x: xp.sum(f(x))),
        lambda f: lambda x: plain_gradient(f, x),
    ),
    "jvp": (
        lambda xp, f: lambda x: xp.jvp(f, (x,), (xp.array(TANGENT),))[1],
        lambda f: lambda x: plain_derivative(f, x, TANGENT),
    ),
    "vjp": (
        lambda xp, f: lambda x: xp.vjp(f, x)[1](x)[0],
        lambda f: lambda x: plain_gradient(lambda y: x * f(y), x),
    ),
    "vmap": (
        lambda xp, f: lambda x: xp.sum(xp.vmap(lambda s: f(s * x))(xp.array(SCALES)), axis=0),
        _plain_over_scales,
    ),
    "checkpoint": (lambda xp, f: xp.checkpoint(f), lambda f: f),
    "linearize": (_linearize, lambda f: lambda x: f(x) + plain_derivative(f, x, 0.5 * x)),
    "custom_jvp": (_custom_jvp, lambda f: f),
    "custom_vjp": (_custom_vjp, lambda f: f),
    "scan": (_scan, _plain_scan),
    "while_loop": (_while, lambda f: lambda x: _steps(f, x)),
    "cond": (_cond, lambda f: lambda x: 2 * f(x) if np.sum(x) > 0 else x),
    "fori_loop": (
        lambda xp, f: lambda x: xp.fori_loop(0, 2, lambda _, c: 0.5 * c + 0.25 * f(c), x),
        lambda f: lambda x: _steps(f, x),
    ),
    "map": (
        lambda xp, f: lambda x: xp.sum(xp.map(lambda s: f(s * x), xp.array(SCALES)), axis=0),
        _plain_over_scales,
    ),
    "associative_scan": (_associative_scan, _plain_associative_scan),
    "switch": (_switch, lambda f: lambda x: 2 * f(x) if np.sum(x) > 0 else x),
    "hvp": (_hvp, lambda f: lambda x: plain_derivative(lambda y: plain_gradient(f, y), x, TANGENT)),
    "hessian": (
        lambda xp, f: lambda x: xp.hessian(lambda y: xp.sum(f(y)))(x) @ xp.array(TANGENT),
        lambda f: lambda x: plain_derivative(lambda y: plain_gradient(f, y), x, TANGENT),
    ),
    "jacfwd": (
        lambda xp, f: lambda x: xp.jacfwd(f)(x) @ xp.array(TANGENT),
        lambda f: lambda x: plain_derivative(f, x, TANGENT),
    ),
    "jacrev": (
        lambda xp, f: lambda x: xp.array(TANGENT) @ xp.jacrev(f)(x),
        lambda f: lambda x: plain_gradient(lambda y: TANGENT * f(y), x),
    ),
    "jet": (_jet, lambda f: lambda x: f(x) + plain_derivative(f, x, TANGENT)),
    "custom_vmap": (_custom_vmap, lambda f: f),
    "custom_gradient": (
        lambda xp, f: xp.custom_gradient(lambda x: (f(x), lambda ct: xp.vjp(f, x)[1](ct)[0])),
        lambda f: f,
    ),
    "fixed_point": (_fixed_point, _plain_fixed_point),
    "custom_root": (_custom_root, _plain_root),
    "custom_linear_solve": (_custom_linear_solve, lambda f: lambda x: x / (2 + f(x) ** 2)),
    "vectorize": (lambda xp, f: xp.vectorize(f, signature="(n)->(n)"), lambda f: f),
    "psum": (_psum, _plain_over_scales),
}

#: How many differences there are in a plain layer, one around the other.
DIFFERENCES = {
    "grad": 1, "jvp": 1, "vjp": 1, "linearize": 1, "jacfwd": 1, "jacrev": 1, "jet": 1, "hvp": 2, "hessian": 2,
}  # fmt: skip
